//! The outcome of judging: what was decided, by which rule, and for each requirement what met it or why nothing did.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::reason::REASONS;
use crate::policy::{Level, Rule};
use crate::verify::Fact;

/// The outcome of judging one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Whether the request is let through.
    pub decision: Decision,
    /// The rule that decided; none matched if empty.
    pub rule: Option<Arc<str>>,
    /// The mode of that rule.
    pub mode: Option<Mode>,
    /// Every requirement of that rule.
    pub requirements: Vec<Requirement>,
    /// What the operator wants a refused client to read.
    pub message: Option<Arc<str>>,
    /// Who says what it was built from, where that has to be judged before anything is decided. Until then the verdict is
    /// "undecided".
    pub built_from: Option<BuiltFrom>,
}

/// Whose word is taken for the images that an image was built from.
#[derive(Debug, Clone, PartialEq)]
pub struct BuiltFrom {
    /// What meets the rule as provenance: the images must be admitted that one of these names. Empty where the rule asks for
    /// none.
    pub provenances: Vec<Arc<Fact>>,
    /// The bills of materials that count and name images: each of those must be admitted too.
    pub sboms: Vec<Arc<Fact>>,
    /// Whether these speak of the whole of it: of itself, or of each image of the index that it is.
    pub sboms_are_of_all: bool,
}

impl Verdict {
    /// The verdict on a blob that no admitted manifest of its repository reaches.
    pub fn not_reached() -> Self {
        let text = "no admitted image of this repository reaches this blob: pull the image by its tag first".to_owned();
        let reasons = vec![Reason { code: ReasonCode::NotReached, text }];
        let requirement = Requirement::unmet(RequirementKind::Rule, reasons);
        Self {
            decision: Decision::Refuse,
            rule: None,
            mode: None,
            requirements: vec![requirement],
            message: None,
            built_from: None,
        }
    }

    /// The verdict of `rule`. A rule that only watches serves whatever it says.
    pub(super) fn by(rule: &Rule, decision: Decision, requirements: Vec<Requirement>) -> Self {
        let watches = rule.mode() == Mode::Audit;
        Self {
            decision: if watches { Decision::Admit } else { decision },
            rule: Some(rule.shared_name()),
            mode: Some(rule.mode()),
            requirements,
            message: rule.message(),
            built_from: None,
        }
    }

    /// The same once all images are admitted that `facts` name.
    #[must_use]
    pub fn on_known_bases(self, facts: &[Arc<Fact>]) -> Self {
        let requirement = Requirement {
            met: true,
            by: facts.first().map(Arc::clone),
            also_by: facts.iter().skip(1).map(Arc::clone).collect(),
            ..Requirement::unmet(RequirementKind::BaseImage, Vec::new())
        };
        self.on_bases(requirement, Decision::Admit)
    }

    /// The same where some image is not admitted that it was built from, for these reasons.
    #[must_use]
    pub fn on_unknown_bases(self, mut reasons: Vec<Reason>, decision: Decision) -> Self {
        reasons.sort_by(|a, b| (b.code, &a.text).cmp(&(a.code, &b.text)));
        reasons.dedup();
        reasons.truncate(REASONS);
        self.on_bases(Requirement::unmet(RequirementKind::BaseImage, reasons), decision)
    }

    fn on_bases(mut self, requirement: Requirement, decision: Decision) -> Self {
        self.built_from = None;
        self.requirements.retain(|requirement| requirement.kind != RequirementKind::BaseImage);
        self.with(requirement, decision)
    }

    /// Whether it admits what meets every requirement: a rule that only watches admits other things too.
    pub fn is_met(&self) -> bool {
        self.decision == Decision::Admit && self.requirements.iter().all(|requirement| requirement.met)
    }

    /// The same with one requirement more, by which it is `decision`. A rule that only watches still serves.
    #[must_use]
    pub fn with(mut self, requirement: Requirement, decision: Decision) -> Self {
        self.requirements.push(requirement);
        self.decision = if self.mode == Some(Mode::Audit) { Decision::Admit } else { decision };
        self
    }

    /// The requirement whose first reason is the most telling of all, with that reason; the first of equals, since rules
    /// put the signature first. None if every requirement is met.
    pub fn most_telling(&self) -> Option<(RequirementKind, &Reason)> {
        let unmet = self.requirements.iter().filter(|requirement| !requirement.met);
        let told = unmet.filter_map(|requirement| Some((requirement.kind, requirement.reasons.first()?)));
        told.reduce(|best, next| if next.1.code > best.1.code { next } else { best })
    }
}

/// The three outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Every requirement is met, or the rule asks for none, or only watches (`audit`).
    Admit,
    /// A requirement is not met, or the rule denies, or no rule matches.
    Refuse,
    /// What is missing may exist: evidence could not be asked for.
    Undecided,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// What a rule does with its requirements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Refuse what does not meet them.
    Enforce,
    /// Serve it, but log and count what would be refused.
    Audit,
    /// Serve without any proof.
    Allow,
    /// Refuse without looking.
    Deny,
}

/// One requirement of a rule, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Requirement {
    /// What kind it is.
    pub kind: RequirementKind,
    /// Whether it is met.
    pub met: bool,
    /// The fact that met it.
    pub by: Option<Arc<Fact>>,
    /// The other facts that met it, where it takes several signers.
    pub also_by: Vec<Arc<Fact>>,
    /// The SLSA build level of the provenance that met it.
    pub level: Option<Level>,
    /// Why it is not met, the most telling reason first. Empty if it is met.
    pub reasons: Vec<Reason>,
}

