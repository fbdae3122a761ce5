//! Facts: proved once however many ask, remembered over a restart, never mixed up.

use std::fs;
use std::future::ready;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bonafide::clock::Clock;
use bonafide::facts::{Facts, FactsError, Grant, GrantKind, ProofKey, Settings};
use bonafide::oci::{Digest, Repository, Tag};
use bonafide::verify::{Coverage, Few, Proof, Several};
use futures_util::FutureExt;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use prometheus::Registry;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::counted::counted;

/// A clock moved by hand.
#[derive(Debug)]
struct Hand(Mutex<Timestamp>);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

impl Hand {
    fn forward(&self, by: SignedDuration) {
        *self.0.lock().unwrap() += by;
    }
}

/// Facts in a folder of their own.
struct Memory {
    folder: TempDir,
    facts: Facts,
    clock: Arc<Hand>,
    registry: Registry,
}

impl Memory {
    async fn new() -> Self {
        let clock = Arc::new(Hand(Mutex::new("2026-06-01T12:00:00.123456789Z".parse().unwrap())));
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::new();
        let facts = open(&folder, &clock, &registry).await.unwrap();
        Self { folder, facts, clock, registry }
    }

    /// The same folder after a restart.
    async fn reopened(self) -> Self {
        let registry = Registry::new();
        let facts = open(&self.folder, &self.clock, &registry).await.unwrap();
        Self { facts, registry, ..self }
    }

    fn lookups(&self, cache: &str, outcome: &str) -> u64 {
        counted(&self.registry, "bonafide_cache_lookups_total", &[("cache", cache), ("outcome", outcome)])
    }
}

async fn open(folder: &TempDir, clock: &Arc<Hand>, registry: &Registry) -> Result<Facts, FactsError> {
    let settings = Settings { path: folder.path().into() };
    Facts::open(&settings, Arc::<Hand>::clone(clock), registry).await
}

fn repository(name: &str) -> Repository {
    name.parse().unwrap()
}

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

fn digest(of: &str) -> Digest {
    Digest::of(of.as_bytes())
}

fn key(epoch: &str) -> ProofKey {
    ProofKey {
        repository: repository("example.com/app"),
        digest: digest("app"),
        epoch: digest(epoch),
        elsewhere: Vec::new(),
    }
}

fn proof(coverage: Coverage) -> Proof {
    let collected_at = "2026-06-01T12:00:00Z".parse().unwrap();
    Proof {
        subject: digest("app"),
        children: Few::default(),
        elsewhere: Few::default(),
        facts: Several::default(),
        flaws: Few::default(),
        coverage,
        collected_at,
    }
}

/// What proving may fail with.
#[derive(Debug, Clone, PartialEq)]
struct Unasked;

/// Proves `coverage`, and counts how often.
fn counting(
    times: &Arc<AtomicU32>,
    coverage: Coverage,
) -> impl Future<Output = Result<Proof, Unasked>> + Send + 'static {
    let times = Arc::clone(times);
    async move {
        tokio::task::yield_now().await;
        times.fetch_add(1, Ordering::SeqCst);
        Ok(proof(coverage))
    }
}

