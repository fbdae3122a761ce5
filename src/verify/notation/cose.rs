//! COSE envelopes (`signature-envelope-cose.md`): `COSE_Sign1_Tagged` of RFC 9052.

use coset::cbor::value::Value;
use coset::{ContentType, CoseSign1, Header, Label, RegisteredLabelWithPrivate, TaggedCborSerializable, iana};
use jiff::Timestamp;

use crate::verify::FlawKind;
use crate::verify::defect::{Defect, malformed};
use crate::verify::notation::Envelope;
use crate::verify::notation::algorithm::Algorithm;
use crate::verify::notation::attributes::{AUTHENTIC_TIME, EXPIRY, SCHEME, SIGNING_TIME, Stated};

const TIMESTAMP: &str = "io.cncf.notary.timestampSignature";
/// `x5chain` (RFC 9360, 2).
const CHAIN: i64 = 33;
/// Seconds since 1970 (RFC 8949, 3.4.2).
const EPOCH_TIME: u64 = 1;

/// Reads an envelope.
///
/// # Errors
/// A [`Defect`] if it is none, or says what cannot be honoured.
pub(super) fn read(cbor: &[u8]) -> Result<Envelope, Defect> {
    let sign1 = CoseSign1::from_tagged_slice(cbor)
        .map_err(|error| malformed(format!("the envelope is not a COSE_Sign1: {error}")))?;
    // By the bytes of the protected header as they came, however they are encoded.
    let covered = sign1.tbs_data(&[]);
    let (protected, unprotected) = (sign1.protected.header, sign1.unprotected);
    let stated = Stated {
        content_type: content_type(&protected),
        scheme: text(&protected, SCHEME)?,
        signing_time: time(&protected, SIGNING_TIME)?,
        authentic_time: time(&protected, AUTHENTIC_TIME)?,
        expiry: time(&protected, EXPIRY)?,
        critical: protected.crit.iter().map(critical).collect(),
    };
    Ok(Envelope {
        algorithm: algorithm(&protected)?,
        attributes: stated.check()?,
        payload: sign1.payload.ok_or_else(|| malformed("the envelope has no payload"))?,
        covered,
        signature: sign1.signature,
        chain: chain(&unprotected)?,
        timestamp: find(&unprotected, &Label::Text(TIMESTAMP.to_owned())).map(bytes).transpose()?,
    })
}

fn algorithm(header: &Header) -> Result<Algorithm, Defect> {
    match &header.alg {
        Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::PS256)) => Ok(Algorithm::Ps256),
        Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::PS384)) => Ok(Algorithm::Ps384),
        Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::PS512)) => Ok(Algorithm::Ps512),
        Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES256)) => Ok(Algorithm::Es256),
        Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES384)) => Ok(Algorithm::Es384),
        Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES512)) => Ok(Algorithm::Es512),
        other => Err(Defect::new(FlawKind::Unsupported, format!("signatures by {other:?} are not supported"))),
    }
}

fn content_type(header: &Header) -> Option<String> {
    match &header.content_type {
        Some(ContentType::Text(text)) => Some(text.clone()),
        Some(ContentType::Assigned(_)) | None => None,
    }
}

/// The name of a critical attribute; of one that has a number, some name that no attribute has.
fn critical(label: &RegisteredLabelWithPrivate<iana::HeaderParameter>) -> String {
    match label {
        RegisteredLabelWithPrivate::Text(name) => name.clone(),
        RegisteredLabelWithPrivate::Assigned(parameter) => format!("{parameter:?}"),
        RegisteredLabelWithPrivate::PrivateUse(number) => number.to_string(),
    }
}

fn find<'a>(header: &'a Header, label: &Label) -> Option<&'a Value> {
    header.rest.iter().find(|(name, _)| name == label).map(|(_, value)| value)
}

fn text(header: &Header, name: &str) -> Result<Option<String>, Defect> {
    match find(header, &Label::Text(name.to_owned())) {
        Some(Value::Text(text)) => Ok(Some(text.clone())),
        Some(_) => Err(malformed(format!("the attribute {name} is no text"))),
        None => Ok(None),
    }
}

fn time(header: &Header, name: &str) -> Result<Option<Timestamp>, Defect> {
    let Some(value) = find(header, &Label::Text(name.to_owned())) else { return Ok(None) };
    let seconds = value.as_tag().filter(|(tag, _)| *tag == EPOCH_TIME).and_then(|(_, seconds)| seconds.as_integer());
    let seconds = seconds.and_then(|seconds| i64::try_from(seconds).ok());
    let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map(Some).ok_or_else(|| malformed(format!("the attribute {name} is no time")))
}

/// One certificate is a byte string, several are an array; `notation` writes an array of one, too.
fn chain(header: &Header) -> Result<Vec<Vec<u8>>, Defect> {
    match find(header, &Label::Int(CHAIN)) {
        Some(Value::Array(certificates)) => certificates.iter().map(bytes).collect(),
        Some(certificate) => Ok(vec![bytes(certificate)?]),
        None => Ok(Vec::new()),
    }
}

fn bytes(value: &Value) -> Result<Vec<u8>, Defect> {
    value.as_bytes().cloned().ok_or_else(|| malformed("a certificate or timestamp is no byte string"))
}
