//! DSSE envelopes, read without a copy of their base64: that of a bill of materials is nearly all of it.

use std::fmt;

use base64::{DecodeError, Engine};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use sigstore_types::{DsseEnvelope, DsseSignature, PayloadBytes};

use crate::evidence::unquoted;
use crate::verify::defect::{Defect, malformed};

/// An envelope as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::verify) struct Envelope<'a> {
    payload_type: String,
    #[serde(borrow)]
    payload: &'a RawValue,
    #[serde(default)]
    signatures: Signatures,
}

impl Envelope<'_> {
    /// The same with its payload decoded.
    ///
    /// # Errors
    /// A [`Defect`] if it has not one signature, or its payload is not base64.
    pub(in crate::verify) fn decode(self) -> Result<DsseEnvelope, Defect> {
        let signature = self.signatures.only()?;
        let payload = decoded(&unquoted(self.payload)?)
            .map_err(|error| malformed(format!("the payload of the envelope cannot be read: {error}")))?;
        Ok(DsseEnvelope::new(self.payload_type, payload, signature))
    }
}

/// By the alphabet that nearly all write; what it does not fit is looked at for another one.
fn decoded(text: &str) -> Result<PayloadBytes, sigstore_types::Error> {
    decoded_as_usual(text).map(PayloadBytes::new).or_else(|_| PayloadBytes::from_base64(text))
}

/// Dozens of bytes at a time, where the library knows how to.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn decoded_as_usual(text: &str) -> Result<Vec<u8>, DecodeError> {
    use base64::engine::Simd;
    use base64::engine::general_purpose::PAD;

    Simd::standard(PAD).decode(text)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn decoded_as_usual(text: &str) -> Result<Vec<u8>, DecodeError> {
    base64::engine::general_purpose::STANDARD.decode(text)
}

/// The first of the signatures of an envelope, and how many there are.
#[derive(Default)]
struct Signatures {
    first: Option<DsseSignature>,
    count: usize,
}

impl Signatures {
    /// Log entries and timestamps vouch for one signature; with two, they could vouch for the other one.
    fn only(self) -> Result<DsseSignature, Defect> {
        let Self { first, count } = self;
        let only = first.filter(|_| count == 1);
        only.ok_or_else(|| malformed(format!("the envelope has {count} signatures, exactly one is allowed")))
    }
}

impl<'de> Deserialize<'de> for Signatures {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SignaturesVisitor)
    }
}

struct SignaturesVisitor;

impl<'de> Visitor<'de> for SignaturesVisitor {
    type Value = Signatures;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of signatures")
    }

    fn visit_unit<E>(self) -> Result<Signatures, E> {
        Ok(Signatures::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Signatures, A::Error> {
        let Some(first) = elements.next_element()? else { return Ok(Signatures::default()) };
        let mut count = 1;
        while elements.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Signatures { first: Some(first), count })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_payload_is_decoded_as_every_other_part(text in "[A-Za-z0-9+/]{0,120}={0,3}|[A-Za-z0-9+/_=-]{0,40}|[A-Za-z0-9+/]{96}.{0,40}") {
            prop_assert_eq!(decoded(&text).ok(), PayloadBytes::from_base64(&text).ok());
        }
    }
}
