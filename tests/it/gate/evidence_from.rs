//! `evidence_from`: evidence in another repository than the image's own, through the whole program.

use bonafide::oci::Digest;
use http::StatusCode;

use crate::hostile::{REPOSITORY, RULE, TAG, World, evidence_tags};
use crate::support::authority::image::Image;
use crate::support::authority::publisher::Publisher;
use crate::support::authority::signed::BundleVersion;
use crate::support::authority::statement::Statement;
use crate::support::content::Repositories;
use crate::support::mirror::world;
use crate::support::registry::{Fault, Referrers, Registry};

const SIGNATURES: &str = "acme/signatures";

/// A mirror of one registry that looks for evidence in another one too.
struct TwoPlaces {
    world: World,
    other: Registry,
}

impl TwoPlaces {
    async fn new() -> Self {
        Self::looking_in("evidence.example/acme/signatures").await
    }

    /// Evidence is looked for in `place`, which names the other one.
    async fn looking_in(place: &str) -> Self {
        let (registry, other) = (Registry::start().await, Registry::start().await);
        let config = config(&registry, &other, &format!("evidence_from = '{place}'\n"));
        Self { world: World::with_config(registry, &config).await, other }
    }

    /// Starts again without the other place, on the same storage.
    async fn without_the_other(self) -> Self {
        let Self { world, other } = self;
        let config = config(&world.registry, &other, "");
        Self { world: World { mirror: world.mirror.restart(&config).await, ..world }, other }
    }

