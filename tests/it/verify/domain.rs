//! Trust domains: each by itself, with rules of its own.

use bonafide::trust::Requirement;
use bonafide::verify::{Fact, FlawKind, LogProof, Signer};
use serde_json::{Value, json};

use super::{Bed, build, bundle, layer};
use crate::support::authority::Authority;
use crate::support::authority::signed::{BundleVersion, Signed};

const V3: BundleVersion = BundleVersion::V0_3;
const REQUIRED: Requirement = Requirement::Required;
const NONE: Requirement = Requirement::NotRequired;

fn trust(fact: &Fact) -> &str {
    match fact.signer() {
        Signer::Certificate(certificate) => &certificate.trust,
        Signer::Key { name } => panic!("signed by key {name}"),
    }
}

fn signed(bed: &Bed) -> Signed {
    bed.authority.keyless(&build().identity()).attest(&bed.statement())
}

fn list(root: &Value, name: &str) -> Value {
    root[name].clone()
}

#[test]
fn a_certificate_of_an_unknown_authority_names_its_issuer() {
    let bed = Bed::new().trusting_nobody();
    bed.refuses(&bundle(&signed(&bed), V3), FlawKind::Certificate, "corp intermediate");
}

#[test]
fn every_domain_that_proves_it_gives_a_fact_of_its_own() {
    let bed = Bed::new();
    let root = bed.authority.trusted_root();
    let bed = bed.trusting("twin", &root, REQUIRED, REQUIRED);
    let facts = bed.check(&bundle(&signed(&bed), V3)).unwrap();
    assert_eq!(facts.iter().map(trust).collect::<Vec<_>>(), ["corp", "twin"]);
}

#[test]
fn what_one_domain_refuses_another_may_prove() {
    let bed = Bed::new();
    let root = bed.authority.trusted_root();
    let bed = bed.trusting_nobody();
    let strict = root.clone().with(|root| root["tlogs"] = list(&Authority::new("other").trusted_root().0, "tlogs"));
    let bed = bed.trusting("strict", &strict, REQUIRED, REQUIRED).trusting("lax", &root, REQUIRED, REQUIRED);
    assert_eq!(trust(&bed.proves(&bundle(&signed(&bed), V3))), "lax");
}

#[test]
fn what_one_domain_proves_is_told_with_what_keeps_others_from_it() {
    let bed = Bed::new();
    let root = bed.authority.trusted_root();
    let strict = root.with(|root| root["tlogs"] = list(&Authority::new("other").trusted_root().0, "tlogs"));
    assert_eq!(bed.proves(&bundle(&signed(&bed), V3)).unproven().len(), 0);
    let bed = (0..6).fold(bed, |bed, number| bed.trusting(&format!("strict-{number}"), &strict, REQUIRED, REQUIRED));
    let fact = bed.proves(&bundle(&signed(&bed), V3));
    assert_eq!(trust(&fact), "corp");
    let [first, .., last] = fact.unproven() else { panic!("{fact:?}") };
    assert!(first.starts_with("trust strict-0: the transparency log entry does not hold"), "{first}");
    assert!(last.starts_with("trust strict-3: ") && fact.unproven().len() == 4, "{fact:?}");
    let stored = serde_json::to_string(&fact).unwrap();
    assert_eq!(serde_json::from_str::<Fact>(&stored).unwrap(), fact);
}

#[test]
fn the_authority_of_one_domain_and_the_log_of_another_prove_nothing_together() {
    let bed = Bed::new();
    let ours = bed.authority.trusted_root();
    let theirs = Authority::new("other").trusted_root();
    let certificates = theirs.clone().with(|root| {
        root["certificateAuthorities"] = list(&ours.0, "certificateAuthorities");
        root["ctlogs"] = list(&ours.0, "ctlogs");
    });
    let logs = theirs.with(|root| root["tlogs"] = list(&ours.0, "tlogs"));
    let bed = bed
        .trusting_nobody()
        .trusting("certificates", &certificates, REQUIRED, REQUIRED)
        .trusting("logs", &logs, REQUIRED, REQUIRED);
    bed.refuses(&bundle(&signed(&bed), V3), FlawKind::Log, "trust certificates");
    bed.refuses(&layer(&signed(&bed)), FlawKind::Log, "trust certificates");
}

