//! The operator's door: health, readiness and metrics. It must never show a secret, nor the content of an image.

mod readiness;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use prometheus::{Registry, TEXT_FORMAT, TextEncoder};
use schemars::JsonSchema;
use serde::Deserialize;

pub use readiness::{Latch, Readiness};

use crate::listen::{Answer, Body};

/// The `[admin]` table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where to listen. Whoever reaches it reads the metrics: keep it off the networks of clients.
    pub listen: SocketAddr,
}

/// Only this host, unless told otherwise.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5001);

const TEXT: &str = "text/plain; charset=utf-8";

impl Default for Settings {
    fn default() -> Self {
        Self { listen: LISTEN }
    }
}

/// Answers the operator.
#[derive(Debug)]
pub struct Admin {
    metrics: Registry,
    readiness: Arc<Readiness>,
}

/// What an operator can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    Health,
    Readiness,
    Metrics,
}

impl Admin {
    /// Answers with the metrics of `metrics`, and is ready when `readiness` is.
    pub const fn new(metrics: Registry, readiness: Arc<Readiness>) -> Self {
        Self { metrics, readiness }
    }

    fn respond(&self, method: &Method, path: &str) -> Response<Body> {
        let page = match path {
            "/healthz" => Page::Health,
            "/readyz" => Page::Readiness,
            "/metrics" => Page::Metrics,
            _ => return text(method, StatusCode::NOT_FOUND, TEXT, "not found\n".to_owned()),
        };
        if !matches!(*method, Method::GET | Method::HEAD) {
            return not_allowed();
        }
        match page {
            Page::Health => text(method, StatusCode::OK, TEXT, "ok\n".to_owned()),
            Page::Readiness => self.ready(method),
            Page::Metrics => self.metrics(method),
        }
    }

    fn ready(&self, method: &Method) -> Response<Body> {
        let waiting = self.readiness.waiting();
        if waiting.is_empty() {
            return text(method, StatusCode::OK, TEXT, "ready\n".to_owned());
        }
        text(method, StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("waiting for: {}\n", waiting.join(", ")))
    }

    fn metrics(&self, method: &Method) -> Response<Body> {
        match TextEncoder::new().encode_to_string(&self.metrics.gather()) {
            Ok(metrics) => text(method, StatusCode::OK, TEXT_FORMAT, metrics),
            Err(error) => {
                tracing::error!(%error, "the metrics cannot be written");
                text(method, StatusCode::INTERNAL_SERVER_ERROR, TEXT, "metrics cannot be written\n".to_owned())
            }
        }
    }
}

impl Answer for Admin {
    async fn answer(self: Arc<Self>, request: Request<Incoming>, _: IpAddr) -> Response<Body> {
        self.respond(request.method(), request.uri().path())
    }
}

fn text(method: &Method, status: StatusCode, media_type: &'static str, text: String) -> Response<Body> {
    let length = text.len();
    let mut response = Response::new(if method == Method::HEAD { Body::empty() } else { Body::whole(text) });
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

fn not_allowed() -> Response<Body> {
    let mut response = text(&Method::GET, StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".to_owned());
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use http_body_util::BodyExt;
    use prometheus::IntCounter;

    use super::*;

    fn admin() -> (Admin, Latch) {
        let registry = Registry::new();
        registry.register(Box::new(IntCounter::new("bonafide_tests_total", "Tests").unwrap())).unwrap();
        let mut readiness = Readiness::new();
        let latch = readiness.latch("front");
        (Admin::new(registry, Arc::new(readiness)), latch)
    }

    fn get(admin: &Admin, path: &str) -> (StatusCode, String) {
        let response = admin.respond(&Method::GET, path);
        let status = response.status();
        let body = response.into_body().collect().now_or_never().unwrap().unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn a_live_process_is_healthy() {
        assert_eq!(get(&admin().0, "/healthz"), (StatusCode::OK, "ok\n".to_owned()));
    }

    #[test]
    fn it_is_ready_while_every_latch_is_set() {
        let (admin, latch) = admin();
        assert_eq!(get(&admin, "/readyz"), (StatusCode::SERVICE_UNAVAILABLE, "waiting for: front\n".to_owned()));
        latch.set();
        assert_eq!(get(&admin, "/readyz").0, StatusCode::OK);
        latch.release();
        assert_eq!(get(&admin, "/readyz").0, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn the_metrics_are_prometheus_text() {
        let response = admin().0.respond(&Method::GET, "/metrics");
        assert_eq!(response.headers()[CONTENT_TYPE], "text/plain; version=0.0.4");
        assert!(get(&admin().0, "/metrics").1.contains("bonafide_tests_total 0"));
    }

    #[test]
    fn anything_else_is_not_there() {
        for path in ["/", "/metrics/", "/v2/", "/healthz/../metrics"] {
            assert_eq!(get(&admin().0, path).0, StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(admin().0.respond(&Method::POST, "/metrics").status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn a_head_is_a_get_without_its_body() {
        let response = admin().0.respond(&Method::HEAD, "/healthz");
        assert_eq!(response.headers()[CONTENT_LENGTH], "3");
        assert!(response.into_body().collect().now_or_never().unwrap().unwrap().to_bytes().is_empty());
    }
}
