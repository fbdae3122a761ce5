//! `WWW-Authenticate` of upstreams.
#![no_main]

use bonafide::upstream::fuzzing::challenge;
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::{seeds, text};
use libfuzzer_sys::fuzz_target;

const SEEDS: &str = "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:a:pull,push\"\n\
    Basic realm=\"x\", Bearer realm=\"https://y\",service=\"z\", Negotiate\nbearer  Realm = \"a\\\"b\\\\c\" , service=plain";

fuzz_target!(init: seeds::plant(|| seeds::lines(SEEDS)), |bytes: &[u8]| {
    let text = text(bytes);
    let read = within(Bound::PARSER, bytes.len(), || challenge(text));
    assert!(read.iter().all(|(scheme, _)| !scheme.is_empty() && text.contains(scheme.as_str())));
});
