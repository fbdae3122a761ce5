//! How often a cache had what it was asked for: one metric for all caches, whichever module keeps them.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// Lookups in one cache, by outcome. Memory and what is behind it are one: a miss is what has to be asked for elsewhere.
#[derive(Debug, Clone)]
pub struct Lookups {
    hit: IntCounter,
    miss: IntCounter,
}

impl Lookups {
    /// The lookups in `cache`, counted in `registry` as `bonafide_cache_lookups_total{cache,outcome}`.
    ///
    /// # Errors
    /// If `registry` counts a cache of that name already.
    pub fn register(cache: &str, registry: &Registry) -> Result<Self, prometheus::Error> {
        let options = Opts::new("bonafide_cache_lookups_total", "Lookups by cache, and whether it was there");
        let lookups = IntCounterVec::new(options.const_label("cache", cache), &["outcome"])?;
        registry.register(Box::new(lookups.clone()))?;
        Ok(Self { hit: lookups.with_label_values(&["hit"]), miss: lookups.with_label_values(&["miss"]) })
    }

    /// Counts one lookup.
    pub fn count(&self, found: bool) {
        if found { self.hit.inc() } else { self.miss.inc() }
    }
}
