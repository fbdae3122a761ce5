//! `Range`, `If-Range` and `If-None-Match` of clients: no byte outside of the blob is ever promised.
#![no_main]

use bonafide::front::fuzzing::{has_already, part};
use bonafide::oci::Digest;
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::seeds;
use http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

const SEEDS: &str = "bytes=0-1\nbytes=-5\nbytes=5-\nbytes=0-1,3-4\nbytes=99999999999999999999999-\n\"a\", W/\"b\", *";

fuzz_target!(init: seeds::plant(|| seeds::lines(SEEDS)), |bytes: &[u8]| {
    let mut lines = bytes.split(|byte| *byte == 0).map(HeaderValue::from_bytes);
    let mut headers = HeaderMap::new();
    for name in [RANGE, IF_NONE_MATCH, IF_RANGE, RANGE] {
        if let Some(Ok(value)) = lines.next() {
            headers.append(name, value);
        }
    }
    for size in [0, 1, 10, u64::MAX] {
        let found = within(Bound::PARSER, bytes.len(), || part(&headers, Digest::of(b""), size));
        assert!(found.is_none_or(|range| range.end <= size && (range.start < range.end || size == 0)));
    }
    has_already(&headers, Digest::of(b""));
});
