//! What is being found out: once for each key, however many ask.

use std::any::Any;
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};

/// Something being found out, whichever error may come of it.
pub(crate) type Making<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// The flights under way. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Flights<K: Hash + Eq>(Arc<Inner<K>>);

#[derive(Debug)]
struct Inner<K: Hash + Eq> {
    entries: Mutex<HashMap<K, Entry>>,
    /// Tells apart two flights of one key, so that the end of the first does not strike the second off the list.
    started: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    /// The [`WeakShared`] of a [`Making`]. Held weakly: when all who wait are gone, the making ends.
    making: Box<dyn Any + Send>,
}

impl<K: Hash + Eq + Clone + Send + 'static> Flights<K> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner { entries: Mutex::default(), started: AtomicU64::new(0) }))
    }

    /// Joins the flight of `key`, or starts it. All who wait drive the same future: whoever leaves, first or last, takes
    /// nothing away from the others.
    ///
    /// Another one may have ended between the moment its starter looked and the moment it joined: `make` looks again.
    pub(crate) fn join<T, E>(
        &self,
        key: &K,
        make: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Shared<Making<T, E>>
    where
        T: Clone + Send + Sync + 'static,
        E: Clone + Send + Sync + 'static,
    {
        let mut entries = self.0.lock();
        let flying =
            entries.get(key).and_then(|entry| entry.making.downcast_ref::<WeakShared<Making<T, E>>>()?.upgrade());
        if let Some(flight) = flying {
            return flight;
        }
        let number = self.0.started.fetch_add(1, Ordering::Relaxed);
        let landing = Landing { flights: Arc::clone(&self.0), key: key.clone(), number };
        let making: Making<T, E> = Box::pin(async move {
            let _landing = landing;
            make.await
        });
        let flight = making.shared();
        if let Some(weak) = flight.downgrade() {
            entries.insert(key.clone(), Entry { number, making: Box::new(weak) });
        }
        flight
    }
}

/// Strikes a flight off the list when it ends, also when it is dropped.
struct Landing<K: Hash + Eq> {
    flights: Arc<Inner<K>>,
    key: K,
    number: u64,
}

impl<K: Hash + Eq> Drop for Landing<K> {
    fn drop(&mut self) {
        let mut entries = self.flights.lock();
        if entries.get(&self.key).is_some_and(|entry| entry.number == self.number) {
            entries.remove(&self.key);
        }
    }
}

impl<K: Hash + Eq> Inner<K> {
    /// Nothing that can panic runs under this lock, and it is never held across an await.
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