#[test]
fn an_authority_vouches_for_nothing_after_its_end() {
    let bed = Bed::new();
    let ended = bed.authority.trusted_root().with(|root| {
        root["certificateAuthorities"][0]["validFor"]["end"] = json!("2025-05-31T00:00:00Z");
    });
    let bed = bed.trusting_nobody().trusting("corp", &ended, REQUIRED, REQUIRED);
    bed.refuses(&bundle(&signed(&bed), V3), FlawKind::Certificate, "no certificate authority");
    let old = bed.authority.keyless(&build().identity());
    let old = old.logged_as(crate::support::authority::signer::EntryKind::IntotoV1).attest(&bed.statement());
    bed.refuses(&layer(&old), FlawKind::Certificate, "not trusted");
}

#[test]
fn a_log_promises_nothing_after_the_end_of_its_key() {
    let bed = Bed::new();
    let ended = bed.authority.trusted_root().with(|root| {
        root["tlogs"][0]["publicKey"]["validFor"]["end"] = json!("2025-05-31T00:00:00Z");
    });
    let bed = bed.trusting_nobody().trusting("corp", &ended, REQUIRED, REQUIRED);
    bed.refuses(&bundle(&signed(&bed), V3), FlawKind::Log, "log");
    let old = bed.authority.keyless(&build().identity());
    let old = old.logged_as(crate::support::authority::signer::EntryKind::IntotoV1).attest(&bed.statement());
    bed.refuses(&layer(&old), FlawKind::Log, "in use at its time");
}

#[test]
fn certificate_timestamps_are_left_out_only_where_the_domain_says_so() {
    let bed = Bed::new();
    let bare = bed.authority.keyless(&build().identity()).without_sct().attest(&bed.statement());
    bed.refuses(&bundle(&bare, V3), FlawKind::CertificateTimestamp, "SCT");
    let root = bed.authority.trusted_root().without_certificate_logs();
    let bed = bed.trusting_nobody().trusting("corp", &root, REQUIRED, NONE);
    assert_eq!(bed.proves(&bundle(&bare, V3)).log(), LogProof::RekorV1);
}

#[test]
fn timestamps_stand_in_for_the_log_only_where_the_domain_says_so() {
    let bed = Bed::new();
    let stamped = bed.authority.keyless(&build().identity()).timestamped().without_log().attest(&bed.statement());
    bed.refuses(&bundle(&stamped, V3), FlawKind::Log, "no transparency log entry");
    let bed = bed.trusting_timestamps_alone();
    let fact = bed.proves(&bundle(&stamped, V3));
    assert_eq!((fact.log(), fact.signed_at()), (LogProof::TimestampOnly, Some(bed.authority.time())));
}

#[test]
fn without_log_a_timestamp_is_a_must() {
    let bed = Bed::new().trusting_timestamps_alone();
    let bare = bed.authority.keyless(&build().identity()).without_log().attest(&bed.statement());
    bed.refuses(&bundle(&bare, V3), FlawKind::Timestamp, "");
    bed.refuses(&layer(&bare), FlawKind::Timestamp, "");
}

#[test]
fn a_log_entry_must_hold_even_where_none_is_required() {
    let bed = Bed::new();
    let root = bed.authority.trusted_root();
    let bed = bed.trusting_nobody().trusting("corp", &root, NONE, REQUIRED);
    let signs = bed.authority.keyless(&build().identity()).timestamped();
    bed.proves(&bundle(&signs.attest(&bed.statement()), V3));
    let broken = signs.attest(&bed.statement()).with_broken_inclusion_proof();
    bed.refuses(&bundle(&broken, V3), FlawKind::Log, "inclusion proof");
}
