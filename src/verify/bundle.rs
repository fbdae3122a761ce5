//! Sigstore bundles v0.1 to v0.3: counted and held against the format before anything in them is believed or computed.

use serde::Deserialize;
use serde::de::IgnoredAny;
use sigstore_types::{
    Bundle, MediaType, MessageSignature, SignatureContent, VerificationMaterial, VerificationMaterialContent,
};

use crate::evidence::read_strictly;
use crate::limits;
use crate::verify::defect::{Defect, malformed};
use crate::verify::envelope::{self, Envelope};
use crate::verify::{FlawKind, budget};

/// The entries of Rekor that the verifier knows.
const ENTRIES: [(&str, &str); 4] =
    [("hashedrekord", "0.0.1"), ("hashedrekord", "0.0.2"), ("dsse", "0.0.1"), ("intoto", "0.0.2")];

/// The bundle whose JSON is `json`.
///
/// # Errors
/// A [`Defect`] if it is not strict JSON, beyond the limits, of another version or entry kind than is known, or gives
/// two fields of which the format allows one.
pub(in crate::verify) fn read(json: &[u8]) -> Result<Bundle, Defect> {
    budget::check(json)?;
    read_strictly::<Outline>(json)?.check()?;
    let parts: Parts<'_> =
        serde_json::from_slice(json).map_err(|error| malformed(format!("not a Sigstore bundle: {error}")))?;
    Ok(settle_version(parts.join()?))
}

/// The parts of a bundle.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parts<'a> {
    media_type: MediaType,
    verification_material: VerificationMaterial,
    message_signature: Option<MessageSignature>,
    #[serde(borrow)]
    dsse_envelope: Option<Envelope<'a>>,
}

impl Parts<'_> {
    fn join(self) -> Result<Bundle, Defect> {
        let content = match (self.message_signature, self.dsse_envelope) {
            (Some(signature), None) => SignatureContent::MessageSignature(signature),
            (None, Some(envelope)) => SignatureContent::DsseEnvelope(envelope.decode()?),
            (Some(_), Some(_)) | (None, None) => return Err(malformed("the bundle has not one content")),
        };
        Ok(Bundle::new(self.media_type, self.verification_material, content))
    }
}

/// What a bundle is made of, without its content.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    media_type: Option<String>,
    verification_material: Option<MaterialOutline>,
    message_signature: Option<IgnoredAny>,
    dsse_envelope: Option<envelope::Outline>,
}

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

impl Outline {
    fn check(&self) -> Result<(), Defect> {
        check_version(self.media_type.as_deref())?;
        let contents = [self.message_signature.is_some(), self.dsse_envelope.is_some()];
        exactly_one(&contents, "messageSignature and dsseEnvelope")?;
        if let Some(envelope) = &self.dsse_envelope {
            envelope.check()?;
        }
        let material = self.verification_material.as_ref();
        material.ok_or_else(|| malformed("the bundle has no verificationMaterial"))?.check()
    }
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

fn check_version(media_type: Option<&str>) -> Result<(), Defect> {
    let media_type = media_type.ok_or_else(|| malformed("the bundle has no mediaType"))?;
    let known = media_type.parse::<MediaType>().map(drop);
    known.map_err(|_| unsupported(format!("bundles of type {media_type:?} are not supported")))
}

fn exactly_one(present: &[bool], what: &str) -> Result<(), Defect> {
    match present.iter().filter(|present| **present).count() {
        1 => Ok(()),
        count => Err(malformed(format!("the bundle has {count} of {what}, exactly one is allowed"))),
    }
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
