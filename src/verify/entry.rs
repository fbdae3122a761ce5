//! Log entries and timestamps of what is not handed to sigstore-verify: signatures that it does not know (by P-384 and
//! P-521 keys, and Ed25519ph), and statements that are too large for it.
//!
//! It does the same, by the same means: every proof that came along must hold, and every entry must be about this
//! signature, by this key, of this message (CVE-2022-36056).

use aws_lc_rs::digest::Digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use sigstore_types::{
    DerCertificate, DerPublicKey, DigestBytes, HashAlgorithm, KindVersion, SignatureBytes, SignatureContent,
    TransparencyLogEntry,
};
use sigstore_verify::bundle::{ValidationOptions, validate_bundle_with_options};
use sigstore_verify::rekor::body::{DsseV001Body, IntotoV002Body, RekorEntryBody};

use crate::evidence::read_strictly;
use crate::trust::{Domain, KeyKind, PublicKey, Scheme, hash_of};
use crate::verify::defect::Defect;
use crate::verify::log::mismatch;
use crate::verify::signed::{Message, Signed};
use crate::verify::{FlawKind, log, stamp};

/// Whether sigstore-verify judges `signed`, made by the holder of `key` by `scheme`.
///
/// It keeps a statement as a tree of values, whoever signed it: a bill of materials is checked without.
///
/// Of P-384 keys it expects SHA-384 in envelopes and SHA-256 in log entries, and no signer does both. Of Rekor v2 it
/// reads entries of P-256 keys. `scheme` is asked for where it decides alone: telling it takes a check of the signature.
pub(in crate::verify) fn is_known_to_sigstore(
    signed: &Signed<'_>,
    key: &PublicKey,
    scheme: impl FnOnce() -> Option<Scheme>,
) -> bool {
    if signed.is_large() {
        return false;
    }
    let is_v2 = signed.log_entries().iter().any(|entry| entry.kind_version == KindVersion::HashedRekordV002);
    match key.kind() {
        KeyKind::P256 => true,
        KeyKind::Rsa { .. } => !is_v2,
        KeyKind::Ed25519 => !is_v2 && scheme() != Some(Scheme::Ed25519ph),
        KeyKind::P384 | KeyKind::P521 => false,
    }
}

