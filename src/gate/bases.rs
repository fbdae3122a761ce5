//! The images that an image was built from, where its rule has them judged too (`base_images = "judge"`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::evidence::BaseImage;
use crate::gate::admitted::{Grants, Refusal};
use crate::gate::judge::{Judge, Passed, Target};
use crate::gate::sources::Sources;
use crate::limits::{BASE_DEPTH, BASE_IMAGES};
use crate::oci::{Digest, Image, Reference, Repository, Tag};
use crate::policy::{BuiltFrom, Decision, Mode, Reason, ReasonCode, Verdict};
use crate::verify::{Claim, Fact};

/// The base images that were judged for one request, whatever tag, root or image of an index they were judged for: each
/// once, and no more than [`BASE_IMAGES`].
#[derive(Debug, Default)]
pub(in crate::gate) struct Bases(Mutex<HashMap<Base, Option<Result<(), Unmet>>>>);

/// A base image, under the tag that the builder asked for.
type Base = (Repository, Digest, Option<Tag>);

/// From the image asked for down to one that it is based on.
#[derive(Debug)]
pub(in crate::gate) struct Line<'a> {
    repository: &'a Repository,
    digest: Digest,
    /// What was built from it.
    above: Option<&'a Self>,
}

/// Why a base image is not admitted, and whether asking again may help.
#[derive(Debug, Clone)]
struct Unmet {
    decision: Decision,
    reason: Reason,
    /// The code of what was found wrong with the base image itself.
    told: Option<ReasonCode>,
}

impl<S: Sources> Judge<S> {
    /// `verdict` on `root`, once all base images are judged that it waits for: those that the bills of materials name that
    /// count, and those that one provenance names which meets the rule. Each must be admitted now, as if it was asked for.
    pub(in crate::gate) async fn with_bases(&self, target: &Target<'_>, root: Digest, mut verdict: Verdict) -> Verdict {
        match verdict.built_from.take() {
            None => verdict,
            // Few rules ask for it, and a verdict without is a fraction as large.
            Some(built_from) => Box::pin(self.on_bases(target, root, verdict, built_from)).await,
        }
    }

    async fn on_bases(&self, target: &Target<'_>, root: Digest, verdict: Verdict, built_from: BuiltFrom) -> Verdict {
        let line = Line { repository: &target.image.repository, digest: root, above: target.line };
        let in_sboms = self.unmet_in_sboms(&line, &built_from.sboms).await;
        let (mut reasons, mut decision) = (Vec::new(), Decision::Refuse);
        // Where the rule asks for no provenance, the bills of materials say it all.
        let provenances = built_from.provenances.iter().map(Some);
        let none = built_from.provenances.is_empty().then_some(None);
        for provenance in provenances.chain(none) {
            let mut unmet = in_sboms.clone();
            if let Some(fact) = provenance {
                unmet.extend(self.unmet_in_provenance(&line, fact, &built_from).await);
            }
            if unmet.is_empty() {
                let facts: Vec<_> = provenance.into_iter().chain(&built_from.sboms).map(Arc::clone).collect();
                return verdict.on_known_bases(&facts);
            }
            if unmet.iter().all(|unmet| unmet.decision == Decision::Undecided) {
                decision = Decision::Undecided;
            }
            reasons.extend(unmet.into_iter().map(|unmet| unmet.reason));
        }
        verdict.on_unknown_bases(reasons, decision)
    }

    /// No more than are needed to refuse: signers may publish any number of documents.
    async fn unmet_in_sboms(&self, line: &Line<'_>, sboms: &[Arc<Fact>]) -> Vec<Unmet> {
        let mut unmet = Vec::new();
        for named in sboms.iter().filter_map(|fact| fact.claim().sbom()).map(|sbom| &sbom.base_images) {
            if unmet.len() > BASE_IMAGES {
                break;
            }
            let by = "a bill of materials";
            unmet.extend(named.more.then(|| Unmet::too_much().named_by(by)));
            unmet.extend(self.unmet_of(line, &named.images, by).await);
        }
        unmet
    }

    /// A provenance that names no image is none that says that there is none, unless its builder lists them all; a bill of
    /// materials may say instead what there is.
    async fn unmet_in_provenance(&self, line: &Line<'_>, fact: &Fact, built_from: &BuiltFrom) -> Vec<Unmet> {
        let what = match fact.claim() {
            Claim::Provenance(provenance) if provenance.lists_images() || !provenance.base_images.is_empty() => {
                return self.unmet_of(line, &provenance.base_images, "the provenance").await;
            }
            Claim::Provenance(provenance) => format!("provenance of build type {}", provenance.build_type),
            Claim::Summary(_)
            | Claim::Signature
            | Claim::Sbom(_)
            | Claim::Vex(_)
            | Claim::Scan(_)
            | Claim::Other { .. } => "a verification summary".to_owned(),
        };
        if built_from.sboms_are_of_all {
            return Vec::new();
        }
        vec![Unmet::refused(format!("{what} names no base image, so that none can be judged"))]
    }

    /// Those of `images`, which `by` names, that are not admitted.
    async fn unmet_of(&self, line: &Line<'_>, images: &[BaseImage], by: &str) -> Vec<Unmet> {
        let mut unmet = Vec::new();
        for base in images {
            unmet.extend(self.judge_base(line, base).await.err().map(|unmet| unmet.named_by(by)));
        }
        unmet
    }