impl Requirement {
    /// One that `fact` met.
    pub(super) fn met(kind: RequirementKind, fact: &Arc<Fact>) -> Self {
        Self { kind, met: true, by: Some(Arc::clone(fact)), also_by: Vec::new(), level: None, reasons: Vec::new() }
    }

    /// One that nothing met.
    pub fn unmet(kind: RequirementKind, reasons: Vec<Reason>) -> Self {
        Self { kind, met: false, by: None, also_by: Vec::new(), level: None, reasons }
    }
}

/// The kinds of requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequirementKind {
    /// A `[[rule.signature]]` block.
    Signature,
    /// The `[rule.provenance]` block.
    Provenance,
    /// The `[rule.sbom]` block.
    Sbom,
    /// `base_images`: the images that it was built from.
    #[serde(rename = "base-image")]
    BaseImage,
    /// An index that is not proven itself (`index = "children"`): one of its images must be.
    Index,
    /// `min_log_age`.
    Age,
    /// `condition`.
    Condition,
    /// The rule itself: none matched, or it denies.
    Rule,
}

impl fmt::Display for RequirementKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// Why a requirement is not met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The code, out of the closed list of `docs/reasons.md`.
    pub code: ReasonCode,
    /// The same in words: lower case, no full stop.
    pub text: String,
}

/// The closed list of reasons, documented in `docs/reasons.md`, from the least telling to the most telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonCode {
    /// No admitted image of the repository reaches this blob.
    NotReached,
    /// No rule names this image.
    NoRule,
    /// The rule denies it.
    DeniedByRule,
    /// The condition of the rule is not true, or cannot be evaluated.
    ConditionFailed,
    /// Nothing of the kind is published.
    Missing,
    /// Evidence is there, but beyond the bounds of what is looked at.
    TooMuch,
    /// Evidence is there, in a form or algorithm that is not supported.
    Unsupported,
    /// Evidence is there, but cannot be parsed.
    Malformed,
    /// Signed with a key that is not configured.
    UnknownKey,
    /// The certificate chains to no configured root, or was not valid when it signed.
    CertificateInvalid,
    /// The certificate's transparency (SCT) is missing or wrong.
    CertificateTimestampInvalid,
    /// The log entry, its proof or its promise is missing or wrong.
    LogInvalid,
    /// No trustworthy time of signing.
    TimestampInvalid,
    /// The signature does not fit what it signs.
    SignatureInvalid,
    /// Sound, but about another digest.
    SubjectMismatch,
    /// Proved under another trust domain, or with another key.
    WrongTrust,
    /// Signed by somebody else: another issuer or subject.
    WrongIdentity,
    /// Signed for another source repository than demanded.
    WrongSourceRepository,
    /// The certificate of the signer makes another claim than demanded, or none: reference, commit, workflow, trigger,
    /// runner.
    WrongClaim,
    /// Signed by fewer different signers than demanded.
    TooFewSigners,
    /// Signed by the right ones, but not long enough ago.
    TooYoung,
    /// The builder is not among those demanded.
    WrongBuilder,
    /// A verification summary names another verifier than its signer may speak for.
    WrongVerifier,
    /// A verification summary is about another image.
    WrongResource,
    /// The builder, or a verification summary, vouches for a lower SLSA build level than demanded.
    LevelTooLow,
    /// A verification summary was made by another policy.
    WrongVerificationPolicy,
    /// A verification summary is older than the rule allows.
    SummaryOutdated,
    /// Built from another source.
    WrongSource,
    /// Built from another reference than the tag asked for.
    WrongSourceRef,
    /// Built from another branch, commit or workflow.
    WrongBuild,
    /// What the provenance says and what its signer's certificate says differ.
    ClaimsDisagree,
    /// A verifier found that the image does not meet its policy.
    VerificationFailed,
    /// The bill of materials is of a standard that the rule does not accept.
    WrongSbomFormat,
    /// An image that it was built from is not admitted itself, or cannot be told.
    BaseImageUnproven,
    /// A package in the bill of materials is under a licence that the rule denies.
    DeniedLicense,
    /// A package that the rule denies is in the bill of materials.
    DeniedPackage,
    /// A package that a feed of the rule denies is in the bill of materials.
    DeniedByFeed,
    /// Revoked: the image, its signer, or the commit that it was built from.
    Revoked,
    /// The evidence could not be asked for.
    Unavailable,
}

impl ReasonCode {
    /// Every code, from the least telling to the most telling.
    pub const ALL: [Self; 39] = [
        Self::NotReached,
        Self::NoRule,
        Self::DeniedByRule,
        Self::ConditionFailed,
        Self::Missing,
        Self::TooMuch,
        Self::Unsupported,
        Self::Malformed,
        Self::UnknownKey,
        Self::CertificateInvalid,
        Self::CertificateTimestampInvalid,
        Self::LogInvalid,
        Self::TimestampInvalid,
        Self::SignatureInvalid,
        Self::SubjectMismatch,
        Self::WrongTrust,
        Self::WrongIdentity,
        Self::WrongSourceRepository,
        Self::WrongClaim,
        Self::TooFewSigners,
        Self::TooYoung,
        Self::WrongBuilder,
        Self::WrongVerifier,
        Self::WrongResource,
        Self::LevelTooLow,
        Self::WrongVerificationPolicy,
        Self::SummaryOutdated,
        Self::WrongSource,
        Self::WrongSourceRef,
        Self::WrongBuild,
        Self::ClaimsDisagree,
        Self::VerificationFailed,
        Self::WrongSbomFormat,
        Self::BaseImageUnproven,
        Self::DeniedLicense,
        Self::DeniedPackage,
        Self::DeniedByFeed,
        Self::Revoked,
        Self::Unavailable,
    ];
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
