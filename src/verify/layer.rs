//! Layers of cosign 1 and 2 (`.sig`, `.att`), rewritten as the bundle that they would be today, so that one verifier
//! judges them all.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sigstore_types::{
    Bundle, CanonicalizedBody, DerCertificate, HashAlgorithm, InclusionPromise, KindVersion, LogId, LogIndex, LogKeyId,
    MediaType, MessageDigest, MessageSignature, PublicKeyIdentifier, Rfc3161Timestamp, SignatureBytes,
    SignatureContent, SignedTimestamp, TimestampToken, TimestampVerificationData, TransparencyLogEntry,
    VerificationMaterial, VerificationMaterialContent, X509Certificate,
};

use crate::evidence::{CosignMaterial, read_strictly};
use crate::oci::Digest;
use crate::verify::defect::{Defect, malformed};
use crate::verify::envelope::Envelope;
use crate::verify::witness::Witness;
use crate::verify::{FlawKind, intoto};

/// A layer, rewritten.
#[derive(Debug)]
pub(in crate::verify) struct Rewritten {
    pub(in crate::verify) bundle: Bundle,
    /// What speaks for the layer as a whole, in a way that bundles do not know.
    pub(in crate::verify) witness: Option<Witness>,
}

/// A `.sig` layer: `signature` (base64) over `payload`.
pub(in crate::verify) fn signature(
    payload: &[u8],
    signature: &str,
    material: &CosignMaterial,
) -> Result<Rewritten, Defect> {
    // cosign 1 and 2 hash with SHA-256 whatever the key; the digest says so to the verifier.
    let digest = MessageDigest::new(HashAlgorithm::Sha2256, Digest::of(payload).as_bytes().as_slice().into());
    let signature = SignatureBytes::new(base64(signature, "the signature")?);
    let content = MessageSignature::new(signature).with_message_digest(digest);
    let timestamp = material.timestamp.as_deref().map(timestamp).transpose()?;
    let entry = match material.log_entry.as_deref().map(|entry| log_entry(payload, entry)).transpose()? {
        Some(Entry::Intoto(_)) => return Err(unsupported("intoto", "0.0.1, for a signature")),
        Some(Entry::Bundled(entry)) => Some(entry),
        None => None,
    };
    let content = SignatureContent::MessageSignature(content);
    Ok(Rewritten { bundle: bundle(content, material, entry, timestamp)?, witness: None })
}

/// A `.att` layer: a DSSE envelope.
///
/// Its timestamp is one of the layer as a whole, not of the signature in it; beside a log entry, which has a time of
/// its own, it adds nothing and is not looked at.
pub(in crate::verify) fn attestation(layer: &Bytes, material: &CosignMaterial) -> Result<Rewritten, Defect> {
    let envelope = read_strictly::<Envelope<'_>>(layer).map_err(|error| Defect::from(error).within("the envelope"))?;
    let envelope = envelope.decode()?;
    let timestamp = material.timestamp.as_deref().map(timestamp).transpose()?;
    let entry = material.log_entry.as_deref().map(|entry| log_entry(layer, entry)).transpose()?;
    let (entry, witness) = match (entry, timestamp) {
        (Some(Entry::Bundled(entry)), _) => (Some(entry), None),
        (Some(Entry::Intoto(entry)), _) => (None, Some(Witness::Entry(Box::new(entry)))),
        (None, Some(token)) => (None, Some(Witness::Timestamp { token, layer: layer.clone() })),
        (None, None) => (None, None),
    };
    Ok(Rewritten { bundle: bundle(SignatureContent::DsseEnvelope(envelope), material, entry, None)?, witness })
}

/// With a log entry this is v0.1, where the promise is a must and a proof is not. Without one it is v0.2, which a trust
/// domain may accept by its timestamp alone.
fn bundle(
    content: SignatureContent,
    material: &CosignMaterial,
    entry: Option<TransparencyLogEntry>,
    timestamp: Option<TimestampToken>,
) -> Result<Bundle, Defect> {
    let version = if entry.is_some() { MediaType::Bundle0_1 } else { MediaType::Bundle0_2 };
    let timestamps = timestamp.into_iter().map(Rfc3161Timestamp::new).collect();
    let material = VerificationMaterial::new(signer(material)?)
        .with_tlog_entries(entry.into_iter().collect())
        .with_timestamp_verification_data(TimestampVerificationData::new(timestamps));
    Ok(Bundle::new(version, material, content))
}

