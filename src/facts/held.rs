//! What is held in memory of digests: one entry for each, for its proof, its grants and its tags.

use std::ops::Deref;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::facts::store::{Grant, GrantKind, ProofKey};
use crate::limits;
use crate::oci::{Digest, Repository, Tag};
use crate::remembered::{Remember, Remembered, Shared};
use crate::verify::Proof;

/// Bytes of all of it: some hundred thousand digests. Most have a proof of a few hundred; a bill of materials can have ten
/// million.
const MEMORY: u64 = 160 * 1024 * 1024;
/// How long nothing is remembered: another replica may find something out meanwhile.
const EMPTY_LIFE: Duration = Duration::from_secs(5);
/// Most tags that one digest is judged under. Those of a release are a handful; a registry that puts one digest under
/// thousands must not make each request cost thousands of judgements.
pub(super) const TAGS: u32 = 64;
/// What a list takes for each of its values, a tag's text among them.
const LISTED: u64 = 64;

/// What is held of digests.
#[derive(Debug)]
pub(super) struct Held {
    entries: Remembered<Digest, Entry>,
    epochs: Shared<Digest>,
}

/// A proof in memory.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) proof: Arc<Proof>,
    /// When it was made, in milliseconds since 1970.
    pub(super) since: i64,
    /// The bytes that it takes.
    pub(super) weight: u32,
}

/// Why a digest may be served, the latest reason first.
#[derive(Debug, Clone)]
pub struct Grants(Granted);

#[derive(Debug, Clone)]
enum Granted {
    Itself(Grant),
    Others(Arc<[Grant]>),
}

/// What is held of one digest.
#[derive(Debug, Clone, Default)]
struct Entry {
    proof: Option<Under>,
    /// How large it is, if it is a manifest that is granted to itself, and to nothing else: what is admitted without a look
    /// at its evidence, and the images of an index.
    itself: Option<u32>,
    grants: List<Grant>,
    tags: List<Tag>,
}

/// A proof, and the epoch that it is of: the last that was asked for.
#[derive(Debug, Clone)]
struct Under {
    epoch: Arc<Digest>,
    known: Known,
}

/// A list that only ever grows in the store, up to a length.
///
/// Two writers of one list, or a writer and a reader, may come back from the store in any order; so whatever comes back
/// is added to what is there, and never takes its place. What is added last stands first.
#[derive(Debug, Clone)]
enum List<V> {
    /// Nothing was in it at that second since 1970, if anybody looked.
    Empty(i64),
    Known(Arc<[V]>),
}

impl Held {
    pub(super) fn new() -> Self {
        Self { entries: Remembered::new(MEMORY), epochs: Shared::default() }
    }

    /// The proof under `key`.
    pub(super) fn proof(&self, key: &ProofKey) -> Option<Known> {
        let under = self.entries.get(&key.repository, &key.digest)?.proof?;
        under.is_of(key).then_some(under.known)
    }

    /// Holds `known` under `key`, in place of what was there.
    pub(super) fn set_proof(&self, key: &ProofKey, known: &Known) {
        let under = Under { epoch: self.epochs.of(&key.epoch, || key.epoch), known: known.clone() };
        self.entries.change(&key.repository, &key.digest, |entry| entry.proof = Some(under.clone()));
    }

    /// What is there under `key`, or `known` from now on.
    pub(super) fn proof_or(&self, key: &ProofKey, known: &Known) -> Arc<Proof> {
        let under = Under { epoch: self.epochs.of(&key.epoch, || key.epoch), known: known.clone() };
        self.entries.change(&key.repository, &key.digest, |entry| {
            let there = entry.proof.take().filter(|there| there.is_of(key)).unwrap_or_else(|| under.clone());
            Arc::clone(&entry.proof.insert(there).known.proof)
        })
    }

    /// The grants of `digest`, if they are known `now`.
    pub(super) fn grants(
        &self,
        repository: &Repository,
        digest: Digest,
        now: impl FnOnce() -> Timestamp,
    ) -> Option<Grants> {
        self.entries.get(repository, &digest)?.grants(digest, now)
    }

    /// Adds what the store has at `now`, and gives what is known then.
    pub(super) fn add_grants(
        &self,
        repository: &Repository,
        digest: Digest,
        stored: &[Grant],
        now: Timestamp,
    ) -> Grants {
        self.entries.change(repository, &digest, |entry| entry.grant(digest, stored, now))
    }

    /// The tags of `digest`, if they are known `now`.
    pub(super) fn tags(
        &self,
        repository: &Repository,
        digest: Digest,
        now: impl FnOnce() -> Timestamp,
    ) -> Option<Arc<[Tag]>> {
        self.entries.get(repository, &digest)?.tags.at(now)
    }

    /// Adds what the store has at `now`, and gives what is known then.
    pub(super) fn add_tags(
        &self,
        repository: &Repository,
        digest: Digest,
        stored: &[Tag],
        now: Timestamp,
    ) -> Arc<[Tag]> {
        self.entries.change(repository, &digest, |entry| entry.tags.add(stored, TAGS as usize, now))
    }
}