    async fn judge_base(&self, line: &Line<'_>, base: &BaseImage) -> Result<(), Unmet> {
        let uri = &base.uri;
        let Some(repository) = &base.repository else {
            return Err(Unmet::refused(format!("where the base image {uri} is cannot be told")));
        };
        let Some(digest) = base.digest else {
            return Err(Unmet::refused(format!("the base image {uri} is named without a digest, or with two")));
        };
        let Some(upstream) = self.sources.canonical(&repository.upstream) else {
            return Err(Unmet::refused(format!("the upstream of base image {uri} is not configured")));
        };
        let repository = Repository::new(upstream.clone(), repository.name.clone());
        line.check(&repository, digest)?;
        let key = (repository, digest, base.tag.clone());
        if let Some(known) = self.bases.enter(&key)? {
            return known;
        }
        let outcome = self.judge_named(line, uri, &key).await;
        self.bases.keep(key, outcome.clone());
        outcome
    }

    /// The builder says which tag it asked for, and the rule takes its word: rules may be for some tags only. Of two
    /// refusals the one is told that says more.
    async fn judge_named(&self, line: &Line<'_>, uri: &str, (repository, digest, tag): &Base) -> Result<(), Unmet> {
        let image = Image { repository: repository.clone(), reference: Reference::Digest(*digest) };
        let below = Target { image: &image, tag: None, digest: *digest, line: Some(line) };
        let mut unmet: Option<Unmet> = None;
        for tag in tag.iter().map(Some).chain([None]) {
            let next = match self.decide_boxed(Target { tag, ..below.clone() }).await {
                Ok(passed) if is_proven(&passed) => return Ok(()),
                Ok(_) => {
                    let text = format!("the base image {uri} is an index that is proven by some of its images only");
                    Unmet::refused(text)
                }
                Err(refusal) => Unmet::of(&refusal),
            };
            unmet = Some(unmet.map_or_else(|| next.clone(), |first| first.or_more_telling(next.clone())));
        }
        Err(unmet.unwrap_or_else(|| Unmet::refused("nothing to judge")))
    }
}

/// Whether all of a base image is admitted, whichever of an index's images was built from. An index that is served for one
/// image that is proven (`index = "children"`) says nothing of the others.
fn is_proven(passed: &Passed) -> bool {
    passed.judged.grants == Grants::Reached || passed.judged.verdict.mode == Some(Mode::Audit)
}

impl Bases {
    /// What came of `base` before, if it was judged; else room for it.
    fn enter(&self, base: &Base) -> Result<Option<Result<(), Unmet>>, Unmet> {
        let mut judged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match judged.get(base) {
            Some(outcome) => Ok(outcome.clone()),
            None if judged.len() >= BASE_IMAGES => Err(Unmet::too_much()),
            None => {
                judged.insert(base.clone(), None);
                Ok(None)
            }
        }
    }

    fn keep(&self, base: Base, outcome: Result<(), Unmet>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(base, Some(outcome));
    }
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
        if depth > BASE_DEPTH { Err(Unmet::too_much()) } else { Ok(()) }
    }
}

impl Unmet {
    fn refused(text: impl Into<String>) -> Self {
        let reason = Reason { code: ReasonCode::BaseImageUnproven, text: text.into() };
        Self { decision: Decision::Refuse, reason, told: None }
    }

    /// The same of an image that `by` names: whoever is refused looks there.
    fn named_by(mut self, by: &str) -> Self {
        self.reason.text = format!("{} (named by {by})", self.reason.text);
        self
    }

    fn too_much() -> Self {
        let text = format!("base images beyond {BASE_DEPTH} deep, or {BASE_IMAGES} in all, are not judged");
        let reason = Reason { code: ReasonCode::TooMuch, text };
        Self { decision: Decision::Refuse, reason, told: None }
    }

    fn of(refusal: &Refusal) -> Self {
        let text = format!("base image {}", refusal.text());
        match refusal {
            Refusal::Denied(denial) => {
                let told = denial.verdict.most_telling().map(|(_, reason)| reason.code);
                Self { told, ..Self::refused(text) }
            }
            Refusal::NotFound { .. } | Refusal::Invalid { .. } => Self::refused(text),
            Refusal::Undecided { .. } => {
                let reason = Reason { code: ReasonCode::Unavailable, text };
                Self { decision: Decision::Undecided, reason, told: None }
            }
        }
    }

    /// What is undecided may be admitted in a moment; else whatever says most, and the first of equals.
    fn or_more_telling(self, other: Self) -> Self {
        let weight = |unmet: &Self| (unmet.decision == Decision::Undecided, unmet.told);
        if weight(&other) > weight(&self) { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(number: usize) -> Base {
        ("docker.io/library/alpine".parse().unwrap(), Digest::of(&number.to_le_bytes()), None)
    }

    #[test]
    fn all_that_is_judged_for_one_request_shares_one_budget_and_each_base_image_counts_once() {
        let bases = Bases::default();
        for number in 0..BASE_IMAGES {
            assert!(bases.enter(&base(number)).unwrap().is_none());
        }
        bases.keep(base(0), Ok(()));
        assert!(bases.enter(&base(0)).unwrap().unwrap().is_ok(), "what was judged is known");
        assert!(bases.enter(&base(1)).unwrap().is_none(), "what is being judged is not");
        assert_eq!(bases.enter(&base(BASE_IMAGES)).unwrap_err().reason.code, ReasonCode::TooMuch);
    }
}
