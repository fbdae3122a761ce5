//! Looks after what is committed: keeps it within its bound, least recently used first, and finds what has rotted.
//!
//! Everything it removes can be fetched again, and whoever reads it at that moment goes on.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::content::ages::Ages;
use crate::content::error::ContentError;
use crate::content::settings::ByteSize;
use crate::content::shelf::{Pace, Shelf, digest_of, failed};
use crate::content::store::{Committed, Inventory, Item, Retention};
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
        let mut was_filled = false;
        loop {
            let Pruned { deleted: Amount { contents, bytes }, left, failure } = self.make_room().await;
            if contents > 0 {
                tracing::info!(contents, bytes, "evicted what was not used for longest");
            }
            let is_filled = self.shelf.usage.is_filled_by(left.pinned.bytes);
            if is_filled && !was_filled {
                let Amount { contents, bytes } = left.pinned;
                tracing::warn!(
                    contents,
                    bytes,
                    "pinned content fills the store: unpin some, or raise storage.max_size"
                );
            }
            was_filled = is_filled;
            if let Some(error) = failure {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot evict all that should go");
                sleep(REPAIR).await;
            }
            tokio::select! {
                () = self.shelf.usage.too_much() => {}
                () = sleep(SURVEY) => {}
            }
        }
    }

    /// Looks for damage, one pass after the other, reading `rate` bytes a second, for ever. Each begins somewhere else: a
    /// program that is started anew before a pass has ended would never come to what is last.
    pub(super) async fn scrub(&self, rate: ByteSize) {
        loop {
            let [somewhere, ..] = RandomState::new().hash_one(0_u8).to_ne_bytes();
            let looked_at = self.check(Pace::of(rate), somewhere, |_| {}).await;
            if let Err(error) = looked_at {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot look for damage everywhere");
            }
            sleep(REST).await;
        }
    }

    /// Counts what is there, and evicts what is too much.
    async fn make_room(&self) -> Pruned {
        let before = self.shelf.usage.before_survey();
        let survey = self.survey().await;
        let (total, usage) = (survey.ages.total(), &self.shelf.usage);
        usage.surveyed(total, before);
        let shortage = usage.shortage(survey.ages.evictable(), self.shelf.store.free().await);
        let pruned = self.evict(survey, usage.excess(total).max(shortage)).await;
        usage.shrank(pruned.deleted.bytes);
        usage.left(pruned.left.all.bytes);
        pruned
    }

    /// Evicts until at most `most` bytes are there.
    pub(super) async fn prune(&self, most: ByteSize) -> Pruned {
        let survey = self.survey().await;
        let excess = survey.ages.total().saturating_sub(most.bytes());
        self.evict(survey, excess).await
    }

    /// What is there.
    pub(super) async fn kept(&self) -> Result<Kept, ContentError> {
        let Survey { kept, setbacks, .. } = self.survey().await;
        setbacks.summary().map_or(Ok(kept), Err)
    }

    async fn survey(&self) -> Survey {
        let mut survey = Survey::default();
        for shard in 0..=u8::MAX {
            for item in self.list(shard, &mut survey.setbacks).await {
                survey.ages.add(&self.held(item));
                survey.kept.add(&item);
            }
        }
        survey
    }

    /// Evicts `excess` bytes of what is there, and goes on behind what it cannot remove.
    async fn evict(&self, survey: Survey, excess: u64) -> Pruned {
        let Survey { ages, mut kept, mut setbacks } = survey;
        let mut deleted = Amount::default();
        if let Some(mut cut) = ages.cut(excess) {
            // What could not be listed is said once.
            let mut said = Setbacks::default();
            for shard in 0..=u8::MAX {
                for item in self.list(shard, &mut said).await {
                    if cut.takes(&self.held(item)) {
                        match self.remove(&item).await {
                            Ok(()) => deleted.add(&item),
                            Err(error) => setbacks.note(error),
                        }
                    }
                }
            }
        }
        kept.all = kept.all.less(deleted);
        Pruned { deleted, left: kept, failure: setbacks.summary() }
    }

    async fn remove(&self, item: &Item) -> Result<(), ContentError> {
        let removed = self.shelf.store.remove(item.digest).await;
        removed.map_err(|source| failed("evict", item.digest, source))?;
        self.shelf.metrics.evicted.inc_by(item.size);
        self.shelf.soundness.forget(item.digest);
        Ok(())
    }

    /// What is in memory stays, as if it were pinned: nobody opens its file, so that does not say when it was used.
    fn held(&self, item: Item) -> Item {
        if self.in_memory.has(item.digest) { Item { retention: Retention::Pinned, ..item } } else { item }
    }

    /// Hashes all that is there, at `pace`, from the shard `first` on and around, tells `seen` of each, and removes what is
    /// damaged. What cannot be read is damaged too, but stays where it is.
    pub(super) async fn check(&self, pace: Pace, first: u8, mut seen: impl FnMut(&Seen)) -> Result<(), ContentError> {
        let mut setbacks = Setbacks::default();
        for shard in (0..=u8::MAX).map(|shard| first.wrapping_add(shard)) {
            for item in self.list(shard, &mut setbacks).await {
                let condition = self.look_at(item.digest, pace).await;
                seen(&Seen { item, condition });
            }
        }
        setbacks.summary().map_or(Ok(()), Err)
    }

    async fn look_at(&self, digest: Digest, pace: Pace) -> Condition {
        let opened = self.shelf.store.inspect(digest).await;
        let Committed { stored, version } = match opened {
            // Evicted since it was listed.
            Ok(None) => return Condition::Whole,
            Ok(Some(committed)) => committed,
            Err(error) => {
                self.shelf.soundness.cannot_be_read(digest, &error);
                return Condition::Unreadable(error);
            }
        };
        self.shelf.metrics.scrubbed.inc_by(stored.size);
        match digest_of(&stored, pace).await {
            Ok(found) if found == digest => {
                self.shelf.found_sound(digest, version).await;
                Condition::Whole
            }
            Ok(found) => Condition::Damaged { found, removed: self.shelf.discard(digest, version, found).await },
            Err(error) => {
                self.shelf.soundness.found_unreadable(digest, version, &error);
                Condition::Unreadable(error)
            }
        }
    }

    async fn list(&self, shard: u8, setbacks: &mut Setbacks) -> Vec<Item> {
        let Inventory { items, error } = self.shelf.store.list(shard).await;
        if let Some(source) = error {
            setbacks.note(ContentError::List { shard, source });
        }
        items
    }
}

