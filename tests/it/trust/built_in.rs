//! A file in place of a root that is built in, for where there is no network.

use bonafide::trust::{DomainSettings, Trust};
use http::StatusCode;

use crate::hostile::{RULE, TAG, World as Served};
use crate::support::authority::image::Image;
use crate::support::mirror::world;
use crate::support::registry::Registry;
use crate::trust::World;

const PUBLIC_GOOD: &str = "trust = \"public-good\"";

/// Served with a rule that asks for `public-good`, whose root is that of the test authority if the domain is `named` so.
async fn served(named: &str) -> Served {
    let registry = Registry::start().await;
    let trust = world(&registry).replace("name = \"corp\"", &format!("name = \"{named}\""));
    let config = format!("{trust}{}", RULE.replace("trust = \"corp\"", PUBLIC_GOOD));
    Served::with_config(registry, &config).await
}

#[tokio::test]
async fn a_file_takes_the_place_of_a_root_that_is_built_in() {
    let world = served("public-good").await;
    world.signed(&Image::new("app"));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    let looks = "bonafide_trust_refreshes_total{domain=\"public-good\",outcome=\"failed\"}";
    world.mirror.refresh_trust().await;
    assert!(world.mirror.metric(looks).await == 0.0, "nothing is fetched in its place");
}

#[tokio::test]
async fn the_file_of_another_domain_takes_no_place() {
    let world = served("corp").await;
    world.signed(&Image::new("app"));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
}

/// The epoch of `public-good` by the file `root`, as settings say it.
fn by_file(world: &World, root: &str) -> (DomainSettings, Trust) {
    let path = world.folder.path().join("trusted_root.json");
    std::fs::write(&path, root).unwrap();
    let text = format!("name = 'public-good'\ntrusted_root = '{}'", path.display());
    let domain: DomainSettings = toml::from_str(&text).unwrap();
    let trust = Trust::load(std::slice::from_ref(&domain), &[]).unwrap();
    (domain, trust)
}

#[tokio::test]
async fn what_was_fetched_before_counts_no_more_once_there_is_a_file() {
    let world = World::new();
    let fetched = DomainSettings { name: "public-good".to_owned(), ..world.domain("url = 'http://tuf.test'") };
    let fresh = world.open(fetched).await.unwrap();
    fresh.now.ask().await;
    let (domain, other) = by_file(&world, &world.other_root());
    let (_, same) = by_file(&world, &world.root());
    assert_eq!(fresh.current.snapshot().epoch(), same.epoch(), "it was fetched");
    by_file(&world, &world.other_root());
    let asked = world.place.asked().len();
    let fresh = world.open(domain).await.unwrap();
    fresh.now.ask().await;
    assert_eq!(fresh.current.snapshot().epoch(), other.epoch());
    assert_eq!(world.place.asked().len(), asked, "and is not fetched again");
}

#[test]
fn what_signatures_must_come_with_stays_as_it_is_built_in() {
    let world = World::new();
    let (_, trust) = by_file(&world, &world.root());
    let (built_in, replaced) = (Trust::load(&[], &[]).unwrap(), trust);
    for name in ["public-good", "github"] {
        let [before, after] =
            [&built_in, &replaced].map(|trust| trust.domains().iter().find(|domain| domain.name() == name).unwrap());
        assert_eq!(before.transparency_log(), after.transparency_log());
        assert_eq!(before.certificate_timestamps(), after.certificate_timestamps());
    }
    assert_eq!(replaced.domains().len(), built_in.domains().len(), "none stands beside it");
}
