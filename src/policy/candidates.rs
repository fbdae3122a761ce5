//! Every requirement of one rule, weighed against the facts about one digest.

use std::sync::Arc;

use jiff::Timestamp;

use crate::evidence::Sbom;
use crate::oci::Tag;
use crate::policy::chain;
use crate::policy::condition::{Asked, Condition};
use crate::policy::identity::shown_signer;
use crate::policy::judge::Request;
use crate::policy::provenance::ProvenanceRule;
use crate::policy::reason::{because, claims, most_telling, reasons, shown};
use crate::policy::revoked::Revoked;
use crate::policy::rule::Age;
use crate::policy::sbom::{Feeds, SbomRule};
use crate::policy::signature::SignatureRule;
use crate::policy::{Decision, Reason, ReasonCode, Requirement, RequirementKind, Rule, Verdict};
use crate::verify::{Claim, Coverage, Fact, Proof};

/// What is denied stays denied, whatever else is not known.
const DENIED: [ReasonCode; 3] = [ReasonCode::DeniedPackage, ReasonCode::DeniedByFeed, ReasonCode::DeniedLicense];

/// The facts that a rule may pick from.
pub(super) struct Candidates<'a> {
    pub(super) proof: &'a Proof,
    pub(super) revoked: &'a Revoked,
    pub(super) request: &'a Request<'a>,
    pub(super) feeds: &'a Feeds,
    pub(super) now: Timestamp,
}

impl<'a> Candidates<'a> {
    /// What `rule` says of them.
    pub(super) fn weigh(&self, rule: &'a Rule) -> Verdict {
        let signatures = rule.signatures.iter().map(|identity| self.signature(identity));
        let provenance = rule.provenance.iter().map(|demand| self.provenance(demand));
        let sbom = rule.sbom.iter().map(|demand| self.sbom(demand));
        let age = rule.age.iter().map(|age| self.age(&rule.signatures, age));
        let mut requirements: Vec<_> = signatures.chain(provenance).chain(sbom).chain(age).collect();
        if let Some(condition) = &rule.condition {
            requirements.push(self.condition(rule, condition, requirements.iter().all(|it| it.met)));
        }
        let decision = self.decide(&requirements);
        let verdict = Verdict::by(rule, decision, requirements);
        if rule.base_images.is_some() && verdict.is_met() { self.awaiting_bases(rule, verdict) } else { verdict }
    }

