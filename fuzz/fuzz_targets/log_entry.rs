//! Bodies of log entries, in the place of the one in a bundle.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bonafide_fuzz::evidence::{BUNDLE, piece};
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::seeds;
use bonafide_fuzz::world::{Template, WORLD};
use libfuzzer_sys::fuzz_target;

static BUNDLE_OF: LazyLock<Template> =
    LazyLock::new(|| WORLD.template("/verificationMaterial/tlogEntries/0/canonicalizedBody"));

fuzz_target!(init: seeds::plant(seeds::entries), |bytes: &[u8]| {
    let Some(evidence) = piece(BUNDLE, &BTreeMap::new(), &BUNDLE_OF.with(bytes)) else { return };
    let world = LazyLock::force(&WORLD);
    within(Bound::CHECK, bytes.len(), || drop(world.check(&evidence)));
});