    /// Publishes into the other place, beside what is there.
    fn publish<T>(&self, publish: impl FnOnce(&mut Publisher<'_>) -> T) -> T {
        self.publish_in(SIGNATURES, publish)
    }

    fn publish_in<T>(&self, repository: &str, publish: impl FnOnce(&mut Publisher<'_>) -> T) -> T {
        let mut repositories = Repositories::default();
        let published = publish(&mut Publisher::new(&mut repositories, repository));
        self.other.publish(repositories);
        published
    }

    /// Publishes an image, and the developer's signature of it in the other place: the old way.
    fn signed_elsewhere(&self) -> Digest {
        let digest = self.world.publish(|publisher| publisher.image(TAG, &Image::new("app")));
        self.publish(|publisher| publisher.signature(digest, &self.world.developer().sign(digest)));
        digest
    }

    async fn status(&self) -> StatusCode {
        self.world.manifest(TAG).await.status
    }
}

fn config(registry: &Registry, other: &Registry, setting: &str) -> String {
    let upstreams = world(registry).replace("default = true\n", &format!("default = true\n{setting}"));
    format!("{upstreams}[[upstream]]\nname = 'evidence.example'\nurl = '{}'\n{RULE}", other.url())
}

#[tokio::test]
async fn a_signature_that_is_only_where_evidence_is_kept_admits() {
    let places = TwoPlaces::new().await;
    places.signed_elsewhere();
    assert_eq!(places.status().await, StatusCode::OK);
}

#[tokio::test]
async fn a_bundle_that_is_only_where_evidence_is_kept_admits() {
    let (places, image) = (TwoPlaces::new().await, Image::new("app"));
    let digest = places.world.publish(|publisher| publisher.image(TAG, &image));
    let signature = places.world.developer().attest(&Statement::signature(digest));
    places.publish(|publisher| publisher.bundle(&image, &signature));
    assert_eq!(places.status().await, StatusCode::OK);
}

#[tokio::test]
async fn a_signature_elsewhere_counts_no_more_once_its_place_is_not_configured() {
    let places = TwoPlaces::new().await;
    let digest = places.signed_elsewhere();
    assert_eq!(places.status().await, StatusCode::OK);
    let places = places.without_the_other().await;
    assert_eq!(places.status().await, StatusCode::FORBIDDEN);
    assert_eq!(places.world.manifest(digest).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn while_the_place_of_evidence_cannot_be_asked_nothing_is_decided() {
    let places = TwoPlaces::new().await;
    places.signed_elsewhere();
    places.other.fault(SIGNATURES, Fault::Status(403));
    assert_eq!(places.status().await, StatusCode::SERVICE_UNAVAILABLE);
    places.other.clear_faults();
    assert_eq!(places.status().await, StatusCode::OK);
}

#[tokio::test]
async fn what_is_proven_in_its_own_repository_needs_no_other_place() {
    let places = TwoPlaces::new().await;
    places.world.signed(&Image::new("app"));
    places.other.fault(SIGNATURES, Fault::Status(403));
    assert_eq!(places.status().await, StatusCode::OK);
}

#[tokio::test]
async fn junk_where_evidence_is_kept_stops_no_good_image() {
    let (places, image) = (TwoPlaces::new().await, Image::new("app"));
    let digest = places.world.signed(&image);
    let [_, signatures, attestations, _] = evidence_tags(digest);
    places.other.push_manifest(SIGNATURES, Some(&signatures), "{ no manifest");
    places.other.push_manifest(SIGNATURES, Some(&attestations), image.manifest.clone());
    places
        .publish(|publisher| publisher.bundle(&image, &places.world.stranger().attest(&Statement::signature(digest))));
    assert_eq!(places.status().await, StatusCode::OK);
}

#[tokio::test]
async fn a_strangers_signature_where_evidence_is_kept_admits_nothing() {
    let places = TwoPlaces::new().await;
    let digest = places.world.publish(|publisher| publisher.image(TAG, &Image::new("app")));
    places.publish(|publisher| publisher.signature(digest, &places.world.stranger().sign(digest)));
    assert_eq!(places.status().await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn evidence_of_another_place_is_not_served_under_the_name_of_the_image() {
    let (places, image) = (TwoPlaces::new().await, Image::new("app"));
    let digest = places.signed_elsewhere();
    let signature = places.world.developer().attest(&Statement::signature(digest));
    let bundle = places.publish(|publisher| publisher.bundle(&image, &signature));
    assert_eq!(places.status().await, StatusCode::OK);
    let [_, signatures, ..] = evidence_tags(digest);
    assert_eq!(places.world.manifest(signatures).await.status, StatusCode::NOT_FOUND);
    assert_eq!(places.world.manifest(bundle).await.status, StatusCode::NOT_FOUND);
    assert_eq!(places.world.referrers(digest).await, []);
}

/// Attaches `count` bundles of junk to `image`.
fn junk(publisher: &mut Publisher<'_>, image: &Image, count: usize) {
    for number in 0..count {
        let text = format!("{{\"junk\":{number}}}");
        publisher.bundle_bytes(image, text.as_bytes(), BundleVersion::V0_3.media_type(), None);
    }
}

#[tokio::test]
async fn junk_in_one_place_hides_no_signature_in_the_other() {
    for is_elsewhere in [true, false] {
        let (places, image) = (TwoPlaces::new().await, Image::new("app"));
        let digest = places.world.publish(|publisher| publisher.image(TAG, &image));
        for registry in [&places.world.registry, &places.other] {
            registry.set_referrers(Referrers::Served);
        }
        let signature = places.world.developer().sign(digest);
        if is_elsewhere {
            places.world.publish(|publisher| junk(publisher, &image, 600));
            places.publish(|publisher| publisher.signature(digest, &signature));
        } else {
            places.publish(|publisher| junk(publisher, &image, 600));
            places.world.publish(|publisher| publisher.signature(digest, &signature));
        }
        assert_eq!(places.status().await, StatusCode::OK, "{is_elsewhere}");
    }
}

#[tokio::test]
async fn all_places_together_have_one_bound() {
    let (places, image) = (TwoPlaces::new().await, Image::new("app"));
    places.world.publish(|publisher| publisher.image(TAG, &image));
    for registry in [&places.world.registry, &places.other] {
        registry.set_referrers(Referrers::Served);
    }
    places.world.publish(|publisher| junk(publisher, &image, 600));
    places.publish(|publisher| junk(publisher, &image, 600));
    let answer = places.world.manifest(TAG).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let reasons = answer.json()["errors"][0]["detail"]["requirements"][0]["reasons"].to_string();
    assert!(reasons.contains("too-much"), "{reasons}");
    let manifests = |registry: &Registry| {
        registry.requests().iter().filter(|request| format!("{request:?}").contains("/manifests/sha256:")).count()
    };
    let asked = manifests(&places.world.registry) + manifests(&places.other);
    assert!((1024..1100).contains(&asked), "{asked} manifests");
}

/// A pipeline that pushes to one registry and signs the repository of the same name in another.
#[tokio::test]
async fn a_signature_in_the_repository_of_the_same_name_elsewhere_admits() {
    let places = TwoPlaces::looking_in("evidence.example/{repository}").await;
    let digest = places.world.publish(|publisher| publisher.image(TAG, &Image::new("app")));
    places.publish_in(REPOSITORY, |publisher| publisher.signature(digest, &places.world.developer().sign(digest)));
    assert_eq!(places.status().await, StatusCode::OK);
    let places = places.without_the_other().await;
    assert_eq!(places.status().await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_signature_in_a_repository_of_another_name_counts_for_no_image() {
    let places = TwoPlaces::looking_in("evidence.example/{repository}").await;
    let digest = places.signed_elsewhere();
    places.publish_in("acme/other", |publisher| publisher.signature(digest, &places.world.developer().sign(digest)));
    assert_eq!(places.status().await, StatusCode::FORBIDDEN);
    let (all, its) = (places.other.requests(), places.other.requests_to(&format!("/v2/{REPOSITORY}/")));
    assert!(!its.is_empty() && its.len() == all.len(), "no other repository is asked: {all:?}");
}

#[tokio::test]
async fn each_image_has_its_own_repository_of_the_same_name() {
    let places = TwoPlaces::looking_in("evidence.example/{repository}").await;
    let (signed, unsigned) = (Image::new("app"), Image::new("tool"));
    let digest = places.world.publish(|publisher| publisher.image(TAG, &signed));
    let other = places.world.publish_in("acme/tool", |publisher| publisher.image(TAG, &unsigned));
    for digest in [digest, other] {
        let signature = places.world.developer().sign(digest);
        places.publish_in(REPOSITORY, |publisher| publisher.signature(digest, &signature));
    }
    assert_eq!(places.status().await, StatusCode::OK);
    let tool = places.world.mirror.get("/v2/acme/tool/manifests/v1").await;
    assert_eq!(tool.status, StatusCode::FORBIDDEN, "its signature lies in the place of another image");
}

#[tokio::test]
async fn while_the_repository_of_the_same_name_cannot_be_asked_nothing_is_decided() {
    let places = TwoPlaces::looking_in("evidence.example/{repository}").await;
    places.world.publish(|publisher| publisher.image(TAG, &Image::new("app")));
    places.other.fault(REPOSITORY, Fault::Status(403));
    assert_eq!(places.status().await, StatusCode::SERVICE_UNAVAILABLE);
}