    /// What was not seen may be what is missing: then a refusal would be a guess. What is denied stays denied.
    fn decide(&self, requirements: &[Requirement]) -> Decision {
        let told = |code| requirements.iter().flat_map(|it| &it.reasons).any(|reason| reason.code == code);
        if requirements.iter().all(|requirement| requirement.met) {
            Decision::Admit
        } else if (self.is_partial() || told(ReasonCode::Unavailable)) && !DENIED.into_iter().any(told) {
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

    /// Met by as many different signers as the block demands.
    fn signature(&self, block: &SignatureRule) -> Requirement {
        let kind = RequirementKind::Signature;
        let (fit, mut misses) = self.sifted(self.of(kind), |fact| block.check(fact.signer()));
        let counted = block.count(&fit);
        match counted.split_first() {
            Some((first, others)) if counted.len() >= block.at_least() => {
                let also_by = others.iter().map(|fact| Arc::clone(fact)).collect();
                Requirement { also_by, ..Requirement::met(kind, first) }
            }
            first => {
                misses.extend(first.map(|_| block.too_few(&counted)));
                Requirement::unmet(kind, reasons(misses, kind, self.proof))
            }
        }
    }

    /// Met once every block is met by signatures that are old enough. A signature that is made anew does not count
    /// against an older one, and one whose time nobody proves never counts.
    fn age(&self, blocks: &[SignatureRule], age: &Age) -> Requirement {
        let kind = RequirementKind::Age;
        let (mut met, mut misses) = (Vec::new(), Vec::new());
        for block in blocks {
            match self.aged(block, age) {
                Ok(facts) => met.extend(facts),
                Err(miss) => misses.push(miss),
            }
        }
        match met.split_first() {
            Some((first, others)) if misses.is_empty() => {
                let also_by = others.iter().map(|fact| Arc::clone(fact)).collect();
                Requirement { also_by, ..Requirement::met(kind, first) }
            }
            _ => Requirement::unmet(kind, misses),
        }
    }

    fn aged(&self, block: &SignatureRule, age: &Age) -> Result<Vec<&'a Arc<Fact>>, Reason> {
        let (fit, _) = self.sifted(self.of(RequirementKind::Signature), |fact| block.check(fact.signer()));
        // When each of them is old enough; beyond the end of time, never.
        let ripe = |fact: &Arc<Fact>| fact.signed_at().and_then(|signed| signed.checked_add(age.least).ok());
        let by = |time| {
            let old: Vec<_> = fit.iter().copied().filter(|fact| ripe(fact).is_some_and(|ripe| ripe <= time)).collect();
            Some(block.count(&old)).filter(|counted| counted.len() >= block.at_least())
        };
        if let Some(counted) = by(self.now) {
            return Ok(counted);
        }
        if block.count(&fit).len() < block.at_least() {
            return because(ReasonCode::Missing, "there is no signature that counts, of any age".to_owned());
        }
        let mut times: Vec<_> = fit.iter().filter_map(|fact| ripe(fact)).collect();
        times.sort_unstable();
        let Some(opens) = times.into_iter().find(|time| by(*time).is_some()) else {
            let text = format!("signed at no proven time, and it must be {} ago", age.text);
            return because(ReasonCode::TooYoung, text);
        };
        because(ReasonCode::TooYoung, format!("signed less than {} ago: not served before {opens}", age.text))
    }

    /// True of the facts that met the other requirements, and of one of the provenances among them.
    fn condition(&self, rule: &'a Rule, condition: &Condition, are_others_met: bool) -> Requirement {
        let kind = RequirementKind::Condition;
        if !are_others_met {
            let text = "the condition is asked once all other requirements are met".to_owned();
            return Requirement::unmet(kind, vec![Reason { code: ReasonCode::ConditionFailed, text }]);
        }
        // What was not seen may answer it otherwise.
        if condition.asks_for_all() && self.proof.coverage != Coverage::Complete {
            return Requirement::unmet(kind, reasons(Vec::new(), kind, self.proof));
        }
        let asked = self.asked(rule);
        match rule.provenance.as_ref().filter(|_| condition.is_about_provenance()) {
            Some(demand) => self.condition_on(demand, condition, &asked),
            None => match condition.check(&asked, None) {
                Ok(()) => Requirement { met: true, ..Requirement::unmet(kind, Vec::new()) },
                Err(miss) => Requirement::unmet(kind, vec![miss]),
            },
        }
    }

    /// What the condition of `rule` may be asked about: the facts that met its other requirements, and those of the kinds
    /// that no requirement asks for as far as its signers made them.
    fn asked(&self, rule: &'a Rule) -> Asked<'a> {
        let by_signer = |fact: &Fact| rule.signatures.iter().any(|block| block.check(fact.signer()).is_ok());
        let sbom = |demand: &SbomRule, fact: &Fact| check_document(demand, fact).is_ok();
        Asked {
            image: self.request.repository.to_string(),
            tag: self.request.tag.map_or("", Tag::as_str),
            digest: self.request.digest.to_string(),
            now: self.now.as_second(),
            signatures: self.standing(|fact| claims(fact.claim(), RequirementKind::Signature) && by_signer(fact)),
            sboms: self.standing(|fact| {
                fact.claim().sbom().is_some() && rule.sbom.as_ref().is_some_and(|demand| sbom(demand, fact))
            }),
            summaries: self.standing(|fact| {
                let verified = |demand: &ProvenanceRule| self.check_provenance(demand, fact).is_ok();
                let by_verifiers = rule.provenance.as_ref().filter(|demand| demand.takes_summaries());
                // What somebody else says in a verifier's name is none of its.
                fact.claim().summary().is_some() && by_verifiers.map_or_else(|| by_signer(fact), verified)
            }),
            vex: self.standing(|fact| fact.claim().vex().is_some() && by_signer(fact)),
            scans: self.standing(|fact| fact.claim().scan().is_some() && by_signer(fact)),
        }
    }

    fn condition_on(&self, demand: &ProvenanceRule, condition: &Condition, asked: &Asked<'_>) -> Requirement {
        let kind = RequirementKind::Condition;
        let does = |fact: &Fact| {
            claims(fact.claim(), RequirementKind::Provenance) && self.check_provenance(demand, fact).is_ok()
        };
        let (mut met, mut misses) = (Vec::new(), Vec::new());
        for fact in self.standing(does) {
            let Some(built) = demand.built(fact) else { continue };
            match condition.check(asked, Some((fact, built))) {
                Ok(()) if fact.subject() == self.proof.subject => return Requirement::met(kind, fact),
                Ok(()) => met.push(fact),
                Err(miss) => misses.push(miss),
            }
        }
        // Of an index that is proven by its attestation manifests, it must be true of everything that the index lists.
        if let [first, others @ ..] = &*chain::covering(self.proof, &met) {
            let also_by = others.iter().map(|fact| Arc::clone(fact)).collect();
            return Requirement { also_by, ..Requirement::met(kind, first) };
        }
        let none =
            || Reason { code: ReasonCode::ConditionFailed, text: "there is no provenance to ask about".to_owned() };
        let miss = most_telling(misses.into_iter()).unwrap_or_else(none);
        Requirement::unmet(kind, vec![miss])
    }

    /// The facts that count and fit, in order of their evidence: those about this digest, and those about what the index
    /// lists that it is, unless they are all there is and do not cover it.
    fn standing(&self, fits: impl Fn(&Fact) -> bool) -> Vec<&'a Arc<Fact>> {
        let counts = |fact: &&Arc<Fact>| fits(fact) && self.check_standing(fact).is_ok();
        let mut facts: Vec<_> = self.about_subject().filter(counts).collect();
        let of_children: Vec<_> = chain::of_children(self.proof).filter(counts).collect();
        if !facts.is_empty() || !chain::covering(self.proof, &of_children).is_empty() {
            facts.extend(of_children);
        }
        facts.sort_unstable();
        facts
    }

    fn provenance(&self, demand: &ProvenanceRule) -> Requirement {
        let requirement = self.first_that(RequirementKind::Provenance, |fact| self.check_provenance(demand, fact));
        let level = requirement.by.as_ref().and_then(|fact| demand.level(fact));
        Requirement { level, ..requirement }
    }

    pub(super) fn check_provenance(&self, demand: &ProvenanceRule, fact: &Fact) -> Result<(), Reason> {
        match fact.claim() {
            Claim::Provenance(provenance) => demand.check(fact.signer(), provenance, self.request.tag),
            Claim::Summary(summary) => demand.check_summary(summary, fact.signer(), self.request, self.now),
            Claim::Signature | Claim::Sbom(_) | Claim::Vex(_) | Claim::Scan(_) | Claim::Other { .. } => Ok(()),
        }
    }

    /// One bill of materials must do, and none that its signers made may list what is denied.
    fn sbom(&self, demand: &SbomRule) -> Requirement {
        let kind = RequirementKind::Sbom;
        let requirement = self.first_that(kind, |fact| check_document(demand, fact));
        let denied = self.denied(demand);
        if !denied.is_empty() {
            return Requirement::unmet(kind, reasons(denied, kind, self.proof));
        }
        if let Err(missing) = demand.check_feed(self.feeds) {
            return Requirement::unmet(kind, reasons(vec![missing], kind, self.proof));
        }
        // The one that was not seen may list what is denied.
        if requirement.met && demand.denies() && self.proof.coverage != Coverage::Complete {
            return Requirement::unmet(kind, reasons(Vec::new(), kind, self.proof));
        }
        requirement
    }

    fn denied(&self, demand: &SbomRule) -> Vec<Reason> {
        self.searched(demand).flat_map(|sbom| demand.denied_in(sbom, self.feeds).to_vec()).collect()
    }

    /// Whether weighing them by `rule` goes through a long bill of materials for the first time.
    pub(super) fn take_long(&self, rule: &Rule) -> bool {
        let demand = rule.sbom.as_ref();
        demand.is_some_and(|demand| self.searched(demand).any(|sbom| demand.takes_long(sbom, self.feeds)))
    }

    /// The bills of materials in which nothing may be that is denied.
    fn searched(&self, demand: &SbomRule) -> impl Iterator<Item = &'a Sbom> {
        let of_children = chain::of_children(self.proof).filter(|fact| claims(fact.claim(), RequirementKind::Sbom));
        let facts = self.of(RequirementKind::Sbom).chain(of_children);
        let facts = facts.filter(|fact| demand.check_signer(fact.signer()).is_ok());
        facts.filter_map(|fact| fact.claim().sbom())
    }

