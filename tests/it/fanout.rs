//! Many clients at once, and one question to the upstream: amplification is exactly one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bonafide::oci::Digest;
use futures_util::future::join_all;
use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::support::authority::Authority;
use crate::support::authority::image::Image;
use crate::support::authority::publisher::Publisher;
use crate::support::authority::seed::{self, RULE, Release};
use crate::support::content::Repositories;
use crate::support::mirror::{Mirror, world};
use crate::support::registry::{Fault, Registry};

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
