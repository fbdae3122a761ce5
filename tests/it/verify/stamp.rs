//! Timestamps beside log entries. What no authority of the trust domain vouches for makes nothing worse where a log
//! promised a time, and is in the way wherever none did.

use bonafide::evidence::Evidence;
use bonafide::limits;
use bonafide::trust::KeySettings;
use bonafide::verify::{FlawKind, LogProof};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::ways::newest;
use super::{Bed, build, layer};
use crate::support::authority::certificate::Validity;
use crate::support::authority::key::Key;
use crate::support::authority::signed::{BundleVersion, Signed};
use crate::support::authority::signer::Signer;
use crate::support::authority::text::base64;

/// Trusts two keys, one of which only we can check.
fn bed() -> Bed {
    Bed::new().with_key("release", &Key::p256("release")).with_key("strong", &Key::p384("strong"))
}

/// Everybody who may sign: with certificates and by keys, some of which only we can check.
fn signers<'a>(bed: &'a Bed, keys: &'a [Key; 3]) -> [Signer<'a>; 4] {
    let [release, strong, signer] = keys;
    let keyless = || bed.authority.keyless(&build().identity());
    let keyed = |key| bed.authority.with_key(key);
    [keyless(), keyless().holding(signer), keyed(release), keyed(strong)]
}

fn keys() -> [Key; 3] {
    [Key::p256("release"), Key::p384("strong"), Key::p384("signer")]
}

type Stamp = fn(&Bed, &Signed) -> Vec<u8>;

const GOOD: Stamp = |bed, signed| bed.authority.timestamps.stamp(&signed.signature, bed.authority.time());
const FOREIGN: Stamp = |bed, signed| bed.authority.foreign().timestamps.stamp(&signed.signature, bed.authority.time());
const LATE: Stamp = |bed, signed| {
    bed.authority.timestamps.stamp(&signed.signature, bed.authority.time() + SignedDuration::from_mins(11))
};

/// Timestamps that no authority of the domain vouches for.
const WRONGS: [(&str, Stamp); 4] = [
    ("a foreign one", FOREIGN),
    ("one about something else", |bed, _| bed.authority.timestamps.stamp(b"something else", bed.authority.time())),
    ("one from before its authority was valid", |bed, signed| {
        bed.authority.timestamps.stamp(&signed.signature, Validity::long().from - SignedDuration::from_hours(1))
    }),
    ("none at all", |_, _| b"no timestamp".to_vec()),
];

/// `signed` as a bundle, with these timestamps.
fn stamped(bed: &Bed, signed: &Signed, stamps: &[Stamp]) -> Value {
    let stamps = stamps.iter().map(|stamp| json!({ "signedTimestamp": base64(stamp(bed, signed)) }));
    let mut bundle = signed.to_bundle(BundleVersion::V0_3);
    bundle["verificationMaterial"]["timestampVerificationData"] =
        json!({ "rfc3161Timestamps": stamps.collect::<Vec<_>>() });
    bundle
}

fn evidence(bed: &Bed, signed: &Signed, stamps: &[Stamp]) -> Evidence {
    super::json(&stamped(bed, signed, stamps))
}

#[test]
fn beside_a_promised_time_a_timestamp_that_nobody_vouches_for_is_no_obstacle() {
    let (bed, keys) = (bed(), keys());
    let large =
        bed.statement().with(|predicate| predicate["padding"] = "x".repeat(limits::STATEMENT_TREE_BYTES).into());
    for signs in signers(&bed, &keys) {
        for statement in [&bed.statement(), &large] {
            let signed = signs.attest(statement);
            let bare = bed.proves(&newest(&signed));
            for (name, wrong) in WRONGS {
                let fact = bed.check(&evidence(&bed, &signed, &[wrong, wrong])).expect(name).remove(0);
                assert_eq!(fact, bare, "{name}");
            }
        }
    }
}

#[test]
fn beside_a_promised_time_a_foreign_timestamp_of_a_layer_is_no_obstacle() {
    let (bed, keys) = (bed(), keys());
    for signs in signers(&bed, &keys) {
        let fact = bed.proves(&layer(&signs.with_foreign_timestamp().sign(bed.digest())));
        assert_eq!((fact.log(), fact.signed_at()), (LogProof::RekorV1, Some(bed.authority.time())));
    }
}

