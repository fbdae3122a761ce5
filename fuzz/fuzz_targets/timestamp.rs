//! Signed timestamps (RFC 3161), in the place of the one in a bundle that has no log entry.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bonafide_fuzz::evidence::{BUNDLE, piece};
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::seeds;
use bonafide_fuzz::world::{Template, WORLD};
use libfuzzer_sys::fuzz_target;

static BUNDLE_OF: LazyLock<Template> = LazyLock::new(|| {
    WORLD.template("/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp")
});

fuzz_target!(init: seeds::plant(seeds::timestamps), |bytes: &[u8]| {
    let Some(evidence) = piece(BUNDLE, &BTreeMap::new(), &BUNDLE_OF.with(bytes)) else { return };
    let world = LazyLock::force(&WORLD);
    within(Bound::CHECK, bytes.len(), || drop(world.check(&evidence)));
});
