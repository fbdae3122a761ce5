//! Layers of cosign 1 and 2 (`.sig`, `.att`), rewritten as the bundle that they would be today, so that one verifier
//! judges them all.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use sigstore_types::{
    Bundle, CanonicalizedBody, DerCertificate, DsseEnvelope, HashAlgorithm, InclusionPromise, KindVersion, LogId,
    LogIndex, LogKeyId, MediaType, MessageDigest, MessageSignature, PublicKeyIdentifier, Rfc3161Timestamp,
    SignatureBytes, SignatureContent, SignedTimestamp, TimestampToken, TimestampVerificationData, TransparencyLogEntry,
    VerificationMaterial, VerificationMaterialContent, X509Certificate,
};

use crate::evidence::{CosignMaterial, read_strictly};
use crate::oci::Digest;
use crate::verify::FlawKind;
use crate::verify::bundle::EnvelopeOutline;
use crate::verify::defect::Defect;

/// A `.sig` layer: `signature` (base64) over `payload`.
pub(in crate::verify) fn signature(
    payload: &[u8],
    signature: &str,
    material: &CosignMaterial,
) -> Result<Bundle, Defect> {
    // cosign 1 and 2 hash with SHA-256 whatever the key; the digest says so to the verifier.
    let digest = MessageDigest::new(HashAlgorithm::Sha2256, Digest::of(payload).as_bytes().as_slice().into());
    let signature = SignatureBytes::new(base64(signature, "the signature")?);
    let content = MessageSignature::new(signature).with_message_digest(digest);
    bundle(SignatureContent::MessageSignature(content), material)
}

/// A `.att` layer: a DSSE envelope.
pub(in crate::verify) fn attestation(envelope: &[u8], material: &CosignMaterial) -> Result<Bundle, Defect> {
    read_strictly::<EnvelopeOutline>(envelope)?.check()?;
    let envelope: DsseEnvelope = serde_json::from_slice(envelope)
        .map_err(|error| malformed(format!("the layer is not a DSSE envelope: {error}")))?;
    bundle(SignatureContent::DsseEnvelope(envelope), material)
}

/// With a log entry this is v0.1, where the promise is a must and a proof is not. Without one it is v0.2, which a trust
/// domain may accept by its timestamp alone.
fn bundle(content: SignatureContent, material: &CosignMaterial) -> Result<Bundle, Defect> {
    let entry = material.log_entry.as_deref().map(log_entry).transpose()?;
    let timestamp = material.timestamp.as_deref().map(timestamp).transpose()?;
    let version = if entry.is_some() { MediaType::Bundle0_1 } else { MediaType::Bundle0_2 };
    let material = VerificationMaterial::new(signer(material)?)
        .with_tlog_entries(entry.into_iter().collect())
        .with_timestamp_verification_data(TimestampVerificationData::new(timestamp.into_iter().collect()));
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

/// An entry as Rekor v1 signs it in its promise.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    body: String,
    integrated_time: i64,
    log_index: i64,
    #[serde(rename = "logID")]
    log_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    kind: String,
    api_version: String,
}

fn log_entry(annotation: &str) -> Result<TransparencyLogEntry, Defect> {
    let CosignBundle { signed_entry_timestamp, payload } = read_strictly(annotation.as_bytes())?;
    let body = base64(&payload.body, "the body of the log entry")?;
    let kind = kind(&read_strictly(&body)?)?;
    let promise = SignedTimestamp::new(base64(&signed_entry_timestamp, "the promise of the log")?);
    let index = LogIndex::try_from(payload.log_index).map_err(|_| malformed("the log index is negative"))?;
    let log = hex::decode(&payload.log_id).map_err(|_| malformed("the log's name is not hexadecimal"))?;
    let time = Timestamp::from_second(payload.integrated_time)
        .map_err(|_| malformed("the time of the log entry is out of range"))?;
    let entry = TransparencyLogEntry::new(index, LogId::new(LogKeyId::new(log)), kind, CanonicalizedBody::new(body));
    Ok(entry.with_integrated_time(time).with_inclusion_promise(InclusionPromise::new(promise)))
}

/// The kind is read from the body, which the log has signed, and not from what stands beside it.
fn kind(body: &Body) -> Result<KindVersion, Defect> {
    match (body.kind.as_str(), body.api_version.as_str()) {
        ("hashedrekord", "0.0.1") => Ok(KindVersion::HashedRekordV001),
        ("dsse", "0.0.1") => Ok(KindVersion::DsseV001),
        ("intoto", "0.0.2") => Ok(KindVersion::IntotoV002),
        (kind, version) => {
            let text = format!("log entries of kind {kind}/{version} are not supported");
            Err(Defect::new(FlawKind::Unsupported, text))
        }
    }
}

/// The annotation `dev.sigstore.cosign/rfc3161timestamp`.
#[derive(Deserialize)]
struct CosignTimestamp {
    #[serde(rename = "SignedRFC3161Timestamp")]
    token: String,
}

fn timestamp(annotation: &str) -> Result<Rfc3161Timestamp, Defect> {
    let CosignTimestamp { token } = read_strictly(annotation.as_bytes())?;
    Ok(Rfc3161Timestamp::new(TimestampToken::new(base64(&token, "the signed timestamp")?)))
}

/// Decodes base64 that may be wrapped.
fn base64(text: &str, what: &str) -> Result<Vec<u8>, Defect> {
    let packed: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(packed).map_err(|_| malformed(format!("{what} is not base64")))
}

fn malformed(text: impl Into<String>) -> Defect {
    Defect::new(FlawKind::Malformed, text)
}
