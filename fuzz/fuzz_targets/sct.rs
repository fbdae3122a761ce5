//! Timestamps of certificate logs (SCT), in the place of those of a good certificate: no others prove that it is in a log.
#![no_main]

use std::sync::LazyLock;

use bonafide::verify::fuzzing::is_timestamped;
use bonafide_fuzz::certificate::{TIMESTAMPS, good_timestamps, timestamps, with};
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::seeds;
use bonafide_fuzz::world::WORLD;
use libfuzzer_sys::fuzz_target;

static ISSUER: LazyLock<Vec<u8>> = LazyLock::new(|| WORLD.certified().0);
static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let good = good_timestamps();
    let der = with(TIMESTAMPS, &good).expect("a certificate");
    assert!(is_timestamped(WORLD.domain(), &der, &ISSUER), "the good one proves nothing");
    good
});

/// Where the list of one has what is signed beside the certificate (RFC 6962, 3.2): version, log, time, no extensions. Before it stand
/// the lengths of list and timestamp, in a string.
const SIGNED: std::ops::Range<usize> = 6..51;

fn signed(list: &[u8]) -> Option<&[u8]> {
    list.get(SIGNED)
}

/// Whether the list ends with its signature, of which there are many for the same.
fn is_whole(list: &[u8]) -> bool {
    let length = list.get(SIGNED.end..).and_then(|rest| rest.first_chunk::<2>());
    length.is_some_and(|length| SIGNED.end + 2 + usize::from(u16::from_be_bytes(*length)) == list.len())
}

fn lists() -> Vec<Vec<u8>> {
    timestamps(&seeds::certificates()).into_iter().chain([GOOD.clone()]).collect()
}

fuzz_target!(init: seeds::plant(lists), |bytes: &[u8]| {
    let good = LazyLock::force(&GOOD);
    let Some(der) = with(TIMESTAMPS, bytes) else { return };
    let holds = within(Bound::CHECK, bytes.len(), || is_timestamped(WORLD.domain(), &der, &ISSUER));
    assert!(!holds || (signed(bytes) == signed(good) && is_whole(bytes)), "no log signed that");
});
