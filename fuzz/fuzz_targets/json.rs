//! Strict JSON: what it takes, a plain reader takes as well, and to the same value.
#![no_main]

use bonafide::evidence::read_strictly;
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::seeds;
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::Value;

fuzz_target!(init: seeds::plant(seeds::json), |bytes: &[u8]| {
    let strict = within(Bound::PARSER, bytes.len(), || read_strictly::<IgnoredAny>(bytes).is_ok());
    let value = within(Bound::TREE, bytes.len(), || read_strictly::<Value>(bytes).ok());
    assert_eq!(strict, value.is_some());
    assert!(value.is_none() || value == serde_json::from_slice(bytes).ok());
});
