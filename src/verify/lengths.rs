//! Lengths in certificates and timestamps that claim more than there is, as a flaw.

use crate::lengths::are_there;
use crate::verify::FlawKind;
use crate::verify::defect::Defect;

/// Checks that no length that a decoder of `der` comes across claims more than there is. Need not be DER.
///
/// # Errors
/// [`FlawKind::Malformed`] of `what`.
pub(in crate::verify) fn check(der: &[u8], what: &str) -> Result<(), Defect> {
    if are_there(der) {
        return Ok(());
    }
    Err(Defect::new(FlawKind::Malformed, format!("{what} cannot be read: a length in it claims more than there is")))
}
