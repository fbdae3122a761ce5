//! One fetch of one content, whoever asks for it: from the origin through the hash to the store, with readers behind.
//!
//! A fetch belongs to no client: it goes on when the one that started it leaves. Its readers follow a watermark, and
//! the last byte of each is withheld until the digest holds.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;

use crate::content::error::{ContentError, FlightError};
use crate::content::length::Length;
use crate::content::origin::{Origin, OriginBody};
use crate::content::shelf::{CHUNK, Shelf, hash};
use crate::content::store::{Draft, ReadAt, Stored};
use crate::oci::{Digest, Hasher};

/// How often one content is asked for again after its body was cut. Large layers over bad lines are cut a few times; an
/// origin that cuts every body must not keep a fetch alive forever.
const RESUMES: u32 = 8;

/// How far a fetch has come.
#[derive(Debug, Clone)]
pub(super) enum Progress {
    /// The origin has not answered yet.
    Asking,
    /// Bytes arrive. None of them is proven.
    Growing {
        /// What has arrived.
        bytes: Arc<dyn ReadAt>,
        /// How much will have arrived in the end, as far as is known.
        total: Option<u64>,
        /// How much has arrived.
        written: u64,
    },
    /// All bytes have arrived, hash to the digest, and are committed.
    Proven(Stored),
    /// It ended otherwise.
    Failed(FlightError),
}

/// Why a body is not what it should be.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the bytes that arrived for {wanted} have the digest {found}")]
    Mismatch { wanted: Digest, found: Digest },
    #[error("the origin announces {total} bytes for {digest}, which is not the length that it may have")]
    Announced { digest: Digest, total: u64 },
    #[error("more than {most} bytes arrived for {digest}")]
    TooLong { digest: Digest, most: u64 },
    #[error("the origin now announces another length for {digest} than before")]
    Changed { digest: Digest },
    #[error("the body of {digest} ended after {written} of {total} bytes")]
    Short { digest: Digest, written: u64, total: u64 },
}

impl From<Broken> for io::Error {
    fn from(broken: Broken) -> Self {
        let kind = match broken {
            Broken::Short { .. } => io::ErrorKind::UnexpectedEof,
            Broken::Mismatch { .. } | Broken::Announced { .. } | Broken::TooLong { .. } | Broken::Changed { .. } => {
                io::ErrorKind::InvalidData
            }
        };
        Self::new(kind, broken)
    }
}

/// What a fetch needs.
pub(super) struct Flight {
    pub(super) shelf: Arc<Shelf>,
    pub(super) digest: Digest,
    pub(super) length: Length,
    pub(super) origin: Arc<dyn Origin>,
    pub(super) progress: watch::Sender<Progress>,
}

/// What has arrived.
struct Intake {
    draft: Box<dyn Draft>,
    hasher: Hasher,
    written: u64,
    total: Option<u64>,
}

/// What the origin had ready.
struct Gathered {
    pieces: Vec<Bytes>,
    end: Option<io::Result<()>>,
}

impl Flight {
    /// Fetches, proves and commits. The caller publishes the outcome.
    pub(super) async fn run(&self) -> io::Result<Stored> {
        if let Some(stored) = self.committed_meanwhile().await? {
            return Ok(stored);
        }
        let body = self.origin.fetch(0).await?;
        let total = self.length_of(&body)?;
        let draft = self.shelf.store.begin(self.digest).await?;
        let mut intake = Intake { draft, hasher: Hasher::new(), written: 0, total };
        self.publish(&intake);
        self.fill(&mut intake, body).await?;
        self.prove(intake).await
    }

    /// A fetch may have committed between the moment its starter looked and the moment it asked for a fetch.
    async fn committed_meanwhile(&self) -> io::Result<Option<Stored>> {
        self.shelf.committed(self.digest, self.length).await.map_err(|error| {
            if let ContentError::Store { source, .. } = error {
                source
            } else {
                io::Error::new(io::ErrorKind::InvalidData, error)
            }
        })
    }

