//! `base_images = "judge"`: what an image was built from has to be admitted too.

use std::time::Duration;

use bonafide::oci::Digest;
use http::StatusCode;
use serde_json::{Value, json};

use crate::hostile::{REPOSITORY, TAG, World};
use crate::support::authority::identity::{Build, Identity};
use crate::support::authority::image::Image;
use crate::support::authority::statement::Statement;
use crate::support::registry::Fault;

const BUILDKIT: &str = "https://mobyproject.org/buildkit@v1";
pub(crate) const BASE: &str = "library/alpine";

/// What a builder attests of acme's images and of the platform's has its bases judged; others must be signed.
pub(crate) const RULES: &str = r#"
    [[builder]]
    name = "ci"
    id = "https://ci.example/*"
    issuer = "https://idp.example"
    subject = "ci@acme.example"
    level = 2

    [[rule]]
    name = "built"
    images = ["docker.io/acme/*", "docker.io/platform/*"]
    base_images = "judge"
    [rule.provenance]
    trust = "corp"
    builders = ["ci"]

    [[rule]]
    name = "base"
    images = ["docker.io/library/*"]
    [[rule.signature]]
    trust = "corp"
    issuer = "https://idp.example"
    subject = "dev@acme.example"
"#;

impl World {
    /// Publishes `image` as a build of `materials`.
    pub(crate) fn built(&self, repository: &str, image: &Image, materials: &[Value]) -> Digest {
        self.publish_in(repository, |publisher| publisher.image(TAG, image));
        self.attested(repository, image, BUILDKIT, materials)
    }

    pub(crate) fn attested(&self, repository: &str, image: &Image, build_type: &str, materials: &[Value]) -> Digest {
        self.attested_each(repository, image, build_type, &[materials])
    }

    /// The same with a provenance for each of `builds`.
    fn attested_each(&self, repository: &str, image: &Image, build_type: &str, builds: &[&[Value]]) -> Digest {
        let digest = image.digest();
        let build = Build::of("acme/app", "refs/tags/v1");
        let signer = self.authority.keyless(&Identity::email("ci@acme.example", "https://idp.example"));
        let provenances = builds.iter().map(|materials| {
            Statement::provenance_v0_2(digest, &build, "https://ci.example/1").with(|predicate| {
                predicate["buildType"] = json!(build_type);
                predicate["materials"] = json!(materials);
            })
        });
        self.publish_in(repository, |publisher| {
            for provenance in provenances {
                publisher.attestation(digest, &signer.attest(&provenance));
            }
        });
        digest
    }

    /// Publishes a base image, signed.
    pub(crate) fn base(&self) -> Image {
        let base = Image::new("alpine");
        let digest = self.publish_in(BASE, |publisher| publisher.image("3.20", &base));
        self.publish_in(BASE, |publisher| publisher.signature(digest, &self.developer().sign(digest)));
        base
    }

    /// That the app is refused, and why.
    pub(crate) async fn refused(&self) -> (String, String) {
        let answer = self.manifest(TAG).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{:?}", answer.body);
        let detail = &answer.json()["errors"][0]["detail"]["requirements"];
        let requirement = detail.as_array().unwrap().iter().find(|one| one["kind"] == "base-image").unwrap().clone();
        let reason = &requirement["reasons"][0];
        (reason["code"].as_str().unwrap().to_owned(), reason["text"].as_str().unwrap().to_owned())
    }
}

/// A material as `BuildKit` writes it.
pub(crate) fn material(name: &str, digest: Digest) -> Value {
    json!({ "uri": format!("pkg:docker/{name}@3.20?platform=linux%2Famd64"), "digest": { "sha256": digest.hex() } })
}

