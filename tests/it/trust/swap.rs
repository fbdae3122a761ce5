//! Trust that is swapped while the gate is open: the next decision is under the new one, and by nothing of the old.

use std::path::Path;
use std::sync::Arc;

use bonafide::clock::Clock;
use bonafide::config::{Config, Environment};
use bonafide::content::Library;
use bonafide::facts::Facts;
use bonafide::gate::{Gate, Parts, Refusal};
use bonafide::oci::Image;
use bonafide::trust::{Current, Trust};
use bonafide::upstream::{Proxy, RealPause, Surroundings, Upstreams};
use jiff::SignedDuration;
use prometheus::Registry as Metrics;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::support::authority::Authority;
use crate::support::authority::seed::{self, RULE};
use crate::support::content::Repositories;
use crate::support::mirror::{HandClock, world};
use crate::support::registry::Registry;

const IMAGE: &str = "docker.io/fystacklabs/apex:v1.2.3";

/// A gate before a registry with one release, signed by `authority`.
struct World {
    authority: Authority,
    registry: Registry,
    folder: TempDir,
    config: Config,
    gate: Gate,
    swap: watch::Sender<Arc<Trust>>,
}

impl World {
    async fn new() -> Self {
        let (authority, registry) = (Authority::new("corp"), Registry::start().await);
        let mut repositories = Repositories::default();
        seed::era_a(&authority, &mut repositories, "fystacklabs/apex", "v1.2.3");
        registry.publish(repositories);
        let folder = tempfile::tempdir().unwrap();
        let text = format!("[storage]\npath = \"storage\"\n{}{RULE}", world(&registry));
        let config = Config::parse(&text, "test", folder.path(), &Environment::default()).unwrap();
        authority.trusted_root().write_to(folder.path());
        let (swap, current) = Current::swappable(Trust::load(&config.trust, &config.keys).unwrap());
        let gate = gate(&authority, folder.path(), &text, current).await;
        Self { authority, registry, folder, config, gate, swap }
    }

    /// From now on `corp` is `authority`.
    fn trust(&self, authority: &Authority) {
        authority.trusted_root().write_to(self.folder.path());
        self.swap.send_replace(Arc::new(Trust::load(&self.config.trust, &self.config.keys).unwrap()));
    }

    async fn is_admitted(&self) -> bool {
        let image: Image = IMAGE.parse().unwrap();
        match self.gate.admit(&image).await {
            Ok(_) => true,
            Err(Refusal::Denied(_)) => false,
            Err(refusal) => panic!("{refusal:?}"),
        }
    }
}

async fn gate(authority: &Authority, folder: &Path, config: &str, trust: Current) -> Gate {
    let (metrics, tasks) = (Metrics::new(), TaskTracker::new());
    let config = Config::parse(config, "test", folder, &Environment::default()).unwrap();
    let now = authority.time().checked_add(SignedDuration::from_mins(1)).unwrap();
    let clock: Arc<dyn Clock> = HandClock::at(now);
    let surroundings = Surroundings { clock: Arc::clone(&clock), pause: Arc::new(RealPause), proxy: Proxy::none() };
    let parts = Parts {
        upstreams: Arc::new(Upstreams::within(&surroundings, &config.upstreams, &metrics).unwrap()),
        facts: Arc::new(Facts::open(&config.facts, Arc::clone(&clock), &metrics).await.unwrap()),
        content: Arc::new(Library::open(&config.content, Arc::clone(&clock), tasks, &metrics).await.unwrap()),
        policy: bonafide::current::Current::fixed(config.policy),
        trust,
        clock,
        cores: 1,
    };
    Gate::new(parts, &metrics).unwrap()
}

#[tokio::test]
async fn a_root_that_is_taken_away_is_missed_by_the_next_request() {
    let world = World::new().await;
    assert!(world.is_admitted().await);
    world.trust(world.authority.foreign());
    assert!(!world.is_admitted().await);
}

#[tokio::test]
async fn a_root_that_comes_is_used_by_the_next_request() {
    let world = World::new().await;
    world.trust(world.authority.foreign());
    assert!(!world.is_admitted().await);
    world.trust(&world.authority);
    assert!(world.is_admitted().await);
}

#[tokio::test]
async fn the_same_trust_again_needs_no_new_proof() {
    let world = World::new().await;
    assert!(world.is_admitted().await);
    let asked = world.registry.requests().len();
    world.trust(&world.authority);
    assert!(world.is_admitted().await);
    assert_eq!(world.registry.requests().len(), asked);
}
