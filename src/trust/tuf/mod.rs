//! The trusted root of one domain, out of a TUF repository (The Update Framework, specification 1.0).
//!
//! The Sigstore project's client walks the workflow: from the root metadata that trust begins with, over each newer root,
//! to timestamp, snapshot, targets and the file itself, with all signatures, versions, hashes and ends. Here is what
//! surrounds it: where bytes come from, how many are taken, what is remembered, and that one key is one signer.

mod fetch;
mod keys;
mod memory;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sigstore_tuf::metadata::Role;
use sigstore_tuf::transport::FetchFuture;
use sigstore_tuf::{Error, Repository, TrustedMetadataSet, Updater, UpdaterConfig};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

pub use fetch::{Fetch, FetchError, Folder};

use crate::trust::root_source::is_plain_path;
use memory::Memory;

/// Largest root metadata; that of the public instances has 7 KB.
const ROOT_BYTES: u64 = 128 * 1024;
/// Largest timestamp; real ones have 500 bytes.
const TIMESTAMP_BYTES: u64 = 16 * 1024;
/// Largest snapshot; real ones have 2 KB.
const SNAPSHOT_BYTES: u64 = 1024 * 1024;
/// Largest targets; real ones have 7 KB.
const TARGETS_BYTES: u64 = 1024 * 1024;
/// Largest trusted root; real ones have 10 KB.
const TARGET_BYTES: u64 = 1024 * 1024;
/// Most roots that are walked in one go: public instances change theirs a few times a year, and this program's own
/// beginning is newer than that.
const ROOTS: u32 = 128;
/// Most roles that are looked through for the trusted root, which is a target of the first one everywhere.
const ROLES: u32 = 8;
/// Longest that one look at a repository may take, whatever trickles in.
const LONGEST: Duration = Duration::from_mins(2);

/// The repository of one domain.
#[derive(Debug)]
pub(in crate::trust) struct Tuf {
    anchor: Vec<u8>,
    target: String,
    fetch: Arc<dyn Fetch>,
    cache: PathBuf,
}

/// A trusted root that its repository vouches for.
#[derive(Debug)]
pub(in crate::trust) struct Vouched {
    /// The trusted root.
    pub(in crate::trust) root: String,
    /// When the first piece of the metadata that vouches for it ends.
    pub(in crate::trust) expires: Timestamp,
    /// What to remember, once the root proves usable.
    memory: Memory,
}

/// Why a repository gave nothing that can be trusted.
#[derive(Debug, thiserror::Error)]
pub(in crate::trust) enum TufError {
    /// It could not be asked, or what it says does not hold.
    #[error("{}", Causes(.0))]
    Repository(#[from] Error),
    /// It took too long.
    #[error("it took longer than {LONGEST:?}")]
    Late,
    /// The trusted root is no text.
    #[error("the trusted root is no text")]
    NoText,
    /// What was remembered cannot be read or written.
    #[error("cannot read or write {}: {source}", path.display())]
    Cache { path: PathBuf, source: io::Error },
}

impl Tuf {
    /// The repository of the domain `name`, in which trust begins with the root metadata `anchor`. What it says is
    /// remembered in `folder`.
    ///
    /// # Errors
    /// In words, if `anchor` is no root metadata.
    pub(in crate::trust) fn new(
        name: &str,
        anchor: Vec<u8>,
        target: &str,
        fetch: Arc<dyn Fetch>,
        folder: &Path,
    ) -> Result<Self, String> {
        Self::check_anchor(&anchor)?;
        Ok(Self { anchor, target: target.to_owned(), fetch, cache: memory::file_of(folder, name) })
    }

    /// Whether trust can begin with `anchor`.
    ///
    /// # Errors
    /// In words, if it is no root metadata.
    pub(in crate::trust) fn check_anchor(anchor: &[u8]) -> Result<(), String> {
        keys::check_distinct(anchor)?;
        TrustedMetadataSet::from_root(anchor).map(drop).map_err(|error| Causes(&error).to_string())
    }

    /// The trusted root that was fetched last, proven again from the beginning of trust; none if there is none. Whether
    /// its metadata has ended since is not asked: without a network, it is the best there is.
    ///
    /// # Errors
    /// [`TufError`] if what was remembered cannot be read, or does not hold.
    pub(in crate::trust) async fn remembered(&self) -> Result<Option<Vouched>, TufError> {
        let memory = self.recall().await?;
        if memory.is_empty() {
            return Ok(None);
        }
        self.walk(Box::new(memory.clone()), memory, Timestamp::MIN).await.map(Some)
    }

