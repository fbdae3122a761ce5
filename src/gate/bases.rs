//! The images that an image was built from, where its rule has them judged too (`base_images = "judge"`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::evidence::BaseImage;
use crate::gate::admitted::{Grants, Refusal};
use crate::gate::{Decided, Gate, Target};
use crate::limits::{BASE_DEPTH, BASE_IMAGES};
use crate::oci::{Digest, Image, Reference, Repository};
use crate::policy::{Decision, Mode, Reason, ReasonCode, Verdict};
use crate::verify::{Claim, Fact};

/// From the image asked for down to one that it is based on.
#[derive(Debug)]
pub(in crate::gate) struct Line<'a> {
    repository: &'a Repository,
    digest: Digest,
    /// What was built from it.
    above: Option<&'a Self>,
    /// How many base images were judged for the image asked for.
    judged: &'a AtomicUsize,
}

/// Why a base image is not admitted, and whether asking again may help.
struct Unmet {
    decision: Decision,
    reason: Reason,
}

impl Gate {
    /// `verdict` on `root`, once all base images are judged that it waits for: those that one provenance names which meets
    /// the rule. Each must be admitted now, as if it was asked for.
    pub(in crate::gate) async fn with_bases(&self, target: &Target<'_>, root: Digest, verdict: Verdict) -> Verdict {
        if verdict.provenances.is_empty() {
            return verdict;
        }
        let none = AtomicUsize::new(0);
        let judged = target.line.map_or(&none, |line| line.judged);
        let line = Line { repository: &target.image.repository, digest: root, above: target.line, judged };
        let (mut reasons, mut decision) = (Vec::new(), Decision::Refuse);
        for fact in &verdict.provenances {
            let unmet = self.unmet_bases(target, &line, fact).await;
            if unmet.is_empty() {
                let fact = Arc::clone(fact);
                return verdict.on_known_bases(&fact);
            }
            if unmet.iter().all(|unmet| unmet.decision == Decision::Undecided) {
                decision = Decision::Undecided;
            }
            reasons.extend(unmet.into_iter().map(|unmet| unmet.reason));
        }
        verdict.on_unknown_bases(reasons, decision)
    }

    async fn unmet_bases(&self, target: &Target<'_>, line: &Line<'_>, fact: &Fact) -> Vec<Unmet> {
        let Claim::Provenance(provenance) = fact.claim() else {
            return vec![Unmet::refused("a verification summary names no base image, so that none can be judged")];
        };
        if provenance.base_images.is_empty() && !provenance.lists_images() {
            let text = format!(
                "provenance of build type {} names no base image, so that none can be judged",
                provenance.build_type
            );
            return vec![Unmet::refused(text)];
        }
        let mut unmet = Vec::new();
        for base in &provenance.base_images {
            unmet.extend(self.judge_base(target, line, base).await.err());
        }
        unmet
    }

    async fn judge_base(&self, target: &Target<'_>, line: &Line<'_>, base: &BaseImage) -> Result<(), Unmet> {
        let uri = &base.uri;
        let Some(repository) = &base.repository else {
            return Err(Unmet::refused(format!("where the base image {uri} is cannot be told")));
        };
        let Some(digest) = base.digest else {
            return Err(Unmet::refused(format!("the base image {uri} is named without a digest, or with two")));
        };
        let Some(upstream) = self.upstreams.canonical(&repository.upstream) else {
            return Err(Unmet::refused(format!("the upstream of base image {uri} is not configured")));
        };
        let repository = Repository::new(upstream.clone(), repository.name.clone());
        line.check(&repository, digest)?;
        let image = Image { repository, reference: Reference::Digest(digest) };
        let below = Target { image: &image, tag: None, digest, line: Some(line), ..target.clone() };
        // The builder says which tag it asked for, and the rule takes its word; rules may be for some tags only.
        let tags = base.tag.iter().map(Some).chain([None]);
        let mut unmet = Unmet::refused("nothing to judge");
        for tag in tags {
            match self.decide_base(Target { tag, ..below.clone() }).await {
                Ok(decided) if is_proven(&decided) => return Ok(()),
                Ok(_) => {
                    let text = format!("the base image {uri} is an index that is proven by some of its images only");
                    unmet = Unmet::refused(text);
                }
                Err(refusal) => unmet = Unmet::of(&refusal),
            }
        }
        Err(unmet)
    }

    /// The same decision as about what is asked for; boxed, since it may come back here.
    fn decide_base<'a>(&'a self, target: Target<'a>) -> BoxFuture<'a, Result<Decided, Refusal>> {
        async move { self.decide_digest(&target).await }.boxed()
    }
}

/// Whether all of a base image is admitted, whichever of an index's images was built from. An index that is served for one
/// image that is proven (`index = "children"`) says nothing of the others.
fn is_proven(decided: &Decided) -> bool {
    decided.admitted.grants == Grants::Reached || decided.verdict.mode == Some(Mode::Audit)
}

impl Line<'_> {
    /// That there is room for one more, which is not on the line already.
    fn check(&self, repository: &Repository, digest: Digest) -> Result<(), Unmet> {
        let mut depth = 0;
        let mut line = Some(self);
        while let Some(above) = line {
            if above.digest == digest && above.repository == repository {
                return Err(Unmet::refused(format!("{repository}@{digest} is said to be built from itself")));
            }
            depth += 1;
            line = above.above;
        }
        if depth > BASE_DEPTH || self.judged.fetch_add(1, Ordering::Relaxed) >= BASE_IMAGES {
            let text = format!("base images beyond {BASE_DEPTH} deep, or {BASE_IMAGES} in all, are not judged");
            return Err(Unmet { decision: Decision::Refuse, reason: Reason { code: ReasonCode::TooMuch, text } });
        }
        Ok(())
    }
}

impl Unmet {
    fn refused(text: impl Into<String>) -> Self {
        let reason = Reason { code: ReasonCode::BaseImageUnproven, text: text.into() };
        Self { decision: Decision::Refuse, reason }
    }

    fn of(refusal: &Refusal) -> Self {
        let text = format!("base image {}", refusal.text());
        match refusal {
            Refusal::Denied(_) | Refusal::NotFound { .. } | Refusal::Invalid { .. } => Self::refused(text),
            Refusal::Undecided { .. } => {
                let reason = Reason { code: ReasonCode::Unavailable, text };
                Self { decision: Decision::Undecided, reason }
            }
        }
    }
}
