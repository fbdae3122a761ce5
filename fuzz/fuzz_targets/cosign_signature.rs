//! `.sig` layers of cosign 1 and 2 with their annotations: nothing is proven that nobody signed.
#![no_main]

use std::sync::LazyLock;

use bonafide_fuzz::evidence::{SIMPLE_SIGNING, layer};
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::seeds;
use bonafide_fuzz::world::WORLD;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(|| seeds::layers(SIMPLE_SIGNING)), |bytes: &[u8]| {
    let Some(evidence) = layer(SIMPLE_SIGNING, bytes) else { return };
    let world = LazyLock::force(&WORLD);
    within(Bound::CHECK, bytes.len(), || drop(world.check(&evidence)));
});
