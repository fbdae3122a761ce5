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
    let (first, most) = if let Some(first) = supply.ready() {
        (first, TOGETHER)
    } else {
        // Whoever waits for an origin keeps no room from those whose bytes are there.
        room.fit(0);
        let Some(first) = supply.next().await? else { return Ok(None) };
        // Where others have taken it meanwhile, no more than that one is received.
        (first, if room.fit(MOST as usize) { TOGETHER } else { 0 })
    };
    let pieces = gather(first, supply, most as usize);
    room.fit(pieces.iter().map(Bytes::len).sum());
    Ok(Some(Batch { pieces, room }))
}

/// `first`, and what else is there already, up to `most` bytes: the first bytes pass at once, and many small ones are written
/// together.
fn gather(first: Bytes, supply: &mut Supply, most: usize) -> Vec<Bytes> {
    let mut size = first.len();
    let mut pieces = vec![first];
    while size < most
        && let Some(piece) = supply.ready()
    {
        size += piece.len();
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::{FutureExt, StreamExt, stream};
    use tokio::sync::mpsc;

    use super::*;
    use crate::content::length::Length;
    use crate::content::origin::{Origin, OriginBody};
    use crate::content::supply::Wanted;
    use crate::oci::Digest;

    #[derive(Debug)]
    struct Nowhere;

    #[async_trait::async_trait]
    impl Origin for Nowhere {
        async fn fetch(&self, _: u64) -> io::Result<OriginBody> {
            Err(io::ErrorKind::NotFound.into())
        }

        fn name(&self) -> String {
            "nowhere".to_owned()
        }

        fn was_wrong(&self) {}
    }

    /// A body whose pieces are sent by hand.
    fn supply() -> (mpsc::Sender<Bytes>, Supply) {
        let (sender, mut pieces) = mpsc::channel(3);
        let bytes = stream::poll_fn(move |cx| pieces.poll_recv(cx).map(|piece| piece.map(Ok))).boxed();
        let wanted = Wanted { digest: Digest::of(b""), length: Length::AtMost(1 << 30), origin: Arc::new(Nowhere) };
        (sender, Supply::of_all(wanted, OriginBody { total: None, bytes }).unwrap())
    }

    #[tokio::test]
    async fn who_waited_receives_no_more_than_there_is_room_for_and_one_piece() {
        for (is_full, received) in [(false, 3), (true, 1)] {
            let (memory, (sender, mut supply)) = (Memory::new(), supply());
            let room = memory.reserve(MOST).await.unwrap();
            let mut receiving = pin!(receive(&mut supply, room));
            assert!(receiving.as_mut().now_or_never().is_none());
            // Others take all that whoever waits has given up.
            let mut others = Vec::new();
            while is_full && let Some(room) = memory.reserve(8 << 20).now_or_never() {
                others.push(room.unwrap());
            }
            for _ in 0..3 {
                sender.try_send(Bytes::from_static(b"piece")).unwrap();
            }
            let batch = receiving.await.unwrap().unwrap();
            assert_eq!(batch.pieces.len(), received, "full: {is_full}");
        }
    }
}
