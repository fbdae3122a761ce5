//! Signatures of the Notary Project as JWS: nothing is proven that nobody signed.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bonafide_fuzz::evidence::{JWS, piece};
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::seeds;
use bonafide_fuzz::world::WORLD;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(|| seeds::envelopes(JWS)), |bytes: &[u8]| {
    let Some(evidence) = piece(JWS, &BTreeMap::new(), bytes) else { return };
    let world = LazyLock::force(&WORLD);
    within(Bound::CHECK, bytes.len(), || drop(world.check(&evidence)));
});
