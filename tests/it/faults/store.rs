//! A store that fails: content passes through, proven as ever, and is kept again when the store has recovered.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bonafide::content::{
    ByteSize, Committed, Condition, ContentError, ContentStore, Draft, Inventory, Item, Length, Library, Origin,
    OriginBody, ReadAt, Reader, Retention, Seen, Settings, Stored, Version,
};
use bonafide::oci::Digest;
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use prometheus::Registry;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::counted::counted;
use crate::origin::{FakeOrigin, Tap, body};
use crate::said::Said;

const UNKEPT: &str = "bonafide_content_unkept_total";
const FAILED: &str = "bonafide_content_failed_total";
const UNREADABLE: &str = "bonafide_content_unreadable_total";
const SIZE: usize = 100_000;
const PIECE: usize = 10_000;

/// Where a store fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Open,
    /// Its host has no file left to open anything with.
    Files,
    Begin,
    /// Once so many bytes are written.
    Append(u64),
    Commit,
    /// What is kept, beyond so many bytes.
    Read(u64),
    Remove(Digest),
}

/// What keeps a store from doing its work: out of room, out of leave, out of files, broken.
const TROUBLES: [io::ErrorKind; 5] = [
    io::ErrorKind::StorageFull,
    io::ErrorKind::ReadOnlyFilesystem,
    io::ErrorKind::QuotaExceeded,
    io::ErrorKind::PermissionDenied,
    io::ErrorKind::Other,
];

/// "Too many open files", on every Unix.
const EMFILE: i32 = 24;

/// A store in memory that fails at one step until it is repaired.
#[derive(Debug, Clone)]
struct Failing {
    step: Step,
    kind: io::ErrorKind,
    broken: Arc<AtomicBool>,
    kept: Arc<Mutex<BTreeMap<Digest, Kept>>>,
    pinned: Arc<Mutex<BTreeSet<Digest>>>,
    /// The shards that were listed.
    listed: Arc<Mutex<Vec<u8>>>,
    /// What whoever looks after the store has opened.
    inspected: Arc<Mutex<Vec<Digest>>>,
}

#[derive(Debug, Clone)]
struct Kept {
    bytes: Arc<Memory>,
    commits: u64,
}

#[derive(Debug, Default)]
struct Memory(Mutex<Vec<u8>>);

/// What is kept, as long as its store can read.
#[derive(Debug)]
struct Opened {
    store: Failing,
    bytes: Arc<Memory>,
}

#[derive(Debug)]
struct FailingDraft {
    store: Failing,
    digest: Digest,
    bytes: Arc<Memory>,
}

impl Kept {
    fn version(&self) -> Version {
        Version { object: self.commits, size: self.bytes.0.lock().unwrap().len() as u64, foreign: None }
    }
}

impl Failing {
    fn at(step: Step, kind: io::ErrorKind) -> Self {
        Self {
            step,
            kind,
            broken: Arc::new(AtomicBool::new(true)),
            kept: Arc::default(),
            pinned: Arc::default(),
            listed: Arc::default(),
            inspected: Arc::default(),
        }
    }

    fn repair(&self) {
        self.broken.store(false, Ordering::SeqCst);
    }

    fn fail_again(&self) {
        self.broken.store(true, Ordering::SeqCst);
    }

    fn reach(&self, step: Step) -> io::Result<()> {
        let is_reached = self.broken.load(Ordering::SeqCst) && step == self.step;
        match step {
            _ if !is_reached => Ok(()),
            Step::Files => Err(io::Error::from_raw_os_error(EMFILE)),
            Step::Open | Step::Begin | Step::Append(_) | Step::Commit | Step::Read(_) | Step::Remove(_) => {
                Err(self.kind.into())
            }
        }
    }
}

#[async_trait]
impl ContentStore for Failing {
    async fn open(&self, digest: Digest) -> io::Result<Option<Committed>> {
        self.reach(Step::Open)?;
        self.reach(Step::Files)?;
        let Some(kept) = self.kept.lock().unwrap().get(&digest).cloned() else { return Ok(None) };
        let version = kept.version();
        let stored = Stored { size: version.size, bytes: Arc::new(Opened { store: self.clone(), bytes: kept.bytes }) };
        Ok(Some(Committed { stored, version }))
    }

