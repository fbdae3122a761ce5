//! Signatures by certificates.

use bonafide::evidence::{Form, Severity, SummaryResult, VexStatus};
use bonafide::oci::Digest;
use bonafide::verify::{Certificate, Claim, Fact, FlawKind, LogProof, Signer};
use jiff::SignedDuration;

use super::{Bed, VERSIONS, build, bundle, layer};
use crate::support::authority::certificate::SERVER;
use crate::support::authority::identity::{Build, GITHUB, Identity};
use crate::support::authority::key::{Hash, Key};
use crate::support::authority::signed::{BundleVersion, Signed};
use crate::support::authority::signer::{EntryKind, Signer as Signs};
use crate::support::authority::statement::Statement;

const V3: BundleVersion = BundleVersion::V0_3;

fn certificate(fact: &Fact) -> &Certificate {
    match fact.signer() {
        Signer::Certificate(certificate) => certificate,
        Signer::Key { name } => panic!("signed by key {name}"),
    }
}

fn signs(bed: &Bed) -> Signs<'_> {
    bed.authority.keyless(&build().identity())
}

fn signed(bed: &Bed) -> Signed {
    signs(bed).attest(&bed.statement())
}

#[test]
fn a_statement_in_a_bundle_of_any_version_is_proved() {
    let bed = Bed::new();
    for version in VERSIONS {
        let fact = bed.proves(&bundle(&signed(&bed), version));
        assert_eq!(fact.claim(), &Claim::Signature);
        assert_eq!((fact.form(), fact.log()), (Form::Bundle, LogProof::RekorV1));
        assert_eq!((fact.subject(), fact.signed_at()), (bed.digest(), Some(bed.authority.time())));
    }
}

#[test]
fn a_signature_of_the_manifest_itself_in_a_bundle_is_proved() {
    let bed = Bed::new();
    let signed = signs(&bed).sign_bytes(bed.image.manifest.clone());
    for version in VERSIONS {
        assert_eq!(bed.proves(&bundle(&signed, version)).claim(), &Claim::Signature);
    }
}

#[test]
fn certificates_with_keys_of_every_kind_are_proved() {
    let (p384, ed25519) = (|| Key::p384("signer"), || Key::ed25519("signer"));
    let keys = [p384(), p384().hashing(Hash::Sha256), Key::rsa(), ed25519(), ed25519().hashing(Hash::Sha512)];
    let bed = Bed::new();
    for key in &keys {
        let signs = signs(&bed).holding(key);
        let [statement, manifest] = [signs.attest(&bed.statement()), signs.sign_bytes(bed.image.manifest.clone())];
        let bundles = VERSIONS.iter().flat_map(|version| [bundle(&statement, *version), bundle(&manifest, *version)]);
        for evidence in bundles.chain([layer(&statement), layer(&signs.sign(bed.digest()))]) {
            let fact = bed.proves(&evidence);
            assert_eq!(&*certificate(&fact).issuer, GITHUB, "{}", key.details());
            assert_eq!((fact.log(), fact.signed_at()), (LogProof::RekorV1, Some(bed.authority.time())));
        }
    }
}

#[test]
fn certificates_that_only_we_can_check_are_held_to_the_same_rules() {
    let key = Key::p384("signer");
    let bed = Bed::new();
    let signs = signs(&bed).holding(&key);
    let attest = |signs: Signs<'_>| bundle(&signs.attest(&bed.statement()), V3);
    let good = signs.attest(&bed.statement());
    bed.proves(&bundle(&good, V3));
    let refused = [
        (bundle(&good.clone().with_broken_signature(), V3), FlawKind::Signature, "does not fit the certificate"),
        (bundle(&good.clone().without_promise(), V3), FlawKind::Timestamp, "nothing proves when"),
        (bundle(&good.clone().with_broken_promise(), V3), FlawKind::Log, "promise"),
        (bundle(&good.with_broken_inclusion_proof(), V3), FlawKind::Log, "not in the tree"),
        (attest(signs.clone().certified_for(SERVER)), FlawKind::Certificate, "not trusted"),
        (attest(signs.clone().without_sct()), FlawKind::CertificateTimestamp, "there is none"),
        (attest(signs.clone().with_foreign_sct()), FlawKind::CertificateTimestamp, "wrong"),
        (attest(signs.clone().with_foreign_log()), FlawKind::Log, "of no log"),
        (attest(signs.clone().in_rekor_v2().with_foreign_timestamp()), FlawKind::Timestamp, "does not hold"),
        (attest(signs.clone().without_log()), FlawKind::Log, "one is required"),
    ];
    for (evidence, kind, text) in refused {
        bed.refuses(&evidence, kind, text);
    }
}

