//! Pitfalls of verification: 1, 3, 4, 5, 6, 10 and 13.

use bonafide::evidence::{Content, CosignMaterial};
use bonafide::limits;
use bonafide::oci::Digest;
use bonafide::trust::{KeySettings, Requirement, WithoutLog};
use bonafide::verify::FlawKind;
use jiff::SignedDuration;
use serde_json::json;

use crate::support::authority::Authority;
use crate::support::authority::certificate::{CODE_SIGNING, Validity};
use crate::support::authority::identity::Identity;
use crate::support::authority::key::Key;
use crate::support::authority::signed::{BundleVersion, Credential, Signed};
use crate::support::authority::signer::EntryKind;
use crate::support::authority::statement::Statement;
use crate::support::authority::text::base64;
use crate::verify::ways::{WAYS, Way, attest, newest};
use crate::verify::{Bed, build, bytes, layer};

/// `signed` with another entry, which the log took in all the same: one where each of these texts is another.
fn relogged(way: &Way, authority: &Authority, signed: &Signed, changes: &[(String, String)]) -> Option<Signed> {
    let entry = signed.entry.as_ref()?;
    let body = String::from_utf8(entry.body.clone()).unwrap();
    let other = changes.iter().fold(body.clone(), |body, (from, to)| body.replace(from, to));
    if other == body {
        return None;
    }
    let entry = (way.log)(authority).append(&serde_json::from_str(&other).unwrap(), authority.time());
    Some(Signed { entry: Some(entry), ..signed.clone() })
}

/// Every way to refer to the hash of `bytes`.
fn hashes(bytes: &[u8]) -> [String; 2] {
    let digest = Digest::of(bytes);
    [digest.hex(), base64(digest.as_bytes())]
}

/// Ways to write who signed, as PEM in base64 or as the certificate alone.
fn verifiers(signed: &Signed) -> [String; 2] {
    let Credential::Certificate { leaf, .. } = &signed.credential else { panic!("signed by a key") };
    [base64(signed.credential.to_pem()), base64(leaf)]
}

fn pairs(from: impl IntoIterator<Item = String>, to: impl IntoIterator<Item = String>) -> Vec<(String, String)> {
    from.into_iter().zip(to).collect()
}

#[track_caller]
fn assert_unbound(bed: &Bed, way: &Way, signed: &Signed) {
    let flaw = bed.check(&(way.publish)(signed)).expect_err(way.name);
    assert!(matches!(flaw.kind, FlawKind::Log | FlawKind::Subject | FlawKind::Signature), "{}: {flaw:?}", way.name);
}

/// GHSA-ccxc-vr6p-4858, GHSA-8gw7-4j42-w388, GHSA-whqx-f9j3-ch6m, GHSA-8pmp-678w-c8xx
#[test]
fn pitfall_01_a_log_entry_is_bound_to_the_artifact() {
    let bed = Bed::new();
    let signs = bed.authority.keyless(&build().identity());
    let other = hashes(b"something else");
    for way in &WAYS {
        let good = (way.sign)(&signs, bed.digest());
        bed.proves(&(way.publish)(&good));
        let named = [good.payload.bytes().to_vec(), good.payload.signed_bytes(), good.layer_bytes()];
        let changes: Vec<_> = named.iter().flat_map(|bytes| pairs(hashes(bytes), other.clone())).collect();
        assert_unbound(&bed, way, &relogged(way, &bed.authority, &good, &changes).expect(way.name));
        assert_unbound(&bed, way, &good.with_entry_of(&(way.sign)(&signs, Digest::of(b"another"))));
    }
}

#[test]
fn pitfall_01_a_log_entry_is_bound_to_the_signer() {
    let bed = Bed::new();
    let eve = bed.authority.keyless(&Identity::email("eve@example.com", "https://idp.example"));
    for way in &WAYS {
        let good = (way.sign)(&bed.authority.keyless(&build().identity()), bed.digest());
        let theirs = (way.sign)(&eve, bed.digest());
        let changes = pairs(verifiers(&good), verifiers(&theirs));
        assert_unbound(&bed, way, &relogged(way, &bed.authority, &good, &changes).expect(way.name));
        assert_unbound(&bed, way, &good.with_entry_of(&theirs));
    }
}

