//! Bundles and envelopes without a registry around them, straight through `verify::check`.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bonafide::evidence::{Content, CosignMaterial, Evidence, Source};
use bonafide::oci::Digest;
use bonafide::trust::{DomainSettings, KeySettings, Requirement, Trust, WithoutLog};
use bonafide::verify::{self, Claim, Fact, Signer, Subject};
use jiff::Timestamp;
use serde_json::Value;

use super::{Case, Check, Expect, Index, Outcome, conclude, folder};

/// The trust domain that a case's own root is loaded as.
const DOMAIN: &str = "of-the-case";

/// The time of the checks: after everything in the corpus was made.
fn now() -> Timestamp {
    "2026-11-01T00:00:00Z".parse().unwrap()
}

#[test]
fn every_bundle_of_the_corpus_is_judged_as_other_verifiers_judge_it() {
    let Some(folder) = folder() else { return };
    let index = Index::read(&folder);
    let alone = |check: &&Check| check.policy.evidence.contains("alone");
    let outcomes: Vec<_> = index
        .cases
        .iter()
        .flat_map(|case| case.checks.iter().filter(alone).map(|check| outcome(&index, case, check)))
        .collect();
    assert!(!outcomes.is_empty(), "a corpus without bundles");
    conclude(&outcomes);
}

fn outcome(index: &Index, case: &Case, check: &Check) -> Outcome {
    let (found, because) = match accepted(index, case, check) {
        Ok(because) => (Expect::Accept, because),
        Err(because) => (Expect::Reject, because),
    };
    Outcome {
        kind: case.kind.clone(),
        case: case.id.clone(),
        check: check.name.clone(),
        expected: check.expect,
        found,
        because,
    }
}

/// Whether some fact meets the demand of `check`; why, or why not.
fn accepted(index: &Index, case: &Case, check: &Check) -> Result<String, String> {
    let folder = index.of(case);
    let content = content(&folder);
    let (digest, manifest) = about(&folder, &content, &check.name);
    let source = Source { manifest: Digest::of(b"corpus"), layer: Digest::of(b"corpus") };
    let evidence = Evidence { source, content };
    let subject = Subject { digest, manifest: &manifest };
    let trust = trust(index, case, check);
    let facts =
        verify::check(&evidence, &subject, &trust, now()).map_err(|flaw| format!("{:?}: {}", flaw.kind, flaw.text))?;
    let mut misses = facts.iter().map(|fact| meets(fact, check));
    let first = misses.next().expect("a fact or a flaw");
    misses.fold(first, Result::or)
}

fn meets(fact: &Fact, check: &Check) -> Result<String, String> {
    match fact.signer() {
        Signer::Key { name } if check.policy.key.is_some() => Ok(format!("signed by key {name}")),
        Signer::Key { name } => Err(format!("signed by key {name}, not by a certificate")),
        Signer::Certificate(certificate) => {
            if certificate.trust != DOMAIN {
                return Err(format!("proved under {} alone", certificate.trust));
            }
            let demand = &check.policy;
            let issuer = demand.identity.as_ref().map(|_| demand.issuer.clone().unwrap_or_default());
            if demand.identity.as_ref().is_some_and(|identity| *identity != certificate.subject)
                || issuer.is_some_and(|issuer| issuer != certificate.issuer)
            {
                return Err(format!("signed by {} of {}", certificate.subject, certificate.issuer));
            }
            predicate(fact, check)
        }
    }
}

/// The checks called `wrong-predicate-type` demand a type that nobody writes.
fn predicate(fact: &Fact, check: &Check) -> Result<String, String> {
    let demanded = |claim: &Claim| matches!(claim, Claim::Other { predicate_type } if predicate_type == "https://example.com/none");
    if check.name == "wrong-predicate-type" && !demanded(fact.claim()) {
        return Err("it claims something else".to_owned());
    }
    Ok(format!("proved: {:?}, signed at {:?}", fact.log(), fact.signed_at()))
}

fn content(folder: &Path) -> Content {
    if let Ok(json) = fs::read(folder.join("bundle.sigstore.json")) {
        return Content::Bundle { json: json.into() };
    }
    if let Ok(envelope) = fs::read(folder.join("dsse.json")) {
        return Content::Attestation { envelope: envelope.into(), material: CosignMaterial::default() };
    }
    Content::Bundle { json: fs::read(folder.join("signature.sig")).unwrap().into() }
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
    | Content::Signature { payload: json, .. }) = content;
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

/// Trust in the root of the case, by rules that this root can meet, and in the key of the check.
fn trust(index: &Index, case: &Case, check: &Check) -> Trust {
    let root = check.policy.trust_root.as_ref().or(case.trust_root.as_ref());
    let domains: Vec<_> = root.iter().map(|root| domain(index.folder.join(root))).collect();
    let keys: Vec<_> = check.policy.key.iter().map(|key| long_lived(index.of(case).join(key))).collect();
    Trust::load(&domains, &keys).unwrap_or_else(|error| panic!("{}: {error}", case.id))
}

fn domain(trusted_root: PathBuf) -> DomainSettings {
    let root: Value = serde_json::from_slice(&fs::read(&trusted_root).unwrap()).unwrap();
    let needs = |list: &str| match root[list].as_array() {
        Some(list) if !list.is_empty() => Requirement::Required,
        _ => Requirement::NotRequired,
    };
    DomainSettings {
        name: DOMAIN.to_owned(),
        trusted_root,
        transparency_log: needs("tlogs"),
        certificate_timestamps: needs("ctlogs"),
    }
}

fn long_lived(path: PathBuf) -> KeySettings {
    KeySettings {
        name: "of-the-case".to_owned(),
        path,
        not_before: None,
        not_after: None,
        without_log: WithoutLog::Refuse,
    }
}
