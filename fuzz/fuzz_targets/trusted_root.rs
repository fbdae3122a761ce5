//! Trusted roots: whatever of one is used can be used.
#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bonafide::trust::Requirement;
use bonafide::trust::fuzzing::{authorities_at, domain, has_certificate_log_keys};
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::world::WORLD;
use bonafide_fuzz::{seeds, text};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Where the authority's root has certificates and keys, in base64.
const PLACES: [&str; 7] = [
    "/tlogs/0/publicKey/rawBytes",
    "/tlogs/0/logId/keyId",
    "/ctlogs/0/publicKey/rawBytes",
    "/ctlogs/0/logId/keyId",
    "/certificateAuthorities/0/certChain/certificates/0/rawBytes",
    "/certificateAuthorities/0/certChain/certificates/1/rawBytes",
    "/timestampAuthorities/0/certChain/certificates/0/rawBytes",
];

static ROOT: LazyLock<Value> = LazyLock::new(|| WORLD.trusted_root());

/// A root by itself, or the authority's with other bytes in one of its [`PLACES`].
fn root(input: &[u8]) -> String {
    let place = input.split_first().and_then(|(first, bytes)| Some((*PLACES.get(usize::from(*first))?, bytes)));
    let Some((place, bytes)) = place else { return text(input).to_owned() };
    let mut root = ROOT.clone();
    if let Some(value) = root.pointer_mut(place) {
        *value = STANDARD.encode(bytes).into();
    }
    root.to_string()
}

fn roots() -> Vec<Vec<u8>> {
    let is_root = |bytes: &Vec<u8>| bytes.windows(11).any(|window| window == b"trustedroot");
    let found = seeds::json().into_iter().filter(is_root);
    let own = (0..).zip(PLACES).filter_map(|(first, place)| {
        let bytes = STANDARD.decode(ROOT.pointer(place)?.as_str()?).ok()?;
        Some([&[first][..], &bytes].concat())
    });
    let without = ["tlogs", "ctlogs", "timestampAuthorities", "certificateAuthorities"].map(|list| {
        let mut root = ROOT.clone();
        root[list] = Value::Array(Vec::new());
        root.to_string().into_bytes()
    });
    found.chain(own).chain(without).chain([ROOT.to_string().into_bytes()]).collect()
}

fuzz_target!(init: seeds::plant(roots), |bytes: &[u8]| {
    let root = root(bytes);
    for requirement in [Requirement::Required, Requirement::NotRequired] {
        let read = || {
            let (domain, _) = domain(&root, requirement, requirement)?;
            authorities_at(&domain, Timestamp::UNIX_EPOCH);
            Some(domain)
        };
        if let Some(domain) = within(Bound::CHECK, root.len(), read) {
            assert!(has_certificate_log_keys(&domain), "a key is kept that cannot be used");
            domain.ends();
        }
    }
});
