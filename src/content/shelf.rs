//! What is committed, and whether it is still what it was when it was put there.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::content::error::ContentError;
use crate::content::length::Length;
use crate::content::memory::Memory;
use crate::content::metrics::Metrics;
use crate::content::settings::ByteSize;
use crate::content::soundness::Soundness;
use crate::content::store::{Committed, ContentStore, Draft, ReadAt, Stored, Version};
use crate::content::usage::Usage;
use crate::content::watched::watched;
use crate::oci::{Digest, Hasher};
use crate::shortage::is_out_of_files;

/// How much is read or written at once: large enough that a system call is cheap beside the copy, small enough that a
/// slow reader holds little memory.
pub(super) const CHUNK: usize = 256 * 1024;

/// The store, and the doubts about it.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) store: Arc<dyn ContentStore>,
    pub(super) metrics: Metrics,
    pub(super) usage: Usage,
    pub(super) soundness: Soundness,
    /// For what is being fetched.
    pub(super) memory: Memory,
}

/// How fast content is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pace {
    /// As fast as it goes.
    Full,
    /// So many bytes a second at most.
    Slow {
        /// How many.
        bytes_per_second: u64,
    },
}

impl Pace {
    /// At most `rate` a second.
    pub(super) const fn of(rate: ByteSize) -> Self {
        Self::Slow { bytes_per_second: rate.bytes() }
    }

    /// The pause that `bytes` ask for.
    #[expect(clippy::cast_precision_loss, reason = "a pause needs no precision")]
    fn pause(self, bytes: usize) -> Duration {
        match self {
            Self::Full => Duration::ZERO,
            Self::Slow { bytes_per_second } => Duration::from_secs_f64(bytes as f64 / bytes_per_second.max(1) as f64),
        }
    }
}

impl Shelf {
    /// What is committed under `digest`, can be read as far as is known, and has a length that it may have. What cannot be
    /// read counts as absent: it is fetched again, and put in the place of what is there.
    ///
    /// Where the length is wrong, either the disk has lost bytes or whoever names the content lies about its length, so
    /// it is hashed again, unless that was done: damaged content is removed and counts as absent, and a liar removes nothing.
    ///
    /// # Errors
    /// [`ContentError::Length`]: the content is whole, and has another length. [`ContentError::Store`]: this host has no file left to
    /// open it with. That says nothing of what is there, and nobody could be asked for it either.
    pub(super) async fn committed(&self, digest: Digest, length: Length) -> Result<Option<Committed>, ContentError> {
        let opened = match self.store.open(digest).await {
            Err(error) if is_out_of_files(&error) => return Err(failed("open", digest, error)),
            opened => self.or_absent(digest, opened).flatten(),
        };
        let Some(committed) = opened else { return Ok(None) };
        let Committed { stored, version } = watched(committed, digest, &self.soundness);
        if self.soundness.is_unfit(digest, version) {
            return Ok(None);
        }
        if length.admits(stored.size) && (stored.size > 0 || Digest::of(&[]) == digest) {
            return Ok(Some(Committed { stored, version }));
        }
        let another_length = ContentError::Length { digest, size: stored.size };
        if self.soundness.is_sound(digest, version) {
            return Err(another_length);
        }
        match digest_of(&stored, Pace::Full).await {
            Ok(found) if found == digest => {
                self.found_sound(digest, version).await;
                Err(another_length)
            }
            Ok(found) => {
                self.discard_if_possible(digest, version, found).await;
                Ok(None)
            }
            Err(_) => Ok(None),
        }
    }

    /// What was opened under `digest`; nothing, said and counted, if that failed.
    fn or_absent<T>(&self, digest: Digest, opened: io::Result<T>) -> Option<T> {
        opened.inspect_err(|error| self.soundness.cannot_be_read(digest, error)).ok()
    }

    /// The `version` under `digest` was hashed, and is what it should be.
    pub(super) async fn found_sound(&self, digest: Digest, version: Version) {
        let confirmed = self.store.confirm(digest, version).await;
        let version = confirmed.unwrap_or_else(|error| {
            tracing::debug!(%digest, %error, "content that is whole stays as somebody else left it");
            version
        });
        self.soundness.found_sound(digest, version);
    }

