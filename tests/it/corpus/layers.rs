//! The evidence of every image of the corpus, straight through `verify::check`: which piece proves what, whatever a
//! registry or a rule would make of it.

use std::fs;

use bonafide::oci::Digest;
use bonafide::verify::Subject;
use serde_json::{Value, json};

use super::demand::{judge, trust};
use super::layout::Layout;
use super::{Case, Check, Index, Miss, Outcome, conclude, folder};

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
fn proved(index: &Index, case: &Case, check: &Check) -> Result<String, Miss> {
    let layout = Layout::of(index, case);
    let digest: Digest = check.target.as_ref().unwrap().parse().unwrap();
    let manifest = layout.blob(digest).unwrap_or_default();
    let subject = Subject { digest, manifest: &manifest };
    let trust = trust(index, case, check);
    let mut because = Miss::new("missing", "no evidence");
    for evidence in layout.evidence(digest) {
        match judge(&evidence, &subject, &trust, check) {
            Ok(proof) => return Ok(proof),
            Err(miss) => because = miss,
        }
    }
    Err(because)
}

#[test]
fn what_a_log_promised_is_proved_under_a_root_that_does_not_name_the_authority_of_its_timestamp() {
    let Some(folder) = folder() else { return };
    let mut index = Index::read(&folder);
    let case = index.cases.iter().position(|case| case.id == "oci-cosign3-hub").unwrap();
    let mut case = index.cases.remove(case);
    let root = fs::read(folder.join(case.trust_root.as_ref().unwrap())).unwrap();
    let mut root: Value = serde_json::from_slice(&root).unwrap();
    root["timestampAuthorities"] = json!([]);
    let changed = tempfile::tempdir().unwrap();
    let path = changed.path().join("trusted_root.json");
    fs::write(&path, root.to_string()).unwrap();
    case.trust_root = Some(path.to_str().unwrap().to_owned());
    let check = case.checks.iter().find(|check| check.name == "signature-with-tsa").unwrap();
    let proof = proved(&index, &case, check).unwrap_or_else(|miss| panic!("{miss:?}"));
    assert!(proof.contains("RekorV1"), "{proof}");
}
