//! Signatures by configured keys.

use bonafide::evidence::{Content, Evidence, Form};
use bonafide::oci::Digest;
use bonafide::trust::{KeySettings, WithoutLog};
use bonafide::verify::{Fact, FlawKind, LogProof, Signer};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Bed, VERSIONS, bundle, layer};
use crate::support::authority::key::{Hash, Key};
use crate::support::authority::signed::{BundleVersion, Credential, Signed};
use crate::support::authority::signer::{EntryKind, Signer as Signs};
use crate::support::authority::text::base64;

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

/// Each kind of key, with the hashes that signers take: cosign 1 and 2 always SHA-256, cosign 3 what goes with the curve.
fn keys() -> [Key; 8] {
    [
        Key::p256("release"),
        Key::p384("release"),
        Key::p384("release").hashing(Hash::Sha256),
        Key::p521("release"),
        Key::p521("release").hashing(Hash::Sha256),
        Key::rsa(),
        Key::ed25519("release"),
        Key::ed25519("release").hashing(Hash::Sha512),
    ]
}

/// All that a key of any kind can be published as; logged and timestamped as `signs` says.
fn all_forms(bed: &Bed, signs: &Signs<'_>) -> Vec<Evidence> {
    let statement = signs.attest(&bed.statement());
    let manifest = signs.sign_bytes(bed.image.manifest.clone());
    let bundles = VERSIONS.iter().flat_map(|version| [bundle(&statement, *version), bundle(&manifest, *version)]);
    bundles.chain([layer(&statement), layer(&signs.sign(bed.digest()))]).collect()
}

#[test]
fn keys_of_every_kind_are_proved_in_every_form_with_a_log_entry() {
    for key in keys() {
        let bed = Bed::new().with_key("release", &key);
        for evidence in all_forms(&bed, &signs(&bed, &key)) {
            let fact = bed.proves(&evidence);
            let found = (name(&fact), fact.log(), fact.signed_at());
            assert_eq!(found, ("release", LogProof::RekorV1, Some(bed.authority.time())), "{}", key.details());
        }
    }
}

#[test]
fn keys_of_every_kind_are_proved_in_every_form_with_a_timestamp() {
    for key in keys() {
        let bed = Bed::new().trusting_timestamps_alone().with_key("release", &key);
        let signs = signs(&bed, &key).timestamped().without_log();
        for evidence in all_forms(&bed, &signs) {
            // cosign stamps an attestation's layer as a whole, which has a test of its own.
            let is_attestation = evidence.form() == Form::CosignAttestation;
            // Bundles before v0.2 have no place for signatures without an entry.
            let Ok(facts) = bed.check(&evidence) else {
                assert!(is_attestation || is_v0_1(&evidence), "{}", key.details());
                continue;
            };
            let found = (facts[0].log(), facts[0].signed_at());
            assert_eq!(found, (LogProof::TimestampOnly, Some(bed.authority.time())), "{}", key.details());
        }
    }
}

fn is_v0_1(evidence: &Evidence) -> bool {
    let Content::Bundle { json } = &evidence.content else { return false };
    String::from_utf8_lossy(json).contains("version=0.1")
}

#[test]
fn keys_of_every_kind_are_proved_in_every_form_with_neither_where_they_say_so() {
    for key in keys() {
        let bed = Bed::new().with_key_as("release", &key, without_log);
        for evidence in all_forms(&bed, &signs(&bed, &key).without_log()) {
            let fact = bed.proves(&evidence);
            assert_eq!((name(&fact), fact.log()), ("release", LogProof::None), "{}", key.details());
        }
    }
}

#[test]
fn rekor_v2_logs_keys_of_every_kind_with_the_hash_of_their_curve() {
    let ed25519ph = Key::ed25519("release").hashing(Hash::Sha512);
    for key in [Key::p256("release"), Key::p384("release"), Key::p521("release"), Key::rsa(), ed25519ph] {
        let bed = Bed::new().with_key("release", &key);
        let signs = signs(&bed, &key).in_rekor_v2();
        for signed in [signs.attest(&bed.statement()), signs.sign_bytes(bed.image.manifest.clone())] {
            let fact = bed.proves(&bundle(&signed, V3));
            assert_eq!((fact.log(), fact.signed_at()), (LogProof::RekorV2, Some(bed.authority.time())));
        }
    }
}

#[test]
fn a_broken_signature_by_a_key_of_any_kind_is_refused() {
    for key in keys() {
        let bed = Bed::new().with_key_as("release", &key, without_log);
        for signed in
            [signs(&bed, &key).attest(&bed.statement()), signs(&bed, &key).sign_bytes(bed.image.manifest.clone())]
        {
            bed.refuses(&bundle(&signed.with_broken_signature(), V3), FlawKind::Signature, "does not fit key release");
        }
    }
}

