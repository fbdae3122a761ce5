//! Looks after what is committed: keeps it within its bound, least recently used first, and finds what has rotted.
//!
//! Everything it removes can be fetched again, and whoever reads it at that moment goes on.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::content::ages::{Ages, Cut};
use crate::content::error::ContentError;
use crate::content::settings::ByteSize;
use crate::content::shelf::{Pace, Shelf, digest_of, failed};
use crate::content::store::{Committed, Item, Retention};
use crate::oci::Digest;
use crate::remembered::RememberedBytes;

/// How often what is there is counted anew: other processes commit, people delete.
const SURVEY: Duration = Duration::from_mins(10);
/// The pause after the store failed: it is not to be pressed while somebody repairs it.
const REPAIR: Duration = Duration::from_mins(1);
/// How long a pass that looks for damage waits before the next one, so that a small store is not read all day.
const REST: Duration = Duration::from_hours(24);

/// So many contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// How many.
    pub contents: u64,
    /// How many bytes they have together.
    pub bytes: u64,
}

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    /// All of it.
    pub all: Amount,
    /// What of it is pinned.
    pub pinned: Amount,
}

/// Looks after one store.
#[derive(Debug, Clone)]
pub(super) struct Housekeeping {
    pub(super) shelf: Arc<Shelf>,
    /// A manifest that is asked for all the time is here, and its file is never opened.
    pub(super) in_memory: RememberedBytes,
}

impl Housekeeping {
    /// Keeps the content within its bound, for ever.
    pub(super) async fn keep_within_bound(&self) {
        loop {
            match self.make_room().await {
                Ok(Amount { contents: 0, .. }) => {}
                Ok(Amount { contents, bytes }) => {
                    tracing::info!(contents, bytes, "evicted what was not used for longest");
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot evict content");
                    sleep(REPAIR).await;
                }
            }
            tokio::select! {
                () = self.shelf.usage.too_much() => {}
                () = sleep(SURVEY) => {}
            }
        }
    }

    /// Looks for damage, one pass after the other, reading `rate` bytes a second, for ever.
    pub(super) async fn scrub(&self, rate: ByteSize) {
        loop {
            let looked_at = self.check(Pace::of(rate), |_| {}).await;
            if let Err(error) = looked_at {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot look for damaged content");
            }
            sleep(REST).await;
        }
    }

    /// Counts what is there, and evicts what is too much.
    async fn make_room(&self) -> Result<Amount, ContentError> {
        let before = self.shelf.usage.before_survey();
        let (ages, _) = self.survey().await?;
        self.shelf.usage.surveyed(ages.total(), before);
        let usage = &self.shelf.usage;
        let shortage = usage.shortage(ages.evictable(), self.shelf.store.free().await);
        let Some(cut) = ages.cut(usage.excess(ages.total()).max(shortage)) else { return Ok(Amount::default()) };
        let evicted = self.evict(cut).await?;
        self.shelf.usage.shrank(evicted.bytes);
        Ok(evicted)
    }

    /// Evicts until at most `most` bytes are there.
    pub(super) async fn prune(&self, most: ByteSize) -> Result<Amount, ContentError> {
        let (ages, _) = self.survey().await?;
        match ages.cut(ages.total().saturating_sub(most.bytes())) {
            Some(cut) => self.evict(cut).await,
            None => Ok(Amount::default()),
        }
    }

    /// What is there.
    pub(super) async fn survey(&self) -> Result<(Ages, Kept), ContentError> {
        let (mut ages, mut kept) = (Ages::default(), Kept::default());
        for shard in 0..=u8::MAX {
            for item in self.list(shard).await? {
                ages.add(&item);
                kept.add(&item);
            }
        }
        Ok((ages, kept))
    }

    async fn evict(&self, mut cut: Cut) -> Result<Amount, ContentError> {
        let mut evicted = Amount::default();
        for shard in 0..=u8::MAX {
            for item in self.list(shard).await? {
                if !self.in_memory.has(item.digest) && cut.takes(&item) {
                    self.shelf.metrics.evicted.inc_by(item.size);
                    let removed = self.shelf.store.remove(item.digest).await;
                    removed.map_err(|source| failed("evict", item.digest, source))?;
                    self.shelf.soundness.forget(item.digest);
                    evicted.add(&item);
                }
            }
        }
        Ok(evicted)
    }

    /// Hashes all that is there, at `pace`, tells `seen` of each, and removes what is damaged. What cannot be read is
    /// damaged too, but stays where it is.
    pub(super) async fn check(&self, pace: Pace, mut seen: impl FnMut(&Seen)) -> Result<(), ContentError> {
        for shard in 0..=u8::MAX {
            for item in self.list(shard).await? {
                let condition = self.look_at(item.digest, pace).await?;
                seen(&Seen { item, condition });
            }
        }
        Ok(())
    }

    async fn look_at(&self, digest: Digest, pace: Pace) -> Result<Condition, ContentError> {
        let opened = self.shelf.store.inspect(digest).await;
        let Committed { stored, version } = match opened {
            // Evicted since it was listed.
            Ok(None) => return Ok(Condition::Whole),
            Ok(Some(committed)) => committed,
            Err(error) => {
                self.shelf.soundness.cannot_be_read(digest, &error);
                return Ok(Condition::Unreadable(error));
            }
        };
        self.shelf.metrics.scrubbed.inc_by(stored.size);
        match digest_of(&stored, pace).await {
            Ok(found) if found == digest => {
                self.shelf.found_sound(digest, version).await;
                Ok(Condition::Whole)
            }
            Ok(found) => {
                self.shelf.discard(digest, found).await?;
                Ok(Condition::Damaged { found })
            }
            Err(error) => {
                self.shelf.soundness.found_unreadable(digest, version, &error);
                Ok(Condition::Unreadable(error))
            }
        }
    }

    async fn list(&self, shard: u8) -> Result<Vec<Item>, ContentError> {
        self.shelf.store.list(shard).await.map_err(|source| ContentError::List { source })
    }
}

/// One content that was looked at.
#[derive(Debug)]
pub struct Seen {
    /// Which.
    pub item: Item,
    /// How it was found.
    pub condition: Condition,
}

/// What is left of a content.
#[derive(Debug)]
pub enum Condition {
    /// Its bytes hash to its digest.
    Whole,
    /// They do not. It was removed, and is fetched again when it is asked for.
    Damaged {
        /// The digest that they have.
        found: Digest,
    },
    /// They cannot be read. It is still there.
    Unreadable(io::Error),
}

impl Kept {
    fn add(&mut self, item: &Item) {
        self.all.add(item);
        if item.retention == Retention::Pinned {
            self.pinned.add(item);
        }
    }
}

impl Amount {
    /// Counts `item` in.
    pub const fn add(&mut self, item: &Item) {
        self.contents += 1;
        self.bytes += item.size;
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} contents of {} bytes in all", self.contents, self.bytes)
    }
}
