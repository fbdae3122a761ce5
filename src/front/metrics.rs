//! What the front door counts. Labels are routes and statuses, never names or digests.

use http::StatusCode;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::front::Route;
use crate::listen::Counts;

#[derive(Debug)]
pub(in crate::front) struct Metrics {
    requests: IntCounterVec,
    /// Of these, manifests that were served: found once, since that is what there is most of.
    manifests: IntCounter,
    served_bytes: IntCounter,
    connections: Counts,
}

impl Metrics {
    pub(in crate::front) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = Opts::new("bonafide_requests_total", "Requests by what they asked for and the status answered");
        let requests = IntCounterVec::new(requests, &["route", "status"])?;
        let manifests = requests.with_label_values(&[MANIFEST, StatusCode::OK.as_str()]);
        let served_bytes = IntCounter::new("bonafide_served_bytes_total", "Bytes of bodies sent to clients")?;
        let open = IntGauge::new("bonafide_connections", "Connections of clients that are open")?;
        let stalled = IntCounter::new(
            "bonafide_connections_stalled_total",
            "Connections that were cut since their client took nothing of what it had asked for",
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(served_bytes.clone()))?;
        registry.register(Box::new(open.clone()))?;
        registry.register(Box::new(stalled.clone()))?;
        Ok(Self { requests, manifests, served_bytes, connections: Counts { open, stalled } })
    }

    pub(in crate::front) fn connections(&self) -> Counts {
        self.connections.clone()
    }

    pub(in crate::front) fn answered(&self, route: Option<&Route>, status: StatusCode) {
        match route {
            Some(Route::Manifest(_)) if status == StatusCode::OK => self.manifests.inc(),
            _ => self.requests.with_label_values(&[label(route), status.as_str()]).inc(),
        }
    }

    pub(in crate::front) fn served_bytes(&self) -> IntCounter {
        self.served_bytes.clone()
    }
}

const MANIFEST: &str = "manifest";

const fn label(route: Option<&Route>) -> &'static str {
    match route {
        Some(Route::Base) => "base",
        Some(Route::Manifest(_)) => MANIFEST,
        Some(Route::Blob { .. }) => "blob",
        Some(Route::Referrers { .. }) => "referrers",
        Some(Route::Tags { .. }) => "tags",
        None => "none",
    }
}
