//! What can go wrong with facts.

use std::io;
use std::path::PathBuf;

/// Why facts cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// The folder or the file of the database cannot be used.
    #[error("cannot use {} for facts: make it writable for this user, or set storage.path", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The database cannot be opened.
    #[error("cannot open the database {}", path.display())]
    Open {
        /// Its file.
        path: PathBuf,
        /// What the database says.
        source: sqlx::Error,
    },
    /// The file is damaged, or no database at all.
    #[error(
        "the database {} is damaged: restore it from a backup, or delete it with its -wal and -shm files; proofs are \
         then collected again, and clients get blobs again once they have asked for the manifest",
        path.display()
    )]
    Damaged {
        /// Its file.
        path: PathBuf,
        /// What the database says.
        source: sqlx::Error,
    },
    /// The database was written by another version of this program.
    #[error("the database {} was written by another version: {source}", path.display())]
    Version {
        /// Its file.
        path: PathBuf,
        /// What does not fit.
        source: sqlx::migrate::MigrateError,
    },
    /// The database failed: full, not writable, busy, broken.
    #[error("cannot {action}")]
    Database {
        /// What was to be done.
        action: &'static str,
        /// What the database says.
        source: sqlx::Error,
    },
    /// What was read is not what this program writes.
    #[error("cannot {action}: the row says {text:?}")]
    Row {
        /// What was to be done.
        action: &'static str,
        /// What is there.
        text: String,
    },
    /// A proof could not be written as text or read back.
    #[error("cannot write a proof as text")]
    Encoding(#[from] serde_json::Error),
    /// The program is shutting down.
    #[error("the program is shutting down")]
    Stopped,
    /// Another part of the program has registered the same metrics.
    #[error("cannot register metrics")]
    Metrics(#[from] prometheus::Error),
}