#[test]
fn a_certificate_that_only_we_can_check_must_be_valid_at_every_time_that_is_proved() {
    let key = Key::p384("signer");
    let bed = Bed::new();
    let later = bed.authority.time() + SignedDuration::from_hours(1);
    let late = signs(&bed).holding(&key).logged_at(later).attest(&bed.statement());
    bed.refuses(&bundle(&late, V3), FlawKind::Certificate, "not trusted");
    // One time within its life does not make up for another that is not.
    let stamped = signs(&bed).holding(&key).timestamped().logged_at(later).attest(&bed.statement());
    let in_time = signs(&bed).holding(&key).attest(&bed.statement());
    let mut mixed = stamped.clone();
    mixed.entry = Some(signs(&bed).holding(&key).log_of(&stamped, &key));
    bed.proves(&bundle(&in_time, V3));
    bed.refuses(&bundle(&mixed, V3), FlawKind::Certificate, "not trusted");
}

#[test]
fn the_log_entry_of_another_certificate_does_not_vouch_for_one_that_only_we_can_check() {
    let key = Key::p384("signer");
    let bed = Bed::new();
    let someone = Build::of("someone/else", "refs/tags/v1").identity();
    let (ours, theirs) = (signs(&bed).holding(&key), bed.authority.keyless(&someone).holding(&key));
    for (ours, theirs) in [(ours.clone().in_rekor_v2(), theirs.clone().in_rekor_v2()), (ours, theirs)] {
        let good = ours.attest(&bed.statement());
        bed.proves(&bundle(&good, V3));
        let mut attributed = good.clone().with_credential_of(&theirs.attest(&bed.statement()));
        attributed.entry = Some(theirs.log_of(&attributed, &key));
        bed.refuses(&bundle(&good.with_entry_of(&attributed), V3), FlawKind::Log, "names another certificate");
    }
}

#[test]
fn layers_of_cosign_1_and_2_are_proved() {
    let bed = Bed::new();
    let fact = bed.proves(&layer(&signs(&bed).sign(bed.digest())));
    assert_eq!((fact.form(), fact.claim()), (Form::CosignSignature, &Claim::Signature));
    let fact = bed.proves(&layer(&signed(&bed)));
    assert_eq!((fact.form(), fact.claim()), (Form::CosignAttestation, &Claim::Signature));
}

#[test]
fn entries_of_rekor_v2_are_proved_with_the_time_of_a_timestamp() {
    let bed = Bed::new();
    let fact = bed.proves(&bundle(&signs(&bed).in_rekor_v2().attest(&bed.statement()), V3));
    assert_eq!((fact.log(), fact.signed_at()), (LogProof::RekorV2, Some(bed.authority.time())));
}

#[test]
fn every_claim_of_the_certificate_is_in_the_fact() {
    let bed = Bed::new();
    let fact = bed.proves(&bundle(&signed(&bed), V3));
    let expected = Certificate {
        trust: "corp".into(),
        issuer: GITHUB.into(),
        subject: build().workflow_uri().into(),
        build_signer: Some(build().workflow_uri().into()),
        runner_environment: Some("github-hosted".into()),
        source_repository: Some(build().source().into()),
        source_commit: Some(build().commit.into()),
        source_ref: Some(build().reference.into()),
        build_config: Some(build().workflow_uri().into()),
        build_trigger: Some("push".into()),
        run_invocation: certificate(&fact).run_invocation.clone(),
    };
    assert_eq!(certificate(&fact), &expected);
    assert!(certificate(&fact).run_invocation.is_some());
}

/// `identity` with nothing but what Fulcio wrote before 2023.
fn of_2022(identity: Identity) -> Identity {
    (7..=24).fold(identity, Identity::without_claim)
}

