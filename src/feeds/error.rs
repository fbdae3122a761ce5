//! Why a feed cannot be used.

use std::io;
use std::path::PathBuf;

use crate::policy::FeedError;

/// Why a feed cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FeedsError {
    /// The file or folder cannot be read.
    #[error("cannot read the feed {}: deny_feed names a JSON file, or a folder of them, that this user can read", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A file is no list of records.
    #[error("the feed {} cannot be used", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: FeedError,
    },
    /// A folder that had files has none any more.
    #[error("the feed {} has no files any more", path.display())]
    Emptied {
        /// The folder.
        path: PathBuf,
    },
    /// The program is shutting down.
    #[error("the program is shutting down")]
    Stopped,
    /// Another part of the program has registered the same metrics.
    #[error("cannot register metrics")]
    Metrics(#[from] prometheus::Error),
}

impl FeedsError {
    /// Whether the configuration has to be changed, or what it names.
    pub const fn is_about_configuration(&self) -> bool {
        match self {
            Self::Read { .. } | Self::Malformed { .. } | Self::Emptied { .. } => true,
            Self::Stopped | Self::Metrics(_) => false,
        }
    }
}
