//! The evidence of every image of the corpus, straight through `verify::check`: which piece proves what, whatever a
//! registry or a rule would make of it.

use std::fs;
use std::path::PathBuf;

use bonafide::evidence::{Evidence, Via, attestation_tag, layers, signature_tag};
use bonafide::oci::{Digest, digest_of, parse_manifest};
use bonafide::verify::Subject;
use serde_json::Value;

use super::demand::{judge, trust};
use super::{Case, Check, Index, Outcome, conclude, folder};

#[test]
fn every_layer_of_the_corpus_is_judged_as_other_verifiers_judge_it() {
    let Some(folder) = folder() else { return };
    let index = Index::read(&folder);
    let about_images = |check: &&Check| !check.is_alone();
    let outcomes: Vec<_> = index
        .cases
        .iter()
        .flat_map(|case| {
            let checks = case.checks.iter().filter(about_images);
            checks.map(|check| Outcome::of(case, check, proved(&index, case, check)))
        })
        .collect();
    assert!(!outcomes.is_empty(), "a corpus without images");
    conclude(&outcomes);
}

/// Whether one piece of evidence about the target proves what `check` demands.
fn proved(index: &Index, case: &Case, check: &Check) -> Result<String, String> {
    let layout = Layout::of(index, case);
    let digest: Digest = check.target.as_ref().unwrap().parse().unwrap();
    let manifest = layout.blob(digest).unwrap_or_default();
    let subject = Subject { digest, manifest: &manifest };
    let trust = trust(index, case, check);
    let mut because = "no evidence".to_owned();
    for evidence in layout.evidence(digest) {
        match judge(&evidence, &subject, &trust, check) {
            Ok(proof) => return Ok(proof),
            Err(miss) => because = miss,
        }
    }
    Err(because)
}

/// An image layout, and below it the one that it changes.
struct Layout {
    folders: Vec<PathBuf>,
    index: Value,
}

impl Layout {
    fn of(index: &Index, case: &Case) -> Self {
        let folders: Vec<_> =
            index.folders(case).iter().flat_map(|folder| [folder.join("overlay"), folder.join("layout")]).collect();
        let index = folders.iter().find_map(|folder| fs::read(folder.join("index.json")).ok()).unwrap();
        Self { folders, index: serde_json::from_slice(&index).unwrap() }
    }

    fn blob(&self, digest: Digest) -> Option<Vec<u8>> {
        let name = format!("blobs/sha256/{}", digest.hex());
        let blob = self.folders.iter().find_map(|folder| fs::read(folder.join(&name)).ok())?;
        assert_eq!(Digest::of(&blob), digest);
        Some(blob)
    }

    /// The evidence about `subject`: by tag, and by subject.
    fn evidence(&self, subject: Digest) -> Vec<Evidence> {
        let listed = self.index["manifests"].as_array().unwrap();
        listed.iter().filter_map(|entry| self.manifest(entry, subject)).flatten().collect()
    }

    fn manifest(&self, entry: &Value, subject: Digest) -> Option<Vec<Evidence>> {
        let digest: Digest = entry["digest"].as_str()?.parse().ok()?;
        let manifest = parse_manifest(&self.blob(digest)?).ok()?;
        let tag = entry["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap_or_default();
        let via = if tag == signature_tag(subject).as_str() {
            Via::SignatureTag
        } else if tag == attestation_tag(subject).as_str() {
            Via::AttestationTag
        } else {
            manifest.subject().filter(|it| digest_of(it).ok() == Some(subject)).map(|_| Via::Referrer)?
        };
        let layers = layers(&manifest, digest, subject, via).ok()?;
        let evidence = layers.into_iter().filter_map(|layer| {
            let bytes = self.blob(layer.source.layer)?;
            Some(layer.into_evidence(bytes.into()))
        });
        Some(evidence.collect())
    }
}