#[test]
fn claims_of_old_certificates_are_read_as_well() {
    let bed = Bed::new();
    let identity = of_2022(build().identity());
    let fact = bed.proves(&bundle(&bed.authority.keyless(&identity).attest(&bed.statement()), V3));
    let certificate = certificate(&fact);
    assert_eq!(&*certificate.issuer, GITHUB);
    assert_eq!(certificate.source_repository, Some(build().source().into()));
    assert_eq!(certificate.source_ref, Some(build().reference.into()));
    assert_eq!(certificate.source_commit, Some(build().commit.into()));
    assert_eq!(certificate.build_trigger.as_deref(), Some("push"));
}

#[test]
fn the_short_name_of_a_repository_means_github_for_the_issuer_of_github_alone() {
    let bed = Bed::new();
    let identity = of_2022(build().identity()).with_claim(1, "https://idp.example");
    let fact = bed.proves(&bundle(&bed.authority.keyless(&identity).attest(&bed.statement()), V3));
    assert_eq!(certificate(&fact).source_repository, None);
}

#[test]
fn a_certificate_that_names_nobody_is_refused() {
    let bed = Bed::new();
    let signs = bed.authority.keyless(&build().identity().without_subject());
    bed.refuses(&bundle(&signs.attest(&bed.statement()), V3), FlawKind::Certificate, "subject alternative name");
}

#[test]
fn a_certificate_of_a_foreign_authority_is_refused() {
    let bed = Bed::new();
    let signs = signs(&bed).with_foreign_certificate();
    for evidence in [
        bundle(&signs.attest(&bed.statement()), V3),
        layer(&signs.attest(&bed.statement())),
        layer(&signs.sign(bed.digest())),
    ] {
        bed.refuses(&evidence, FlawKind::Certificate, "");
    }
}

#[test]
fn a_certificate_for_another_usage_is_refused() {
    let bed = Bed::new();
    let signed = signs(&bed).certified_for(SERVER).attest(&bed.statement());
    bed.refuses(&bundle(&signed, V3), FlawKind::Certificate, "trust corp: the certificate is not trusted");
}

#[test]
fn a_certificate_that_had_expired_when_it_was_logged_is_refused() {
    let bed = Bed::new();
    let late = bed.authority.time() + SignedDuration::from_mins(11);
    bed.refuses(
        &bundle(&signs(&bed).logged_at(late).attest(&bed.statement()), V3),
        FlawKind::Certificate,
        "CertExpired",
    );
}

#[test]
fn a_certificate_that_was_not_yet_valid_when_it_was_logged_is_refused() {
    let bed = Bed::new();
    let early = bed.authority.time() - SignedDuration::from_mins(1);
    bed.refuses(
        &bundle(&signs(&bed).logged_at(early).attest(&bed.statement()), V3),
        FlawKind::Certificate,
        "CertNotValidYet",
    );
}

#[test]
fn a_user_name_is_a_subject_and_other_names_are_none() {
    let bed = Bed::new();
    let signed = |kind| {
        let identity = Identity::other(kind, "someone!accounts.example", "https://accounts.example");
        bundle(&bed.authority.keyless(&identity).attest(&bed.statement()), V3)
    };
    let fact = bed.proves(&signed("1.3.6.1.4.1.57264.1.7"));
    assert_eq!(&*certificate(&fact).subject, "someone!accounts.example");
    bed.refuses(&signed("1.3.6.1.4.1.57264.1.9"), FlawKind::Certificate, "a subject of an unknown kind");
}

#[test]
fn every_timestamp_must_lie_in_the_life_of_the_certificate() {
    let bed = Bed::new();
    let late = bed.authority.time() + SignedDuration::from_mins(11);
    let mut signed = signed(&bed);
    signed.timestamp = Some(bed.authority.timestamps.stamp(&signed.signature, late));
    bed.refuses(&bundle(&signed, V3), FlawKind::Certificate, "the certificate");
}

#[test]
fn a_certificate_without_timestamp_of_a_certificate_log_is_refused() {
    let bed = Bed::new();
    let signed = signs(&bed).without_sct().attest(&bed.statement());
    bed.refuses(&bundle(&signed, V3), FlawKind::CertificateTimestamp, "SCT");
}

#[test]
fn a_certificate_with_timestamp_of_a_foreign_certificate_log_is_refused() {
    let bed = Bed::new();
    let signed = signs(&bed).with_foreign_sct().attest(&bed.statement());
    bed.refuses(&bundle(&signed, V3), FlawKind::CertificateTimestamp, "SCT");
}

