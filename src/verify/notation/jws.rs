//! JWS envelopes (`signature-envelope-jws.md`): the flattened JSON serialization of RFC 7515.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;

use crate::evidence::read_strictly;
use crate::verify::FlawKind;
use crate::verify::defect::Defect;
use crate::verify::layer::base64;
use crate::verify::notation::Envelope;
use crate::verify::notation::algorithm::Algorithm;
use crate::verify::notation::attributes::Stated;

#[derive(Deserialize)]
struct Jws {
    payload: String,
    protected: String,
    header: Header,
    signature: String,
}

/// What is not signed.
#[derive(Deserialize)]
struct Header {
    /// The certificates, base64 of DER.
    x5c: Vec<String>,
    #[serde(rename = "io.cncf.notary.timestampSignature")]
    timestamp: Option<String>,
}

/// What is signed beside the payload.
#[derive(Deserialize)]
struct Protected {
    alg: String,
    cty: Option<String>,
    #[serde(default)]
    crit: Vec<String>,
    #[serde(rename = "io.cncf.notary.signingScheme")]
    scheme: Option<String>,
    #[serde(rename = "io.cncf.notary.signingTime")]
    signing_time: Option<Timestamp>,
    #[serde(rename = "io.cncf.notary.authenticSigningTime")]
    authentic_time: Option<Timestamp>,
    #[serde(rename = "io.cncf.notary.expiry")]
    expiry: Option<Timestamp>,
}

/// Reads an envelope.
///
/// # Errors
/// A [`Defect`] if it is none, or says what cannot be honoured.
pub(super) fn read(json: &[u8]) -> Result<Envelope, Defect> {
    let Jws { payload, protected, header, signature } = read_strictly(json)?;
    let covered = format!("{protected}.{payload}").into_bytes();
    let protected: Protected = read_strictly(&decoded(&protected, "the protected header")?)?;
    let algorithm = Algorithm::named(&protected.alg);
    let algorithm = algorithm.ok_or_else(|| {
        Defect::new(FlawKind::Unsupported, format!("signatures by {:?} are not supported", protected.alg))
    })?;
    let stated = Stated {
        content_type: protected.cty,
        scheme: protected.scheme,
        signing_time: protected.signing_time,
        authentic_time: protected.authentic_time,
        expiry: protected.expiry,
        critical: protected.crit,
    };
    Ok(Envelope {
        algorithm,
        attributes: stated.check()?,
        payload: decoded(&payload, "the payload")?,
        covered,
        signature: decoded(&signature, "the signature")?,
        chain: header.x5c.iter().map(|text| base64(text, "a certificate")).collect::<Result<_, _>>()?,
        timestamp: header.timestamp.map(|text| base64(&text, "the timestamp")).transpose()?,
    })
}

fn decoded(text: &str, what: &str) -> Result<Vec<u8>, Defect> {
    let decoded = URL_SAFE_NO_PAD.decode(text);
    decoded.map_err(|_| Defect::new(FlawKind::Malformed, format!("{what} is not base64url")))
}
