//! What certificates claim, in their subjects and in the extensions of Fulcio: no claim that does not stand in them.
#![no_main]

use std::sync::LazyLock;

use bonafide::verify::fuzzing::{claims, issuer};
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::world::WORLD;
use bonafide_fuzz::{certificate, seeds};
use libfuzzer_sys::fuzz_target;

/// Before the name of a repository, where an old claim has no more than that.
const FORGE: &str = "https://github.com/";

fn certificates() -> Vec<Vec<u8>> {
    let whole = seeds::certificates();
    let parts = certificate::inputs(&whole);
    whole.into_iter().chain(parts).collect()
}

fn stands_in(der: &[u8], text: &str) -> bool {
    text.is_empty() || der.windows(text.len()).any(|window| window == text.as_bytes())
}

fuzz_target!(init: seeds::plant(certificates), |bytes: &[u8]| {
    LazyLock::force(&WORLD);
    let Some(der) = certificate::of(bytes) else { return };
    within(Bound::CHECK, bytes.len(), || issuer(&der));
    let Some(claimed) = within(Bound::CHECK, bytes.len(), || claims(&der)) else { return };
    let texts = [
        &claimed.build_signer,
        &claimed.runner_environment,
        &claimed.source_commit,
        &claimed.source_ref,
        &claimed.build_config,
        &claimed.build_trigger,
        &claimed.run_invocation,
    ];
    for text in texts.into_iter().flatten().chain([&claimed.subject, &claimed.issuer]) {
        assert!(stands_in(&der, text), "{text:?}");
    }
    if let Some(repository) = &claimed.source_repository {
        let name = repository.strip_prefix(FORGE).unwrap_or(repository);
        assert!(stands_in(&der, name), "{repository:?}");
    }
});
