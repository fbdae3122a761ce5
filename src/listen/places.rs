//! The places that a listener has for connections: each open one takes one, and where none is left, those that idle make room.

use std::sync::Arc;

use prometheus::IntGauge;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, watch};
use tracing::{info, warn};

/// Of how many places one must be free until connections may idle as long as ever: some, so that who comes next is not told
/// to wait again at once, and those that are open are not woken for each.
const ENOUGH: usize = 16;

/// What all connections of a listener are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::listen) enum Phase {
    /// Take requests.
    Open,
    /// The same, but who has none makes room.
    Full,
    /// Take no more requests.
    Stopping,
    /// End.
    Cut,
}

/// The places of one listener.
#[derive(Debug)]
pub(in crate::listen) struct Places {
    free: Arc<Semaphore>,
    all: usize,
    open: Option<IntGauge>,
}

/// One place. It is free again once this is dropped.
#[derive(Debug)]
pub(in crate::listen) struct Place {
    _free: OwnedSemaphorePermit,
    open: Option<IntGauge>,
}

impl Places {
    /// As many as `all`, counted in `open` when they are taken.
    pub(in crate::listen) fn new(all: usize, open: Option<IntGauge>) -> Self {
        Self { free: Arc::new(Semaphore::new(all)), all, open }
    }

    /// Room for the next connection, as soon as there is some. The connections that there are learn of `phase` whether to make
    /// it.
    ///
    /// # Errors
    /// Never: places are not taken away.
    pub(in crate::listen) async fn room(
        &self,
        phase: &watch::Sender<Phase>,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        if self.free.available_permits() == 0 && phase.send_replace(Phase::Full) == Phase::Open {
            warn!(connections = self.all, "no place for another connection: those that idle are closed, others wait");
        }
        // Waiting before the next is accepted leaves the queue to the kernel, which bounds it.
        let room = Arc::clone(&self.free).acquire_owned().await?;
        let is_enough = self.free.available_permits() >= self.all / ENOUGH;
        if is_enough && phase.send_if_modified(|phase| std::mem::replace(phase, Phase::Open) == Phase::Full) {
            info!("there are places for connections again");
        }
        Ok(room)
    }

    /// `room` is taken.
    pub(in crate::listen) fn taken(&self, room: OwnedSemaphorePermit) -> Place {
        if let Some(open) = &self.open {
            open.inc();
        }
        Place { _free: room, open: self.open.clone() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(open) = &self.open {
            open.dec();
        }
    }
}