    /// Begins to keep a content of `size` bytes, as far as is known.
    ///
    /// # Errors
    /// What the store says; [`io::ErrorKind::FileTooLarge`] for what is larger than all that may be kept, and would be evicted as
    /// soon as it is there, with all else.
    pub(super) async fn begin(&self, digest: Digest, size: Option<u64>) -> io::Result<Box<dyn Draft>> {
        if size.is_some_and(|size| size > self.usage.most()) {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than all that may be kept"));
        }
        self.store.begin(digest, size).await
    }

    /// The store could not keep something of `size` bytes. Where it says that the disk is full, room is made for what comes next.
    pub(super) fn failed_to_keep(&self, size: u64, error: &io::Error) {
        self.metrics.unkept.inc();
        if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            self.usage.no_room_for(size);
        }
    }

    /// Removes damaged content; if that fails, it is nevertheless not served.
    pub(super) async fn discard_if_possible(&self, digest: Digest, version: Version, found: Digest) {
        if let Err(error) = self.discard(digest, version, found).await {
            tracing::warn!(%digest, %error, "damaged content stays where it is");
        }
    }

    /// Removes the `version` under `digest`, whose bytes turned out to have the digest `found`. If that fails, it counts as
    /// absent from now on.
    pub(super) async fn discard(&self, digest: Digest, version: Version, found: Digest) -> io::Result<()> {
        self.metrics.mismatches.inc();
        tracing::warn!(%digest, %found, "stored content is damaged, removing it");
        let removed = self.store.remove(digest).await;
        match removed {
            Ok(()) => self.soundness.forget(digest),
            Err(_) => self.soundness.found_damaged(digest, version),
        }
        removed
    }
}

pub(super) fn failed(action: &'static str, digest: Digest, source: io::Error) -> ContentError {
    ContentError::Store { action, digest, source }
}

/// The digest of what is stored, read at `pace`.
pub(super) async fn digest_of(stored: &Stored, pace: Pace) -> io::Result<Digest> {
    let mut hasher = Hasher::new();
    let mut offset = 0;
    while offset < stored.size {
        let bytes = stored.bytes.read_at(offset, chunk(stored.size - offset)).await?;
        let pause = pace.pause(bytes.len());
        offset += bytes.len() as u64;
        hasher = hash(hasher, vec![bytes]).await?;
        sleep(pause).await;
    }
    Ok(hasher.finish())
}

/// How much of `left` bytes to read at once.
pub(super) fn chunk(left: u64) -> usize {
    usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK))
}

/// All bytes of `stored`, at most `most` of them: for what is small enough to hold.
pub(super) async fn read_all(stored: &Stored, most: u64) -> io::Result<Bytes> {
    let length = usize::try_from(stored.size.min(most)).map_err(io::Error::other)?;
    let bytes: &dyn ReadAt = &*stored.bytes;
    bytes.read_at(0, length).await
}

/// Takes in `pieces` where it keeps no connection waiting.
pub(super) async fn hash(mut hasher: Hasher, pieces: Vec<Bytes>) -> io::Result<Hasher> {
    let work = move || {
        for piece in &pieces {
            hasher.update(piece);
        }
        hasher
    };
    spawn_blocking(work).await.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use async_trait::async_trait;

    use super::*;

    #[derive(Debug)]
    struct Zeros;

    #[async_trait]
    impl ReadAt for Zeros {
        async fn read_at(&self, _: u64, length: usize) -> io::Result<Bytes> {
            Ok(vec![0; length].into())
        }
    }

    /// How long it takes to read ten chunks at `pace`.
    async fn time_at(pace: Pace) -> Duration {
        let (size, begun) = (10 * CHUNK, Instant::now());
        let found = digest_of(&Stored { size: size as u64, bytes: Arc::new(Zeros) }, pace).await;
        assert_eq!(found.unwrap(), Digest::of(&vec![0; size]));
        begun.elapsed()
    }

    #[tokio::test]
    async fn content_is_read_no_faster_than_it_may_be() {
        // A quarter of a second; how much longer it takes is up to the machine.
        let rate = ByteSize::new(40 * CHUNK as u64);
        let time = time_at(Pace::of(rate)).await;
        assert!(time >= Duration::from_millis(250), "{time:?}");
    }
}