#[test]
fn a_signature_in_no_log_is_refused() {
    let bed = Bed::new();
    for signs in [signs(&bed).without_log(), signs(&bed).timestamped().without_log()] {
        for evidence in [
            bundle(&signs.attest(&bed.statement()), V3),
            layer(&signs.attest(&bed.statement())),
            layer(&signs.sign(bed.digest())),
        ] {
            bed.refuses(&evidence, FlawKind::Log, "no transparency log entry");
        }
    }
}

#[test]
fn a_signature_in_a_foreign_log_is_refused() {
    let bed = Bed::new();
    let v1 = signs(&bed).with_foreign_log();
    bed.refuses(&bundle(&v1.attest(&bed.statement()), V3), FlawKind::Log, "log");
    bed.refuses(&layer(&v1.sign(bed.digest())), FlawKind::Log, "log");
    let v2 = signs(&bed).in_rekor_v2().with_foreign_log();
    bed.refuses(&bundle(&v2.attest(&bed.statement()), V3), FlawKind::Log, "checkpoint");
}

#[test]
fn a_broken_promise_of_the_log_is_refused() {
    let bed = Bed::new();
    let broken = signed(&bed).with_broken_promise();
    bed.refuses(&bundle(&broken, V3), FlawKind::Log, "inclusion promise");
    bed.refuses(&layer(&broken), FlawKind::Log, "inclusion promise");
}

#[test]
fn a_time_that_the_promise_does_not_cover_is_refused() {
    let bed = Bed::new();
    let moved = signed(&bed).with_entry(|entry| {
        entry.integrated = entry.integrated.map(|time| time + SignedDuration::from_secs(1));
    });
    bed.refuses(&bundle(&moved, V3), FlawKind::Log, "inclusion promise");
    bed.refuses(&layer(&moved), FlawKind::Log, "inclusion promise");
}

#[test]
fn a_broken_inclusion_proof_is_refused() {
    let bed = Bed::new();
    bed.refuses(&bundle(&signed(&bed).with_broken_inclusion_proof(), V3), FlawKind::Log, "inclusion proof");
}

#[test]
fn a_broken_checkpoint_is_refused() {
    let bed = Bed::new();
    bed.refuses(&bundle(&signed(&bed).with_broken_checkpoint(), V3), FlawKind::Log, "checkpoint");
}

#[test]
fn a_bundle_since_v0_2_without_inclusion_proof_is_refused() {
    let bed = Bed::new();
    for version in [BundleVersion::V0_2, V3] {
        let bare = signed(&bed).without_inclusion_proof();
        bed.refuses(&bundle(&bare, version), FlawKind::Log, "inclusion proof");
    }
}

#[test]
fn the_entry_of_another_signature_is_refused() {
    let bed = Bed::new();
    let other = signs(&bed).attest(&bed.statement().also_about(Digest::of(b"another")));
    let swapped = signed(&bed).with_entry_of(&other);
    bed.refuses(&bundle(&swapped, V3), FlawKind::Log, "does not match");
    bed.refuses(&layer(&swapped), FlawKind::Log, "does not match");
    let other = signs(&bed).sign(Digest::of(b"another"));
    bed.refuses(&layer(&signs(&bed).sign(bed.digest()).with_entry_of(&other)), FlawKind::Log, "something else");
}

#[test]
fn the_entry_of_another_signer_is_refused() {
    let bed = Bed::new();
    let eve = bed.authority.keyless(&Identity::email("eve@example.com", "https://idp.example"));
    let swapped = signed(&bed).with_entry_of(&eve.attest(&bed.statement()));
    bed.refuses(&bundle(&swapped, V3), FlawKind::Log, "does not match");
}

#[test]
fn a_signature_without_proven_time_is_refused() {
    let bed = Bed::new();
    let timeless = signed(&bed).without_promise();
    bed.refuses(&bundle(&timeless, V3), FlawKind::Timestamp, "nothing proves when");
    let timeless = signs(&bed).in_rekor_v2().without_timestamp().attest(&bed.statement());
    bed.refuses(&bundle(&timeless, V3), FlawKind::Timestamp, "nothing proves when");
}

#[test]
fn a_timestamp_of_a_foreign_authority_is_refused() {
    let bed = Bed::new();
    let signs = signs(&bed).in_rekor_v2().with_foreign_timestamp();
    bed.refuses(&bundle(&signs.attest(&bed.statement()), V3), FlawKind::Timestamp, "timestamp");
}

