//! Content: fetched once, hashed on its way, committed only when the digest holds.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use bonafide::clock::SystemClock;
use bonafide::content::{
    ByteSize, Committed, ContentError, ContentStore, Draft, FlightError, Inventory, Length, Library, ReadAt, Reader,
    Retention, Settings, Stored, Version,
};
use bonafide::oci::Digest;
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{FutureExt, Stream, StreamExt, TryStreamExt};
use prometheus::Registry;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::counted::counted;
use crate::origin::{Answer, FakeOrigin, Tap, body, cut};
use crate::said::Said;

const MISMATCHES: &str = "bonafide_digest_mismatches_total";
const FAILED: &str = "bonafide_content_failed_total";
/// In nanoseconds: the grain of the times of last use.
const MINUTE: u128 = 60_000_000_000;

/// A library in a folder of its own.
struct Shelf {
    folder: TempDir,
    library: Library,
    tasks: TaskTracker,
    registry: Registry,
}

impl Shelf {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (library, tasks, registry) = open(folder.path()).await;
        Self { folder, library, tasks, registry }
    }

    /// The same folder after a restart.
    async fn reopened(self) -> Self {
        let (library, tasks, registry) = open(self.folder.path()).await;
        Self { library, tasks, registry, ..self }
    }

    /// Waits until no fetch is under way.
    async fn settle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }

    /// Fetches `content`, and waits until it is committed.
    async fn keep(&self, content: &[u8]) {
        let reader = self.reader(content, &FakeOrigin::whole(content)).await;
        assert_eq!(read(reader, content.len()).await.unwrap(), content);
        self.settle().await;
    }

    async fn reader(&self, content: &[u8], origin: &Arc<FakeOrigin>) -> Reader {
        let origin = Arc::clone(origin);
        let length = Length::Exactly(content.len() as u64);
        self.library.read_through(Digest::of(content), length, origin).await.unwrap()
    }

    async fn is_committed(&self, content: &[u8]) -> bool {
        self.settle().await;
        self.library.blob(Digest::of(content), u64::MAX).await.unwrap().is_some()
    }

    fn partial_files(&self) -> Vec<PathBuf> {
        files(&self.folder.path().join("content/partial"))
    }

    fn committed_file(&self, digest: Digest) -> PathBuf {
        let hex = digest.hex();
        self.folder.path().join("content/sha256").join(&hex[..2]).join(hex)
    }
}

async fn open(folder: &Path) -> (Library, TaskTracker, Registry) {
    let settings = Settings { path: folder.into(), max_size: ByteSize::new(1 << 30), scrub_rate: ByteSize::new(0) };
    let (tasks, registry) = (TaskTracker::new(), Registry::new());
    let library = Library::open(&settings, Arc::new(SystemClock), tasks.clone(), &registry).await.unwrap();
    (library, tasks, registry)
}

fn unbounded() -> Settings {
    Settings { path: PathBuf::new(), max_size: ByteSize::new(u64::MAX), scrub_rate: ByteSize::new(0) }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Bytes that repeat nowhere near a chunk border.
fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from((at / 251 + at) % 256).unwrap()).collect()
}

fn stream(reader: Reader, size: usize) -> Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>> {
    reader.stream(0..size as u64).boxed()
}

async fn read(reader: Reader, size: usize) -> io::Result<Vec<u8>> {
    stream(reader, size).try_fold(Vec::new(), async |all, piece| Ok([all, piece.to_vec()].concat())).await
}

/// What arrives before the error, and the error.
async fn read_until_error(reader: Reader, size: usize) -> (usize, io::Error) {
    let mut stream = stream(reader, size);
    let mut arrived = 0;
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => arrived += piece.len(),
            Err(error) => {
                assert!(stream.next().await.is_none(), "nothing follows an error");
                return (arrived, error);
            }
        }
    }
    panic!("the stream ended without an error after {arrived} bytes");
}