/// The leaf alone: the chain annotation is unsigned, and the trusted root knows the authorities.
fn signer(material: &CosignMaterial) -> Result<VerificationMaterialContent, Defect> {
    let Some(pem) = &material.certificate else {
        return Ok(VerificationMaterialContent::PublicKey(PublicKeyIdentifier::new("")));
    };
    let certificate = DerCertificate::from_pem(pem)
        .map_err(|error| malformed(format!("the certificate annotation cannot be read: {error}")))?;
    Ok(VerificationMaterialContent::X509CertificateChain { certificates: vec![X509Certificate::new(certificate)] })
}

/// The annotation `dev.sigstore.cosign/bundle`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CosignBundle {
    signed_entry_timestamp: String,
    payload: Payload,
}

/// An entry as Rekor v1 signs it in its promise: these fields, in this order (RFC 8785).
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::verify) struct Payload {
    body: String,
    integrated_time: i64,
    #[serde(rename = "logID")]
    log_id: String,
    log_index: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    kind: String,
    api_version: String,
}

/// A log entry, by who can check it.
enum Entry {
    Bundled(TransparencyLogEntry),
    Intoto(intoto::Entry),
}

/// The kind is read from the body, which the log has signed, and not from what stands beside it.
fn log_entry(layer: &[u8], annotation: &str) -> Result<Entry, Defect> {
    let CosignBundle { signed_entry_timestamp, payload } = read_strictly(annotation.as_bytes())?;
    let body = base64(&payload.body, "the body of the log entry")?;
    let promise = base64(&signed_entry_timestamp, "the promise of the log")?;
    let Body { kind, api_version } = read_strictly(&body)?;
    let kind = match (kind.as_str(), api_version.as_str()) {
        ("hashedrekord", "0.0.1") => KindVersion::HashedRekordV001,
        ("dsse", "0.0.1") => KindVersion::DsseV001,
        ("intoto", "0.0.2") => KindVersion::IntotoV002,
        ("intoto", "0.0.1") => return intoto::Entry::read(layer, &body, &payload, promise).map(Entry::Intoto),
        (kind, version) => return Err(unsupported(kind, version)),
    };
    let index = LogIndex::try_from(payload.log_index).map_err(|_| malformed("the log index is negative"))?;
    let log = LogId::new(LogKeyId::new(payload.log()?));
    let promise = InclusionPromise::new(SignedTimestamp::new(promise));
    let entry = TransparencyLogEntry::new(index, log, kind, CanonicalizedBody::new(body));
    Ok(Entry::Bundled(entry.with_integrated_time(payload.time()?).with_inclusion_promise(promise)))
}

impl Payload {
    /// What a log promises with `entry`, taken in at `time`.
    pub(in crate::verify) fn of(entry: &TransparencyLogEntry, time: Timestamp) -> Self {
        Self {
            body: STANDARD.encode(entry.canonicalized_body.as_bytes()),
            integrated_time: time.as_second(),
            log_id: hex::encode(entry.log_id.key_id.as_bytes()),
            log_index: entry.log_index.as_i64(),
        }
    }

    /// What the promise covers.
    pub(in crate::verify) fn covered(&self) -> Result<Vec<u8>, Defect> {
        serde_json::to_vec(self).map_err(|error| malformed(format!("the log entry cannot be read: {error}")))
    }

    /// When the log says that it took the entry in.
    pub(in crate::verify) fn time(&self) -> Result<Timestamp, Defect> {
        Timestamp::from_second(self.integrated_time).map_err(|_| malformed("the time of the log entry is out of range"))
    }

    /// The SHA-256 of the log's key.
    pub(in crate::verify) fn log(&self) -> Result<Vec<u8>, Defect> {
        hex::decode(&self.log_id).map_err(|_| malformed("the log's name is not hexadecimal"))
    }
}

/// The annotation `dev.sigstore.cosign/rfc3161timestamp`.
#[derive(Deserialize)]
struct CosignTimestamp {
    #[serde(rename = "SignedRFC3161Timestamp")]
    token: String,
}

fn timestamp(annotation: &str) -> Result<TimestampToken, Defect> {
    let CosignTimestamp { token } = read_strictly(annotation.as_bytes())?;
    Ok(TimestampToken::new(base64(&token, "the signed timestamp")?))
}

/// Decodes base64 that may be wrapped.
pub(in crate::verify) fn base64(text: &str, what: &str) -> Result<Vec<u8>, Defect> {
    let packed: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(packed).map_err(|_| malformed(format!("{what} is not base64")))
}

fn unsupported(kind: &str, version: &str) -> Defect {
    Defect::new(FlawKind::Unsupported, format!("log entries of kind {kind}/{version} are not supported"))
}
