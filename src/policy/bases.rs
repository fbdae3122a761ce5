//! Whose word is taken for what an image was built from (`base_images = "judge"`). The images themselves are judged by
//! whoever can ask for them.

use std::sync::Arc;

use crate::policy::candidates::Candidates;
use crate::policy::chain;
use crate::policy::provenance::ProvenanceRule;
use crate::policy::reason::{claims, unavailable, unseen};
use crate::policy::{BuiltFrom, Decision, Reason, ReasonCode, Requirement, RequirementKind, Rule, Verdict};
use crate::verify::{Coverage, Fact, Signer};

impl Candidates<'_> {
    /// `verdict`, by which all else is met, until the images are judged that the image was built from.
    ///
    /// Each provenance that does may name others: it is enough if those of one of them are admitted. A bill of materials
    /// adds to these, and takes nothing away; so one that was not seen may be what refuses the image.
    pub(super) fn awaiting_bases(&self, rule: &Rule, verdict: Verdict) -> Verdict {
        if let Some(reason) = unseen(&self.proof.coverage) {
            return verdict.on_unknown_bases(vec![reason], undecided_or_refused(&self.proof.coverage));
        }
        let provenances = rule.provenance.as_ref().map(|demand| self.provenances(demand)).unwrap_or_default();
        if provenances.is_empty() && rule.provenance.is_some() {
            let text = "it is an index that is proven by its attestation manifests, of which no base images are read";
            return refused(verdict, text);
        }
        let sboms = self.sboms_with_bases(rule, &provenances);
        let sboms_are_of_all = self.are_of_all(&sboms);
        if provenances.is_empty() && !sboms_are_of_all {
            return refused(verdict, "its bill of materials names no base image, so that none can be judged");
        }
        let reasons = vec![unavailable("base images are judged last")];
        let verdict = verdict.with(Requirement::unmet(RequirementKind::BaseImage, reasons), Decision::Undecided);
        Verdict { built_from: Some(BuiltFrom { provenances, sboms, sboms_are_of_all }), ..verdict }
    }

    /// The same ones in the same order, whatever the order of the facts.
    fn provenances(&self, demand: &ProvenanceRule) -> Vec<Arc<Fact>> {
        let does =
            |fact: &&Arc<Fact>| self.check_standing(fact).and_then(|()| self.check_provenance(demand, fact)).is_ok();
        let mut provenances: Vec<_> = self.of(RequirementKind::Provenance).filter(does).map(Arc::clone).collect();
        provenances.sort_unstable();
        provenances
    }

    /// The bills of materials of the image, or of what the index lists that it is, that name base images. Whoever may sign
    /// one for this rule is believed, in whatever format; nobody else is.
    fn sboms_with_bases(&self, rule: &Rule, provenances: &[Arc<Fact>]) -> Vec<Arc<Fact>> {
        let names = |fact: &&Arc<Fact>| fact.claim().sbom().is_some_and(|sbom| !sbom.base_images.is_empty());
        let counts =
            |fact: &&Arc<Fact>| self.check_standing(fact).is_ok() && may_sign(rule, provenances, fact.signer());
        let of_children = chain::of_children(self.proof).filter(|fact| claims(fact.claim(), RequirementKind::Sbom));
        let sboms = self.of(RequirementKind::Sbom).chain(of_children).filter(names).filter(counts);
        let mut sboms: Vec<_> = sboms.map(Arc::clone).collect();
        sboms.sort_unstable();
        sboms
    }

    /// Whether `sboms` speak of the whole image, or of each of those that the index lists that it is.
    fn are_of_all(&self, sboms: &[Arc<Fact>]) -> bool {
        let sboms: Vec<_> = sboms.iter().collect();
        sboms.iter().any(|fact| fact.subject() == self.proof.subject) || !chain::covering(self.proof, &sboms).is_empty()
    }
}

/// Whether a bill of materials that `signer` signed counts: as the rule demands of one, or, where it demands none, if it is
/// by somebody who may sign the image, or who signed provenance that meets the rule.
fn may_sign(rule: &Rule, provenances: &[Arc<Fact>], signer: &Signer) -> bool {
    match &rule.sbom {
        Some(demand) => demand.check_signer(signer).is_ok(),
        None => {
            rule.signatures.iter().any(|block| block.check(signer).is_ok())
                || provenances.iter().any(|fact| is_same(fact.signer(), signer))
        }
    }
}

/// Whether two signers are one. Whose source was built is part of who they are: anybody can call a reusable workflow.
fn is_same(one: &Signer, other: &Signer) -> bool {
    match (one, other) {
        (Signer::Key { name: one }, Signer::Key { name: other }) => one == other,
        (Signer::Certificate(one), Signer::Certificate(other)) => {
            (&one.trust, &one.issuer, &one.subject, &one.source_repository)
                == (&other.trust, &other.issuer, &other.subject, &other.source_repository)
        }
        (Signer::Key { .. }, Signer::Certificate(_)) | (Signer::Certificate(_), Signer::Key { .. }) => false,
    }
}

fn refused(verdict: Verdict, text: &str) -> Verdict {
    let reason = Reason { code: ReasonCode::BaseImageUnproven, text: text.to_owned() };
    verdict.on_unknown_bases(vec![reason], Decision::Refuse)
}

/// What could not be asked for may be there in a moment; what is left out is left out.
fn undecided_or_refused(coverage: &Coverage) -> Decision {
    match coverage {
        Coverage::Partial { .. } => Decision::Undecided,
        Coverage::Complete | Coverage::Bounded => Decision::Refuse,
    }
}
