//! One decision, from the manifest that is asked for to its roots, its images and what it was built from: written once,
//! for the gate and for whoever only wants to know what it would decide.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::gate::Explanation;
use crate::gate::admitted::{Grants, Refusal};
use crate::gate::bases::{Bases, Line};
use crate::gate::sources::Sources;
use crate::oci::{Digest, Image, Tag};
use crate::policy::{Decision, Mode, Policy, Request, Verdict};

/// Who decides: by one snapshot of the rules, out of one kind of sources. One for each request.
///
/// What it says opens nothing: only the gate makes an [`Admitted`](crate::gate::Admitted) of it, and only of what it found
/// out itself.
#[derive(Debug)]
pub struct Judge<S> {
    pub(in crate::gate) sources: S,
    pub(in crate::gate) policy: Arc<Policy>,
    pub(in crate::gate) bases: Bases,
}

/// What a request asks for, once its tag is resolved.
#[derive(Debug, Clone)]
pub(in crate::gate) struct Target<'a> {
    pub(in crate::gate) image: &'a Image,
    pub(in crate::gate) tag: Option<&'a Tag>,
    pub(in crate::gate) digest: Digest,
    /// What was built from it, where it is judged as a base image.
    pub(in crate::gate) line: Option<&'a Line<'a>>,
}

/// A verdict, and the root that it is about.
#[derive(Debug)]
pub(in crate::gate) struct Judged {
    pub(in crate::gate) verdict: Verdict,
    pub(in crate::gate) root: Digest,
    pub(in crate::gate) grants: Grants,
}

/// A manifest that is admitted, and why.
#[derive(Debug)]
pub(in crate::gate) struct Passed {
    pub(in crate::gate) digest: Digest,
    pub(in crate::gate) judged: Judged,
    /// Why what was asked for is not served, where something else is in its place.
    pub(in crate::gate) instead_of: Option<Box<Refusal>>,
}

impl<'a> Target<'a> {
    pub(in crate::gate) fn of(image: &'a Image, digest: Digest) -> Self {
        Self { image, tag: image.tag(), digest, line: None }
    }
}

impl<S: Sources> Judge<S> {
    /// One that decides by `policy` out of `sources`.
    pub fn new(policy: Arc<Policy>, sources: S) -> Self {
        Self { sources, policy, bases: Bases::default() }
    }

    /// What is decided about `image`, which is `digest` now, with the reasons.
    pub async fn explain(&self, image: &Image, digest: Digest) -> Explanation {
        let passed = match self.refused(image) {
            Some(refusal) => Err(refusal),
            None => self.decide(&Target::of(image, digest)).await,
        };
        let passed = passed.map(|Passed { digest, judged, instead_of }| (digest, judged.verdict, instead_of));
        Explanation::of(image, passed)
    }

    /// The refusal of a tag of which no digest could be admitted.
    pub(in crate::gate) fn refused(&self, image: &Image) -> Option<Refusal> {
        let verdict = image.tag().and_then(|tag| self.policy.refuses(&image.repository, tag))?;
        Some(Refusal::denied(image, None, verdict))
    }

    /// The whole decision about a manifest.
    pub(in crate::gate) async fn decide(&self, target: &Target<'_>) -> Result<Passed, Refusal> {
        let passed = self.decide_digest(target).await;
        let keeps = |tag: &&Tag| self.policy.keeps_last_admitted(&target.image.repository, tag);
        match target.tag.filter(keeps) {
            Some(tag) => self.or_last_admitted(target, tag, passed).await,
            None => passed,
        }
    }

    pub(in crate::gate) async fn decide_digest(&self, target: &Target<'_>) -> Result<Passed, Refusal> {
        let judged = self.judge_manifest(target).await?;
        let judged = self.admitted(target, judged)?;
        if judged.verdict.mode != Some(Mode::Enforce) || judged.grants == Grants::Nothing {
            self.sources.check_presence(&target.image.repository, target.digest).await?;
        }
        Ok(Passed { digest: target.digest, judged, instead_of: None })
    }

    /// The same, boxed, for what may come back to where it is asked from.
    pub(in crate::gate) fn decide_boxed<'a>(&'a self, target: Target<'a>) -> BoxFuture<'a, Result<Passed, Refusal>> {
        async move { self.decide_digest(&target).await }.boxed()
    }

    /// `judged`, if it admits.
    pub(in crate::gate) fn admitted(&self, target: &Target<'_>, judged: Judged) -> Result<Judged, Refusal> {
        let &Target { image, digest, .. } = target;
        if let Some(verdict) = self.policy.revoked(digest) {
            return Err(Refusal::denied(image, Some(digest), verdict));
        }
        match judged.verdict.decision {
            Decision::Admit => Ok(judged),
            Decision::Refuse => Err(Refusal::denied(image, Some(digest), judged.verdict)),
            Decision::Undecided => Err(Refusal::unsettled(undecided(&judged.verdict), digest, judged.verdict)),
        }
    }

