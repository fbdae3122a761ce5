//! What the gate finds out for one decision: from its stores, and from upstreams where they know nothing.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::spawn_blocking;

use crate::facts::{GrantKind, ProofKey};
use crate::gate::Gate;
use crate::gate::admitted::Refusal;
use crate::gate::sources::{Child, Sources};
use crate::limits::{INDEX_CHILDREN, REFUSAL_TTL};
use crate::oci::{Digest, Repository, Tag, UpstreamName};
use crate::policy::{Policy, Request, Verdict};
use crate::trust::Trust;
use crate::verify::{Coverage, Proof};

/// The gate, and whom it believes during one decision.
#[derive(Debug)]
pub(in crate::gate) struct Live<'a> {
    pub(in crate::gate) gate: &'a Gate,
    pub(in crate::gate) trust: Arc<Trust>,
}

impl Sources for Live<'_> {
    type Proof = Arc<Proof>;

    fn now(&self) -> Timestamp {
        self.gate.clock.now()
    }

    fn canonical(&self, upstream: &UpstreamName) -> Option<&UpstreamName> {
        self.gate.upstreams.names().canonical(upstream)
    }

    async fn verdict(
        &self,
        policy: &Arc<Policy>,
        request: &Request<'_>,
        proof: Option<&Arc<Proof>>,
    ) -> Result<Verdict, Refusal> {
        let seen = proof.map(|proof| as_far_as_trust_goes(proof, policy, request, &self.trust));
        let now = self.now();
        match seen.as_deref().filter(|proof| policy.takes_long(request, proof, now)) {
            None => Ok(policy.judge(request, seen.as_deref(), now)),
            Some(_) => self.gate.judge_apart(policy, request, seen).await,
        }
    }

    async fn proof(&self, of: &Repository, digest: Digest) -> Result<Arc<Proof>, Refusal> {
        match self.gate.facts.proof(&self.gate.key(of, digest, &self.trust)).await? {
            Some(proof) => Ok(proof),
            None => self.gate.prove(of, digest, &self.trust).await,
        }
    }

    async fn newer(&self, of: &Repository, digest: Digest, known: &Arc<Proof>) -> Result<Option<Arc<Proof>>, Refusal> {
        // Signatures arrive late.
        let is_stale = self.now().duration_since(known.collected_at).unsigned_abs() > REFUSAL_TTL;
        if is_stale { self.gate.prove(of, digest, &self.trust).await.map(Some) } else { Ok(None) }
    }

    async fn roots(&self, of: &Repository, digest: Digest) -> Result<Vec<Digest>, Refusal> {
        let granted = self.gate.granted(of, digest, GrantKind::Manifest).await?;
        Ok(granted.into_iter().map(|grant| grant.root).collect())
    }

    async fn tags_of(&self, of: &Repository, digest: Digest) -> Result<Arc<[Tag]>, Refusal> {
        Ok(self.gate.facts.tags_of(of, digest).await?)
    }

    async fn children(&self, of: &Repository, digest: Digest) -> Result<Vec<Child>, Refusal> {
        let (_, manifest) = self.gate.fetch_manifest(of, digest).await?;
        Ok(manifest.children().iter().filter_map(Child::of).take(INDEX_CHILDREN).collect())
    }

    async fn last_admitted(&self, of: &Repository, tag: &Tag) -> Result<Option<Digest>, Refusal> {
        Ok(self.gate.facts.last_admitted(of, tag).await?)
    }

    async fn check_presence(&self, of: &Repository, digest: Digest) -> Result<(), Refusal> {
        self.gate.check_presence(of, digest).await
    }

    async fn note_seen(&self, of: &Repository, tag: &Tag, children: &[Child]) -> Result<(), Refusal> {
        let digests: Vec<_> = children.iter().map(|child| child.digest).collect();
        Ok(self.gate.facts.seen(of, tag, &digests).await?)
    }

    async fn note_child(&self, of: &Repository, child: &Child) -> Result<(), Refusal> {
        let itself = [(child.digest, GrantKind::Manifest, child.size)];
        Ok(self.gate.facts.grant(of, child.digest, &itself).await?)
    }

    async fn note_judged(&self, of: (&Repository, Digest), verdict: &Verdict, proof: &Arc<Proof>) {
        self.gate.note_contents(of, verdict, proof);
    }

    async fn note_admitted(&self, of: &Repository, tag: &Tag, digest: Digest) -> Result<(), Refusal> {
        Ok(self.gate.facts.admitted(of, tag, digest).await?)
    }
}

impl Gate {
    pub(in crate::gate) async fn prove(
        &self,
        repository: &Repository,
        root: Digest,
        trust: &Arc<Trust>,
    ) -> Result<Arc<Proof>, Refusal> {
        let places = self.places(repository)?;
        let (prover, under) = (Arc::clone(&self.prover), Arc::clone(trust));
        let proving = async move { prover.prove(&places, root, under).await };
        // Most requests need no proof to be made, and none should be as large as this.
        Box::pin(self.facts.prove(&self.key(repository, root, trust), proving)).await
    }

    /// Judges away from the threads that answer requests, as many digests at once as are proven at once.
    async fn judge_apart(
        &self,
        policy: &Arc<Policy>,
        &Request { repository, tag, digest }: &Request<'_>,
        proof: Option<Arc<Proof>>,
    ) -> Result<Verdict, Refusal> {
        let core = self.prover.core().await?;
        let (policy, repository, tag, now) = (Arc::clone(policy), repository.clone(), tag.cloned(), self.clock.now());
        let judging = move || {
            // Held here, since judging goes on when whoever asked is gone.
            let _held = core;
            policy.judge(&Request { repository: &repository, tag: tag.as_ref(), digest }, proof.as_deref(), now)
        };
        spawn_blocking(judging).await.map_err(Refusal::undecided)
    }

    /// What is proven under one snapshot, or with evidence of one place, is never found without it.
    fn key(&self, repository: &Repository, digest: Digest, trust: &Trust) -> ProofKey {
        let (repository, elsewhere) = (repository.clone(), self.elsewhere(repository));
        ProofKey { repository, digest, epoch: trust.epoch().digest(), elsewhere }
    }
}

/// `proof` as it is for a rule that a trust domain matters to whose root is not there yet: what is not proven under that
/// domain may be so in a moment.
fn as_far_as_trust_goes(proof: &Arc<Proof>, policy: &Policy, request: &Request<'_>, trust: &Trust) -> Arc<Proof> {
    match trust.awaited().iter().find(|domain| policy.awaits(request, domain, proof)) {
        None => Arc::clone(proof),
        Some(domain) => {
            let failure = format!("the trusted root of {domain} is not there yet");
            Arc::new(Proof { coverage: Coverage::partial(failure), ..Proof::clone(proof) })
        }
    }
}
