//! Readiness: a set of latches, one for each part that must be up before clients are sent here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ready when every latch is set.
#[derive(Debug, Default)]
pub struct Readiness {
    latches: Vec<Latch>,
}

/// One part that must be up.
#[derive(Debug, Clone)]
pub struct Latch {
    name: &'static str,
    set: Arc<AtomicBool>,
}

impl Readiness {
    /// Readiness without any latch: ready.
    pub const fn new() -> Self {
        Self { latches: Vec::new() }
    }

    /// Adds a latch, not set yet.
    pub fn latch(&mut self, name: &'static str) -> Latch {
        let latch = Latch { name, set: Arc::new(AtomicBool::new(false)) };
        self.latches.push(latch.clone());
        latch
    }

    /// The names of the latches that are not set.
    pub fn waiting(&self) -> Vec<&'static str> {
        let waiting = self.latches.iter().filter(|latch| !latch.set.load(Ordering::Acquire));
        waiting.map(|latch| latch.name).collect()
    }
}

impl Latch {
    /// The part is up.
    pub fn set(&self) {
        self.set.store(true, Ordering::Release);
    }

    /// The part is up no more: it drains.
    pub fn release(&self) {
        self.set.store(false, Ordering::Release);
    }
}
