//! Predicates of type `https://slsa.dev/provenance/v1`, as JSON and as the text that older tools wrap it in.
#![no_main]

use bonafide_fuzz::predicate::read;
use bonafide_fuzz::seeds;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(|| seeds::predicates("slsa.dev/provenance/v1")), |bytes: &[u8]| {
    read("https://slsa.dev/provenance/v1", bytes);
});
