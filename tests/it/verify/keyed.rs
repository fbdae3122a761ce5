//! Signatures by configured keys.

use bonafide::evidence::Form;
use bonafide::oci::Digest;
use bonafide::trust::{KeySettings, WithoutLog};
use bonafide::verify::{Fact, FlawKind, LogProof, Signer};
use jiff::{SignedDuration, Timestamp};

use super::{Bed, VERSIONS, bundle, layer};
use crate::support::authority::key::Key;
use crate::support::authority::signed::BundleVersion;
use crate::support::authority::signer::Signer as Signs;

const V3: BundleVersion = BundleVersion::V0_3;

fn key() -> Key {
    Key::p256("release")
}

fn name(fact: &Fact) -> &str {
    match fact.signer() {
        Signer::Key { name } => name,
        Signer::Certificate(certificate) => panic!("signed by {}", certificate.subject),
    }
}

fn signs<'a>(bed: &'a Bed, key: &'a Key) -> Signs<'a> {
    bed.authority.with_key(key)
}

fn without_log(settings: KeySettings) -> KeySettings {
    KeySettings { without_log: WithoutLog::Allow, ..settings }
}

fn until(end: Timestamp) -> impl FnOnce(KeySettings) -> KeySettings {
    move |settings| KeySettings { not_after: Some(end), ..settings }
}

#[test]
fn a_logged_signature_by_a_configured_key_is_proved_in_every_form() {
    let key = key();
    let bed = Bed::new().with_key("release", &key);
    let statement = signs(&bed, &key).attest(&bed.statement());
    let manifest = signs(&bed, &key).sign_bytes(bed.image.manifest.clone());
    let bundles = VERSIONS.iter().flat_map(|version| [bundle(&statement, *version), bundle(&manifest, *version)]);
    let layers = [layer(&statement), layer(&signs(&bed, &key).sign(bed.digest()))];
    for evidence in bundles.chain(layers) {
        let fact = bed.proves(&evidence);
        assert_eq!((name(&fact), fact.log()), ("release", LogProof::RekorV1));
        assert_eq!(fact.signed_at(), Some(bed.authority.time()));
        assert!(fact.holds_at(Timestamp::MAX));
    }
}

#[test]
fn keys_of_every_supported_kind_are_proved() {
    for key in [Key::p256("release"), Key::p384("release"), Key::ed25519("release"), Key::rsa()] {
        let bed = Bed::new().with_key("release", &key);
        let fact = bed.proves(&bundle(&signs(&bed, &key).attest(&bed.statement()), V3));
        assert_eq!((name(&fact), fact.form()), ("release", Form::Bundle), "{}", key.details());
    }
}

#[test]
fn a_key_that_is_not_configured_proves_nothing() {
    let (key, other) = (key(), Key::p256("other"));
    let bed = Bed::new();
    let evidence = bundle(&signs(&bed, &key).attest(&bed.statement()), V3);
    bed.refuses(&evidence, FlawKind::UnknownKey, "no key is configured");
    let bed = bed.with_key("other", &other);
    bed.refuses(&evidence, FlawKind::UnknownKey, "none of the configured keys (other)");
}

#[test]
fn a_hint_chooses_no_key() {
    let (key, other) = (key(), Key::p256("other"));
    let bed = Bed::new().with_key("release", &key).with_key("other", &other);
    let mut json = signs(&bed, &key).attest(&bed.statement()).to_bundle(V3);
    json["verificationMaterial"]["publicKey"]["hint"] = other.hint().into();
    assert_eq!(name(&bed.proves(&super::json(&json))), "release");
}

#[test]
fn each_configured_key_that_fits_proves_a_fact_of_its_own() {
    let key = key();
    let bed = Bed::new().with_key("release", &key).with_key("the-same", &key);
    let facts = bed.check(&bundle(&signs(&bed, &key).attest(&bed.statement()), V3)).unwrap();
    assert_eq!(facts.iter().map(name).collect::<Vec<_>>(), ["release", "the-same"]);
}