/// What is there, as far as it could be listed.
#[derive(Debug, Default)]
struct Survey {
    ages: Ages,
    kept: Kept,
    setbacks: Setbacks,
}

/// What a pass over the store could not do, and went on behind.
#[derive(Debug, Default)]
struct Setbacks {
    first: Option<ContentError>,
    count: u64,
}

impl Setbacks {
    fn note(&mut self, error: ContentError) {
        self.first.get_or_insert(error);
        self.count += 1;
    }

    /// All of it in one error; nothing if all went well.
    fn summary(self) -> Option<ContentError> {
        let (first, count) = (self.first?, self.count);
        Some(if count == 1 { first } else { ContentError::Several { count, source: Box::new(first) } })
    }
}

/// What came of making room.
#[derive(Debug)]
pub struct Pruned {
    /// What was deleted.
    pub deleted: Amount,
    /// What is left.
    pub left: Kept,
    /// What could not be listed or deleted, if there is any.
    pub failure: Option<ContentError>,
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
    /// They do not. It is fetched again when it is asked for.
    Damaged {
        /// The digest that they have.
        found: Digest,
        /// Whether it could be removed.
        removed: io::Result<()>,
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
    const fn less(self, other: Self) -> Self {
        Self { contents: self.contents.saturating_sub(other.contents), bytes: self.bytes.saturating_sub(other.bytes) }
    }

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