    async fn inspect(&self, digest: Digest) -> io::Result<Option<Committed>> {
        self.inspected.lock().unwrap().push(digest);
        self.open(digest).await
    }

    async fn confirm(&self, _: Digest, version: Version) -> io::Result<Version> {
        Ok(version)
    }

    async fn list(&self, shard: u8) -> Inventory {
        self.listed.lock().unwrap().push(shard);
        let (kept, pinned) = (self.kept.lock().unwrap(), self.pinned.lock().unwrap());
        let here = kept.iter().filter(|(digest, _)| digest.hex().starts_with(&format!("{shard:02x}")));
        let item = |(digest, kept): (&Digest, &Kept)| Item {
            digest: *digest,
            size: kept.version().size,
            used: Timestamp::UNIX_EPOCH,
            retention: if pinned.contains(digest) { Retention::Pinned } else { Retention::Free },
        };
        Inventory { items: here.map(item).collect(), error: None }
    }

    async fn begin(&self, digest: Digest, _: Option<u64>) -> io::Result<Box<dyn Draft>> {
        self.reach(Step::Begin)?;
        Ok(Box::new(FailingDraft { store: self.clone(), digest, bytes: Arc::default() }))
    }

    async fn remove(&self, digest: Digest) -> io::Result<()> {
        self.reach(Step::Remove(digest))?;
        self.kept.lock().unwrap().remove(&digest);
        Ok(())
    }

    async fn set_retention(&self, digest: Digest, retention: Retention) -> io::Result<()> {
        let mut pinned = self.pinned.lock().unwrap();
        match retention {
            Retention::Pinned => pinned.insert(digest),
            Retention::Free => pinned.remove(&digest),
        };
        Ok(())
    }
}

#[async_trait]
impl Draft for FailingDraft {
    async fn append(&mut self, pieces: Vec<Bytes>) -> io::Result<()> {
        if let Step::Append(most) = self.store.step
            && self.bytes.0.lock().unwrap().len() as u64 >= most
        {
            self.store.reach(self.store.step)?;
        }
        self.bytes.0.lock().unwrap().extend(pieces.concat());
        Ok(())
    }

    fn bytes(&self) -> Arc<dyn ReadAt> {
        Arc::clone(&self.bytes) as _
    }

    async fn commit(self: Box<Self>) -> io::Result<Version> {
        self.store.reach(Step::Commit)?;
        let mut kept = self.store.kept.lock().unwrap();
        let commits = kept.get(&self.digest).map_or(0, |before| before.commits) + 1;
        let committed = Kept { bytes: Arc::clone(&self.bytes), commits };
        let version = committed.version();
        kept.insert(self.digest, committed);
        Ok(version)
    }
}

#[async_trait]
impl ReadAt for Memory {
    async fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let from = usize::try_from(offset).unwrap();
        let bytes = self.0.lock().unwrap();
        bytes.get(from..from + length).map(Bytes::copy_from_slice).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

#[async_trait]
impl ReadAt for Opened {
    async fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        if let Step::Read(until) = self.store.step
            && offset + length as u64 > until
        {
            self.store.reach(self.store.step)?;
        }
        self.bytes.read_at(offset, length).await
    }
}

/// Delivers from any offset, in small pieces, as often as it is asked.
struct Generous {
    content: Vec<u8>,
    fetches: Mutex<Vec<u64>>,
}

#[async_trait]
impl Origin for Generous {
    fn name(&self) -> String {
        "example.com/app".to_owned()
    }

    async fn fetch(&self, from: u64) -> io::Result<OriginBody> {
        self.fetches.lock().unwrap().push(from);
        let pieces: Vec<_> = self.content[usize::try_from(from).unwrap()..]
            .chunks(PIECE)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        // Each piece by itself, as a network has it.
        let bytes = stream::iter(pieces).then(|piece| async {
            tokio::task::yield_now().await;
            piece
        });
        Ok(OriginBody { total: Some(self.content.len() as u64), bytes: bytes.boxed() })
    }

