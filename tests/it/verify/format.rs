//! The format of bundles and envelopes, and the bounds on what is in them.

use bonafide::evidence::{Content, Evidence};
use bonafide::limits;
use bonafide::verify::FlawKind;
use serde_json::{Value, json};

use super::{Bed, build, bundle, bytes, layer, source};
use crate::support::authority::signed::{BundleVersion, Signed};
use crate::support::authority::text::base64;

const V1: BundleVersion = BundleVersion::V0_1;
const V3: BundleVersion = BundleVersion::V0_3;

/// A sequence that claims 256 MiB, of which nothing is there (X.690, 8.1.3).
pub(super) const CLAIM: [u8; 6] = [0x30, 0x84, 0x0f, 0xff, 0xff, 0xff];

fn signed(bed: &Bed) -> Signed {
    bed.authority.keyless(&build().identity()).timestamped().attest(&bed.statement())
}

/// A good bundle, changed.
fn changed(bed: &Bed, version: BundleVersion, change: impl FnOnce(&mut Value)) -> Evidence {
    let mut json = signed(bed).to_bundle(version);
    change(&mut json);
    super::json(&json)
}

#[test]
fn what_is_no_bundle_is_malformed() {
    let bed = Bed::new();
    for text in ["", "{", "[]", "null", "{}", "\"bundle\"", "{\"mediaType\":1}"] {
        bed.refuses(&bytes(text.to_owned()), FlawKind::Malformed, "");
    }
    let text = signed(&bed).to_bundle(V3).to_string();
    bed.refuses(&bytes(text[..text.len() / 2].to_owned()), FlawKind::Malformed, "");
    bed.refuses(&bytes(format!("{text}{{}}")), FlawKind::Malformed, "");
}

#[test]
fn every_cut_of_a_bundle_is_refused_without_a_panic() {
    let bed = Bed::new();
    let text = signed(&bed).to_bundle(V3).to_string();
    let trust = bed.trust();
    let subject = bonafide::verify::Subject { digest: bed.digest(), manifest: &bed.image.manifest };
    for length in (0..text.len()).step_by(97) {
        let evidence = bytes(text[..length].to_owned());
        assert!(bonafide::verify::check(&evidence, &subject, &trust, bed.now()).is_err());
    }
}

