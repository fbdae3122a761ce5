//! The content that everybody reads: manifests out of memory, blobs out of the store or through one fetch.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use prometheus::Registry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::clock::Clock;
use crate::content::disk::Disk;
use crate::content::error::ContentError;
use crate::content::flight::{Flight, Progress};
use crate::content::flights::{Flights, Seat};
use crate::content::housekeeping::{Housekeeping, Kept, Pruned, Seen};
use crate::content::length::Length;
use crate::content::memory::Memory;
use crate::content::metrics::Metrics;
use crate::content::origin::Origin;
use crate::content::reader::Reader;
use crate::content::settings::{ByteSize, Settings};
use crate::content::shelf::{Pace, Shelf, failed, hash, read_all};
use crate::content::soundness::Soundness;
use crate::content::store::{Committed, ContentStore, Retention, Stored};
use crate::content::supply::Wanted;
use crate::content::usage::Usage;
use crate::limits;
use crate::oci::{Digest, Hasher};
use crate::remembered::RememberedBytes;

/// Bytes of manifests held in memory: some ten thousand of them, and far fewer if they are large.
const MANIFEST_MEMORY: u64 = 64 * 1024 * 1024;
// The largest manifest has room there.
const _: () = assert!(limits::MANIFEST_BYTES < MANIFEST_MEMORY / 8);

/// Content by digest. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Library {
    shelf: Arc<Shelf>,
    manifests: RememberedBytes,
    flights: Flights,
    tasks: TaskTracker,
    housekeeping: Housekeeping,
    scrub_rate: ByteSize,
}

impl Library {
    /// The content under `settings.path`. Fetches run on `tasks`, so that shutdown waits for them.
    ///
    /// # Errors
    /// [`ContentError::Folder`] if the folder cannot be used, [`ContentError::Metrics`] if `registry` has the metrics
    /// already.
    pub async fn open(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        tasks: TaskTracker,
        registry: &Registry,
    ) -> Result<Self, ContentError> {
        let path = settings.path.join("content");
        let disk = Disk::open(path.clone(), clock).await.map_err(|source| ContentError::Folder { path, source })?;
        Self::new(Arc::new(disk), settings, tasks, registry)
    }

    /// The content in `store`, within the bounds of `settings`.
    ///
    /// # Errors
    /// [`ContentError::Metrics`] if `registry` has the metrics already.
    pub fn new(
        store: Arc<dyn ContentStore>,
        settings: &Settings,
        tasks: TaskTracker,
        registry: &Registry,
    ) -> Result<Self, ContentError> {
        let manifests = RememberedBytes::new(MANIFEST_MEMORY);
        let metrics = Metrics::register(registry)?;
        let usage = Usage::new(settings.max_size.bytes(), metrics.bytes.clone());
        let flights = Flights::new(metrics.fetches.clone());
        let soundness = Soundness::new(metrics.unreadable.clone());
        let shelf = Arc::new(Shelf { store, metrics, usage, soundness, memory: Memory::new() });
        let housekeeping = Housekeeping { shelf: Arc::clone(&shelf), in_memory: manifests.clone() };
        Ok(Self { shelf, manifests, flights, tasks, housekeeping, scrub_rate: settings.scrub_rate })
    }

    /// Keeps the content within its bound, and looks for damage, until `stop`. One process that does so is enough.
    pub fn keep_house(&self, stop: &CancellationToken) {
        let (evicting, scrubbing) = (self.housekeeping.clone(), self.housekeeping.clone());
        let bound = stop.clone().run_until_cancelled_owned(async move { evicting.keep_within_bound().await });
        self.tasks.spawn(bound);
        let rate = self.scrub_rate;
        if rate.bytes() > 0 {
            self.tasks.spawn(stop.clone().run_until_cancelled_owned(async move { scrubbing.scrub(rate).await }));
        }
    }

    /// What is kept.
    ///
    /// # Errors
    /// [`ContentError::List`].
    pub async fn kept(&self) -> Result<Kept, ContentError> {
        self.housekeeping.kept().await
    }

    /// Whether `digest` may be evicted from now on. What is pinned stays, also over restarts; it may be pinned before it is
    /// there.
    ///
    /// # Errors
    /// [`ContentError::Store`].
    pub async fn set_retention(&self, digest: Digest, retention: Retention) -> Result<(), ContentError> {
        self.shelf.store.set_retention(digest, retention).await.map_err(|source| failed("pin", digest, source))
    }

    /// Evicts what was not used for longest, and is not pinned, until at most `most` bytes are kept, and says what went.
    pub async fn prune(&self, most: ByteSize) -> Pruned {
        self.housekeeping.prune(most).await
    }

    /// Hashes all that is kept, tells `seen` of each content, and removes what is damaged.
    ///
    /// # Errors
    /// [`ContentError::List`], once it has been through all that can be listed.
    pub async fn check(&self, seen: impl FnMut(&Seen)) -> Result<(), ContentError> {
        self.housekeeping.check(Pace::Full, 0, seen).await
    }

    /// The manifest `digest`, if it is kept. Hashed again whenever it is read from the store: one that is damaged is
    /// removed, counted, and absent; one that cannot be read is counted and absent.
    ///
    /// # Errors
    /// [`ContentError::Length`] if what is kept under the digest is larger than a manifest may be.
    pub async fn manifest(&self, digest: Digest) -> Result<Option<Bytes>, ContentError> {
        let mut found = self.manifests.get(digest);
        if found.is_none() {
            found = self.manifest_from_store(digest).await?;
        }
        self.shelf.metrics.manifest.count(found.is_some());
        Ok(found)
    }

