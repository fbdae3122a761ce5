//! The port behind which content lies: files here, an object store elsewhere.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use crate::oci::Digest;
use crate::piece::Window;

/// Keeps bytes by digest. It believes whoever commits: the library hashes.
#[async_trait]
pub trait ContentStore: Debug + Send + Sync {
    /// What is committed under `digest`, from now on known as used at this time.
    async fn open(&self, digest: Digest) -> io::Result<Option<Committed>>;

    /// What is committed under `digest`, for whoever looks after the store: this is no use of it.
    async fn inspect(&self, digest: Digest) -> io::Result<Option<Committed>>;

    /// What has this `version` under `digest` was hashed, and is what it should be. Returns the version that it has from now
    /// on: one that no stranger has written to.
    async fn confirm(&self, digest: Digest, version: Version) -> io::Result<Version>;

    /// All that is committed under digests whose first byte is `shard`, in no order.
    async fn list(&self, shard: u8) -> Inventory;

    /// Begins a new content, to be committed under `digest`. Invisible until then. `size` is how many bytes it will have, as
    /// far as is known: a store without room for them may say so at once.
    async fn begin(&self, digest: Digest, size: Option<u64>) -> io::Result<Box<dyn Draft>>;

    /// How many bytes it has room for, if it can tell.
    async fn free(&self) -> Option<u64> {
        None
    }

    /// Forgets what is committed under `digest`; readers that have it open go on.
    async fn remove(&self, digest: Digest) -> io::Result<()>;

    /// Remembers for good that `digest` is to stay, whether it is there yet or not; or that it need not stay any more.
    async fn set_retention(&self, digest: Digest, retention: Retention) -> io::Result<()>;
}

/// What is committed, as far as the store can tell.
#[derive(Debug, Default)]
pub struct Inventory {
    /// What it can tell of.
    pub items: Vec<Item>,
    /// What kept it from telling more; the first of it.
    pub error: Option<io::Error>,
}

/// Committed content, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Its digest.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
    /// When it was last used, to the minute; when it was committed if it never was.
    pub used: Timestamp,
    /// Whether it must stay.
    pub retention: Retention,
}

/// Whether content may be evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// It stays, however long it was not used: it was brought by somebody, and cannot be fetched again.
    Pinned,
    /// It can be fetched again.
    Free,
}

/// Committed content, as it was found.
#[derive(Debug, Clone)]
pub struct Committed {
    /// Its bytes.
    pub stored: Stored,
    /// Which bytes they are.
    pub version: Version,
}

/// Tells what was committed from what was put in its place or written over it since, as far as a store can tell without
/// reading it: what the medium loses by itself has the version that it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Which file or object it is.
    pub object: u64,
    /// How many bytes it has.
    pub size: u64,
    /// When it was written to last, if that was not by a store.
    pub foreign: Option<SystemTime>,
}

/// Content that can be read, proven or not.
#[derive(Debug, Clone)]
pub struct Stored {
    /// How many bytes it has.
    pub size: u64,
    /// Its bytes.
    pub bytes: Arc<dyn ReadAt>,
}

/// Bytes that can be read at any offset, also while more are appended.
#[async_trait]
pub trait ReadAt: Debug + Send + Sync {
    /// Up to `most` bytes from `offset` on, and at least one, if they can be had without waiting. If not, or if it cannot
    /// be told, whoever needs them waits for [`Self::read_at`].
    fn read_at_once(&self, _offset: u64, _most: usize) -> Option<Bytes> {
        None
    }

    /// A window of up to `most` bytes from `offset` on, if it is of a file, can be had without waiting, and is worth it.
    fn window(&self, _offset: u64, _most: u64) -> Option<Window> {
        None
    }

    /// Exactly `length` bytes from `offset` on.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if there are fewer.
    async fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes>;
}

/// Content in the making. Dropped before it is committed, it leaves nothing behind.
#[async_trait]
pub trait Draft: Debug + Send + Sync {
    /// Puts `pieces` behind what is there. When it returns, they can be read.
    async fn append(&mut self, pieces: Vec<Bytes>) -> io::Result<()>;

    /// A view of what was appended so far, good also after the commit.
    fn bytes(&self) -> Arc<dyn ReadAt>;

    /// Makes it durable, then visible. Returns the version that it has.
    async fn commit(self: Box<Self>) -> io::Result<Version>;
}
