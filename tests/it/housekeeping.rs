//! What is kept stays within its bound, least recently used first, and what has rotted is found.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bonafide::content::{Amount, ByteSize, Condition, ContentError, Length, Library, Pruned, Retention, Settings};
use bonafide::oci::Digest;
use bytes::Bytes;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use prometheus::Registry;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::counted::counted;
use crate::origin::FakeOrigin;
use crate::support::mirror::HandClock;

/// A library that may keep 1000 bytes.
struct House {
    folder: TempDir,
    clock: Arc<HandClock>,
    library: Library,
    tasks: TaskTracker,
    registry: Registry,
}

const SIZE: usize = 300;

impl House {
    async fn new(scrub_rate: u64) -> Self {
        let clock = HandClock::at(Timestamp::from_second(1_800_000_000).unwrap());
        Self::within(tempfile::tempdir().unwrap(), clock, scrub_rate).await
    }

    /// The same folder after a restart.
    async fn reopened(self) -> Self {
        Self::within(self.folder, self.clock, 0).await
    }

    async fn within(folder: TempDir, clock: Arc<HandClock>, scrub_rate: u64) -> Self {
        let settings = Settings {
            path: folder.path().into(),
            max_size: ByteSize::new(1000),
            scrub_rate: ByteSize::new(scrub_rate),
        };
        let (tasks, registry) = (TaskTracker::new(), Registry::new());
        let library = Library::open(&settings, Arc::clone(&clock) as _, tasks.clone(), &registry).await.unwrap();
        Self { folder, clock, library, tasks, registry }
    }

    /// Fetches a content of its own for each `seed`, an hour after the last.
    async fn fetch(&self, seed: u8) -> Digest {
        self.clock.advance(Duration::from_hours(1));
        let bytes: &'static [u8] = vec![seed; SIZE].leak();
        let digest = Digest::of(bytes);
        let reader = self.library.read_through(digest, SIZE as u64, FakeOrigin::whole(bytes)).await.unwrap();
        let read: Vec<Bytes> = reader.stream(0..SIZE as u64).try_collect().await.unwrap();
        assert_eq!(read.concat(), bytes);
        self.settle().await;
        digest
    }

    /// Waits until what was fetched is committed.
    async fn settle(&self) {
        while counted(&self.registry, "bonafide_content_fetches", &[]) > 0 {
            tokio::task::yield_now().await;
        }
    }

    async fn use_again(&self, digest: Digest) {
        self.clock.advance(Duration::from_hours(1));
        assert!(self.library.blob(digest, Length::Exactly(SIZE as u64)).await.unwrap().is_some());
    }

    async fn prune(&self, most: u64) -> Amount {
        let Pruned { deleted, failure, .. } = self.library.prune(ByteSize::new(most)).await;
        assert!(failure.is_none(), "{failure:?}");
        deleted
    }

    fn file(&self, digest: Digest) -> PathBuf {
        let hex = digest.hex();
        self.folder.path().join("content/sha256").join(&hex[..2]).join(hex)
    }

    fn is_kept(&self, digest: Digest) -> bool {
        self.file(digest).exists()
    }

