//! Predicates of type `https://cyclonedx.org/bom`, as JSON and as the text that older tools wrap it in.
#![no_main]

use bonafide_fuzz::predicate::read;
use bonafide_fuzz::seeds;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(|| seeds::predicates("cyclonedx")), |bytes: &[u8]| {
    read("https://cyclonedx.org/bom", bytes);
});
