//! Something signed, in every form that it is published in. Its parts are open: a test may exchange any of them.

use std::collections::BTreeMap;

use bonafide::oci::Digest;
use serde::Serialize;
use serde_json::{Value, json};

use super::certificate;
use super::der;
use super::key::Hash;
use super::log::Entry;
use super::text::base64;

/// Media type of a simple signing payload.
pub(crate) const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Media type of a DSSE envelope.
pub(crate) const DSSE: &str = "application/vnd.dsse.envelope.v1+json";

/// A payload, its signature, and what vouches for it.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) payload: Payload,
    pub(crate) signature: Vec<u8>,
    /// What was hashed with before it was signed.
    pub(crate) hash: Hash,
    pub(crate) credential: Credential,
    pub(crate) entry: Option<Entry>,
    /// A `TimeStampResp`.
    pub(crate) timestamp: Option<Vec<u8>>,
}

/// What is signed.
#[derive(Debug, Clone)]
pub(crate) enum Payload {
    /// Bytes as they are.
    Message(Vec<u8>),
    /// Bytes and their type, in a DSSE envelope.
    Envelope { payload: Vec<u8>, payload_type: String },
}

/// Whose signature it is.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    Certificate { leaf: Vec<u8>, chain: Vec<Vec<u8>> },
    Key { public: Vec<u8>, hint: String },
}

/// A layer of a `.sig` or `.att` manifest.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) annotations: BTreeMap<String, String>,
}

/// A version of the bundle format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BundleVersion {
    /// Chain and promise; the proof may be missing.
    V0_1,
    /// Chain and proof.
    V0_2,
    /// Leaf and proof.
    V0_3,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    payload_type: &'a str,
    payload: String,
    signatures: [EnvelopeSignature; 1],
}

#[derive(Serialize)]
struct EnvelopeSignature {
    keyid: &'static str,
    sig: String,
}

impl Payload {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Message(bytes) | Self::Envelope { payload: bytes, .. } => bytes,
        }
    }

    /// What the signature is over: of an envelope its pre-authentication encoding.
    pub(crate) fn signed_bytes(&self) -> Vec<u8> {
        match self {
            Self::Message(bytes) => bytes.clone(),
            Self::Envelope { payload, payload_type } => {
                let header = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
                [header.as_bytes(), payload].concat()
            }
        }
    }
}

impl Credential {
    pub(crate) fn to_pem(&self) -> String {
        match self {
            Self::Certificate { leaf, .. } => certificate::pem(leaf),
            Self::Key { public, .. } => der::pem("PUBLIC KEY", public),
        }
    }
}

impl BundleVersion {
    /// The media type of such a bundle, and of a layer that is one.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::V0_1 => "application/vnd.dev.sigstore.bundle+json;version=0.1",
            Self::V0_2 => "application/vnd.dev.sigstore.bundle+json;version=0.2",
            Self::V0_3 => "application/vnd.dev.sigstore.bundle.v0.3+json",
        }
    }
}

impl Signed {
    /// The bytes of the layer that cosign 1 and 2 make of it: the payload itself, or the envelope.
    pub(crate) fn layer_bytes(&self) -> Vec<u8> {
        match &self.payload {
            Payload::Message(bytes) => bytes.clone(),
            Payload::Envelope { payload, payload_type } => {
                let signature = EnvelopeSignature { keyid: "", sig: base64(&self.signature) };
                let envelope = Envelope { payload_type, payload: base64(payload), signatures: [signature] };
                serde_json::to_vec(&envelope).unwrap()
            }
        }
    }

    /// The layer that cosign 1 and 2 make of it.
    pub(crate) fn to_layer(&self) -> Layer {
        let mut annotations = BTreeMap::new();
        let mut annotate = |name: &str, text: String| annotations.insert(name.to_owned(), text);
        let (media_type, signature) = match &self.payload {
            Payload::Message(_) => (SIMPLE_SIGNING, base64(&self.signature)),
            Payload::Envelope { .. } => (DSSE, String::new()),
        };
        annotate("dev.cosignproject.cosign/signature", signature);
        if let Some(predicate_type) = self.predicate_type() {
            annotate("predicateType", predicate_type);
        }
        if let Credential::Certificate { leaf, chain } = &self.credential {
            annotate("dev.sigstore.cosign/certificate", certificate::pem(leaf));
            annotate("dev.sigstore.cosign/chain", chain.iter().map(|one| certificate::pem(one)).collect());
        }
        if let Some(entry) = &self.entry {
            annotate("dev.sigstore.cosign/bundle", entry.to_annotation().to_string());
        }
        if let Some(timestamp) = &self.timestamp {
            let json = json!({ "SignedRFC3161Timestamp": base64(timestamp) });
            annotate("dev.sigstore.cosign/rfc3161timestamp", json.to_string());
        }
        Layer { media_type: media_type.to_owned(), bytes: self.layer_bytes(), annotations }
    }

