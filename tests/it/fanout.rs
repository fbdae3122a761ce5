//! Many clients at once, and one question to the upstream: amplification is exactly one.

use std::collections::BTreeMap;

use bonafide::oci::Digest;
use futures_util::future::join_all;
use http::{Method, StatusCode};

use crate::support::authority::Authority;
use crate::support::authority::seed::{self, RULE, Release};
use crate::support::content::Repositories;
use crate::support::mirror::{Mirror, world};
use crate::support::registry::Registry;

const REPOSITORY: &str = "fystacklabs/apex";

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
