//! Whose word is taken for what an image was built from.

use std::sync::Arc;

use bonafide::oci::Digest;
use bonafide::policy::{BuiltFrom, Decision, ReasonCode, RequirementKind, Verdict};
use bonafide::verify::{Coverage, Proof};
use serde_json::{Value, json};

use super::{
    GENERATOR, ISSUER, RULE, all, identity, index_of, judge, of_child, proof, provenance, sbom, signature,
    signature_rule, signed_by_key,
};

const STRANGER: &str = "https://github.com/evil/app/.github/workflows/release.yml@refs/tags/v1.0.0";

fn judging() -> String {
    RULE.replace("message =", "base_images = \"judge\"\n    message =")
}

/// The same where nobody is named who signs bills of materials.
fn judging_without_sbom() -> String {
    judging().split("[rule.sbom]").next().unwrap().to_owned()
}

/// A bill of materials that names a base image.
pub(super) fn based(evidence: &str) -> Value {
    let mut fact = sbom();
    fact["source"]["layer"] = json!(Digest::of(evidence.as_bytes()));
    fact["claim"]["sbom"]["base_images"] = json!({"images": [{
        "uri": "pkg:oci/static", "repository": {"upstream": "gcr.io", "name": "distroless/static"}, "tag": null, "digest": Digest::of(b"static"),
    }]});
    fact
}

fn signed(mut fact: Value, subject: &str) -> Value {
    fact["signer"]["certificate"]["subject"] = json!(subject);
    fact
}

fn verdict(rule: &str, facts: &[Value]) -> Verdict {
    judge(rule, Some("v1.2.3"), &proof(facts))
}

/// The bills of materials whose word is taken.
fn heard(rule: &str, facts: &[Value]) -> usize {
    let verdict = verdict(rule, facts);
    assert_eq!(verdict.decision, Decision::Undecided, "{verdict:#?}");
    verdict.built_from.unwrap().sboms.len()
}

#[track_caller]
fn assert_refused(verdict: &Verdict, code: ReasonCode, text: &str) {
    assert_eq!((verdict.decision, &verdict.built_from), (Decision::Refuse, &None), "{verdict:#?}");
    let (kind, reason) = verdict.most_telling().unwrap();
    assert_eq!((kind, reason.code), (RequirementKind::BaseImage, code));
    assert!(reason.text.contains(text), "{reason:?}");
}

#[test]
fn who_leaves_base_images_unjudged_admits_nothing() {
    let rule = judging();
    let verdict = judge(&rule, Some("v1.2.3"), &proof(&all()));
    let BuiltFrom { provenances, sboms, sboms_are_of_all } = verdict.built_from.clone().unwrap();
    assert_eq!((verdict.decision, provenances.len(), sboms.len()), (Decision::Undecided, 1, 0), "{verdict:#?}");
    assert!(!sboms_are_of_all);
    let by: Vec<_> = provenances.iter().chain(&provenances).map(Arc::clone).collect();
    let known = verdict.on_known_bases(&by);
    assert_eq!((known.decision, known.is_met(), known.requirements.len()), (Decision::Admit, true, 4));
    let bases = known.requirements.iter().find(|requirement| requirement.kind == RequirementKind::BaseImage).unwrap();
    assert_eq!((bases.by.as_ref(), &*bases.also_by), (provenances.first(), &*provenances), "who named them is told");
    // The same ones in the same order, however they were found.
    let mut other = provenance();
    other["source"]["layer"] = json!(Digest::of(b"another"));
    let facts = [provenance(), other, based("a"), based("b")];
    let found = |order: [usize; 4]| {
        let facts: Vec<_> = std::iter::once(signature()).chain(order.map(|index| facts[index].clone())).collect();
        self::verdict(&rule, &facts).built_from.unwrap()
    };
    assert_eq!(found([0, 1, 2, 3]), found([1, 0, 3, 2]));
    assert_eq!((found([0, 1, 2, 3]).provenances.len(), found([0, 1, 2, 3]).sboms.len()), (2, 2));
    // Where something else is not met, no base image changes that.
    let verdict = self::verdict(&rule, &all()[1..]);
    assert_eq!((verdict.decision, verdict.built_from), (Decision::Refuse, None));
}

#[test]
fn a_bill_of_materials_names_base_images_if_it_is_signed_as_the_rule_demands() {
    let with = |fact: Value| [all(), vec![fact]].concat();
    assert_eq!(heard(&judging(), &with(based("a"))), 1);
    assert_eq!(heard(&judging(), &with(signed(based("a"), STRANGER))), 0);
    // Its format is another matter: what somebody says who is believed is not ignored.
    let mut cyclonedx = based("a");
    cyclonedx["claim"]["sbom"]["format"] = json!("cyclonedx");
    assert_eq!(heard(&judging(), &with(cyclonedx)), 1);
    // One that may have more is one that names some.
    let mut cut = based("a");
    cut["claim"]["sbom"]["base_images"] = json!({"more": true});
    assert_eq!(heard(&judging(), &with(cut)), 1);
    // Who is revoked says nothing.
    let both = format!(
        "signed_by = {{ any_of = [{{ {} }}, {{ issuer = '{ISSUER}', subject = '{STRANGER}' }}] }}",
        identity().replace('\n', ", ")
    );
    let both = judging().replace("[rule.sbom]", &format!("[rule.sbom]\n{both}"));
    let by_either = [with(based("a")), vec![signed(based("b"), STRANGER)]].concat();
    assert_eq!(heard(&both, &by_either), 2);
    assert_eq!(heard(&format!("{both}\n[revoked]\nsubjects = ['{STRANGER}']\n"), &by_either), 1);
}

