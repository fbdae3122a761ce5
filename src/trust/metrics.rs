//! What is counted about trust, by domain: names out of the configuration.

use jiff::Timestamp;
use prometheus::{GaugeVec, IntCounterVec, Opts, Registry};

/// The metrics of all domains.
#[derive(Debug, Clone)]
pub(in crate::trust) struct Metrics {
    expires: GaugeVec,
    refreshed: GaugeVec,
    looks: IntCounterVec,
}

/// What ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::trust) enum Ending {
    /// What the repository says of the root.
    Metadata,
    /// What is in the root: its certificates, its keys.
    Root,
}

/// What a look at a repository came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::trust) enum Outcome {
    /// A root that was not there before.
    Changed,
    /// The one that was there.
    Unchanged,
    /// Nothing that can be trusted: the one that was there stays.
    Failed,
}

impl Metrics {
    pub(in crate::trust) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let expires = "When what a trusted root rests on ends: the metadata of its repository, or all that is in it";
        let expires = Opts::new("bonafide_trust_expires_timestamp_seconds", expires);
        let expires = GaugeVec::new(expires, &["domain", "what"])?;
        let refreshed = "When the trusted root was last found to be the newest";
        let refreshed = GaugeVec::new(Opts::new("bonafide_trust_refreshed_timestamp_seconds", refreshed), &["domain"])?;
        let looks = Opts::new("bonafide_trust_refreshes_total", "Looks for a newer trusted root, by what they came to");
        let looks = IntCounterVec::new(looks, &["domain", "outcome"])?;
        registry.register(Box::new(expires.clone()))?;
        registry.register(Box::new(refreshed.clone()))?;
        registry.register(Box::new(looks.clone()))?;
        Ok(Self { expires, refreshed, looks })
    }

    pub(in crate::trust) fn expires(&self, domain: &str, what: Ending, at: Timestamp) {
        self.expires.with_label_values(&[domain, what.label()]).set(seconds(at));
    }

    pub(in crate::trust) fn refreshed(&self, domain: &str, at: Timestamp) {
        self.refreshed.with_label_values(&[domain]).set(seconds(at));
    }

    pub(in crate::trust) fn count(&self, domain: &str, outcome: Outcome) {
        self.looks.with_label_values(&[domain, outcome.label()]).inc();
    }
}

impl Ending {
    const fn label(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Root => "root",
        }
    }
}

impl Outcome {
    const fn label(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
        }
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}