/// Who signed, as entries name them.
#[derive(Debug, Clone, Copy)]
pub(in crate::verify) enum Holder<'a> {
    Certificate(&'a DerCertificate),
    Key(&'a DerPublicKey),
}

/// When `signed` was signed for sure, by what logs and timestamp authorities of `domain` say. Its signature was found to
/// be made by `scheme`, by `holder`.
///
/// # Errors
/// A [`Defect`] if one of its entries does not hold, or is about something else, or one of its timestamps by
/// [`stamp::times`].
pub(in crate::verify) fn times(
    domain: &Domain,
    signed: &Signed<'_>,
    scheme: Scheme,
    holder: Holder<'_>,
    now: Timestamp,
) -> Result<Vec<Timestamp>, Defect> {
    let options = ValidationOptions::new().with_require_inclusion_proof(!signed.log_entries().is_empty());
    validate_bundle_with_options(&signed.bundle, &options).map_err(Defect::from)?;
    check_digest(signed)?;
    let logged = Logged { signed, scheme, holder };
    let mut times = Vec::new();
    for entry in signed.log_entries() {
        logged.check(entry)?;
        times.extend(log::verify(domain, entry, now)?);
    }
    times.extend(stamp::times(domain, signed)?);
    Ok(times)
}

/// A bundle that says what it signed must say it right.
fn check_digest(signed: &Signed<'_>) -> Result<(), Defect> {
    let (SignatureContent::MessageSignature(message), Message::Manifest(bytes)) =
        (&signed.bundle.content, signed.message)
    else {
        return Ok(());
    };
    match &message.message_digest {
        Some(digest) if hash(digest.algorithm, &[bytes])?.as_ref() != digest.digest.as_bytes() => {
            Err(Defect::new(FlawKind::Subject, "its message digest is not that of the manifest"))
        }
        Some(_) | None => Ok(()),
    }
}

/// An entry of the kind `hashedrekord/0.0.2`. sigstore-verify's own type knows P-256 keys alone.
#[derive(Deserialize)]
struct BodyV2 {
    spec: SpecV2,
}

#[derive(Deserialize)]
struct SpecV2 {
    #[serde(rename = "hashedRekordV002")]
    entry: HashedRekord,
}

#[derive(Deserialize)]
struct HashedRekord {
    data: Data,
    signature: Signature,
}

#[derive(Deserialize)]
struct Data {
    algorithm: HashAlgorithm,
    digest: DigestBytes,
}

#[derive(Deserialize)]
struct Signature {
    content: SignatureBytes,
    verifier: Verifier,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verifier {
    x509_certificate: Option<Raw<DerCertificate>>,
    public_key: Option<Raw<DerPublicKey>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw<T> {
    raw_bytes: T,
}

/// What an entry must be about.
struct Logged<'a> {
    signed: &'a Signed<'a>,
    scheme: Scheme,
    holder: Holder<'a>,
}

impl Logged<'_> {
    fn check(&self, entry: &TransparencyLogEntry) -> Result<(), Defect> {
        if entry.kind_version == KindVersion::HashedRekordV002 {
            return self.check_v2(&read_strictly::<BodyV2>(entry.canonicalized_body.as_bytes())?.spec.entry);
        }
        let body = RekorEntryBody::parse(&entry.canonicalized_body, entry.kind_version)
            .map_err(|error| Defect::new(FlawKind::Malformed, format!("the log entry cannot be read: {error}")))?;
        match (&body, self.signed.envelope().is_some()) {
            (RekorEntryBody::HashedRekordV001(body), false) => {
                let (data, signature) = (&body.spec.data.hash, &body.spec.signature);
                self.check_hash(data.algorithm, &unhex(data.value.as_str())?)?;
                self.check_signature(signature.content.as_bytes())?;
                self.check_pem(signature.public_key.content.as_bytes())
            }
            (RekorEntryBody::DsseV001(body), true) => self.check_dsse(body),
            (RekorEntryBody::IntotoV002(body), true) => self.check_intoto(body),
            _ => Err(mismatch("it is of a kind that does not go with the signature")),
        }
    }

    fn check_v2(&self, HashedRekord { data, signature }: &HashedRekord) -> Result<(), Defect> {
        self.check_hash(data.algorithm, data.digest.as_bytes())?;
        self.check_signature(signature.content.as_bytes())?;
        let Verifier { x509_certificate, public_key } = &signature.verifier;
        let certificate = x509_certificate.as_ref().map(|certificate| &certificate.raw_bytes);
        self.check_holder(certificate, public_key.as_ref().map(|key| &key.raw_bytes))
    }

    fn check_dsse(&self, body: &DsseV001Body) -> Result<(), Defect> {
        let payload = &body.spec.payload_hash;
        self.check_payload(payload.algorithm, &unhex(&payload.value)?)?;
        let [signature] = body.spec.signatures.as_slice() else { return Err(mismatch("it has not one signature")) };
        self.check_signature(signature.signature.as_bytes())?;
        self.check_pem(signature.verifier.as_bytes())
    }

    fn check_intoto(&self, body: &IntotoV002Body) -> Result<(), Defect> {
        let content = &body.spec.content;
        let hash = content.payload_hash.value.decode().map_err(|error| mismatch(&error.to_string()))?;
        self.check_payload(content.payload_hash.algorithm, &hash)?;
        if self.signed.envelope().map(|envelope| &envelope.payload_type) != Some(&content.envelope.payload_type) {
            return Err(mismatch("it is about a payload of another type"));
        }
        let signatures = content.envelope.signatures.as_slice();
        let [signature] = signatures else { return Err(mismatch("it has not one signature")) };
        // In base64 twice over.
        let decoded = STANDARD.decode(signature.sig.as_bytes());
        self.check_signature(&decoded.map_err(|_| mismatch("its signature is not base64"))?)?;
        self.check_pem(signature.public_key.as_bytes())
    }

    fn check_hash(&self, algorithm: HashAlgorithm, digest: &[u8]) -> Result<(), Defect> {
        // A log checks the signature by the hash that it is given: any other is not of this signature.
        if Some(algorithm) != self.scheme.hash() {
            return Err(mismatch("it holds a hash of another kind than was signed"));
        }
        let message = self.signed.covered().ok_or_else(|| mismatch("there is no message"))?;
        if hash(algorithm, &message.parts())?.as_ref() == digest {
            Ok(())
        } else {
            Err(mismatch("it is about something else"))
        }
    }

    fn check_payload(&self, algorithm: HashAlgorithm, digest: &[u8]) -> Result<(), Defect> {
        let payload = self.signed.envelope().map(|envelope| envelope.payload.as_bytes());
        let payload = payload.ok_or_else(|| mismatch("it is about an attestation, and this is none"))?;
        let is_same = match self.signed.payload_digest().filter(|_| algorithm == HashAlgorithm::Sha2256) {
            Some(known) => known.as_bytes() == digest,
            None => hash(algorithm, &[payload])?.as_ref() == digest,
        };
        if is_same { Ok(()) } else { Err(mismatch("it is about another payload")) }
    }

    fn check_signature(&self, logged: &[u8]) -> Result<(), Defect> {
        if self.signed.signature() == logged { Ok(()) } else { Err(mismatch("it is about another signature")) }
    }

    fn check_pem(&self, pem: &[u8]) -> Result<(), Defect> {
        let pem = std::str::from_utf8(pem).map_err(|_| mismatch("its key is not PEM"))?;
        let (certificate, key) = (DerCertificate::from_pem(pem).ok(), DerPublicKey::from_pem(pem).ok());
        self.check_holder(certificate.as_ref(), key.as_ref())
    }

    fn check_holder(&self, certificate: Option<&DerCertificate>, key: Option<&DerPublicKey>) -> Result<(), Defect> {
        match (self.holder, certificate, key) {
            (Holder::Certificate(leaf), Some(certificate), None) if certificate == leaf => Ok(()),
            (Holder::Key(holder), None, Some(key)) if key == holder => Ok(()),
            (Holder::Certificate(_), ..) => Err(mismatch("it names another certificate")),
            (Holder::Key(_), ..) => Err(mismatch("it names another key")),
        }
    }
}

fn hash(algorithm: HashAlgorithm, message: &[&[u8]]) -> Result<Digest, Defect> {
    hash_of(algorithm, message).ok_or_else(|| {
        Defect::new(FlawKind::Unsupported, format!("hashes of the algorithm {algorithm} are not supported"))
    })
}

fn unhex(text: &str) -> Result<Vec<u8>, Defect> {
    hex::decode(text).map_err(|_| mismatch("its hash is not hexadecimal"))
}