#[test]
fn a_good_timestamp_counts_beside_one_that_nobody_vouches_for() {
    let (bed, keys) = (bed(), keys());
    let later = bed.authority.time() + SignedDuration::from_mins(5);
    for signs in signers(&bed, &keys) {
        let signed = signs.logged_at(later).attest(&bed.statement());
        for (name, wrong) in WRONGS {
            for stamps in [[wrong, GOOD], [GOOD, wrong]] {
                let fact = bed.proves(&evidence(&bed, &signed, &stamps));
                assert_eq!(fact.signed_at(), Some(bed.authority.time()), "{name}");
            }
        }
    }
}

#[test]
fn a_foreign_timestamp_hides_no_other_that_is_outside_of_the_life_of_the_certificate() {
    let (bed, keys) = (bed(), keys());
    for signs in &signers(&bed, &keys)[..2] {
        let signed = signs.attest(&bed.statement());
        for stamps in [[LATE, GOOD], [FOREIGN, LATE], [LATE, FOREIGN]] {
            bed.refuses(&evidence(&bed, &signed, &stamps), FlawKind::Certificate, "CertExpired");
        }
    }
}

#[test]
fn a_foreign_timestamp_hides_no_other_that_is_outside_of_the_window_of_the_key() {
    let keys = keys();
    let [release, strong, _] = &keys;
    let until = |settings| KeySettings { not_after: Some(Bed::new().authority.time()), ..settings };
    let bed = Bed::new().with_key_as("release", release, until).with_key_as("strong", strong, until);
    for signs in &signers(&bed, &keys)[2..] {
        let signed = signs.attest(&bed.statement());
        bed.proves(&evidence(&bed, &signed, &[FOREIGN, GOOD]));
        for stamps in [[FOREIGN, LATE], [LATE, FOREIGN]] {
            bed.refuses(&evidence(&bed, &signed, &stamps), FlawKind::Timestamp, "window");
        }
    }
}

#[test]
fn beside_no_promised_time_a_timestamp_that_nobody_vouches_for_is_refused() {
    let (bed, keys) = (bed(), keys());
    for signs in signers(&bed, &keys) {
        let unpromised = signs.attest(&bed.statement()).without_promise();
        let second_generation = signs.in_rekor_v2().attest(&bed.statement());
        for signed in [unpromised, second_generation] {
            for (name, wrong) in WRONGS {
                for stamps in [&[wrong][..], &[GOOD, wrong], &[wrong, GOOD]] {
                    let flaw = bed.check(&evidence(&bed, &signed, stamps)).expect_err(name);
                    assert_eq!(flaw.kind, FlawKind::Timestamp, "{name}: {}", flaw.text);
                    assert!(flaw.text.contains("does not hold"), "{name}: {}", flaw.text);
                }
            }
        }
    }
}

#[test]
fn without_a_log_entry_a_timestamp_that_nobody_vouches_for_is_refused() {
    let (bed, keys) = (bed().trusting_timestamps_alone(), keys());
    for signs in signers(&bed, &keys) {
        let signed = signs.without_log().attest(&bed.statement());
        bed.proves(&evidence(&bed, &signed, &[GOOD]));
        for (name, wrong) in WRONGS {
            for stamps in [&[wrong][..], &[GOOD, wrong], &[wrong, GOOD]] {
                assert_eq!(bed.check(&evidence(&bed, &signed, stamps)).expect_err(name).kind, FlawKind::Timestamp);
            }
        }
    }
}

#[test]
fn a_promise_that_does_not_hold_excuses_no_timestamp() {
    let (bed, keys) = (bed(), keys());
    for signs in signers(&bed, &keys) {
        let broken = signs.attest(&bed.statement()).with_broken_promise();
        bed.refuses(&evidence(&bed, &broken, &[FOREIGN]), FlawKind::Log, "promise");
        bed.refuses(&evidence(&bed, &broken, &[GOOD]), FlawKind::Log, "promise");
    }
}

#[test]
fn a_log_of_the_second_generation_promises_nothing() {
    let (bed, keys) = (bed(), keys());
    for signs in signers(&bed, &keys) {
        let signed = signs.clone().in_rekor_v2().attest(&bed.statement());
        let first = signs.attest(&bed.statement()).to_bundle(BundleVersion::V0_3);
        let first = &first["verificationMaterial"]["tlogEntries"][0];
        let mut bundle = stamped(&bed, &signed, &[GOOD, FOREIGN]);
        for name in ["inclusionPromise", "integratedTime"] {
            assert!(first[name].is_object() || first[name].is_string(), "{first}");
            bundle["verificationMaterial"]["tlogEntries"][0][name] = first[name].clone();
        }
        bed.refuses(&super::json(&bundle), FlawKind::Log, "promise");
    }
}
