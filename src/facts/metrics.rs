//! What is counted about facts.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// The counters of this module.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    pub(super) proof: Lookups,
    pub(super) grant: Lookups,
    pub(super) resolution: Lookups,
}

/// Lookups of one kind, by outcome. Memory and database are one: a miss is what has to be asked for elsewhere.
#[derive(Debug, Clone)]
pub(super) struct Lookups {
    hit: IntCounter,
    miss: IntCounter,
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

impl Lookups {
    /// One vector for each cache, with the cache as a constant label: modules that share the name of the metric need
    /// not share code.
    fn register(cache: &str, registry: &Registry) -> Result<Self, prometheus::Error> {
        let options = Opts::new("bonafide_cache_lookups_total", "Lookups by cache, and whether it was there");
        let lookups = IntCounterVec::new(options.const_label("cache", cache), &["outcome"])?;
        registry.register(Box::new(lookups.clone()))?;
        Ok(Self { hit: lookups.with_label_values(&["hit"]), miss: lookups.with_label_values(&["miss"]) })
    }

    pub(super) fn count(&self, found: bool) {
        if found { self.hit.inc() } else { self.miss.inc() }
    }
}
