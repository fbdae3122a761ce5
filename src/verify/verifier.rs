//! What sigstore-verify is asked, and what its answers mean.

use sigstore_types::Bundle;
use sigstore_verify::{Error, Policy, VerificationResult};

use crate::trust::Domain;
use crate::verify::defect::Defect;
use crate::verify::signed::{Message, Signed};
use crate::verify::{FlawKind, Subject, claim, stamp};

/// What it found out about `signed` by what `domain` trusts and by `policy`.
///
/// It fails for any timestamp that does not hold. Beside a time that a log promised such a one is left out, since whoever
/// can put it there, or break it, can also leave it away: who signs with a private timestamp authority and a public log
/// has signed. What holds stays, and a certificate must be valid then. sigstore-go and sigstore-python do the same.
///
/// # Errors
/// A [`Defect`] if `signed` does not hold.
pub(in crate::verify) fn verify(
    domain: &Domain,
    signed: &Signed<'_>,
    policy: &impl Policy,
    subject: &Subject<'_>,
) -> Result<VerificationResult, Defect> {
    let verified = |bundle: &Bundle| domain.verifier().verify(signed.artifact(), bundle, policy);
    let verified = match verified(&signed.bundle) {
        Err(Error::Timestamp(_)) if signed.is_promised() => verified(&with_what_holds(domain, signed)),
        verified => verified,
    };
    verified.map_err(|error| telling(error, signed, subject))
}

/// The bundle, of whose timestamps those are left that an authority of `domain` vouches for.
fn with_what_holds(domain: &Domain, signed: &Signed<'_>) -> Bundle {
    let mut bundle = signed.bundle.clone();
    let timestamps = &mut bundle.verification_material.timestamp_verification_data.rfc3161_timestamps;
    timestamps.retain(|timestamp| stamp::time(domain, &timestamp.signed_timestamp, signed.signature()).is_ok());
    bundle
}

/// The defect that `error` is, more precise where more is known.
fn telling(error: Error, signed: &Signed<'_>, subject: &Subject<'_>) -> Defect {
    match (error, signed.message) {
        // The payload of a layer is what was signed; if its hash differs from one, then from that in the log entry.
        (Error::ArtifactMismatch(why), Message::SimpleSigning(_)) => {
            Defect::new(FlawKind::Log, format!("the transparency log entry is about something else: {why}"))
        }
        (error @ Error::ArtifactMismatch(_), Message::Statement { .. }) => {
            claim::read(signed, subject).err().unwrap_or_else(|| error.into())
        }
        (error, _) => error.into(),
    }
}
