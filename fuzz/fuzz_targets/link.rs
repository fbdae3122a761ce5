//! `Link` of paged lists: the target is a part of the header, between its brackets.
#![no_main]

use bonafide::upstream::fuzzing::link;
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::{seeds, text};
use libfuzzer_sys::fuzz_target;

const SEEDS: &str = "</v2/a/referrers/sha256:00?n=1&last=x>; rel=\"next\"\n<a>; rel=prev, <b>; rel=\"start next\"; title=\"a,b\"\n<>;rel=next";

fuzz_target!(init: seeds::plant(|| seeds::lines(SEEDS)), |bytes: &[u8]| {
    let text = text(bytes);
    if let Some(target) = within(Bound::PARSER, bytes.len(), || link(text)) {
        assert!(text.contains(&format!("<{target}>")) && !target.contains('>'));
    }
});
