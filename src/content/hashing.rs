//! The hash of what arrives, a few steps behind it, so that neither the origin nor the disk waits for it.

use std::io;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use crate::oci::Hasher;

/// How many times what arrived together may wait to be hashed, before what comes next has to wait.
const WAITING: usize = 2;

/// A digest in the making, on a thread that serves no connection.
///
/// The thread is there as long as something waits, and no longer: there are fewer of them than there may be fetches, most
/// of which wait for their origin.
#[derive(Debug)]
pub(super) struct Hashing {
    waiting: mpsc::Sender<Vec<Bytes>>,
    work: JoinHandle<Work>,
}

#[derive(Debug)]
struct Work {
    hasher: Hasher,
    waiting: mpsc::Receiver<Vec<Bytes>>,
}

impl Hashing {
    /// Nothing has arrived.
    pub(super) fn new() -> Self {
        let (sender, waiting) = mpsc::channel(WAITING);
        let work = Work { hasher: Hasher::new(), waiting };
        Self { waiting: sender, work: spawn_blocking(|| work) }
    }

    /// Has `pieces` hashed after all that came before them. Returns before they are, unless too much waits.
    ///
    /// # Errors
    /// The program is shutting down.
    pub(super) async fn push(&mut self, pieces: Vec<Bytes>) -> io::Result<()> {
        let room = loop {
            tokio::select! {
                biased;
                room = self.waiting.reserve() => break room.map_err(io::Error::other)?,
                // It ran out of work just before more came.
                work = &mut self.work => self.work = go_on(work)?,
            }
        };
        room.send(pieces);
        // Where it is about to end, the next to come, or the end, has it go on.
        if self.work.is_finished() {
            self.work = go_on((&mut self.work).await)?;
        }
        Ok(())
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
        while let Ok(pieces) = self.waiting.try_recv() {
            for piece in &pieces {
                self.hasher.update(piece);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;

    #[tokio::test]
    async fn what_comes_in_many_pieces_has_the_digest_of_the_whole() {
        let content: Vec<u8> = (0..=250).cycle().take(100_003).collect();
        for length in [7, 999, 25_000, 200_000] {
            let mut hashing = Hashing::new();
            for together in content.chunks(length) {
                let pieces = together.chunks(length.div_ceil(3)).map(Bytes::copy_from_slice).collect();
                hashing.push(pieces).await.unwrap();
            }
            assert_eq!(hashing.finish().await.unwrap().finish(), Digest::of(&content));
        }
        assert_eq!(Hashing::new().finish().await.unwrap().finish(), Digest::of(&[]));
    }
}
