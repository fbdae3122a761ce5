//! `Evidence` -> `Fact` or `Flaw`: the cryptography, and what it binds to which digest.
//!
//! Pure: bytes, trust and the time go in, values come out. Depends on no policy.

mod attestation;
mod bundle;
mod certificate;
mod chain;
mod claim;
mod defect;
mod entry;
mod envelope;
mod fact;
mod few;
#[cfg(fuzzing)]
pub mod fuzzing;
mod intoto;
mod keyed;
mod keyless;
mod layer;
mod lengths;
mod log;
mod notation;
mod sct;
mod signed;
mod stamp;
mod verifier;
mod witness;

use std::sync::Arc;

use jiff::Timestamp;

use crate::evidence::{Content, Evidence};
use crate::oci::Digest;
use crate::trust::Trust;
use crate::verify::defect::Defect;
use crate::verify::fact::Beside;
use crate::verify::signed::{Material, Signed};

pub use attestation::{Relayed, check_attestations};
pub use fact::{Certificate, Claim, Coverage, Fact, Flaw, FlawKind, LogProof, Proof, Signer};
pub use few::{Few, Several};

pub(crate) use fact::Signers;

/// Most defects that are kept beside what is proven all the same.
const UNPROVEN: usize = 4;

/// The manifest that evidence should be about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its digest.
    pub digest: Digest,
    /// Its bytes, which hash to `digest`.
    pub manifest: &'a [u8],
}

/// What `evidence` proves about `subject`: one fact for each trust domain, or each key, under which it holds.
///
/// Each piece is checked alone, and each trust domain by itself. Nothing that a piece says of itself chooses whom to
/// believe. What was signed, or logged, after `now` proves nothing.
///
/// # Errors
/// The [`Flaw`] that tells most, if it proves nothing.
pub fn check(evidence: &Evidence, subject: &Subject<'_>, trust: &Trust, now: Timestamp) -> Result<Vec<Fact>, Flaw> {
    if let Content::Notation { envelope, format } = &evidence.content {
        return notation::prove(envelope, *format, subject, trust, now)
            .map(|proven| proven.into_iter().map(|it| it.say(Claim::Signature, evidence, subject)).collect())
            .map_err(|defect| defect.of(evidence, None));
    }
    let signed = Signed::read(evidence, subject).map_err(|defect| defect.of(evidence, None))?;
    prove(&signed, subject, trust, now)
        .map(|proven| proven.into_iter().map(|(standing, claim)| standing.say(claim, evidence, subject)).collect())
        .map_err(|defect| defect.of(evidence, signed.predicate_type()))
}

/// Who stands behind a piece of evidence, and since when.
struct Standing {
    signer: Signer,
    signed_at: Option<Timestamp>,
    log: LogProof,
    holds_until: Option<Timestamp>,
    /// Why it does not stand by others.
    unproven: Vec<Box<str>>,
}

impl Standing {
    fn say(self, claim: Claim, evidence: &Evidence, subject: &Subject<'_>) -> Fact {
        let Self { signer, signed_at, log, holds_until, unproven } = self;
        let beside = Beside { found_in: evidence.found_in.clone(), through: None, holds_until, unproven };
        Fact {
            subject: subject.digest,
            source: evidence.source,
            form: evidence.form(),
            signer: Arc::new(signer),
            signed_at,
            log,
            claim,
            beside: beside.boxed(),
        }
    }
}

fn prove(
    signed: &Signed<'_>,
    subject: &Subject<'_>,
    trust: &Trust,
    now: Timestamp,
) -> Result<Vec<(Standing, Claim)>, Defect> {
    let standings = match signed.material() {
        Material::Certificates(chain) => keyless::prove(signed, &chain, subject, trust, now)?,
        Material::Key { hint } => keyed::prove(signed, hint, subject, trust, now)?,
    };
    let claim = claim::read(signed, subject)?;
    Ok(standings.into_iter().map(|standing| (standing, claim.clone())).collect())
}

/// Those of `tried` that hold: what else there is must not hide them. It is told beside them, since a rule may ask for it.
///
/// # Errors
/// The most telling [`Defect`], if none does.
fn proven(tried: impl Iterator<Item = Result<Standing, Defect>>) -> Result<Vec<Standing>, Defect> {
    let (mut proven, mut defects) = (Vec::<Standing>::new(), Vec::new());
    for one in tried {
        match one {
            Ok(standing) => proven.push(standing),
            Err(defect) => defects.push(defect),
        }
    }
    if proven.is_empty() {
        return most_telling(defects).map_or(Ok(proven), Err);
    }
    let unproven: Vec<Box<str>> = defects.into_iter().take(UNPROVEN).map(|defect| defect.text.into()).collect();
    for standing in &mut proven {
        standing.unproven.clone_from(&unproven);
    }
    Ok(proven)
}

/// The most telling of several defects; the first of equals.
fn most_telling(defects: Vec<Defect>) -> Option<Defect> {
    defects.into_iter().reduce(|best, next| if next.kind > best.kind { next } else { best })
}
