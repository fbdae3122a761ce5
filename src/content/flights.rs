//! The fetches under way: one for each content, however many ask, and one for each reader of what passes by the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::content::error::ContentError;
use crate::content::flight::Progress;
use crate::content::length::Length;
use crate::oci::Digest;

/// Most fetches at once: each holds an open file and some chunks of memory.
const FLIGHTS: usize = 512;

/// Two that disagree about the length are two: one of them is wrong, and it must not fail the other.
pub(super) type Key = (Digest, Length);

/// The fetches under way. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(super) struct Flights {
    listed: Arc<Mutex<HashMap<Key, watch::Receiver<Progress>>>>,
    places: Arc<Semaphore>,
    /// How many.
    gauge: IntGauge,
}

/// A fetch to be started, or to be joined.
pub(super) enum Seat {
    /// It is under way.
    Taken(watch::Receiver<Progress>),
    /// Nobody has started it: whoever gets this does.
    Free(Listing, watch::Sender<Progress>, watch::Receiver<Progress>),
}

/// A fetch on the list; dropped, also when its task is dropped or panics, it is off the list.
pub(super) struct Listing {
    flights: Flights,
    key: Key,
    _place: OwnedSemaphorePermit,
}

impl Flights {
    /// None yet; `gauge` says how many.
    pub(super) fn new(gauge: IntGauge) -> Self {
        Self { listed: Arc::default(), places: Arc::new(Semaphore::new(FLIGHTS)), gauge }
    }

    /// The places of all of them, for who fetches alone.
    pub(super) fn places(&self) -> Arc<Semaphore> {
        Arc::clone(&self.places)
    }

    /// The fetch under way for `key`.
    pub(super) fn find(&self, key: Key) -> Option<watch::Receiver<Progress>> {
        self.lock().get(&key).cloned()
    }

    /// Joins the fetch for `key`, or puts one on the list.
    ///
    /// # Errors
    /// [`ContentError::Busy`] if too many are on it.
    pub(super) fn join(&self, key: Key) -> Result<Seat, ContentError> {
        let mut flights = self.lock();
        if let Some(progress) = flights.get(&key) {
            return Ok(Seat::Taken(progress.clone()));
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return Err(ContentError::Busy(FLIGHTS)) };
        let (sender, receiver) = watch::channel(Progress::Asking);
        flights.insert(key, receiver.clone());
        self.gauge.inc();
        Ok(Seat::Free(Listing { flights: self.clone(), key, _place: place }, sender, receiver))
    }

    /// Nothing that can panic runs under this lock, and it is never held across an await.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, watch::Receiver<Progress>>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.key);
        self.flights.gauge.dec();
    }
}
