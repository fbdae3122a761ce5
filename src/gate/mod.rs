//! The decision: which digests may leave. The only maker of [`Admitted`].
//!
//! A **root** is a digest that was judged on its own evidence. What an admitted root reaches is granted to it, in its
//! repository only, and is served while one of its roots is admitted at that moment.

mod admitted;
mod bases;
mod children;
mod collect;
mod contents;
mod evidence;
mod explain;
mod manifests;
mod memory;
mod metrics;
mod places;
mod prove;
mod reach;
mod resolve;
mod search;
mod serve;
mod update;

use std::borrow::Cow;
use std::sync::Arc;

use prometheus::Registry;
use tokio::sync::Semaphore;

pub use admitted::{Admitted, Denial, Refusal, Unsettled};
pub use explain::{Explanation, Inspection};
pub use serve::ManifestBody;

use crate::clock::Clock;
use crate::content::Library;
use crate::current::Current;
use crate::evidence::subject_of_tag;
use crate::facts::{Facts, Grant, GrantKind, ProofKey};
use crate::gate::admitted::{Grants, Size};
use crate::gate::bases::Line;
use crate::gate::manifests::Manifests;
use crate::gate::memory::Memory;
use crate::gate::metrics::Metrics;
use crate::gate::prove::Prover;
use crate::gate::reach::Looks;
use crate::limits::{EVIDENCE_MEMORY_BYTES, REFUSAL_TTL, ROOTS_PER_GRANT};
use crate::oci::{Digest, Image, Reference, Repository, Tag};
use crate::policy::{Decision, Mode, Policy, Request, Verdict};
use crate::trust::{self, Trust};
use crate::upstream::Upstreams;
use crate::verify::{Coverage, Proof};

/// What the gate is built from.
#[derive(Debug)]
pub struct Parts {
    /// Where images come from.
    pub upstreams: Arc<Upstreams>,
    /// What is known of them.
    pub facts: Arc<Facts>,
    /// The bytes kept here.
    pub content: Arc<Library>,
    /// The rules, as they are at each moment.
    pub policy: Current<Policy>,
    /// The roots of trust, as they are at each moment.
    pub trust: trust::Current,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How many digests may be checked at once: one a core.
    pub cores: usize,
}

/// The gate.
#[derive(Debug)]
pub struct Gate {
    upstreams: Arc<Upstreams>,
    facts: Arc<Facts>,
    content: Arc<Library>,
    policy: Current<Policy>,
    clock: Arc<dyn Clock>,
    trust: trust::Current,
    manifests: Manifests,
    prover: Arc<Prover>,
    metrics: Metrics,
    looks: Looks,
}

/// What a request asks for, once its tag is resolved, by which rules it is judged, and whom to believe on it: one
/// snapshot of each for the whole decision.
#[derive(Debug, Clone)]
struct Target<'a> {
    image: &'a Image,
    tag: Option<&'a Tag>,
    digest: Digest,
    policy: Arc<Policy>,
    trust: Arc<Trust>,
    /// What was built from it, where it is judged as a base image.
    line: Option<&'a Line<'a>>,
}

/// What is served, and why.
#[derive(Debug)]
struct Decided {
    admitted: Admitted,
    verdict: Verdict,
    /// Why what was asked for is not served, where something else is in its place.
    instead_of: Option<Box<Refusal>>,
}

/// A verdict, and the root that it is about.
#[derive(Debug)]
struct Judged {
    verdict: Verdict,
    root: Digest,
    grants: Grants,
}

