//! `base_images = "judge"`: what a bill of materials says that an image was built from has to be admitted too.

use std::time::Duration;

use bonafide::oci::Digest;
use http::StatusCode;
use serde_json::{Value, json};

use crate::gate::bases::{BASE, RULES, material};
use crate::hostile::{REPOSITORY, TAG, World};
use crate::support::authority::identity::Identity;
use crate::support::authority::image::Image;
use crate::support::authority::signer::Signer;
use crate::support::authority::statement::Statement;

/// A build type that does not list every image.
const MAKE: &str = "https://example.com/make@v1";
/// What the developer signs, with a bill of materials that names base images, and nothing else.
const SBOM_RULES: &str = r#"
    [[rule]]
    name = "listed"
    images = ["docker.io/acme/*"]
    base_images = "judge"
    [[rule.signature]]
    trust = "corp"
    issuer = "https://idp.example"
    subject = "dev@acme.example"
    [rule.sbom]

    [[rule]]
    name = "base"
    images = ["docker.io/library/*"]
    [[rule.signature]]
    trust = "corp"
    issuer = "https://idp.example"
    subject = "dev@acme.example"
"#;

impl World {
    fn ci(&self) -> Signer<'_> {
        self.authority.keyless(&Identity::email("ci@acme.example", "https://idp.example"))
    }

    /// Attaches a bill of materials to `image` that says that it was built on `bases`.
    pub(crate) fn listed(&self, repository: &str, image: &Image, signer: &Signer<'_>, bases: &[String]) {
        self.attest(repository, image, &[(signer, spdx(image.digest(), bases))]);
    }

    fn attest(&self, repository: &str, image: &Image, statements: &[(&Signer<'_>, Statement)]) {
        self.publish_in(repository, |publisher| {
            for (signer, statement) in statements {
                publisher.bundle(image, &signer.attest(statement));
            }
        });
    }

    /// Publishes the app, built by a builder that names `materials`.
    fn app(&self, build_type: &str, materials: &[Value]) -> Image {
        let app = Image::new("app");
        self.publish(|publisher| publisher.image(TAG, &app));
        self.attested(REPOSITORY, &app, build_type, materials);
        app
    }

    fn unsigned_base(&self) -> Image {
        let base = Image::new("unsigned");
        self.publish_in(BASE, |publisher| publisher.image("3.20", &base));
        base
    }
}

/// A bill of materials as ko writes it.
fn spdx(image: Digest, bases: &[String]) -> Statement {
    let package = |id: &str, url: &str| {
        let reference =
            json!({ "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": url });
        json!({ "SPDXID": id, "name": id, "primaryPackagePurpose": "CONTAINER", "externalRefs": [reference] })
    };
    Statement::spdx(image, &["pkg:golang/github.com/acme/app@v1"]).with(|document| {
        let own = format!("pkg:oci/image@{image}?mediaType=application%2Fvnd.oci.image.manifest.v1%2Bjson");
        document["packages"].as_array_mut().unwrap().push(package("SPDXRef-Image", &own));
        let mut relationships = vec![json!({ "spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
            "relatedSpdxElement": "SPDXRef-Image" })];
        for (number, url) in bases.iter().enumerate() {
            let id = format!("SPDXRef-Base-{number}");
            document["packages"].as_array_mut().unwrap().push(package(&id, url));
            relationships.push(json!({ "spdxElementId": "SPDXRef-Image", "relationshipType": "DESCENDANT_OF",
                "relatedSpdxElement": id }));
        }
        document["relationships"] = json!(relationships);
    })
}

pub(crate) fn url(repository: &str, digest: Digest) -> String {
    format!("pkg:oci/image@{digest}?repository_url=index.docker.io%2F{}&tag=3.20", repository.replace('/', "%2F"))
}

#[tokio::test]
async fn a_base_image_that_a_bill_of_materials_names_must_be_admitted() {
    for build_type in ["https://mobyproject.org/buildkit@v1", MAKE] {
        let world = World::with_rule(RULES).await;
        let base = world.base().digest();
        let app = world.app(build_type, &[]);
        world.listed(REPOSITORY, &app, &world.ci(), &[url(BASE, base)]);
        assert_eq!(world.manifest(TAG).await.status, StatusCode::OK, "{build_type}");

        let world = World::with_rule(RULES).await;
        let (signed, unsigned) = (world.base().digest(), world.unsigned_base().digest());
        let app = world.app(build_type, &[material("alpine", signed)]);
        world.listed(REPOSITORY, &app, &world.ci(), &[url(BASE, signed), url(BASE, unsigned)]);
        let (code, text) = world.refused().await;
        assert_eq!(code, "base-image-unproven");
        assert!(text.contains("no signature is published for it"), "{text}");
        assert!(text.ends_with("(named by a bill of materials)"), "{text}");
    }
}

#[tokio::test]
async fn a_base_image_that_provenance_names_must_be_admitted_whatever_a_bill_of_materials_names() {
    let world = World::with_rule(RULES).await;
    let (signed, unsigned) = (world.base().digest(), world.unsigned_base().digest());
    let app = world.app(MAKE, &[material("alpine", unsigned)]);
    world.listed(REPOSITORY, &app, &world.ci(), &[url(BASE, signed)]);
    let (_, text) = world.refused().await;
    assert!(text.ends_with("(named by the provenance)"), "{text}");
}

#[tokio::test]
async fn a_stranger_neither_adds_nor_names_base_images() {
    let world = World::with_rule(RULES).await;
    let (signed, unsigned) = (world.base().digest(), world.unsigned_base().digest());
    let app = world.app(MAKE, &[material("alpine", signed)]);
    let statement = spdx(app.digest(), &[url(BASE, unsigned)]);
    let (stranger, developer) = (world.stranger(), world.developer());
    world.attest(REPOSITORY, &app, &[(&stranger, statement.clone()), (&developer, statement)]);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);

    let world = World::with_rule(RULES).await;
    let base = world.base().digest();
    let app = world.app(MAKE, &[]);
    world.listed(REPOSITORY, &app, &world.stranger(), &[url(BASE, base)]);
    assert!(world.refused().await.1.contains("names no base image"));
}

