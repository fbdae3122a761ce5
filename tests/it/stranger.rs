//! What a stranger can do who may push to a repository, and may not sign: nothing beyond wasting a little time.

use std::time::Duration;

use bonafide::oci::Digest;
use http::StatusCode;
use serde_json::{Value, json};

use crate::support::authority::Authority;
use crate::support::authority::image::{Image, OCI_CONFIG, OCI_MANIFEST, descriptor};
use crate::support::authority::publisher::Publisher;
use crate::support::authority::seed::{self, Release};
use crate::support::content::Repositories;
use crate::support::mirror::{Answer, Mirror, world};
use crate::support::registry::{Fault, Registry};

const REPOSITORY: &str = "acme/app";
const TAG: &str = "v1.2.3";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const DSSE: &str = "application/vnd.dsse.envelope.v1+json";

const RULES: &str = r#"
    [[rule]]
    name = "signed"
    images = ["docker.io/acme/*"]

    [[rule.signature]]
    trust = "corp"
    issuer = "https://token.actions.githubusercontent.com"
    subject = "https://github.com/fystack/slsa-workflows/.github/workflows/docker-build-slsa.yml@refs/tags/v*"
    source_repository = "https://github.com/fystack/apex"

    [rule.sbom]
    deny_packages = ["pkg:npm/axios@1.14.1"]

    [[rule]]
    name = "released"
    images = ["docker.io/released/*"]
    tags = ["v*"]

    [[rule.signature]]
    trust = "corp"
    issuer = "https://token.actions.githubusercontent.com"
    subject = "https://github.com/fystack/*"

    [[rule]]
    name = "open"
    images = ["docker.io/open/*"]
    mode = "allow"
"#;

struct World {
    registry: Registry,
    mirror: Mirror,
    repositories: Repositories,
    release: Release,
    config: String,
}

impl World {
    async fn new(publish: impl Fn(&Authority, &mut Repositories, &str, &str) -> Release) -> Self {
        let (authority, registry) = (Authority::new("corp"), Registry::start().await);
        let mut repositories = Repositories::default();
        let release = publish(&authority, &mut repositories, REPOSITORY, TAG);
        registry.publish(repositories.clone());
        let config = format!("{}{RULES}", world(&registry));
        let mirror = Mirror::start(&authority, &config).await;
        Self { registry, mirror, repositories, release, config }
    }

    async fn signed() -> Self {
        Self::new(seed::era_b).await
    }

    async fn unsigned() -> Self {
        Self::new(|_, repositories, repository, tag| seed::unsigned(repositories, repository, tag)).await
    }

    fn digest(&self) -> Digest {
        self.release.image.digest()
    }

    async fn manifest(&self, reference: impl std::fmt::Display) -> Answer {
        self.mirror.get(&format!("/v2/{REPOSITORY}/manifests/{reference}")).await
    }

    /// Attaches a manifest with one layer to the image, as anybody can.
    fn attach(&mut self, layer: &Value) -> Digest {
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": BUNDLE,
            "config": descriptor(EMPTY, b"{}"), "layers": [layer],
            "subject": descriptor(self.release.image.media_type, &self.release.image.manifest),
        });
        self.repositories.push_blob(REPOSITORY, b"{}");
        let mut publisher = Publisher::new(&mut self.repositories, REPOSITORY);
        let digest = publisher.referrer(self.release.image.digest(), &serde_json::to_vec(&manifest).unwrap(), EMPTY);
        self.registry.publish(self.repositories.clone());
        digest
    }
}

fn described(mut descriptor: Value, size: u64) -> Value {
    descriptor["size"] = json!(size);
    descriptor
}

