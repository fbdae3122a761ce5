//! Reasons: how they are worded, which flaws concern which requirement, and which come first.

use crate::evidence::Form;
use crate::policy::{Reason, ReasonCode, RequirementKind};
use crate::verify::{Claim, Coverage, Flaw, FlawKind, Proof};

/// Most reasons told for one requirement: evidence is bounded, but strangers can publish as much as that.
pub(super) const REASONS: usize = 16;
/// Most characters shown of a text that somebody else wrote.
const SHOWN: usize = 256;

/// The predicate types of SLSA provenance begin so.
const PROVENANCE_TYPE: &str = "https://slsa.dev/provenance/";
/// The predicate types of verification summaries begin so.
const SUMMARY_TYPE: &str = "https://slsa.dev/verification_summary/";
/// The predicate type of a signature by cosign 3.
const SIGNATURE_TYPE: &str = "https://sigstore.dev/cosign/sign/v1";
/// The predicate types of bills of materials begin so.
const SBOM_TYPES: [&str; 2] = ["https://spdx.dev/Document", "https://cyclonedx.org/bom"];

/// `Err` of a reason.
pub(super) fn because<T>(code: ReasonCode, text: String) -> Result<T, Reason> {
    Err(Reason { code, text })
}

/// A text that somebody else wrote, fit for a line of a log or a terminal.
pub(super) fn shown(text: &str) -> String {
    if text.is_empty() {
        return "nobody".to_owned();
    }
    let clean = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut line: String = text.chars().take(SHOWN).map(clean).collect();
    if text.chars().nth(SHOWN).is_some() {
        line.push_str("..");
    }
    line
}

/// Whether one of `all` does; the most telling of what they miss, if none does.
pub(super) fn any_does<'a, T: 'a>(
    all: impl IntoIterator<Item = &'a T>,
    check: impl Fn(&T) -> Result<(), Reason>,
) -> Result<(), Reason> {
    let mut misses = Vec::new();
    for one in all {
        match check(one) {
            Ok(()) => return Ok(()),
            Err(miss) => misses.push(miss),
        }
    }
    most_telling(misses.into_iter()).map_or(Ok(()), Err)
}

/// The most telling of several reasons.
pub(super) fn most_telling(reasons: impl Iterator<Item = Reason>) -> Option<Reason> {
    reasons.max_by(|a, b| (a.code, &b.text).cmp(&(b.code, &a.text)))
}

/// All there is to say of a requirement of `kind` that is not met: what the facts of that kind miss, then what is wrong
/// with evidence that may be of that kind, and what was not seen at all. Never empty.
pub(super) fn reasons(misses: Vec<Reason>, kind: RequirementKind, proof: &Proof) -> Vec<Reason> {
    let flaws = proof.flaws.iter().filter(|flaw| concerns(flaw, kind)).map(of_flaw);
    let mut reasons: Vec<_> = misses.into_iter().chain(flaws).chain(unseen(&proof.coverage)).collect();
    if reasons.is_empty() {
        reasons.push(Reason { code: ReasonCode::Missing, text: missing(kind, proof) });
    }
    reasons.sort_by(|a, b| (b.code, &a.text).cmp(&(a.code, &b.text)));
    reasons.dedup();
    reasons.truncate(REASONS);
    reasons
}

/// What was not seen of the evidence.
pub(super) fn unseen(coverage: &Coverage) -> Option<Reason> {
    match coverage {
        Coverage::Complete => None,
        Coverage::Bounded => Some(Reason {
            code: ReasonCode::TooMuch,
            text: "more evidence is published than is looked at, and the rest was left out".into(),
        }),
        Coverage::Partial { failure } => Some(unavailable(failure)),
    }
}

/// Evidence could not be asked for.
pub(super) fn unavailable(failure: &str) -> Reason {
    Reason { code: ReasonCode::Unavailable, text: format!("evidence could not be asked for: {}", shown(failure)) }
}

fn missing(kind: RequirementKind, proof: &Proof) -> String {
    let wanted = kind_in_words(kind);
    let others: Vec<_> = [RequirementKind::Signature, RequirementKind::Provenance, RequirementKind::Sbom]
        .into_iter()
        .filter(|other| *other != kind && proof.facts.iter().any(|fact| claims(fact.claim(), *other)))
        .map(kind_in_words)
        .collect();
    if others.is_empty() {
        format!("no {wanted} is published for it")
    } else {
        format!("no {wanted} is published for it, only {}", others.join(" and "))
    }
}

fn kind_in_words(kind: RequirementKind) -> &'static str {
    match kind {
        RequirementKind::Signature => "signature",
        RequirementKind::Provenance => "signed SLSA provenance",
        RequirementKind::Sbom => "signed bill of materials (SPDX or CycloneDX)",
        RequirementKind::BaseImage => "base image",
        RequirementKind::Index => "proven image",
        RequirementKind::Condition => "condition",
        RequirementKind::Age => "signature that is old enough",
        RequirementKind::Rule => "rule",
    }
}

/// Whether a claim is one of `kind`.
pub(super) fn claims(claim: &Claim, kind: RequirementKind) -> bool {
    match claim {
        Claim::Signature => kind == RequirementKind::Signature,
        Claim::Provenance(_) | Claim::Summary(_) => kind == RequirementKind::Provenance,
        Claim::Sbom(_) => kind == RequirementKind::Sbom,
        Claim::Vex(_) | Claim::Scan(_) | Claim::Other { .. } => false,
    }
}

/// Whether a piece of evidence that proves nothing may have been meant for a requirement of `kind`.
fn concerns(flaw: &Flaw, kind: RequirementKind) -> bool {
    match (&flaw.predicate_type, flaw.form) {
        (Some(predicate), _) => is_of(predicate, kind),
        (None, Some(Form::CosignSignature | Form::NotationJws | Form::NotationCose)) => {
            kind == RequirementKind::Signature
        }
        (None, Some(Form::CosignAttestation)) => kind != RequirementKind::Signature,
        (None, Some(Form::Bundle) | None) => true,
    }
}

fn is_of(predicate: &str, kind: RequirementKind) -> bool {
    match kind {
        RequirementKind::Signature => predicate == SIGNATURE_TYPE,
        RequirementKind::Provenance => predicate.starts_with(PROVENANCE_TYPE) || predicate.starts_with(SUMMARY_TYPE),
        RequirementKind::Sbom => SBOM_TYPES.iter().any(|prefix| predicate.starts_with(prefix)),
        RequirementKind::Age
        | RequirementKind::Condition
        | RequirementKind::BaseImage
        | RequirementKind::Index
        | RequirementKind::Rule => false,
    }
}

fn of_flaw(flaw: &Flaw) -> Reason {
    Reason { code: flaw.kind.into(), text: shown(&flaw.text) }
}

impl From<FlawKind> for ReasonCode {
    fn from(kind: FlawKind) -> Self {
        match kind {
            FlawKind::TooMuch => Self::TooMuch,
            FlawKind::Unsupported => Self::Unsupported,
            FlawKind::Malformed => Self::Malformed,
            FlawKind::UnknownKey => Self::UnknownKey,
            FlawKind::Certificate => Self::CertificateInvalid,
            FlawKind::CertificateTimestamp => Self::CertificateTimestampInvalid,
            FlawKind::Log => Self::LogInvalid,
            FlawKind::Timestamp => Self::TimestampInvalid,
            FlawKind::Signature => Self::SignatureInvalid,
            FlawKind::Subject => Self::SubjectMismatch,
        }
    }
}
