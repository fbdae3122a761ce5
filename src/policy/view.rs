//! A verdict as JSON: what `verify --json`, the admin API and the body of a refusal show.

use jiff::Timestamp;
use serde::Serialize;

use crate::evidence::{Form, Provenance, SbomFormat, Scan, Source, Summary, Vex};
use crate::oci::{Digest, Repository};
use crate::policy::{Decision, Level, Mode, Reason, Requirement, RequirementKind, Verdict};
use crate::verify::{Claim, Fact, LogProof, Signer};

/// A [`Verdict`], to be serialized.
#[derive(Debug, Clone, Serialize)]
pub struct VerdictView<'a> {
    decision: Decision,
    rule: Option<&'a str>,
    mode: Option<Mode>,
    requirements: Vec<RequirementView<'a>>,
}

#[derive(Debug, Clone, Serialize)]
struct RequirementView<'a> {
    kind: RequirementKind,
    met: bool,
    by: Option<FactView<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also_by: Vec<FactView<'a>>,
    reasons: &'a [Reason],
}

/// A [`Fact`], to be serialized for people: with the number of packages in place of the packages.
#[derive(Debug, Clone, Serialize)]
pub struct FactView<'a> {
    subject: Digest,
    source: Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    found_in: Option<&'a Repository>,
    #[serde(skip_serializing_if = "Option::is_none")]
    through: Option<Source>,
    form: Form,
    signer: &'a Signer,
    signed_at: Option<Timestamp>,
    log: LogProof,
    claim: ClaimView<'a>,
    /// Of a provenance, by the builders that are built in; where a rule has been met by it, by those of the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<Level>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase")]
enum ClaimView<'a> {
    Signature,
    Provenance(&'a Provenance),
    Sbom { format: SbomFormat, version: &'a str, packages: usize },
    Summary(&'a Summary),
    Vex(&'a Vex),
    Scan(&'a Scan),
    Other { predicate_type: &'a str },
}

impl<'a> From<&'a Verdict> for VerdictView<'a> {
    fn from(verdict: &'a Verdict) -> Self {
        Self {
            decision: verdict.decision,
            rule: verdict.rule.as_deref(),
            mode: verdict.mode,
            requirements: verdict.requirements.iter().map(RequirementView::from).collect(),
        }
    }
}

impl<'a> From<&'a Requirement> for RequirementView<'a> {
    fn from(requirement: &'a Requirement) -> Self {
        Self {
            kind: requirement.kind,
            met: requirement.met,
            by: requirement.by.as_deref().map(|fact| FactView { level: requirement.level, ..FactView::from(fact) }),
            also_by: requirement.also_by.iter().map(|fact| FactView::from(&**fact)).collect(),
            reasons: &requirement.reasons,
        }
    }
}

impl<'a> From<&'a Fact> for FactView<'a> {
    fn from(fact: &'a Fact) -> Self {
        Self {
            subject: fact.subject(),
            source: fact.source(),
            found_in: fact.found_in(),
            through: fact.through(),
            form: fact.form(),
            signer: fact.signer(),
            signed_at: fact.signed_at(),
            log: fact.log(),
            claim: ClaimView::from(fact.claim()),
            level: Level::of(fact),
        }
    }
}

impl<'a> From<&'a Claim> for ClaimView<'a> {
    fn from(claim: &'a Claim) -> Self {
        match claim {
            Claim::Signature => Self::Signature,
            Claim::Provenance(provenance) => Self::Provenance(provenance),
            Claim::Sbom(sbom) => {
                Self::Sbom { format: sbom.format, version: &sbom.version, packages: sbom.packages.len() }
            }
            Claim::Summary(summary) => Self::Summary(summary),
            Claim::Vex(vex) => Self::Vex(vex),
            Claim::Scan(scan) => Self::Scan(scan),
            Claim::Other { predicate_type } => Self::Other { predicate_type },
        }
    }
}
