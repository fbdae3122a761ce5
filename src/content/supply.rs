//! The bytes of one content from its origin, and never more than there may be.
//!
//! What comes out is not proven: whoever takes it hashes it.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{BoxStream, Fuse};
use futures_util::{FutureExt, StreamExt};

use crate::content::length::Length;
use crate::content::origin::{Origin, OriginBody};
use crate::oci::Digest;

/// What is to be fetched.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) digest: Digest,
    pub(super) length: Length,
    pub(super) origin: Arc<dyn Origin>,
}

/// Why bytes are not what they should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the bytes that arrived for {wanted} have the digest {found}")]
    Mismatch { wanted: Digest, found: Digest },
    #[error("the origin announces {total} bytes for {digest}, which is not the length that it may have")]
    Announced { digest: Digest, total: u64 },
    #[error("more than {most} bytes arrived for {digest}")]
    TooLong { digest: Digest, most: u64 },
    #[error("the origin now announces another length for {digest} than before")]
    Changed { digest: Digest },
    #[error("the body of {digest} ended after {at} of {total} bytes")]
    Short { digest: Digest, at: u64, total: u64 },
    #[error("what was kept of {digest} is damaged: its bytes have the digest {found}")]
    Damaged { digest: Digest, found: Digest },
    #[error("what has arrived of {digest} cannot be read again")]
    Lost { digest: Digest, source: io::Error },
    #[error("{digest} cannot be kept, nor pass by without its length, which nobody says")]
    Unkept { digest: Digest, source: io::Error },
}

impl From<Broken> for io::Error {
    fn from(broken: Broken) -> Self {
        let kind = match &broken {
            // None of them says anything about the origin.
            Broken::Unkept { .. } | Broken::Damaged { .. } | Broken::Lost { .. } => io::ErrorKind::Other,
            Broken::Short { .. } => io::ErrorKind::UnexpectedEof,
            Broken::Mismatch { .. } | Broken::Announced { .. } | Broken::TooLong { .. } | Broken::Changed { .. } => {
                io::ErrorKind::InvalidData
            }
        };
        Self::new(kind, broken)
    }
}

/// A body on its way.
pub(super) struct Supply {
    wanted: Wanted,
    bytes: Fuse<BoxStream<'static, io::Result<Bytes>>>,
    /// How many bytes there are in all, if anybody said so.
    total: Option<u64>,
    /// The offset of the next byte.
    at: u64,
    /// What comes before the rest of the body: looked at already, and not taken.
    waiting: VecDeque<io::Result<Bytes>>,
}

impl Supply {
    /// All of it, which is `body`.
    ///
    /// # Errors
    /// [`Broken::Announced`] before a byte is read if it may not be so long.
    pub(super) fn of_all(wanted: Wanted, body: OriginBody) -> io::Result<Self> {
        let total = wanted.length_of(&body)?;
        Ok(Self::of(wanted, body, total, 0))
    }

    /// Asks the origin for what follows the first `at` bytes of a content of `total` bytes.
    ///
    /// # Errors
    /// What the origin says; [`Broken::Changed`] if it is of another length now.
    pub(super) async fn open_at(wanted: Wanted, at: u64, total: u64) -> io::Result<Self> {
        let body = wanted.origin.fetch(at).await?;
        wanted.check_unchanged(&body, total)?;
        Ok(Self::of(wanted, body, Some(total), at))
    }

    fn of(wanted: Wanted, body: OriginBody, total: Option<u64>, at: u64) -> Self {
        let (bytes, waiting) = (body.bytes.fuse(), VecDeque::new());
        Self { wanted, bytes, total, at, waiting }
    }

    /// How many bytes there are in all, if anybody said so.
    pub(super) const fn total(&self) -> Option<u64> {
        self.total
    }

    /// The next bytes, never none of them; nothing at the end.
    ///
    /// # Errors
    /// What ended it for good: [`Broken`], or what the origin said.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let next = match self.waiting.pop_front() {
                Some(next) => Some(next),
                None => self.bytes.next().await,
            };
            match next {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(piece)) => return self.take(piece).map(Some),
                // All bytes are there, however the body ends: the digest tells whether they are the right ones.
                Some(Err(_)) if self.total == Some(self.at) => return Ok(None),
                Some(Err(error)) => return Err(error),
                None => return self.missing().map_or(Ok(None), |short| Err(short.into())),
            }
        }
    }

    /// The next bytes if they are there already.
    pub(super) fn ready(&mut self) -> Option<Bytes> {
        if !self.waiting.is_empty() {
            return None;
        }
        match self.bytes.next().now_or_never()?? {
            Ok(piece) if self.fits(&piece) && !piece.is_empty() => self.take(piece).ok(),
            other => {
                self.waiting.push_back(other);
                None
            }
        }
    }

    /// Takes back the last `pieces`, for whoever goes on with this.
    pub(super) fn give_back(&mut self, pieces: Vec<Bytes>) {
        for piece in pieces.into_iter().rev() {
            self.at = self.at.saturating_sub(piece.len() as u64);
            self.waiting.push_front(Ok(piece));
        }
    }

    fn take(&mut self, piece: Bytes) -> io::Result<Bytes> {
        if !self.fits(&piece) {
            return Err(self.wanted.wrong(Broken::TooLong { digest: self.wanted.digest, most: self.most() }));
        }
        self.at += piece.len() as u64;
        Ok(piece)
    }

    fn fits(&self, piece: &Bytes) -> bool {
        self.at.saturating_add(piece.len() as u64) <= self.most()
    }

    fn most(&self) -> u64 {
        self.total.unwrap_or_else(|| self.wanted.length.most())
    }

    /// What is still to come of a body whose length is known.
    fn missing(&self) -> Option<Broken> {
        let total = self.total.filter(|total| *total > self.at)?;
        Some(Broken::Short { digest: self.wanted.digest, at: self.at, total })
    }
}

impl Wanted {
    /// How long the content will be, if anybody said so; refused before a byte of it is read if it may not be so long.
    fn length_of(&self, body: &OriginBody) -> io::Result<Option<u64>> {
        match body.total {
            Some(total) if !self.length.admits(total) => {
                Err(self.wrong(Broken::Announced { digest: self.digest, total }))
            }
            Some(total) => Ok(Some(total)),
            None => Ok(self.length.known()),
        }
    }

    fn check_unchanged(&self, body: &OriginBody, before: u64) -> io::Result<()> {
        match body.total {
            Some(now) if now != before => Err(Broken::Changed { digest: self.digest }.into()),
            Some(_) | None => Ok(()),
        }
    }

    /// Fails unless what arrived has the digest `found`.
    pub(super) fn check(&self, found: Digest) -> io::Result<()> {
        if found == self.digest {
            return Ok(());
        }
        Err(self.wrong(Broken::Mismatch { wanted: self.digest, found }))
    }

    /// What is `broken` is of the origin's making, and it is told so.
    fn wrong(&self, broken: Broken) -> io::Error {
        self.origin.was_wrong();
        broken.into()
    }
}

impl fmt::Debug for Supply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supply").field("digest", &self.wanted.digest).field("at", &self.at).finish_non_exhaustive()
    }
}