    async fn manifest_from_store(&self, digest: Digest) -> Result<Option<Bytes>, ContentError> {
        let length = Length::AtMost(limits::MANIFEST_BYTES);
        let Some(Committed { stored, version }) = self.shelf.committed(digest, length).await? else { return Ok(None) };
        let Ok((bytes, found)) = read_and_hash(&stored).await else { return Ok(None) };
        if found != digest {
            self.shelf.discard_if_possible(digest, version, found).await;
            return Ok(None);
        }
        self.manifests.add(digest, bytes.clone());
        Ok(Some(bytes))
    }

    /// Keeps a manifest, in memory and durably. If the store fails, it is in memory nevertheless.
    ///
    /// # Errors
    /// [`ContentError::Mismatch`] if `bytes` do not hash to `digest`, [`ContentError::Length`] if they are more than a
    /// manifest may be: nothing is kept. [`ContentError::Store`] if the store fails.
    pub async fn keep_manifest(&self, digest: Digest, bytes: Bytes) -> Result<(), ContentError> {
        let size = bytes.len() as u64;
        if size > limits::MANIFEST_BYTES {
            return Err(ContentError::Length { digest, size });
        }
        let found = Digest::of(&bytes);
        if found != digest {
            return Err(ContentError::Mismatch { wanted: digest, found });
        }
        // A copy: the bytes may be a slice that keeps a whole receive buffer alive.
        self.manifests.add(digest, Bytes::copy_from_slice(&bytes));
        if self.shelf.committed(digest, Length::Exactly(size)).await?.is_none() {
            let stored = self.store(digest, bytes).await.inspect_err(|error| self.shelf.failed_to_keep(size, error));
            stored.map_err(|source| failed("write", digest, source))?;
        }
        Ok(())
    }

    async fn store(&self, digest: Digest, bytes: Bytes) -> io::Result<()> {
        let size = bytes.len() as u64;
        let mut draft = self.shelf.store.begin(digest, Some(size)).await?;
        draft.append(vec![bytes]).await?;
        draft.commit().await?;
        self.shelf.usage.grew(size);
        Ok(())
    }

    /// How many bytes are kept under `digest`, whatever they are.
    ///
    /// # Errors
    /// [`ContentError::Store`] if the store cannot say.
    pub async fn kept_size(&self, digest: Digest) -> Result<Option<u64>, ContentError> {
        let kept = self.shelf.store.inspect(digest).await.map_err(|source| failed("look at", digest, source))?;
        Ok(kept.map(|kept| kept.stored.size))
    }

    /// The content `digest`, if it is committed and can be read.
    ///
    /// # Errors
    /// [`ContentError::Length`] if the content has another length.
    pub async fn blob(&self, digest: Digest, length: impl Into<Length>) -> Result<Option<Reader>, ContentError> {
        let committed = self.look_up(digest, length.into()).await?;
        Ok(committed.map(|committed| Reader::committed(committed.stored)))
    }

    async fn look_up(&self, digest: Digest, length: Length) -> Result<Option<Committed>, ContentError> {
        let committed = self.shelf.committed(digest, length).await?;
        self.shelf.metrics.blob.count(committed.is_some());
        Ok(committed)
    }

    /// The content `digest`: committed, or fetched from `origin` by the one fetch that all share who ask meanwhile. The
    /// reader gets bytes as they arrive; the fetch goes on when it leaves. Where the store takes nothing, each reader
    /// fetches for itself, and nothing is kept. What was committed before this process began, or was written to since it
    /// was hashed, is hashed when it is read next, by the same rules.
    ///
    /// # Errors
    /// As [`Library::blob`]; [`ContentError::Busy`] if too many fetches are under way. What goes wrong with the fetch is
    /// told by the reader.
    pub async fn read_through(
        &self,
        digest: Digest,
        length: impl Into<Length>,
        origin: Arc<dyn Origin>,
    ) -> Result<Reader, ContentError> {
        let length = length.into();
        if let Some(progress) = self.flights.find((digest, length)) {
            self.shelf.metrics.blob.count(false);
            return Ok(Reader::arriving(progress));
        }
        let committed = self.look_up(digest, length).await?;
        match committed {
            Some(Committed { stored, version }) if self.shelf.soundness.is_sound(digest, version) => {
                Ok(Reader::committed(stored))
            }
            Some(_) | None => self.fetch(Wanted { digest, length, origin }).map(Reader::arriving),
        }
    }

    /// Joins the fetch of what is wanted, or starts it: from the store, if it is there.
    fn fetch(&self, wanted: Wanted) -> Result<watch::Receiver<Progress>, ContentError> {
        let (listing, progress, receiver) = match self.flights.join((wanted.digest, wanted.length))? {
            Seat::Taken(progress) => return Ok(progress),
            Seat::Free(listing, progress, receiver) => (listing, progress, receiver),
        };
        let span = tracing::info_span!("fetch", digest = %wanted.digest);
        let flight = Flight { shelf: Arc::clone(&self.shelf), wanted, progress, places: self.flights.places() };
        self.tasks.spawn(flight.run(listing).instrument(span));
        Ok(receiver)
    }
}

async fn read_and_hash(stored: &Stored) -> io::Result<(Bytes, Digest)> {
    let bytes = read_all(stored, limits::MANIFEST_BYTES).await?;
    let hasher = hash(Hasher::new(), vec![bytes.clone()]).await?;
    Ok((bytes, hasher.finish()))
}
