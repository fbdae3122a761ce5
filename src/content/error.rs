//! What can go wrong with content.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::oci::Digest;

/// Why content cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The folder of the content cannot be used; nothing can be stored.
    #[error("cannot use the folder {} for content: make it writable for this user, or set storage.path", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The store failed: full, not writable, broken.
    #[error("cannot {action} content {digest}")]
    Store {
        /// What was to be done.
        action: &'static str,
        /// With which content.
        digest: Digest,
        /// What the store says.
        source: io::Error,
    },
    /// The store cannot say all that it holds.
    #[error("cannot list all content whose digest begins with {shard:02x}")]
    List {
        /// The first byte of the digests.
        shard: u8,
        /// What the store says.
        source: io::Error,
    },
    /// So much went wrong in one pass over the store, which went on behind it.
    #[error("{count} failures, the first of which is")]
    Several {
        /// How many.
        count: u64,
        /// The first.
        source: Box<Self>,
    },
    /// The bytes to be kept have another digest. Nothing was kept.
    #[error("the bytes of {wanted} have the digest {found}")]
    Mismatch {
        /// The digest that they should have.
        wanted: Digest,
        /// The digest that they have.
        found: Digest,
    },
    /// The content has another length than it may have: whoever names it, lies.
    #[error("content {digest} has {size} bytes, which is not the length that it may have")]
    Length {
        /// The content.
        digest: Digest,
        /// How many bytes it has.
        size: u64,
    },
    /// More fetches at once than the bound; try again.
    #[error("{0} contents are being fetched already, try again")]
    Busy(usize),
    /// Another part of the program has registered the same metrics.
    #[error("cannot register metrics")]
    Metrics(#[from] prometheus::Error),
}

impl From<ContentError> for io::Error {
    /// [`io::ErrorKind::InvalidData`] where whoever names the content is wrong about it, and not where it cannot be read here.
    fn from(error: ContentError) -> Self {
        let kind = match &error {
            ContentError::Mismatch { .. } | ContentError::Length { .. } => io::ErrorKind::InvalidData,
            ContentError::Folder { .. }
            | ContentError::Store { .. }
            | ContentError::List { .. }
            | ContentError::Several { .. }
            | ContentError::Busy(_)
            | ContentError::Metrics(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// Why a fetch ended, for each of its readers: the error inside every [`io::Error`] of a [`crate::content::Reader`] that
/// follows a fetch. Its source is what the origin said, if it was the origin.
#[derive(Debug, Clone)]
pub struct FlightError(Arc<io::Error>);

impl FlightError {
    pub(crate) fn new(error: io::Error) -> Self {
        Self(Arc::new(error))
    }

    pub(crate) fn to_io(&self) -> io::Error {
        io::Error::new(self.0.kind(), self.clone())
    }

    /// What kind of error it is: [`io::ErrorKind::InvalidData`] for bytes that do not have the digest.
    pub fn kind(&self) -> io::ErrorKind {
        self.0.kind()
    }
}

impl fmt::Display for FlightError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for FlightError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_here_says_nothing_about_whoever_names_it() {
        let digest = Digest::of(b"");
        let kind = |error| io::Error::from(error).kind();
        assert_eq!(kind(ContentError::Length { digest, size: 1 }), io::ErrorKind::InvalidData);
        for source in [io::ErrorKind::InvalidData, io::ErrorKind::NotFound, io::ErrorKind::Other] {
            let failed = ContentError::Store { action: "read", digest, source: source.into() };
            assert_eq!(kind(failed), io::ErrorKind::Other);
        }
    }
}
