//! Signatures by the holder of a configured key.

use jiff::Timestamp;
use sigstore_verify::PublicKeyVerificationPolicy;

use crate::trust::{Domain, Key, Requirement, Scheme, Trust, WithoutLog};
use crate::verify::defect::Defect;
use crate::verify::entry::Holder;
use crate::verify::keyless::{earliest, log_proof};
use crate::verify::signed::Signed;
use crate::verify::{FlawKind, LogProof, Signer, Standing, Subject, entry, most_telling, proven, verifier};

/// A key, and the way in which its holder signed.
#[derive(Clone, Copy)]
struct Fitting<'a> {
    key: &'a Key,
    scheme: Scheme,
}

/// Every configured key by which `signed` holds.
///
/// # Errors
/// The most telling [`Defect`], if there is none.
pub(in crate::verify) fn prove(
    signed: &Signed<'_>,
    hint: &str,
    subject: &Subject<'_>,
    trust: &Trust,
    now: Timestamp,
) -> Result<Vec<Standing>, Defect> {
    let fits = |key| Some(Fitting { key, scheme: signed.scheme_by(Key::public_key(key))? });
    let fitting: Vec<_> = trust.keys().iter().filter_map(fits).collect();
    if fitting.is_empty() {
        return Err(no_key(hint, trust));
    }
    proven(fitting.into_iter().map(|fitting| {
        let standing = by(fitting, signed, subject, trust, now);
        standing.map_err(|defect| defect.within(&format!("key {}", fitting.key.name())))
    }))
}

/// The hint proves nothing, but whoever named a configured key and does not fit it was tampered with.
fn no_key(hint: &str, trust: &Trust) -> Defect {
    if let Some(key) = trust.keys().iter().find(|key| key.hint() == hint) {
        let text = format!("the signature does not fit key {}, which it names", key.name());
        return Defect::new(FlawKind::Signature, text);
    }
    let names: Vec<_> = trust.keys().iter().map(Key::name).collect();
    let text = match names.as_slice() {
        [] => "it has no certificate, and no key is configured to check it with".to_owned(),
        names => format!("it has no certificate, and fits none of the configured keys ({})", names.join(", ")),
    };
    Defect::new(FlawKind::UnknownKey, text)
}

/// How `signed`, whose signature fits a key, stands in time.
fn by(
    fitting: Fitting<'_>,
    signed: &Signed<'_>,
    subject: &Subject<'_>,
    trust: &Trust,
    now: Timestamp,
) -> Result<Standing, Defect> {
    let key = fitting.key;
    match (timed(fitting, signed, subject, trust, now), key.without_log()) {
        (Ok(standing), _) => Ok(standing),
        (Err(defect), WithoutLog::Refuse) => Err(defect),
        // Whoever can break a log entry can also leave it away: counting such a signature gives nothing away that the
        // setting does not.
        (Err(_), WithoutLog::Allow) => stand(key, &[], LogProof::None, now),
    }
}

/// With what came with it, under the first trust domain that vouches for that. Those that know the log go first: what
/// they find wrong tells more.
fn timed(
    fitting: Fitting<'_>,
    signed: &Signed<'_>,
    subject: &Subject<'_>,
    trust: &Trust,
    now: Timestamp,
) -> Result<Standing, Defect> {
    if !signed.is_logged() && !signed.has_timestamps() {
        let text = "it has neither log entry nor timestamp, and the key does not say without_log = \"allow\"";
        return Err(Defect::new(FlawKind::Log, text));
    }
    let knows_log = |domain: &&Domain| signed.logs().any(|log| domain.has_log(log));
    let (knowing, others): (Vec<_>, Vec<_>) = trust.domains().iter().partition(knows_log);
    let mut defects = Vec::new();
    for domain in knowing.into_iter().chain(others) {
        match under(domain, fitting, signed, subject, now) {
            Ok(standing) => return Ok(standing),
            Err(defect) => defects.push(defect.within(&format!("trust {}", domain.name()))),
        }
    }
    Err(most_telling(defects).unwrap_or_else(|| Defect::new(FlawKind::Log, "no trust domain is configured")))
}

fn under(
    domain: &Domain,
    Fitting { key, scheme }: Fitting<'_>,
    signed: &Signed<'_>,
    subject: &Subject<'_>,
    now: Timestamp,
) -> Result<Standing, Defect> {
    if !signed.is_logged() {
        may_do_without_log(domain, key)?;
    }
    if let Some(witness) = &signed.witness {
        return stand(key, &[witness.keyed(domain, signed, key)?], witness.log_proof(), now);
    }
    if !entry::is_known_to_sigstore(signed, key.public_key(), || Some(scheme)) {
        let times = entry::times(domain, signed, scheme, Holder::Key(key.public_key().spki()), now)?;
        return stand(key, &times, log_proof(signed), now);
    }
    let policy = PublicKeyVerificationPolicy::new(key.public_key().spki().clone());
    let policy = if signed.is_logged() { policy } else { policy.skip_tlog_unsafe() };
    let verified = verifier::verify(domain, signed, &policy, subject)?;
    stand(key, verified.verified_timestamps(), log_proof(signed), now)
}

/// Whether a signed timestamp may stand in for a log entry.
fn may_do_without_log(domain: &Domain, key: &Key) -> Result<(), Defect> {
    match (domain.transparency_log(), key.without_log()) {
        (Requirement::NotRequired, _) | (_, WithoutLog::Allow) => Ok(()),
        (Requirement::Required, WithoutLog::Refuse) => {
            let text = "it has no log entry, one is required, and the key does not say without_log = \"allow\"";
            Err(Defect::new(FlawKind::Log, text))
        }
    }
}

/// A key proves what it signed within its window. Where no time of signing is proven, the present is held against the
/// window, and what is proved ends with it.
fn stand(key: &Key, times: &[Timestamp], log: LogProof, now: Timestamp) -> Result<Standing, Defect> {
    let signed_at = earliest(times, now)?;
    let asked = if times.is_empty() { &[now] } else { times };
    if let Some(outside) = asked.iter().find(|time| !key.is_valid_at(**time)) {
        let text = format!("signed at {outside}, outside of the key's window");
        return Err(Defect::new(FlawKind::Timestamp, text));
    }
    let signer = Signer::Key { name: key.name().to_owned() };
    let holds_until = if times.is_empty() { key.not_after() } else { None };
    Ok(Standing { signer, signed_at, log, holds_until, unproven: Vec::new() })
}
