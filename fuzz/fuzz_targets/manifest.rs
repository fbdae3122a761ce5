//! Manifests and indices, and which of their layers are evidence.
#![no_main]

use bonafide::evidence::{Via, is_evidence_blob, is_evidence_manifest, layers};
use bonafide::oci::{Digest, parse_manifest};
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::seeds;
use libfuzzer_sys::fuzz_target;

fn read(bytes: &[u8]) {
    let Ok(manifest) = parse_manifest(bytes) else { return };
    let digest = Digest::of(bytes);
    let subject = manifest.subject().and_then(|subject| bonafide::oci::digest_of(subject).ok()).unwrap_or(digest);
    for via in [Via::SignatureTag, Via::AttestationTag, Via::Referrer] {
        drop(layers(&manifest, digest, subject, via));
    }
    is_evidence_manifest(&manifest);
    for descriptor in manifest.blobs().chain(manifest.children()) {
        is_evidence_blob(descriptor, bytes);
    }
    manifest.as_referrer(digest, bytes.len() as u64);
}

fuzz_target!(init: seeds::plant(seeds::manifests), |bytes: &[u8]| {
    within(Bound::TREE, bytes.len(), || read(bytes));
});
