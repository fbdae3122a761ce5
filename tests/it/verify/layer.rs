//! What only layers of cosign 1 and 2 have: old log entries, timestamps of a whole layer, annotations.

use bonafide::evidence::Content;
use bonafide::oci::Digest;
use bonafide::verify::{FlawKind, LogProof};
use jiff::SignedDuration;
use serde_json::json;

use super::{Bed, build, layer};
use crate::support::authority::certificate::SERVER;
use crate::support::authority::identity::Identity;
use crate::support::authority::key::Key;
use crate::support::authority::signed::Signed;
use crate::support::authority::signer::{EntryKind, Signer};
use crate::support::authority::text::base64;

/// Signs as cosign did until August 2023.
fn old(bed: &Bed) -> Signer<'_> {
    bed.authority.keyless(&build().identity()).logged_as(EntryKind::IntotoV1)
}

/// The same entry with its promise made anew by the log, whose key is not asked what it signs.
fn repromised(signed: Signed, bed: &Bed, change: impl FnOnce(&mut serde_json::Value)) -> Signed {
    let body = signed.entry.as_ref().unwrap().body.clone();
    let mut body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    change(&mut body);
    let entry = bed.authority.log.append(&body, bed.authority.time());
    Signed { entry: Some(entry), ..signed }
}

#[test]
fn old_log_entries_are_proved_and_said_to_be_such() {
    let bed = Bed::new();
    let fact = bed.proves(&layer(&old(&bed).attest(&bed.statement())));
    assert_eq!((fact.log(), fact.signed_at()), (LogProof::RekorV1Intoto, Some(bed.authority.time())));
}

#[test]
fn the_first_of_the_old_log_entries_have_no_hash_of_the_payload() {
    let bed = Bed::new();
    let signed = old(&bed).attest(&bed.statement());
    let signed = repromised(signed, &bed, |body| {
        body["spec"]["content"].as_object_mut().unwrap().remove("payloadHash");
    });
    assert_eq!(bed.proves(&layer(&signed)).log(), LogProof::RekorV1Intoto);
}

#[test]
fn an_old_entry_with_a_broken_promise_is_refused() {
    let bed = Bed::new();
    let broken = old(&bed).attest(&bed.statement()).with_broken_promise();
    bed.refuses(&layer(&broken), FlawKind::Log, "promise");
}

#[test]
fn an_old_entry_with_another_time_or_index_than_promised_is_refused() {
    let bed = Bed::new();
    let signed = old(&bed).attest(&bed.statement());
    let moved = signed.clone().with_entry(|entry| {
        entry.integrated = entry.integrated.map(|time| time + SignedDuration::from_secs(1));
    });
    bed.refuses(&layer(&moved), FlawKind::Log, "promise");
    bed.refuses(&layer(&signed.with_entry(|entry| entry.index += 1)), FlawKind::Log, "promise");
}

#[test]
fn an_old_entry_of_a_foreign_log_is_refused() {
    let bed = Bed::new();
    let foreign = old(&bed).with_foreign_log().attest(&bed.statement());
    bed.refuses(&layer(&foreign), FlawKind::Log, "no log of the trusted root");
}

#[test]
fn an_old_entry_of_another_attestation_is_refused() {
    let bed = Bed::new();
    let other = old(&bed).attest(&bed.statement().also_about(Digest::of(b"another")));
    let swapped = old(&bed).attest(&bed.statement()).with_entry_of(&other);
    bed.refuses(&layer(&swapped), FlawKind::Log, "another attestation");
}

#[test]
fn an_old_entry_of_another_payload_is_refused() {
    let bed = Bed::new();
    let signed = repromised(old(&bed).attest(&bed.statement()), &bed, |body| {
        body["spec"]["content"]["payloadHash"]["value"] = json!(Digest::of(b"another").hex());
    });
    bed.refuses(&layer(&signed), FlawKind::Log, "another payload");
}

#[test]
fn an_old_entry_with_a_hash_of_another_algorithm_is_refused() {
    let bed = Bed::new();
    let signed = repromised(old(&bed).attest(&bed.statement()), &bed, |body| {
        body["spec"]["content"]["hash"]["algorithm"] = json!("sha1");
    });
    bed.refuses(&layer(&signed), FlawKind::Log, "another attestation");
}

#[test]
fn an_old_entry_of_another_certificate_is_refused() {
    let bed = Bed::new();
    let eve = bed.authority.keyless(&Identity::email("eve@example.com", "https://idp.example"));
    let pem = eve.attest(&bed.statement()).credential.to_pem();
    let signed = repromised(old(&bed).attest(&bed.statement()), &bed, |body| {
        body["spec"]["publicKey"] = json!(base64(pem));
    });
    bed.refuses(&layer(&signed), FlawKind::Log, "another certificate");
}

#[test]
fn an_old_entry_excuses_no_certificate() {
    let bed = Bed::new();
    let late = bed.authority.time() + SignedDuration::from_mins(11);
    let refused = [
        (old(&bed).with_foreign_certificate(), FlawKind::Certificate),
        (old(&bed).certified_for(SERVER), FlawKind::Certificate),
        (old(&bed).logged_at(late), FlawKind::Certificate),
        (old(&bed).without_sct(), FlawKind::CertificateTimestamp),
        (old(&bed).with_foreign_sct(), FlawKind::CertificateTimestamp),
    ];
    for (signs, kind) in refused {
        bed.refuses(&layer(&signs.attest(&bed.statement())), kind, "");
    }
}

