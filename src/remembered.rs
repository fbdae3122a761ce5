//! Bounded memory of what belongs to repositories, by digest or by tag: an entry costs little beside what is in it.

mod bytes;

use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use ahash::RandomState;
use quick_cache::sync::{Cache, DefaultLifecycle, EntryAction, EntryResult};
use quick_cache::{Equivalent, Options, OptionsBuilder, Weighter};

pub(crate) use bytes::RememberedBytes;

use crate::oci::Repository;

/// Parts with a lock each. Few, since no part takes an entry that is larger than itself.
const PARTS: usize = 4;
/// What an entry costs beside key and value: its state, its neighbours, and its place among the hashes.
const BESIDE: usize = 24;
/// How many more are remembered to have been here, by their hash alone, for each that is: those come back to stay.
const GHOSTS: f64 = 0.1;
/// With how many values it is first looked for those that nobody holds any more.
const FIRST_SWEEP: usize = 1024;

/// What is remembered by repository and `N`, in a room of so many bytes. What is asked for again stays, what was asked for
/// once goes first.
///
/// Keys are hashed with a secret of this process: digests are chosen by strangers.
pub(crate) struct Remembered<N, V>
where
    N: Hash + Eq + Clone,
    V: Remember,
{
    entries: Cache<Key<N>, V, Weights, RandomState>,
    repositories: Shared<Repository>,
}

/// What can be remembered.
pub(crate) trait Remember: Clone {
    /// The bytes that it holds elsewhere. Quick to tell, and the same as long as nothing in it is changed.
    fn held_elsewhere(&self) -> u64;
}

/// Values of which each is kept once for all who hold it.
#[derive(Debug)]
pub(crate) struct Shared<T: Hash + Eq + ?Sized>(Mutex<Kept<T>>);

#[derive(Debug)]
struct Kept<T: ?Sized> {
    all: HashSet<Arc<T>>,
    sweep_at: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key<N> {
    repository: Arc<Repository>,
    name: N,
}

/// A [`Key`] that is looked for, hashed as it is.
#[derive(Hash)]
struct Sought<'a, N> {
    repository: &'a Repository,
    name: &'a N,
}

/// An entry weighs its bytes, but no more than most of a part: what could not be remembered would be read for each request.
#[derive(Debug, Clone)]
struct Weights {
    own: u64,
    most: u64,
}

impl<N, V> Remembered<N, V>
where
    N: Hash + Eq + Clone,
    V: Remember,
{
    /// With room for `bytes`.
    pub(crate) fn new(bytes: u64) -> Self {
        let own = (size_of::<Key<N>>() + size_of::<V>() + BESIDE) as u64;
        let weights = Weights { own, most: bytes / PARTS as u64 / 10 * 9 };
        let entries =
            Cache::with_options(options(bytes, own), weights, RandomState::new(), DefaultLifecycle::default());
        Self { entries, repositories: Shared::default() }
    }

    /// What is remembered of `name` in `repository`.
    pub(crate) fn get(&self, repository: &Repository, name: &N) -> Option<V> {
        self.entries.get(&Sought { repository, name })
    }

    /// Remembers `value`, in place of what was remembered.
    pub(crate) fn set(&self, repository: &Repository, name: &N, value: V) {
        self.entries.insert(self.key(repository, name), value);
    }

    /// Forgets what was remembered.
    pub(crate) fn forget(&self, repository: &Repository, name: &N) {
        self.entries.remove(&Sought { repository, name });
    }

    /// Changes what is remembered, or else the default; nobody else does meanwhile, so `change` must be short. It is called
    /// once.
    pub(crate) fn change<T>(&self, repository: &Repository, name: &N, change: impl Fn(&mut V) -> T) -> T
    where
        V: Default,
    {
        let retain = |_: &Key<N>, value: &mut V| EntryAction::Retain(change(value));
        match self.entries.entry(&self.key(repository, name), None, retain) {
            EntryResult::Retained(outcome) => outcome,
            EntryResult::Vacant(place) => {
                let mut value = V::default();
                let outcome = change(&mut value);
                // What was set meanwhile stands: it is newer.
                drop(place.insert(value));
                outcome
            }
            // Nothing else is asked for, and it waits for as long as it takes.
            EntryResult::Removed(..) | EntryResult::Replaced(..) | EntryResult::Timeout => change(&mut V::default()),
        }
    }

    fn key(&self, repository: &Repository, name: &N) -> Key<N> {
        Key { repository: self.repositories.of(repository, || repository.clone()), name: name.clone() }
    }
}

impl<N, V> fmt::Debug for Remembered<N, V>
where
    N: Hash + Eq + Clone,
    V: Remember,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

