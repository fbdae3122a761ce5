//! The chain of BuildKit, from an index over an attestation manifest and its signature to a statement: nothing is proven that
//! nobody signed.
#![no_main]

use std::sync::LazyLock;

use bonafide_fuzz::evidence::attestations;
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::seeds;
use bonafide_fuzz::world::WORLD;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(|| WORLD.chains.iter().map(|chain| chain.links().join(&0)).collect()), |bytes: &[u8]| {
    let mut parts = bytes.splitn(4, |byte| *byte == 0);
    let links = [(); 4].map(|()| parts.next().unwrap_or_default());
    let world = LazyLock::force(&WORLD);
    within(Bound::CHECK, bytes.len(), || drop(world.relay(&attestations(links))));
});
