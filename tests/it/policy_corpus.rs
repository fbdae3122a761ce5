//! The policy over real evidence: provenance that slsa-github-generator made of other people's images, from blob to
//! verdict. Not run where the corpus is not (see `corpus`).

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bonafide::evidence::{Layer, Via, layers, subject_of_tag};
use bonafide::oci::{Digest, Repository, Tag, parse_manifest};
use bonafide::policy::{Decision, Known, Policy, ReasonCode, Request, Settings, Verdict};
use bonafide::trust::Trust;
use bonafide::verify::{Coverage, Few, Proof, Several, Subject, check};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use crate::corpus;

const CASES: [&str; 2] = ["oci-slsa3-v1.10.0", "oci-slsa3-v2.1.0"];

#[test]
fn real_provenance_of_the_generator_is_level_three_from_the_source_that_it_names() {
    let Some(corpus) = corpus::folder() else { return };
    for case in CASES {
        let proof = prove(&corpus.join("cases").join(case).join("layout"));
        assert_eq!(proof.facts.len(), 1, "{case}: {:#?}", proof.flaws);
        let admitted = judge(&proof, "level = 3\nsource = 'github.com/slsa-framework/example-package'");
        assert_eq!(admitted.decision, Decision::Admit, "{case}: {admitted:#?}");
        let refused = judge(&proof, "level = 3\nsource = 'github.com/slsa-framework/example'");
        assert_eq!(refused.requirements[0].reasons[0].code, ReasonCode::WrongSource, "{case}: {refused:#?}");
        let refused = judge(&proof, "source_ref = 'refs/tags/{tag}'");
        assert_eq!(refused.requirements[0].reasons[0].code, ReasonCode::WrongSourceRef, "{case}: {refused:#?}");
    }
}

/// What the attestations in an image layout prove of the image that they name.
fn prove(layout: &Path) -> Proof {
    let blob = |digest: &str| fs::read(layout.join("blobs/sha256").join(digest.trim_start_matches("sha256:"))).unwrap();
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let manifests = index["manifests"].as_array().unwrap();
    let tag_of = |entry: &Value| entry["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap().to_owned();
    let attestation = manifests.iter().find(|entry| subject_of_tag(&tag_of(entry).parse().unwrap()).is_some()).unwrap();
    let digest: Digest = attestation["digest"].as_str().unwrap().parse().unwrap();
    let subject = subject_of_tag(&tag_of(attestation).parse().unwrap()).unwrap();
    let image = blob(&subject.to_string());
    let manifest = parse_manifest(&blob(&digest.to_string())).unwrap();
    let trust = Trust::load(&[], &[]).unwrap();
    let mut proof = Proof {
        subject,
        children: Few::default(),
        elsewhere: Few::default(),
        facts: Several::default(),
        flaws: Few::default(),
        coverage: Coverage::Complete,
        collected_at: now(),
    };
    let read = |layer: Layer| {
        let bytes = Bytes::from(blob(&layer.source.layer.to_string()));
        layer.into_evidence(bytes)
    };
    for evidence in layers(&manifest, digest, subject, Via::AttestationTag).unwrap().into_iter().map(read) {
        match check(&evidence, &Subject { digest: subject, manifest: &image }, &trust, now()) {
            Ok(facts) => proof.facts.extend(facts.into_iter().map(Arc::new)),
            Err(flaw) => proof.flaws.extend([flaw]),
        }
    }
    proof
}

fn judge(proof: &Proof, lines: &str) -> Verdict {
    let rule = format!(
        "[[rule]]\nname = 'r'\nimages = ['ghcr.io/**']\n[rule.provenance]\nbuilders = ['slsa-github-generator']\n{lines}"
    );
    let settings: Settings = toml::from_str(&rule).unwrap();
    let known = Known { trust: &|name| name == "public-good", key: &|_| false };
    let repository: Repository = "ghcr.io/slsa-framework/example".parse().unwrap();
    let tag: Tag = "another".parse().unwrap();
    let request = Request { repository: &repository, tag: Some(&tag), digest: proof.subject };
    Policy::new(&settings, &known).unwrap().judge(&request, Some(proof), now())
}

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}
