//! What is counted about upstreams.

use http::StatusCode;
use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// The counters of all upstreams.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    requests: IntCounterVec,
    fetched: IntCounterVec,
}

/// Those of one upstream.
#[derive(Debug, Clone)]
pub(super) struct UpstreamMetrics {
    name: String,
    requests: IntCounterVec,
    pub(super) fetched: IntCounter,
}

/// What a request came to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    /// An answer with this status.
    Answer(StatusCode),
    /// No connection, or one that broke before the answer.
    Broken,
    /// No answer in time.
    Late,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = Opts::new("bonafide_upstream_requests_total", "Requests to upstreams, by what they came to");
        let requests = IntCounterVec::new(requests, &["upstream", "status"])?;
        let fetched = Opts::new("bonafide_fetched_bytes_total", "Bytes of bodies that came from upstreams");
        let fetched = IntCounterVec::new(fetched, &["upstream"])?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(fetched.clone()))?;
        Ok(Self { requests, fetched })
    }

    pub(super) fn of(&self, name: &str) -> UpstreamMetrics {
        UpstreamMetrics {
            name: name.to_owned(),
            requests: self.requests.clone(),
            fetched: self.fetched.with_label_values(&[name]),
        }
    }
}

impl UpstreamMetrics {
    pub(super) fn count(&self, outcome: Outcome) {
        self.requests.with_label_values(&[self.name.as_str(), outcome.label()]).inc();
    }
}

impl Outcome {
    /// The statuses that an operator acts on by themselves, and classes of the others: an upstream cannot invent labels.
    const fn label(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Late => "late",
            Self::Answer(status) => match status.as_u16() {
                401 => "401",
                403 => "403",
                404 => "404",
                429 => "429",
                100..300 => "2xx",
                300..400 => "3xx",
                400..500 => "4xx",
                _ => "5xx",
            },
        }
    }
}
