//! Predicates of type `https://openvex.dev/ns`.
#![no_main]

use bonafide_fuzz::predicate::read;
use bonafide_fuzz::seeds;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(|| seeds::predicates("vex")), |bytes: &[u8]| {
    read("https://openvex.dev/ns", bytes);
});
