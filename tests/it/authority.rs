//! The test authority itself: what it makes right, an independent verifier accepts; what it makes wrong, it refuses.

use bonafide::oci::Digest;
use sigstore_trust_root::TrustedRoot;
use sigstore_types::{Bundle, DerPublicKey};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy, Verifier};

use crate::support::authority::Authority;
use crate::support::authority::certificate::SERVER;
use crate::support::authority::identity::{Build, Identity};
use crate::support::authority::image::Image;
use crate::support::authority::key::Key;
use crate::support::authority::seed;
use crate::support::authority::signed::{BundleVersion, Signed};
use crate::support::authority::signer::{EntryKind, Signer};
use crate::support::authority::statement::{self, Statement};
use crate::support::content::Repositories;

const VERSIONS: [BundleVersion; 3] = [BundleVersion::V0_1, BundleVersion::V0_2, BundleVersion::V0_3];

fn build() -> Build {
    Build::of("fystack/apex", "refs/tags/v1.2.3")
}

fn digest() -> Digest {
    Image::new("app").digest()
}

fn verifier(authority: &Authority) -> Verifier {
    Verifier::new(&TrustedRoot::from_json(&authority.trusted_root().to_json()).unwrap()).unwrap()
}

/// Whether sigstore-verify accepts `signed` as a bundle; if not, why.
fn verified(authority: &Authority, signed: &Signed, version: BundleVersion) -> Result<(), String> {
    let bundle = Bundle::from_json(&signed.to_bundle(version).to_string()).map_err(|error| error.to_string())?;
    let policy = VerificationPolicy::any_identity();
    let artifact = artifact(signed);
    verifier(authority).verify(artifact.as_slice(), &bundle, &policy).map(|_| ()).map_err(|error| error.to_string())
}

/// What a bundle is about: the message, or anything that its statement names.
fn artifact(signed: &Signed) -> Vec<u8> {
    if signed.predicate_type().is_some() { Image::new("app").manifest } else { signed.payload.bytes().to_vec() }
}

fn accept(authority: &Authority, signed: &Signed, version: BundleVersion) {
    verified(authority, signed, version).unwrap();
}

/// Refused, and for that reason: a verifier that stumbles over something else proves nothing about the authority.
#[track_caller]
fn refuse(authority: &Authority, signed: &Signed, reason: &str) {
    let error = verified(authority, signed, BundleVersion::V0_3).unwrap_err();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn attestations_verify_in_every_version_of_the_bundle() {
    let authority = Authority::new("test");
    let signed = authority.keyless(&build().identity()).attest(&Statement::signature(digest()));
    for version in VERSIONS {
        accept(&authority, &signed, version);
    }
}

#[test]
fn simple_signing_verifies_in_every_version_of_the_bundle() {
    let authority = Authority::new("test");
    let signed = authority.keyless(&Identity::email("dev@example.com", "https://idp.example")).sign(digest());
    for version in VERSIONS {
        accept(&authority, &signed, version);
    }
}

#[test]
fn entries_of_sigstore_js_verify() {
    let authority = Authority::new("test");
    let signer = authority.keyless(&build().identity()).logged_as(EntryKind::IntotoV2);
    accept(&authority, &signer.attest(&Statement::signature(digest())), BundleVersion::V0_3);
}

#[test]
fn rekor_v2_and_timestamps_verify() {
    let authority = Authority::new("test");
    let signer = authority.keyless(&build().identity()).in_rekor_v2();
    accept(&authority, &signer.attest(&Statement::signature(digest())), BundleVersion::V0_3);
    accept(&authority, &signer.sign(digest()), BundleVersion::V0_3);
}

#[test]
fn timestamps_verify_without_a_log() {
    let authority = Authority::new("test");
    let signed = authority.keyless(&build().identity()).timestamped().without_log().sign(digest());
    let bundle = Bundle::from_json(&signed.to_bundle(BundleVersion::V0_3).to_string()).unwrap();
    let policy = VerificationPolicy::any_identity().skip_tlog_unsafe();
    let result = verifier(&authority).verify(signed.payload.bytes(), &bundle, &policy).unwrap();
    assert_eq!(result.verified_timestamps(), [authority.time()]);
}

#[test]
fn keys_of_every_kind_verify() {
    let authority = Authority::new("test");
    for key in [Key::p256("release"), Key::p384("release"), Key::ed25519("release"), Key::rsa()] {
        let signed = authority.with_key(&key).attest(&Statement::signature(digest()));
        let bundle = Bundle::from_json(&signed.to_bundle(BundleVersion::V0_3).to_string()).unwrap();
        let policy = PublicKeyVerificationPolicy::new(DerPublicKey::from_pem(&key.public_pem()).unwrap());
        let result = verifier(&authority).verify(artifact(&signed).as_slice(), &bundle, &policy);
        assert!(result.is_ok(), "{}: {result:?}", key.details());
    }
}

#[test]
fn certificates_say_what_they_were_made_to_say() {
    let authority = Authority::new("test");
    let signed = authority.keyless(&build().identity()).attest(&Statement::signature(digest()));
    let bundle = Bundle::from_json(&signed.to_bundle(BundleVersion::V0_3).to_string()).unwrap();
    let policy = VerificationPolicy::new(build().workflow_uri(), "https://token.actions.githubusercontent.com");
    let result = verifier(&authority).verify(artifact(&signed).as_slice(), &bundle, &policy).unwrap();
    let claims = format!("{:?}", result.certificate().unwrap());
    for claim in [build().source(), build().commit, build().reference, "github-hosted".to_owned()] {
        assert!(claims.contains(&claim), "{claim} is not in {claims}");
    }
}

type Break<'a> = (fn(Signer<'a>) -> Signer<'a>, &'static str);