#[tokio::test]
async fn a_document_that_is_also_a_manifest_opens_no_image() {
    let mut world = World::signed().await;
    let program = [0x1f, 0x8b, 0x08, 0x00, 0x7f, b'E', b'L', b'F'];
    let disguised = serde_json::to_vec(&json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, b"{}"), "layers": [descriptor(DSSE, &program)],
    }))
    .unwrap();
    world.attach(&descriptor("application/vnd.in-toto+json", &disguised));
    world.repositories.push_blob(REPOSITORY, &disguised);
    world.repositories.push_blob(REPOSITORY, &program);
    let tag = format!("sha256-{}.sig", world.digest().hex());
    world.repositories.push_manifest(REPOSITORY, Some(&tag), &disguised);
    world.registry.publish(world.repositories.clone());
    let referrers = world.mirror.get(&format!("/v2/{REPOSITORY}/referrers/{}", world.digest())).await;
    assert_eq!(referrers.json()["manifests"].as_array().unwrap().len(), 3, "the document is evidence");
    assert_eq!(world.manifest(&tag).await.status, StatusCode::NOT_FOUND);
    let blob = world.mirror.get(&format!("/v2/{REPOSITORY}/blobs/{}", Digest::of(&program))).await;
    assert_eq!(blob.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn evidence_that_is_larger_than_it_says_holds_up_nothing() {
    let mut world = World::signed().await;
    let junk = vec![b' '; 9 * 1024 * 1024];
    world.attach(&described(descriptor("application/vnd.dev.cosign.simplesigning.v1+json", &junk), 1));
    world.repositories.push_blob(REPOSITORY, &junk);
    world.registry.publish(world.repositories.clone());
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
}

#[tokio::test]
async fn broken_evidence_is_left_out_of_the_referrers() {
    let junk = b"{\"junk\":true}";
    for (size, there) in [(1, true), (1000, true), (13, false)] {
        let mut world = World::signed().await;
        world.attach(&described(descriptor(BUNDLE, junk), size));
        if there {
            world.repositories.push_blob(REPOSITORY, junk);
            world.registry.publish(world.repositories.clone());
        }
        let referrers = world.mirror.get(&format!("/v2/{REPOSITORY}/referrers/{}", world.digest())).await;
        assert_eq!(referrers.status, StatusCode::OK, "{size} {there}");
        assert_eq!(referrers.json()["manifests"].as_array().unwrap().len(), 2, "{size} {there}");
    }
}

#[tokio::test]
async fn an_old_refusal_is_not_repeated_while_the_evidence_cannot_be_asked_for() {
    let world = World::unsigned().await;
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
    world.registry.fault(".sig", Fault::Status(403));
    world.mirror.clock.advance(Duration::from_hours(1));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.registry.clear_faults();
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn evidence_is_collected_once_a_request_however_many_tags_a_digest_has() {
    let mut world = World::unsigned().await;
    for tag in ["v1", "v2", "v3", "v4"] {
        world.repositories.push_manifest(REPOSITORY, Some(tag), &world.release.image.manifest);
        world.registry.publish(world.repositories.clone());
        assert_eq!(world.manifest(tag).await.status, StatusCode::FORBIDDEN);
    }
    world.registry.fault(".att", Fault::Status(403));
    world.mirror.clock.advance(Duration::from_hours(1));
    world.registry.forget_requests();
    assert_eq!(world.manifest(world.digest()).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.registry.requests_to(".att").len(), 1);
}

#[tokio::test]
async fn a_digest_is_not_refused_while_a_tag_that_it_was_seen_under_is_undecided() {
    let world = World::unsigned().await;
    let mut repositories = Repositories::default();
    let digest = Publisher::new(&mut repositories, "released/app").image("v1", &Image::new("released"));
    world.registry.publish(repositories);
    world.registry.fault(".att", Fault::Status(403));
    for reference in ["v1".to_owned(), digest.to_string()] {
        let answer = world.mirror.get(&format!("/v2/released/app/manifests/{reference}")).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{reference}");
    }
}

#[tokio::test]
async fn a_child_is_not_refused_while_its_root_is_undecided() {
    let mut world = World::signed().await;
    let child = world.release.image.children[0].digest();
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    // Other trust: everything is to be proven again.
    world.config.push_str("[[trust]]\nname = \"other\"\ntrusted_root = \"trusted_root.json\"\n");
    world.mirror = world.mirror.restart(&world.config).await;
    let index = world.digest();
    world.registry.fault(&format!("referrers/{index}"), Fault::Status(403));
    assert_eq!(world.manifest(child).await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.registry.clear_faults();
    assert_eq!(world.manifest(child).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_known_from_one_repository_is_not_served_as_another_ones() {
    let world = World::unsigned().await;
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
    let elsewhere = format!("/v2/open/app/manifests/{}", world.digest());
    assert_eq!(world.mirror.get(&elsewhere).await.status, StatusCode::NOT_FOUND);
    let mut repositories = Repositories::default();
    Publisher::new(&mut repositories, "open/app").image("v1", &world.release.image);
    world.registry.publish(repositories);
    // A no is remembered for a moment.
    world.mirror.clock.advance(Duration::from_secs(10));
    assert_eq!(world.mirror.get(&elsewhere).await.status, StatusCode::OK);
    world.registry.stop().await;
    assert_eq!(world.mirror.get(&elsewhere).await.status, StatusCode::OK, "asked for once");
}

#[tokio::test]
async fn an_image_of_a_repository_is_served_by_its_tag_alone() {
    let world = World::unsigned().await;
    let mut repositories = Repositories::default();
    let image = Image::new("open");
    Publisher::new(&mut repositories, "open/app").image("v1", &image);
    world.registry.publish(repositories);
    assert_eq!(world.mirror.get("/v2/open/app/manifests/v1").await.status, StatusCode::OK);
    world.registry.stop().await;
    assert_eq!(world.mirror.get(&format!("/v2/open/app/manifests/{}", image.digest())).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_made_up_digest_hides_no_layer_of_an_image_that_is_admitted_next() {
    let world = World::unsigned().await;
    let mut repositories = Repositories::default();
    let (first, second) = (Image::multi_platform("first"), Image::multi_platform("second"));
    let mut publisher = Publisher::new(&mut repositories, "open/app");
    publisher.image("v1", &first);
    publisher.image("v2", &second);
    world.registry.publish(repositories);
    let blob = |bytes: &[u8]| format!("/v2/open/app/blobs/{}", Digest::of(bytes));
    world.mirror.head("/v2/open/app/manifests/v1").await;
    assert_eq!(world.mirror.get(&blob(b"made up")).await.status, StatusCode::FORBIDDEN);
    world.mirror.head("/v2/open/app/manifests/v2").await;
    assert_eq!(world.mirror.get(&blob(&second.children[0].blobs[0])).await.status, StatusCode::OK);
}
