//! What is counted about upstreams.

use http::StatusCode;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// The counters of all upstreams.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    requests: IntCounterVec,
    fetched: IntCounterVec,
    concurrency: IntGaugeVec,
    resting: IntGaugeVec,
    quota: QuotaVecs,
}

#[derive(Debug, Clone)]
struct QuotaVecs {
    limit: IntGaugeVec,
    remaining: IntGaugeVec,
    window: IntGaugeVec,
}

/// The gauges of one address of an upstream.
#[derive(Debug)]
pub(super) struct WeatherMetrics {
    pub(super) upstream: String,
    pub(super) host: String,
    pub(super) concurrency: IntGauge,
    pub(super) resting: IntGauge,
    pub(super) quota: QuotaMetrics,
}

/// The gauges of the quota at one address; there once the address speaks of one.
#[derive(Debug)]
pub(super) struct QuotaMetrics {
    pub(super) upstream: String,
    host: String,
    vecs: QuotaVecs,
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
    /// It could not be sent from here.
    Unsent,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = Opts::new("bonafide_upstream_requests_total", "Requests to upstreams, by what they came to");
        let requests = IntCounterVec::new(requests, &["upstream", "status"])?;
        let fetched = Opts::new("bonafide_fetched_bytes_total", "Bytes of bodies that came from upstreams");
        let fetched = IntCounterVec::new(fetched, &["upstream"])?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(fetched.clone()))?;
        let gauge = |name: &str, help: &str| {
            let gauge = IntGaugeVec::new(Opts::new(name, help), &["upstream", "host"])?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let concurrency = gauge("bonafide_upstream_concurrency", "Requests that an upstream is sent at once at most")?;
        let resting = gauge("bonafide_upstream_resting", "Whether an upstream is left alone since it fails")?;
        let quota = QuotaVecs {
            limit: gauge("bonafide_upstream_quota", "Requests that an upstream allows in a window of time")?,
            remaining: gauge("bonafide_upstream_quota_remaining", "Requests that an upstream still allows")?,
            window: gauge("bonafide_upstream_quota_window_seconds", "The time that a quota is for")?,
        };
        Ok(Self { requests, fetched, concurrency, resting, quota })
    }

    /// Those of the address `host` of `upstream`.
    pub(super) fn weather(&self, upstream: &str, host: &str) -> WeatherMetrics {
        let (name, labels) = (upstream.to_owned(), [upstream, host]);
        WeatherMetrics {
            concurrency: self.concurrency.with_label_values(&labels),
            resting: self.resting.with_label_values(&labels),
            quota: QuotaMetrics { upstream: name.clone(), host: host.to_owned(), vecs: self.quota.clone() },
            upstream: name,
            host: host.to_owned(),
        }
    }

    pub(super) fn of(&self, name: &str) -> UpstreamMetrics {
        UpstreamMetrics {
            name: name.to_owned(),
            requests: self.requests.clone(),
            fetched: self.fetched.with_label_values(&[name]),
        }
    }
}

impl QuotaMetrics {
    /// How many requests it allows.
    pub(super) fn limit(&self) -> IntGauge {
        self.of(&self.vecs.limit)
    }

    /// How many are left.
    pub(super) fn remaining(&self) -> IntGauge {
        self.of(&self.vecs.remaining)
    }

    /// In how many seconds.
    pub(super) fn window(&self) -> IntGauge {
        self.of(&self.vecs.window)
    }

    fn of(&self, gauge: &IntGaugeVec) -> IntGauge {
        gauge.with_label_values(&[self.upstream.as_str(), self.host.as_str()])
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
            Self::Unsent => "unsent",
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
