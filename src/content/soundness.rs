//! What is known of the state of committed content: bytes rot, and the disk does not say so. What is known is known of a
//! version: what was written to since is as unknown as what was never looked at.

use std::io;

use moka::sync::Cache;
use prometheus::IntCounter;

use crate::content::store::Version;
use crate::oci::Digest;

/// Most contents of which it is remembered, a hundred and fifty bytes each; what is forgotten is hashed again when it is read.
const REMEMBERED: u64 = 100_000;

/// Which contents were hashed, or could not be read, since this process began. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(super) struct Soundness {
    found: Cache<Digest, (Version, State)>,
    unreadable: IntCounter,
}

/// How a content was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Sound,
    /// It cannot be read, or is damaged and cannot be removed.
    Unfit,
}

impl Soundness {
    /// Nothing is known yet. What cannot be read is counted by `unreadable`.
    pub(super) fn new(unreadable: IntCounter) -> Self {
        Self { found: Cache::new(REMEMBERED), unreadable }
    }

    /// The `version` under `digest` was hashed, and is what it should be.
    pub(super) fn found_sound(&self, digest: Digest, version: Version) {
        self.found.insert(digest, (version, State::Sound));
    }

    /// The `version` under `digest` could not be read to its end.
    pub(super) fn found_unreadable(&self, digest: Digest, version: Version, error: &io::Error) {
        self.found.insert(digest, (version, State::Unfit));
        self.cannot_be_read(digest, error);
    }

    /// The `version` under `digest` is not what it should be, and could not be removed.
    pub(super) fn found_damaged(&self, digest: Digest, version: Version) {
        self.found.insert(digest, (version, State::Unfit));
    }

    /// What is committed under `digest` could not even be opened.
    pub(super) fn cannot_be_read(&self, digest: Digest, error: &io::Error) {
        self.unreadable.inc();
        tracing::warn!(%digest, %error, "stored content cannot be read, it is fetched again when it is asked for");
    }

    /// What is committed under `digest` is there no more.
    pub(super) fn forget(&self, digest: Digest) {
        self.found.invalidate(&digest);
    }

    pub(super) fn is_sound(&self, digest: Digest, version: Version) -> bool {
        self.found.get(&digest) == Some((version, State::Sound))
    }

    /// Whether the `version` under `digest` is known not to be good for anything.
    pub(super) fn is_unfit(&self, digest: Digest, version: Version) -> bool {
        self.found.get(&digest) == Some((version, State::Unfit))
    }
}
