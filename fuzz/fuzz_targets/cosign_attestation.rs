//! `.att` layers of cosign 1 and 2 with their annotations: nothing is proven that nobody signed.
#![no_main]

use std::sync::LazyLock;

use bonafide_fuzz::evidence::{DSSE, layer};
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::seeds;
use bonafide_fuzz::world::WORLD;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(|| seeds::layers(DSSE)), |bytes: &[u8]| {
    let Some(evidence) = layer(DSSE, bytes) else { return };
    let world = LazyLock::force(&WORLD);
    within(Bound::CHECK, bytes.len(), || drop(world.check(&evidence)));
});
