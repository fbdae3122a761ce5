//! Many clients at once, and one question to the upstream: amplification is exactly one.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bonafide::clock::{Clock, SystemClock};
use bonafide::config::{Config, Environment};
use bonafide::content::Library;
use bonafide::facts::Facts;
use bonafide::gate::{Gate, Parts};
use bonafide::oci::Digest;
use bonafide::trust::Trust;
use bonafide::upstream::{Proxy, RealPause, Surroundings, Upstreams};
use futures_util::future::join_all;
use http::{Method, StatusCode};
use prometheus::Registry as Metrics;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::support::authority::Authority;
use crate::support::authority::image::Image;
use crate::support::authority::publisher::Publisher;
use crate::support::authority::seed::{self, RULE, Release};
use crate::support::content::Repositories;
use crate::support::mirror::{Mirror, world};
use crate::support::registry::{Fault, Recorded, Registry};

const REPOSITORY: &str = "fystacklabs/apex";
const OPEN: &str = "[[rule]]\nname = \"open\"\nimages = [\"docker.io/open/*\"]\nmode = \"allow\"\n";

struct World {
    registry: Registry,
    mirror: Mirror,
    release: Release,
}

impl World {
    async fn new() -> Self {
        let (authority, registry) = (Authority::new("corp"), Registry::start().await);
        let mut repositories = Repositories::default();
        let release = seed::era_b(&authority, &mut repositories, REPOSITORY, "v1.2.3");
        registry.publish(repositories);
        let mirror = Mirror::start(&authority, &format!("{}{RULE}", world(&registry))).await;
        Self { registry, mirror, release }
    }

    /// What the upstream was asked since, and how often each.
    fn asked(&self) -> BTreeMap<String, usize> {
        let mut asked = BTreeMap::new();
        for request in self.registry.requests() {
            *asked.entry(request.line()).or_default() += 1;
        }
        asked
    }
}

