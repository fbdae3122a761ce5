//! What is counted about facts.

use prometheus::Registry;

use crate::lookups::Lookups;

/// The counters of this module.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    pub(super) proof: Lookups,
    pub(super) grant: Lookups,
    pub(super) resolution: Lookups,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            proof: Lookups::register("proof", registry)?,
            grant: Lookups::register("grant", registry)?,
            resolution: Lookups::register("resolution", registry)?,
        })
    }
}
