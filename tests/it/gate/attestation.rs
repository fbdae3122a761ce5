//! Images whose attestation manifests are signed, as Docker's builders sign them: index, attestation manifests, their
//! signatures, through the whole program.

use bonafide::oci::Digest;
use http::StatusCode;

use crate::support::authority::Authority;
use crate::support::authority::identity::{Build, GITHUB, builder};
use crate::support::authority::image::Image;
use crate::support::authority::publisher::Publisher;
use crate::support::authority::statement::Statement;
use crate::support::content::Repositories;
use crate::support::mirror::{Answer, Mirror, world};
use crate::support::registry::Registry;

const REPOSITORY: &str = "acme/app";
const TAG: &str = "v1.2.3";
const WORKFLOW: &str = "docker/github-builder/.github/workflows/build.yml";

fn built() -> Build {
    Build::of("acme/app", "refs/tags/v1.2.3")
}

fn provenance(about: Digest) -> Statement {
    Statement::provenance_v1(about, &built(), &builder(WORKFLOW, "refs/tags/v1"))
}

fn platforms() -> Vec<Image> {
    vec![Image::for_platform("app", "amd64"), Image::for_platform("app", "arm64")]
}

fn attestation(of: &Image) -> Image {
    Image::attestation(of.digest(), &[provenance(of.digest())])
}

struct World {
    authority: Authority,
    repositories: Repositories,
    /// What `[[upstream]]` says besides.
    upstream: &'static str,
}

impl World {
    fn new() -> Self {
        Self { authority: Authority::new("corp"), repositories: Repositories::default(), upstream: "" }
    }

    /// Publishes an index of `children` under the tag.
    fn index(&mut self, children: Vec<Image>) -> Digest {
        Publisher::new(&mut self.repositories, REPOSITORY).image(TAG, &Image::index(children))
    }

    /// Signs each of `manifests` as the builder does.
    fn sign(&mut self, manifests: &[Image]) {
        for manifest in manifests {
            self.sign_as(manifest, manifest.digest());
        }
    }

    /// Attaches the signature of `digest` to `manifest`.
    fn sign_as(&mut self, manifest: &Image, digest: Digest) {
        self.sign_in(REPOSITORY, manifest, digest);
    }

    fn sign_in(&mut self, repository: &str, manifest: &Image, digest: Digest) {
        let signer = self.authority.keyless(&built().identity_through(WORKFLOW, "refs/tags/v1"));
        let signature = signer.attest(&Statement::signature(digest));
        Publisher::new(&mut self.repositories, repository).bundle(manifest, &signature);
    }

    async fn serve(&self, rule: &str) -> Served {
        let registry = Registry::start().await;
        registry.publish(self.repositories.clone());
        let upstreams = world(&registry).replace("default = true\n", &format!("default = true\n{}", self.upstream));
        let config = format!(
            "{upstreams}[[builder]]\nname = 'docker'\nid = 'https://github.com/docker/github-builder/**'\nissuer = '{GITHUB}'\n\
             level = 3\n[[rule]]\nname = 'built'\nimages = ['docker.io/**']\n{rule}"
        );
        let mirror = Mirror::start(&self.authority, &config).await;
        Served { _registry: registry, mirror }
    }

    async fn pull(&self, reference: impl std::fmt::Display) -> Answer {
        self.serve(PROVENANCE).await.get(reference).await
    }

    #[track_caller]
    fn is(answer: &Answer, status: StatusCode, text: &str) {
        let body = String::from_utf8_lossy(&answer.body);
        assert!(answer.status == status && body.contains(text), "{} {body}", answer.status);
    }
}

const PROVENANCE: &str =
    "[rule.provenance]\ntrust = 'corp'\nlevel = 3\nbuilders = ['docker']\nsource = 'github.com/acme/app'\n";

/// A mirror, and the registry behind it.
struct Served {
    _registry: Registry,
    mirror: Mirror,
}

impl Served {
    async fn get(&self, reference: impl std::fmt::Display) -> Answer {
        self.mirror.get(&format!("/v2/{REPOSITORY}/manifests/{reference}")).await
    }
}

/// An index of two platforms, each with its attestation manifest, both of them signed.
fn signed() -> (World, Vec<Image>) {
    let (mut world, images) = (World::new(), platforms());
    let attestations: Vec<_> = images.iter().map(attestation).collect();
    world.sign(&attestations);
    let children: Vec<_> = images.into_iter().chain(attestations).collect();
    world.index(children.clone());
    (world, children)
}

