//! Who was served which image. Noted in memory and written behind the requests, many at once: a request waits for no
//! database, and what is lost by a crash is some seconds of notes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ahash::RandomState;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::facts::error::FactsError;
use crate::oci::{Digest, Repository};

/// How long after a pull the same one by the same client is not noted again: the time that is told is as exact as this.
const REPEAT: SignedDuration = SignedDuration::from_mins(10);
/// Most pulls that are known to be noted, some 50 bytes each; when there are more, all are noted anew.
const RECENT: usize = 100_000;
/// Most pulls that wait to be written, some 200 bytes each. What comes beyond is noted when the client pulls again.
const WAITING: usize = 10_000;
/// How often what waits is written.
const PERIOD: Duration = Duration::from_secs(10);
/// Most clients that are told of one image, the latest first.
const CLIENTS: u32 = 256;
/// Most pulls that are kept in the database, some 100 bytes each. Of more the oldest are forgotten.
pub(super) const PULLS: u32 = 200_000;

/// An image that a client was served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Where it is.
    pub repository: Repository,
    /// Which one it is: the root of what was served.
    pub digest: Digest,
    /// The address that the request came from.
    pub client: IpAddr,
    /// When.
    pub at: Timestamp,
}

/// Keeps who was served what.
#[async_trait]
pub trait PullStore: Send + Sync {
    /// Keeps all of `pulls`, or none of them: of each client and image the latest.
    async fn keep_pulls(&self, pulls: &[Pull]) -> Result<(), FactsError>;

    /// The clients that were served an image, the latest first, at most `most`.
    async fn pulls_of(&self, repository: &Repository, digest: Digest, most: u32) -> Result<Vec<Pull>, FactsError>;
}

/// What was noted, and what of it is not written yet.
#[derive(Debug, Default)]
pub(super) struct Pulls {
    notes: Mutex<Notes>,
    /// Of this process alone, so that nobody can make two clients look like one.
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Notes {
    recent: HashMap<u64, Timestamp, RandomState>,
    waiting: Vec<Pull>,
}

impl Pulls {
    /// Notes a pull, unless the same was noted a moment ago. Costs a lock for as long as a lookup, and no allocation in the
    /// usual case.
    pub(super) fn note(&self, repository: &Repository, digest: Digest, client: IpAddr, at: Timestamp) {
        let key = self.hasher.hash_one((repository, digest, client));
        let mut notes = self.lock();
        let is_known = |last: &Timestamp| at.duration_since(*last).abs() < REPEAT;
        if notes.recent.get(&key).is_some_and(is_known) || notes.waiting.len() >= WAITING {
            return;
        }
        if notes.recent.len() >= RECENT {
            notes.recent.clear();
        }
        notes.recent.insert(key, at);
        notes.waiting.push(Pull { repository: repository.clone(), digest, client, at });
    }

    /// Writes what waits every [`PERIOD`]. Whoever stops it [writes](Self::write) once more.
    pub(super) async fn write_on(&self, store: &dyn PullStore) {
        loop {
            tokio::time::sleep(PERIOD).await;
            self.write(store).await;
        }
    }

    /// Writes what waits. What cannot be written is noted when the client pulls again.
    pub(super) async fn write(&self, store: &dyn PullStore) {
        let waiting = std::mem::take(&mut self.lock().waiting);
        if waiting.is_empty() {
            return;
        }
        if let Err(error) = store.keep_pulls(&waiting).await {
            tracing::error!(%error, pulls = waiting.len(), "cannot keep who pulled what");
            self.lock().recent.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clients that were served an image, the latest first.
pub(super) async fn clients(
    store: &dyn PullStore,
    repository: &Repository,
    digest: Digest,
) -> Result<Vec<Pull>, FactsError> {
    store.pulls_of(repository, digest, CLIENTS).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(pulls: &Pulls, client: u32, minute: i64) {
        let at = Timestamp::from_second(minute * 60).unwrap();
        let client = IpAddr::from(client.to_be_bytes());
        pulls.note(&"docker.io/acme/app".parse().unwrap(), Digest::of(b"app"), client, at);
    }

    fn waiting(pulls: &Pulls) -> usize {
        pulls.lock().waiting.len()
    }

    #[test]
    fn the_same_pull_is_noted_once_in_ten_minutes() {
        let pulls = Pulls::default();
        for (client, minute, noted_so_far) in [(1, 0, 1), (1, 9, 1), (2, 9, 2), (1, 10, 3), (1, 0, 4)] {
            noted(&pulls, client, minute);
            assert_eq!(waiting(&pulls), noted_so_far, "client {client} at minute {minute}");
        }
    }

    #[test]
    fn notes_are_bounded() {
        let pulls = Pulls::default();
        for client in 0..30_000 {
            noted(&pulls, client, 0);
        }
        assert_eq!((waiting(&pulls), pulls.lock().recent.len()), (WAITING, WAITING));
    }
}