#[test]
fn a_broken_signature_that_names_a_configured_key_says_so() {
    let key = key();
    let bed = Bed::new().with_key("release", &key);
    let broken = signs(&bed, &key).attest(&bed.statement()).with_broken_signature();
    bed.refuses(&bundle(&broken, V3), FlawKind::Signature, "does not fit key release");
    bed.refuses(&layer(&broken), FlawKind::UnknownKey, "none of the configured keys");
}

#[test]
fn what_a_key_signed_for_another_digest_is_refused() {
    let key = key();
    let bed = Bed::new().with_key("release", &key).with_key_as("offline", &Key::p384("offline"), without_log);
    let another = Digest::of(b"another");
    let text = format!("it is about {another}");
    bed.refuses(&layer(&signs(&bed, &key).sign(another)), FlawKind::Subject, &text);
    let offline = Key::p384("offline");
    let swapped = signs(&bed, &offline)
        .without_log()
        .attest(&crate::support::authority::statement::Statement::signature(another));
    bed.refuses(&bundle(&swapped, V3), FlawKind::Subject, &text);
}

#[test]
fn a_key_signature_without_log_entry_is_refused() {
    let key = key();
    let bed = Bed::new().with_key("release", &key);
    let signs = signs(&bed, &key).without_log();
    for evidence in [bundle(&signs.attest(&bed.statement()), V3), layer(&signs.sign(bed.digest()))] {
        bed.refuses(&evidence, FlawKind::Log, "without_log");
    }
}

#[test]
fn a_key_signature_without_log_entry_counts_where_the_key_says_so() {
    let key = key();
    let bed = Bed::new().with_key_as("release", &key, without_log);
    let signs = signs(&bed, &key).without_log();
    for evidence in [
        bundle(&signs.attest(&bed.statement()), V3),
        bundle(&signs.sign_bytes(bed.image.manifest.clone()), V3),
        layer(&signs.sign(bed.digest())),
        layer(&signs.attest(&bed.statement())),
    ] {
        let fact = bed.proves(&evidence);
        assert_eq!((name(&fact), fact.log(), fact.signed_at()), ("release", LogProof::None, None));
    }
}

#[test]
fn a_timestamp_stands_in_for_the_log_where_none_is_required() {
    let key = key();
    let bed = Bed::new().trusting_timestamps_alone().with_key("release", &key);
    let stamped = signs(&bed, &key).timestamped().without_log().attest(&bed.statement());
    let fact = bed.proves(&bundle(&stamped, V3));
    assert_eq!((fact.log(), fact.signed_at()), (LogProof::TimestampOnly, Some(bed.authority.time())));
    let foreign = signs(&bed, &key).with_foreign_timestamp().without_log().attest(&bed.statement());
    bed.refuses(&bundle(&foreign, V3), FlawKind::Timestamp, "timestamp");
}

#[test]
fn a_timestamp_does_not_stand_in_for_the_log_where_one_is_required() {
    let key = key();
    let bed = Bed::new();
    // The built-in domain for GitHub requires no log, and knows this timestamp authority no more than any other does.
    let bed = bed.with_key("release", &key);
    let stamped = signs(&bed, &key).timestamped().without_log().attest(&bed.statement());
    let flaw = bed.check(&bundle(&stamped, V3)).unwrap_err();
    assert!(matches!(flaw.kind, FlawKind::Log | FlawKind::Timestamp), "{flaw:?}");
    let bed = Bed::new().with_key_as("release", &key, without_log);
    let fact = bed.proves(&bundle(&stamped, V3));
    assert_eq!((fact.log(), fact.signed_at()), (LogProof::TimestampOnly, Some(bed.authority.time())));
}

#[test]
fn a_key_signature_in_a_foreign_log_is_refused() {
    let key = key();
    let bed = Bed::new().with_key("release", &key);
    let foreign = signs(&bed, &key).with_foreign_log();
    bed.refuses(&bundle(&foreign.attest(&bed.statement()), V3), FlawKind::Log, "log");
    bed.refuses(&layer(&foreign.sign(bed.digest())), FlawKind::Log, "log");
}