#[test]
fn pitfall_01_a_log_entry_is_bound_to_the_signature() {
    let bed = Bed::new();
    let key = Key::p256("holder");
    let signs = bed.authority.keyless(&build().identity()).holding(&key);
    for way in &WAYS {
        let good = (way.sign)(&signs, bed.digest());
        let another = key.sign(&good.payload.signed_bytes());
        assert_ne!(another, good.signature);
        let timestamp = good.timestamp.as_ref().map(|_| bed.authority.timestamps.stamp(&another, bed.authority.time()));
        assert_unbound(&bed, way, &Signed { signature: another, timestamp, ..good });
    }
}

/// GHSA-w6c6-c85g-mmv6, GHSA-7c37-gx6w-8vc5
#[test]
fn pitfall_03_what_cannot_be_parsed_proves_nothing_however_well_it_is_signed() {
    let bed = Bed::new();
    let signs = bed.authority.keyless(&build().identity());
    let good = String::from_utf8(bed.statement().to_bytes()).unwrap();
    let broken_sbom = Statement::spdx(bed.digest(), &["pkg:npm/axios@1.14.1"]).with(|sbom| sbom["packages"] = json!(1));
    let broken_build = Statement::provenance_v1(bed.digest(), &build(), "builder").with(|predicate| {
        predicate["runDetails"] = json!("none");
    });
    for payload in [
        String::new(),
        "{".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        good[..good.len() - 1].to_owned(),
        format!("{good}{good}"),
        good.replacen('{', "{\"_type\":\"https://in-toto.io/Statement/v1\",", 1),
        good.replace("https://in-toto.io/Statement/", "https://example.com/Statement/"),
        String::from_utf8(broken_sbom.to_bytes()).unwrap(),
        String::from_utf8(broken_build.to_bytes()).unwrap(),
    ] {
        let signed = signs.attest_bytes(payload.clone().into_bytes());
        for evidence in [newest(&signed), layer(&signed)] {
            assert!(bed.check(&evidence).is_err(), "{payload}");
        }
    }
    for payload in [json!({}), json!({ "critical": null }), json!([]), json!("cosign container image signature")] {
        assert!(bed.check(&layer(&signs.sign_payload(&payload))).is_err(), "{payload}");
    }
}

/// GHSA-wfqv-66vq-46rm
#[test]
fn pitfall_04_an_intermediate_vouches_for_nothing_after_its_end() {
    let mut bed = Bed::new().trusting_nobody();
    let ended = Validity { from: Validity::long().from, to: bed.authority.time() - SignedDuration::from_hours(1) };
    let (name, key) = ("corp intermediate", Key::p384("corp intermediate"));
    bed.authority.issuer = bed.authority.root.intermediate(name, key, CODE_SIGNING, ended);
    let root = bed.authority.trusted_root();
    assert!(root.0["certificateAuthorities"][0]["validFor"]["end"].is_null(), "the root itself states no end");
    let bed = bed.trusting("corp", &root, Requirement::Required, Requirement::Required);
    for way in &WAYS {
        let signed = (way.sign)(&bed.authority.keyless(&build().identity()), bed.digest());
        let flaw = bed.check(&(way.publish)(&signed)).expect_err(way.name);
        assert_eq!(flaw.kind, FlawKind::Certificate, "{}: {flaw:?}", way.name);
    }
}

