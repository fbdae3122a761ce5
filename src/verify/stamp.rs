//! Signed timestamps (RFC 3161) of the authorities of a trust domain.

use jiff::Timestamp;
use sigstore_types::{SignatureBytes, TimestampToken};
use sigstore_verify::tsa::verify_timestamp_for_authority;

use crate::trust::Domain;
use crate::verify::FlawKind;
use crate::verify::defect::Defect;
use crate::verify::signed::Signed;

/// The times that authorities of `domain` state over the signature in `signed`. Beside a time that a log promised, a
/// timestamp that does not hold says nothing: whoever can break it can also leave it away.
///
/// # Errors
/// [`FlawKind::Timestamp`] if one does not hold, and nothing is promised.
pub(in crate::verify) fn times(domain: &Domain, signed: &Signed<'_>) -> Result<Vec<Timestamp>, Defect> {
    let mut times = Vec::new();
    for timestamp in signed.timestamps() {
        match time(domain, &timestamp.signed_timestamp, signed.signature()) {
            Ok(time) => times.push(time),
            Err(_) if signed.is_promised() => {}
            Err(defect) => return Err(defect),
        }
    }
    Ok(times)
}

/// The time that some authority of `domain` states in `token` over `stamped`.
///
/// # Errors
/// [`FlawKind::Timestamp`] if none does.
pub(in crate::verify) fn time(domain: &Domain, token: &TimestampToken, stamped: &[u8]) -> Result<Timestamp, Defect> {
    let stamped = SignatureBytes::from_bytes(stamped);
    let mut reason = "the trusted root has no timestamp authority".to_owned();
    for authority in domain.timestamp_authorities() {
        match verify_timestamp_for_authority(token, &stamped, &authority) {
            Ok(time) => return Ok(time),
            Err(error) => reason = error.to_string(),
        }
    }
    Err(Defect::new(FlawKind::Timestamp, format!("the signed timestamp does not hold: {reason}")))
}