#[tokio::test]
async fn an_index_whose_attestation_manifests_are_signed_is_served_with_all_that_it_lists() {
    let (world, children) = signed();
    let served = world.serve(PROVENANCE).await;
    World::is(&served.get(TAG).await, StatusCode::OK, "manifests");
    for child in &children {
        World::is(&served.get(child.digest()).await, StatusCode::OK, "layers");
    }
}

#[tokio::test]
async fn an_index_whose_attestation_manifests_are_unsigned_is_refused() {
    let (mut world, images) = (World::new(), platforms());
    let attestations: Vec<_> = images.iter().map(attestation).collect();
    world.index(images.into_iter().chain(attestations).collect());
    World::is(&world.pull(TAG).await, StatusCode::FORBIDDEN, "missing");
}

#[tokio::test]
async fn the_signature_of_an_attestation_manifest_may_be_where_evidence_is_kept() {
    let (mut world, images) = (World::new(), platforms());
    let attestations: Vec<_> = images.iter().map(attestation).collect();
    for manifest in &attestations {
        world.sign_in("acme/signatures", manifest, manifest.digest());
    }
    world.index(images.into_iter().chain(attestations).collect());
    World::is(&world.pull(TAG).await, StatusCode::FORBIDDEN, "missing");
    world.upstream = "evidence_from = ['docker.io/acme/signatures']\n";
    World::is(&world.pull(TAG).await, StatusCode::OK, "manifests");
}

#[tokio::test]
async fn one_platform_without_a_signed_attestation_manifest_is_enough_to_refuse_the_index() {
    let (mut world, images) = (World::new(), platforms());
    let attestations: Vec<_> = images.iter().map(attestation).collect();
    world.sign(&attestations[..1]);
    let unproven = images[1].digest().to_string();
    world.index(images.into_iter().chain(attestations).collect());
    World::is(&world.pull(TAG).await, StatusCode::FORBIDDEN, &unproven);
}

#[tokio::test]
async fn an_image_in_the_clothes_of_an_attestation_manifest_is_enough_to_refuse_the_index() {
    let (mut world, images) = (World::new(), platforms());
    let attestations: Vec<_> = images.iter().map(attestation).collect();
    world.sign(&attestations);
    let mut evil = Image::for_platform("evil", "s390x");
    evil.annotations.clone_from(&attestations[0].annotations);
    let unproven = evil.digest().to_string();
    world.index(images.into_iter().chain(attestations).chain([evil]).collect());
    World::is(&world.pull(TAG).await, StatusCode::FORBIDDEN, &unproven);
}

#[tokio::test]
async fn an_attestation_manifest_that_names_another_sibling_than_its_statement_proves_nothing() {
    let (mut world, images) = (World::new(), platforms());
    let mut attestations: Vec<_> = images.iter().map(attestation).collect();
    world.sign(&attestations);
    let [first, second] = &mut attestations[..] else { panic!("two platforms") };
    std::mem::swap(&mut first.annotations, &mut second.annotations);
    world.index(images.into_iter().chain(attestations).collect());
    World::is(&world.pull(TAG).await, StatusCode::FORBIDDEN, "subject-mismatch");
}

#[tokio::test]
async fn the_signature_of_the_other_attestation_manifest_proves_nothing() {
    let (mut world, images) = (World::new(), platforms());
    let attestations: Vec<_> = images.iter().map(attestation).collect();
    world.sign_as(&attestations[0], attestations[1].digest());
    world.sign_as(&attestations[1], attestations[0].digest());
    world.index(images.into_iter().chain(attestations).collect());
    World::is(&world.pull(TAG).await, StatusCode::FORBIDDEN, "missing");
}

#[tokio::test]
async fn a_signed_attestation_manifest_outside_of_the_index_proves_nothing_of_it() {
    let (mut world, images) = (World::new(), platforms());
    let attestations: Vec<_> = images.iter().map(attestation).collect();
    world.sign(&attestations);
    Publisher::new(&mut world.repositories, REPOSITORY).untagged(&attestations[1]);
    world.index(images.into_iter().chain(attestations.into_iter().take(1)).collect());
    World::is(&world.pull(TAG).await, StatusCode::FORBIDDEN, "missing");
}

