//! Proving one digest: fetch its manifest and, at the same time, its evidence; check each piece. The dear part, done once a
//! digest.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use prometheus::Histogram;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::clock::Clock;
use crate::evidence::{self, Evidence};
use crate::gate::admitted::Refusal;
use crate::gate::collect::{Collected, collect};
use crate::gate::memory::Memory;
use crate::gate::places::{Place, Places};
use crate::limits::PROVING_TIME;
use crate::oci::{Digest, digest_of, parse_manifest};
use crate::trust::Trust;
use crate::verify::{self, Coverage, Few, Flaw, Proof, Several, Subject};

/// What proving needs.
pub(in crate::gate) struct Prover {
    pub(in crate::gate) clock: Arc<dyn Clock>,
    /// One permit a core: checking is pure computation.
    pub(in crate::gate) cores: Arc<Semaphore>,
    /// Where evidence is held until it is checked.
    pub(in crate::gate) memory: Memory,
    pub(in crate::gate) seconds: Histogram,
}

impl fmt::Debug for Prover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prover").finish_non_exhaustive()
    }
}

impl Prover {
    /// Everything that can be found out in `places` about `digest` now, under `trust`.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if the upstream does not have the manifest, [`Refusal::Undecided`] if it cannot be asked
    /// for it. Evidence that cannot be asked for is no error but [`Coverage::Partial`].
    pub(in crate::gate) async fn prove(
        &self,
        places: &Places,
        digest: Digest,
        trust: Arc<Trust>,
    ) -> Result<Proof, Refusal> {
        let _timer = self.seconds.start_timer();
        let manifest = Box::pin(manifest(&places.own, digest)).shared();
        let collecting = Box::pin(collect(places, digest, manifest.clone(), &self.memory));
        let collected = timeout(PROVING_TIME, collecting).await.unwrap_or_else(|_| Ok(too_slow()))?;
        let proof = self.check(digest, manifest.await?, collected, trust).await?;
        Ok(Proof { elsewhere: places.elsewhere().into(), ..proof })
    }

    async fn check(
        &self,
        digest: Digest,
        manifest: Bytes,
        collected: Collected,
        trust: Arc<Trust>,
    ) -> Result<Proof, Refusal> {
        let Collected { evidence, attestations, flaws, coverage, room } = collected;
        let (children, collected_at) = (children(&manifest), self.clock.now());
        let mut proof = Proof {
            subject: digest,
            children: children.into(),
            elsewhere: Few::default(),
            facts: Several::default(),
            flaws: flaws.into(),
            coverage,
            collected_at,
        };
        if evidence.is_empty() && attestations.is_empty() {
            return Ok(proof);
        }
        let core = self.core().await?;
        let now = self.clock.now();
        let checking = move || {
            // Held here, since checking goes on when whoever asked is gone.
            let _held = (core, room);
            let (mut facts, mut flaws) = check_all(&evidence, &Subject { digest, manifest: &manifest }, &trust, now);
            let relayed = verify::check_attestations(&attestations, &trust, now);
            facts.extend(relayed.facts);
            flaws.extend(relayed.flaws);
            (facts, flaws, relayed.is_bounded)
        };
        // A panic while checking is no proof of anything: undecided, never admitted (GHSA-w6c6-c85g-mmv6).
        let (facts, flaws, is_bounded) = tokio::task::spawn_blocking(checking).await.map_err(Refusal::undecided)?;
        proof.facts.extend(facts.into_iter().map(Arc::new));
        proof.flaws.extend(flaws);
        if is_bounded && proof.coverage == Coverage::Complete {
            proof.coverage = Coverage::Bounded;
        }
        Ok(proof)
    }

    /// Leave to keep one core busy.
    pub(in crate::gate) async fn core(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.cores).acquire_owned().await.map_err(Refusal::undecided)
    }
}

async fn manifest(own: &Place, digest: Digest) -> Result<Bytes, Refusal> {
    let manifest = own.manifests.bytes(&own.upstream, &own.repository, digest).await?;
    manifest.ok_or_else(|| Refusal::no_manifest(&own.repository, digest))
}

/// What an index lists, if it lists attestation manifests. A child that cannot be asked for is proven by nothing.
fn children(manifest: &[u8]) -> Vec<Digest> {
    let Ok(manifest) = parse_manifest(manifest) else { return Vec::new() };
    if evidence::attestation_manifests(&manifest).is_empty() {
        return Vec::new();
    }
    manifest.children().iter().map(digest_of).collect::<Result<_, _>>().unwrap_or_default()
}

fn check_all(
    evidence: &[Evidence],
    subject: &Subject<'_>,
    trust: &Trust,
    now: jiff::Timestamp,
) -> (Vec<verify::Fact>, Vec<Flaw>) {
    let (mut facts, mut flaws) = (Vec::new(), Vec::new());
    for piece in evidence {
        match verify::check(piece, subject, trust, now) {
            Ok(proved) => facts.extend(proved),
            Err(flaw) => flaws.push(flaw),
        }
    }
    (facts, flaws)
}

fn too_slow() -> Collected {
    let failure = format!("collecting the evidence took longer than {} s", PROVING_TIME.as_secs());
    let (evidence, attestations, flaws) = (Vec::new(), Vec::new(), Vec::new());
    Collected { evidence, attestations, flaws, coverage: Coverage::partial(failure), room: None }
}