    fn was_wrong(&self) {}
}

struct World {
    store: Failing,
    library: Library,
    tasks: TaskTracker,
    registry: Registry,
    origin: Arc<Generous>,
}

impl World {
    fn failing(step: Step, kind: io::ErrorKind) -> Self {
        Self::over(Failing::at(step, kind))
    }

    /// The same store after a restart.
    fn restarted(self) -> Self {
        Self::over(self.store)
    }

    fn over(store: Failing) -> Self {
        Self::within(store, u64::MAX)
    }

    /// With room for so many bytes.
    fn within(store: Failing, most: u64) -> Self {
        Self::with(store, most, 0)
    }

    /// With a search for damage that nothing holds up.
    fn scrubbing(store: Failing) -> Self {
        Self::with(store, u64::MAX, 1 << 30)
    }

    fn with(store: Failing, most: u64, scrub_rate: u64) -> Self {
        let settings =
            Settings { path: PathBuf::new(), max_size: ByteSize::new(most), scrub_rate: ByteSize::new(scrub_rate) };
        let (tasks, registry) = (TaskTracker::new(), Registry::new());
        let library = Library::new(Arc::new(store.clone()), &settings, tasks.clone(), &registry).unwrap();
        let content = (0..SIZE).map(|at| u8::try_from((at / 251 + at) % 256).unwrap()).collect();
        let origin = Arc::new(Generous { content, fetches: Mutex::default() });
        Self { store, library, tasks, registry, origin }
    }

    fn digest(&self) -> Digest {
        Digest::of(&self.origin.content)
    }

    async fn reader(&self) -> Reader {
        let origin = Arc::clone(&self.origin);
        self.library.read_through(self.digest(), Length::Exactly(SIZE as u64), origin as _).await.unwrap()
    }

    fn fetches(&self) -> Vec<u64> {
        self.origin.fetches.lock().unwrap().clone()
    }

    async fn settle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }

    async fn is_kept(&self) -> bool {
        self.settle().await;
        self.store.kept.lock().unwrap().contains_key(&self.digest())
    }
}

async fn read(reader: Reader, range: std::ops::Range<usize>) -> io::Result<Vec<u8>> {
    let stream = reader.stream(range.start as u64..range.end as u64);
    stream.try_fold(Vec::new(), async |all, piece| Ok([all, piece.to_vec()].concat())).await
}

fn steps() -> [Step; 5] {
    [Step::Open, Step::Begin, Step::Append(0), Step::Append(SIZE as u64 / 2), Step::Commit]
}

#[tokio::test]
async fn whatever_is_wrong_with_the_store_a_client_gets_the_content_for_one_fetch() {
    for (step, kind) in steps().into_iter().flat_map(|step| TROUBLES.map(|kind| (step, kind))) {
        let world = World::failing(step, kind);
        let read = read(world.reader().await, 0..SIZE).await;
        assert!(read.unwrap() == world.origin.content, "{step:?} {kind:?}");
        assert_eq!(world.fetches(), [0], "{step:?} {kind:?}");
        if step != Step::Open {
            assert!(!world.is_kept().await);
            assert_eq!(counted(&world.registry, UNKEPT, &[]), 1, "{step:?} {kind:?}");
        }
    }
}

#[tokio::test]
async fn many_clients_go_on_by_themselves_from_where_the_store_failed() {
    for step in steps() {
        let world = World::failing(step, io::ErrorKind::StorageFull);
        let readers = join_all((0..8).map(|_| world.reader())).await;
        for all in join_all(readers.into_iter().map(|reader| read(reader, 0..SIZE))).await {
            assert!(all.unwrap() == world.origin.content, "{step:?}");
        }
    }
}

