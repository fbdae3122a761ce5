//! Bundles and envelopes without a registry around them, straight through `verify::check`.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bonafide::evidence::{Content, CosignMaterial, Evidence, NotationFormat, Source};
use bonafide::oci::Digest;
use bonafide::verify::Subject;
use serde_json::Value;

use super::demand::{judge, trust};
use super::{Case, Check, Index, Miss, Outcome, conclude, folder};

#[test]
fn every_bundle_of_the_corpus_is_judged_as_other_verifiers_judge_it() {
    let Some(folder) = folder() else { return };
    let index = Index::read(&folder);
    let alone = |check: &&Check| check.is_alone();
    let outcomes: Vec<_> = index
        .cases
        .iter()
        .flat_map(|case| case.checks.iter().filter(alone).map(|check| outcome(&index, case, check)))
        .collect();
    assert!(!outcomes.is_empty(), "a corpus without bundles");
    conclude(&outcomes);
}

fn outcome(index: &Index, case: &Case, check: &Check) -> Outcome {
    Outcome::of(case, check, accepted(index, case, check))
}

/// Whether some fact meets the demand of `check`; why, or why not.
fn accepted(index: &Index, case: &Case, check: &Check) -> Result<String, Miss> {
    let folder = &index.folders(case)[0];
    let content = content(folder);
    let (digest, manifest) = about(folder, &content, &check.name);
    let source = Source { manifest: Digest::of(b"corpus"), layer: Digest::of(b"corpus") };
    let evidence = Evidence { source, found_in: None, content };
    let subject = Subject { digest, manifest: &manifest };
    let trust = trust(index, case, check);
    judge(&evidence, &subject, &trust, check)
}

fn content(folder: &Path) -> Content {
    if let Ok(json) = fs::read(folder.join("bundle.sigstore.json")) {
        return Content::Bundle { json: json.into() };
    }
    if let Ok(envelope) = fs::read(folder.join("dsse.json")) {
        return Content::Attestation { envelope: envelope.into(), material: CosignMaterial::default() };
    }
    let envelope = fs::read(folder.join("signature.sig")).unwrap().into();
    Content::Notation { envelope, format: NotationFormat::Jws }
}

/// What the evidence should be about: the artifact; without one, whatever it says itself.
fn about(folder: &Path, content: &Content, check: &str) -> (Digest, Vec<u8>) {
    if check == "wrong-digest" {
        return (Digest::of(b"something else"), b"something else".to_vec());
    }
    if let Ok(artifact) = fs::read(folder.join("artifact")) {
        return (Digest::of(&artifact), artifact);
    }
    let (Content::Bundle { json }
    | Content::Attestation { envelope: json, .. }
    | Content::Signature { payload: json, .. }
    | Content::Notation { envelope: json, .. }) = content;
    (claimed(json).unwrap_or(Digest::of(b"nothing")), Vec::new())
}

/// The first SHA-256 digest that a bundle or an envelope claims to be about.
fn claimed(json: &[u8]) -> Option<Digest> {
    let json: Value = serde_json::from_slice(json).ok()?;
    let envelope = json.get("dsseEnvelope").unwrap_or(&json);
    let payload = STANDARD.decode(envelope.get("payload")?.as_str()?).ok()?;
    let statement: Value = serde_json::from_slice(&payload).ok()?;
    let mut digests =
        statement["subject"].as_array()?.iter().filter_map(|subject| subject["digest"]["sha256"].as_str());
    digests.find_map(|hex| Digest::from_hex(hex).ok())
}
