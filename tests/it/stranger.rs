//! What a stranger can do who may push to a repository, and may not sign: nothing beyond wasting a little time.

use bonafide::oci::Digest;
use http::StatusCode;
use serde_json::{Value, json};

use crate::support::authority::Authority;
use crate::support::authority::image::{OCI_CONFIG, OCI_MANIFEST, descriptor};
use crate::support::authority::publisher::Publisher;
use crate::support::authority::seed::{self, Release};
use crate::support::content::Repositories;
use crate::support::mirror::{Answer, Mirror, world};
use crate::support::registry::Registry;

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
    name = "open"
    images = ["docker.io/open/*"]
    mode = "allow"
"#;

struct World {
    registry: Registry,
    mirror: Mirror,
    repositories: Repositories,
    release: Release,
}

impl World {
    async fn new(publish: impl Fn(&Authority, &mut Repositories, &str, &str) -> Release) -> Self {
        let (authority, registry) = (Authority::new("corp"), Registry::start().await);
        let mut repositories = Repositories::default();
        let release = publish(&authority, &mut repositories, REPOSITORY, TAG);
        registry.publish(repositories.clone());
        let mirror = Mirror::start(&authority, &format!("{}{RULES}", world(&registry))).await;
        Self { registry, mirror, repositories, release }
    }

    async fn signed() -> Self {
        Self::new(seed::era_b).await
    }

    fn digest(&self) -> Digest {
        self.release.image.digest()
    }

    async fn manifest(&self, reference: impl std::fmt::Display) -> Answer {
        self.mirror.get(&format!("/v2/{REPOSITORY}/manifests/{reference}")).await
    }

    /// Attaches a manifest with one layer to the image, as anybody can.
    fn attach(&mut self, layer: Value) -> Digest {
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
    world.attach(descriptor("application/vnd.in-toto+json", &disguised));
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
    world.attach(described(descriptor("application/vnd.dev.cosign.simplesigning.v1+json", &junk), 1));
    world.repositories.push_blob(REPOSITORY, &junk);
    world.registry.publish(world.repositories.clone());
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
}

#[tokio::test]
async fn broken_evidence_is_left_out_of_the_referrers() {
    let junk = b"{\"junk\":true}";
    for (size, there) in [(1, true), (1000, true), (13, false)] {
        let mut world = World::signed().await;
        world.attach(described(descriptor(BUNDLE, junk), size));
        if there {
            world.repositories.push_blob(REPOSITORY, junk);
            world.registry.publish(world.repositories.clone());
        }
        let referrers = world.mirror.get(&format!("/v2/{REPOSITORY}/referrers/{}", world.digest())).await;
        assert_eq!(referrers.status, StatusCode::OK, "{size} {there}");
        assert_eq!(referrers.json()["manifests"].as_array().unwrap().len(), 2, "{size} {there}");
    }
}