/// GHSA-9vcr-p3rj-q5q6, GHSA-fphv-w9fq-2525
#[test]
fn pitfall_05_one_log_entry_many_times_is_one() {
    let bed = Bed::new();
    let mut json = attest(&bed.authority.keyless(&build().identity()), bed.digest()).to_bundle(BundleVersion::V0_3);
    let entry = json["verificationMaterial"]["tlogEntries"][0].clone();
    json["verificationMaterial"]["tlogEntries"] = json!(vec![entry; limits::LOG_ENTRIES]);
    bed.proves(&bytes(json.to_string()));
}

/// GHSA-wqqc-jjcq-vfxm, GHSA-xm5m-wgh2-rrg3
#[test]
fn pitfall_06_a_time_that_nobody_signed_is_none_and_the_present_is_no_substitute() {
    let bed = Bed::new();
    let while_valid = bed.authority.time() + SignedDuration::from_mins(1);
    let signs = bed.authority.keyless(&build().identity());
    for timeless in [
        attest(&signs, bed.digest()).without_promise(),
        attest(&signs.clone().in_rekor_v2().without_timestamp(), bed.digest()),
    ] {
        let flaw = bed.check_at(&newest(&timeless), while_valid).unwrap_err();
        assert_eq!(flaw.kind, FlawKind::Timestamp, "{flaw:?}");
    }
    let moved = |signed: Signed| {
        signed.with_entry(|entry| entry.integrated = entry.integrated.map(|time| time + SignedDuration::from_secs(1)))
    };
    for way in WAYS.iter().filter(|way| !way.name.ends_with("0.0.2") || way.name == ".att, intoto 0.0.2") {
        let signed = moved((way.sign)(&signs, bed.digest()));
        assert_eq!(bed.check(&(way.publish)(&signed)).expect_err(way.name).kind, FlawKind::Log, "{}", way.name);
    }
}

#[test]
fn pitfall_06_a_timestamp_counts_only_from_a_timestamp_authority_in_its_time() {
    let bed = Bed::new().trusting_timestamps_alone();
    let signs = bed.authority.keyless(&build().identity()).without_log().timestamped();
    bed.proves(&newest(&attest(&signs, bed.digest())));
    let foreign = attest(&signs.clone().with_foreign_timestamp(), bed.digest());
    bed.refuses(&newest(&foreign), FlawKind::Timestamp, "timestamp");
    bed.refuses(&layer(&signs.clone().with_foreign_timestamp().sign(bed.digest())), FlawKind::Timestamp, "timestamp");

    let ended = |end: SignedDuration| {
        let mut bed = Bed::new();
        let window = Validity { from: Validity::long().from, to: bed.authority.time() + end };
        let (name, key) = ("corp timestamps", Key::p256("corp timestamps"));
        bed.authority.timestamps.leaf = bed.authority.timestamps.root.timestamper(name, key, window);
        bed.trusting_timestamps_alone()
    };
    for (end, is_in_time) in [(SignedDuration::from_hours(1), true), (-SignedDuration::from_hours(1), false)] {
        let bed = ended(end);
        let signs = bed.authority.keyless(&build().identity()).without_log().timestamped();
        assert_eq!(bed.check(&newest(&attest(&signs, bed.digest()))).is_ok(), is_in_time, "{end}");
    }
}

#[test]
fn pitfall_06_a_key_counts_within_its_window_alone() {
    let key = Key::p256("release");
    let time = Bed::new().authority.time();
    let hour = SignedDuration::from_hours(1);
    for (start, end, counts) in [(-hour, hour, true), (hour, hour * 2, false), (-hour * 2, -hour, false)] {
        let window = |settings| KeySettings { not_before: Some(time + start), not_after: Some(time + end), ..settings };
        let bed = Bed::new().with_key_as("release", &key, window);
        for way in &WAYS {
            let signed = (way.sign)(&bed.authority.with_key(&key), bed.digest());
            assert_eq!(bed.check(&(way.publish)(&signed)).is_ok(), counts, "{} {start} {end}", way.name);
        }
    }
}

