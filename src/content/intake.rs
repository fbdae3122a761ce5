//! What has arrived of a content: written as it arrives, and hashed behind it.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::content::hashing::Hashing;
use crate::content::store::{Draft, ReadAt, Stored};
use crate::content::supply::Supply;
use crate::oci::Hasher;

/// How much is written together, if it is there: at full speed, threads wake each other a thousand times a GiB, and a
/// fetch holds no more than a few MiB of memory.
const TOGETHER: usize = 512 * 1024;

/// A content on its way into the store.
#[derive(Debug)]
pub(super) struct Intake {
    draft: Box<dyn Draft>,
    bytes: Arc<dyn ReadAt>,
    hashing: Hashing,
    written: u64,
}

impl Intake {
    /// Nothing has arrived for `draft`.
    pub(super) fn new(draft: Box<dyn Draft>) -> Self {
        Self { bytes: draft.bytes(), draft, hashing: Hashing::new(), written: 0 }
    }

    /// What is written, proven or not.
    pub(super) fn stored(&self) -> Stored {
        Stored { size: self.written, bytes: Arc::clone(&self.bytes) }
    }

    /// Puts `pieces` behind what is written.
    ///
    /// # Errors
    /// What the store says.
    pub(super) async fn write(&mut self, pieces: &[Bytes]) -> io::Result<()> {
        self.draft.append(pieces.to_vec()).await?;
        self.written += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        Ok(())
    }

    /// Has `pieces`, which are written, hashed.
    ///
    /// # Errors
    /// As [`Hashing::push`].
    pub(super) async fn hash(&mut self, pieces: Vec<Bytes>) -> io::Result<()> {
        self.hashing.push(pieces).await
    }

    /// The draft, and the hasher once it has taken in all that is written.
    ///
    /// # Errors
    /// As [`Hashing::push`].
    pub(super) async fn finish(self) -> io::Result<(Box<dyn Draft>, Hasher)> {
        Ok((self.draft, self.hashing.finish().await?))
    }
}

/// `first`, and what else is there already, up to a bound: the first bytes pass at once, and many small ones are written
/// together.
pub(super) fn gather(first: Bytes, supply: &mut Supply) -> Vec<Bytes> {
    let mut size = first.len();
    let mut pieces = vec![first];
    while size < TOGETHER
        && let Some(piece) = supply.ready()
    {
        size += piece.len();
        pieces.push(piece);
    }
    pieces
}
