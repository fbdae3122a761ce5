//! Signed timestamps (RFC 3161) of the authorities of a trust domain.

use jiff::Timestamp;
use sigstore_types::{SignatureBytes, TimestampToken};
use sigstore_verify::tsa::verify_timestamp_for_authority;

use crate::trust::Domain;
use crate::verify::FlawKind;
use crate::verify::defect::Defect;

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