    /// The trusted root of this moment.
    ///
    /// # Errors
    /// [`TufError`]: then what was known before is still the best there is.
    pub(in crate::trust) async fn fetch(&self, now: Timestamp) -> Result<Vouched, TufError> {
        // Without it nothing is known of the versions that were seen: who can break the file could roll back, but whoever
        // can do that need not.
        let memory = self.recall().await.unwrap_or_default();
        let remote = Box::new(Remote(Arc::clone(&self.fetch)));
        timeout(LONGEST, self.walk(remote, memory, now)).await.map_err(|_| TufError::Late)?
    }

    /// Remembers what vouches for a root, over restarts.
    ///
    /// # Errors
    /// [`TufError::Cache`]
    pub(in crate::trust) async fn remember(&self, vouched: &Vouched) -> Result<(), TufError> {
        let memory = vouched.memory.clone();
        self.off(move |path| memory.write(path)).await
    }

    async fn recall(&self) -> Result<Memory, TufError> {
        self.off(Memory::read).await
    }

    /// Works on the file of what is remembered, away from the threads that serve connections.
    async fn off<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, TufError> {
        let path = self.cache.clone();
        let done = spawn_blocking(move || work(&path)).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        done.map_err(|source| TufError::Cache { path: self.cache.clone(), source })
    }

    async fn walk(&self, repository: Box<dyn Repository>, memory: Memory, now: Timestamp) -> Result<Vouched, TufError> {
        let mut updater = Updater::new(repository, &self.anchor)?.with_config(bounds()).with_store(memory.clone());
        updater.refresh(now).await?;
        let root = updater.get_target(&self.target, now).await?;
        let root = String::from_utf8(root).map_err(|_| TufError::NoText)?;
        Ok(Vouched { root, expires: expires(updater.trusted()), memory })
    }
}

/// The end of the first piece to end.
fn expires(trusted: &TrustedMetadataSet) -> Timestamp {
    let lower = [
        trusted.timestamp().map(Role::expires),
        trusted.snapshot().map(Role::expires),
        trusted.targets_role("targets").map(Role::expires),
    ];
    lower.into_iter().flatten().fold(trusted.root().expires, Timestamp::min)
}

fn bounds() -> UpdaterConfig {
    let mut bounds = UpdaterConfig::default();
    bounds.root_max_length = ROOT_BYTES;
    bounds.timestamp_max_length = TIMESTAMP_BYTES;
    bounds.snapshot_max_length = SNAPSHOT_BYTES;
    bounds.targets_max_length = TARGETS_BYTES;
    bounds.target_max_length = TARGET_BYTES;
    bounds.max_root_rotations = ROOTS;
    bounds.max_delegations = ROLES;
    bounds
}

/// A place with files, as the client sees it.
struct Remote(Arc<dyn Fetch>);

impl Remote {
    async fn get(&self, path: String, most: u64) -> sigstore_tuf::Result<Option<Vec<u8>>> {
        // Names of roles and files are the repository's own choice: none leads out of it (GHSA-jqc5-w2xx-5vq4).
        if !is_plain_path(&path) {
            return Err(Error::transport(format!("{path:?} is no path of a file in a repository")));
        }
        let fetched = self.0.fetch(&path, most).await.map_err(|error| Error::transport(error.to_string()))?;
        let Some(bytes) = fetched else { return Ok(None) };
        // Whoever fetches stops there too; this is so whatever they do (GHSA-rvrx-rrwh-r9p6).
        if u64::try_from(bytes.len()).map_or(true, |length| length > most) {
            return Err(Error::transport(format!("{path} has more than {most} bytes")));
        }
        Ok(Some(bytes.into()))
    }
}

impl Repository for Remote {
    fn fetch_metadata<'a>(&'a self, name: &'a str, most: u64) -> FetchFuture<'a> {
        Box::pin(async move {
            let fetched = self.get(name.to_owned(), most).await?;
            if let Some(bytes) = &fetched {
                keys::check_distinct(bytes).map_err(|problem| Error::Malformed(format!("{name}: {problem}")))?;
            }
            Ok(fetched)
        })
    }

    fn fetch_target<'a>(&'a self, path: &'a str, most: u64) -> FetchFuture<'a> {
        Box::pin(self.get(format!("targets/{path}"), most))
    }
}

/// An error and what is behind it, in one line.
struct Causes<'a>(&'a Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = std::error::Error::source(self.0);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
