//! The HTTP client behind the `Upstream` port, against a registry that fails, stalls, cuts and lies.

mod auth;
mod blobs;
mod lists;
mod manifests;
mod redirects;
mod way;
mod ways;
mod weather;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bonafide::clock::Clock;
use bonafide::oci::{RepositoryName, Tag};
use bonafide::upstream::{Pause, Proxy, Settings, Surroundings, Unavailable, UnavailableKind, Upstream, Upstreams};
use jiff::{SignedDuration, Timestamp};

use crate::support::registry::Registry;

/// What the registry holds: something like a manifest.
const MANIFEST: &str = r#"{"schemaVersion":2,"manifests":[]}"#;

/// An upstream with its registry, and the world around it in our hands.
struct Bed {
    registry: Registry,
    upstream: Arc<dyn Upstream>,
    pauses: Arc<Pauses>,
    clock: Arc<HandClock>,
    metrics: prometheus::Registry,
}

impl Bed {
    async fn new() -> Self {
        Self::with(Registry::start().await, |_| {})
    }

    /// `change` alters the settings of an upstream at `registry`.
    fn with(registry: Registry, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings("a.io", &registry.url());
        change(&mut settings);
        Self::through(Proxy::none(), registry, &settings)
    }

    fn through(proxy: Proxy, registry: Registry, settings: &Settings) -> Self {
        let clock = Arc::new(HandClock::default());
        let pauses = Arc::new(Pauses { made: Mutex::default(), clock: Arc::clone(&clock) });
        let pause: Arc<dyn Pause> = Arc::<Pauses>::clone(&pauses);
        let surroundings = Surroundings { clock: Arc::<HandClock>::clone(&clock), pause, proxy };
        let metrics = prometheus::Registry::new();
        let upstreams = Upstreams::within(&surroundings, std::slice::from_ref(settings), &metrics).unwrap();
        let upstream = upstreams.get(&settings.name).unwrap();
        Self { registry, upstream, pauses, clock, metrics }
    }

    /// How many requests contain `part`.
    fn asked(&self, part: &str) -> usize {
        self.registry.requests_to(part).len()
    }
}

fn settings(name: &str, url: &str) -> Settings {
    Settings::new(name.parse().unwrap(), url)
}

fn app() -> RepositoryName {
    "lib/app".parse().unwrap()
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

fn kind<T: std::fmt::Debug>(answer: Result<T, Unavailable>) -> UnavailableKind {
    answer.unwrap_err().kind
}

/// Moves the clock instead of waiting.
#[derive(Debug)]
struct Pauses {
    made: Mutex<Vec<Duration>>,
    clock: Arc<HandClock>,
}

impl Pauses {
    fn all(&self) -> Vec<Duration> {
        self.made.lock().unwrap().clone()
    }
}

#[async_trait]
impl Pause for Pauses {
    async fn rest(&self, duration: Duration) {
        self.made.lock().unwrap().push(duration);
        *self.clock.0.lock().unwrap() += duration;
    }
}

/// A clock moved by hand.
#[derive(Debug, Default)]
struct HandClock(Mutex<Timestamp>);

impl HandClock {
    fn advance(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap();
        *now += SignedDuration::from_secs(seconds);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

#[tokio::test]
async fn the_test_registry_comes_back_on_its_port() {
    let registry = Registry::start().await;
    let url = registry.url();
    registry.stop().await;
    assert!(tokio::net::TcpStream::connect(registry.host()).await.is_err());
    registry.restart().await;
    assert!(tokio::net::TcpStream::connect(registry.host()).await.is_ok());
    assert_eq!(registry.url(), url);
}
