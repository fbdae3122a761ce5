//! What a digest that was asked for takes of memory: counted by the allocator of this program, which is one of its own for
//! that reason.
#![expect(clippy::unwrap_used, reason = "a test ends where something is wrong")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bonafide::clock::SystemClock;
use bonafide::facts::{
    Contained, FactStore, Facts, FactsError, Grant, GrantKind, Holder, IndexedPackage, PackageStore, ProofKey, Pull,
    PullStore, Resolution,
};
use bonafide::oci::{Digest, Repository, Tag};
use jiff::Timestamp;
use prometheus::Registry;
use serde_json::{Value, json};

/// So many digests, a little less than the lists that they are in have room for: such lists double.
const DIGESTS: u32 = 30_000;

/// The system's allocator, counted.
struct Counting;

static BYTES: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the allocator of the program takes for `size` bytes: the next of its sizes, of which there are four up to each power
/// of two.
const fn taken(size: usize) -> usize {
    if size <= 64 { size.next_multiple_of(16) } else { size.next_multiple_of((1 << (size - 1).ilog2()) / 4) }
}

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe to write; this one only counts, and leaves the rest to the system's"
)]
// SAFETY: each call is handed on as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(taken(layout.size()), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.fetch_sub(taken(layout.size()), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Knows the same of every digest, about which these are the facts; each is granted to itself.
#[derive(Debug)]
struct Everything(fn(Digest) -> Value);

#[async_trait]
impl FactStore for Everything {
    async fn proof(&self, key: &ProofKey) -> Result<Option<String>, FactsError> {
        let proof = json!({
            "subject": key.digest, "facts": self.0(key.digest), "flaws": [], "coverage": "complete",
            "collected_at": "2026-06-01T12:00:00.123456789Z",
        });
        Ok(Some(proof.to_string()))
    }

    async fn keep_proof(&self, _: &ProofKey, _: String) -> Result<(), FactsError> {
        Ok(())
    }

    async fn forget_epochs_except(&self, _: Digest, _: u32) -> Result<u64, FactsError> {
        Ok(0)
    }

    async fn grants(&self, _: &Repository, digest: Digest) -> Result<Vec<Grant>, FactsError> {
        Ok(vec![Grant { root: digest, kind: GrantKind::Manifest, size: 1500 }])
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
        Ok(Some(Resolution { digest: Digest::of(tag.as_str().as_bytes()), resolved_at: Timestamp::UNIX_EPOCH }))
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
        Ok(Vec::new())
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

/// The bytes that each digest takes, of which a request has looked at all that it looks at.
fn taken_by_each(facts_of: fn(Digest) -> Value) -> usize {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let facts = Facts::new(Arc::new(Everything(facts_of)), Arc::new(SystemClock), &Registry::new()).unwrap();
        // What all have in common, and threads.
        ask(&facts, u32::MAX).await;
        let before = BYTES.load(Ordering::Relaxed);
        for number in 0..DIGESTS {
            ask(&facts, number).await;
        }
        (BYTES.load(Ordering::Relaxed) - before) / DIGESTS as usize
    })
}

/// As each request does, with names of its own.
async fn ask(facts: &Facts, number: u32) {
    let repository: Repository = "docker.io/acme/app".parse().unwrap();
    let digest = Digest::of(&number.to_le_bytes());
    assert_eq!(facts.grants(&repository, digest).await.unwrap().len(), 1);
    assert!(facts.tags_of(&repository, digest).await.unwrap().is_empty());
    let key = ProofKey { repository, digest, epoch: Digest::of(b""), elsewhere: Vec::new() };
    assert!(!facts.proof(&key).await.unwrap().unwrap().facts.is_empty());
}

fn fact(about: Digest, signer: &Value, claim: &Value) -> Value {
    let source = json!({ "manifest": Digest::of(about.as_bytes()), "layer": about });
    json!({
        "subject": about, "source": source, "form": "bundle", "signer": { "certificate": signer },
        "signed_at": "2026-06-01T11:00:00Z", "log": "rekor-v1", "claim": claim,
    })
}

/// A signature of a person.
fn signature(about: Digest) -> Value {
    let signer = json!({ "trust": "corp", "issuer": "https://idp.example", "subject": "dev@acme.example" });
    json!([fact(about, &signer, &json!("signature"))])
}

/// A signature and another statement of a workflow, whose certificate names the run of each release.
fn release(about: Digest) -> Value {
    let workflow = format!("https://github.com/acme/app/.github/workflows/release.yml@refs/tags/{}", &about.hex()[..6]);
    let signer = json!({
        "trust": "sigstore", "issuer": "https://token.actions.githubusercontent.com", "subject": workflow,
        "build_signer": workflow, "build_config": workflow, "runner_environment": "github-hosted",
        "source_repository": "https://github.com/acme/app", "source_commit": &about.hex()[..40],
        "source_ref": format!("refs/tags/{}", &about.hex()[..6]), "build_trigger": "push",
        "run_invocation": format!("https://github.com/acme/app/actions/runs/{}/attempts/1", &about.hex()[..10]),
    });
    let statement = json!({ "other": { "predicate_type": "https://example.com/review/v1" } });
    json!([fact(about, &signer, &json!("signature")), fact(about, &signer, &statement)])
}

#[test]
fn a_digest_that_somebody_signed_takes_no_more_than_512_bytes() {
    let taken = taken_by_each(signature);
    println!("of a digest that somebody signed {taken} bytes");
    assert!(taken <= 512, "{taken} bytes");
}

#[test]
fn a_release_of_a_workflow_takes_its_certificate_once() {
    let taken = taken_by_each(release);
    println!("of a release of a workflow {taken} bytes");
    assert!(taken <= 1536, "{taken} bytes");
}
