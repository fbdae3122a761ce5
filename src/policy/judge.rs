//! `judge`: what the rules say of the facts about one digest.

use std::sync::Arc;

use jiff::Timestamp;

use crate::oci::{Digest, Repository, Tag};
use crate::policy::identity::{Identity, shown_signer};
use crate::policy::provenance::ProvenanceRule;
use crate::policy::reason::{because, claims, reasons, unavailable};
use crate::policy::revoked::Revoked;
use crate::policy::sbom::SbomRule;
use crate::policy::{Decision, Mode, Policy, Reason, ReasonCode, Requirement, RequirementKind, Rule, Verdict};
use crate::verify::{Claim, Coverage, Fact, Proof};

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Where it is.
    pub repository: &'a Repository,
    /// The tag that it was asked for by, or was seen under.
    pub tag: Option<&'a Tag>,
    /// What it is.
    pub digest: Digest,
}

impl Policy {
    /// What the first rule that matches says of `request`, given all that is proven about its digest. Total: it has an
    /// answer for everything, and where facts are needed and there is no `proof`, the answer is "undecided".
    pub fn judge(&self, request: &Request<'_>, proof: Option<&Proof>, now: Timestamp) -> Verdict {
        if let Some(reason) = self.revoked.digest(request.digest) {
            return by_rule_itself(None, reason);
        }
        if let Some(exception) = self.exceptions.iter().find(|exception| exception.covers(request, now)) {
            return exception.verdict();
        }
        let Some(rule) = self.rule(request.repository, request.tag) else { return self.no_rule(request) };
        match rule.mode() {
            Mode::Allow => admitted(rule),
            Mode::Deny => denied(rule, request),
            Mode::Enforce | Mode::Audit => match proof.filter(|proof| proof.subject == request.digest) {
                Some(proof) => Candidates { proof, revoked: &self.revoked, tag: request.tag, now }.weigh(rule),
                None => unproven(rule),
            },
        }
    }

    /// The verdict on `tag` where none of its digests could have another: no rule, or a denial, and no exception. Then the
    /// upstream need not be asked what the tag means.
    pub fn refuses(&self, repository: &Repository, tag: &Tag) -> Option<Verdict> {
        let request = Request { repository, tag: Some(tag), digest: Digest::from_bytes([0; 32]) };
        let denies = self.rule(repository, Some(tag)).is_none_or(|rule| rule.mode() == Mode::Deny);
        let excepted = self.exceptions.iter().any(|exception| exception.is_for(repository));
        (denies && !excepted).then(|| self.judge(&request, None, Timestamp::MIN))
    }

    /// The verdict on a repository of which nothing can be served; none if something could.
    pub fn hides(&self, repository: &Repository) -> Option<Verdict> {
        let request = Request { repository, tag: None, digest: Digest::from_bytes([0; 32]) };
        (!self.names(repository)).then(|| self.judge(&request, None, Timestamp::MIN))
    }

    /// The verdict on a digest that is revoked itself, whatever reaches it.
    pub fn revoked(&self, digest: Digest) -> Option<Verdict> {
        self.revoked.digest(digest).map(|reason| by_rule_itself(None, reason))
    }

    fn no_rule(&self, request: &Request<'_>) -> Verdict {
        let repository = request.repository.to_string();
        let nearly: Vec<_> = self.rules.iter().filter(|rule| rule.is_for(&repository)).map(Rule::name).collect();
        let text = match request.tag {
            _ if nearly.is_empty() => format!("no rule is for {repository}"),
            Some(tag) => format!("no rule is for the tag {tag}: {} has other tags", nearly.join(", ")),
            None => format!("no rule is for a digest without a tag: {} has tags", nearly.join(", ")),
        };
        let message = format!(
            "To allow it, add a [[rule]] with images = [\"{repository}\"] and what must be proven (docs/policy.md)"
        );
        let verdict = by_rule_itself(None, Reason { code: ReasonCode::NoRule, text });
        Verdict { message: Some(message.into()), ..verdict }
    }
}

fn admitted(rule: &Rule) -> Verdict {
    Verdict {
        decision: Decision::Admit,
        rule: Some(rule.shared_name()),
        mode: Some(rule.mode()),
        requirements: Vec::new(),
        message: None,
    }
}

fn denied(rule: &Rule, request: &Request<'_>) -> Verdict {
    let text = format!("rule {} denies {}", rule.name(), request.repository);
    by_rule_itself(Some(rule), Reason { code: ReasonCode::DeniedByRule, text })
}

fn by_rule_itself(rule: Option<&Rule>, reason: Reason) -> Verdict {
    Verdict {
        decision: Decision::Refuse,
        rule: rule.map(Rule::shared_name),
        mode: rule.map(Rule::mode),
        requirements: vec![unmet(RequirementKind::Rule, vec![reason])],
        message: rule.and_then(Rule::message),
    }
}

/// The facts are not there at all.
fn unproven(rule: &Rule) -> Verdict {
    let signatures = rule.signatures.iter().map(|_| RequirementKind::Signature);
    let provenance = rule.provenance.iter().map(|_| RequirementKind::Provenance);
    let sbom = rule.sbom.iter().map(|_| RequirementKind::Sbom);
    let missing = |kind| unmet(kind, vec![unavailable("it was not collected")]);
    decided(rule, Decision::Undecided, signatures.chain(provenance).chain(sbom).map(missing).collect())
}

