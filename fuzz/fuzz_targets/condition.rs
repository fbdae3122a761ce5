//! Conditions (CEL): read, checked with their types, and asked about facts, in bounded time.
#![no_main]

use std::sync::LazyLock;

use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::world::WORLD;
use bonafide_fuzz::{seeds, text, time};
use libfuzzer_sys::fuzz_target;

const SEEDS: &str = "true\nimage.startsWith(\"docker.io/\") && tag == \"1\"\nsignatures.all(s, s.issuer.fits(\"https://*\"))\n\
    sboms.exists(s, s.format == \"spdx\" && s.packages < 10 || s.version in [\"2.3\"])\nsignatures.size() > 1 ? now > 0 : false\n\
    signatures.exists(a, signatures.exists(b, a.subject != b.subject && int(a.signed_at) + 1 > -2 * 3 % 4))\n\
    provenance.level >= 3 && has(provenance.source_ref) && size(provenance.builder) > 2\n\
    signatures.map(s, s.subject).filter(s, s.contains(\"a\")).size() == 0\n!(1.5 < 2.0) || \"\\u00e4\" != r\"a\"\n{\"a\": 1}[\"a\"] == 1u";

fuzz_target!(init: seeds::plant(|| seeds::lines(SEEDS)), |bytes: &[u8]| {
    let condition = text(bytes);
    let world = LazyLock::force(&WORLD);
    within(Bound::RULES, bytes.len(), || time::within_seconds(2, || world.ask(condition)));
});
