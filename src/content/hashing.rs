//! The hash of what arrives, a few steps behind it, so that neither the origin nor the disk waits for it.

use std::io;

use std::pin::pin;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use crate::content::memory::Room;
use crate::oci::Hasher;

/// How many times what arrived together may wait to be hashed, before what comes next has to wait: at full speed a time is some
/// MiB, so that the hash does not run out of work.
const WAITING: usize = 1;

/// A digest in the making, on a thread that serves no connection.
///
/// The thread is there as long as something waits, and no longer: there are fewer of them than there may be fetches, most
/// of which wait for their origin.
#[derive(Debug)]
pub(super) struct Hashing {
    waiting: mpsc::Sender<Batch>,
    work: JoinHandle<Work>,
}

#[derive(Debug)]
struct Work {
    hasher: Hasher,
    waiting: mpsc::Receiver<Batch>,
}

/// What arrived together, and the memory that it takes until it is hashed.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) pieces: Vec<Bytes>,
    pub(super) room: Room,
}

impl Hashing {
    /// Nothing has arrived.
    pub(super) fn new() -> Self {
        let (sender, waiting) = mpsc::channel(WAITING);
        let work = Work { hasher: Hasher::new(), waiting };
        Self { waiting: sender, work: spawn_blocking(|| work) }
    }

    /// Has `batch` hashed after all that came before them. Returns before they are, unless too much waits.
    ///
    /// # Errors
    /// The program is shutting down.
    pub(super) async fn push(&mut self, batch: Batch) -> io::Result<()> {
        let room = loop {
            tokio::select! {
                biased;
                room = self.waiting.reserve() => break room.map_err(io::Error::other)?,
                // It ran out of work just before more came.
                work = &mut self.work => self.work = go_on(work)?,
            }
        };
        room.send(batch);
        // Where it is about to end, the next to come, or the end, has it go on.
        if self.work.is_finished() {
            self.work = go_on((&mut self.work).await)?;
        }
        Ok(())
    }

    /// Waits for `other`, while what waits here is hashed: the room that `other` waits for may be that of what waits here.
    ///
    /// # Errors
    /// As [`Hashing::push`], and those of `other`.
    pub(super) async fn meanwhile<T>(&mut self, other: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let mut other = pin!(other);
        loop {
            let is_behind = self.waiting.capacity() < WAITING;
            tokio::select! {
                biased;
                outcome = &mut other => return outcome,
                work = &mut self.work, if is_behind => self.work = go_on(work)?,
            }
        }
    }

    /// The hasher once it has taken in everything.
    ///
    /// # Errors
    /// As [`Hashing::push`].
    pub(super) async fn finish(self) -> io::Result<Hasher> {
        let work = self.work.await.map_err(io::Error::other)?;
        if work.waiting.is_empty() {
            return Ok(work.hasher);
        }
        let work = go_on(Ok(work))?.await.map_err(io::Error::other)?;
        Ok(work.hasher)
    }
}

fn go_on(work: Result<Work, JoinError>) -> io::Result<JoinHandle<Work>> {
    let work = work.map_err(io::Error::other)?;
    Ok(spawn_blocking(|| work.work_off()))
}

impl Work {
    /// Hashes until nothing waits.
    fn work_off(mut self) -> Self {
        while let Ok(Batch { pieces, room }) = self.waiting.try_recv() {
            for piece in &pieces {
                self.hasher.update(piece);
            }
            drop((pieces, room));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::content::memory::Memory;
    use crate::oci::Digest;

    async fn batch(pieces: Vec<Bytes>) -> Batch {
        Batch { pieces, room: Memory::new().reserve(1).await.unwrap() }
    }

    #[tokio::test]
    async fn what_waits_to_be_hashed_does_not_keep_its_room_from_what_waits_for_that() {
        let memory = Memory::new();
        let room = memory.reserve(1 << 20).await.unwrap();
        let mut hashing = Hashing::new();
        while !hashing.work.is_finished() {
            tokio::task::yield_now().await;
        }
        // As if it had run out of work a moment before.
        hashing.waiting.send(Batch { pieces: vec![Bytes::from_static(b"x")], room }).await.unwrap();
        let all = hashing.meanwhile(memory.reserve(128 << 20));
        tokio::time::timeout(Duration::from_secs(30), all).await.expect("it is hashed").unwrap();
        assert_eq!(hashing.finish().await.unwrap().finish(), Digest::of(b"x"));
    }

    #[tokio::test]
    async fn what_comes_in_many_pieces_has_the_digest_of_the_whole() {
        let content: Vec<u8> = (0..=250).cycle().take(100_003).collect();
        for length in [7, 999, 25_000, 200_000] {
            let mut hashing = Hashing::new();
            for together in content.chunks(length) {
                let pieces = together.chunks(length.div_ceil(3)).map(Bytes::copy_from_slice).collect();
                hashing.push(batch(pieces).await).await.unwrap();
            }
            assert_eq!(hashing.finish().await.unwrap().finish(), Digest::of(&content));
        }
        assert_eq!(Hashing::new().finish().await.unwrap().finish(), Digest::of(&[]));
    }
}
