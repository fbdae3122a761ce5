//! An index that may be unproven, under a rule that judges each of its images by itself (`index = "children"`).

use std::cmp::Reverse;

use futures_util::{StreamExt, stream};

use crate::gate::admitted::{Grants, Refusal};
use crate::gate::judge::{Judge, Judged, Target};
use crate::gate::sources::{Child, Sources};
use crate::oci::Tag;
use crate::policy::{Decision, Mode, Reason, ReasonCode, Requirement, RequirementKind};

/// Children judged at once: each may have evidence to collect.
const AT_ONCE: usize = 4;
impl<S: Sources> Judge<S> {
    /// `own`, the verdict on an index by its own evidence, if it is proven; else, where its rule says so, one that admits it
    /// if one of its images at least is admitted by itself. Such an index is a list of digests: it grants nothing, and
    /// what a client takes from it is judged when it is asked for.
    pub(in crate::gate) async fn or_children(&self, target: &Target<'_>, own: Judged) -> Result<Judged, Refusal> {
        if own.verdict.is_met() {
            return Ok(own);
        }
        let repository = &target.image.repository;
        let mut tags = self.tags_of(target, target.digest).await?;
        tags.retain(|tag| self.policy.judges_children(repository, tag.as_ref()));
        if tags.is_empty() {
            return Ok(own);
        }
        let children = self.sources.children(repository, target.digest).await?;
        if children.is_empty() {
            return Ok(own);
        }
        for tag in tags.iter().flatten() {
            // By digest they are asked for with no tag, and their rule may be for some tags only.
            self.sources.note_seen(repository, tag, &children).await?;
        }
        let tags = &*tags;
        let judging: Vec<_> = children.iter().map(|child| self.judge_child(target, child, tags)).collect();
        let verdicts: Vec<_> = stream::iter(judging).buffered(AT_ONCE).collect().await;
        let proven = verdicts.iter().flatten().find(|judged| judged.verdict.is_met());
        Ok(match proven {
            Some(child) => through(child),
            None => unproven(own, &children, verdicts),
        })
    }

    async fn judge_child(&self, target: &Target<'_>, child: &Child, tags: &[Option<Tag>]) -> Result<Judged, Refusal> {
        let judged = self.judge_under(target, child.digest, tags).await?;
        let is_judged = matches!(judged.verdict.mode, Some(Mode::Enforce | Mode::Audit));
        if is_judged && judged.verdict.decision == Decision::Admit {
            // What it names is found for a node that asks for its layers only.
            self.sources.note_child(&target.image.repository, child).await?;
        }
        Ok(judged)
    }
}

/// The index, admitted since `child` is.
fn through(child: &Judged) -> Judged {
    let met = Requirement { met: true, ..Requirement::unmet(RequirementKind::Index, Vec::new()) };
    Judged { verdict: child.verdict.clone().with(met, Decision::Admit), root: child.root, grants: Grants::Nothing }
}

/// The index, with why each of its images is not proven either.
fn unproven(own: Judged, children: &[Child], verdicts: Vec<Result<Judged, Refusal>>) -> Judged {
    let mut reasons = Vec::new();
    let mut decision = own.verdict.decision;
    for (child, verdict) in children.iter().zip(verdicts) {
        let (decided, reason) = why(verdict);
        if decided == Decision::Undecided {
            decision = decided;
        }
        let space = if child.platform.is_empty() { "" } else { " " };
        let text = format!("{}{space}{}: {}", child.platform, child.digest, reason.text);
        reasons.push(Reason { code: reason.code, text });
    }
    reasons.sort_by_key(|reason| Reverse(reason.code));
    let unmet = Requirement::unmet(RequirementKind::Index, reasons);
    Judged { verdict: own.verdict.with(unmet, decision), ..own }
}

fn why(verdict: Result<Judged, Refusal>) -> (Decision, Reason) {
    match verdict {
        Ok(judged) => {
            let told = judged.verdict.most_telling();
            let told = told.map(|(kind, told)| Reason { code: told.code, text: format!("{kind}: {}", told.text) });
            let unknown = || Reason { code: ReasonCode::Missing, text: "it is not proven".to_owned() };
            (judged.verdict.decision, told.unwrap_or_else(unknown))
        }
        Err(refusal @ Refusal::Undecided { .. }) => {
            (Decision::Undecided, Reason { code: ReasonCode::Unavailable, text: refusal.text() })
        }
        Err(refusal @ (Refusal::Denied(_) | Refusal::NotFound { .. } | Refusal::Invalid { .. })) => {
            (Decision::Refuse, Reason { code: ReasonCode::Missing, text: refusal.text() })
        }
    }
}