#[test]
fn a_key_given_twice_is_refused() {
    let bed = Bed::new();
    let text = signed(&bed).to_bundle(V3).to_string();
    let twice = text.replacen('{', r#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","#, 1);
    bed.refuses(&bytes(twice), FlawKind::Malformed, "twice");
}

#[test]
fn a_key_given_twice_in_a_signed_statement_is_refused() {
    let bed = Bed::new();
    let text = String::from_utf8(bed.statement().to_bytes()).unwrap();
    let twice = text.replacen('{', r#"{"predicateType":"https://example.com/one","#, 1);
    let signs = bed.authority.keyless(&build().identity());
    bed.refuses(&bundle(&signs.attest_bytes(twice.into_bytes()), V3), FlawKind::Malformed, "");
}

#[test]
fn versions_that_are_not_known_are_refused_by_name() {
    let bed = Bed::new();
    let unknown = "application/vnd.dev.sigstore.bundle.v0.9+json";
    let evidence = changed(&bed, V3, |json| json["mediaType"] = json!(unknown));
    bed.refuses(&evidence, FlawKind::Unsupported, "v0.9");
    let evidence = changed(&bed, V3, |json| drop(json.as_object_mut().unwrap().remove("mediaType")));
    bed.refuses(&evidence, FlawKind::Malformed, "mediaType");
}

#[test]
fn a_v0_3_bundle_relabelled_v0_1_still_needs_its_inclusion_proof() {
    let bed = Bed::new();
    let bare = signed(&bed).without_inclusion_proof();
    let mut json = bare.to_bundle(V3);
    json["mediaType"] = json!(V1.media_type());
    bed.refuses(&super::json(&json), FlawKind::Log, "inclusion proof");
    bed.proves(&bundle(&bare, V1));
}

#[test]
fn a_proof_without_checkpoint_is_dropped_from_v0_1_alone() {
    let bed = Bed::new();
    let bare = signed(&bed).with_entry(|entry| entry.proof.as_mut().unwrap().checkpoint = None);
    bed.proves(&bundle(&bare, V1));
    bed.refuses(&bundle(&bare, BundleVersion::V0_2), FlawKind::Log, "checkpoint");
    bed.refuses(&bundle(&bare.without_promise(), V1), FlawKind::Log, "promise");
}

#[test]
fn a_v0_3_bundle_with_a_chain_is_refused() {
    let bed = Bed::new();
    let evidence = changed(&bed, V1, |json| json["mediaType"] = json!(V3.media_type()));
    bed.refuses(&evidence, FlawKind::Malformed, "chain");
}

#[test]
fn two_contents_or_two_signers_in_one_bundle_are_refused() {
    let bed = Bed::new();
    let evidence = changed(&bed, V3, |json| json["messageSignature"] = json!({ "signature": "AAAA" }));
    bed.refuses(&evidence, FlawKind::Malformed, "messageSignature and dsseEnvelope");
    let evidence = changed(&bed, V3, |json| json["verificationMaterial"]["publicKey"] = json!({ "hint": "" }));
    bed.refuses(&evidence, FlawKind::Malformed, "publicKey");
    let evidence = changed(&bed, V3, |json| drop(json.as_object_mut().unwrap().remove("dsseEnvelope")));
    bed.refuses(&evidence, FlawKind::Malformed, "messageSignature and dsseEnvelope");
    let evidence = changed(&bed, V3, |json| drop(json.as_object_mut().unwrap().remove("verificationMaterial")));
    bed.refuses(&evidence, FlawKind::Malformed, "verificationMaterial");
}

#[test]
fn several_or_no_signatures_in_one_envelope_are_refused() {
    let bed = Bed::new();
    let evidence = changed(&bed, V3, |json| json["dsseEnvelope"]["signatures"] = Value::Null);
    bed.refuses(&evidence, FlawKind::Malformed, "0 signatures");
    for count in [0, 2] {
        let several = |envelope: &mut Value| {
            let one = envelope["signatures"][0].clone();
            envelope["signatures"] = json!(vec![one; count]);
        };
        let evidence = changed(&bed, V3, |json| several(&mut json["dsseEnvelope"]));
        bed.refuses(&evidence, FlawKind::Malformed, &format!("{count} signatures"));
        let mut evidence = layer(&signed(&bed));
        if let Content::Attestation { envelope, .. } = &mut evidence.content {
            let mut json: Value = serde_json::from_slice(envelope).unwrap();
            several(&mut json);
            *envelope = json.to_string().into();
        }
        bed.refuses(&evidence, FlawKind::Malformed, &format!("{count} signatures"));
    }
}

#[test]
fn more_log_entries_than_are_looked_at_are_refused_before_any_is() {
    let bed = Bed::new();
    let entries = |count: usize| {
        move |json: &mut Value| {
            let entry = json["verificationMaterial"]["tlogEntries"][0].clone();
            json["verificationMaterial"]["tlogEntries"] = json!(vec![entry; count]);
        }
    };
    bed.proves(&changed(&bed, V3, entries(limits::LOG_ENTRIES)));
    bed.refuses(&changed(&bed, V3, entries(limits::LOG_ENTRIES + 1)), FlawKind::TooMuch, "33 log entries");
}

#[test]
fn more_timestamps_than_are_looked_at_are_refused_before_any_is() {
    let bed = Bed::new();
    let timestamps = |count: usize| {
        move |json: &mut Value| {
            let data = &mut json["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"];
            *data = json!(vec![data[0].clone(); count]);
        }
    };
    bed.proves(&changed(&bed, V3, timestamps(limits::TIMESTAMPS)));
    bed.refuses(&changed(&bed, V3, timestamps(limits::TIMESTAMPS + 1)), FlawKind::TooMuch, "17 signed timestamps");
}

#[test]
fn a_length_that_claims_more_than_there_is_is_refused_before_it_is_decoded() {
    let bed = Bed::new();
    let claim = || json!(base64(CLAIM));
    let certificate = changed(&bed, V3, |json| json["verificationMaterial"]["certificate"]["rawBytes"] = claim());
    bed.refuses(&certificate, FlawKind::Malformed, "the certificate cannot be read: a length in it claims more");
    let timestamp = changed(&bed, V3, |json| {
        json["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"][0]["signedTimestamp"] = claim();
    });
    bed.refuses(&timestamp, FlawKind::Malformed, "the signed timestamp cannot be read: a length in it claims more");
}

#[test]
fn json_that_would_fill_the_memory_is_refused_before_it_is_parsed() {
    let bed = Bed::new();
    let junk = format!("[{}]", vec!["{}"; limits::JSON_OBJECTS].join(","));
    let text = signed(&bed).to_bundle(V3).to_string().replacen('{', &format!("{{\"junk\":{junk},"), 1);
    bed.refuses(&bytes(text), FlawKind::TooMuch, "objects of JSON");
    let statement = format!("{{\"junk\":{junk}}}").into_bytes();
    let signs = bed.authority.keyless(&build().identity());
    bed.refuses(&bundle(&signs.attest_bytes(statement.clone()), V3), FlawKind::TooMuch, "objects of JSON");
    bed.refuses(&layer(&signs.attest_bytes(statement)), FlawKind::TooMuch, "objects of JSON");
}

#[test]
fn longer_chains_than_are_looked_at_are_refused() {
    let bed = Bed::new();
    let evidence = changed(&bed, V1, |json| {
        let chain = &mut json["verificationMaterial"]["x509CertificateChain"]["certificates"];
        *chain = json!(vec![chain[0].clone(); limits::CERTIFICATES + 1]);
    });
    bed.refuses(&evidence, FlawKind::TooMuch, "17 certificates");
}

#[test]
fn log_entries_of_unknown_kinds_are_refused_by_name() {
    let bed = Bed::new();
    let evidence = changed(&bed, V3, |json| {
        json["verificationMaterial"]["tlogEntries"][0]["kindVersion"] = json!({ "kind": "rekord", "version": "0.0.1" });
    });
    bed.refuses(&evidence, FlawKind::Unsupported, "rekord/0.0.1");
}

#[test]
fn an_entry_labelled_as_another_kind_is_refused() {
    let bed = Bed::new();
    let evidence = changed(&bed, V3, |json| {
        json["verificationMaterial"]["tlogEntries"][0]["kindVersion"] = json!({ "kind": "intoto", "version": "0.0.2" });
    });
    assert!(bed.check(&evidence).is_err());
}

#[test]
fn an_empty_chain_is_refused() {
    let bed = Bed::new();
    let evidence = changed(&bed, V1, |json| {
        json["verificationMaterial"]["x509CertificateChain"]["certificates"] = json!([]);
    });
    bed.refuses(&evidence, FlawKind::Malformed, "no signing certificate");
}

#[test]
fn what_is_no_envelope_is_malformed() {
    let bed = Bed::new();
    let material = bonafide::evidence::CosignMaterial::default();
    for text in ["", "{}", "[]", "{\"signatures\":[{}]}"] {
        let content = Content::Attestation { envelope: text.into(), material: material.clone() };
        bed.refuses(&Evidence { source: source(), found_in: None, content }, FlawKind::Malformed, "");
    }
}

#[test]
fn texts_of_flaws_are_bounded_and_hold_no_control_characters() {
    let bed = Bed::new();
    let long = format!("application/\u{1b}[31m{}", "x".repeat(10_000));
    let flaw = bed.check(&changed(&bed, V3, |json| json["mediaType"] = json!(long))).unwrap_err();
    assert!(flaw.text.len() <= 400 && !flaw.text.contains('\u{1b}'), "{}", flaw.text);
}
