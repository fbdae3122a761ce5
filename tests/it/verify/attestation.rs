//! Attestation manifests: every link between a signature and the image that a statement is about, each with a test that
//! fails if the link is not looked at.

use bonafide::evidence::{Attestation, Source, unsigned_statements};
use bonafide::oci::{Digest, parse_manifest};
use bonafide::trust::Requirement;
use bonafide::verify::{Claim, Fact, Flaw, FlawKind, Relayed, check_attestations};
use jiff::SignedDuration;

use super::{Bed, build, bundle};
use crate::support::authority::Authority;
use crate::support::authority::identity::Identity;
use crate::support::authority::image::Image;
use crate::support::authority::signed::{BundleVersion, Signed};
use crate::support::authority::statement::Statement;

const V3: BundleVersion = BundleVersion::V0_3;

fn provenance(about: Digest) -> Statement {
    Statement::provenance_v1(about, &build(), &build().workflow_uri())
}

fn signed(bed: &Bed, digest: Digest) -> Signed {
    bed.authority.keyless(&build().identity()).attest(&Statement::signature(digest))
}

/// `manifest`, which should be about the image of `bed`, with all that it lists and with `signature`.
fn attestation(bed: &Bed, manifest: &Image, signature: &Signed) -> Attestation {
    let parsed = parse_manifest(&manifest.manifest).unwrap();
    let listed = unsigned_statements(&parsed, manifest.digest()).unwrap();
    let blob = |layer: Digest| manifest.blobs.iter().find(|blob| Digest::of(blob) == layer).unwrap().clone();
    Attestation {
        about: bed.digest(),
        digest: manifest.digest(),
        manifest: manifest.manifest.clone().into(),
        found_in: None,
        signatures: vec![bundle(signature, V3)],
        statements: listed.iter().map(|it| (it.source, blob(it.source.layer).into())).collect(),
    }
}

fn good(bed: &Bed) -> Attestation {
    let manifest = Image::attestation(bed.digest(), &[provenance(bed.digest())]);
    attestation(bed, &manifest, &signed(bed, manifest.digest()))
}

fn check(bed: &Bed, attestation: &Attestation) -> (Vec<Fact>, Vec<Flaw>) {
    let Relayed { facts, flaws, .. } = check_attestations(std::slice::from_ref(attestation), &bed.trust(), bed.now());
    (facts, flaws)
}

#[track_caller]
fn refuses(bed: &Bed, attestation: &Attestation, kind: FlawKind, text: &str) {
    let (facts, flaws) = check(bed, attestation);
    assert!(facts.is_empty(), "{facts:?}");
    assert!(flaws.len() == 1 && flaws[0].kind == kind && flaws[0].text.contains(text), "{flaws:?}");
}

#[test]
fn the_signature_of_an_attestation_manifest_speaks_for_its_statements() {
    let bed = Bed::new();
    let attestation = good(&bed);
    let (facts, flaws) = check(&bed, &attestation);
    assert!(flaws.is_empty() && facts.len() == 1, "{flaws:?}");
    let fact = &facts[0];
    assert_eq!((fact.subject(), fact.source()), (bed.digest(), attestation.statements[0].0));
    assert_eq!(fact.through(), Some(attestation.signatures[0].source));
    assert!(matches!(fact.claim(), Claim::Provenance(it) if it.builder_id == build().workflow_uri()));
    assert_eq!(fact.found_in(), None);
    let stored = serde_json::to_string(fact).unwrap();
    assert_eq!(serde_json::from_str::<Fact>(&stored).unwrap(), *fact);
}

#[test]
fn what_keeps_another_domain_from_proving_the_signature_is_told_with_the_statement() {
    let bed = Bed::new();
    let elsewhere = Authority::new("other").trusted_root();
    let strict = bed.authority.trusted_root().with(|root| root["tlogs"] = elsewhere.0["tlogs"].clone());
    let bed = bed.trusting("strict", &strict, Requirement::Required, Requirement::Required);
    let (facts, _) = check(&bed, &good(&bed));
    let [fact] = facts.as_slice() else { panic!("{facts:?}") };
    assert!(fact.unproven()[0].starts_with("trust strict: the transparency log entry"), "{fact:?}");
}

#[test]
fn an_attestation_manifest_that_nobody_signed_says_nothing() {
    let bed = Bed::new();
    let mut unsigned = good(&bed);
    unsigned.signatures.clear();
    assert_eq!(check(&bed, &unsigned), (Vec::new(), Vec::new()));
    let manifest = Image::attestation(bed.digest(), &[provenance(bed.digest())]);
    let foreign = bed.authority.foreign().keyless(&build().identity());
    let stranger = attestation(&bed, &manifest, &foreign.attest(&Statement::signature(manifest.digest())));
    assert!(check(&bed, &stranger).0.is_empty());
}

#[test]
fn the_signature_of_another_attestation_manifest_says_nothing_of_this_one() {
    let bed = Bed::new();
    let manifest = Image::attestation(bed.digest(), &[provenance(bed.digest())]);
    let other = signed(&bed, Digest::of(b"another attestation manifest"));
    refuses(&bed, &attestation(&bed, &manifest, &other), FlawKind::Subject, "not about");
    refuses(&bed, &attestation(&bed, &manifest, &signed(&bed, bed.digest())), FlawKind::Subject, "not about");
}