#[test]
fn where_the_rule_demands_none_the_signers_of_the_image_and_of_its_provenance_are_believed() {
    let rule = judging_without_sbom();
    let with = |fact: Value| [signature(), provenance(), fact];
    assert_eq!(heard(&rule, &with(based("a"))), 1);
    assert_eq!(heard(&rule, &with(signed(based("a"), GENERATOR))), 1);
    assert_eq!(heard(&rule, &with(signed(based("a"), STRANGER))), 0);
    // The same workflow, called from another repository or proved by another domain; and a key, which nobody names.
    for (claim, other) in
        [("source_repository", "https://github.com/evil/app"), ("trust", "corp"), ("issuer", "https://i")]
    {
        let mut fact = signed(based("a"), GENERATOR);
        fact["signer"]["certificate"][claim] = json!(other);
        assert_eq!(heard(&rule, &with(fact)), 0, "{claim}");
    }
    let mut by_key = based("a");
    by_key["signer"] = signed_by_key("release", "a")["signer"].clone();
    assert_eq!(heard(&rule, &with(by_key)), 0);
}

#[test]
fn who_holds_the_key_of_the_provenance_is_believed_and_no_other_key() {
    let rule = "[[builder]]\nname = 'ci'\nid = 'https://ci/*'\nkey = 'backup'\nlevel = 2\n[[rule]]\nname = 'r'\n\
        images = ['docker.io/**']\nbase_images = 'judge'\n[rule.provenance]\nbuilders = ['ci']\n";
    let by = |mut fact: Value, name: &str| {
        fact["signer"] = signed_by_key(name, "a")["signer"].clone();
        fact
    };
    let mut built = by(provenance(), "backup");
    built["claim"]["provenance"]["builder_id"] = json!("https://ci/1");
    for (name, count) in [("backup", 1), ("release", 0)] {
        assert_eq!(heard(rule, &[built.clone(), by(based("a"), name)]), count, "{name}");
    }
}

#[test]
fn without_provenance_the_bill_of_materials_must_name_base_images() {
    let rule = format!("{}[rule.sbom]\n", signature_rule(&identity()))
        .replace("mode = 'enforce'", "mode = 'enforce'\nbase_images = 'judge'");
    assert_eq!(heard(&rule, &[signature(), based("a")]), 1);
    assert_refused(&verdict(&rule, &[signature(), sbom()]), ReasonCode::BaseImageUnproven, "names no base image");
    let stranger = [signature(), sbom(), signed(based("a"), STRANGER)];
    assert_refused(&verdict(&rule, &stranger), ReasonCode::BaseImageUnproven, "names no base image");
}

#[test]
fn of_an_index_the_bill_of_materials_of_each_image_must_name_base_images() {
    let rule = format!("{}[rule.sbom]\n", signature_rule(&identity()))
        .replace("mode = 'enforce'", "mode = 'enforce'\nbase_images = 'judge'");
    let index = |arm64: Value| index_of([based("a"), based("b")], [arm64.clone(), arm64]);
    let verdict = judge(&rule, None, &index(based("a")));
    assert_eq!(verdict.built_from.unwrap().sboms.len(), 4);
    assert_refused(&judge(&rule, None, &index(sbom())), ReasonCode::BaseImageUnproven, "names no base image");
    // Beside provenance of the index they are judged, and do not stand for what it does not name.
    let facts = [signature(), provenance(), of_child(&based("a"), "amd64")];
    let children = ["amd64", "arm64", "attestation of amd64"].map(|child| Digest::of(child.as_bytes()));
    let proof = Proof { children: children.into_iter().collect(), ..proof(&facts) };
    let verdict = judge(&judging_without_sbom(), Some("v1.2.3"), &proof);
    let BuiltFrom { sboms, sboms_are_of_all, .. } = verdict.built_from.unwrap();
    assert_eq!((sboms.len(), sboms_are_of_all), (1, false));
}

/// A stranger who publishes more than is looked at must not hide a bill of materials that names base images.
#[test]
fn a_bill_of_materials_that_was_not_seen_may_name_base_images() {
    let seen = |coverage| judge(&judging_without_sbom(), Some("v1.2.3"), &Proof { coverage, ..proof(&all()) });
    assert_eq!(seen(Coverage::Complete).decision, Decision::Undecided);
    assert!(seen(Coverage::Complete).built_from.is_some());
    assert_refused(&seen(Coverage::Bounded), ReasonCode::TooMuch, "left out");
    let partial = seen(Coverage::partial("it is down"));
    assert_eq!((partial.decision, &partial.built_from), (Decision::Undecided, &None));
    assert_eq!(partial.most_telling().unwrap().1.code, ReasonCode::Unavailable);
}
