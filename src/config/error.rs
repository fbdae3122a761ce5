//! Why there is no configuration.

use std::io;
use std::path::PathBuf;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path:?}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file says something that cannot be.
    #[error("{origin}:{line}: {problem}")]
    Invalid {
        /// The file.
        origin: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong there, and what to write instead.
        problem: String,
    },
}
