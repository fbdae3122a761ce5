//! What is counted about facts.

use prometheus::{IntCounter, Registry};

use crate::lookups::Lookups;

/// The counters of this module.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    pub(super) proof: Lookups,
    pub(super) grant: Lookups,
    pub(super) resolution: Lookups,
    pub(super) unkept: IntCounter,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let unkept = IntCounter::new(
            "bonafide_facts_unkept_total",
            "Facts that could not be written to the disk, only to memory",
        )?;
        registry.register(Box::new(unkept.clone()))?;
        Ok(Self {
            proof: Lookups::register("proof", registry)?,
            grant: Lookups::register("grant", registry)?,
            resolution: Lookups::register("resolution", registry)?,
            unkept,
        })
    }
}