#[test]
fn broken_proofs_of_keys_that_only_we_can_check_are_refused() {
    for key in [Key::p384("release").hashing(Hash::Sha256), Key::p521("release"), Key::p384("release")] {
        let bed = Bed::new().with_key("release", &key);
        for good in [
            signs(&bed, &key).attest(&bed.statement()),
            signs(&bed, &key).sign_bytes(bed.image.manifest.clone()),
            signs(&bed, &key).logged_as(EntryKind::IntotoV2).attest(&bed.statement()),
        ] {
            bed.proves(&bundle(&good, V3));
            for (broken, text) in [
                (good.clone().with_broken_promise(), "promise (SET)"),
                (good.clone().with_broken_inclusion_proof(), "not in the tree"),
                (good.clone().with_broken_checkpoint(), "checkpoint is not signed"),
                (good.clone().without_inclusion_proof(), "proof"),
            ] {
                bed.refuses(&bundle(&broken, V3), FlawKind::Log, text);
            }
            let v1 = bundle(&good.clone().without_promise().without_inclusion_proof(), BundleVersion::V0_1);
            bed.refuses(&v1, FlawKind::Log, "promise");
        }
        let foreign = signs(&bed, &key).with_foreign_log();
        bed.refuses(&bundle(&foreign.attest(&bed.statement()), V3), FlawKind::Log, "of no log of the trusted root");
        bed.refuses(&layer(&foreign.sign(bed.digest())), FlawKind::Log, "of no log of the trusted root");
        let stamped = signs(&bed, &key).in_rekor_v2().with_foreign_timestamp().attest(&bed.statement());
        bed.refuses(&bundle(&stamped, V3), FlawKind::Timestamp, "does not hold");
    }
}

#[test]
fn entries_about_something_else_do_not_vouch_for_keys_that_only_we_can_check() {
    let (key, other) = (Key::p521("release"), Key::p521("other"));
    let bed = Bed::new().with_key("release", &key).with_key("other", &other);
    let [statement, another] = [bed.statement(), bed.statement().also_about(Digest::of(b"another"))];
    for kind in [EntryKind::Dsse, EntryKind::IntotoV2] {
        let ours = signs(&bed, &key).logged_as(kind);
        let good = ours.attest(&statement);
        bed.proves(&bundle(&good, V3));
        let of_payload = good.clone().with_entry_of(&ours.attest(&another));
        bed.refuses(&bundle(&of_payload, V3), FlawKind::Log, "about another payload");
        // A second signature of the same.
        let of_signature = good.clone().with_entry_of(&ours.attest(&statement));
        bed.refuses(&bundle(&of_signature, V3), FlawKind::Log, "about another signature");
        let of_key = reattributed(&good, &other, &signs(&bed, &other).logged_as(kind));
        bed.refuses(&bundle(&of_key, V3), FlawKind::Log, "names another key");
    }
    let manifest = signs(&bed, &key).sign_bytes(bed.image.manifest.clone());
    let of_message = manifest.clone().with_entry_of(&signs(&bed, &key).sign_bytes(b"something else".to_vec()));
    bed.refuses(&bundle(&of_message, V3), FlawKind::Log, "about something else");
    let of_kind = manifest.clone().with_entry_of(&signs(&bed, &key).attest(&statement));
    bed.refuses(&bundle(&of_kind, V3), FlawKind::Log, "a kind that does not go with");
    let of_signature = manifest.clone().with_entry_of(&signs(&bed, &key).sign_bytes(bed.image.manifest.clone()));
    bed.refuses(&bundle(&of_signature, V3), FlawKind::Log, "about another signature");
    let of_key = reattributed(&manifest, &other, &signs(&bed, &other));
    bed.refuses(&bundle(&of_key, V3), FlawKind::Log, "names another key");
    let short = Key::p521("release").hashing(Hash::Sha256);
    let of_hash = manifest.with_entry_of(&signs(&bed, &short).sign_bytes(bed.image.manifest.clone()));
    bed.refuses(&bundle(&of_hash, V3), FlawKind::Log, "a hash of another kind");
}

