//! Predicates of type `https://spdx.dev/Document`, as JSON and as the text that older tools wrap it in.
#![no_main]

use bonafide_fuzz::predicate::read;
use bonafide_fuzz::seeds;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(|| seeds::predicates("spdx")), |bytes: &[u8]| {
    read("https://spdx.dev/Document", bytes);
});
