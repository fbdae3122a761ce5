//! What tells that a feed has changed, without reading it: the names, sizes and times of its files.

use std::fs::{self, Metadata};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Endings of the files in a folder that are read.
const ENDINGS: [&str; 3] = ["json", "jsonl", "ndjson"];
/// Most files of one feed: five times what is known to be malicious.
const FILES: usize = 1_000_000;
/// Deepest that folders are looked into; also what ends a loop of links.
const DEPTH: usize = 16;

/// The state of a feed on disk. A changed one has another, but for accidents with odds of 2^-64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Fingerprint(u64);

impl Fingerprint {
    /// The state of the file or folder now. What cannot be looked at is as if it were not there.
    pub(super) fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                let all = files(path).unwrap_or_default();
                let stamps = all.iter().filter_map(|file| Some(stamp(file, &fs::metadata(file).ok()?)));
                Self(stamps.fold(1, u64::wrapping_add))
            }
            Ok(metadata) => Self(stamp(path, &metadata)),
            Err(_) => Self::default(),
        }
    }
}

/// The change time cannot be set back, unlike the time of modification that archives restore.
fn stamp(path: &Path, of: &Metadata) -> u64 {
    let times = (of.mtime(), of.mtime_nsec(), of.ctime(), of.ctime_nsec());
    BuildHasherDefault::<DefaultHasher>::default().hash_one((path, of.ino(), of.len(), times))
}

/// The files of a folder that are read, at any depth but in hidden folders, which hold what links point to.
pub(super) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_owned(), DEPTH)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let (path, kind) = (entry.path(), entry.file_type()?);
            let is_folder = kind.is_dir() || (kind.is_symlink() && path.is_dir());
            match depth.checked_sub(1) {
                Some(depth) if is_folder => folders.push((path, depth)),
                Some(_) | None if is_folder => {}
                Some(_) | None if is_read(&path) => found.push(path),
                Some(_) | None => {}
            }
            if found.len() > FILES {
                return Err(io::Error::other(format!("more than {FILES} files")));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn is_read(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}
