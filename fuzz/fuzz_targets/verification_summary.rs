//! Predicates of type `https://slsa.dev/verification_summary/v1`.
#![no_main]

use bonafide_fuzz::predicate::read;
use bonafide_fuzz::seeds;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(|| seeds::predicates("verification_summary")), |bytes: &[u8]| {
    read("https://slsa.dev/verification_summary/v1", bytes);
});