    /// The verdict on a manifest: by what reaches it, else on its own evidence.
    async fn judge_manifest(&self, target: &Target<'_>) -> Result<Judged, Refusal> {
        let roots = self.sources.roots(&target.image.repository, target.digest).await?;
        let granted = match self.judge_roots(target, roots.into_iter()).await? {
            Some(judged) if judged.admits() => return Ok(judged),
            granted => granted.filter(|judged| is_undecided(&judged.verdict)),
        };
        let own = self.judge(target, target.digest).await?;
        let own = self.or_children(target, own).await?;
        match own.verdict.decision {
            // Nothing is refused while a root that might admit it is undecided.
            Decision::Refuse => Ok(granted.unwrap_or(own)),
            Decision::Admit | Decision::Undecided => Ok(own),
        }
    }

    /// The verdict on the first of the roots that admits; else the most hopeful one; nothing without roots.
    pub(in crate::gate) async fn judge_roots(
        &self,
        target: &Target<'_>,
        roots: impl Iterator<Item = Digest> + Send,
    ) -> Result<Option<Judged>, Refusal> {
        let mut best = None;
        for root in roots {
            best = more_hopeful(best, Some(self.judge(target, root).await?));
            if best.as_ref().is_some_and(Judged::admits) {
                break;
            }
        }
        Ok(best)
    }

    /// Judges `root` on its own evidence, under the tag asked for, or, by digest, under no tag and under each tag that it
    /// was seen under: a rule for a tag is no rule for whatever digest a client names.
    async fn judge(&self, target: &Target<'_>, root: Digest) -> Result<Judged, Refusal> {
        let tags = self.tags_of(target, root).await?;
        self.judge_under(target, root, &tags).await
    }

    pub(in crate::gate) async fn judge_under(
        &self,
        target: &Target<'_>,
        root: Digest,
        tags: &[Option<Tag>],
    ) -> Result<Judged, Refusal> {
        let repository = &target.image.repository;
        let mut proof = None;
        let mut verdict = self.verdict(target, root, tags, &mut proof).await?;
        if let Some(known) = proof.as_ref().filter(|_| verdict.decision == Decision::Refuse)
            && let Some(newer) = self.sources.newer(repository, root, known).await?
        {
            // What could not be asked for now may be what has come since: the new proof counts, even if it is partial.
            proof = Some(newer);
            verdict = self.verdict(target, root, tags, &mut proof).await?;
        }
        if let Some(proof) = &proof {
            self.sources.note_judged((repository, root), &verdict, proof).await;
        }
        Ok(Judged { verdict, root, grants: Grants::Reached })
    }

    pub(in crate::gate) async fn tags_of(
        &self,
        target: &Target<'_>,
        root: Digest,
    ) -> Result<Vec<Option<Tag>>, Refusal> {
        if let Some(tag) = target.tag {
            return Ok(vec![Some(tag.clone())]);
        }
        let seen = self.sources.tags_of(&target.image.repository, root).await?;
        Ok(std::iter::once(None).chain(seen.iter().cloned().map(Some)).collect())
    }

    /// The first verdict that admits, else the first undecided one, else the first. `proof` is found out once, and only
    /// if a rule asks for it: one that is partial is kept nowhere else.
    async fn verdict(
        &self,
        target: &Target<'_>,
        root: Digest,
        tags: &[Option<Tag>],
        proof: &mut Option<S::Proof>,
    ) -> Result<Verdict, Refusal> {
        let repository = &target.image.repository;
        let mut best: Option<Verdict> = None;
        for tag in tags {
            let request = Request { repository, tag: tag.as_ref(), digest: root };
            if proof.is_none() && self.policy.needs_proof(&request, self.sources.now()) {
                *proof = Some(self.sources.proof(repository, root).await?);
            }
            let verdict = self.sources.verdict(&self.policy, &request, proof.as_ref()).await?;
            let verdict = self.with_bases(target, root, verdict).await;
            match verdict.decision {
                Decision::Admit => return Ok(verdict),
                Decision::Undecided => best = best.filter(is_undecided).or(Some(verdict)),
                Decision::Refuse => best = best.or(Some(verdict)),
            }
        }
        best.ok_or_else(|| Refusal::undecided("nothing to judge"))
    }
}

impl Judged {
    pub(in crate::gate) fn admits(&self) -> bool {
        self.verdict.decision == Decision::Admit
    }
}

/// Of two verdicts on the same, what admits, else what is undecided; the first of two refusals, and the last of two undecided.
pub(in crate::gate) fn more_hopeful(best: Option<Judged>, next: Option<Judged>) -> Option<Judged> {
    let is_settled = best.as_ref().is_some_and(Judged::admits);
    let is_no_more = next.as_ref().is_none_or(|next| next.verdict.decision == Decision::Refuse);
    if is_settled || is_no_more { best.or(next) } else { next }
}

fn is_undecided(verdict: &Verdict) -> bool {
    verdict.decision == Decision::Undecided
}

/// What could not be found out, in words.
fn undecided(verdict: &Verdict) -> String {
    verdict
        .most_telling()
        .map_or_else(|| "evidence is missing".to_owned(), |(kind, reason)| format!("{kind}: {}", reason.text))
}
