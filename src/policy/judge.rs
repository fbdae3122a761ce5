//! `judge`: what the rules say of the facts about one digest.

use jiff::Timestamp;

use crate::oci::{Digest, Repository, Tag};
use crate::policy::candidates::Candidates;
use crate::policy::reason::unavailable;
use crate::policy::{Decision, Mode, Policy, Reason, ReasonCode, Requirement, RequirementKind, Rule, Verdict};
use crate::verify::Proof;

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
                Some(proof) => {
                    let feeds = self.feeds.load();
                    Candidates { proof, revoked: &self.revoked, feeds: &feeds, request, now }.weigh(rule)
                }
                None => unproven(rule),
            },
        }
    }

    /// Whether [judging](Self::judge) goes through a long bill of materials that was not held against these rules and feeds
    /// before. It is done once, and better not where requests are answered.
    pub fn takes_long(&self, request: &Request<'_>, proof: &Proof, now: Timestamp) -> bool {
        let rule = self.rule(request.repository, request.tag).filter(|rule| rule.sbom.is_some());
        rule.is_some_and(|rule| {
            let feeds = self.feeds.load();
            Candidates { proof, revoked: &self.revoked, feeds: &feeds, request, now }.take_long(rule)
        })
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
        built_from: None,
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
        requirements: vec![Requirement::unmet(RequirementKind::Rule, vec![reason])],
        message: rule.and_then(Rule::message),
        built_from: None,
    }
}

/// The facts are not there at all.
fn unproven(rule: &Rule) -> Verdict {
    let signatures = rule.signatures.iter().map(|_| RequirementKind::Signature);
    let provenance = rule.provenance.iter().map(|_| RequirementKind::Provenance);
    let sbom = rule.sbom.iter().map(|_| RequirementKind::Sbom);
    let age = rule.age.iter().map(|_| RequirementKind::Age);
    let condition = rule.condition.iter().map(|_| RequirementKind::Condition);
    let missing = |kind| Requirement::unmet(kind, vec![unavailable("it was not collected")]);
    Verdict::by(
        rule,
        Decision::Undecided,
        signatures.chain(provenance).chain(sbom).chain(age).chain(condition).map(missing).collect(),
    )
}
