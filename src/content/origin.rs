//! Where content comes from that is not here yet: the port that the gate fills with an upstream.

use std::fmt;
use std::io;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;

/// Delivers the bytes of one digest. Its bytes are not believed: they are hashed.
#[async_trait]
pub trait Origin: Send + Sync {
    /// The repository that it takes them from, as the log names it.
    fn name(&self) -> String;

    /// The bytes from offset `from` on.
    ///
    /// It must end in an error when nothing comes for too long, or too little: whoever reads has no deadline of its own.
    ///
    /// # Errors
    /// Whatever keeps the origin from answering; it reaches every reader, as a source of [`crate::content::FlightError`].
    /// So does what ends a body: of the kind [`io::ErrorKind::TimedOut`] where nothing came for too long, and
    /// [`io::ErrorKind::InvalidData`] where it is not what was announced.
    async fn fetch(&self, from: u64) -> io::Result<OriginBody>;

    /// Hears that what it delivered has another digest, or a length that it may not have: the next fetch had better be answered by
    /// somebody else.
    fn was_wrong(&self);
}

/// What an origin answers.
pub struct OriginBody {
    /// How many bytes the whole content has, not only from the offset on, if the origin said so.
    pub total: Option<u64>,
    /// The bytes. An error ends it for good: it is for the origin to take up what was cut.
    pub bytes: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
}

impl fmt::Debug for OriginBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OriginBody").field("total", &self.total).finish_non_exhaustive()
    }
}