    /// The Sigstore bundle that cosign 3, GitHub and others make of it.
    pub(crate) fn to_bundle(&self, version: BundleVersion) -> Value {
        let mut bundle = json!({
            "mediaType": version.media_type(),
            "verificationMaterial": self.material(version),
        });
        match &self.payload {
            Payload::Message(bytes) => {
                bundle["messageSignature"] = json!({
                    "messageDigest": { "algorithm": self.hash.bundle_name(), "digest": base64(self.hash.of(bytes)) },
                    "signature": base64(&self.signature),
                });
            }
            Payload::Envelope { payload, payload_type } => {
                bundle["dsseEnvelope"] = json!({
                    "payload": base64(payload),
                    "payloadType": payload_type,
                    "signatures": [{ "sig": base64(&self.signature) }],
                });
            }
        }
        bundle
    }

    fn material(&self, version: BundleVersion) -> Value {
        let certificate = |der: &Vec<u8>| json!({ "rawBytes": base64(der) });
        let mut material = match (&self.credential, version) {
            (Credential::Key { hint, .. }, _) => json!({ "publicKey": { "hint": hint } }),
            (Credential::Certificate { leaf, .. }, BundleVersion::V0_3) => json!({ "certificate": certificate(leaf) }),
            (Credential::Certificate { leaf, chain }, BundleVersion::V0_1 | BundleVersion::V0_2) => {
                // All but the root, which is never sent.
                let sent = chain.len().saturating_sub(1);
                let all: Vec<_> = std::iter::once(leaf).chain(&chain[..sent]).map(certificate).collect();
                json!({ "x509CertificateChain": { "certificates": all } })
            }
        };
        if let Some(entry) = &self.entry {
            material["tlogEntries"] = json!([entry.to_bundle()]);
        }
        if let Some(timestamp) = &self.timestamp {
            let stamped = json!([{ "signedTimestamp": base64(timestamp) }]);
            material["timestampVerificationData"] = json!({ "rfc3161Timestamps": stamped });
        }
        material
    }

    /// The predicate type of the statement inside, if there is one.
    pub(crate) fn predicate_type(&self) -> Option<String> {
        let Payload::Envelope { payload, .. } = &self.payload else { return None };
        let statement: Value = serde_json::from_slice(payload).ok()?;
        Some(statement["predicateType"].as_str()?.to_owned())
    }

    /// The same with one bit of the signature flipped.
    #[must_use]
    pub(crate) fn with_broken_signature(mut self) -> Self {
        *self.signature.last_mut().unwrap() ^= 1;
        self
    }

    /// The same with another payload under the old signature.
    #[must_use]
    pub(crate) fn with_payload(mut self, bytes: Vec<u8>) -> Self {
        match &mut self.payload {
            Payload::Message(payload) | Payload::Envelope { payload, .. } => *payload = bytes,
        }
        self
    }

    /// The same with the log entry of `other`.
    #[must_use]
    pub(crate) fn with_entry_of(mut self, other: &Self) -> Self {
        self.entry.clone_from(&other.entry);
        self
    }

    /// The same with the certificate or key of `other`.
    #[must_use]
    pub(crate) fn with_credential_of(mut self, other: &Self) -> Self {
        self.credential = other.credential.clone();
        self
    }

    /// The same with the timestamp of `other`.
    #[must_use]
    pub(crate) fn with_timestamp_of(mut self, other: &Self) -> Self {
        self.timestamp.clone_from(&other.timestamp);
        self
    }

    /// The same with the log entry changed by `change`; does nothing without one.
    #[must_use]
    pub(crate) fn with_entry(mut self, change: impl FnOnce(&mut Entry)) -> Self {
        if let Some(entry) = &mut self.entry {
            change(entry);
        }
        self
    }

    /// The same without the promise (SET) of the log.
    #[must_use]
    pub(crate) fn without_promise(self) -> Self {
        self.with_entry(|entry| entry.promise = None)
    }

    /// The same without the inclusion proof of the log.
    #[must_use]
    pub(crate) fn without_inclusion_proof(self) -> Self {
        self.with_entry(|entry| entry.proof = None)
    }

    /// The same with one bit of the promise flipped.
    #[must_use]
    pub(crate) fn with_broken_promise(self) -> Self {
        self.with_entry(|entry| *entry.promise.as_mut().unwrap().last_mut().unwrap() ^= 1)
    }

    /// The same with one hash of the inclusion proof replaced.
    #[must_use]
    pub(crate) fn with_broken_inclusion_proof(self) -> Self {
        self.with_entry(|entry| entry.proof.as_mut().unwrap().hashes[0] = Digest::of(b"another"))
    }

    /// The same with one bit of the checkpoint's signature flipped.
    #[must_use]
    pub(crate) fn with_broken_checkpoint(self) -> Self {
        self.with_entry(|entry| {
            let checkpoint = entry.proof.as_mut().unwrap().checkpoint.as_mut().unwrap();
            let (note, signature) = checkpoint.rsplit_once(' ').unwrap();
            let mut bytes = super::text::unbase64(signature.trim_end()).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            *checkpoint = format!("{note} {}\n", base64(bytes));
        })
    }
}