#[tokio::test]
async fn an_image_is_served_if_what_it_was_built_from_is_admitted() {
    let world = World::with_rule(RULES).await;
    let base = world.base();
    world.built(REPOSITORY, &Image::new("app"), &[material("alpine", base.digest())]);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    assert_eq!(world.blob(Digest::of(&Image::new("app").blobs[1])).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_image_is_refused_if_what_it_was_built_from_is() {
    let world = World::with_rule(RULES).await;
    let unsigned = Image::new("unsigned");
    world.publish_in(BASE, |publisher| publisher.image("3.20", &unsigned));
    for (name, digest, text) in [
        ("alpine", unsigned.digest(), "signature: no signature is published for it"),
        ("alpine", Digest::of(b"nowhere"), "is not at the upstream"),
        ("unruled/base", unsigned.digest(), "no rule is for docker.io/unruled/base"),
        ("ghcr.io/acme/base", unsigned.digest(), "upstream"),
        ("No%20Name", unsigned.digest(), "cannot be told"),
    ] {
        let world = World::with_rule(RULES).await;
        world.publish_in(BASE, |publisher| publisher.image("3.20", &unsigned));
        world.built(REPOSITORY, &Image::new("app"), &[material(name, digest)]);
        let (code, reason) = world.refused().await;
        assert_eq!(code, "base-image-unproven");
        assert!(reason.contains(text), "{reason}");
    }
}

#[tokio::test]
async fn a_base_image_that_is_revoked_takes_down_what_was_built_from_it() {
    let world = World::with_rule(RULES).await;
    let base = world.base();
    world.built(REPOSITORY, &Image::new("app"), &[material("alpine", base.digest())]);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    let revoked = format!("{RULES}\n[revoked]\ndigests = [\"{}\"]\n", base.digest());
    world.mirror.reconfigure(&world.config(&revoked), "applied").await;
    assert!(world.refused().await.1.contains("is revoked"));
    let layer = Digest::of(&Image::new("app").blobs[1]);
    assert_eq!(world.blob(layer).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_base_image_that_cannot_be_decided_is_a_503() {
    let world = World::with_rule(RULES).await;
    let base = world.base();
    world.built(REPOSITORY, &Image::new("app"), &[material("alpine", base.digest())]);
    world.registry.fault(&format!("sha256-{}.sig", base.digest().hex()), Fault::Status(503));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.registry.clear_faults();
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_base_image_without_a_digest_is_unproven() {
    let world = World::with_rule(RULES).await;
    world.base();
    world.built(REPOSITORY, &Image::new("app"), &[json!({ "uri": "pkg:docker/alpine@3.20" })]);
    assert!(world.refused().await.1.contains("without a digest"));
}

#[tokio::test]
async fn an_image_from_scratch_has_no_base_if_its_builder_would_have_named_one() {
    let world = World::with_rule(RULES).await;
    world.built(REPOSITORY, &Image::new("app"), &[]);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    let world = World::with_rule(RULES).await;
    world.publish(|publisher| publisher.image(TAG, &Image::new("app")));
    world.attested(REPOSITORY, &Image::new("app"), "https://example.com/make@v1", &[]);
    let (code, text) = world.refused().await;
    assert_eq!(code, "base-image-unproven");
    assert!(text.contains("https://example.com/make@v1") && text.contains("names no base image"), "{text}");
}

#[tokio::test]
async fn base_images_of_base_images_are_judged_by_their_own_rule() {
    for signed in [true, false] {
        let world = World::with_rule(RULES).await;
        let base = if signed { world.base() } else { Image::new("unsigned") };
        world.publish_in(BASE, |publisher| publisher.untagged(&base));
        let runtime = world.built("platform/runtime", &Image::new("runtime"), &[material("alpine", base.digest())]);
        world.built(REPOSITORY, &Image::new("app"), &[material("platform/runtime", runtime)]);
        let expected = if signed { StatusCode::OK } else { StatusCode::FORBIDDEN };
        assert_eq!(world.manifest(TAG).await.status, expected);
    }
}

#[tokio::test]
async fn images_that_are_said_to_be_built_from_each_other_are_unproven() {
    let world = World::with_rule(RULES).await;
    let (one, other) = (Image::new("one"), Image::new("other"));
    world.built("platform/one", &one, &[material("platform/other", other.digest())]);
    world.built("platform/other", &other, &[material("platform/one", one.digest())]);
    world.built(REPOSITORY, &Image::new("app"), &[material("platform/one", one.digest())]);
    assert!(world.refused().await.1.contains("built from itself"));
}

#[tokio::test]
async fn a_line_of_base_images_beyond_the_bound_is_unproven() {
    for (stacked, expected) in [(7, StatusCode::OK), (8, StatusCode::FORBIDDEN)] {
        let world = World::with_rule(RULES).await;
        let mut below = material("alpine", world.base().digest());
        for number in 0..stacked {
            let name = format!("platform/p{number}");
            below = material(&name, world.built(&name, &Image::new(&name), &[below]));
        }
        world.built(REPOSITORY, &Image::new("app"), &[below]);
        assert_eq!(world.manifest(TAG).await.status, expected, "{stacked}");
    }
}

#[tokio::test]
async fn more_base_images_than_the_bound_are_unproven() {
    let world = World::with_rule(RULES).await;
    let mut bases = vec![material("alpine", world.base().digest()); 70];
    world.built(REPOSITORY, &Image::new("app"), &bases);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK, "one image that is named often is judged once");
    let digest = json!({ "sha256": world.base().digest().hex() });
    bases.extend((0..64).map(|tag| json!({ "uri": format!("pkg:docker/alpine@{tag}"), "digest": digest })));
    world.built(REPOSITORY, &Image::new("other app"), &bases);
    world.mirror.clock.advance(Duration::from_hours(1));
    assert_eq!(world.refused().await.0, "too-much");
}

#[tokio::test]
async fn one_provenance_whose_base_images_are_admitted_is_enough() {
    let world = World::with_rule(RULES).await;
    let (base, app) = (world.base(), Image::new("app"));
    world.publish(|publisher| publisher.image(TAG, &app));
    let missing = |name: &[u8]| [material("alpine", Digest::of(name))];
    let builds = [&missing(b"nowhere")[..], &[material("alpine", base.digest())], &missing(b"nowhere either")];
    world.attested_each(REPOSITORY, &app, BUILDKIT, &builds);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_base_image_is_judged_under_the_tag_that_the_builder_asked_for() {
    let rules =
        RULES.replace("images = [\"docker.io/library/*\"]", "images = [\"docker.io/library/*\"]\ntags = [\"3.*\"]");
    let world = World::with_rule(&rules).await;
    let base = world.base();
    world.built(REPOSITORY, &Image::new("app"), &[material("alpine", base.digest())]);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_index_that_is_served_for_one_proven_image_is_no_base_image() {
    for (mode, is_index_signed, expected) in
        [("enforce", false, StatusCode::FORBIDDEN), ("enforce", true, StatusCode::OK), ("audit", false, StatusCode::OK)]
    {
        let children = format!("images = [\"docker.io/library/*\"]\nmode = \"{mode}\"\nindex = \"children\"");
        let world = World::with_rule(&RULES.replace("images = [\"docker.io/library/*\"]", &children)).await;
        let index = Image::multi_platform("alpine");
        world.publish_in(BASE, |publisher| publisher.image("3.20", &index));
        let signed = if is_index_signed { index.digest() } else { index.children[0].digest() };
        world.publish_in(BASE, |publisher| publisher.signature(signed, &world.developer().sign(signed)));
        world.built(REPOSITORY, &Image::new("app"), &[material("alpine", index.digest())]);
        assert_eq!(world.manifest(TAG).await.status, expected, "{mode} {is_index_signed}");
    }
}

#[tokio::test]
async fn a_repeated_request_judges_base_images_without_asking_anybody() {
    let world = World::with_rule(RULES).await;
    let base = world.base();
    world.built(REPOSITORY, &Image::new("app"), &[material("alpine", base.digest())]);
    world.manifest(TAG).await;
    world.registry.forget_requests();
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    assert_eq!(world.registry.requests().len(), 0);
}

#[tokio::test]
async fn of_a_base_image_that_is_refused_with_and_without_its_tag_the_more_telling_reason_is_told() {
    let rules =
        RULES.replace("images = [\"docker.io/library/*\"]", "images = [\"docker.io/library/*\"]\ntags = [\"3.*\"]");
    let world = World::with_rule(&rules).await;
    let unsigned = Image::new("unsigned");
    world.publish_in(BASE, |publisher| publisher.untagged(&unsigned));
    world.built(REPOSITORY, &Image::new("app"), &[material("alpine", unsigned.digest())]);
    let (_, text) = world.refused().await;
    assert!(text.contains("no signature is published for it") && !text.contains("no rule"), "{text}");
}