async fn pour(tap: &Tap, piece: &[u8]) {
    tap.send(Ok(Bytes::copy_from_slice(piece))).await.unwrap();
}

#[tokio::test]
async fn sixty_four_readers_share_one_fetch() {
    let (shelf, content) = (Shelf::new().await, content(1_000_000));
    let (origin, tap) = FakeOrigin::tapped(Some(content.len() as u64));
    let readers = join_all((0..64).map(|_| shelf.reader(&content, &origin))).await;
    let reading = join_all(readers.into_iter().map(|reader| read(reader, content.len())));
    let pouring = async {
        for piece in content.chunks(30_000) {
            pour(&tap, piece).await;
        }
        drop(tap);
    };
    let (all, ()) = tokio::join!(reading, pouring);
    assert!(all.into_iter().all(|read| read.unwrap() == content));
    assert_eq!(origin.fetches(), [0]);
}

#[tokio::test]
async fn the_first_bytes_pass_before_the_last_have_arrived() {
    let (shelf, content) = (Shelf::new().await, content(1000));
    let (origin, tap) = FakeOrigin::tapped(None);
    let mut stream = stream(shelf.reader(&content, &origin).await, 1000);
    pour(&tap, &content[..100]).await;
    assert_eq!(stream.next().await.unwrap().unwrap(), content[..99]);
}

#[tokio::test]
async fn a_reader_that_stands_still_holds_up_no_other() {
    // More than is on its way anywhere.
    let (shelf, content) = (Shelf::new().await, content(8_000_000));
    let (origin, tap) = FakeOrigin::tapped(Some(content.len() as u64));
    let mut still = stream(shelf.reader(&content, &origin).await, content.len());
    let other = read(shelf.reader(&content, &origin).await, content.len());
    pour(&tap, &content[..100]).await;
    assert_eq!(still.next().await.unwrap().unwrap(), content[..99]);
    let pouring = async {
        for piece in content[100..].chunks(30_000) {
            pour(&tap, piece).await;
        }
        drop(tap);
    };
    let both = async { tokio::join!(other, pouring) };
    let (other, ()) = tokio::time::timeout(Duration::from_mins(1), both).await.expect("it waits for nobody");
    assert!(other.unwrap() == content);
    let rest: Vec<Bytes> = still.try_collect().await.unwrap();
    assert!(rest.concat() == content[99..]);
    assert_eq!(origin.fetches(), [0]);
}

#[tokio::test]
async fn a_fetch_goes_on_when_the_client_that_started_it_leaves() {
    let (shelf, content) = (Shelf::new().await, content(1000));
    let (origin, tap) = FakeOrigin::tapped(None);
    drop(shelf.reader(&content, &origin).await);
    let follower = shelf.reader(&content, &origin).await;
    pour(&tap, &content).await;
    drop(tap);
    assert_eq!(read(follower, 1000).await.unwrap(), content);
    assert_eq!(origin.fetches(), [0]);
}