/// Proves when it is told what to prove.
fn waiting() -> (oneshot::Sender<Result<Proof, Unasked>>, impl Future<Output = Result<Proof, Unasked>> + Send + 'static)
{
    let (answer, awaited) = oneshot::channel();
    (answer, async move { awaited.await.unwrap() })
}

#[tokio::test]
async fn sixty_four_callers_share_one_proving() {
    let memory = Memory::new().await;
    let (times, key) = (Arc::new(AtomicU32::new(0)), key("1"));
    let all = join_all((0..64).map(|_| memory.facts.prove(&key, counting(&times, Coverage::Complete)))).await;
    assert!(all.into_iter().all(|proved| *proved.unwrap() == proof(Coverage::Complete)));
    assert_eq!(times.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_on_many_threads_share_one_proving() {
    let memory = Memory::new().await;
    let (times, key) = (Arc::new(AtomicU32::new(0)), key("1"));
    let tasks = tokio_util::task::TaskTracker::new();
    let all = join_all((0..64).map(|_| {
        let (facts, key, make) = (memory.facts.clone(), key.clone(), counting(&times, Coverage::Complete));
        tasks.spawn(async move { facts.prove(&key, make).await })
    }));
    assert!(all.await.into_iter().all(|proved| proved.unwrap().is_ok()));
    assert_eq!(times.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_leader_that_leaves_takes_nothing_from_its_followers() {
    let memory = Memory::new().await;
    let key = key("1");
    let (answer, make) = waiting();
    let mut leader = Box::pin(memory.facts.prove(&key, make));
    assert!((&mut leader).now_or_never().is_none());
    let times = Arc::new(AtomicU32::new(0));
    let mut follower = Box::pin(memory.facts.prove(&key, counting(&times, Coverage::Bounded)));
    assert!((&mut follower).now_or_never().is_none());
    drop(leader);
    answer.send(Ok(proof(Coverage::Complete))).unwrap();
    assert_eq!(follower.await.unwrap().coverage, Coverage::Complete);
    assert_eq!(times.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn when_all_who_waited_have_left_the_proving_ends_and_the_next_starts_anew() {
    let memory = Memory::new().await;
    let key = key("1");
    let (answer, make) = waiting();
    assert!(memory.facts.prove(&key, make).now_or_never().is_none());
    assert!(answer.is_closed());
    let again = memory.facts.prove(&key, ready(Ok::<_, Unasked>(proof(Coverage::Complete)))).await;
    assert!(again.is_ok());
}

#[tokio::test]
async fn an_error_reaches_all_who_wait_and_is_forgotten() {
    let memory = Memory::new().await;
    let key = key("1");
    let (answer, make) = waiting();
    let (first, second) =
        (memory.facts.prove(&key, make), memory.facts.prove(&key, ready(Ok(proof(Coverage::Complete)))));
    let (first, second, ()) = tokio::join!(first, second, async { answer.send(Err(Unasked)).unwrap() });
    assert_eq!((first.unwrap_err(), second.unwrap_err()), (Unasked, Unasked));
    assert!(memory.facts.prove(&key, ready(Ok::<_, Unasked>(proof(Coverage::Complete)))).await.is_ok());
}

#[tokio::test]
async fn a_partial_proof_is_given_and_not_kept() {
    let memory = Memory::new().await;
    let (times, key) = (Arc::new(AtomicU32::new(0)), key("1"));
    let partial = Coverage::partial("503");
    for _ in 0..2 {
        let given = memory.facts.prove(&key, counting(&times, partial.clone())).await.unwrap();
        assert_eq!(given.coverage, partial);
    }
    assert_eq!(times.load(Ordering::SeqCst), 2);
    assert_eq!(memory.facts.proof(&key).await.unwrap(), None);
    assert_eq!(memory.reopened().await.facts.proof(&key).await.unwrap(), None);
}

#[tokio::test]
async fn a_proof_is_kept_over_a_restart() {
    let memory = Memory::new().await;
    let (times, key) = (Arc::new(AtomicU32::new(0)), key("1"));
    assert_eq!(memory.facts.proof(&key).await.unwrap(), None);
    memory.facts.prove(&key, counting(&times, Coverage::Bounded)).await.unwrap();
    let memory = memory.reopened().await;
    assert_eq!(*memory.facts.proof(&key).await.unwrap().unwrap(), proof(Coverage::Bounded));
    assert_eq!((memory.lookups("proof", "hit"), memory.lookups("proof", "miss")), (1, 0));
}

#[tokio::test]
async fn what_was_proved_is_proved_again_when_asked_for_later_than_just_now() {
    let memory = Memory::new().await;
    let (times, key) = (Arc::new(AtomicU32::new(0)), key("1"));
    for (later, expected) in
        [(SignedDuration::ZERO, 1), (SignedDuration::from_millis(900), 1), (SignedDuration::from_secs(2), 2)]
    {
        memory.clock.forward(later);
        memory.facts.prove(&key, counting(&times, Coverage::Complete)).await.unwrap();
        assert_eq!(times.load(Ordering::SeqCst), expected);
    }
}

#[tokio::test]
async fn a_proof_with_evidence_of_other_places_is_no_proof_in_memory_or_after_a_restart() {
    let memory = Memory::new().await;
    let places = vec![repository("example.com/signatures")];
    let (alone, with) = (key("1"), ProofKey { elsewhere: places.clone(), ..key("1") });
    let proof = Proof { elsewhere: places.into(), ..proof(Coverage::Complete) };
    memory.facts.prove(&with, ready(Ok::<_, Unasked>(proof.clone()))).await.unwrap();
    assert_eq!(memory.facts.proof(&alone).await.unwrap(), None);
    let memory = memory.reopened().await;
    assert_eq!(memory.facts.proof(&alone).await.unwrap(), None);
    assert_eq!(*memory.facts.proof(&with).await.unwrap().unwrap(), proof);
}

#[tokio::test]
async fn a_proof_of_another_epoch_repository_or_digest_is_no_proof() {
    let memory = Memory::new().await;
    let key = key("1");
    memory.facts.prove(&key, ready(Ok::<_, Unasked>(proof(Coverage::Complete)))).await.unwrap();
    let others = [
        ProofKey { epoch: digest("2"), ..key.clone() },
        ProofKey { repository: repository("example.com/other"), ..key.clone() },
        ProofKey { repository: repository("example.org/app"), ..key.clone() },
        ProofKey { digest: digest("other"), ..key.clone() },
    ];
    let memory = memory.reopened().await;
    for other in others {
        assert_eq!(memory.facts.proof(&other).await.unwrap(), None, "{other:?}");
    }
}

#[tokio::test]
async fn proofs_of_other_epochs_are_forgotten_on_demand() {
    let memory = Memory::new().await;
    for epoch in ["1", "2", "3"] {
        memory.facts.prove(&key(epoch), ready(Ok::<_, Unasked>(proof(Coverage::Complete)))).await.unwrap();
    }
    assert_eq!(memory.facts.forget_epochs_except(digest("3")).await.unwrap(), 2);
    let memory = memory.reopened().await;
    assert_eq!(memory.facts.proof(&key("1")).await.unwrap(), None);
    assert!(memory.facts.proof(&key("3")).await.unwrap().is_some());
}

#[tokio::test]
async fn grants_are_kept_over_a_restart_in_their_repository_only() {
    let memory = Memory::new().await;
    let (app, other) = (repository("example.com/app"), repository("example.com/other"));
    let reached = [(digest("child"), GrantKind::Manifest, 500), (digest("layer"), GrantKind::Blob, 1 << 33)];
    memory.facts.grant(&app, digest("root"), &reached).await.unwrap();
    let memory = memory.reopened().await;
    let grant = |kind, size| Grant { root: digest("root"), kind, size };
    assert_eq!(*memory.facts.grants(&app, digest("child")).await.unwrap(), [grant(GrantKind::Manifest, 500)]);
    assert_eq!(*memory.facts.grants(&app, digest("layer")).await.unwrap(), [grant(GrantKind::Blob, 1 << 33)]);
    assert_eq!(*memory.facts.grants(&other, digest("layer")).await.unwrap(), []);
    assert_eq!(*memory.facts.grants(&app, digest("root")).await.unwrap(), []);
}

#[tokio::test]
async fn a_grant_is_known_at_once_where_nothing_was_known_before() {
    let memory = Memory::new().await;
    let app = repository("example.com/app");
    assert_eq!(*memory.facts.grants(&app, digest("layer")).await.unwrap(), []);
    for root in ["first", "second"] {
        memory.facts.grant(&app, digest(root), &[(digest("layer"), GrantKind::Blob, 7)]).await.unwrap();
    }
    let roots: Vec<_> =
        memory.facts.grants(&app, digest("layer")).await.unwrap().iter().map(|grant| grant.root).collect();
    assert!(roots.contains(&digest("first")) && roots.contains(&digest("second")));
    assert_eq!((memory.lookups("grant", "hit"), memory.lookups("grant", "miss")), (1, 1));
}

#[tokio::test]
async fn a_repeated_grant_does_not_touch_the_database() {
    let memory = Memory::new().await;
    let app = repository("example.com/app");
    let reached = [(digest("layer"), GrantKind::Blob, 7)];
    memory.facts.grant(&app, digest("root"), &reached).await.unwrap();
    let repeated = memory.facts.grant(&app, digest("root"), &reached).now_or_never();
    assert!(repeated.expect("nothing to wait for").is_ok());
    assert!(memory.facts.grant(&app, digest("new root"), &reached).now_or_never().is_none());
}

#[tokio::test]
async fn the_root_that_was_granted_last_is_always_among_those_judged() {
    let memory = Memory::new().await;
    let app = repository("example.com/app");
    let layer = [(digest("layer"), GrantKind::Blob, 7)];
    for root in (0..40).chain([0]) {
        memory.clock.forward(SignedDuration::from_secs(1));
        memory.facts.grant(&app, digest(&root.to_string()), &layer).await.unwrap();
        let grants = memory.facts.grants(&app, digest("layer")).await.unwrap();
        assert!(grants.len() <= 32);
        assert_eq!(grants[0].root, digest(&root.to_string()));
    }
    let memory = memory.reopened().await;
    assert_eq!(memory.facts.grants(&app, digest("layer")).await.unwrap()[0].root, digest("0"));
}

#[tokio::test]
async fn what_a_tag_means_is_kept_over_a_restart() {
    let memory = Memory::new().await;
    let app = repository("example.com/app");
    assert_eq!(memory.facts.resolution(&app, &tag("v1")).await.unwrap(), None);
    memory.facts.resolved(&app, &tag("v1"), digest("app")).await.unwrap();
    let before = memory.facts.resolution(&app, &tag("v1")).await.unwrap().unwrap();
    assert_eq!(before.digest, digest("app"));
    assert_eq!(before.resolved_at, "2026-06-01T12:00:00.123456Z".parse().unwrap());
    let memory = memory.reopened().await;
    assert_eq!(memory.facts.resolution(&app, &tag("v1")).await.unwrap(), Some(before));
    assert_eq!(memory.facts.resolution(&repository("example.com/other"), &tag("v1")).await.unwrap(), None);
}

#[tokio::test]
async fn a_tag_that_moved_means_the_new_digest_and_the_old_one_was_seen_under_it() {
    let memory = Memory::new().await;
    let app = repository("example.com/app");
    for (name, what) in [("v1", "old"), ("latest", "old"), ("latest", "new")] {
        memory.clock.forward(SignedDuration::from_secs(1));
        memory.facts.resolved(&app, &tag(name), digest(what)).await.unwrap();
    }
    let memory = memory.reopened().await;
    assert_eq!(memory.facts.resolution(&app, &tag("latest")).await.unwrap().unwrap().digest, digest("new"));
    assert_eq!(*memory.facts.tags_of(&app, digest("old")).await.unwrap(), [tag("latest"), tag("v1")]);
    assert_eq!(*memory.facts.tags_of(&app, digest("new")).await.unwrap(), [tag("latest")]);
    assert_eq!(*memory.facts.tags_of(&app, digest("never seen")).await.unwrap(), []);
}

#[tokio::test]
async fn a_tag_is_known_at_once_where_none_was_known_before() {
    let memory = Memory::new().await;
    let app = repository("example.com/app");
    assert_eq!(*memory.facts.tags_of(&app, digest("app")).await.unwrap(), []);
    memory.facts.resolved(&app, &tag("v1"), digest("app")).await.unwrap();
    assert_eq!(*memory.facts.tags_of(&app, digest("app")).await.unwrap(), [tag("v1")]);
}

#[tokio::test]
async fn one_digest_is_judged_under_the_latest_64_tags_at_most() {
    let memory = Memory::new().await;
    let app = repository("example.com/app");
    for number in 0..70 {
        memory.clock.forward(SignedDuration::from_secs(1));
        memory.facts.resolved(&app, &tag(&format!("v{number}")), digest("app")).await.unwrap();
    }
    let tags = memory.facts.tags_of(&app, digest("app")).await.unwrap();
    assert_eq!((tags.len(), &tags[0]), (64, &tag("v69")));
    let memory = memory.reopened().await;
    assert_eq!(memory.facts.tags_of(&app, digest("app")).await.unwrap(), tags);
}

#[tokio::test]
async fn nobody_else_can_read_the_database() {
    let memory = Memory::new().await;
    memory.facts.resolved(&repository("example.com/app"), &tag("v1"), digest("app")).await.unwrap();
    for entry in fs::read_dir(memory.folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{entry:?}");
    }
}

#[tokio::test]
async fn a_damaged_database_is_a_clear_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("facts.sqlite"), [7; 8192]).unwrap();
    let clock = Arc::new(Hand(Mutex::new(Timestamp::UNIX_EPOCH)));
    let error = open(&folder, &clock, &Registry::new()).await.unwrap_err();
    assert!(matches!(error, FactsError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("facts.sqlite") && error.to_string().contains("delete it"), "{error}");
}

#[tokio::test]
async fn a_proof_that_cannot_be_read_back_is_made_again() {
    let memory = Memory::new().await;
    let key = key("1");
    memory.facts.prove(&key, ready(Ok::<_, Unasked>(proof(Coverage::Complete)))).await.unwrap();
    let foreign = Proof { subject: digest("foreign"), ..proof(Coverage::Complete) };
    for text in ["{}".to_owned(), serde_json::to_string(&foreign).unwrap()] {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(memory.folder.path().join("facts.sqlite"));
        let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
        sqlx::query("UPDATE proofs SET proof = $1").bind(text).execute(&mut connection).await.unwrap();
        let restarted = open(&memory.folder, &memory.clock, &Registry::new()).await.unwrap();
        assert_eq!(restarted.proof(&key).await.unwrap(), None);
    }
}

#[tokio::test]
async fn what_was_last_admitted_for_a_tag_is_kept_over_a_restart_in_its_repository_only() {
    let memory = Memory::new().await;
    let app = repository("example.com/app");
    assert_eq!(memory.facts.last_admitted(&app, &tag("v1")).await.unwrap(), None);
    for what in ["old", "new"] {
        memory.facts.admitted(&app, &tag("v1"), digest(what)).await.unwrap();
        assert_eq!(memory.facts.last_admitted(&app, &tag("v1")).await.unwrap(), Some(digest(what)));
    }
    let memory = memory.reopened().await;
    assert_eq!(memory.facts.last_admitted(&app, &tag("v1")).await.unwrap(), Some(digest("new")));
    for (repository, tag) in [(repository("example.com/other"), tag("v1")), (app, tag("v2"))] {
        assert_eq!(memory.facts.last_admitted(&repository, &tag).await.unwrap(), None, "{repository} {tag}");
    }
}

#[tokio::test]
async fn a_repeated_admission_does_not_touch_the_database() {
    let memory = Memory::new().await;
    let app = repository("example.com/app");
    memory.facts.admitted(&app, &tag("v1"), digest("app")).await.unwrap();
    assert!(memory.facts.admitted(&app, &tag("v1"), digest("app")).now_or_never().is_some());
    assert!(memory.facts.admitted(&app, &tag("v1"), digest("new")).now_or_never().is_none());
}
