//! Sigstore bundles: nothing is proven that nobody signed.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bonafide_fuzz::evidence::{BUNDLE, piece};
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::seeds;
use bonafide_fuzz::world::WORLD;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(seeds::bundles), |bytes: &[u8]| {
    let Some(evidence) = piece(BUNDLE, &BTreeMap::new(), bytes) else { return };
    let world = LazyLock::force(&WORLD);
    within(Bound::CHECK, bytes.len(), || drop(world.check(&evidence)));
});
