//! Proofs in memory over the store, and the one flight in which each is made.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use moka::future::Cache;
use tokio::task::spawn_blocking;

use crate::clock::Clock;
use crate::facts::error::FactsError;
use crate::facts::flights::Flights;
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
    flights: Flights<ProofKey>,
}

#[derive(Debug, Clone)]
struct Known {
    proof: Arc<Proof>,
    since: Timestamp,
    weight: u32,
}

impl Proofs {
    pub(super) fn new(store: Arc<dyn FactStore>, clock: Arc<dyn Clock>) -> Self {
        let weight = |_: &ProofKey, known: &Known| known.weight;
        let known = Cache::builder().max_capacity(MEMORY).weigher(weight).build();
        Self { store, clock, known, flights: Flights::new() }
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
    pub(super) async fn make<F, E>(&self, key: &ProofKey, make: F) -> Result<Arc<Proof>, E>
    where
        F: Future<Output = Result<Proof, E>> + Send + 'static,
        E: Clone + Send + Sync + 'static,
    {
        self.flights.join(key, self.clone().fly(key.clone(), make)).await
    }

    /// One flight.
    async fn fly<F, E>(self, key: ProofKey, make: F) -> Result<Arc<Proof>, E>
    where
        F: Future<Output = Result<Proof, E>> + Send,
    {
        if let Some(known) = self.known.get(&key).await
            && self.clock.now().duration_since(known.since).unsigned_abs() < JUST_MADE
        {
            return Ok(known.proof);
        }
        let proof = Arc::new(make.await?);
        match proof.coverage {
            Coverage::Complete | Coverage::Bounded => self.keep(&key, &proof).await,
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