#[test]
fn the_timestamp_of_another_signature_is_refused() {
    let bed = Bed::new();
    let other = signs(&bed).in_rekor_v2().attest(&bed.statement().also_about(Digest::of(b"another")));
    let swapped = signs(&bed).in_rekor_v2().attest(&bed.statement()).with_timestamp_of(&other);
    bed.refuses(&bundle(&swapped, V3), FlawKind::Timestamp, "timestamp");
}

#[test]
fn what_was_signed_after_now_proves_nothing() {
    let bed = Bed::new();
    let before = bed.authority.time() - SignedDuration::from_secs(1);
    for evidence in [bundle(&signed(&bed), V3), layer(&signs(&bed).sign(bed.digest()))] {
        let flaw = bed.check_at(&evidence, before).unwrap_err();
        assert_eq!(flaw.kind, FlawKind::Timestamp);
        assert!(flaw.text.contains("yet to come"), "{flaw:?}");
    }
}

#[test]
fn what_was_signed_at_this_very_moment_is_proved() {
    let bed = Bed::new();
    for evidence in [bundle(&signed(&bed), V3), layer(&signs(&bed).sign(bed.digest()))] {
        let facts = bed.check_at(&evidence, bed.authority.time()).unwrap();
        assert_eq!(facts[0].signed_at(), Some(bed.authority.time()));
    }
}

#[test]
fn a_broken_signature_is_refused() {
    let bed = Bed::new();
    let broken = signed(&bed).with_broken_signature();
    bed.refuses(&bundle(&broken, V3), FlawKind::Signature, "does not fit");
    bed.refuses(&layer(&broken), FlawKind::Signature, "does not fit");
    let broken = signs(&bed).sign(bed.digest()).with_broken_signature();
    bed.refuses(&layer(&broken), FlawKind::Signature, "does not fit");
}

#[test]
fn another_payload_under_the_same_signature_is_refused() {
    let bed = Bed::new();
    let other = bed.statement().also_about(Digest::of(b"another")).to_bytes();
    bed.refuses(&bundle(&signed(&bed).with_payload(other.clone()), V3), FlawKind::Signature, "does not fit");
    bed.refuses(&layer(&signed(&bed).with_payload(other)), FlawKind::Signature, "does not fit");
}

#[test]
fn the_certificate_of_somebody_else_is_refused() {
    let bed = Bed::new();
    let eve = bed.authority.keyless(&Identity::email("eve@example.com", "https://idp.example"));
    let swapped = signed(&bed).with_credential_of(&eve.attest(&bed.statement()));
    bed.refuses(&bundle(&swapped, V3), FlawKind::Signature, "does not fit");
}

#[test]
fn a_statement_about_another_digest_is_refused_and_says_which() {
    let bed = Bed::new();
    let another = Digest::of(b"another");
    let swapped = signs(&bed).attest(&Statement::signature(another));
    bed.refuses(&bundle(&swapped, V3), FlawKind::Subject, &format!("it is about {another}"));
    bed.refuses(&layer(&swapped), FlawKind::Subject, &format!("it is about {another}"));
}

#[test]
fn a_simple_signing_payload_for_another_digest_is_refused_and_says_which() {
    let bed = Bed::new();
    let another = Digest::of(b"another");
    bed.refuses(&layer(&signs(&bed).sign(another)), FlawKind::Subject, &format!("it is about {another}"));
}

#[test]
fn a_signature_of_another_manifest_is_refused() {
    let bed = Bed::new();
    let signed = signs(&bed).sign_bytes(b"{}".to_vec());
    bed.refuses(&bundle(&signed, V3), FlawKind::Subject, "something else");
}

#[test]
fn a_simple_signing_payload_in_a_bundle_is_no_signature_of_the_manifest() {
    let bed = Bed::new();
    bed.refuses(&bundle(&signs(&bed).sign(bed.digest()), V3), FlawKind::Subject, "something else");
}

#[test]
fn one_of_several_subjects_is_enough() {
    let bed = Bed::new();
    let statement = Statement::signature(Digest::of(b"first")).also_about(bed.digest());
    assert_eq!(bed.proves(&bundle(&signs(&bed).attest(&statement), V3)).subject(), bed.digest());
}