fn unmet(kind: RequirementKind, reasons: Vec<Reason>) -> Requirement {
    Requirement { kind, met: false, by: None, reasons }
}

/// A rule that only watches serves whatever it says.
fn decided(rule: &Rule, decision: Decision, requirements: Vec<Requirement>) -> Verdict {
    let watches = rule.mode() == Mode::Audit;
    Verdict {
        decision: if watches { Decision::Admit } else { decision },
        rule: Some(rule.shared_name()),
        mode: Some(rule.mode()),
        requirements,
        message: rule.message(),
    }
}

/// The facts that a rule may pick from.
struct Candidates<'a> {
    proof: &'a Proof,
    revoked: &'a Revoked,
    tag: Option<&'a Tag>,
    now: Timestamp,
}

impl<'a> Candidates<'a> {
    fn weigh(&self, rule: &Rule) -> Verdict {
        let signatures = rule.signatures.iter().map(|identity| self.signature(identity));
        let provenance = rule.provenance.iter().map(|demand| self.provenance(demand));
        let sbom = rule.sbom.iter().map(|demand| self.sbom(demand));
        let requirements: Vec<_> = signatures.chain(provenance).chain(sbom).collect();
        let decision = self.decide(&requirements);
        decided(rule, decision, requirements)
    }

    /// What was not seen may be what is missing: then a refusal would be a guess. What is denied stays denied.
    fn decide(&self, requirements: &[Requirement]) -> Decision {
        let told = |code| requirements.iter().flat_map(|it| &it.reasons).any(|reason| reason.code == code);
        if requirements.iter().all(|requirement| requirement.met) {
            Decision::Admit
        } else if self.is_partial() && !told(ReasonCode::DeniedPackage) {
            Decision::Undecided
        } else {
            Decision::Refuse
        }
    }

    fn is_partial(&self) -> bool {
        match self.proof.coverage {
            Coverage::Partial { .. } => true,
            Coverage::Complete | Coverage::Bounded => false,
        }
    }

    fn signature(&self, identity: &Identity) -> Requirement {
        self.first_that(RequirementKind::Signature, |fact| identity.check(fact.signer()))
    }

    fn provenance(&self, demand: &ProvenanceRule) -> Requirement {
        self.first_that(RequirementKind::Provenance, |fact| match fact.claim() {
            Claim::Provenance(provenance) => demand.check(fact.signer(), provenance, self.tag),
            Claim::Signature | Claim::Sbom(_) | Claim::Other { .. } => Ok(()),
        })
    }

    /// One bill of materials must do, and none that its signers made may list what is denied.
    fn sbom(&self, demand: &SbomRule) -> Requirement {
        let kind = RequirementKind::Sbom;
        let requirement = self.first_that(kind, |fact| match fact.claim() {
            Claim::Sbom(sbom) => demand.check_signer(fact.signer()).and_then(|()| demand.check_format(sbom)),
            Claim::Signature | Claim::Provenance(_) | Claim::Other { .. } => Ok(()),
        });
        let denied = self.denied(demand);
        if !denied.is_empty() {
            return unmet(kind, reasons(denied, kind, self.proof));
        }
        // The one that was not seen may list what is denied.
        if requirement.met && demand.denies() && self.is_partial() {
            return unmet(kind, reasons(Vec::new(), kind, self.proof));
        }
        requirement
    }

    fn denied(&self, demand: &SbomRule) -> Vec<Reason> {
        let facts = self.of(RequirementKind::Sbom).filter(|fact| demand.check_signer(fact.signer()).is_ok());
        let sboms = facts.filter_map(|fact| match fact.claim() {
            Claim::Sbom(sbom) => Some(sbom),
            Claim::Signature | Claim::Provenance(_) | Claim::Other { .. } => None,
        });
        sboms.flat_map(|sbom| demand.denied_in(sbom)).collect()
    }

    /// A requirement is met by one fact that meets every line of it; lines are never pieced together from several.
    fn first_that(&self, kind: RequirementKind, check: impl Fn(&Fact) -> Result<(), Reason>) -> Requirement {
        let mut misses = Vec::new();
        let mut met: Option<&Arc<Fact>> = None;
        for fact in self.of(kind) {
            match self.check_standing(fact).and_then(|()| check(fact)) {
                // The same one whatever the order of the facts.
                Ok(()) => {
                    met = met.filter(|other| other.source() <= fact.source()).or(Some(fact));
                }
                Err(miss) => misses.push(miss),
            }
        }
        match met {
            Some(fact) => Requirement { kind, met: true, by: Some(Arc::clone(fact)), reasons: Vec::new() },
            None => unmet(kind, reasons(misses, kind, self.proof)),
        }
    }

    /// A fact that is revoked, or ended with the key that stands for its time, counts for nothing.
    fn check_standing(&self, fact: &Fact) -> Result<(), Reason> {
        self.revoked.fact(fact)?;
        if fact.holds_at(self.now) {
            return Ok(());
        }
        let signer = shown_signer(fact.signer());
        let text = format!("signed by {signer} at no proven time, and its time (not_after) is over");
        because(ReasonCode::TimestampInvalid, text)
    }

    /// The facts about this digest that claim something of `kind`.
    fn of(&self, kind: RequirementKind) -> impl Iterator<Item = &'a Arc<Fact>> {
        let subject = self.proof.subject;
        self.proof.facts.iter().filter(move |fact| fact.subject() == subject && claims(fact.claim(), kind))
    }
}