#[test]
fn entries_of_rekor_v2_about_something_else_do_not_vouch_for_keys_that_only_we_can_check() {
    let (key, other) = (Key::p521("release"), Key::p521("other"));
    let short = Key::p521("release").hashing(Hash::Sha256);
    let bed = Bed::new().with_key("release", &key).with_key("other", &other);
    let [ours, theirs, shortly] = [&key, &other, &short].map(|key| signs(&bed, key).in_rekor_v2());
    let statement = bed.statement();
    let another = bed.statement().also_about(Digest::of(b"another"));
    let attest = |signs: &Signs<'_>| signs.attest(&statement);
    let sign = |signs: &Signs<'_>| signs.sign_bytes(bed.image.manifest.clone());
    for (make, elsewhere) in [
        (&attest as &dyn Fn(&Signs<'_>) -> Signed, ours.attest(&another)),
        (&sign, ours.sign_bytes(b"something else".to_vec())),
    ] {
        let good = make(&ours);
        bed.proves(&bundle(&good, V3));
        for (entry_of, text) in [
            (elsewhere, "about something else"),
            (make(&ours), "about another signature"),
            (make(&shortly), "a hash of another kind"),
        ] {
            bed.refuses(&bundle(&good.clone().with_entry_of(&entry_of), V3), FlawKind::Log, text);
        }
        bed.refuses(&bundle(&reattributed(&good, &other, &theirs), V3), FlawKind::Log, "names another key");
    }
}

#[test]
fn an_entry_may_hold_any_hash_of_the_payload_that_is_one_of_it() {
    let key = Key::p521("release");
    let bed = Bed::new().with_key("release", &key);
    for (kind, place) in [(EntryKind::Dsse, "/spec/payloadHash"), (EntryKind::IntotoV2, "/spec/content/payloadHash")] {
        let good = signs(&bed, &key).logged_as(kind).attest(&bed.statement());
        let holding = |payload: &[u8]| {
            let mut body: Value = serde_json::from_slice(&good.entry.as_ref().unwrap().body).unwrap();
            let hash = json!({ "algorithm": "sha512", "value": hex::encode(Hash::Sha512.of(payload)) });
            *body.pointer_mut(place).unwrap() = hash;
            let entry = bed.authority.log.append(&body, bed.authority.time());
            bundle(&good.clone().with_entry(|it| *it = entry), V3)
        };
        bed.proves(&holding(&bed.statement().to_bytes()));
        bed.refuses(&holding(b"something else"), FlawKind::Log, "about another payload");
    }
}

#[test]
fn entries_about_another_type_or_several_signatures_do_not_vouch() {
    let key = Key::p521("release");
    let bed = Bed::new().with_key("release", &key);
    for (kind, change, text) in [
        (
            EntryKind::IntotoV2,
            (|body| body["spec"]["content"]["envelope"]["payloadType"] = "other".into()) as fn(&mut Value),
            "payload of another type",
        ),
        (
            EntryKind::IntotoV2,
            |body| doubled(&mut body["spec"]["content"]["envelope"]["signatures"]),
            "not one signature",
        ),
        (EntryKind::Dsse, |body| doubled(&mut body["spec"]["signatures"]), "not one signature"),
    ] {
        let good = signs(&bed, &key).logged_as(kind).attest(&bed.statement());
        bed.proves(&bundle(&good, V3));
        let mut body = serde_json::from_slice(&good.entry.as_ref().unwrap().body).unwrap();
        change(&mut body);
        let entry = bed.authority.log.append(&body, bed.authority.time());
        bed.refuses(&bundle(&good.with_entry(|it| *it = entry), V3), FlawKind::Log, text);
    }
}

fn doubled(list: &mut Value) {
    let list = list.as_array_mut().unwrap();
    list.push(list[0].clone());
}

/// `signed`, with an entry that says that it was by `other`, logged as `theirs` is: its owner cannot be asked by the log of a
/// dishonest operator.
fn reattributed(signed: &Signed, other: &Key, theirs: &Signs<'_>) -> Signed {
    let mut attributed = signed.clone();
    attributed.credential = Credential::Key { public: other.public().to_vec(), hint: other.hint() };
    attributed.entry = Some(theirs.log_of(&attributed, other));
    signed.clone().with_entry_of(&attributed)
}

#[test]
fn a_log_of_the_second_generation_promises_nothing() {
    let key = Key::p521("release");
    let bed = Bed::new().with_key("release", &key);
    let signed = signs(&bed, &key).in_rekor_v2().attest(&bed.statement());
    let promised = signed.with_entry(|entry| {
        entry.promise = Some(vec![1]);
        entry.integrated = Some(bed.authority.time());
    });
    bed.refuses(&bundle(&promised, V3), FlawKind::Log, "promise nothing");
}

#[test]
fn a_bundle_that_misstates_what_it_signed_is_refused() {
    let key = Key::p521("release");
    let bed = Bed::new().with_key("release", &key);
    let mut json = signs(&bed, &key).sign_bytes(bed.image.manifest.clone()).to_bundle(V3);
    let digest = base64(Hash::Sha512.of(b"something else"));
    json["messageSignature"]["messageDigest"]["digest"] = digest.into();
    bed.refuses(&super::json(&json), FlawKind::Subject, "not that of the manifest");
}

#[test]
fn a_bundle_that_misstates_how_it_was_signed_is_refused() {
    let key = Key::p384("release").hashing(Hash::Sha256);
    let bed = Bed::new().with_key("release", &key);
    let mut json = signs(&bed, &key).sign_bytes(bed.image.manifest.clone()).to_bundle(V3);
    bed.proves(&super::json(&json));
    let digest = base64(Hash::Sha384.of(&bed.image.manifest));
    json["messageSignature"]["messageDigest"] = json!({ "algorithm": "SHA2_384", "digest": digest });
    bed.refuses(&super::json(&json), FlawKind::Signature, "does not fit key release");
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
