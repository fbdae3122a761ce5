//! Answers of token realms: what is sent then is a header of one line, and no token outlives a day.
#![no_main]

use bonafide::upstream::fuzzing::token;
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::seeds;
use jiff::{SignedDuration, Timestamp};
use libfuzzer_sys::fuzz_target;

const SEEDS: &str = r#"{"token":"eyJhbGciOiJSUzI1NiJ9.e30.c2ln","access_token":"a","expires_in":300,"issued_at":"2026-01-01T00:00:00Z"}
{"token":"","access_token":"t","expires_in":4}
{"token":null,"access_token":"djE6","expires_in":18446744073709551615}
{"token":"a\u00e9\nb"}
{"token":"t"}"#;

fuzz_target!(init: seeds::plant(|| seeds::lines(SEEDS)), |bytes: &[u8]| {
    let asked = Timestamp::UNIX_EPOCH;
    let Some((header, ends)) = within(Bound::PARSER, bytes.len(), || token(bytes, asked)) else { return };
    let life = ends.duration_since(asked);
    assert!(!life.is_negative() && life < SignedDuration::from_hours(24), "{life}");
    assert!(header.is_sensitive() && header.as_bytes().starts_with(b"Bearer "));
    assert!(!header.as_bytes().contains(&b'\n') && !header.as_bytes().contains(&b'\r'));
});