#[test]
fn a_payload_that_is_not_declared_as_a_statement_is_refused() {
    let bed = Bed::new();
    let mut signed = signed(&bed);
    if let crate::support::authority::signed::Payload::Envelope { payload_type, .. } = &mut signed.payload {
        *payload_type = "text/plain".to_owned();
    }
    bed.refuses(&bundle(&signed, V3), FlawKind::Unsupported, "payload");
}

#[test]
fn entries_of_npm_are_proved_and_bound() {
    let bed = Bed::new();
    let signs = signs(&bed).logged_as(EntryKind::IntotoV2);
    assert_eq!(bed.proves(&bundle(&signs.attest(&bed.statement()), V3)).log(), LogProof::RekorV1);
    let other = signs.attest(&bed.statement().also_about(Digest::of(b"another")));
    let swapped = signs.attest(&bed.statement()).with_entry_of(&other);
    bed.refuses(&bundle(&swapped, V3), FlawKind::Log, "does not match");
}

#[test]
fn provenance_and_bills_of_materials_are_proved_as_such() {
    let bed = Bed::new();
    let built = Build::of("fystack/apex", "refs/tags/v1.2.3");
    let provenance = Statement::provenance_v1(bed.digest(), &built, &built.workflow_uri());
    let fact = bed.proves(&bundle(&signs(&bed).attest(&provenance), V3));
    assert!(matches!(fact.claim(), Claim::Provenance(it) if it.builder_id == built.workflow_uri()));
    let sbom = Statement::spdx_as_text(bed.digest(), &["pkg:npm/axios@1.14.1"]);
    let fact = bed.proves(&layer(&signs(&bed).attest(&sbom)));
    assert!(matches!(fact.claim(), Claim::Sbom(sbom) if !sbom.packages.is_empty()));
    let other = Statement::new(bed.digest(), "https://example.com/review/v1", serde_json::json!({}));
    let fact = bed.proves(&bundle(&signs(&bed).attest(&other), V3));
    assert_eq!(fact.claim(), &Claim::Other { predicate_type: "https://example.com/review/v1".into() });
}

#[test]
fn summaries_vex_and_scans_are_proved_as_such() {
    let bed = Bed::new();
    let summary = Statement::summary(bed.digest(), "https://verifier.test", "pkg:oci/app");
    let fact = bed.proves(&bundle(&signs(&bed).attest(&summary), V3));
    assert!(matches!(fact.claim(), Claim::Summary(it) if it.result == SummaryResult::Passed));
    let fact = bed.proves(&layer(&signs(&bed).attest(&Statement::openvex(bed.digest(), "CVE-2025-1"))));
    assert!(matches!(fact.claim(), Claim::Vex(it) if it.statements[0].status == VexStatus::NotAffected));
    let fact = bed.proves(&layer(&signs(&bed).attest(&Statement::scan(bed.digest(), "CVE-2025-1"))));
    let Claim::Scan(scan) = fact.claim() else { panic!("{:?}", fact.claim()) };
    assert_eq!(scan.findings.as_ref().unwrap()[0].severity, Severity::High);
}

#[test]
fn a_summary_vex_or_scan_that_cannot_be_read_proves_nothing() {
    let bed = Bed::new();
    for statement in [
        Statement::summary(bed.digest(), "https://verifier.test", "pkg:oci/app"),
        Statement::openvex(bed.digest(), "CVE-2025-1"),
        Statement::scan(bed.digest(), "CVE-2025-1"),
    ] {
        let empty = statement.with(|predicate| *predicate = serde_json::json!({}));
        bed.refuses(&layer(&signs(&bed).attest(&empty)), FlawKind::Malformed, "missing field");
    }
}

#[test]
fn a_flaw_says_what_the_evidence_seemed_to_claim() {
    let bed = Bed::new();
    let built = Build::of("fystack/apex", "refs/tags/v1.2.3");
    let provenance = Statement::provenance_v1(bed.digest(), &built, &built.workflow_uri());
    let broken = signs(&bed).attest(&provenance).with_broken_signature();
    let flaw = bed.check(&bundle(&broken, V3)).unwrap_err();
    assert_eq!(flaw.predicate_type.as_deref(), Some("https://slsa.dev/provenance/v1"));
}

#[test]
fn a_fact_reads_back_as_it_was_stored() {
    let bed = Bed::new();
    let fact = bed.proves(&bundle(&signed(&bed), V3));
    let stored = serde_json::to_string(&fact).unwrap();
    assert_eq!(serde_json::from_str::<Fact>(&stored).unwrap(), fact);
}
