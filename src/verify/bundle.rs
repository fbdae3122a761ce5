//! Sigstore bundles v0.1 to v0.3: counted and held against the format before anything in them is believed or computed.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use sigstore_types::{
    Bundle, MediaType, MessageSignature, SignatureContent, VerificationMaterial, VerificationMaterialContent,
};

use crate::evidence::read_strictly;
use crate::limits;
use crate::verify::FlawKind;
use crate::verify::defect::{Defect, malformed};
use crate::verify::envelope::Envelope;

/// The entries of Rekor that the verifier knows.
const ENTRIES: [(&str, &str); 4] =
    [("hashedrekord", "0.0.1"), ("hashedrekord", "0.0.2"), ("dsse", "0.0.1"), ("intoto", "0.0.2")];

/// The bundle whose JSON is `json`.
///
/// # Errors
/// A [`Defect`] if it is not strict JSON, beyond the limits, of another version or entry kind than is known, or gives
/// two fields of which the format allows one.
pub(in crate::verify) fn read(json: &[u8]) -> Result<Bundle, Defect> {
    Ok(settle_version(read_strictly::<Parts<'_>>(json)?.join()?))
}

/// The parts of a bundle.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parts<'a> {
    media_type: Option<String>,
    #[serde(borrow)]
    verification_material: Option<&'a RawValue>,
    message_signature: Option<MessageSignature>,
    #[serde(borrow)]
    dsse_envelope: Option<Envelope<'a>>,
}

impl Parts<'_> {
    fn join(self) -> Result<Bundle, Defect> {
        let version = version(self.media_type.as_deref())?;
        let material = self.verification_material.ok_or_else(|| malformed("the bundle has no verificationMaterial"))?;
        let material = read_material(material)?;
        let content = match (self.message_signature, self.dsse_envelope) {
            (Some(signature), None) => SignatureContent::MessageSignature(signature),
            (None, Some(envelope)) => SignatureContent::DsseEnvelope(envelope.decode()?),
            (signature, envelope) => {
                let contents = [signature.is_some(), envelope.is_some()];
                return Err(not_one(&contents, "messageSignature and dsseEnvelope"));
            }
        };
        Ok(Bundle::new(version, material, content))
    }
}

/// Counted before any of it is kept.
fn read_material(written: &RawValue) -> Result<VerificationMaterial, Defect> {
    read_strictly::<MaterialOutline>(written.get().as_bytes())?.check()?;
    serde_json::from_str(written.get())
        .map_err(|error| malformed(format!("not the verificationMaterial of a bundle: {error}")))
}

/// What verification material is made of.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MaterialOutline {
    certificate: Option<IgnoredAny>,
    x509_certificate_chain: Option<ChainOutline>,
    public_key: Option<IgnoredAny>,
    tlog_entries: Option<Vec<EntryOutline>>,
    timestamp_verification_data: Option<TimestampOutline>,
}

#[derive(Deserialize)]
struct ChainOutline {
    certificates: Option<Vec<IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntryOutline {
    kind_version: Option<KindVersion>,
}

#[derive(Deserialize)]
struct KindVersion {
    kind: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TimestampOutline {
    rfc3161_timestamps: Option<Vec<IgnoredAny>>,
}

impl MaterialOutline {
    fn check(&self) -> Result<(), Defect> {
        let chain = self.x509_certificate_chain.as_ref();
        let materials = [self.certificate.is_some(), chain.is_some(), self.public_key.is_some()];
        exactly_one(&materials, "certificate, x509CertificateChain and publicKey")?;
        let certificates = chain.and_then(|chain| chain.certificates.as_ref());
        at_most(limits::CERTIFICATES, certificates.map_or(0, Vec::len), "certificates")?;
        let timestamps = self.timestamp_verification_data.as_ref().and_then(|data| data.rfc3161_timestamps.as_ref());
        at_most(limits::TIMESTAMPS, timestamps.map_or(0, Vec::len), "signed timestamps")?;
        let entries = self.tlog_entries.as_deref().unwrap_or_default();
        at_most(limits::LOG_ENTRIES, entries.len(), "log entries")?;
        entries.iter().filter_map(|entry| entry.kind_version.as_ref()).try_for_each(KindVersion::check)
    }
}

impl KindVersion {
    fn check(&self) -> Result<(), Defect> {
        if ENTRIES.contains(&(self.kind.as_str(), self.version.as_str())) {
            return Ok(());
        }
        Err(unsupported(format!("log entries of kind {}/{} are not supported", self.kind, self.version)))
    }
}

fn version(media_type: Option<&str>) -> Result<MediaType, Defect> {
    let media_type = media_type.ok_or_else(|| malformed("the bundle has no mediaType"))?;
    media_type.parse().map_err(|_| unsupported(format!("bundles of type {media_type:?} are not supported")))
}

fn exactly_one(present: &[bool], what: &str) -> Result<(), Defect> {
    if present.iter().filter(|present| **present).count() == 1 { Ok(()) } else { Err(not_one(present, what)) }
}

fn not_one(present: &[bool], what: &str) -> Defect {
    let count = present.iter().filter(|present| **present).count();
    malformed(format!("the bundle has {count} of {what}, exactly one is allowed"))
}

fn at_most(limit: usize, count: usize, what: &str) -> Result<(), Defect> {
    if count <= limit {
        return Ok(());
    }
    Err(Defect::new(FlawKind::TooMuch, format!("it has {count} {what}, at most {limit} are looked at")))
}

/// The bundle, held to the version that it is written in rather than to the one that it claims.
///
/// The media type is not signed. A `certificate` exists since v0.3 only, where an inclusion proof is a must: relabelled
/// v0.1, it would pass with a promise. An honest v0.1 may hold a proof without checkpoint, which proves nothing and is
/// dropped; its promise must then do.
fn settle_version(mut bundle: Bundle) -> Bundle {
    if matches!(bundle.verification_material.content, VerificationMaterialContent::Certificate(_)) {
        bundle.media_type = MediaType::Bundle0_3;
    }
    if bundle.media_type == MediaType::Bundle0_1 {
        for entry in &mut bundle.verification_material.tlog_entries {
            entry.inclusion_proof = entry.inclusion_proof.take().filter(|proof| !proof.checkpoint.is_empty());
        }
    }
    bundle
}

fn unsupported(text: impl Into<String>) -> Defect {
    Defect::new(FlawKind::Unsupported, text)
}
