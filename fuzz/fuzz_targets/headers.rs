//! Headers of upstreams' answers: `Retry-After`, quotas, `Content-Range`, `Content-Type`, `Location`. What names no host stays
//! at the one that was asked.
#![no_main]

use bonafide::upstream::fuzzing::headers;
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::seeds;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

const NAMES: [HeaderName; 7] = [
    RETRY_AFTER,
    HeaderName::from_static("ratelimit-remaining"),
    HeaderName::from_static("ratelimit-limit"),
    HeaderName::from_static("docker-ratelimit-source"),
    CONTENT_RANGE,
    CONTENT_TYPE,
    LOCATION,
];

/// Values, in the order of their names, joined by NUL.
const SEEDS: &str = "120|98;w=21600|100;w=21600|192.0.2.1|bytes 5-9/10|text/html; charset=utf-8|/v2/a/blobs/uploads/?x=1\n\
    Sun, 06 Nov 1994 08:49:37 GMT|1; comment=\"x\"; w=60|7|account|bytes 0-1/*|application/json|//other.example/a\n\
    99999999999999999999||1e3||bytes */10|TEXT/HTML|https://other.example:8443/a?b#c\n|||||text/html|?x=1\n||||||a/../b";
const FROM: &str = "https://registry.example:8443/v2/a/blobs/x?y=z";

fn values() -> Vec<Vec<u8>> {
    seeds::lines(SEEDS)
        .into_iter()
        .map(|line| line.into_iter().map(|it| if it == b'|' { 0 } else { it }).collect())
        .collect()
}

fuzz_target!(init: seeds::plant(values), |bytes: &[u8]| {
    let from: Uri = FROM.parse().expect("an address");
    let mut all = HeaderMap::new();
    for (name, value) in NAMES.into_iter().zip(bytes.split(|byte| *byte == 0)) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            all.append(name, value);
        }
    }
    let read = within(Bound::PARSER, bytes.len(), || headers(&all, &from, Timestamp::UNIX_EPOCH));
    let Some((target, is_same_place)) = read.target else { return };
    let location = all.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let names_host = location.starts_with("//") || location.split(['/', '?', '#']).next().is_some_and(|it| it.contains(':'));
    assert!(is_same_place || names_host, "{location:?} leads to {target}");
});
