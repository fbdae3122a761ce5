//! Addresses of names, by the resolver of this host: that it knows none says nothing of whom a name belongs to.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::{GaiAddrs, GaiResolver, Name};
use tower_service::Service;

/// The resolver of the system.
#[derive(Debug, Clone)]
pub(super) struct Resolver(GaiResolver);

/// It has no address for a name.
#[derive(Debug, thiserror::Error)]
#[error("this host finds no address of {name}")]
pub(super) struct Nameless {
    name: Name,
    source: io::Error,
}

impl Resolver {
    pub(super) fn new() -> Self {
        Self(GaiResolver::new())
    }
}

impl Service<Name> for Resolver {
    type Response = GaiAddrs;
    type Error = Nameless;
    type Future = Pin<Box<dyn Future<Output = Result<GaiAddrs, Nameless>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Nameless>> {
        // The system's is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let addresses = self.0.call(name.clone());
        Box::pin(async move { addresses.await.map_err(|source| Nameless { name, source }) })
    }
}