/// A room of `bytes` in [`PARTS`], for entries that weigh `own` at least. None may weigh more than a part.
fn options(bytes: u64, own: u64) -> Options {
    let mut options = OptionsBuilder::new();
    options.weight_capacity(bytes).estimated_items_capacity(usize::try_from(bytes / own).unwrap_or(usize::MAX));
    options.shards(PARTS).ghost_allocation(GHOSTS);
    #[expect(clippy::expect_used, reason = "it says no only where one of these is not said")]
    options.build().expect("all is said that must be")
}

impl<N, V: Remember> Weighter<Key<N>, V> for Weights {
    fn weight(&self, _: &Key<N>, value: &V) -> u64 {
        self.own.saturating_add(value.held_elsewhere()).min(self.most)
    }
}

impl<N: Hash + Eq> Equivalent<Key<N>> for Sought<'_, N> {
    fn equivalent(&self, key: &Key<N>) -> bool {
        *self.name == key.name && *self.repository == *key.repository
    }
}

impl<T: Hash + Eq + ?Sized> Default for Shared<T> {
    fn default() -> Self {
        Self(Mutex::new(Kept { all: HashSet::new(), sweep_at: FIRST_SWEEP }))
    }
}

impl<T: Hash + Eq + ?Sized> Shared<T> {
    /// The one that is equal to `value`: `new`, if there is none yet.
    pub(crate) fn of<N: Into<Arc<T>>>(&self, value: &T, new: impl FnOnce() -> N) -> Arc<T> {
        // Nothing that can panic runs under this lock.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.all.get(value) {
            return Arc::clone(known);
        }
        if kept.all.len() >= kept.sweep_at {
            kept.all.retain(|held| Arc::strong_count(held) > 1);
            kept.sweep_at = (2 * kept.all.len()).max(FIRST_SWEEP);
        }
        let new = new().into();
        kept.all.insert(Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many bytes, and what it is.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    struct Bytes(u64, u32);

    impl Remember for Bytes {
        fn held_elsewhere(&self) -> u64 {
            self.0
        }
    }

    fn repository(name: &str) -> Repository {
        name.parse().unwrap()
    }

    #[test]
    fn what_is_remembered_is_of_one_repository() {
        let (memory, here, there) =
            (Remembered::new(1 << 20), repository("example.com/a"), repository("example.com/b"));
        memory.set(&here, &1, Bytes(0, 7));
        assert_eq!(memory.get(&here, &1), Some(Bytes(0, 7)));
        assert_eq!((memory.get(&there, &1), memory.get(&here, &2)), (None, None));
        memory.forget(&here, &1);
        assert_eq!(memory.get(&here, &1), None);
    }

    #[test]
    fn a_change_is_of_what_is_there_or_of_nothing() {
        let (memory, here) = (Remembered::new(1 << 20), repository("example.com/a"));
        let count = |value: &mut Bytes| {
            value.1 += 1;
            value.1
        };
        assert_eq!((memory.change(&here, &1, count), memory.change(&here, &1, count)), (1, 2));
        assert_eq!(memory.get(&here, &1), Some(Bytes(0, 2)));
    }

    #[test]
    fn the_room_holds_by_what_entries_weigh_also_after_a_change() {
        let (memory, here) = (Remembered::new(1 << 20), repository("example.com/a"));
        for number in 0..4096 {
            memory.set(&here, &number, Bytes(0, 0));
            memory.change(&here, &number, |value| value.0 = 4096);
        }
        let held = (0..4096).filter(|number| memory.get(&here, number).is_some()).count();
        assert!((128..=256).contains(&held), "{held}");
    }

    #[test]
    fn what_weighs_more_than_there_is_room_for_is_remembered_all_the_same() {
        let (memory, here) = (Remembered::new(1 << 20), repository("example.com/a"));
        memory.set(&here, &1, Bytes(u64::MAX, 1));
        assert_eq!(memory.get(&here, &1), Some(Bytes(u64::MAX, 1)));
    }

    #[test]
    fn what_is_asked_for_again_stays_whatever_is_asked_for_once() {
        let (memory, here) = (Remembered::new(1 << 20), repository("example.com/a"));
        for number in 0..4096 {
            memory.set(&here, &number, Bytes(4096, 0));
            if number > 2048 {
                assert!(memory.get(&here, &2048).is_some(), "{number}");
            }
        }
        let rest = (0..4096).filter(|number| memory.get(&here, number).is_some()).count();
        assert!(rest <= 256, "{rest}");
    }

    #[test]
    fn what_is_equal_is_kept_once_and_what_nobody_holds_is_swept() {
        let shared = Shared::default();
        let (one, other) = (shared.of(&0, || 0), shared.of(&0, || 0));
        assert!(Arc::ptr_eq(&one, &other));
        for number in 0..10 * FIRST_SWEEP {
            shared.of(&number, || number);
        }
        assert!(shared.0.lock().unwrap().all.len() <= FIRST_SWEEP);
        assert!(Arc::ptr_eq(&one, &shared.of(&0, || 0)));
    }
}