#[tokio::test]
async fn who_goes_on_alone_counts_among_the_fetches_that_there_may_be() {
    let world = World::failing(Step::Begin, io::ErrorKind::StorageFull);
    let readers = join_all((0..512).map(|_| world.reader())).await;
    let mut streams: Vec<_> = readers.into_iter().map(|reader| reader.stream(0..SIZE as u64).boxed()).collect();
    join_all(streams.iter_mut().map(StreamExt::next)).await;
    let other = || world.library.read_through(Digest::of(b"other"), Length::Exactly(5), FakeOrigin::whole(b"other"));
    assert!(matches!(other().await, Err(ContentError::Busy(512))));
    streams.pop();
    assert!(read(other().await.unwrap(), 0..5).await.unwrap() == b"other");
}

#[tokio::test]
async fn a_range_passes_through_as_well() {
    for step in [Step::Begin, Step::Append(SIZE as u64 / 2)] {
        for range in [0..1, 0..SIZE / 4, SIZE / 4..SIZE - 1, SIZE / 2 - 1..SIZE / 2 + 1, SIZE - 1..SIZE, 7..7] {
            let world = World::failing(step, io::ErrorKind::StorageFull);
            let read = read(world.reader().await, range.clone()).await.unwrap();
            assert!(read == world.origin.content[range.clone()], "{step:?} {range:?}");
        }
        let world = World::failing(step, io::ErrorKind::StorageFull);
        let beyond = read(world.reader().await, SIZE - 1..SIZE + 1).await;
        assert_eq!(beyond.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}

#[tokio::test]
async fn what_passes_through_is_cut_before_its_last_byte_unless_the_digest_holds() {
    for range in [0..SIZE, 0..100, SIZE - 100..SIZE] {
        let mut world = World::failing(Step::Append(SIZE as u64 / 2), io::ErrorKind::StorageFull);
        let digest = world.digest();
        let mut wrong = world.origin.content.clone();
        wrong[SIZE - 1] ^= 1;
        world.origin = Arc::new(Generous { content: wrong, fetches: Mutex::default() });
        let origin = Arc::clone(&world.origin);
        let reader = world.library.read_through(digest, Length::Exactly(SIZE as u64), origin as _).await.unwrap();
        let mut stream = pin!(reader.stream(range.start as u64..range.end as u64));
        let mut arrived = 0;
        let error = loop {
            match stream.next().await.expect("an error") {
                Ok(piece) => arrived += piece.len(),
                Err(error) => break error,
            }
        };
        assert!(arrived < range.len(), "{range:?}");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(counted(&world.registry, "bonafide_digest_mismatches_total", &[]), 1);
        assert_eq!(counted(&world.registry, FAILED, &[("cause", "digest")]), 1);
    }
}

#[tokio::test]
async fn content_of_unknown_length_that_cannot_be_kept_is_a_fetch_that_broke_off() {
    let world = World::failing(Step::Begin, io::ErrorKind::StorageFull);
    let (origin, _tap): (_, Tap) = FakeOrigin::tapped(None);
    let mut reader = world.library.read_through(world.digest(), SIZE as u64, origin).await.unwrap();
    assert_eq!(reader.size().await.unwrap_err().kind(), io::ErrorKind::Other);
    assert_eq!(counted(&world.registry, FAILED, &[("cause", "store")]), 1);
}

#[tokio::test]
async fn what_passes_through_and_has_another_length_meanwhile_is_refused() {
    let world = World::failing(Step::Begin, io::ErrorKind::StorageFull);
    let content = &world.origin.content;
    let origin = FakeOrigin::new([body(SIZE, &[content]), body(SIZE + 1, &[content, b"x"])]);
    let length = Length::Exactly(SIZE as u64);
    let readers = [(); 2].map(|()| world.library.read_through(world.digest(), length, Arc::clone(&origin) as _));
    let readers = join_all(readers).await.into_iter().map(|reader| read(reader.unwrap(), 0..SIZE));
    let (passed, refused): (Vec<_>, Vec<_>) = join_all(readers).await.into_iter().partition(Result::is_ok);
    assert!(passed.len() == 1 && passed.into_iter().all(|all| all.unwrap() == world.origin.content));
    let error = refused.into_iter().next().unwrap().unwrap_err();
    assert!(error.to_string().contains("another length"), "{error}");
    assert_eq!(origin.fetches(), [0, 0]);
    assert_eq!(origin.blamed(), 0, "which of the two lengths is wrong is not known");
    assert_eq!(counted(&world.registry, FAILED, &[("cause", "length")]), 1);
}

#[tokio::test]
async fn what_passes_through_passes_before_all_of_it_has_arrived() {
    let world = World::failing(Step::Begin, io::ErrorKind::StorageFull);
    let (origin, tap): (_, Tap) = FakeOrigin::tapped(Some(SIZE as u64));
    let length = Length::Exactly(SIZE as u64);
    let reader = world.library.read_through(world.digest(), length, origin).await.unwrap();
    let mut stream = pin!(reader.stream(0..SIZE as u64));
    tap.send(Ok(Bytes::copy_from_slice(&world.origin.content[..100]))).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), world.origin.content[..100]);
    assert!(stream.next().now_or_never().is_none());
}