#[test]
fn an_old_entry_excuses_no_signature() {
    let bed = Bed::new();
    let good = old(&bed).attest(&bed.statement());
    bed.refuses(&layer(&good.clone().with_broken_signature()), FlawKind::Signature, "does not fit");
    let other = bed.statement().also_about(Digest::of(b"another")).to_bytes();
    bed.refuses(&layer(&good.with_payload(other)), FlawKind::Signature, "does not fit");
}

#[test]
fn an_old_entry_from_the_future_is_refused() {
    let bed = Bed::new();
    let evidence = layer(&old(&bed).attest(&bed.statement()));
    let flaw = bed.check_at(&evidence, bed.authority.time() - SignedDuration::from_secs(1)).unwrap_err();
    assert_eq!(flaw.kind, FlawKind::Timestamp);
}

#[test]
fn an_old_entry_binds_a_key_as_well() {
    let (release, other) = (Key::p256("release"), Key::p256("other"));
    let bed = Bed::new().with_key("release", &release);
    let signs = bed.authority.with_key(&release).logged_as(EntryKind::IntotoV1);
    let signed = signs.attest(&bed.statement());
    assert_eq!(bed.proves(&layer(&signed)).log(), LogProof::RekorV1Intoto);
    let signed = repromised(signed, &bed, |body| body["spec"]["publicKey"] = json!(base64(other.public_pem())));
    bed.refuses(&layer(&signed), FlawKind::Log, "another key");
}

#[test]
fn an_old_entry_is_of_attestations_alone() {
    let bed = Bed::new();
    let signed = old(&bed).sign(bed.digest());
    bed.refuses(&layer(&signed), FlawKind::Unsupported, "intoto/0.0.1");
}

#[test]
fn log_entries_of_other_kinds_are_refused_by_name() {
    let bed = Bed::new();
    let signed = repromised(old(&bed).attest(&bed.statement()), &bed, |body| body["kind"] = json!("rekord"));
    bed.refuses(&layer(&signed), FlawKind::Unsupported, "rekord/0.0.1");
}

/// Stamped as cosign 2 does: not the signature but the layer.
fn stamped(bed: &Bed) -> Signed {
    let mut signed = bed.authority.keyless(&build().identity()).without_log().attest(&bed.statement());
    signed.timestamp = Some(bed.authority.timestamps.stamp(&signed.layer_bytes(), bed.authority.time()));
    signed
}

#[test]
fn a_timestamp_of_the_layer_is_enough_where_no_log_is_required() {
    let bed = Bed::new().trusting_timestamps_alone();
    let fact = bed.proves(&layer(&stamped(&bed)));
    assert_eq!((fact.log(), fact.signed_at()), (LogProof::TimestampOnly, Some(bed.authority.time())));
    let signature = bed.authority.keyless(&build().identity()).timestamped().without_log().sign(bed.digest());
    assert_eq!(bed.proves(&layer(&signature)).log(), LogProof::TimestampOnly);
}

#[test]
fn a_timestamp_of_another_layer_is_refused() {
    let bed = Bed::new().trusting_timestamps_alone();
    let mut signed = stamped(&bed);
    signed.timestamp = Some(bed.authority.timestamps.stamp(b"another layer", bed.authority.time()));
    bed.refuses(&layer(&signed), FlawKind::Timestamp, "timestamp");
}

#[test]
fn a_timestamp_outside_the_life_of_the_certificate_is_refused() {
    let bed = Bed::new().trusting_timestamps_alone();
    let mut signed = stamped(&bed);
    let late = bed.authority.time() + SignedDuration::from_mins(11);
    signed.timestamp = Some(bed.authority.timestamps.stamp(&signed.layer_bytes(), late));
    bed.refuses(&layer(&signed), FlawKind::Certificate, "certificate");
}

#[test]
fn a_timestamp_of_the_layer_is_not_enough_where_a_log_is_required() {
    let bed = Bed::new();
    bed.refuses(&layer(&stamped(&bed)), FlawKind::Log, "no transparency log entry");
}

#[test]
fn wrapped_base64_is_read() {
    let bed = Bed::new();
    let mut evidence = layer(&bed.authority.keyless(&build().identity()).sign(bed.digest()));
    if let Content::Signature { signature, .. } = &mut evidence.content {
        signature.insert(20, '\n');
        signature.push('\n');
    }
    bed.proves(&evidence);
}

#[test]
fn annotations_that_cannot_be_read_are_refused() {
    let bed = Bed::new();
    let good = layer(&bed.authority.keyless(&build().identity()).sign(bed.digest()));
    for broken in ["", "{", "{\"Payload\":{}}"] {
        let mut evidence = good.clone();
        if let Content::Signature { material, .. } = &mut evidence.content {
            material.log_entry = Some(broken.to_owned());
        }
        bed.refuses(&evidence, FlawKind::Malformed, "");
    }
    let mut evidence = good.clone();
    if let Content::Signature { material, .. } = &mut evidence.content {
        material.certificate = Some("no certificate".to_owned());
    }
    bed.refuses(&evidence, FlawKind::Malformed, "certificate");
    let mut evidence = good;
    if let Content::Signature { signature, .. } = &mut evidence.content {
        "not base64!".clone_into(signature);
    }
    bed.refuses(&evidence, FlawKind::Malformed, "not base64");
}