    /// Runs the housekeeping until `done`.
    async fn keep_house_until(&self, done: impl Fn() -> bool) {
        let stop = CancellationToken::new();
        self.library.keep_house(&stop);
        while !done() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn rot(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    bytes[7] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn what_was_not_used_for_longest_is_evicted_when_there_is_too_much() {
    let house = House::new(0).await;
    let [first, second, third] = [house.fetch(1).await, house.fetch(2).await, house.fetch(3).await];
    house.use_again(first).await;
    let fourth = house.fetch(4).await;
    let evicted = || counted(&house.registry, "bonafide_content_evicted_bytes_total", &[]);
    house.keep_house_until(|| evicted() > 0).await;
    assert!(!house.is_kept(second) && evicted() == SIZE as u64);
    assert!(house.is_kept(first) && house.is_kept(third) && house.is_kept(fourth));
}

#[tokio::test]
async fn what_was_used_while_the_clock_was_ahead_is_no_younger_than_what_is_used_now() {
    let house = House::new(0).await;
    let year = Duration::from_hours(365 * 24);
    let [ahead, second] = [house.fetch(1).await, house.fetch(2).await];
    house.clock.advance(year);
    house.use_again(ahead).await;
    house.clock.go_back(year);
    house.use_again(ahead).await;
    house.use_again(second).await;
    house.prune(SIZE as u64).await;
    assert!(!house.is_kept(ahead) && house.is_kept(second));
}

#[tokio::test]
async fn what_comes_later_is_kept_within_the_bound_as_well() {
    let house = House::new(0).await;
    let stop = CancellationToken::new();
    house.library.keep_house(&stop);
    let first = house.fetch(1).await;
    for seed in 2..=4 {
        house.fetch(seed).await;
    }
    while house.is_kept(first) {
        tokio::task::yield_now().await;
    }
    stop.cancel();
}

#[tokio::test]
async fn up_to_the_bound_nothing_is_evicted() {
    let house = House::new(0).await;
    for seed in 1..=3 {
        house.fetch(seed).await;
    }
    assert_eq!(house.prune(900).await.contents, 0);
    assert_eq!(house.library.kept().await.unwrap().all.bytes, 900);
}

#[tokio::test]
async fn what_is_larger_than_all_that_may_be_kept_passes_and_costs_nothing_that_is_kept() {
    let house = House::new(0).await;
    let kept = [house.fetch(1).await, house.fetch(2).await, house.fetch(3).await];
    let large: &'static [u8] = vec![7; 1001].leak();
    let (digest, length) = (Digest::of(large), Length::Exactly(1001));
    let reader = house.library.read_through(digest, length, FakeOrigin::whole(large)).await.unwrap();
    assert_eq!(reader.stream(0..1001).try_collect::<Vec<_>>().await.unwrap().concat(), large);
    house.settle().await;
    assert!(!house.is_kept(digest));
    assert!(kept.into_iter().all(|digest| house.is_kept(digest)));
    assert_eq!(counted(&house.registry, "bonafide_content_unkept_total", &[]), 1);
}

#[tokio::test]
async fn a_reader_of_what_is_evicted_reads_on() {
    let house = House::new(0).await;
    let digest = house.fetch(1).await;
    let reader = house.library.blob(digest, Length::Exactly(SIZE as u64)).await.unwrap().unwrap();
    assert_eq!(house.prune(0).await, Amount { contents: 1, bytes: SIZE as u64 });
    assert!(!house.is_kept(digest));
    let read: Vec<Bytes> = reader.stream(0..SIZE as u64).try_collect().await.unwrap();
    assert_eq!(Digest::of(&read.concat()), digest);
}

#[tokio::test]
async fn what_was_evicted_is_fetched_again() {
    let house = House::new(0).await;
    let digest = house.fetch(1).await;
    house.prune(0).await;
    assert_eq!(house.fetch(1).await, digest);
    assert!(house.is_kept(digest));
}

#[tokio::test]
async fn a_manifest_that_is_in_memory_is_not_evicted() {
    let house = House::new(0).await;
    let digest = Digest::of(b"{}");
    house.library.keep_manifest(digest, Bytes::from_static(b"{}")).await.unwrap();
    let layer = house.fetch(1).await;
    house.prune(0).await;
    assert!(house.is_kept(digest) && !house.is_kept(layer));
}

#[tokio::test]
async fn for_a_manifest_that_is_in_memory_others_go() {
    let house = House::new(0).await;
    let manifest = Bytes::from_static(&[b' '; SIZE]);
    house.library.keep_manifest(Digest::of(&manifest), manifest).await.unwrap();
    let [old, young] = [house.fetch(1).await, house.fetch(2).await];
    assert_eq!(house.prune(2 * SIZE as u64).await.contents, 1);
    assert!(!house.is_kept(old) && house.is_kept(young));
}

#[tokio::test]
async fn what_cannot_be_listed_keeps_nothing_else_from_being_looked_after() {
    let house = House::new(0).await;
    let [rotten, whole] = [house.fetch(1).await, house.fetch(2).await];
    rot(&house.file(rotten));
    let first = house.folder.path().join("content/sha256/00");
    assert!(!first.exists());
    fs::write(&first, "no folder").unwrap();
    let told = |error: &ContentError| matches!(error, ContentError::List { shard: 0, .. });
    assert!(house.library.kept().await.is_err_and(|error| told(&error)));
    let mut seen = 0;
    assert!(house.library.check(|_| seen += 1).await.is_err_and(|error| told(&error)));
    assert!(seen == 2 && !house.is_kept(rotten));
    let pruned = house.library.prune(ByteSize::new(0)).await;
    assert!(pruned.failure.is_some_and(|error| told(&error)));
    assert!(!house.is_kept(whole));
}

#[tokio::test]
async fn nothing_is_evicted_where_it_cannot_be_told_what_is_pinned() {
    let house = House::new(0).await;
    let [pinned, free] = [house.fetch(1).await, house.fetch(2).await];
    house.library.set_retention(pinned, Retention::Pinned).await.unwrap();
    let marks = house.folder.path().join("content/pinned").join(&pinned.hex()[..2]);
    fs::remove_dir_all(&marks).unwrap();
    fs::write(&marks, "no folder").unwrap();
    assert!(house.library.prune(ByteSize::new(0)).await.failure.is_some());
    assert!(house.is_kept(pinned) && !house.is_kept(free));
}

#[tokio::test]
async fn what_is_pinned_is_not_evicted() {
    let house = House::new(0).await;
    let [pinned, second] = [house.fetch(1).await, house.fetch(2).await];
    house.library.set_retention(pinned, Retention::Pinned).await.unwrap();
    for seed in 3..=4 {
        house.fetch(seed).await;
    }
    house.keep_house_until(|| !house.is_kept(second)).await;
    assert!(house.is_kept(pinned));
    house.prune(0).await;
    let kept = house.library.kept().await.unwrap();
    assert_eq!((kept.all, kept.pinned), (kept.pinned, Amount { contents: 1, bytes: SIZE as u64 }));
    house.library.set_retention(pinned, Retention::Free).await.unwrap();
    house.prune(0).await;
    assert!(!house.is_kept(pinned));
}

#[tokio::test]
async fn what_is_pinned_before_it_is_there_is_pinned_after_a_restart() {
    let house = House::new(0).await;
    let digest = Digest::of(&[1; SIZE]);
    house.library.set_retention(digest, Retention::Pinned).await.unwrap();
    house.fetch(1).await;
    let house = house.reopened().await;
    house.prune(0).await;
    assert!(house.is_kept(digest));
}

#[tokio::test]
async fn looking_for_damage_is_no_use() {
    let house = House::new(0).await;
    let [first, second] = [house.fetch(1).await, house.fetch(2).await];
    house.clock.advance(Duration::from_hours(1));
    house.library.check(|_| {}).await.unwrap();
    house.prune(SIZE as u64).await;
    assert!(!house.is_kept(first) && house.is_kept(second));
}

#[tokio::test]
async fn a_check_finds_and_removes_what_has_rotted() {
    let house = House::new(0).await;
    let [whole, rotten] = [house.fetch(1).await, house.fetch(2).await];
    rot(&house.file(rotten));
    let mut damaged = Vec::new();
    let note = |seen: &bonafide::content::Seen| {
        if matches!(seen.condition, Condition::Damaged { .. }) {
            damaged.push(seen.item.digest);
        }
    };
    house.library.check(note).await.unwrap();
    assert_eq!(damaged, [rotten]);
    assert!(house.is_kept(whole) && !house.is_kept(rotten));
    assert_eq!(counted(&house.registry, "bonafide_digest_mismatches_total", &[]), 1);
}

#[tokio::test]
async fn rot_is_found_in_the_background() {
    let house = House::new(1 << 30).await;
    let rotten = house.fetch(1).await;
    rot(&house.file(rotten));
    house.keep_house_until(|| !house.is_kept(rotten)).await;
}

#[tokio::test]
async fn a_file_that_is_no_content_is_left_alone() {
    let house = House::new(0).await;
    let digest = house.fetch(1).await;
    let foreign = house.file(digest).with_file_name("notes.txt");
    fs::write(&foreign, "not ours").unwrap();
    house.prune(0).await;
    assert!(foreign.exists());
}