impl Entry {
    fn grants(&self, digest: Digest, now: impl FnOnce() -> Timestamp) -> Option<Grants> {
        let itself = self.itself.map(|size| Granted::Itself(to_itself(digest, size)));
        itself.or_else(|| self.grants.at(now).map(Granted::Others)).map(Grants)
    }

    fn grant(&mut self, digest: Digest, stored: &[Grant], now: Timestamp) -> Grants {
        if let Some(size) = self.itself.take() {
            self.grants.add(&[to_itself(digest, size)], 1, now);
        }
        let all = self.grants.add(stored, limits::ROOTS_PER_GRANT, now);
        if let [only] = *all
            && let Ok(size) = u32::try_from(only.size)
            && only == to_itself(digest, size)
        {
            (self.itself, self.grants) = (Some(size), List::default());
        }
        Grants(Granted::Others(all))
    }
}

fn to_itself(digest: Digest, size: u32) -> Grant {
    Grant { root: digest, kind: GrantKind::Manifest, size: size.into() }
}

impl Deref for Grants {
    type Target = [Grant];

    fn deref(&self) -> &[Grant] {
        match &self.0 {
            Granted::Itself(grant) => slice::from_ref(grant),
            Granted::Others(grants) => grants,
        }
    }
}

impl Under {
    /// What was found under another trust, or where nobody looks any more, counts no more.
    fn is_of(&self, key: &ProofKey) -> bool {
        *self.epoch == key.epoch && *self.known.proof.elsewhere == *key.elsewhere
    }
}

impl<V> Default for List<V> {
    fn default() -> Self {
        Self::Empty(i64::MIN)
    }
}

impl<V: Clone + PartialEq> List<V> {
    fn at(&self, now: impl FnOnce() -> Timestamp) -> Option<Arc<[V]>> {
        match self {
            Self::Empty(since) => (now().as_second().abs_diff(*since) < EMPTY_LIFE.as_secs()).then(Arc::default),
            Self::Known(list) => Some(Arc::clone(list)),
        }
    }

    fn add(&mut self, stored: &[V], longest: usize, now: Timestamp) -> Arc<[V]> {
        let known = if let Self::Known(list) = self { &**list } else { &[] };
        let older = known.iter().filter(|value| !stored.contains(value));
        let list: Arc<[V]> = stored.iter().chain(older).take(longest).cloned().collect();
        *self = if list.is_empty() { Self::Empty(now.as_second()) } else { Self::Known(Arc::clone(&list)) };
        list
    }

    fn held_elsewhere(&self) -> u64 {
        match self {
            Self::Empty(_) => 0,
            Self::Known(list) => LISTED * list.len() as u64,
        }
    }
}

impl Remember for Entry {
    fn held_elsewhere(&self) -> u64 {
        let proof = self.proof.as_ref().map_or(0, |under| u64::from(under.known.weight));
        proof + self.grants.held_elsewhere() + self.tags.held_elsewhere()
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn list(values: &[u8]) -> Arc<[u8]> {
        values.into()
    }

    #[test]
    fn what_is_added_stands_first_and_what_was_there_stays() {
        let (mut numbers, now) = (List::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(numbers.at(|| now), None);
        assert_eq!(numbers.add(&[2, 1], 3, now), list(&[2, 1]));
        assert_eq!(numbers.add(&[3, 2], 3, now), list(&[3, 2, 1]));
        assert_eq!(numbers.add(&[4], 3, now), list(&[4, 3, 2]));
        assert_eq!(numbers.add(&[], 3, now), list(&[4, 3, 2]));
        assert_eq!(numbers.at(|| now), Some(list(&[4, 3, 2])));
    }

    #[test]
    fn what_is_granted_to_itself_is_told_as_such_and_with_others() {
        let (memory, repository) = (Held::new(), "example.com/app".parse().unwrap());
        let (digest, now) = (Digest::of(b"app"), Timestamp::UNIX_EPOCH);
        let (itself, larger) = (to_itself(digest, 500), Grant { size: 1 << 33, ..to_itself(digest, 0) });
        let other = Grant { root: Digest::of(b"index"), ..itself };
        let known = || memory.grants(&repository, digest, || now).map(|grants| grants.to_vec());
        for (stored, all) in [
            (vec![], vec![]),
            (vec![itself], vec![itself]),
            (vec![itself], vec![itself]),
            (vec![], vec![itself]),
            (vec![other], vec![other, itself]),
            (vec![larger], vec![larger, other, itself]),
        ] {
            assert_eq!(*memory.add_grants(&repository, digest, &stored, now), all);
            assert_eq!(known(), Some(all));
        }
    }

    #[test]
    fn a_digest_takes_little() {
        assert!(size_of::<Entry>() <= 72, "{}", size_of::<Entry>());
    }

    #[test]
    fn an_empty_list_is_looked_for_again_soon() {
        let (mut numbers, now) = (List::<u8>::default(), Timestamp::UNIX_EPOCH);
        numbers.add(&[], 3, now);
        let later = |seconds| now + SignedDuration::from_secs(seconds);
        assert_eq!((numbers.at(|| later(4)), numbers.at(|| later(5))), (Some(list(&[])), None));
        // A clock that went back counts as one that went on.
        assert_eq!(numbers.at(|| later(-5)), None);
    }
}