    /// A requirement is met by one fact that meets every line of it; lines are never pieced together from several. Where
    /// nothing does for an index itself, it is met if it is for everything that the index lists.
    fn first_that(&self, kind: RequirementKind, check: impl Fn(&Fact) -> Result<(), Reason>) -> Requirement {
        let (fit, mut misses) = self.sifted(self.of(kind), &check);
        // The same one whatever the order of the facts.
        if let Some(fact) = fit.into_iter().min() {
            return Requirement::met(kind, fact);
        }
        let of_children = chain::of_children(self.proof).filter(|fact| claims(fact.claim(), kind));
        let (fit, more) = self.sifted(of_children, &check);
        if let [first, others @ ..] = &*chain::covering(self.proof, &fit) {
            let also_by = others.iter().map(|fact| Arc::clone(fact)).collect();
            return Requirement { also_by, ..Requirement::met(kind, first) };
        }
        misses.extend(more);
        misses.extend(chain::uncovered(self.proof, &fit));
        Requirement::unmet(kind, reasons(misses, kind, self.proof))
    }

    /// Those of `facts` that count and meet `check`, and what the others miss.
    fn sifted(
        &self,
        facts: impl Iterator<Item = &'a Arc<Fact>>,
        check: impl Fn(&Fact) -> Result<(), Reason>,
    ) -> (Vec<&'a Arc<Fact>>, Vec<Reason>) {
        let (mut fit, mut misses) = (Vec::new(), Vec::new());
        for fact in facts {
            match self.check_standing(fact).and_then(|()| check(fact)) {
                Ok(()) => fit.push(fact),
                Err(miss) => misses.push(with_unproven(miss, fact)),
            }
        }
        (fit, misses)
    }