#[tokio::test]
async fn the_last_byte_waits_until_the_digest_holds() {
    let (shelf, content) = (Shelf::new().await, content(1000));
    let (origin, tap) = FakeOrigin::tapped(Some(1000));
    let mut stream = stream(shelf.reader(&content, &origin).await, 1000);
    pour(&tap, &content).await;
    assert_eq!(stream.next().await.unwrap().unwrap(), content[..999]);
    assert!(stream.next().now_or_never().is_none(), "nothing is proven while the body is open");
    drop(tap);
    assert_eq!(stream.next().await.unwrap().unwrap(), content[999..]);
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_range_of_what_still_arrives_is_read_and_its_last_byte_waits_too() {
    let (shelf, content) = (Shelf::new().await, content(1000));
    let (origin, tap) = FakeOrigin::tapped(Some(1000));
    let mut range = shelf.reader(&content, &origin).await.stream(100..200).boxed();
    pour(&tap, &content[..500]).await;
    assert_eq!(range.next().await.unwrap().unwrap(), content[100..199]);
    assert!(range.next().now_or_never().is_none());
    pour(&tap, &content[500..]).await;
    drop(tap);
    assert_eq!(range.next().await.unwrap().unwrap(), content[199..200]);
    assert!(range.next().await.is_none());
}

#[tokio::test]
async fn wrong_bytes_end_every_stream_before_its_last_byte_and_leave_nothing() {
    let (shelf, content) = (Shelf::new().await, content(1000));
    let mut wrong = content.clone();
    wrong[500] ^= 1;
    let (origin, tap) = FakeOrigin::tapped(Some(1000));
    let readers = join_all((0..8).map(|_| shelf.reader(&content, &origin))).await;
    pour(&tap, &wrong).await;
    drop(tap);
    for (arrived, error) in join_all(readers.into_iter().map(|reader| read_until_error(reader, 1000))).await {
        assert!(arrived < 1000);
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains(&Digest::of(&wrong).to_string()), "{error}");
    }
    shelf.settle().await;
    assert!(!shelf.is_committed(&content).await && !shelf.is_committed(&wrong).await);
    assert_eq!(shelf.partial_files(), Vec::<PathBuf>::new());
    assert_eq!((counted(&shelf.registry, MISMATCHES, &[]), origin.blamed()), (1, 1));
}

#[tokio::test]
async fn after_wrong_bytes_the_next_reader_fetches_anew() {
    let (shelf, content) = (Shelf::new().await, content(1000));
    let origin = FakeOrigin::new([body(1000, &[&[7; 1000]]), body(1000, &[&content])]);
    read_until_error(shelf.reader(&content, &origin).await, 1000).await;
    assert_eq!(read(shelf.reader(&content, &origin).await, 1000).await.unwrap(), content);
}

