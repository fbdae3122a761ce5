//! Signatures by the holder of a short-lived certificate, each trust domain by itself.

use jiff::Timestamp;
use sigstore_types::{DerCertificate, KindVersion};
use sigstore_verify::{VerificationPolicy, VerificationResult};

use crate::trust::{Domain, PublicKey, Requirement, Trust};
use crate::verify::defect::Defect;
use crate::verify::entry::Holder;
use crate::verify::signed::Signed;
use crate::verify::{FlawKind, LogProof, Signer, Standing, Subject, certificate, chain, entry, proven, verifier};

/// Every trust domain under which `signed` holds.
///
/// # Errors
/// The most telling [`Defect`], if there is none.
pub(in crate::verify) fn prove(
    signed: &Signed<'_>,
    chain: &[&DerCertificate],
    subject: &Subject<'_>,
    trust: &Trust,
    now: Timestamp,
) -> Result<Vec<Standing>, Defect> {
    let [leaf, ..] = chain else { return Err(Defect::new(FlawKind::Malformed, "it has no signing certificate")) };
    proven(candidates(chain, trust)?.into_iter().map(|domain| {
        let standing = under(domain, signed, leaf, subject, now);
        standing.map_err(|defect| defect.within(&format!("trust {}", domain.name())))
    }))
}

/// The domains that know an issuer of these certificates: with any other, no path can be built.
fn candidates<'t>(chain: &[&DerCertificate], trust: &'t Trust) -> Result<Vec<&'t Domain>, Defect> {
    let issuers = chain.iter().map(|certificate| certificate::issuer(certificate)).collect::<Result<Vec<_>, _>>()?;
    let knows = |domain: &&Domain| issuers.iter().any(|(name, _)| domain.has_authority(name));
    let candidates: Vec<_> = trust.domains().iter().filter(knows).collect();
    if candidates.is_empty() {
        let names: Vec<_> = issuers.into_iter().map(|(_, words)| words).collect();
        let text = format!("its certificate was issued by {:?}, which no trust domain knows", names.join("; "));
        return Err(Defect::new(FlawKind::Certificate, text));
    }
    Ok(candidates)
}

fn under(
    domain: &Domain,
    signed: &Signed<'_>,
    leaf: &DerCertificate,
    subject: &Subject<'_>,
    now: Timestamp,
) -> Result<Standing, Defect> {
    if !signed.is_logged() && domain.transparency_log() == Requirement::Required {
        return Err(Defect::new(FlawKind::Log, "it has no transparency log entry, and one is required"));
    }
    let (times, log) = match &signed.witness {
        Some(witness) => (vec![witness.certified(domain, signed, leaf)?], witness.log_proof()),
        None => (bundled(domain, signed, leaf, subject, now)?, log_proof(signed)),
    };
    Ok(Standing {
        signer: Signer::Certificate(Box::new(certificate::claims(leaf, domain.name())?)),
        signed_at: earliest(&times, now)?,
        log,
        holds_until: None,
        unproven: Vec::new(),
    })
}

/// The times at which it was signed, for sure.
fn bundled(
    domain: &Domain,
    signed: &Signed<'_>,
    leaf: &DerCertificate,
    subject: &Subject<'_>,
    now: Timestamp,
) -> Result<Vec<Timestamp>, Defect> {
    let key = PublicKey::of(leaf).ok();
    if key.is_some_and(|key| !entry::is_known_to_sigstore(signed, &key, || signed.scheme_by(&key))) {
        return unbundled(domain, signed, leaf, now);
    }
    let verified = verifier::verify(domain, signed, &policy(domain, signed), subject)?;
    check_verified(domain, signed, &verified)?;
    Ok(verified.verified_timestamps().to_vec())
}

/// The same for signatures that sigstore-verify does not know.
fn unbundled(
    domain: &Domain,
    signed: &Signed<'_>,
    leaf: &DerCertificate,
    now: Timestamp,
) -> Result<Vec<Timestamp>, Defect> {
    let scheme = signed.scheme_of_leaf()?;
    let times = entry::times(domain, signed, scheme, Holder::Certificate(leaf), now)?;
    if times.is_empty() {
        return Err(Defect::new(FlawKind::Timestamp, "nothing proves when it was signed"));
    }
    // At every time: one that was backdated must not vouch for a certificate that had run out.
    times.iter().try_for_each(|time| chain::verify(domain, leaf, *time))?;
    Ok(times)
}

/// Nothing of a policy but its strictness: who signed is judged later, by rules.
fn policy(domain: &Domain, signed: &Signed<'_>) -> VerificationPolicy {
    let policy = VerificationPolicy::any_identity();
    let policy = match domain.certificate_timestamps() {
        Requirement::Required => policy,
        Requirement::NotRequired => policy.skip_sct(),
    };
    match domain.transparency_log() {
        // What is there must hold, required or not.
        Requirement::NotRequired if signed.log_entries().is_empty() => policy.skip_tlog_unsafe(),
        Requirement::Required | Requirement::NotRequired => policy,
    }
}

/// What the verifier says it did is held against what had to be done.
fn check_verified(domain: &Domain, signed: &Signed<'_>, verified: &VerificationResult) -> Result<(), Defect> {
    if !verified.certificate_verified() {
        return Err(Defect::new(FlawKind::Certificate, "the certificate was not verified"));
    }
    if domain.certificate_timestamps() == Requirement::Required && !verified.sct_verified() {
        return Err(Defect::new(FlawKind::CertificateTimestamp, "the certificate's timestamp was not verified"));
    }
    let needs_log = domain.transparency_log() == Requirement::Required || !signed.log_entries().is_empty();
    if needs_log && !verified.tlog_verified() {
        return Err(Defect::new(FlawKind::Log, "the transparency log entry was not verified"));
    }
    if verified.verified_timestamps().is_empty() {
        return Err(Defect::new(FlawKind::Timestamp, "nothing proves when it was signed"));
    }
    Ok(())
}

/// The earliest of `times`. One that lies ahead casts doubt on whoever stated it.
pub(in crate::verify) fn earliest(times: &[Timestamp], now: Timestamp) -> Result<Option<Timestamp>, Defect> {
    if let Some(ahead) = times.iter().find(|time| **time > now) {
        return Err(Defect::new(
            FlawKind::Timestamp,
            format!("it claims to be signed at {ahead}, which is yet to come"),
        ));
    }
    Ok(times.iter().min().copied())
}

/// What stands behind a signature that was verified with all that came with it: log entries, or else timestamps.
pub(in crate::verify) fn log_proof(signed: &Signed<'_>) -> LogProof {
    let entries = signed.log_entries();
    if entries.iter().any(|entry| entry.kind_version == KindVersion::HashedRekordV002) {
        return LogProof::RekorV2;
    }
    match entries {
        [] => LogProof::TimestampOnly,
        _ => LogProof::RekorV1,
    }
}