#[tokio::test]
async fn a_signed_attestation_manifest_of_an_image_outside_of_the_index_is_enough_to_refuse_the_index() {
    let (mut world, images) = (World::new(), platforms());
    let attestations: Vec<_> = images.iter().map(attestation).collect();
    world.sign(&attestations);
    let stray = attestations[1].digest().to_string();
    world.index(images.into_iter().take(1).chain(attestations).collect());
    World::is(&world.pull(TAG).await, StatusCode::FORBIDDEN, &stray);
}

#[tokio::test]
async fn a_signed_attestation_manifest_whose_statements_are_gone_proves_nothing() {
    let (mut world, _) = signed();
    let statements: Vec<_> =
        platforms().iter().map(|image| Digest::of(&provenance(image.digest()).to_bytes())).collect();
    let blobs = &mut world.repositories.0.get_mut(REPOSITORY).unwrap().blobs;
    for statement in statements {
        blobs.remove(&statement).unwrap();
    }
    World::is(&world.pull(TAG).await, StatusCode::FORBIDDEN, "malformed");
}

#[tokio::test]
async fn a_signed_attestation_manifest_is_no_signature_of_the_image() {
    let (world, _) = signed();
    let subject = builder(WORKFLOW, "refs/tags/v1");
    let rule = format!("[[rule.signature]]\ntrust = 'corp'\nissuer = '{GITHUB}'\nsubject = '{subject}'\n");
    World::is(&world.serve(&rule).await.get(TAG).await, StatusCode::FORBIDDEN, "missing");
}

#[tokio::test]
async fn a_platform_by_its_digest_is_proven_by_an_attestation_manifest_that_refers_to_it() {
    let (mut world, images) = (World::new(), platforms());
    let with_subject = |image: &Image| {
        let mut attestation = attestation(image);
        let mut manifest: serde_json::Value = serde_json::from_slice(&attestation.manifest).unwrap();
        manifest["subject"] = crate::support::authority::image::descriptor(image.media_type, &image.manifest);
        attestation.manifest = serde_json::to_vec(&manifest).unwrap();
        attestation
    };
    let attestation = with_subject(&images[0]);
    world.sign(std::slice::from_ref(&attestation));
    let mut publisher = Publisher::new(&mut world.repositories, REPOSITORY);
    publisher.untagged(&attestation);
    publisher.referrer(
        images[0].digest(),
        &attestation.manifest,
        "application/vnd.docker.attestation.manifest.v1+json",
    );
    let (proven, unproven) = (images[0].digest(), images[1].digest());
    world.index(images);
    World::is(&world.pull(proven).await, StatusCode::OK, "layers");
    World::is(&world.pull(unproven).await, StatusCode::FORBIDDEN, "missing");
}

/// On the threads that answer requests where the bill is short, and away from them where it is long.
#[tokio::test]
async fn a_denied_package_in_one_platform_denies_the_index() {
    for others in [0, 2000] {
        let others: Vec<_> = (0..others).map(|number| format!("pkg:npm/other-{number}@1.0.0")).collect();
        is_denied_beside(&others).await;
    }
}

async fn is_denied_beside(others: &[String]) {
    let (mut world, images) = (World::new(), platforms());
    let others: Vec<_> = others.iter().map(String::as_str).collect();
    let purls = ["pkg:npm/left-pad@1.3.0", "pkg:npm/axios@1.14.1"].map(|purl| [&others[..], &[purl]].concat());
    let attestations: Vec<_> = images
        .iter()
        .zip(purls)
        .map(|(image, purl)| Image::attestation(image.digest(), &[Statement::spdx(image.digest(), &purl)]))
        .collect();
    world.sign(&attestations);
    world.index(images.into_iter().chain(attestations).collect());
    let subject = builder(WORKFLOW, "refs/tags/v1");
    let rule = |denied: &str| {
        format!(
            "[rule.sbom]\ndeny_packages = ['{denied}']\n\
             signed_by = {{ trust = 'corp', issuer = '{GITHUB}', subject = '{subject}' }}\n"
        )
    };
    let answer = world.serve(&rule("pkg:npm/event-stream")).await.get(TAG).await;
    World::is(&answer, StatusCode::OK, "manifests");
    let answer = world.serve(&rule("pkg:npm/axios@1.14.1")).await.get(TAG).await;
    World::is(&answer, StatusCode::FORBIDDEN, "denied-package");
}