#[test]
fn broken_log_entries_of_key_signatures_are_refused() {
    let key = key();
    let bed = Bed::new().with_key("release", &key);
    let good = signs(&bed, &key).attest(&bed.statement());
    let other = signs(&bed, &key).attest(&bed.statement().also_about(Digest::of(b"another")));
    for broken in [
        good.clone().with_broken_promise(),
        good.clone().with_broken_inclusion_proof(),
        good.clone().with_broken_checkpoint(),
        good.clone().without_inclusion_proof(),
        good.with_entry_of(&other),
    ] {
        bed.refuses(&bundle(&broken, V3), FlawKind::Log, "");
    }
}

#[test]
fn the_log_entry_of_another_key_is_refused() {
    let (key, other) = (key(), Key::p256("other"));
    let bed = Bed::new().with_key("release", &key).with_key("other", &other);
    let theirs = signs(&bed, &other).attest(&bed.statement());
    bed.refuses(&bundle(&signs(&bed, &key).attest(&bed.statement()).with_entry_of(&theirs), V3), FlawKind::Log, "");
}

#[test]
fn a_key_proves_what_it_signed_within_its_window() {
    let key = key();
    let time = Bed::new().authority.time();
    let second = SignedDuration::from_secs(1);
    let bed = Bed::new().with_key_as("release", &key, |settings| KeySettings {
        not_before: Some(time),
        not_after: Some(time),
        ..settings
    });
    let evidence = bundle(&signs(&bed, &key).attest(&bed.statement()), V3);
    assert!(bed.proves(&evidence).holds_at(Timestamp::MAX));
    let bed = Bed::new().with_key_as("release", &key, until(time - second));
    bed.refuses(&evidence, FlawKind::Timestamp, "window");
    let bed =
        Bed::new().with_key_as("release", &key, |settings| KeySettings { not_before: Some(time + second), ..settings });
    bed.refuses(&evidence, FlawKind::Timestamp, "window");
}

#[test]
fn without_a_proven_time_the_present_is_held_against_the_window() {
    let key = key();
    let end = Bed::new().now() + SignedDuration::from_secs(1);
    let bed = Bed::new().with_key_as("release", &key, |settings| without_log(until(end)(settings)));
    let evidence = bundle(&signs(&bed, &key).without_log().attest(&bed.statement()), V3);
    let fact = bed.proves(&evidence);
    assert!(fact.holds_at(end) && !fact.holds_at(end + SignedDuration::from_secs(1)));
    let flaw = bed.check_at(&evidence, end + SignedDuration::from_secs(1)).unwrap_err();
    assert_eq!(flaw.kind, FlawKind::Timestamp);
}

#[test]
fn the_time_of_an_entry_without_promise_proves_nothing_for_a_key() {
    let key = key();
    let bed = Bed::new().with_key_as("release", &key, until(Bed::new().authority.time()));
    let signed = signs(&bed, &key).attest(&bed.statement());
    bed.proves(&bundle(&signed, V3));
    bed.refuses(&bundle(&signed.without_promise(), V3), FlawKind::Timestamp, "window");
}

#[test]
fn rekor_v2_logs_signatures_of_keys_too() {
    let key = key();
    let bed = Bed::new().with_key("release", &key);
    let fact = bed.proves(&bundle(&signs(&bed, &key).in_rekor_v2().attest(&bed.statement()), V3));
    assert_eq!((fact.log(), fact.signed_at()), (LogProof::RekorV2, Some(bed.authority.time())));
}

#[test]
fn what_a_key_signed_after_now_proves_nothing() {
    let key = key();
    let bed = Bed::new().with_key("release", &key);
    let evidence = bundle(&signs(&bed, &key).attest(&bed.statement()), V3);
    let flaw = bed.check_at(&evidence, bed.authority.time() - SignedDuration::from_secs(1)).unwrap_err();
    assert_eq!(flaw.kind, FlawKind::Timestamp);
}

#[test]
fn a_certificate_is_not_checked_against_keys() {
    let key = key();
    let bed = Bed::new().trusting_nobody().with_key_as("release", &key, without_log);
    let identity = super::build().identity();
    let signed = bed.authority.keyless(&identity).holding(&key).attest(&bed.statement());
    bed.refuses(&bundle(&signed, V3), FlawKind::Certificate, "no trust domain knows");
}
