//! Rekor v1 and v2: makes the canonical entry of what is proposed, and logs it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bonafide::oci::Digest;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::authority::Authority;
use crate::support::authority::text::{base64, unbase64};
use crate::{Answer, Asked};

/// The entries of Rekor v1, as answered, by name.
#[derive(Default)]
pub(crate) struct Rekor(Mutex<BTreeMap<String, Value>>);

impl Rekor {
    /// `POST /api/v1/log/entries`; `None` if it is not understood.
    pub(crate) fn add_v1(&self, authority: &Authority, asked: &Asked, now: Timestamp) -> Option<Answer> {
        let body = canonical_v1(&serde_json::from_slice(&asked.body).ok()?)?;
        let entry = authority.log.append(&body, now);
        let answer = entry.to_rekor();
        self.0.lock().unwrap().insert(entry.uuid(), answer.clone());
        Some(Answer { tag: Some(entry.uuid()), ..Answer::json(StatusCode::CREATED, &answer) })
    }

    /// `GET /api/v1/log/entries/<name>` or `?logIndex=<index>`.
    pub(crate) fn find(&self, asked: &Asked) -> Option<Answer> {
        let entries = self.0.lock().unwrap();
        let name = asked.path.rsplit('/').next()?;
        let index: Option<u64> = asked.query.as_deref().and_then(|query| query.strip_prefix("logIndex=")?.parse().ok());
        let found = entries.get(name).or_else(|| {
            let wanted = json!(index?);
            entries.iter().find(|(name, entry)| entry[name.as_str()]["logIndex"] == wanted).map(|(_, entry)| entry)
        });
        Some(found.map_or_else(
            || Answer::error(StatusCode::NOT_FOUND, "no such entry"),
            |entry| Answer::json(StatusCode::OK, entry),
        ))
    }
}

/// `POST /api/v2/log/entries`; `None` if it is not understood.
pub(crate) fn add_v2(authority: &Authority, asked: &Asked, now: Timestamp) -> Option<Answer> {
    let body = canonical_v2(&serde_json::from_slice(&asked.body).ok()?)?;
    Some(Answer::json(StatusCode::CREATED, &authority.log_v2.append(&body, now).to_bundle()))
}

fn canonical_v1(proposed: &Value) -> Option<Value> {
    let spec = &proposed["spec"];
    let spec = match (proposed["kind"].as_str()?, proposed["apiVersion"].as_str()?) {
        ("hashedrekord", "0.0.1") => spec.clone(),
        ("dsse", "0.0.1") => dsse_v1(&spec["proposedContent"])?,
        ("intoto", "0.0.2") => intoto_v2(&spec["content"])?,
        _ => return None,
    };
    Some(json!({ "apiVersion": proposed["apiVersion"], "kind": proposed["kind"], "spec": spec }))
}

fn dsse_v1(content: &Value) -> Option<Value> {
    let text = content["envelope"].as_str()?;
    let envelope: Value = serde_json::from_str(text).ok()?;
    let verifiers = content["verifiers"].as_array()?;
    let signatures = envelope["signatures"].as_array()?.iter().zip(verifiers);
    let signatures: Vec<_> = signatures
        .map(|(signature, verifier)| json!({ "signature": signature["sig"], "verifier": verifier }))
        .collect();
    Some(json!({
        "envelopeHash": hash(text.as_bytes()),
        "payloadHash": hash(&unbase64(envelope["payload"].as_str()?)?),
        "signatures": signatures,
    }))
}

/// The payload is base64 twice over in what is proposed, and left out of the entry.
fn intoto_v2(content: &Value) -> Option<Value> {
    let envelope = &content["envelope"];
    let once = String::from_utf8(unbase64(envelope["payload"].as_str()?)?).ok()?;
    Some(json!({ "content": {
        "envelope": { "payloadType": envelope["payloadType"], "signatures": envelope["signatures"] },
        "hash": content["hash"],
        "payloadHash": hash(&unbase64(&once)?),
    }}))
}

fn canonical_v2(request: &Value) -> Option<Value> {
    let (kind, spec) = if let Some(request) = request.get("hashedRekordRequestV002") {
        let digest = &request["digest"];
        let data = json!({ "algorithm": digest_algorithm(digest.as_str()?)?, "digest": digest });
        ("hashedrekord", json!({ "hashedRekordV002": { "data": data, "signature": request["signature"] } }))
    } else {
        ("dsse", json!({ "dsseV002": dsse_v2(request.get("dsseRequestV002")?)? }))
    };
    Some(json!({ "apiVersion": "0.0.2", "kind": kind, "spec": spec }))
}

/// The hash that goes with the key, which its length tells as well as the key's details do.
fn digest_algorithm(digest: &str) -> Option<&'static str> {
    match unbase64(digest)?.len() {
        32 => Some("SHA2_256"),
        48 => Some("SHA2_384"),
        64 => Some("SHA2_512"),
        _ => None,
    }
}

fn dsse_v2(request: &Value) -> Option<Value> {
    let envelope = &request["envelope"];
    let payload = unbase64(envelope["payload"].as_str()?)?;
    let signatures = envelope["signatures"].as_array()?.iter().zip(request["verifiers"].as_array()?);
    let signatures: Vec<_> =
        signatures.map(|(signature, verifier)| json!({ "content": signature["sig"], "verifier": verifier })).collect();
    let hash = json!({ "algorithm": "SHA2_256", "digest": base64(Digest::of(&payload).as_bytes()) });
    Some(json!({ "payloadHash": hash, "signatures": signatures }))
}

fn hash(bytes: &[u8]) -> Value {
    json!({ "algorithm": "sha256", "value": Digest::of(bytes).hex() })
}
