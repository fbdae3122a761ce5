//! Entries of Rekor v1 of the kind `intoto/0.0.1`: attestations by cosign until August 2023, and all of
//! slsa-github-generator before v1.10.
//!
//! Such an entry holds the hash of the whole envelope, so it names payload and signature at once. Nothing but its
//! promise (SET) says that it is in the log.

use jiff::Timestamp;
use serde::Deserialize;
use sigstore_types::{DerCertificate, DerPublicKey};

use crate::evidence::read_strictly;
use crate::oci::Digest;
use crate::trust::Domain;
use crate::verify::defect::Defect;
use crate::verify::layer::{Payload, base64};
use crate::verify::log::mismatch;
use crate::verify::signed::Signed;
use crate::verify::{FlawKind, log};

/// An entry, read. Neither its promise nor what it is about was checked.
#[derive(Debug)]
pub(in crate::verify) struct Entry {
    /// The layer beside which it was found.
    layer: Digest,
    spec: Spec,
    /// The PEM that it holds: a certificate or a public key.
    verifier: String,
    log: Vec<u8>,
    time: Timestamp,
    /// What the promise covers.
    covered: Vec<u8>,
    promise: Vec<u8>,
}

#[derive(Deserialize)]
struct Body {
    spec: Spec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    content: Hashes,
    public_key: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hashes {
    /// Of the envelope.
    hash: Hash,
    /// Of the payload in it; the first entries of this kind have none.
    payload_hash: Option<Hash>,
}

#[derive(Debug, Deserialize)]
struct Hash {
    algorithm: String,
    value: String,
}

impl Entry {
    /// The entry with this `body`, which came with `layer`.
    pub(in crate::verify) fn read(
        layer: &[u8],
        body: &[u8],
        payload: &Payload,
        promise: Vec<u8>,
    ) -> Result<Self, Defect> {
        let Body { spec } = read_strictly(body)?;
        let verifier = String::from_utf8(base64(&spec.public_key, "the public key of the log entry")?)
            .map_err(|_| Defect::new(FlawKind::Malformed, "the public key of the log entry is not PEM"))?;
        Ok(Self {
            layer: Digest::of(layer),
            spec,
            verifier,
            log: payload.log()?,
            time: payload.time()?,
            covered: payload.covered()?,
            promise,
        })
    }

    /// The ID of the log that it names.
    pub(in crate::verify) fn log(&self) -> &[u8] {
        &self.log
    }

    /// When a log of `domain` took it in.
    ///
    /// # Errors
    /// [`FlawKind::Log`] unless it was promised by the key that this log had then.
    pub(in crate::verify) fn promised(&self, domain: &Domain) -> Result<Timestamp, Defect> {
        log::promised(domain, &self.log, self.time, &self.covered, &self.promise).map(|()| self.time)
    }

    /// Whether it is about the layer that it came with, signed by the holder of `leaf`.
    ///
    /// # Errors
    /// [`FlawKind::Log`] if not.
    pub(in crate::verify) fn check_certificate(
        &self,
        signed: &Signed<'_>,
        leaf: &DerCertificate,
    ) -> Result<(), Defect> {
        self.check_hashes(signed)?;
        match DerCertificate::from_pem(&self.verifier) {
            Ok(certificate) if certificate == *leaf => Ok(()),
            Ok(_) | Err(_) => Err(mismatch("it names another certificate")),
        }
    }

    /// Whether it is about the layer that it came with, signed by the holder of `key`.
    ///
    /// # Errors
    /// [`FlawKind::Log`] if not.
    pub(in crate::verify) fn check_key(&self, signed: &Signed<'_>, key: &DerPublicKey) -> Result<(), Defect> {
        self.check_hashes(signed)?;
        match DerPublicKey::from_pem(&self.verifier) {
            Ok(logged) if logged == *key => Ok(()),
            Ok(_) | Err(_) => Err(mismatch("it names another key")),
        }
    }

    fn check_hashes(&self, signed: &Signed<'_>) -> Result<(), Defect> {
        let Hashes { hash, payload_hash } = &self.spec.content;
        if !hash.is(self.layer) {
            return Err(mismatch("it is about another attestation"));
        }
        let payload = signed.payload_digest();
        match (payload_hash, payload) {
            (Some(hash), Some(payload)) if !hash.is(payload) => Err(mismatch("it is about another payload")),
            (_, None) => Err(mismatch("it is about an attestation, and this is none")),
            (_, Some(_)) => Ok(()),
        }
    }
}

impl Hash {
    fn is(&self, digest: Digest) -> bool {
        self.algorithm == "sha256" && self.value == digest.hex()
    }
}
