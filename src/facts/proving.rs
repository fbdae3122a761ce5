//! Proofs in memory over the store, and the one flight in which each is made.

use std::any::Any;
use std::collections::HashMap;
use std::error::Error;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};
use jiff::Timestamp;
use moka::future::Cache;
use tokio::task::spawn_blocking;

use crate::clock::Clock;
use crate::facts::error::FactsError;
use crate::facts::store::{FactStore, ProofKey};
use crate::verify::{Coverage, Proof};

/// Bytes of proofs held in memory. Most have a few thousand; a bill of materials can have ten million.
const MEMORY: u64 = 128 * 1024 * 1024;
/// What a proof costs in memory for each byte of its text: names, versions and licences are strings of their own.
const MEMORY_PER_BYTE: usize = 2;
/// What an entry costs beside that.
const ENTRY_OVERHEAD: usize = 512;
/// How young a proof must be to be taken for the one that the caller wants made: it was made between the moment the
/// caller looked and the moment it asked.
const JUST_MADE: Duration = Duration::from_secs(1);

/// Proofs, known and in the making. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(super) struct Proofs {
    store: Arc<dyn FactStore>,
    clock: Arc<dyn Clock>,
    known: Cache<ProofKey, Known>,
    flights: Arc<Flights>,
}

#[derive(Debug, Clone)]
struct Known {
    proof: Arc<Proof>,
    since: Timestamp,
    weight: u32,
}

/// A proof being made, whichever error may come of it.
type Making<E> = Pin<Box<dyn Future<Output = Result<Arc<Proof>, E>> + Send>>;

/// The proofs in the making.
#[derive(Debug, Default)]
struct Flights {
    entries: Mutex<HashMap<ProofKey, Entry>>,
    /// Tells apart two flights of one key, so that the end of the first does not strike the second off the list.
    started: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    /// The [`WeakShared`] of a [`Making`]. Held weakly: when all who wait are gone, the making ends.
    making: Box<dyn Any + Send>,
}

impl Proofs {
    pub(super) fn new(store: Arc<dyn FactStore>, clock: Arc<dyn Clock>) -> Self {
        let weight = |_: &ProofKey, known: &Known| known.weight;
        let known = Cache::builder().max_capacity(MEMORY).weigher(weight).build();
        Self { store, clock, known, flights: Arc::default() }
    }

    pub(super) async fn get(&self, key: &ProofKey) -> Result<Option<Arc<Proof>>, FactsError> {
        if let Some(known) = self.known.get(key).await {
            return Ok(Some(known.proof));
        }
        let Some(text) = self.store.proof(key).await? else { return Ok(None) };
        let Some(known) = read(text).await?.filter(|known| known.proof.subject == key.digest) else {
            tracing::warn!(digest = %key.digest, "a stored proof cannot be read, it is made again");
            return Ok(None);
        };
        // What was found where nobody looks any more counts no more.
        if known.proof.elsewhere != key.elsewhere {
            return Ok(None);
        }
        let entry = self.known.entry(key.clone()).or_insert(known).await;
        Ok(Some(entry.into_value().proof))
    }

    /// The proof that `make` makes, or that somebody else is making, or has just made.
    ///
    /// All who wait drive the same future: whoever leaves, first or last, takes nothing away from the others.
    pub(super) async fn make<F, E>(&self, key: &ProofKey, make: F) -> Result<Arc<Proof>, E>
    where
        F: Future<Output = Result<Proof, E>> + Send + 'static,
        E: Clone + Send + Sync + 'static,
    {
        self.join(key, make).await
    }

    /// Joins the flight of `key`, or starts it.
    fn join<F, E>(&self, key: &ProofKey, make: F) -> Shared<Making<E>>
    where
        F: Future<Output = Result<Proof, E>> + Send + 'static,
        E: Clone + Send + Sync + 'static,
    {
        let mut entries = self.flights.lock();
        let flying = entries.get(key).and_then(|entry| entry.making.downcast_ref::<WeakShared<Making<E>>>()?.upgrade());
        if let Some(flight) = flying {
            return flight;
        }
        let number = self.flights.started.fetch_add(1, Ordering::Relaxed);
        let landing = Landing { flights: Arc::clone(&self.flights), key: key.clone(), number };
        let making: Making<E> = Box::pin(self.clone().fly(landing, make));
        let flight = making.shared();
        if let Some(weak) = flight.downgrade() {
            entries.insert(key.clone(), Entry { number, making: Box::new(weak) });
        }
        flight
    }

    /// One flight. Another one may have ended between the moment its starter looked and the moment it joined.
    async fn fly<F, E>(self, landing: Landing, make: F) -> Result<Arc<Proof>, E>
    where
        F: Future<Output = Result<Proof, E>> + Send,
    {
        if let Some(known) = self.known.get(&landing.key).await
            && self.clock.now().duration_since(known.since).unsigned_abs() < JUST_MADE
        {
            return Ok(known.proof);
        }
        let proof = Arc::new(make.await?);
        match proof.coverage {
            Coverage::Complete | Coverage::Bounded => self.keep(&landing.key, &proof).await,
            Coverage::Partial { .. } => {}
        }
        Ok(proof)
    }

    /// Keeps a proof. If the store fails, it is in memory nevertheless: it can be made again, so its loss is no harm.
    async fn keep(&self, key: &ProofKey, proof: &Arc<Proof>) {
        let text = match write(Arc::clone(proof)).await {
            Ok(text) => text,
            Err(error) => return tracing::error!(digest = %key.digest, %error, "cannot keep a proof"),
        };
        let known = Known { proof: Arc::clone(proof), since: self.clock.now(), weight: weight(&text) };
        self.known.insert(key.clone(), known).await;
        if let Err(error) = self.store.keep_proof(key, text).await {
            let cause = error.source().map(ToString::to_string);
            tracing::error!(digest = %key.digest, %error, cause, "cannot keep a proof, it is made again after a restart");
        }
    }
}

/// Text of a proof can be large, and reading or writing it slow: never on a thread that serves connections.
async fn write(proof: Arc<Proof>) -> Result<String, FactsError> {
    let text = spawn_blocking(move || serde_json::to_string(&*proof)).await.map_err(|_| FactsError::Stopped)?;
    Ok(text?)
}

/// Nothing if `text` is not what this version writes.
async fn read(text: String) -> Result<Option<Known>, FactsError> {
    let parse = move || {
        let proof: Proof = serde_json::from_str(&text).ok()?;
        Some(Known { since: proof.collected_at, proof: Arc::new(proof), weight: weight(&text) })
    };
    spawn_blocking(parse).await.map_err(|_| FactsError::Stopped)
}

fn weight(text: &str) -> u32 {
    let bytes = text.len().saturating_mul(MEMORY_PER_BYTE).saturating_add(ENTRY_OVERHEAD);
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Strikes a flight off the list when it ends, also when it is dropped.
struct Landing {
    flights: Arc<Flights>,
    key: ProofKey,
    number: u64,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut entries = self.flights.lock();
        if entries.get(&self.key).is_some_and(|entry| entry.number == self.number) {
            entries.remove(&self.key);
        }
    }
}

impl Flights {
    /// Nothing that can panic runs under this lock, and it is never held across an await.
    fn lock(&self) -> MutexGuard<'_, HashMap<ProofKey, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
