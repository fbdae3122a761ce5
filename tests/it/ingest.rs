//! Many fetches at once: what they hold in memory is bounded over all of them, and none of them waits for ever.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bonafide::content::{
    ByteSize, Committed, ContentStore, Draft, Inventory, Length, Library, Origin, OriginBody, ReadAt, Retention,
    Settings, Version,
};
use bonafide::oci::Digest;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use prometheus::Registry;
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::counted::counted;

const MIB: usize = 1024 * 1024;
static ZEROS: [u8; MIB] = [0; MIB];
const FETCHES: usize = 300;
/// MiB for all fetches together (`src/content/memory.rs`).
const ROOM: usize = 128;
/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A store that writes nothing until it is let.
#[derive(Debug, Clone)]
struct Slow(Arc<Semaphore>);

#[derive(Debug)]
struct SlowDraft(Slow);

#[derive(Debug)]
struct Unread;

#[async_trait]
impl ContentStore for Slow {
    async fn open(&self, _: Digest) -> io::Result<Option<Committed>> {
        Ok(None)
    }

    async fn inspect(&self, _: Digest) -> io::Result<Option<Committed>> {
        Ok(None)
    }

    async fn confirm(&self, _: Digest, version: Version) -> io::Result<Version> {
        Ok(version)
    }

    async fn list(&self, _: u8) -> Inventory {
        Inventory::default()
    }

    async fn begin(&self, _: Digest, _: Option<u64>) -> io::Result<Box<dyn Draft>> {
        Ok(Box::new(SlowDraft(self.clone())))
    }

    async fn remove(&self, _: Digest) -> io::Result<()> {
        Ok(())
    }

    async fn set_retention(&self, _: Digest, _: Retention) -> io::Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Draft for SlowDraft {
    async fn append(&mut self, _: Vec<Bytes>) -> io::Result<()> {
        self.0.0.acquire().await.map(drop).map_err(io::Error::other)
    }

    fn bytes(&self) -> Arc<dyn ReadAt> {
        Arc::new(Unread)
    }

    async fn commit(self: Box<Self>) -> io::Result<Version> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[async_trait]
impl ReadAt for Unread {
    async fn read_at(&self, _: u64, _: usize) -> io::Result<Bytes> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Three MiB, all there at once, each of which is counted when it is taken.
struct Eager(Arc<AtomicUsize>);

#[async_trait]
impl Origin for Eager {
    fn name(&self) -> String {
        "example.com/app".to_owned()
    }

    async fn fetch(&self, _: u64) -> io::Result<OriginBody> {
        let taken = Arc::clone(&self.0);
        let pieces = stream::iter([(); 3]).map(move |()| {
            taken.fetch_add(1, Ordering::SeqCst);
            Ok(Bytes::from_static(&ZEROS))
        });
        Ok(OriginBody { total: Some(3 * MIB as u64), bytes: pieces.boxed() })
    }

    fn was_wrong(&self) {}
}

/// Lets all tasks do what they can without waiting.
async fn settle() {
    for _ in 0..1000 {
        yield_now().await;
    }
}

#[tokio::test]
async fn many_fetches_hold_no_more_memory_than_a_few_and_all_come_to_their_end() {
    let settings = Settings { path: PathBuf::new(), max_size: ByteSize::new(u64::MAX), scrub_rate: ByteSize::new(0) };
    let (store, tasks, registry) = (Slow(Arc::new(Semaphore::new(0))), TaskTracker::new(), Registry::new());
    let library = Library::new(Arc::new(store.clone()), &settings, tasks.clone(), &registry).unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    for number in 0..FETCHES {
        let (digest, origin) = (Digest::of(&number.to_be_bytes()), Arc::new(Eager(Arc::clone(&taken))));
        library.read_through(digest, Length::Exactly(3 * MIB as u64), origin).await.unwrap();
    }
    let most_of_it = async {
        while taken.load(Ordering::SeqCst) < ROOM / 4 * 3 {
            yield_now().await;
        }
    };
    timeout(PATIENCE, most_of_it).await.expect("there is room for more");
    settle().await;
    assert!(taken.load(Ordering::SeqCst) <= ROOM, "{taken:?} MiB");
    store.0.add_permits(1);
    tasks.close();
    timeout(PATIENCE, tasks.wait()).await.expect("all come to their end");
    assert_eq!(taken.load(Ordering::SeqCst), 3 * FETCHES);
    assert_eq!(counted(&registry, "bonafide_digest_mismatches_total", &[]), FETCHES as u64);
}
