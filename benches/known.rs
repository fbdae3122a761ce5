//! What the looks of one warm request at what is known cost, with a thousand digests known and with a million: CPU time of
//! this thread, medians of rounds that take turns.
//!
//! The store behind it knows everything about any digest, and says so at once: what is measured is memory, filled by asking.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark ends where something is wrong, and talks to whoever started it"
)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bonafide::clock::{Clock, SystemClock};
use bonafide::facts::{
    Contained, FactStore, Facts, FactsError, Grant, GrantKind, Holder, IndexedPackage, PackageStore, ProofKey, Pull,
    PullStore, Resolution,
};
use bonafide::oci::{Digest, Repository, Tag};
use bonafide::verify::{Coverage, Few, Proof, Several};
use jiff::Timestamp;
use mimalloc::MiMalloc;
use rustix::time::{ClockId, clock_gettime};

/// That of the program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The images that are asked for.
const HOT: u32 = 1000;
/// How many digests are known.
const KNOWN: [u32; 2] = [1_000, 1_000_000];
const ROUNDS: usize = 21;
/// How often each image is asked for in one round.
const TURNS: usize = 20;

/// Knows the image of every number: `v<number>` is the digest of that number.
#[derive(Debug)]
struct Everything;

fn digest(number: u32) -> Digest {
    Digest::of(&number.to_le_bytes())
}

fn tag(number: u32) -> Tag {
    format!("v{number}").parse().unwrap()
}

#[async_trait]
impl FactStore for Everything {
    async fn proof(&self, key: &ProofKey) -> Result<Option<String>, FactsError> {
        let proof = Proof {
            subject: key.digest,
            facts: Several::default(),
            flaws: Few::default(),
            elsewhere: Few::default(),
            children: Few::default(),
            coverage: Coverage::Complete,
            collected_at: SystemClock.now(),
        };
        Ok(Some(serde_json::to_string(&proof)?))
    }

    async fn keep_proof(&self, _: &ProofKey, _: String) -> Result<(), FactsError> {
        Ok(())
    }

    async fn forget_epochs_except(&self, _: Digest, _: u32) -> Result<u64, FactsError> {
        Ok(0)
    }

    async fn grants(&self, _: &Repository, digest: Digest) -> Result<Vec<Grant>, FactsError> {
        Ok(vec![Grant { root: digest, kind: GrantKind::Manifest, size: 1 }])
    }

    async fn granted_manifests(&self, _: &Repository, _: u32) -> Result<Vec<(Digest, Digest)>, FactsError> {
        Ok(Vec::new())
    }

    async fn keep_grants(
        &self,
        _: &Repository,
        _: Digest,
        _: &[(Digest, GrantKind, u64)],
        _: Timestamp,
    ) -> Result<(), FactsError> {
        Ok(())
    }

    async fn resolution(&self, _: &Repository, tag: &Tag) -> Result<Option<Resolution>, FactsError> {
        let number = tag.as_str().get(1..).and_then(|number| number.parse().ok());
        Ok(number.map(|number| Resolution { digest: digest(number), resolved_at: SystemClock.now() }))
    }

    async fn keep_resolution(&self, _: &Repository, _: &Tag, _: Resolution) -> Result<(), FactsError> {
        Ok(())
    }

    async fn last_admitted(&self, _: &Repository, _: &Tag) -> Result<Option<Digest>, FactsError> {
        Ok(None)
    }

    async fn keep_last_admitted(&self, _: &Repository, _: &Tag, _: Digest, _: Timestamp) -> Result<(), FactsError> {
        Ok(())
    }

    async fn keep_seen(&self, _: &Repository, _: &Tag, _: &[Digest], _: Timestamp) -> Result<(), FactsError> {
        Ok(())
    }

    async fn tags_of(&self, _: &Repository, _: Digest, _: u32) -> Result<Vec<Tag>, FactsError> {
        Ok(vec![tag(0)])
    }
}

#[async_trait]
impl PackageStore for Everything {
    async fn keep_packages(
        &self,
        _: &Contained,
        _: &[IndexedPackage],
        _: Timestamp,
    ) -> Result<Vec<(Repository, Digest)>, FactsError> {
        Ok(Vec::new())
    }

    async fn holders(&self, _: &str, _: Option<&str>, _: u32) -> Result<Vec<Holder>, FactsError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl PullStore for Everything {
    async fn keep_pulls(&self, _: &[Pull]) -> Result<(), FactsError> {
        Ok(())
    }

    async fn pulls_of(&self, _: &Repository, _: Digest, _: u32) -> Result<Vec<Pull>, FactsError> {
        Ok(Vec::new())
    }
}

/// What is known, and the repository of it all.
struct Known {
    facts: Facts,
    repository: Repository,
    epoch: Digest,
}

impl Known {
    /// The first `count` images, the hot ones last, as they are while they are asked for.
    async fn new(count: u32) -> Self {
        let facts = Facts::new(Arc::new(Everything), Arc::new(SystemClock), &prometheus::Registry::new()).unwrap();
        let known = Self { facts, repository: "docker.io/acme/app".parse().unwrap(), epoch: digest(0) };
        for number in (0..count).rev() {
            known.look(number, &tag(number)).await;
            // In between, what is hot is asked for: it stays.
            if number % 100 == 0 {
                let hot = (number / 100) % HOT;
                known.look(hot, &tag(hot)).await;
            }
        }
        for number in (0..HOT).cycle().take(HOT as usize * 3) {
            known.look(number, &tag(number)).await;
        }
        known
    }

    /// The looks of one request by tag.
    async fn look(&self, number: u32, tag: &Tag) {
        let resolved = self.facts.resolution(&self.repository, tag).await.unwrap().unwrap();
        assert_eq!(resolved.digest, digest(number));
        assert!(!self.facts.grants(&self.repository, resolved.digest).await.unwrap().is_empty());
        let key = ProofKey {
            repository: self.repository.clone(),
            digest: resolved.digest,
            epoch: self.epoch,
            elsewhere: Vec::new(),
        };
        assert!(self.facts.proof(&key).await.unwrap().is_some());
    }

    /// The nanoseconds of one request's looks, all hot images asked for in turn.
    async fn cost(&self, tags: &[Tag]) -> f64 {
        let start = cpu();
        // Another order each time: each step is coprime to the number of images.
        for step in [7, 13, 17, 23, 29].into_iter().cycle().take(TURNS) {
            for number in 0..HOT {
                let number = (number * step) % HOT;
                self.look(number, tags.get(number as usize).unwrap()).await;
            }
        }
        cpu().saturating_sub(start).as_nanos() as f64 / (HOT as usize * TURNS) as f64
    }
}

/// CPU time of this thread so far.
fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let tags: Vec<_> = (0..HOT).map(tag).collect();
    let [few, many] = [Known::new(KNOWN[0]).await, Known::new(KNOWN[1]).await];
    let (mut costs, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
    for _ in 0..ROUNDS {
        let (one, other) = (few.cost(&tags).await, many.cost(&tags).await);
        costs[0].push(one);
        costs[1].push(other);
        ratios.push(other / one);
    }
    println!("9  looks at what is known, {HOT} images asked for");
    for (known, costs) in KNOWN.iter().zip(costs) {
        println!("{known:>10} digests known {:>8.0} CPU ns/request", median(costs));
    }
    println!("{:>10} {:>28.2}", "ratio", median(ratios));
}
