//! What is counted about content.

use prometheus::{IntCounter, Registry};

use crate::lookups::Lookups;

/// The counters of this module.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    pub(super) mismatches: IntCounter,
    pub(super) manifest: Lookups,
    pub(super) blob: Lookups,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let mismatches = IntCounter::new(
            "bonafide_digest_mismatches_total",
            "Contents, fetched or stored, whose bytes did not have their digest",
        )?;
        registry.register(Box::new(mismatches.clone()))?;
        Ok(Self {
            mismatches,
            manifest: Lookups::register("manifest", registry)?,
            blob: Lookups::register("blob", registry)?,
        })
    }
}