#[tokio::test]
async fn sixty_four_clients_of_a_cold_tag_ask_the_upstream_nothing_twice() {
    let world = World::new().await;
    let path = format!("/v2/{REPOSITORY}/manifests/v1.2.3");
    let answers = join_all((0..64).map(|_| world.mirror.get(&path))).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
    let twice: Vec<_> = world.asked().into_iter().filter(|(_, times)| *times > 1).collect();
    assert_eq!(twice, []);
    assert!((world.mirror.metric("bonafide_proving_seconds_count").await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn sixty_four_clients_of_a_cold_manifest_cost_one_fetch() {
    let world = World::new().await;
    world.mirror.get(&format!("/v2/{REPOSITORY}/manifests/v1.2.3")).await;
    world.registry.forget_requests();
    let child = world.release.image.children[0].digest();
    let path = format!("/v2/{REPOSITORY}/manifests/{child}");
    let answers = join_all((0..64).map(|_| world.mirror.get(&path))).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
    assert_eq!(world.asked(), BTreeMap::from([(format!("GET {path}"), 1)]));
}

/// A registry with one image, which is served without proof.
struct Open {
    registry: Registry,
    digest: Digest,
}

impl Open {
    async fn new() -> Self {
        let registry = Registry::start().await;
        let mut repositories = Repositories::default();
        let image = Image::with_layers("app", &[b"layer".to_vec()]);
        let digest = Publisher::new(&mut repositories, "open/app").image("v1", &image);
        registry.publish(repositories);
        Self { registry, digest }
    }

    /// A gate before it that knows nothing yet, and its folder.
    async fn gate(&self) -> (Gate, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let upstream = format!("[[upstream]]\nname = \"docker.io\"\nurl = \"{}\"\n", self.registry.url());
        let text = format!("[storage]\npath = \"storage\"\n{upstream}{OPEN}");
        let config = Config::parse(&text, "test", folder.path(), &Environment::default()).unwrap();
        let (clock, metrics): (Arc<dyn Clock>, _) = (Arc::new(SystemClock), Metrics::new());
        let surroundings = Surroundings { clock: Arc::clone(&clock), pause: Arc::new(RealPause), proxy: Proxy::none() };
        let content = Library::open(&config.content, Arc::clone(&clock), TaskTracker::new(), &metrics);
        let trust = Trust::load(&config.trust, &config.keys).unwrap();
        let parts = Parts {
            upstreams: Arc::new(Upstreams::within(&surroundings, &config.upstreams, &metrics).unwrap()),
            facts: Arc::new(Facts::open(&config.facts, Arc::clone(&clock), &metrics).await.unwrap()),
            content: Arc::new(content.await.unwrap()),
            policy: bonafide::current::Current::fixed(config.policy),
            trust: bonafide::trust::Current::swappable(trust).1,
            clock,
            cores: 1,
        };
        (Gate::new(parts, &metrics).unwrap(), folder)
    }

    /// Two clients pull `image`. One of them stands still until the other is served: after each of its steps in turn, until
    /// the one in which all is asked for, and each time before a gate that knows nothing yet. The upstream is asked for
    /// `expected`.
    async fn pulled_by_two(&self, image: &str, expected: &[String]) {
        let image = image.parse().unwrap();
        for steps in 1.. {
            self.registry.forget_requests();
            let (gate, _folder) = self.gate().await;
            let mut slow = pin!(pull(&gate, &image));
            let has_ended = drive(slow.as_mut(), steps).await;
            if has_ended || self.registry.requests().len() == expected.len() {
                assert!(steps > 1, "there was nothing to wait for");
                break;
            }
            timeout(Duration::from_mins(1), pull(&gate, &image)).await.expect("nobody waits for who stands still");
            slow.await;
            let asked: Vec<_> = self.registry.requests().iter().map(Recorded::line).collect();
            assert_eq!(asked, expected, "one stands still after {steps} steps");
        }
    }
}

async fn pull(gate: &Gate, image: &bonafide::oci::Image) {
    let admitted = gate.admit(image).await.unwrap();
    gate.manifest(&admitted).await.unwrap();
}

/// Polls `future` so many times, unless it ends before: whether it did.
async fn drive(mut future: Pin<&mut impl Future>, mut times: usize) -> bool {
    poll_fn(|context| {
        times -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if times == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn a_client_that_sees_late_that_a_manifest_is_not_kept_costs_no_second_fetch() {
    let open = Open::new().await;
    let expected = ["HEAD /v2/open/app/manifests/v1".into(), format!("GET /v2/open/app/manifests/{}", open.digest)];
    open.pulled_by_two("docker.io/open/app:v1", &expected).await;
}

#[tokio::test]
async fn a_client_that_sees_late_that_a_digest_was_never_seen_costs_no_second_fetch() {
    let open = Open::new().await;
    let expected = [format!("GET /v2/open/app/manifests/{}", open.digest)];
    open.pulled_by_two(&format!("docker.io/open/app@{}", open.digest), &expected).await;
}

#[tokio::test]
async fn whole_pulls_parts_and_looks_at_a_cold_blob_cost_one_fetch() {
    let world = World::new().await;
    world.mirror.get(&format!("/v2/{REPOSITORY}/manifests/v1.2.3")).await;
    let child = &world.release.image.children[0];
    world.mirror.get(&format!("/v2/{REPOSITORY}/manifests/{}", child.digest())).await;
    world.registry.forget_requests();
    let blob = child.blobs.last().unwrap();
    let path = format!("/v2/{REPOSITORY}/blobs/{}", Digest::of(blob));
    let asking = (0..64).map(|number| {
        let (mirror, path) = (&world.mirror, &path);
        async move {
            let headers: &[_] = if number % 4 == 1 { &[("range", "bytes=100-299")] } else { &[] };
            let method = if number % 4 == 2 { Method::HEAD } else { Method::GET };
            (number, mirror.ask(method, path, headers).await)
        }
    });
    for (number, answer) in join_all(asking).await {
        let expected = match number % 4 {
            1 => &blob[100..300],
            2 => &[],
            _ => &blob[..],
        };
        assert_eq!(answer.body, expected, "client {number}");
    }
    assert_eq!(world.asked(), BTreeMap::from([(format!("GET {path}"), 1)]));
}

/// Reads the head of an answer.
async fn head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// containerd asks for what it lacks up to the end, and leaves when it has enough.
#[tokio::test]
async fn a_client_of_an_open_range_of_a_cold_blob_leaves_and_the_fetch_goes_on() {
    let registry = Registry::start().await;
    let layer: Vec<u8> = (0..=250).cycle().take(3_000_000).collect();
    let image = Image::index(vec![Image::with_layers("app", std::slice::from_ref(&layer))]);
    let mut repositories = Repositories::default();
    Publisher::new(&mut repositories, "open/app").image("v1", &image);
    registry.publish(repositories);
    let config = format!("{}{OPEN}", world(&registry));
    let mirror = Mirror::start(&Authority::new("corp"), &config).await;
    mirror.get("/v2/open/app/manifests/v1").await;
    mirror.get(&format!("/v2/open/app/manifests/{}", image.children[0].digest())).await;
    registry.forget_requests();

    let go_on = Arc::new(Semaphore::new(0));
    registry.fault("GET /v2/open/app/blobs/", Fault::HeldAfter(layer.len() / 2, Arc::clone(&go_on)));
    let path = format!("/v2/open/app/blobs/{}", Digest::of(&layer));
    let mut client = TcpStream::connect(mirror.address()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: m\r\nrange: bytes=1000-\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut client).await.starts_with("HTTP/1.1 206"));
    let mut taken = vec![0; 100_000];
    client.read_exact(&mut taken).await.unwrap();
    assert!(taken == layer[1000..101_000]);
    drop(client);
    until(async || mirror.metric("bonafide_connections").await < 1.0).await;
    go_on.add_permits(1);
    until(async || mirror.content_file(Digest::of(&layer)).exists()).await;
    registry.stop().await;
    assert!(mirror.get(&path).await.body == layer);
    let asked: Vec<_> = registry.requests().iter().map(|request| (request.line(), request.header("range"))).collect();
    assert_eq!(asked, [(format!("GET {path}"), None)]);
}

async fn until(is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_mins(1), waiting).await.expect("it comes to that");
}