    /// How long the content will be, if anybody said so; refused before a byte of it is read if it may not be so long.
    fn length_of(&self, body: &OriginBody) -> io::Result<Option<u64>> {
        match body.total {
            Some(total) if !self.length.admits(total) => Err(Broken::Announced { digest: self.digest, total }.into()),
            Some(total) => Ok(Some(total)),
            None => Ok(self.length.known()),
        }
    }

    async fn fill(&self, intake: &mut Intake, mut body: OriginBody) -> io::Result<()> {
        let mut resumes = RESUMES;
        loop {
            let Gathered { pieces, end } = gather(&mut body).await;
            self.take(intake, pieces).await?;
            let cut = match end {
                None => continue,
                Some(Ok(())) => match intake.missing(self.digest) {
                    None => return Ok(()),
                    Some(short) => short.into(),
                },
                Some(Err(error)) => error,
            };
            resumes = resumes.checked_sub(1).ok_or(cut)?;
            body = self.resume(intake).await?;
        }
    }

    /// Writes and hashes `pieces` side by side, then lets the readers see them.
    async fn take(&self, intake: &mut Intake, pieces: Vec<Bytes>) -> io::Result<()> {
        let more: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        if more == 0 {
            return Ok(());
        }
        let most = intake.total.unwrap_or(self.length.most());
        if intake.written.saturating_add(more) > most {
            return Err(Broken::TooLong { digest: self.digest, most }.into());
        }
        let hashing = hash(intake.hasher.clone(), pieces.clone());
        let (appended, hasher) = tokio::join!(intake.draft.append(pieces), hashing);
        appended?;
        intake.hasher = hasher?;
        intake.written += more;
        self.publish(intake);
        Ok(())
    }

    async fn resume(&self, intake: &Intake) -> io::Result<OriginBody> {
        tracing::debug!(digest = %self.digest, from = intake.written, "the body was cut, asking for the rest");
        let body = self.origin.fetch(intake.written).await?;
        match (body.total, intake.total) {
            (Some(now), Some(before)) if now != before => Err(Broken::Changed { digest: self.digest }.into()),
            _ => Ok(body),
        }
    }

    fn publish(&self, intake: &Intake) {
        let Intake { draft, written, total, .. } = intake;
        self.progress.send_replace(Progress::Growing { bytes: draft.bytes(), total: *total, written: *written });
    }

    async fn prove(&self, intake: Intake) -> io::Result<Stored> {
        let Intake { draft, hasher, written, .. } = intake;
        let found = hasher.finish();
        if found != self.digest {
            self.shelf.metrics.mismatches.inc();
            tracing::warn!(digest = %self.digest, %found, "the origin sent other bytes than asked for");
            return Err(Broken::Mismatch { wanted: self.digest, found }.into());
        }
        let bytes = draft.bytes();
        draft.commit().await?;
        self.shelf.usage.grew(written);
        Ok(Stored { size: written, bytes })
    }
}

impl Intake {
    /// What is still to come of a body whose length is known.
    fn missing(&self, digest: Digest) -> Option<Broken> {
        let total = self.total.filter(|total| *total > self.written)?;
        Some(Broken::Short { digest, written: self.written, total })
    }
}

/// The next bytes, and what else is there already, up to a chunk: the first bytes pass at once, and many small ones
/// are written together.
async fn gather(body: &mut OriginBody) -> Gathered {
    let mut pieces = Vec::new();
    let mut size = 0;
    let mut next = body.bytes.next().await;
    loop {
        match next {
            Some(Ok(piece)) => {
                size += piece.len();
                pieces.push(piece);
            }
            Some(Err(error)) => return Gathered { pieces, end: Some(Err(error)) },
            None => return Gathered { pieces, end: Some(Ok(())) },
        }
        if size >= CHUNK {
            return Gathered { pieces, end: None };
        }
        match body.bytes.next().now_or_never() {
            Some(ready) => next = ready,
            None => return Gathered { pieces, end: None },
        }
    }
}