/// GHSA-88jx-383q-w4qc, GHSA-95pr-fxf5-86gv
#[test]
fn pitfall_10_more_than_is_looked_at_is_refused_before_it_is() {
    let bed = Bed::new();
    let good = attest(&bed.authority.keyless(&build().identity()).timestamped(), bed.digest());
    let many = |pointer: &str, count: usize| {
        let mut json = good.to_bundle(BundleVersion::V0_3);
        let list = json.pointer_mut(pointer).unwrap();
        *list = json!(vec![list[0].clone(); count]);
        bytes(json.to_string())
    };
    let entries = "/verificationMaterial/tlogEntries";
    bed.refuses(&many(entries, limits::LOG_ENTRIES + 1), FlawKind::TooMuch, "log entries");
    let timestamps = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps";
    bed.refuses(&many(timestamps, limits::TIMESTAMPS + 1), FlawKind::TooMuch, "signed timestamps");
    let subjects = (0..=limits::SUBJECTS)
        .fold(bed.statement(), |statement, number| statement.also_about(Digest::of(&number.to_be_bytes())));
    let signed = bed.authority.keyless(&build().identity()).attest(&subjects);
    bed.refuses(&newest(&signed), FlawKind::TooMuch, "subjects");
    let open = "[{\"a\":".repeat(limits::JSON_DEPTH * 100);
    assert!(bed.check(&bytes(open)).is_err());
}

/// What no client would leave out of a layer, left out.
#[test]
fn pitfall_13_a_missing_annotation_skips_no_check() {
    let bed = Bed::new();
    let signs = bed.authority.keyless(&build().identity());
    let leave_out: [fn(&mut CosignMaterial); 2] = [|it| it.certificate = None, |it| it.log_entry = None];
    for way in WAYS.iter().filter(|way| way.name.starts_with('.')) {
        let good = (way.sign)(&signs, bed.digest());
        for leave_out in leave_out {
            let mut evidence = (way.publish)(&good);
            if let Content::Signature { material, .. } | Content::Attestation { material, .. } = &mut evidence.content {
                leave_out(material);
            }
            assert!(bed.check(&evidence).is_err(), "{}", way.name);
        }
    }
    let mut unsigned = layer(&signs.sign(bed.digest()));
    if let Content::Signature { signature, .. } = &mut unsigned.content {
        signature.clear();
    }
    assert!(bed.check(&unsigned).is_err());
}

/// Media types are signed by nobody.
#[test]
fn pitfall_13_a_bundle_relabelled_as_an_older_one_still_needs_its_proof() {
    let bed = Bed::new();
    let good = attest(&bed.authority.keyless(&build().identity()), bed.digest());
    for older in [BundleVersion::V0_1, BundleVersion::V0_2] {
        let mut json = good.clone().without_inclusion_proof().to_bundle(BundleVersion::V0_3);
        json["mediaType"] = json!(older.media_type());
        bed.refuses(&bytes(json.to_string()), FlawKind::Log, "inclusion proof");
    }
}

/// Where the verifier does not look: beside old log entries, and where a key signs without a log.
#[test]
fn pitfall_13_an_envelope_must_say_that_it_holds_a_statement() {
    let offline = Key::p256("offline");
    let without_log = |settings| KeySettings { without_log: WithoutLog::Allow, ..settings };
    let bed = Bed::new().with_key_as("offline", &offline, without_log);
    let keyless = bed.authority.keyless(&build().identity());
    let by_key = bed.authority.with_key(&offline).without_log();
    for signer in [keyless.clone().logged_as(EntryKind::IntotoV1), keyless.logged_as(EntryKind::IntotoV2), by_key] {
        bed.proves(&layer(&signer.envelop(bed.statement().to_bytes(), "application/vnd.in-toto+json")));
        for payload_type in ["text/plain", "", "application/vnd.in-toto+json; x"] {
            let signed = signer.envelop(bed.statement().to_bytes(), payload_type);
            bed.refuses(&layer(&signed), FlawKind::Unsupported, "payload");
        }
    }
}