#[tokio::test]
async fn once_the_store_is_repaired_content_is_kept_again() {
    for step in steps() {
        let world = World::failing(step, io::ErrorKind::StorageFull);
        read(world.reader().await, 0..SIZE).await.unwrap();
        world.settle().await;
        world.store.repair();
        assert!(read(world.reader().await, 0..SIZE).await.unwrap() == world.origin.content);
        assert!(world.is_kept().await, "{step:?}");
        let asked = world.fetches().len();
        read(world.reader().await, 0..SIZE).await.unwrap();
        assert_eq!(world.fetches().len(), asked, "{step:?}");
    }
}

/// A world that keeps its content, and whose store fails from then on.
async fn keeping_until(step: Step) -> World {
    let world = World::failing(step, io::ErrorKind::Other);
    world.store.repair();
    read(world.reader().await, 0..SIZE).await.unwrap();
    assert!(world.is_kept().await);
    world.store.fail_again();
    world
}

#[tokio::test]
async fn what_no_file_is_left_to_open_with_is_neither_absent_nor_damaged() {
    let world = keeping_until(Step::Files).await;
    let origin = Arc::clone(&world.origin);
    let opened = world.library.read_through(world.digest(), Length::Exactly(SIZE as u64), origin as _).await;
    assert!(matches!(opened, Err(ContentError::Store { .. })), "{opened:?}");
    let manifest = world.library.manifest(world.digest()).await;
    assert!(matches!(manifest, Err(ContentError::Store { .. })), "{manifest:?}");
    world.store.repair();
    assert!(read(world.reader().await, 0..SIZE).await.unwrap() == world.origin.content);
    assert_eq!((world.fetches(), counted(&world.registry, UNREADABLE, &[])), (vec![0], 0));
}

#[tokio::test]
async fn what_was_hashed_is_not_hashed_again_for_whoever_lies_about_its_length() {
    let mut world = keeping_until(Step::Read(0)).await;
    for _ in 0..2 {
        let lied = world.library.blob(world.digest(), Length::Exactly(5)).await;
        assert!(matches!(lied, Err(ContentError::Length { .. })), "{lied:?}");
        assert_eq!(counted(&world.registry, UNREADABLE, &[]), 0);
        // After a restart it is not known to be whole before the first such look.
        world.store.repair();
        world = world.restarted();
        world.library.blob(world.digest(), Length::Exactly(5)).await.unwrap_err();
        world.store.fail_again();
    }
}

#[tokio::test]
async fn a_manifest_that_cannot_be_kept_is_served_from_memory() {
    let world = World::failing(Step::Begin, io::ErrorKind::StorageFull);
    let manifest = Bytes::from_static(b"{}");
    let digest = Digest::of(&manifest);
    world.library.keep_manifest(digest, manifest.clone()).await.unwrap_err();
    assert_eq!(world.library.manifest(digest).await.unwrap(), Some(manifest));
}

