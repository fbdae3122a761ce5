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
    Reading::of(path, now).map(|reading| reading.feed)
}

/// What came of reading a feed.
#[derive(Debug, Default)]
struct Reading {
    feed: Feed,
    /// The files that it is made of, in order.
    files: Vec<PathBuf>,
    /// Those that were left out.
    broken: Vec<(PathBuf, FeedsError)>,
}

impl Reading {
    fn of(path: &Path, now: Timestamp) -> Result<Self, FeedsError> {
        let failed = |source| FeedsError::Read { path: path.to_owned(), source };
        let mut reading = Self::default();
        if !fs::metadata(path).map_err(failed)?.is_dir() {
            read(&mut reading.feed, path, now)?;
            reading.files.push(path.to_owned());
            return Ok(reading);
        }
        for file in files(path).map_err(failed)? {
            match read(&mut reading.feed, &file, now) {
                Ok(()) => reading.files.push(file),
                Err(error) => {
                    reading.feed.warn(format!("{}, so it is left out", in_one_line(&error)));
                    reading.broken.push((file, error));
                }
            }
        }
        if reading.feed.packages() > 0 || reading.broken.is_empty() {
            return Ok(reading);
        }
        Err(reading.broken.swap_remove(0).1)
    }

    /// Unless it would lift denials by accident: a file of those read `before` is broken, or a folder that had files has
    /// none, like one whose file system was lost.
    fn in_place_of(mut self, before: &[PathBuf], path: &Path) -> Result<Self, FeedsError> {
        if let Some(lost) = self.broken.iter().position(|(file, _)| before.binary_search(file).is_ok()) {
            return Err(self.broken.swap_remove(lost).1);
        }
        if self.files.is_empty() && !before.is_empty() {
            return Err(FeedsError::Emptied { path: path.to_owned() });
        }
        Ok(self)
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
