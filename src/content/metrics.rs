//! What is counted about content.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::content::breakage::Cause;
use crate::lookups::Lookups;

/// The counters of this module.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    failed: IntCounterVec,
    pub(super) mismatches: IntCounter,
    pub(super) unreadable: IntCounter,
    pub(super) unkept: IntCounter,
    pub(super) fetches: IntGauge,
    pub(super) bytes: IntGauge,
    pub(super) evicted: IntCounter,
    pub(super) scrubbed: IntCounter,
    pub(super) manifest: Lookups,
    pub(super) blob: Lookups,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let failed =
            Opts::new("bonafide_content_failed_total", "Fetches that broke off after their origin had answered");
        let failed = IntCounterVec::new(failed, &["cause"])?;
        for cause in Cause::ALL {
            failed.with_label_values(&[cause.label()]);
        }
        let mismatches = IntCounter::new(
            "bonafide_digest_mismatches_total",
            "Contents, fetched or stored, whose bytes did not have their digest",
        )?;
        let unreadable = IntCounter::new(
            "bonafide_content_unreadable_total",
            "Kept contents that could not be read: they are fetched again when asked for",
        )?;
        let unkept = IntCounter::new(
            "bonafide_content_unkept_total",
            "Contents that were served and could not be kept: the disk is full, read-only or broken",
        )?;
        let fetches = IntGauge::new("bonafide_content_fetches", "Contents that are being fetched")?;
        let bytes = IntGauge::new("bonafide_content_bytes", "Bytes of content kept, as far as is known")?;
        let evicted = IntCounter::new("bonafide_content_evicted_bytes_total", "Bytes of content evicted")?;
        let scrubbed = IntCounter::new(
            "bonafide_content_scrubbed_bytes_total",
            "Bytes of kept content hashed again in search of damage",
        )?;
        registry.register(Box::new(failed.clone()))?;
        registry.register(Box::new(mismatches.clone()))?;
        registry.register(Box::new(unreadable.clone()))?;
        registry.register(Box::new(unkept.clone()))?;
        registry.register(Box::new(fetches.clone()))?;
        registry.register(Box::new(bytes.clone()))?;
        registry.register(Box::new(evicted.clone()))?;
        registry.register(Box::new(scrubbed.clone()))?;
        Ok(Self {
            failed,
            mismatches,
            unreadable,
            unkept,
            fetches,
            bytes,
            evicted,
            scrubbed,
            manifest: Lookups::register("manifest", registry)?,
            blob: Lookups::register("blob", registry)?,
        })
    }

    /// The fetches that broke off by `cause`.
    pub(super) fn failed(&self, cause: Cause) -> IntCounter {
        self.failed.with_label_values(&[cause.label()])
    }
}
