//! The addresses of one upstream, in the order in which they are asked: the next one where the one before could not be.

use std::sync::Arc;

use crate::clock::Clock;
use crate::oci::Digest;
use crate::upstream::exchange::{Answer, Exchange};
use crate::upstream::patience::Patience;
use crate::upstream::trouble::{Retry, Trouble};
use crate::upstream::turns::Turns;
use crate::upstream::{Unavailable, UnavailableKind};

/// All ways to one upstream.
#[derive(Debug)]
pub(super) struct Ways {
    name: String,
    exchanges: Vec<Arc<Exchange>>,
    patience: Patience,
    turns: Turns,
    clock: Arc<dyn Clock>,
}

impl Ways {
    pub(super) fn new(name: String, exchanges: Vec<Exchange>, patience: Patience, clock: Arc<dyn Clock>) -> Self {
        let exchanges = exchanges.into_iter().map(Arc::new).collect();
        Self { name, exchanges, patience, turns: Turns::default(), clock }
    }

    /// What the first address answers to `question`, yes or no; after a pause all of them are asked again, if that may
    /// help.
    pub(super) async fn ask<T, F>(&self, question: impl Fn(Arc<Exchange>) -> F + Send + Sync) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Trouble>> + Send,
    {
        self.patience.persist(|| self.ask_once(&self.exchanges, &question)).await
    }

    /// The same for the blob `digest`, whole or from some offset on, in the order that the bytes sent before suggest.
    pub(super) async fn ask_for_blob<F>(
        &self,
        digest: Digest,
        question: impl Fn(Arc<Exchange>) -> F + Send + Sync,
    ) -> Result<Option<(Arc<Exchange>, Answer)>, Trouble>
    where
        F: Future<Output = Result<Option<(Arc<Exchange>, Answer)>, Trouble>> + Send,
    {
        let order = self.turns.order(digest, self.exchanges.len(), self.clock.now());
        let exchanges: Vec<_> = order.into_iter().filter_map(|at| self.exchanges.get(at).cloned()).collect();
        self.patience.persist(|| self.ask_once(&exchanges, &question)).await
    }

    /// `exchange` begins to send the blob `digest`.
    pub(super) fn begins(&self, exchange: &Arc<Exchange>, digest: Digest) {
        if let Some(address) = self.exchanges.iter().position(|one| Arc::ptr_eq(one, exchange)) {
            self.turns.begun(digest, address, self.clock.now());
        }
    }

    /// Whoever began to send the blob `digest` last sent wrong bytes.
    pub(super) fn blob_was_wrong(&self, digest: Digest) {
        self.turns.was_wrong(digest, self.clock.now());
    }

    async fn ask_once<T, F>(
        &self,
        exchanges: &[Arc<Exchange>],
        question: &(impl Fn(Arc<Exchange>) -> F + Send + Sync),
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Trouble>> + Send,
    {
        let mut told: Option<Trouble> = None;
        for exchange in exchanges {
            match question(Arc::clone(exchange)).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => {
                    let trouble = self.placed(trouble, exchange);
                    // What went wrong says more than that nothing was tried.
                    told = told.filter(|told| told.kind != UnavailableKind::Resting).or(Some(trouble));
                }
            }
        }
        Err(told.unwrap_or_else(|| Trouble::new(UnavailableKind::Connect, "it has no address", Retry::Never)))
    }

    /// How often, and after which pauses, one of them is asked again.
    pub(super) const fn patience(&self) -> &Patience {
        &self.patience
    }

    pub(super) fn unavailable(&self, trouble: Trouble) -> Unavailable {
        trouble.of_upstream(&self.name)
    }

    /// With the host, where there are several.
    fn placed(&self, trouble: Trouble, exchange: &Exchange) -> Trouble {
        if self.exchanges.len() > 1 { trouble.at(exchange.base.host_and_port()) } else { trouble }
    }
}