#[tokio::test]
async fn a_base_image_that_nothing_says_the_place_or_the_digest_of_is_unproven() {
    for (named, text) in [
        ("pkg:docker/alpine@3.20".to_owned(), "without a digest"),
        (format!("pkg:oci/image@{}", Digest::of(b"base")), "cannot be told"),
        (format!("pkg:oci/image@{}?repository_url=ghcr.io/acme/base", Digest::of(b"base")), "is not configured"),
    ] {
        let world = World::with_rule(RULES).await;
        let app = world.app(MAKE, &[]);
        world.listed(REPOSITORY, &app, &world.ci(), &[named]);
        let (code, reason) = world.refused().await;
        assert!(code == "base-image-unproven" && reason.contains(text), "{code} {reason}");
    }
}

#[tokio::test]
async fn without_provenance_a_bill_of_materials_says_what_an_image_was_built_from() {
    let pulled = async |bases: &dyn Fn(&World) -> Statement| {
        let world = World::with_rule(SBOM_RULES).await;
        let app = Image::new("app");
        world.signed(&app);
        let statement = bases(&world);
        world.attest(REPOSITORY, &app, &[(&world.developer(), statement)]);
        world.manifest(TAG).await
    };
    let app = Image::new("app").digest();
    let named = |world: &World| spdx(app, &[url(BASE, world.base().digest())]);
    assert_eq!(pulled(&named).await.status, StatusCode::OK);
    let in_cyclonedx = |world: &World| {
        let base = json!({ "type": "container", "purl": url(BASE, world.base().digest()) });
        Statement::cyclonedx(app, &[]).with(|document| {
            document["metadata"] = json!({ "component": { "type": "container", "pedigree": { "ancestors": [base] } } });
        })
    };
    assert_eq!(pulled(&in_cyclonedx).await.status, StatusCode::OK);
    let unsigned = |world: &World| spdx(app, &[url(BASE, world.unsigned_base().digest())]);
    assert_eq!(pulled(&unsigned).await.status, StatusCode::FORBIDDEN);
    let none = |_: &World| spdx(app, &[]);
    let answer = pulled(&none).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(String::from_utf8_lossy(&answer.body).contains("names no base image"), "{:?}", answer.body);
}

#[tokio::test]
async fn a_line_of_bills_of_materials_beyond_the_bound_is_unproven() {
    for (stacked, expected) in [(7, StatusCode::OK), (8, StatusCode::FORBIDDEN)] {
        let world = World::with_rule(RULES).await;
        let mut below = url(BASE, world.base().digest());
        for number in 0..stacked {
            let name = format!("platform/p{number}");
            let image = Image::new(&name);
            world.built(&name, &image, &[]);
            world.listed(&name, &image, &world.ci(), &[below]);
            below = url(&name, image.digest());
        }
        let app = world.app(MAKE, &[]);
        world.listed(REPOSITORY, &app, &world.ci(), &[below]);
        assert_eq!(world.manifest(TAG).await.status, expected, "{stacked}");
    }
}

#[tokio::test]
async fn more_base_images_in_bills_of_materials_than_the_bound_are_unproven() {
    let world = World::with_rule(RULES).await;
    let base = world.base().digest();
    let tagged = |number: usize| url(BASE, base).replace("tag=3.20", &format!("tag={number}"));
    let app = world.app(MAKE, &[]);
    world.listed(REPOSITORY, &app, &world.ci(), &(0..64).map(tagged).collect::<Vec<_>>());
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK, "as many as are judged");
    // One more, in one document, or in two.
    let world = World::with_rule(RULES).await;
    world.base();
    let app = world.app(MAKE, &[]);
    world.listed(REPOSITORY, &app, &world.ci(), &(0..65).map(tagged).collect::<Vec<_>>());
    assert_eq!(world.refused().await.0, "too-much");
    let world = World::with_rule(RULES).await;
    world.base();
    let app = world.app(MAKE, &[]);
    let documents = [(0..64).map(tagged).collect::<Vec<_>>(), vec![tagged(64)]];
    let ci = world.ci();
    world.attest(REPOSITORY, &app, &documents.map(|bases| (&ci, spdx(app.digest(), &bases))));
    assert_eq!(world.refused().await.0, "too-much");
}

#[tokio::test]
async fn a_revoked_base_image_takes_down_what_a_bill_of_materials_says_was_built_from_it() {
    let world = World::with_rule(SBOM_RULES).await;
    let base = world.base().digest();
    let app = Image::new("app");
    world.signed(&app);
    world.listed(REPOSITORY, &app, &world.developer(), &[url(BASE, base)]);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    let revoked = format!("{SBOM_RULES}\n[revoked]\ndigests = [\"{base}\"]\n");
    world.mirror.reconfigure(&world.config(&revoked), "applied").await;
    world.mirror.clock.advance(Duration::from_mins(1));
    assert!(world.refused().await.1.contains("is revoked"));
}