#[test]
fn what_else_is_attested_of_the_manifest_is_no_signature_of_it() {
    let bed = Bed::new();
    let manifest = Image::attestation(bed.digest(), &[provenance(bed.digest())]);
    let scanned = bed.authority.keyless(&build().identity()).attest(&Statement::scan(manifest.digest(), "CVE-1"));
    assert!(check(&bed, &attestation(&bed, &manifest, &scanned)).0.is_empty());
}

#[test]
fn a_statement_about_another_image_says_nothing_of_this_one() {
    let bed = Bed::new();
    let manifest = Image::attestation(bed.digest(), &[provenance(Digest::of(b"another image"))]);
    refuses(&bed, &attestation(&bed, &manifest, &signed(&bed, manifest.digest())), FlawKind::Subject, "not about");
}

#[test]
fn a_statement_that_the_manifest_does_not_list_says_nothing() {
    let bed = Bed::new();
    let forged = provenance(bed.digest()).to_bytes();
    let forged = [&b" "[..], &forged].concat();
    let mut added = good(&bed);
    let source = Source { manifest: added.digest, layer: Digest::of(&forged) };
    added.statements = vec![(source, forged.clone().into())];
    refuses(&bed, &added, FlawKind::Subject, "does not list it");
    let mut swapped = good(&bed);
    swapped.statements[0].1 = forged.into();
    refuses(&bed, &swapped, FlawKind::Subject, "does not list it");
    let mut elsewhere = good(&bed);
    elsewhere.statements[0].0.manifest = Digest::of(b"another attestation manifest");
    refuses(&bed, &elsewhere, FlawKind::Subject, "does not list it");
}

#[test]
fn a_manifest_that_is_not_the_one_that_was_signed_lists_nothing() {
    let bed = Bed::new();
    let mut replaced = good(&bed);
    replaced.manifest = [&b" "[..], &replaced.manifest].concat().into();
    refuses(&bed, &replaced, FlawKind::Subject, "does not list it");
}

#[test]
fn a_statement_that_cannot_be_read_proves_nothing_and_hides_no_other() {
    let bed = Bed::new();
    let empty = provenance(bed.digest()).with(|predicate| *predicate = serde_json::json!({}));
    let manifest = Image::attestation(bed.digest(), &[empty, Statement::spdx(bed.digest(), &["pkg:npm/axios@1.14.1"])]);
    let (facts, flaws) = check(&bed, &attestation(&bed, &manifest, &signed(&bed, manifest.digest())));
    assert!(facts.len() == 1 && matches!(facts[0].claim(), Claim::Sbom(_)), "{facts:?}");
    assert!(flaws.len() == 1 && flaws[0].kind == FlawKind::Malformed, "{flaws:?}");
}

#[test]
fn a_signature_among_the_statements_is_signed_by_nobody() {
    let bed = Bed::new();
    let manifest = Image::attestation(bed.digest(), &[Statement::signature(bed.digest())]);
    let attestation = attestation(&bed, &manifest, &signed(&bed, manifest.digest()));
    refuses(&bed, &attestation, FlawKind::Unsupported, "not signed itself");
}

#[test]
fn whoever_signs_a_manifest_many_times_says_its_statements_once() {
    let bed = Bed::new();
    let mut attestation = good(&bed);
    attestation.signatures = vec![attestation.signatures[0].clone(); 100];
    let (facts, flaws) = check(&bed, &attestation);
    assert!(flaws.is_empty() && facts.len() == 1, "{flaws:?}");
}

#[test]
fn where_a_signature_was_found_is_told_else_where_its_manifest_was() {
    let bed = Bed::new();
    let [manifests, signatures] = ["ghcr.io/acme/app", "ghcr.io/acme/signatures"].map(|name| name.parse().unwrap());
    let mut attestation = good(&bed);
    attestation.found_in = Some(manifests);
    assert_eq!(check(&bed, &attestation).0[0].found_in(), attestation.found_in.as_ref());
    attestation.signatures[0].found_in = Some(signatures);
    assert_eq!(check(&bed, &attestation).0[0].found_in(), attestation.signatures[0].found_in.as_ref());
}

#[test]
fn whoever_signed_again_later_counts_at_both_times_the_first_of_them_first() {
    let bed = Bed::new();
    let mut attestation = good(&bed);
    let later = bed.authority.time() + SignedDuration::from_hours(1);
    let signer = bed.authority.keyless(&build().identity()).at(later);
    let again = bundle(&signer.attest(&Statement::signature(attestation.digest)), V3);
    attestation.signatures.insert(0, again);
    let (facts, flaws) = check(&bed, &attestation);
    let times: Vec<_> = facts.iter().map(Fact::signed_at).collect();
    assert_eq!(times, [Some(bed.authority.time()), Some(later)], "{flaws:?}");
}

#[test]
fn what_signers_say_takes_no_more_text_than_its_bound_and_what_is_left_out_is_told() {
    let bed = Bed::new();
    let padded = provenance(bed.digest()).with(|predicate| predicate["padding"] = "x".repeat(4 * 1024 * 1024).into());
    let manifest = Image::attestation(bed.digest(), &[padded]);
    let mut attestation = attestation(&bed, &manifest, &signed(&bed, manifest.digest()));
    let many = (0..65).map(|number| {
        let signer =
            bed.authority.keyless(&Identity::email(&format!("eve{number}@evil.example"), "https://idp.example"));
        bundle(&signer.attest(&Statement::signature(manifest.digest())), V3)
    });
    attestation.signatures = many.collect();
    let relayed = check_attestations(&[attestation], &bed.trust(), bed.now());
    assert!(relayed.is_bounded && relayed.facts.len() < 65, "{}", relayed.facts.len());
}
