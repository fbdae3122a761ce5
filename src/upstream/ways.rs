//! The addresses of one upstream, in the order in which they are asked: the next one where the one before could not be.

use std::sync::Arc;

use crate::upstream::exchange::Exchange;
use crate::upstream::patience::Patience;
use crate::upstream::trouble::{Retry, Trouble};
use crate::upstream::{Unavailable, UnavailableKind};

/// All ways to one upstream.
#[derive(Debug)]
pub(super) struct Ways {
    name: String,
    exchanges: Vec<Arc<Exchange>>,
    patience: Patience,
}

impl Ways {
    pub(super) fn new(name: String, exchanges: Vec<Exchange>, patience: Patience) -> Self {
        Self { name, exchanges: exchanges.into_iter().map(Arc::new).collect(), patience }
    }

    /// What the first address answers to `question`, yes or no; after a pause all of them are asked again, if that may
    /// help.
    pub(super) async fn ask<T, F>(&self, question: impl Fn(Arc<Exchange>) -> F + Send + Sync) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Trouble>> + Send,
    {
        self.patience.persist(|| self.ask_once(&question)).await
    }

    async fn ask_once<T, F>(&self, question: &(impl Fn(Arc<Exchange>) -> F + Send + Sync)) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Trouble>> + Send,
    {
        let mut told: Option<Trouble> = None;
        for exchange in &self.exchanges {
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