#[tokio::test]
async fn what_cannot_be_read_any_more_is_counted_and_fetched_for_who_asks_next() {
    for kind in [io::ErrorKind::Other, io::ErrorKind::UnexpectedEof] {
        let world = World::failing(Step::Read(SIZE as u64 / 2), kind);
        assert!(read(world.reader().await, 0..SIZE).await.unwrap() == world.origin.content);
        assert!(world.is_kept().await);
        // What the disk can read of it is served, as long as nobody asks for more.
        read(world.reader().await, 0..SIZE / 4).await.unwrap();
        assert_eq!(counted(&world.registry, UNREADABLE, &[]), 0);
        assert_eq!(read(world.reader().await, 0..SIZE).await.unwrap_err().kind(), kind);
        assert_eq!((world.fetches(), counted(&world.registry, UNREADABLE, &[])), (vec![0], 1));
        assert!(read(world.reader().await, 0..SIZE).await.unwrap() == world.origin.content);
        assert!(world.is_kept().await);
        world.store.repair();
        assert!(read(world.reader().await, 0..SIZE).await.unwrap() == world.origin.content);
        assert_eq!(world.fetches(), [0, 0], "what was fetched in its place is kept");
    }
}

#[tokio::test]
async fn what_the_search_for_damage_cannot_read_is_counted_and_fetched_for_who_asks_next() {
    let world = World::failing(Step::Read(SIZE as u64 / 2), io::ErrorKind::Other);
    read(world.reader().await, 0..SIZE).await.unwrap();
    assert!(world.is_kept().await);
    let mut unreadable = 0;
    let look = |seen: &Seen| unreadable += u32::from(matches!(seen.condition, Condition::Unreadable(_)));
    world.library.check(look).await.unwrap();
    assert_eq!((unreadable, counted(&world.registry, UNREADABLE, &[])), (1, 1));
    assert!(read(world.reader().await, 0..SIZE).await.unwrap() == world.origin.content);
    assert_eq!(world.fetches(), [0, 0]);
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_any_more_is_kept_anew() {
    let world = World::failing(Step::Read(0), io::ErrorKind::Other);
    let manifest = Bytes::from_static(b"{}");
    let digest = Digest::of(&manifest);
    world.library.keep_manifest(digest, manifest.clone()).await.unwrap();
    let world = world.restarted();
    assert_eq!(world.library.manifest(digest).await.unwrap(), None);
    assert_eq!(counted(&world.registry, UNREADABLE, &[]), 1);
    world.library.keep_manifest(digest, manifest).await.unwrap();
    assert_eq!(world.store.kept.lock().unwrap()[&digest].commits, 2);
}

#[tokio::test]
async fn content_that_cannot_be_read_is_absent_and_counted() {
    let world = World::failing(Step::Open, io::ErrorKind::PermissionDenied);
    assert_eq!(world.library.manifest(Digest::of(b"{}")).await.unwrap(), None);
    assert!(world.library.blob(Digest::of(b"layer"), Length::Exactly(5)).await.unwrap().is_none());
    assert_eq!(counted(&world.registry, UNREADABLE, &[]), 2);
}

/// Three contents in the order in which a store lists them.
const CONTENTS: [&[u8]; 3] = [b"1", b"2", b"3"];

fn sorted() -> [(Digest, Vec<u8>); 3] {
    let mut contents = CONTENTS.map(|content| (Digest::of(content), content.to_vec()));
    contents.sort();
    contents
}

/// A store that holds `contents`, and cannot remove the first of them.
fn stuck(contents: &[(Digest, Vec<u8>)]) -> Failing {
    let store = Failing::at(Step::Remove(contents[0].0), io::ErrorKind::PermissionDenied);
    for (digest, bytes) in contents {
        let kept = Kept { bytes: Arc::new(Memory(Mutex::new(bytes.clone()))), commits: 1 };
        store.kept.lock().unwrap().insert(*digest, kept);
    }
    store
}

#[tokio::test]
async fn what_cannot_be_removed_keeps_nothing_behind_it_from_going() {
    let contents = sorted();
    let world = World::over(stuck(&contents));
    let pruned = world.library.prune(ByteSize::new(0)).await;
    assert_eq!((pruned.deleted.contents, pruned.left.all.contents), (2, 1));
    assert!(matches!(pruned.failure, Some(ContentError::Store { digest, .. }) if digest == contents[0].0));
    assert!(world.store.kept.lock().unwrap().keys().eq([&contents[0].0]));
    assert_eq!(counted(&world.registry, "bonafide_content_evicted_bytes_total", &[]), 2);
}

#[tokio::test]
async fn what_went_before_and_behind_what_cannot_be_removed_is_counted() {
    let world = World::within(stuck(&sorted()), 0);
    let stop = CancellationToken::new();
    world.library.keep_house(&stop);
    while counted(&world.registry, "bonafide_content_evicted_bytes_total", &[]) < 2
        || counted(&world.registry, "bonafide_content_bytes", &[]) != 1
    {
        tokio::task::yield_now().await;
    }
    stop.cancel();
}

#[tokio::test]
async fn what_is_damaged_and_cannot_be_removed_is_said_passed_by_and_not_served() {
    let mut contents = sorted();
    let (first, whole) = (contents[0].0, contents[0].1.clone());
    contents[0].1 = b"x".to_vec();
    contents[2].1 = b"y".to_vec();
    let world = World::over(stuck(&contents));
    let mut damaged = Vec::new();
    let look = |seen: &Seen| {
        if let Condition::Damaged { removed, .. } = &seen.condition {
            damaged.push((seen.item.digest, removed.is_ok()));
        }
    };
    world.library.check(look).await.unwrap();
    assert_eq!(damaged, [(first, false), (contents[2].0, true)]);
    let origin = FakeOrigin::whole(&whole);
    let reader = world.library.read_through(first, Length::Exactly(1), Arc::clone(&origin) as _).await.unwrap();
    assert_eq!(read(reader, 0..1).await.unwrap(), whole);
    assert_eq!(counted(&world.registry, "bonafide_digest_mismatches_total", &[]), 2, "it is not hashed again");
}

#[tokio::test]
async fn pins_that_fill_the_store_are_said_once_and_cost_no_survey_with_each_commit() {
    let contents: Vec<_> = (b'a'..=b'c').map(|letter| vec![letter; 10]).map(|it| (Digest::of(&it), it)).collect();
    let (said, world) = (Said::default(), World::within(stuck(&contents), 20));
    for (digest, _) in &contents {
        world.library.set_retention(*digest, Retention::Pinned).await.unwrap();
    }
    let _guard = said.listen();
    let stop = CancellationToken::new();
    world.library.keep_house(&stop);
    let listed = || world.store.listed.lock().unwrap().len();
    while said.count(&["pinned content fills the store"]) == 0 {
        tokio::task::yield_now().await;
    }
    let after_the_first_pass = listed();
    // Up to a tenth of what may be kept there is no sign, and beyond it there is: this store answers at once.
    for (bytes, is_too_much) in [(&b"1"[..], false), (b"2", false), (b"3", true)] {
        world.library.keep_manifest(Digest::of(bytes), Bytes::from_static(bytes)).await.unwrap();
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(listed() > after_the_first_pass, is_too_much);
    }
    stop.cancel();
    assert_eq!(said.count(&["pinned content fills the store"]), 1);
}

#[tokio::test]
async fn the_search_for_damage_does_not_always_begin_with_the_same_contents() {
    let mut begun = BTreeSet::new();
    for _ in 0..64 {
        let world = World::scrubbing(stuck(&sorted()));
        let stop = CancellationToken::new();
        world.library.keep_house(&stop);
        while counted(&world.registry, "bonafide_content_scrubbed_bytes_total", &[]) < 3 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        begun.insert(world.store.inspected.lock().unwrap()[0]);
    }
    assert!(begun.len() > 1);
}
