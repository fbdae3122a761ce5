//! Feeds on disk: read at the start, and again when they change. It fetches nothing and judges nothing.

mod error;
mod fingerprint;
mod metrics;
mod watch;

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

pub use error::FeedsError;
pub use watch::Watch;

use crate::policy::{Feed, Policy};
use fingerprint::files;

/// Gives `policy` every feed that it names, read now, and says what was left out.
///
/// # Errors
/// [`FeedsError`] if one cannot be used.
pub fn give(policy: &Policy, now: Timestamp) -> Result<Vec<String>, FeedsError> {
    let mut warnings = Vec::new();
    for path in policy.feeds() {
        let feed = load(path, now)?;
        warnings.extend_from_slice(feed.warnings());
        policy.replace_feed(path, &Arc::new(feed));
    }
    Ok(warnings)
}

/// Reads a feed: one file, or every JSON file in a folder and in the folders in it. In a folder, a file that cannot be used
/// is left out and warned of; the rest counts.
///
/// # Errors
/// [`FeedsError`] if the path cannot be read, if its only file is malformed, or if every file is.
pub fn load(path: &Path, now: Timestamp) -> Result<Feed, FeedsError> {
    let failed = |source| FeedsError::Read { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(failed)?.is_dir() {
        let mut feed = Feed::default();
        read(&mut feed, path, now)?;
        return Ok(feed);
    }
    let (mut feed, mut broken) = (Feed::default(), None);
    for file in files(path).map_err(failed)? {
        if let Err(error) = read(&mut feed, &file, now) {
            feed.warn(format!("{}, so it is left out", in_one_line(&error)));
            broken = broken.or(Some(error));
        }
    }
    match broken {
        Some(error) if feed.packages() == 0 => Err(error),
        Some(_) | None => Ok(feed),
    }
}

fn read(feed: &mut Feed, path: &Path, now: Timestamp) -> Result<(), FeedsError> {
    let path = || PathBuf::from(path);
    let file = File::open(path()).map_err(|source| FeedsError::Read { path: path(), source })?;
    feed.read(BufReader::new(file), now).map_err(|source| FeedsError::Malformed { path: path(), source })
}

fn in_one_line(error: &FeedsError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