#[test]
fn every_single_thing_that_a_signer_gets_wrong_is_noticed() {
    let authority = Authority::new("test");
    let broken: [Break<'_>; 8] = [
        (Signer::without_sct, "missing SCT"),
        (Signer::with_foreign_sct, "SCT signature verification failed"),
        (Signer::with_foreign_certificate, "UnknownIssuer"),
        (Signer::without_log, "must have an inclusion proof"),
        (Signer::with_foreign_log, "No log key"),
        (Signer::with_foreign_timestamp, "does not match any trusted TSA certificate"),
        (|signer| signer.certified_for(SERVER), "RequiredEkuNotFound"),
        (|signer| signer.logged_at("2025-06-01T12:10:01Z".parse().unwrap()), "CertExpired"),
    ];
    for (wrong, reason) in broken {
        let signer = wrong(authority.keyless(&build().identity()));
        refuse(&authority, &signer.attest(&Statement::signature(digest())), reason);
    }
}

#[test]
fn every_single_thing_that_is_tampered_with_is_noticed() {
    let authority = Authority::new("test");
    let signed = authority.keyless(&build().identity()).attest(&Statement::signature(digest()));
    let other = authority.keyless(&Identity::email("eve@example.com", "https://idp.example")).timestamped();
    let other = other.attest(&Statement::signature(digest()).also_about(Digest::of(b"another")));
    let another = Statement::signature(digest()).also_about(Digest::of(b"yet another")).to_bytes();
    let refuse = |broken: Signed, reason: &str| refuse(&authority, &broken, reason);
    refuse(signed.clone().with_broken_signature(), "DSSE signature verification failed");
    refuse(signed.clone().with_payload(another), "DSSE signature verification failed");
    refuse(signed.clone().with_entry_of(&other), "does not match the bundle");
    refuse(signed.clone().with_credential_of(&other), "DSSE signature verification failed");
    refuse(signed.clone().with_timestamp_of(&other), "Timestamp message hash mismatch");
    refuse(signed.clone().without_promise(), "No verified timestamp");
    refuse(signed.clone().without_inclusion_proof(), "must have an inclusion proof");
    refuse(signed.clone().with_broken_promise(), "SET verification failed");
    refuse(signed.clone().with_broken_inclusion_proof(), "root hash mismatch");
    refuse(signed.with_broken_checkpoint(), "checkpoint");
}

#[test]
fn the_same_name_gives_the_same_keys() {
    let (one, two) = (Authority::new("same"), Authority::new("same"));
    let logs = |authority: &Authority| authority.trusted_root().0["tlogs"].clone();
    assert_eq!(logs(&one), logs(&two));
    assert_ne!(logs(&one), logs(&Authority::new("other")));
    assert_ne!(logs(&one), logs(one.foreign()));
}

#[test]
fn releases_of_every_era_leave_their_evidence_where_their_tools_did() {
    let authority = Authority::new("test");
    let mut registry = Repositories::default();
    let a = seed::era_a(&authority, &mut registry, "fystack/a", "v1.0.0").image.digest().hex();
    let buildkit = seed::era_a_buildkit(&authority, &mut registry, "fystack/buildkit", "v1.1.0");
    let b = seed::era_b(&authority, &mut registry, "fystack/b", "v2.0.0").image.digest().hex();
    let none = seed::unsigned(&mut registry, "fystack/none", "v2.0.1").image.digest().hex();
    let layers = |repository: &str, tag: String| {
        let manifest = registry.manifest(repository, &tag)?;
        let manifest: serde_json::Value = serde_json::from_slice(manifest).unwrap();
        manifest.get("layers").or(manifest.get("manifests")).map(|list| list.as_array().unwrap().len())
    };
    assert_eq!(layers("fystack/a", format!("sha256-{a}.sig")), Some(1));
    assert_eq!(layers("fystack/a", format!("sha256-{a}.att")), Some(2));
    assert_eq!(layers("fystack/a", format!("sha256-{a}")), None);
    assert_eq!(layers("fystack/buildkit", "v1.1.0".to_owned()), Some(4));
    assert_eq!(layers("fystack/buildkit", format!("sha256-{}.att", buildkit.image.digest().hex())), Some(2));
    assert_eq!(layers("fystack/b", format!("sha256-{b}.sig")), None);
    assert_eq!(layers("fystack/b", format!("sha256-{b}.att")), Some(1));
    assert_eq!(layers("fystack/b", format!("sha256-{b}")), Some(2));
    assert_eq!(layers("fystack/none", format!("sha256-{none}")), None);
    assert_eq!(layers("fystack/none", "v2.0.1".to_owned()), Some(2));
}

#[test]
fn simple_signing_names_the_digest() {
    let payload = statement::simple_signing(digest());
    assert_eq!(payload["critical"]["image"]["docker-manifest-digest"], digest().to_string());
}
