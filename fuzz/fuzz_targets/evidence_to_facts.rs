//! The whole path, from the manifest of evidence and its blob to a verdict: nothing is proven that nobody signed, and
//! nothing but all of it together is admitted.
#![no_main]

use std::sync::LazyLock;

use bonafide::policy::Decision;
use bonafide_fuzz::evidence::{manifest, pieces};
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::seeds;
use bonafide_fuzz::world::WORLD;
use libfuzzer_sys::fuzz_target;

/// A manifest, NUL, a blob.
fn good() -> Vec<Vec<u8>> {
    let pairs = WORLD.good.iter().map(|good| {
        let annotations = good.annotations.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        [&manifest(&good.media_type, &annotations, &good.bytes)[..], b"\0", &good.bytes].concat()
    });
    pairs.collect()
}

fuzz_target!(init: seeds::plant(good), |bytes: &[u8]| {
    let Some((manifest, blob)) = bytes.iter().position(|byte| *byte == 0).and_then(|at| bytes.split_at_checked(at))
    else {
        return;
    };
    let world = LazyLock::force(&WORLD);
    let decision = within(Bound::CHECK, bytes.len(), || {
        // As many as the gate looks at, though each of them is the same blob.
        let evidence = pieces(manifest, blob.get(1..).unwrap_or_default()).into_iter().take(4);
        let facts: Vec<_> = evidence.flat_map(|piece| world.check(&piece)).collect();
        // Rules that ask for less: what one of them makes of it is for `judgement`. They are dear, and few inputs prove anything.
        if !facts.is_empty() {
            world.judge_others(facts.clone());
        }
        world.judge(facts)
    });
    // One blob is a signature, or provenance, or a bill of materials.
    assert_eq!(decision, Decision::Refuse);
});
