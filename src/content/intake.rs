//! What has arrived of a content: written as it arrives, and hashed behind it.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::content::hashing::{Batch, Hashing};
use crate::content::memory::{Memory, Room};
use crate::content::store::{Draft, ReadAt, Stored};
use crate::content::supply::Supply;
use crate::limits::RECEIVED_BYTES;
use crate::oci::Hasher;

/// How much is written together, if it is there: at full speed, threads wake each other a thousand times a GiB, and a
/// fetch holds no more than a few MiB of memory.
const TOGETHER: u32 = 512 * 1024;
/// Most that is received together: that, and one piece more.
const MOST: u32 = TOGETHER + RECEIVED_BYTES;

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

    /// Waits for room in `memory` for what comes next.
    ///
    /// # Errors
    /// As [`Hashing::push`].
    pub(super) async fn room(&mut self, memory: &Memory) -> io::Result<Room> {
        self.hashing.meanwhile(memory.reserve(MOST)).await
    }

    /// Has `batch`, which is written, hashed.
    ///
    /// # Errors
    /// As [`Hashing::push`].
    pub(super) async fn hash(&mut self, batch: Batch) -> io::Result<()> {
        self.hashing.push(batch).await
    }

    /// The draft, and the hasher once it has taken in all that is written.
    ///
    /// # Errors
    /// As [`Hashing::push`].
    pub(super) async fn finish(self) -> io::Result<(Box<dyn Draft>, Hasher)> {
        Ok((self.draft, self.hashing.finish().await?))
    }
}

/// The next bytes of `supply`, for which there is `room`; nothing at the end.
///
/// # Errors
/// As [`Supply::next`].
pub(super) async fn receive(supply: &mut Supply, mut room: Room) -> io::Result<Option<Batch>> {
    let mut first = supply.ready();
    if first.is_none() {
        // Whoever waits for an origin keeps no room from those whose bytes are there.
        room.fit(0);
        first = supply.next().await?;
    }
    let Some(first) = first else { return Ok(None) };
    let pieces = gather(first, supply);
    room.fit(pieces.iter().map(Bytes::len).sum());
    Ok(Some(Batch { pieces, room }))
}

/// `first`, and what else is there already, up to a bound: the first bytes pass at once, and many small ones are written
/// together.
fn gather(first: Bytes, supply: &mut Supply) -> Vec<Bytes> {
    let mut size = first.len();
    let mut pieces = vec![first];
    while size < TOGETHER as usize
        && let Some(piece) = supply.ready()
    {
        size += piece.len();
        pieces.push(piece);
    }
    pieces
}