    /// A fact that is revoked, or ended with the key that stands for its time, counts for nothing.
    pub(super) fn check_standing(&self, fact: &Fact) -> Result<(), Reason> {
        self.revoked.fact(fact)?;
        if fact.holds_at(self.now) {
            return Ok(());
        }
        let signer = shown_signer(fact.signer());
        let text = format!("signed by {signer} at no proven time, and its time (not_after) is over");
        because(ReasonCode::TimestampInvalid, text)
    }

    /// The facts about this digest that claim something of `kind`.
    pub(super) fn of(&self, kind: RequirementKind) -> impl Iterator<Item = &'a Arc<Fact>> {
        self.about_subject().filter(move |fact| claims(fact.claim(), kind))
    }

    fn about_subject(&self) -> impl Iterator<Item = &'a Arc<Fact>> {
        let subject = self.proof.subject;
        self.proof.facts.iter().filter(move |fact| fact.subject() == subject)
    }
}

/// Where another trust domain or key than the expected one proves `fact`: what keeps others from it.
fn with_unproven(miss: Reason, fact: &Fact) -> Reason {
    if miss.code != ReasonCode::WrongTrust {
        return miss;
    }
    fact.unproven().iter().fold(miss, |miss, why| Reason { text: format!("{}; {}", miss.text, shown(why)), ..miss })
}

/// Why a bill of materials does not do, apart from what it lists.
fn check_document(demand: &SbomRule, fact: &Fact) -> Result<(), Reason> {
    let Some(sbom) = fact.claim().sbom() else { return Ok(()) };
    demand.check_signer(fact.signer()).and_then(|()| demand.check_format(sbom))
}
