//! What is counted about content.

use prometheus::{IntCounter, IntGauge, Registry};

use crate::lookups::Lookups;

/// The counters of this module.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    pub(super) mismatches: IntCounter,
    pub(super) bytes: IntGauge,
    pub(super) evicted: IntCounter,
    pub(super) scrubbed: IntCounter,
    pub(super) manifest: Lookups,
    pub(super) blob: Lookups,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let mismatches = IntCounter::new(
            "bonafide_digest_mismatches_total",
            "Contents, fetched or stored, whose bytes did not have their digest",
        )?;
        let bytes = IntGauge::new("bonafide_content_bytes", "Bytes of content kept, as far as is known")?;
        let evicted = IntCounter::new("bonafide_content_evicted_bytes_total", "Bytes of content evicted")?;
        let scrubbed = IntCounter::new(
            "bonafide_content_scrubbed_bytes_total",
            "Bytes of kept content hashed again in search of damage",
        )?;
        registry.register(Box::new(mismatches.clone()))?;
        registry.register(Box::new(bytes.clone()))?;
        registry.register(Box::new(evicted.clone()))?;
        registry.register(Box::new(scrubbed.clone()))?;
        Ok(Self {
            mismatches,
            bytes,
            evicted,
            scrubbed,
            manifest: Lookups::register("manifest", registry)?,
            blob: Lookups::register("blob", registry)?,
        })
    }
}