impl Gate {
    /// A gate over `parts`, counting in `registry`.
    ///
    /// # Errors
    /// If `registry` has metrics of these names already.
    pub fn new(parts: Parts, registry: &Registry) -> Result<Self, prometheus::Error> {
        let Parts { upstreams, facts, content, policy, trust, clock, cores } = parts;
        let metrics = Metrics::register(registry)?;
        let manifests = Manifests::new(Arc::clone(&content));
        let prover = Arc::new(Prover {
            clock: Arc::clone(&clock),
            cores: Arc::new(Semaphore::new(cores)),
            memory: Memory::new(EVIDENCE_MEMORY_BYTES),
            seconds: metrics.proving_seconds.clone(),
        });
        Ok(Self {
            upstreams,
            facts,
            content,
            policy,
            clock,
            trust,
            manifests,
            prover,
            metrics,
            looks: Looks::default(),
        })
    }

    /// Judges a manifest, asked for by tag or by digest.
    ///
    /// # Errors
    /// [`Refusal`], unless it is admitted now.
    pub async fn admit(&self, image: &Image) -> Result<Admitted, Refusal> {
        let decision = self.metrics.decision(image);
        let outcome = self.decide(image).await;
        decision.made(&outcome);
        outcome.map(|decided| decided.admitted)
    }

    /// Judges a blob: it is served if an admitted manifest of the same repository reaches it, and never otherwise. A
    /// digest known from elsewhere opens nothing.
    ///
    /// # Errors
    /// [`Refusal`], unless it is admitted now.
    pub async fn admit_blob(&self, repository: &Repository, digest: Digest) -> Result<Admitted, Refusal> {
        let image = Image { repository: repository.clone(), reference: Reference::Digest(digest) };
        let decision = self.metrics.decision(&image);
        let outcome = self.decide_blob(&image, digest).await;
        decision.made(&outcome);
        outcome.map(|decided| decided.admitted)
    }

    async fn decide(&self, image: &Image) -> Result<Decided, Refusal> {
        match image.tag().and_then(subject_of_tag) {
            Some(subject) => self.decide_evidence(image, subject).await,
            None => self.decide_manifest(image).await,
        }
    }

    /// The whole decision about a manifest.
    async fn decide_manifest(&self, image: &Image) -> Result<Decided, Refusal> {
        let refused = image.tag().and_then(|tag| self.policy.snapshot().refuses(&image.repository, tag));
        if let Some(verdict) = refused {
            return Err(Refusal::denied(image, None, verdict));
        }
        let target = self.target(image, self.resolve(image).await?);
        let decided = self.decide_digest(&target).await;
        match image.tag().filter(|tag| target.policy.keeps_last_admitted(&image.repository, tag)) {
            Some(tag) => self.or_last_admitted(&target, tag, decided).await,
            None => decided,
        }
    }

