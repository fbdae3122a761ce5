//! Proofs in memory over the store, and the one flight in which each is made.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::spawn_blocking;

use crate::clock::Clock;
use crate::facts::error::FactsError;
use crate::facts::held::{Held, Known};
use crate::facts::store::{FactStore, ProofKey};
use crate::flights::Flights;
use crate::verify::{Coverage, Proof, Signers};

/// What a package costs in memory beside its text: its place in the list, and names, versions and licences of their own.
const PER_PACKAGE: usize = 128;
/// How young a proof must be to be taken for the one that the caller wants made: it was made between the moment the
/// caller looked and the moment it asked.
const JUST_MADE: Duration = Duration::from_secs(1);

/// Proofs, known and in the making. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(super) struct Proofs {
    store: Arc<dyn FactStore>,
    clock: Arc<dyn Clock>,
    held: Arc<Held>,
    signers: Arc<Signers>,
    flights: Flights<ProofKey>,
}

impl Proofs {
    pub(super) fn new(store: Arc<dyn FactStore>, clock: Arc<dyn Clock>, held: Arc<Held>) -> Self {
        Self { store, clock, held, signers: Arc::default(), flights: Flights::new() }
    }

    pub(super) async fn get(&self, key: &ProofKey) -> Result<Option<Arc<Proof>>, FactsError> {
        if let Some(known) = self.held.proof(key) {
            return Ok(Some(known.proof));
        }
        let Some(text) = self.store.proof(key).await? else { return Ok(None) };
        let Some(known) = self.read(text).await?.filter(|known| known.proof.subject == key.digest) else {
            tracing::warn!(digest = %key.digest, "a stored proof cannot be read, it is made again");
            return Ok(None);
        };
        // What was found where nobody looks any more counts no more.
        if *known.proof.elsewhere != *key.elsewhere {
            return Ok(None);
        }
        Ok(Some(self.held.proof_or(key, &known)))
    }

    /// Nothing if `text` is not what this version writes.
    async fn read(&self, text: String) -> Result<Option<Known>, FactsError> {
        let signers = Arc::clone(&self.signers);
        let parse = move || {
            let proof = serde_json::from_str::<Proof>(&text).ok()?.compact(&signers);
            let (since, weight) = (proof.collected_at.as_millisecond(), weight(&text, &proof));
            Some(Known { proof: Arc::new(proof), since, weight })
        };
        spawn_blocking(parse).await.map_err(|_| FactsError::Stopped)
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
        if let Some(known) = self.held.proof(&key)
            && is_just_made(&known, self.clock.now())
        {
            return Ok(known.proof);
        }
        let proof = Arc::new(make.await?.compact(&self.signers));
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
        let since = self.clock.now().as_millisecond();
        self.held.set_proof(key, &Known { proof: Arc::clone(proof), since, weight: weight(&text, proof) });
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

fn is_just_made(known: &Known, now: Timestamp) -> bool {
    u128::from(now.as_millisecond().abs_diff(known.since)) < JUST_MADE.as_millis()
}

/// The bytes that `proof` takes in memory, whose text is `text`: hardly ever more.
fn weight(text: &str, proof: &Proof) -> u32 {
    let bills = proof.facts.iter().filter_map(|fact| fact.claim().sbom());
    let packages: usize = bills.map(|sbom| sbom.packages.len()).sum();
    u32::try_from(packages.saturating_mul(PER_PACKAGE).saturating_add(text.len())).unwrap_or(u32::MAX)
}
