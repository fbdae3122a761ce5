//! The decision: which digests may leave. The only maker of [`Admitted`].
//!
//! A **root** is a digest that was judged on its own evidence. What an admitted root reaches is granted to it, in its
//! repository only, and is served while one of its roots is admitted at that moment.

mod admitted;
mod bases;
mod blobs;
mod children;
mod collect;
mod contents;
mod detail;
mod evidence;
mod explain;
mod judge;
mod live;
mod manifests;
mod memory;
mod metrics;
mod places;
mod prove;
mod reach;
mod record;
mod resolve;
mod search;
mod serve;
mod served;
mod sources;
mod update;

use std::sync::Arc;

use prometheus::Registry;
use tokio::sync::Semaphore;

pub use admitted::{Admitted, Denial, Refusal, Unsettled};
pub use explain::{Explanation, Inspection};
pub use judge::Judge;
pub use record::{Known, Record};
pub use serve::ManifestBody;
pub use served::Head;
pub use sources::{Child, Sources};

use crate::clock::Clock;
use crate::content::Library;
use crate::current::Current;
use crate::evidence::subject_of_tag;
use crate::facts::{Facts, Grant, GrantKind};
use crate::flights::Flights;
use crate::gate::admitted::Size;
use crate::gate::judge::{Judged, Passed, Target};
use crate::gate::live::Live;
use crate::gate::manifests::Manifests;
use crate::gate::memory::Memory;
use crate::gate::metrics::Metrics;
use crate::gate::prove::Prover;
use crate::gate::reach::Looks;
use crate::gate::served::Served;
use crate::limits::{EVIDENCE_MEMORY_BYTES, ROOTS_PER_GRANT};
use crate::oci::{Digest, Image, Reference, Repository};
use crate::policy::{Policy, Verdict};
use crate::trust;
use crate::upstream::Upstreams;

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
    /// Who finds out whether a repository has a digest.
    presence: Flights<(Repository, Digest)>,
    served: Served,
    prover: Arc<Prover>,
    metrics: Metrics,
    looks: Looks,
}

/// What is served, and why.
#[derive(Debug)]
struct Decided {
    admitted: Admitted,
    verdict: Verdict,
    /// Why what was asked for is not served, where something else is in its place.
    instead_of: Option<Box<Refusal>>,
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
            presence: Flights::new(),
            served: Served::new(),
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
            // Rare, and larger than what images need.
            Some(subject) => Box::pin(self.decide_evidence(image, subject)).await,
            None => self.decide_manifest(image).await,
        }
    }

    /// Who decides about one request: one snapshot of rules and of trust for the whole decision.
    fn judge(&self) -> Judge<Live<'_>> {
        Judge::new(self.policy.snapshot(), Live { gate: self, trust: self.trust.snapshot() })
    }

    async fn decide_manifest(&self, image: &Image) -> Result<Decided, Refusal> {
        let judge = self.judge();
        if let Some(refusal) = judge.refused(image) {
            return Err(refusal);
        }
        let target = Target::of(image, self.resolve(image).await?);
        let Passed { digest, judged, instead_of } = judge.decide(&target).await?;
        Ok(Decided { instead_of, ..Decided::of(image, digest, judged, Size::Manifest) })
    }

    async fn decide_blob(&self, image: &Image, digest: Digest) -> Result<Decided, Refusal> {
        let (judge, target) = (self.judge(), Target::of(image, digest));
        let mut judged = self.judge_blob(&judge, &target).await?;
        if !judged.as_ref().is_some_and(|(judged, _)| judged.admits()) {
            self.reach_further(&image.repository).await?;
            judged = self.judge_blob(&judge, &target).await?;
        }
        match judged {
            Some((judged, sizes)) => {
                let judged = judge.admitted(&target, judged)?;
                Ok(Decided::of(image, digest, judged, Size::Declared(sizes)))
            }
            None => Err(Refusal::denied(image, None, Verdict::not_reached())),
        }
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

    /// The other digests that were judged, and reach this one, each with its grant.
    async fn granted(&self, of: &Repository, digest: Digest, kind: GrantKind) -> Result<Vec<Grant>, Refusal> {
        let grants = self.facts.grants(of, digest).await?;
        // That it is granted to itself says that it is there, and no more.
        let reaches = |grant: &&Grant| grant.kind == kind && grant.root != digest;
        Ok(grants.iter().filter(reaches).take(ROOTS_PER_GRANT).copied().collect())
    }
}

impl Decided {
    /// What was judged to be admitted, by the gate and by nobody else.
    fn of(image: &Image, digest: Digest, judged: Judged, size: Size) -> Self {
        let Judged { verdict, root, grants } = judged;
        let repository = image.repository.clone();
        Self { admitted: Admitted { repository, digest, root, size, grants }, verdict, instead_of: None }
    }
}
