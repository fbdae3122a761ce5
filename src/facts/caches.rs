//! Lists that are remembered in memory: short, growing, and short-lived when they are empty.

use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::future::Cache;

/// How long nothing is remembered: another replica may find something out meanwhile.
const EMPTY_LIFE: Duration = Duration::from_secs(5);

/// A bounded memory of lists that only ever grow in the store, up to a length.
///
/// Two writers of one list, or a writer and a reader, may come back from the store in any order; so whatever comes back
/// is added to what is there, and never takes its place. What is added last stands first.
#[derive(Debug, Clone)]
pub(super) struct Lists<K: Hash + Eq + Send + Sync + 'static, V: Send + Sync + 'static> {
    cache: Cache<K, Arc<[V]>>,
    longest: usize,
}

impl<K, V> Lists<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + PartialEq + Send + Sync + 'static,
{
    pub(super) fn new(lists: u64, longest: usize) -> Self {
        Self { cache: Cache::builder().max_capacity(lists).expire_after(ShortIfEmpty).build(), longest }
    }

    pub(super) async fn get(&self, key: &K) -> Option<Arc<[V]>> {
        self.cache.get(key).await
    }

    /// Adds what the store has, and gives what is known now.
    pub(super) async fn add(&self, key: K, stored: Vec<V>) -> Arc<[V]> {
        let longest = self.longest;
        let entry = self.cache.entry(key).and_upsert_with(|known| async move {
            let known = known.map(moka::Entry::into_value);
            let older = known.iter().flat_map(|known| known.iter()).filter(|value| !stored.contains(value));
            stored.iter().chain(older).take(longest).cloned().collect()
        });
        entry.await.into_value()
    }
}

struct ShortIfEmpty;

impl<K, V> Expiry<K, Arc<[V]>> for ShortIfEmpty {
    fn expire_after_create(&self, _: &K, list: &Arc<[V]>, _: Instant) -> Option<Duration> {
        list.is_empty().then_some(EMPTY_LIFE)
    }

    fn expire_after_update(&self, key: &K, list: &Arc<[V]>, now: Instant, _: Option<Duration>) -> Option<Duration> {
        self.expire_after_create(key, list, now)
    }
}
