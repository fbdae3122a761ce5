//! Records of OSV feeds, one or several in a text.
#![no_main]

use bonafide::policy::Feed;
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::seeds;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

/// Files of the corpus that look like records.
fn records() -> Vec<Vec<u8>> {
    let is_record = |bytes: &Vec<u8>| bytes.windows(10).any(|window| window == b"\"affected\"");
    seeds::json().into_iter().filter(is_record).collect()
}

fuzz_target!(init: seeds::plant(records), |bytes: &[u8]| {
    let mut feed = Feed::default();
    within(Bound::TREE, bytes.len(), || drop(feed.read(bytes, Timestamp::UNIX_EPOCH)));
});