#[tokio::test]
async fn an_empty_body_in_place_of_content_is_found_out_before_anything_is_announced() {
    let shelf = Shelf::new().await;
    let origin = FakeOrigin::new([body(0, &[])]);
    let mut reader = shelf.library.read_through(Digest::of(b"something"), 100, origin).await.unwrap();
    assert_eq!(reader.size().await.unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn content_of_no_bytes_is_served() {
    let shelf = Shelf::new().await;
    let mut reader = shelf.reader(b"", &FakeOrigin::whole(b"")).await;
    assert_eq!(reader.size().await.unwrap(), 0);
    assert_eq!(read(reader, 0).await.unwrap(), b"");
    assert!(shelf.is_committed(b"").await);
}

#[tokio::test]
async fn a_body_that_its_origin_has_given_up_is_not_asked_for_again() {
    let (shelf, content) = (Shelf::new().await, content(1000));
    let origin = FakeOrigin::new([cut(1000, &content[..400]), body(1000, &[&content[400..]])]);
    let (arrived, error) = read_until_error(shelf.reader(&content, &origin).await, 1000).await;
    assert!(arrived < 400);
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(origin.fetches(), [0]);
}

#[tokio::test]
async fn a_body_that_breaks_after_its_last_byte_is_whole() {
    for announced in [Some(1000), None] {
        let (shelf, content) = (Shelf::new().await, content(1000));
        let (origin, tap) = FakeOrigin::tapped(announced);
        let reader = shelf.reader(&content, &origin).await;
        pour(&tap, &content).await;
        tap.send(Err(io::ErrorKind::ConnectionReset.into())).await.unwrap();
        assert_eq!(read(reader, 1000).await.unwrap(), content);
        assert!(shelf.is_committed(&content).await);
        assert_eq!(origin.fetches(), [0]);
    }
}

#[tokio::test]
async fn wrong_bytes_that_break_after_the_last_of_them_are_not_kept() {
    let (shelf, content) = (Shelf::new().await, content(1000));
    let reader = shelf.reader(&content, &FakeOrigin::new([cut(1000, &[7; 1000])])).await;
    assert_eq!(read_until_error(reader, 1000).await.1.kind(), io::ErrorKind::InvalidData);
    assert!(!shelf.is_committed(&content).await);
}

#[tokio::test]
async fn an_endless_body_is_cut_at_the_limit() {
    let shelf = Shelf::new().await;
    let origin = FakeOrigin::new([Answer::Endless]);
    let reader = shelf.library.read_through(Digest::of(b"x"), 1 << 20, origin).await.unwrap();
    let (arrived, error) = read_until_error(reader, usize::MAX).await;
    assert!(arrived <= 1 << 20);
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    shelf.settle().await;
    assert_eq!(shelf.partial_files(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_body_longer_than_announced_is_cut() {
    let (shelf, content) = (Shelf::new().await, content(1000));
    let origin = FakeOrigin::new([body(900, &[&content])]);
    let reader = shelf.library.read_through(Digest::of(&content), 5000, Arc::clone(&origin) as _).await.unwrap();
    let (_, error) = read_until_error(reader, 1000).await;
    assert!(error.to_string().contains("more than 900 bytes"), "{error}");
    assert_eq!(origin.blamed(), 1);
}

#[tokio::test]
async fn a_body_announced_with_a_length_it_may_not_have_is_refused_before_its_first_byte() {
    let (shelf, content) = (Shelf::new().await, content(1000));
    for length in [Length::AtMost(999), Length::Exactly(1001)] {
        let origin = FakeOrigin::whole(&content);
        let asking = shelf.library.read_through(Digest::of(&content), length, Arc::clone(&origin) as _);
        let mut reader = asking.await.unwrap();
        assert_eq!(reader.size().await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(read_until_error(reader, 1000).await.0, 0);
        assert_eq!(origin.blamed(), 1);
    }
}

/// Bodies of the content of a thousand bytes, or of what is said to be it, that break off, and why.
fn breaking(content: &[u8]) -> [(&'static str, Answer); 7] {
    let ends = |kind: io::ErrorKind| {
        Answer::Body(Some(1000), vec![Ok(Bytes::copy_from_slice(&content[..500])), Err(kind.into())])
    };
    [
        ("digest", body(1000, &[&[0; 1000]])),
        ("length", body(2000, &[content])),
        ("length", body(1000, &[content, b"more"])),
        ("length", body(1000, &[&content[..999]])),
        ("length", ends(io::ErrorKind::InvalidData)),
        ("stalled", ends(io::ErrorKind::TimedOut)),
        ("cut", ends(io::ErrorKind::ConnectionReset)),
    ]
}

#[tokio::test]
async fn a_fetch_that_breaks_off_is_counted_by_its_cause_and_said_once() {
    let content = content(1000);
    for (cause, answer) in breaking(&content) {
        let said = Said::default();
        let _guard = said.listen();
        let shelf = Shelf::new().await;
        let reader = shelf.reader(&content, &FakeOrigin::new([answer])).await;
        read_until_error(reader, 1000).await;
        for label in ["digest", "length", "stalled", "cut", "store"] {
            assert_eq!(
                counted(&shelf.registry, FAILED, &[("cause", label)]),
                u64::from(label == cause),
                "{cause} {label}"
            );
        }
        assert_eq!(counted(&shelf.registry, MISMATCHES, &[]), u64::from(cause == "digest"));
        let (digest, cause) = (Digest::of(&content).to_string(), format!("cause=\"{cause}\""));
        let line = ["WARN", "broke off", "repository=example.com/app", &digest, &cause];
        assert_eq!((said.count(&["WARN"]), said.count(&line)), (1, 1), "{cause}");
    }
}

#[tokio::test]
async fn an_origin_that_does_not_answer_is_no_fetch_that_broke_off() {
    let (shelf, content) = (Shelf::new().await, content(10));
    let origin = FakeOrigin::new([Answer::Error(io::ErrorKind::NotFound.into())]);
    read_until_error(shelf.reader(&content, &origin).await, 10).await;
    for label in ["digest", "length", "stalled", "cut", "store"] {
        assert_eq!(counted(&shelf.registry, FAILED, &[("cause", label)]), 0, "{label}");
    }
}

#[tokio::test]
async fn what_the_origin_says_reaches_every_reader() {
    #[derive(Debug, thiserror::Error)]
    #[error("rate limited")]
    struct Limited;

    let (shelf, content) = (Shelf::new().await, content(10));
    let (refuse, refused) = oneshot::channel();
    let origin = FakeOrigin::new([Answer::Refused(refused)]);
    let mut readers = join_all((0..2).map(|_| shelf.reader(&content, &origin))).await;
    refuse.send(io::Error::new(io::ErrorKind::NotFound, Limited)).unwrap();
    for reader in &mut readers {
        let error = reader.size().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let inner = error.get_ref().unwrap().downcast_ref::<FlightError>().unwrap();
        assert!(inner.source().unwrap().is::<Limited>());
    }
    assert_eq!(origin.fetches(), [0]);
}

#[tokio::test]
async fn a_fetch_that_breaks_down_fails_its_readers_and_not_the_next_fetch() {
    let (shelf, content) = (Shelf::new().await, content(10));
    let origin = FakeOrigin::new([Answer::Panic, body(10, &[&content])]);
    let (_, error) = read_until_error(shelf.reader(&content, &origin).await, 10).await;
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    shelf.settle().await;
    assert_eq!(read(shelf.reader(&content, &origin).await, 10).await.unwrap(), content);
}

#[tokio::test]
async fn only_so_many_fetches_run_at_once() {
    let shelf = Shelf::new().await;
    let mut taps = Vec::new();
    for number in 0..512_u32 {
        let (origin, tap) = FakeOrigin::tapped(None);
        shelf.library.read_through(Digest::of(&number.to_be_bytes()), 10, origin).await.unwrap();
        taps.push(tap);
    }
    let more = shelf.library.read_through(Digest::of(b"more"), 10, FakeOrigin::whole(b"more")).await;
    assert!(matches!(more, Err(ContentError::Busy(512))));
    drop(taps);
    shelf.settle().await;
    let more = shelf.library.read_through(Digest::of(b"more"), 10, FakeOrigin::whole(b"more")).await;
    assert_eq!(read(more.unwrap(), 4).await.unwrap(), b"more");
}

#[tokio::test]
async fn committed_content_is_read_in_ranges_without_its_origin() {
    let (shelf, content) = (Shelf::new().await, content(600_000));
    shelf.keep(&content).await;
    let nowhere = FakeOrigin::new([]);
    for range in [0..600_000, 0..1, 262_143..262_145, 599_999..600_000, 300_000..300_000] {
        let reader = shelf.reader(&content, &nowhere).await;
        let pieces: Vec<Bytes> = reader.stream(range.start as u64..range.end as u64).try_collect().await.unwrap();
        assert_eq!(pieces.concat(), content[range]);
    }
    assert_eq!(nowhere.fetches(), [0_u64; 0]);
    let beyond = pin!(shelf.reader(&content, &nowhere).await.stream(599_999..600_001));
    assert_eq!(beyond.try_collect::<Vec<_>>().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn committed_content_that_was_truncated_is_fetched_again() {
    let content = content(1000);
    for left in [0, 999] {
        let shelf = Shelf::new().await;
        shelf.keep(&content).await;
        let file = fs::File::options().write(true).open(shelf.committed_file(Digest::of(&content))).unwrap();
        file.set_len(left).unwrap();
        let again = shelf.reader(&content, &FakeOrigin::whole(&content)).await;
        assert_eq!(read(again, 1000).await.unwrap(), content);
        assert_eq!(counted(&shelf.registry, MISMATCHES, &[]), 1);
    }
}

#[tokio::test]
async fn content_that_rotted_before_the_start_is_found_out_when_it_is_read_first() {
    for size in [1000, 1_000_000] {
        let (shelf, content) = (Shelf::new().await, content(size));
        shelf.keep(&content).await;
        let file = shelf.committed_file(Digest::of(&content));
        let mut rotten = content.clone();
        rotten[size / 2] ^= 1;
        fs::write(&file, rotten).unwrap();
        let shelf = shelf.reopened().await;
        let origin = FakeOrigin::whole(&content);
        // What is small is fetched at once; what is large has left in part already.
        if let Err(error) = read(shelf.reader(&content, &origin).await, size).await {
            assert_eq!((error.kind(), size), (io::ErrorKind::Other, 1_000_000));
            shelf.settle().await;
            assert!(!file.exists());
        }
        assert_eq!(read(shelf.reader(&content, &origin).await, size).await.unwrap(), content);
        assert_eq!((origin.fetches(), counted(&shelf.registry, MISMATCHES, &[])), (vec![0], 1));
    }
}

#[tokio::test]
async fn a_range_of_what_rotted_does_not_come_to_its_end() {
    let (shelf, content) = (Shelf::new().await, content(1_000_000));
    shelf.keep(&content).await;
    let mut rotten = content.clone();
    rotten[999_999] ^= 1;
    fs::write(shelf.committed_file(Digest::of(&content)), rotten).unwrap();
    let shelf = shelf.reopened().await;
    let reader = shelf.reader(&content, &FakeOrigin::new([])).await;
    let mut range = reader.stream(0..100).boxed();
    let mut arrived = 0;
    let end = loop {
        match range.next().await.unwrap() {
            Ok(piece) => arrived += piece.len(),
            Err(error) => break error,
        }
    };
    assert!(arrived < 100);
    assert_eq!(end.kind(), io::ErrorKind::Other, "whoever names it is not wrong: {end}");
}

#[tokio::test]
async fn content_is_hashed_again_once_a_start_for_all_who_read_it() {
    let (shelf, content) = (Shelf::new().await, content(1_000_000));
    shelf.keep(&content).await;
    let shelf = shelf.reopened().await;
    let nowhere = FakeOrigin::new([]);
    let readers = join_all((0..8).map(|_| shelf.reader(&content, &nowhere))).await;
    for all in join_all(readers.into_iter().map(|reader| read(reader, content.len()))).await {
        assert!(all.unwrap() == content);
    }
    shelf.settle().await;
    // What no time tells of is for the background search, and for the client.
    let file = shelf.committed_file(Digest::of(&content));
    let (mut rotten, time) = (content.clone(), fs::metadata(&file).unwrap().modified().unwrap());
    rotten[0] ^= 1;
    fs::write(&file, &rotten).unwrap();
    fs::File::open(&file).unwrap().set_modified(time).unwrap();
    assert!(read(shelf.reader(&content, &nowhere).await, content.len()).await.unwrap() == rotten);
}

fn write_in_place(file: &Path, bytes: &[u8]) {
    fs::write(file, bytes).unwrap();
}

/// Leaves the time of modification as it is.
fn replace(file: &Path, bytes: &[u8]) {
    let (new, time) = (file.with_extension("new"), fs::metadata(file).unwrap().modified().unwrap());
    fs::write(&new, bytes).unwrap();
    fs::File::open(&new).unwrap().set_modified(time).unwrap();
    fs::rename(&new, file).unwrap();
}

#[tokio::test]
async fn what_was_written_to_is_hashed_again_and_fetched() {
    let (shelf, content) = (Shelf::new().await, content(1000));
    let file = shelf.committed_file(Digest::of(&content));
    let ways: [fn(&Path, &[u8]); 2] = [write_in_place, replace];
    for (count, write) in (1..).zip(ways) {
        shelf.keep(&content).await;
        let mut rotten = content.clone();
        rotten[500] ^= 1;
        write(&file, &rotten);
        // Whoever looks it up without reading it takes no trace away.
        assert!(shelf.is_committed(&content).await);
        let origin = FakeOrigin::whole(&content);
        assert!(read(shelf.reader(&content, &origin).await, 1000).await.unwrap() == content);
        shelf.settle().await;
        assert_eq!((origin.fetches(), counted(&shelf.registry, MISMATCHES, &[])), (vec![0], count));
        assert!(fs::read(&file).unwrap() == content);
    }
}

#[tokio::test]
async fn what_was_written_to_and_is_whole_is_as_good_as_what_was_never_touched() {
    let (shelf, content) = (Shelf::new().await, content(1000));
    shelf.keep(&content).await;
    let file = shelf.committed_file(Digest::of(&content));
    let nowhere = FakeOrigin::new([]);
    let modified = || fs::metadata(&file).unwrap().modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
    fs::write(&file, &content).unwrap();
    assert!(!modified().as_nanos().is_multiple_of(MINUTE));
    assert!(read(shelf.reader(&content, &nowhere).await, 1000).await.unwrap() == content);
    shelf.settle().await;
    assert!(modified().as_nanos().is_multiple_of(MINUTE), "its uses can be marked again");
    assert!(read(shelf.reader(&content, &nowhere).await, 1000).await.unwrap() == content);
}

#[tokio::test]
async fn whoever_lies_about_a_length_removes_nothing() {
    let (shelf, content) = (Shelf::new().await, content(1000));
    shelf.keep(&content).await;
    let liar = shelf.library.blob(Digest::of(&content), Length::Exactly(5)).await;
    assert!(matches!(liar, Err(ContentError::Length { size: 1000, .. })));
    assert!(shelf.is_committed(&content).await);
    assert_eq!(counted(&shelf.registry, MISMATCHES, &[]), 0);
}

#[tokio::test]
async fn a_liar_s_fetch_does_not_fail_an_honest_one() {
    let (shelf, content) = (Shelf::new().await, content(1000));
    let (lying, tap) = FakeOrigin::tapped(None);
    let liar = shelf.library.read_through(Digest::of(&content), Length::Exactly(5), lying).await.unwrap();
    let honest = shelf.reader(&content, &FakeOrigin::whole(&content)).await;
    assert_eq!(read(honest, 1000).await.unwrap(), content);
    pour(&tap, &content).await;
    assert_eq!(read_until_error(liar, 5).await.1.kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_manifest_is_kept_over_a_restart() {
    let shelf = Shelf::new().await;
    let manifest = Bytes::from_static(b"{}");
    let digest = Digest::of(&manifest);
    assert_eq!(shelf.library.manifest(digest).await.unwrap(), None);
    shelf.library.keep_manifest(digest, manifest.clone()).await.unwrap();
    let shelf = shelf.reopened().await;
    assert_eq!(shelf.library.manifest(digest).await.unwrap(), Some(manifest));
}

#[tokio::test]
async fn a_kept_manifest_is_read_from_memory() {
    let shelf = Shelf::new().await;
    let manifest = Bytes::from_static(b"{}");
    let digest = Digest::of(&manifest);
    shelf.library.keep_manifest(digest, manifest.clone()).await.unwrap();
    fs::remove_file(shelf.committed_file(digest)).unwrap();
    assert_eq!(shelf.library.manifest(digest).await.unwrap(), Some(manifest));
    let labels = [("cache", "manifest"), ("outcome", "hit")];
    assert_eq!(counted(&shelf.registry, "bonafide_cache_lookups_total", &labels), 1);
}

#[tokio::test]
async fn a_manifest_that_was_damaged_on_disk_is_removed_counted_and_absent() {
    let shelf = Shelf::new().await;
    let digest = Digest::of(b"{}");
    shelf.library.keep_manifest(digest, Bytes::from_static(b"{}")).await.unwrap();
    let file = shelf.committed_file(digest);
    fs::write(&file, b"[]").unwrap();
    let shelf = shelf.reopened().await;
    assert_eq!(shelf.library.manifest(digest).await.unwrap(), None);
    assert!(!file.exists());
    assert_eq!(counted(&shelf.registry, MISMATCHES, &[]), 1);
}

#[tokio::test]
async fn a_manifest_under_a_foreign_digest_or_beyond_the_bound_is_not_kept() {
    let shelf = Shelf::new().await;
    let digest = Digest::of(b"{}");
    let foreign = shelf.library.keep_manifest(digest, Bytes::from_static(b"[]")).await;
    assert!(matches!(foreign, Err(ContentError::Mismatch { .. })));
    assert_eq!(shelf.library.manifest(digest).await.unwrap(), None);
    let large = Bytes::from(vec![b' '; 4 * 1024 * 1024 + 1]);
    let large = shelf.library.keep_manifest(Digest::of(&large), large).await;
    assert!(matches!(large, Err(ContentError::Length { .. })));
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_named_at_start() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("content"), b"a file").unwrap();
    let settings = Settings { path: folder.path().into(), max_size: ByteSize::new(1), scrub_rate: ByteSize::new(0) };
    let error =
        Library::open(&settings, Arc::new(SystemClock), TaskTracker::new(), &Registry::new()).await.unwrap_err();
    assert!(matches!(&error, ContentError::Folder { .. }));
    assert!(error.to_string().contains("content") && error.to_string().contains("storage.path"), "{error}");
}

/// A content of one byte.
#[derive(Debug)]
struct Letter;

const LETTER: Version = Version { object: 0, size: 1, foreign: None };

#[async_trait]
impl Draft for Letter {
    async fn append(&mut self, _: Vec<Bytes>) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn bytes(&self) -> Arc<dyn ReadAt> {
        Arc::new(Self)
    }

    async fn commit(self: Box<Self>) -> io::Result<Version> {
        Ok(LETTER)
    }
}

#[async_trait]
impl ReadAt for Letter {
    async fn read_at(&self, _: u64, _: usize) -> io::Result<Bytes> {
        Ok(Bytes::from_static(b"x"))
    }
}

/// A store in which the content is committed just after it was looked for the first time.
#[derive(Debug, Default)]
struct Late(AtomicBool);

#[async_trait]
impl ContentStore for Late {
    async fn open(&self, _: Digest) -> io::Result<Option<Committed>> {
        let is_there = self.0.swap(true, Ordering::SeqCst);
        Ok(is_there.then(|| Committed { stored: Stored { size: 1, bytes: Arc::new(Letter) }, version: LETTER }))
    }

    async fn inspect(&self, digest: Digest) -> io::Result<Option<Committed>> {
        self.open(digest).await
    }

    async fn confirm(&self, _: Digest, version: Version) -> io::Result<Version> {
        Ok(version)
    }

    async fn list(&self, _: u8) -> Inventory {
        Inventory::default()
    }

    async fn begin(&self, _: Digest, _: Option<u64>) -> io::Result<Box<dyn Draft>> {
        Ok(Box::new(Letter))
    }

    async fn remove(&self, _: Digest) -> io::Result<()> {
        Ok(())
    }

    async fn set_retention(&self, _: Digest, _: Retention) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_was_committed_while_it_was_looked_for_is_not_fetched_again() {
    let library = Library::new(Arc::new(Late::default()), &unbounded(), TaskTracker::new(), &Registry::new()).unwrap();
    let origin = FakeOrigin::whole(b"x");
    let shared = Arc::clone(&origin);
    let mut reader = library.read_through(Digest::of(b"x"), Length::Exactly(1), shared).await.unwrap();
    assert_eq!(reader.size().await.unwrap(), 1);
    assert_eq!(origin.fetches(), [0_u64; 0]);
}