    fn target<'a>(&self, image: &'a Image, digest: Digest) -> Target<'a> {
        Target {
            image,
            tag: image.tag(),
            digest,
            policy: self.policy.snapshot(),
            trust: self.trust.snapshot(),
            line: None,
        }
    }

    async fn decide_digest(&self, target: &Target<'_>) -> Result<Decided, Refusal> {
        let judged = self.judge_manifest(target).await?;
        let decided = Self::admitted(target, judged, Size::Manifest)?;
        if decided.verdict.mode != Some(Mode::Enforce) || decided.admitted.grants == Grants::Nothing {
            self.check_presence(&decided.admitted).await?;
        }
        Ok(decided)
    }

    /// The verdict on a manifest: by what reaches it, else on its own evidence.
    async fn judge_manifest(&self, target: &Target<'_>) -> Result<Judged, Refusal> {
        let grants = self.granted(target, GrantKind::Manifest).await?;
        let granted = match self.judge_grants(target, &grants).await? {
            Some((judged, _)) if judged.verdict.decision == Decision::Admit => return Ok(judged),
            granted => granted.map(|(judged, _)| judged).filter(|judged| is_undecided(&judged.verdict)),
        };
        let own = self.judge(target, target.digest).await?;
        let own = self.or_children(target, own).await?;
        match own.verdict.decision {
            // Nothing is refused while a root that might admit it is undecided.
            Decision::Refuse => Ok(granted.unwrap_or(own)),
            Decision::Admit | Decision::Undecided => Ok(own),
        }
    }

    async fn decide_blob(&self, image: &Image, digest: Digest) -> Result<Decided, Refusal> {
        let target = self.target(image, digest);
        let mut judged = self.judge_blob(&target).await?;
        if !judged.as_ref().is_some_and(|(judged, _)| judged.verdict.decision == Decision::Admit) {
            self.reach_further(&image.repository).await?;
            judged = self.judge_blob(&target).await?;
        }
        match judged {
            Some((judged, size)) => Self::admitted(&target, judged, Size::Declared(size)),
            None => Err(Refusal::denied(image, None, Verdict::not_reached())),
        }
    }

    async fn judge_blob(&self, target: &Target<'_>) -> Result<Option<(Judged, u64)>, Refusal> {
        let grants = self.granted(target, GrantKind::Blob).await?;
        self.judge_grants(target, &grants).await
    }

    /// Evidence about an admitted subject is admitted with it, so that others can check it through this mirror.
    async fn decide_evidence(&self, image: &Image, subject: Digest) -> Result<Decided, Refusal> {
        let of = Image { repository: image.repository.clone(), reference: Reference::Digest(subject) };
        let decided = self.decide_manifest(&of).await?;
        let digest = self.resolve(image).await?;
        if digest != subject {
            self.grant_evidence(&decided.admitted, digest).await?;
        }
        Ok(Decided { admitted: Admitted { digest, ..decided.admitted }, ..decided })
    }

    fn admitted(target: &Target<'_>, judged: Judged, size: Size) -> Result<Decided, Refusal> {
        let &Target { image, digest, ref policy, .. } = target;
        if let Some(verdict) = policy.revoked(digest) {
            return Err(Refusal::denied(image, Some(digest), verdict));
        }
        let Judged { verdict, root, grants } = judged;
        match verdict.decision {
            Decision::Admit => {
                let repository = image.repository.clone();
                Ok(Decided { admitted: Admitted { repository, digest, root, size, grants }, verdict, instead_of: None })
            }
            Decision::Refuse => Err(Refusal::denied(image, Some(digest), verdict)),
            Decision::Undecided => Err(Refusal::unsettled(undecided(&verdict), digest, verdict)),
        }
    }

    async fn granted(&self, target: &Target<'_>, kind: GrantKind) -> Result<Vec<Grant>, Refusal> {
        let grants = self.facts.grants(&target.image.repository, target.digest).await?;
        // That it is granted to itself says that it is there, and no more.
        let reaches = |grant: &&Grant| grant.kind == kind && grant.root != target.digest;
        Ok(grants.iter().filter(reaches).take(ROOTS_PER_GRANT).copied().collect())
    }

    /// The verdict on the first of the roots that admits, with the size that this root declares; else the most hopeful
    /// one; nothing without roots.
    async fn judge_grants(&self, target: &Target<'_>, grants: &[Grant]) -> Result<Option<(Judged, u64)>, Refusal> {
        let mut best = None;
        for grant in grants {
            let judged = self.judge(target, grant.root).await?;
            match judged.verdict.decision {
                Decision::Admit => return Ok(Some((judged, grant.size))),
                Decision::Undecided => best = Some((judged, grant.size)),
                Decision::Refuse => best = best.or(Some((judged, grant.size))),
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

    async fn judge_under(&self, target: &Target<'_>, root: Digest, tags: &[Option<Tag>]) -> Result<Judged, Refusal> {
        let mut proof = None;
        let mut verdict = self.verdict(target, root, tags, &mut proof).await?;
        if verdict.decision == Decision::Refuse && proof.as_ref().is_some_and(|proof| self.is_stale(proof)) {
            // What could not be asked for now may be what has come since: the new proof counts, even if it is partial.
            proof = Some(self.prove(&target.image.repository, root, &target.trust).await?);
            verdict = self.verdict(target, root, tags, &mut proof).await?;
        }
        if let Some(proof) = &proof {
            self.note_contents((&target.image.repository, root), &verdict, proof).await;
        }
        Ok(Judged { verdict, root, grants: Grants::Reached })
    }

    async fn tags_of(&self, target: &Target<'_>, root: Digest) -> Result<Vec<Option<Tag>>, Refusal> {
        if let Some(tag) = target.tag {
            return Ok(vec![Some(tag.clone())]);
        }
        let seen = self.facts.tags_of(&target.image.repository, root).await?;
        Ok(std::iter::once(None).chain(seen.iter().cloned().map(Some)).collect())
    }

    /// The first verdict that admits, else the first undecided one, else the first. `proof` is found out once, and only
    /// if a rule asks for it: one that is partial is kept nowhere else.
    async fn verdict(
        &self,
        target: &Target<'_>,
        root: Digest,
        tags: &[Option<Tag>],
        proof: &mut Option<Arc<Proof>>,
    ) -> Result<Verdict, Refusal> {
        let repository = &target.image.repository;
        let mut best: Option<Verdict> = None;
        for tag in tags {
            let request = Request { repository, tag: tag.as_ref(), digest: root };
            if proof.is_none() && target.policy.needs_proof(&request) {
                *proof = Some(self.proof(repository, root, &target.trust).await?);
            }
            let seen = proof.as_deref().map(|proof| as_far_as_trust_goes(proof, &request, target));
            let verdict = target.policy.judge(&request, seen.as_deref(), self.clock.now());
            let verdict = self.with_bases(target, root, verdict).await;
            match verdict.decision {
                Decision::Admit => return Ok(verdict),
                Decision::Undecided => best = best.filter(is_undecided).or(Some(verdict)),
                Decision::Refuse => best = best.or(Some(verdict)),
            }
        }
        best.ok_or_else(|| Refusal::undecided("nothing to judge"))
    }

    /// What is known of `root`, found out first if nothing is.
    async fn proof(&self, repository: &Repository, root: Digest, trust: &Arc<Trust>) -> Result<Arc<Proof>, Refusal> {
        match self.facts.proof(&self.key(repository, root, trust)).await? {
            Some(proof) => Ok(proof),
            None => self.prove(repository, root, trust).await,
        }
    }

    async fn prove(&self, repository: &Repository, root: Digest, trust: &Arc<Trust>) -> Result<Arc<Proof>, Refusal> {
        let places = self.places(repository)?;
        let (prover, under) = (Arc::clone(&self.prover), Arc::clone(trust));
        let proving = async move { prover.prove(&places, root, under).await };
        self.facts.prove(&self.key(repository, root, trust), proving).await
    }

    /// What is proven under one snapshot, or with evidence of one place, is never found without it.
    fn key(&self, repository: &Repository, digest: Digest, trust: &Trust) -> ProofKey {
        let (repository, elsewhere) = (repository.clone(), self.elsewhere(repository));
        ProofKey { repository, digest, epoch: trust.epoch().to_string(), elsewhere }
    }

    /// Whether evidence may have been published since it was collected: signatures arrive late.
    fn is_stale(&self, proof: &Proof) -> bool {
        self.clock.now().duration_since(proof.collected_at).unsigned_abs() > REFUSAL_TTL
    }
}

/// `proof` as it is for a rule that names a trust domain whose root is not there yet: what is not proven under that domain
/// may be so in a moment.
fn as_far_as_trust_goes<'a>(proof: &'a Proof, request: &Request<'_>, target: &Target<'_>) -> Cow<'a, Proof> {
    match target.trust.awaited().iter().find(|domain| target.policy.relies_on(request, domain)) {
        None => Cow::Borrowed(proof),
        Some(domain) => {
            let failure = format!("the trusted root of {domain} is not there yet");
            Cow::Owned(Proof { coverage: Coverage::Partial { failure }, ..proof.clone() })
        }
    }
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
