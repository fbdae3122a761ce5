//! What is counted about feeds.

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

/// The metrics of this module.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    reads: IntCounterVec,
    pub(super) packages: IntGauge,
}

/// What came of reading a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It counts from now on.
    Read,
    /// What was read before still counts.
    Failed,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let reads =
            IntCounterVec::new(Opts::new("bonafide_feed_reads_total", "Times that a feed was read"), &["outcome"])?;
        let packages = IntGauge::new("bonafide_feed_packages", "Packages that feeds name, all feeds together")?;
        registry.register(Box::new(reads.clone()))?;
        registry.register(Box::new(packages.clone()))?;
        for outcome in [Outcome::Read, Outcome::Failed] {
            reads.with_label_values(&[outcome.name()]).inc_by(0);
        }
        Ok(Self { reads, packages })
    }

    pub(super) fn count(&self, outcome: Outcome) {
        self.reads.with_label_values(&[outcome.name()]).inc();
    }
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Failed => "failed",
        }
    }
}
