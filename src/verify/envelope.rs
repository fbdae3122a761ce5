//! DSSE envelopes, read without a copy of their base64: that of a bill of materials is nearly all of it.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use sigstore_types::{DsseEnvelope, DsseSignature, PayloadBytes};

use crate::evidence::unquoted;
use crate::verify::defect::{Defect, malformed};

/// What an envelope is made of, without its payload.
#[derive(Deserialize)]
pub(in crate::verify) struct Outline {
    signatures: Option<Vec<IgnoredAny>>,
}

impl Outline {
    /// Log entries and timestamps vouch for one signature; with two, they could vouch for the other one.
    pub(in crate::verify) fn check(&self) -> Result<(), Defect> {
        match self.signatures.as_ref().map_or(0, Vec::len) {
            1 => Ok(()),
            count => Err(malformed(format!("the envelope has {count} signatures, exactly one is allowed"))),
        }
    }
}

/// An envelope whose [`Outline`] was checked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::verify) struct Envelope<'a> {
    payload_type: String,
    /// As it is written.
    #[serde(borrow)]
    payload: &'a RawValue,
    signatures: [DsseSignature; 1],
}

impl Envelope<'_> {
    /// The same with its payload decoded.
    ///
    /// # Errors
    /// A [`Defect`] if the payload is not base64.
    pub(in crate::verify) fn decode(self) -> Result<DsseEnvelope, Defect> {
        let payload = PayloadBytes::from_base64(&unquoted(self.payload.get())?)
            .map_err(|error| malformed(format!("the payload of the envelope cannot be read: {error}")))?;
        let [signature] = self.signatures;
        Ok(DsseEnvelope::new(self.payload_type, payload, signature))
    }
}
