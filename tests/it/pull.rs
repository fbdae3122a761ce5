//! Whole pulls: upstream, evidence, verification, policy, gate and front together.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bonafide::oci::Digest;
use http::{Method, StatusCode};
use serde_json::Value;

use crate::support::authority::Authority;
use crate::support::authority::image::Image;
use crate::support::authority::publisher::Publisher;
use crate::support::authority::seed::{self, RULE, Release};
use crate::support::content::Repositories;
use crate::support::mirror::{Answer, Mirror, world};
use crate::support::registry::{Fault, Referrers, Registry};

const REPOSITORY: &str = "fystacklabs/apex";
const TAG: &str = "v1.2.3";

/// A mirror of a registry with one release.
struct World {
    registry: Registry,
    mirror: Mirror,
    release: Release,
    config: String,
}

impl World {
    async fn new(publish: impl Fn(&Authority, &mut Repositories, &str, &str) -> Release) -> Self {
        let (authority, registry) = (Authority::new("corp"), Registry::start().await);
        let mut repositories = Repositories::default();
        let release = publish(&authority, &mut repositories, REPOSITORY, TAG);
        registry.publish(repositories);
        let config = format!("{}{RULE}", world(&registry));
        let mirror = Mirror::start(&authority, &config).await;
        Self { registry, mirror, release, config }
    }

    async fn signed() -> Self {
        Self::new(seed::era_a).await
    }

    async fn unsigned() -> Self {
        Self::new(|_, repositories, repository, tag| seed::unsigned(repositories, repository, tag)).await
    }

    async fn manifest(&self, reference: impl std::fmt::Display) -> Answer {
        self.mirror.get(&format!("/v2/{REPOSITORY}/manifests/{reference}")).await
    }

    async fn blob(&self, digest: Digest) -> Answer {
        self.mirror.get(&blob_path(digest)).await
    }

    /// Asks for everything that a client needs to run the image, as it would.
    async fn pull(&self) -> Vec<Answer> {
        let mut answers = vec![self.manifest(TAG).await];
        for child in &self.release.image.children {
            answers.push(self.manifest(child.digest()).await);
            for blob in &child.blobs {
                answers.push(self.blob(Digest::of(blob)).await);
            }
        }
        answers
    }
}

fn blob_path(digest: Digest) -> String {
    format!("/v2/{REPOSITORY}/blobs/{digest}")
}

/// Every manifest and blob of an image, in the order in which [`World::pull`] asks for them.
fn bytes_of(image: &Image) -> Vec<Vec<u8>> {
    let children = image.children.iter().flat_map(|child| std::iter::once(&child.manifest).chain(&child.blobs));
    std::iter::once(&image.manifest).chain(children).cloned().collect()
}

/// The bodies of answers, all of which must be good ones.
fn bodies(answers: &[Answer]) -> Vec<Vec<u8>> {
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != StatusCode::OK).map(Answer::error).collect();
    assert!(refused.is_empty(), "{refused:?}");
    answers.iter().map(|answer| answer.body.to_vec()).collect()
}

#[tokio::test]
async fn a_proven_image_is_served_byte_for_byte() {
    for publish in [seed::era_a, seed::era_a_buildkit, seed::era_b] {
        let world = World::new(publish).await;
        assert_eq!(bodies(&world.pull().await), bytes_of(&world.release.image));
    }
}

/// The files below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_manifest_that_was_pulled_needs_neither_upstream_nor_disk() {
    let world = World::signed().await;
    let digest = world.release.image.digest();
    world.pull().await;
    world.registry.stop().await;
    // What is opened is not there any more; what is open has nothing to say.
    let (storage, aside) = (world.mirror.storage(), tempfile::tempdir().unwrap());
    fs::rename(storage, aside.path().join("storage")).unwrap();
    for file in files(aside.path()) {
        let length = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap();
        File::options().write(true).open(file).unwrap().write_all(&vec![0xee; length]).unwrap();
    }
    for reference in [TAG.to_owned(), digest.to_string()] {
        let path = format!("/v2/{REPOSITORY}/manifests/{reference}");
        let (got, head) = (world.mirror.get(&path).await, world.mirror.head(&path).await);
        assert_eq!((got.status, &got.body[..]), (StatusCode::OK, &world.release.image.manifest[..]), "{reference}");
        assert_eq!(head.header("docker-content-digest"), digest.to_string());
    }
    for child in &world.release.image.children {
        assert_eq!(world.manifest(child.digest()).await.body, child.manifest);
    }
}

#[tokio::test]
async fn a_proven_image_is_served_by_tag_and_by_digest_alike() {
    let world = World::signed().await;
    let digest = world.release.image.digest();
    let by_tag = world.manifest(TAG).await;
    let by_digest = world.manifest(digest).await;
    assert_eq!(by_tag.body, by_digest.body);
    for answer in [by_tag, by_digest] {
        assert_eq!(answer.header("docker-content-digest"), digest.to_string());
        assert_eq!(answer.header("etag"), format!("\"{digest}\""));
        assert_eq!(answer.header("content-type"), world.release.image.media_type);
        assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0");
    }
}

#[tokio::test]
async fn a_head_is_a_get_without_its_body() {
    for world in [World::signed().await, World::unsigned().await] {
        let layer = Digest::of(&world.release.image.children[0].blobs[1]);
        let digest = world.release.image.digest();
        world.manifest(TAG).await;
        world.manifest(world.release.image.children[0].digest()).await;
        for path in [
            format!("/v2/{REPOSITORY}/manifests/{TAG}"),
            format!("/v2/{REPOSITORY}/manifests/{digest}"),
            format!("/v2/{REPOSITORY}/referrers/{digest}"),
            format!("/v2/{REPOSITORY}/tags/list"),
            blob_path(layer),
        ] {
            let (mut get, head) = (world.mirror.get(&path).await, world.mirror.head(&path).await);
            assert!(head.body.is_empty(), "{path}");
            get.headers.remove("date");
            let mut headers = head.headers;
            headers.remove("date");
            assert_eq!((get.status, get.headers), (head.status, headers), "{path}");
        }
    }
}

#[tokio::test]
async fn an_unproven_image_is_refused_with_the_reason() {
    let world = World::unsigned().await;
    for reference in [TAG.to_owned(), world.release.image.digest().to_string()] {
        let answer = world.manifest(&reference).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        let (code, message) = answer.error();
        assert_eq!(code, "DENIED");
        assert!(message.contains(&world.release.image.digest().to_string()), "{message}");
        // Where all is missing, the first requirement tells it.
        assert!(message.contains("is not proven: signature: ") && message.ends_with("ask #platform"), "{message}");
        let detail = &answer.json()["errors"][0]["detail"];
        assert_eq!((&detail["decision"], &detail["rule"]), (&Value::from("refuse"), &Value::from("fystack")));
        assert_eq!(detail["requirements"].as_array().unwrap().len(), 3);
        // Clients that resolve by HEAD see the status line only.
        let head = world.mirror.head(&format!("/v2/{REPOSITORY}/manifests/{reference}")).await;
        assert_eq!(head.status, StatusCode::FORBIDDEN);
        assert_eq!(head.reason, Some(format!("Forbidden: {message}")[..512.min(message.len() + 11)].to_owned()));
    }
}

#[tokio::test]
async fn what_no_rule_names_is_refused_without_asking_the_upstream() {
    let world = World::signed().await;
    for path in ["/v2/nginx/manifests/1", "/v2/nginx/tags/list"] {
        assert_eq!(world.mirror.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(world.registry.requests().len(), 0);
}

#[tokio::test]
async fn a_blob_that_no_admitted_image_reaches_is_refused() {
    let world = World::signed().await;
    let layer = Digest::of(&world.release.image.children[0].blobs[1]);
    assert_eq!(world.blob(layer).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.registry.requests_to("/blobs/").len(), 0);
    world.manifest(TAG).await;
    world.manifest(world.release.image.children[0].digest()).await;
    assert_eq!(world.blob(layer).await.status, StatusCode::OK);
    let elsewhere = world.mirror.get(&format!("/v2/fystacklabs/other/blobs/{layer}")).await;
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn blobs_of_a_refused_image_are_refused() {
    let world = World::unsigned().await;
    let answers = world.pull().await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::FORBIDDEN), "{answers:?}");
    assert_eq!(world.registry.requests_to("/blobs/").len(), 0);
}

#[tokio::test]
async fn a_look_at_a_blob_tells_its_size_and_fetches_nothing() {
    let world = World::signed().await;
    world.manifest(TAG).await;
    let child = &world.release.image.children[0];
    world.manifest(child.digest()).await;
    world.registry.forget_requests();
    let blob = &child.blobs[1];
    for headers in [&[][..], &[("range", "bytes=1-2")]] {
        let head = world.mirror.ask(Method::HEAD, &blob_path(Digest::of(blob)), headers).await;
        assert_eq!((head.status, head.header("content-length")), (StatusCode::OK, blob.len().to_string().as_str()));
        assert_eq!(head.header("docker-content-digest"), Digest::of(blob).to_string());
    }
    assert_eq!(world.registry.requests().len(), 0);
}

#[tokio::test]
async fn parts_of_a_blob_are_served_by_range() {
    let world = World::signed().await;
    world.pull().await;
    let layer = &world.release.image.children[0].blobs[1];
    let path = blob_path(Digest::of(layer));
    let size = layer.len();
    for (range, part) in [
        ("bytes=0-3".to_owned(), &layer[..4]),
        ("bytes=4-".to_owned(), &layer[4..]),
        ("bytes=-5".to_owned(), &layer[size - 5..]),
        (format!("bytes=1-{}", size + 9), &layer[1..]),
    ] {
        let answer = world.mirror.get_with(&path, &[("range", &range)]).await;
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::PARTIAL_CONTENT, part), "{range}");
        assert!(answer.header("content-range").ends_with(&format!("/{size}")));
    }
    let outside = world.mirror.get_with(&path, &[("range", &format!("bytes={size}-"))]).await;
    assert_eq!(outside.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(outside.header("content-range"), format!("bytes */{size}"));
    let several = world.mirror.get_with(&path, &[("range", "bytes=0-1,3-4")]).await;
    assert_eq!((several.status, &several.body[..]), (StatusCode::OK, &layer[..]));
    assert_eq!(several.header("accept-ranges"), "bytes");
    assert_eq!(several.header("content-type"), "application/octet-stream");
}

#[tokio::test]
async fn a_node_that_holds_the_manifests_is_served_the_layers_that_it_lacks() {
    let world = World::signed().await;
    let child = &world.release.image.children[0];
    world.mirror.head(&format!("/v2/{REPOSITORY}/manifests/{TAG}")).await;
    let asked = child.blobs.iter().map(|blob| world.blob(Digest::of(blob)));
    let answers = futures_util::future::join_all(asked).await;
    let bodies: Vec<_> = answers.into_iter().map(|answer| answer.body.to_vec()).collect();
    assert_eq!(bodies, child.blobs);
}

#[tokio::test]
async fn a_layer_that_cannot_be_known_to_be_unreachable_is_a_503() {
    let world = World::signed().await;
    let child = &world.release.image.children[0];
    world.mirror.head(&format!("/v2/{REPOSITORY}/manifests/{TAG}")).await;
    world.registry.fault(&format!("/manifests/{}", child.digest()), Fault::Status(503));
    let layer = Digest::of(&child.blobs[1]);
    assert_eq!(world.blob(layer).await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.registry.clear_faults();
    assert_eq!(world.blob(layer).await.status, StatusCode::OK);
}

#[tokio::test]
async fn made_up_digests_do_not_make_the_mirror_look_again_and_again() {
    let world = World::signed().await;
    world.manifest(TAG).await;
    assert_eq!(world.blob(Digest::of(b"made up")).await.status, StatusCode::FORBIDDEN);
    let asked = world.registry.requests_to("GET ").len();
    assert_eq!(world.blob(Digest::of(b"made up too")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.registry.requests_to("GET ").len(), asked);
}

#[tokio::test]
async fn a_range_of_a_manifest_is_ignored() {
    let world = World::signed().await;
    let path = format!("/v2/{REPOSITORY}/manifests/{TAG}");
    let answer = world.mirror.get_with(&path, &[("range", "bytes=0-")]).await;
    assert_eq!((answer.status, answer.body.to_vec()), (StatusCode::OK, world.release.image.manifest.clone()));
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again_and_only_if_it_is_admitted() {
    let (signed, unsigned) = (World::signed().await, World::unsigned().await);
    for (world, status) in [(signed, StatusCode::NOT_MODIFIED), (unsigned, StatusCode::FORBIDDEN)] {
        world.pull().await;
        let layer = Digest::of(&world.release.image.children[0].blobs[1]);
        let manifest = format!("/v2/{REPOSITORY}/manifests/{TAG}");
        for (path, digest) in [(manifest, world.release.image.digest()), (blob_path(layer), layer)] {
            let tag = format!("\"{digest}\"");
            let answer = world.mirror.get_with(&path, &[("if-none-match", &tag)]).await;
            assert_eq!(answer.status, status, "{path}");
        }
    }
}

#[tokio::test]
async fn the_namespace_names_the_upstream() {
    let world = World::signed().await;
    let path = format!("/v2/{REPOSITORY}/manifests/{TAG}");
    let answer = world.mirror.get(&format!("{path}?ns=docker.io")).await;
    assert_eq!((answer.status, answer.header("oci-namespace")), (StatusCode::OK, "docker.io"));
    assert_eq!(world.mirror.get(&format!("/v2/docker.io/{REPOSITORY}/manifests/{TAG}")).await.status, StatusCode::OK);
    let alias = world.mirror.get(&format!("{path}?ns=index.docker.io")).await;
    assert_eq!((alias.status, alias.header("oci-namespace")), (StatusCode::OK, "index.docker.io"));
    let before = world.registry.requests().len();
    let host = world.registry.host();
    for ns in ["evil.example", &host, &host.replace(':', "%3A")] {
        let answer = world.mirror.get(&format!("{path}?ns={ns}")).await;
        assert_eq!((answer.status, answer.error().0.as_str()), (StatusCode::NOT_FOUND, "NAME_UNKNOWN"), "{ns}");
    }
    assert_eq!(world.registry.requests().len(), before);
}

#[tokio::test]
async fn pushes_and_deletions_are_refused() {
    let world = World::signed().await;
    for method in [Method::PUT, Method::POST, Method::PATCH, Method::DELETE] {
        let path = format!("/v2/{REPOSITORY}/manifests/{TAG}");
        let answer = world.mirror.ask(method, &path, &[]).await;
        assert_eq!((answer.status, answer.error().0.as_str()), (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"));
    }
    assert_eq!(world.registry.requests().len(), 0);
}

#[tokio::test]
async fn what_is_not_at_the_upstream_is_not_found() {
    let world = World::signed().await;
    let answer = world.manifest("v9").await;
    assert_eq!((answer.status, answer.error().0.as_str()), (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"));
}

#[tokio::test]
async fn what_was_proven_is_served_without_its_upstream_even_after_a_restart() {
    let world = World::signed().await;
    world.pull().await;
    world.registry.stop().await;
    assert_eq!(bodies(&world.pull().await), bytes_of(&world.release.image));
    let World { registry, mirror, release, config } = world;
    let world = World { mirror: mirror.restart(&config).await, registry, release, config };
    assert_eq!(bodies(&world.pull().await), bytes_of(&world.release.image));
}

#[tokio::test]
async fn a_blob_that_cannot_be_fetched_is_a_503_until_its_upstream_wants_to_be_asked() {
    let world = World::signed().await;
    let platform = &world.release.image.children[0];
    for digest in [world.release.image.digest(), platform.digest()] {
        assert_eq!(world.manifest(digest).await.status, StatusCode::OK);
    }
    world.registry.fault("/blobs/", Fault::RetryAfter(429, "3600".into()));
    let answer = world.blob(Digest::of(&platform.blobs[1])).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "3600"));
}

#[tokio::test]
async fn what_cannot_be_decided_is_a_503_and_is_decided_later() {
    let world = World::signed().await;
    world.registry.fault(".att", Fault::Status(403));
    let answer = world.manifest(TAG).await;
    assert_eq!((answer.status, answer.error().0.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"));
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    assert!(!answer.error().1.contains("127.0.0.1"), "{:?}", answer.error());
    world.registry.clear_faults();
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_tag_that_moved_is_judged_again() {
    let world = World::signed().await;
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    let moved = Image::multi_platform("somebody else's");
    let mut repositories = Repositories::default();
    Publisher::new(&mut repositories, REPOSITORY).image(TAG, &moved);
    world.registry.publish(repositories);
    world.mirror.clock.advance(Duration::from_hours(1));
    let answer = world.manifest(TAG).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.error().1.contains(&moved.digest().to_string()));
    assert_eq!(world.manifest(world.release.image.digest()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_layer_that_is_not_what_it_should_be_is_cut_and_never_kept() {
    let world = World::signed().await;
    world.manifest(TAG).await;
    world.manifest(world.release.image.children[0].digest()).await;
    let layer = &world.release.image.children[0].blobs[1];
    let path = blob_path(Digest::of(layer));
    let mut tampered = layer.clone();
    tampered[0] ^= 1;
    world.registry.fault(&path, Fault::Bytes(tampered));
    let whole = world.mirror.try_get(&path).await;
    // So small a layer may be found out before the head of the answer is gone.
    assert!(whole.is_err() || whole.is_ok_and(|answer| answer.status == StatusCode::SERVICE_UNAVAILABLE));
    world.registry.clear_faults();
    assert_eq!(world.mirror.get(&path).await.body.to_vec(), *layer);
}

#[tokio::test]
async fn evidence_of_an_admitted_image_is_served_and_of_a_refused_one_is_not() {
    let signed = World::new(seed::era_b).await;
    signed.registry.set_referrers(Referrers::Served);
    let digest = signed.release.image.digest();
    let path = format!("/v2/{REPOSITORY}/referrers/{digest}");
    let referrers = signed.mirror.get(&path).await;
    assert_eq!(referrers.header("content-type"), "application/vnd.oci.image.index.v1+json");
    let listed = referrers.json()["manifests"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 2, "{listed:?}");
    for descriptor in &listed {
        let manifest = signed.manifest(descriptor["digest"].as_str().unwrap()).await;
        assert_eq!(manifest.status, StatusCode::OK);
        let layer = manifest.json()["layers"][0]["digest"].as_str().unwrap().parse().unwrap();
        assert_eq!(Digest::of(&signed.blob(layer).await.body), layer);
    }
    let attestation = signed.manifest(format!("sha256-{}.att", digest.hex())).await;
    assert_eq!(attestation.status, StatusCode::OK);
    let filtered = signed.mirror.get(&format!("{path}?artifactType=application%2Fx")).await;
    assert_eq!(
        (filtered.json()["manifests"].as_array().unwrap().len(), filtered.header("oci-filters-applied")),
        (0, "artifactType")
    );
    let absent = signed.mirror.get(&format!("/v2/{REPOSITORY}/referrers/{}", Digest::of(b"absent"))).await;
    assert_eq!((absent.status, &absent.json()["manifests"]), (StatusCode::OK, &Value::Array(Vec::new())));

    let unsigned = World::unsigned().await;
    let digest = unsigned.release.image.digest();
    for path in [format!("referrers/{digest}"), format!("manifests/sha256-{}.att", digest.hex())] {
        let answer = unsigned.mirror.get(&format!("/v2/{REPOSITORY}/{path}")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn tags_are_listed_page_by_page() {
    let world = World::signed().await;
    let mut repositories = Repositories::default();
    for tag in ["v1", "v2"] {
        Publisher::new(&mut repositories, REPOSITORY).image(tag, &Image::new(tag));
    }
    world.registry.publish(repositories);
    let mut tags = Vec::new();
    let mut next = Some(format!("/v2/{REPOSITORY}/tags/list?n=1"));
    while let Some(path) = next {
        let page = world.mirror.get(&path).await;
        let page_tags = page.json()["tags"].as_array().unwrap().clone();
        assert!(page_tags.len() <= 1, "{page_tags:?}");
        tags.extend(page_tags);
        next = page.headers.get("link").map(|link| {
            let link = link.to_str().unwrap();
            link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap().to_owned()
        });
    }
    assert!(tags.contains(&Value::from("v1")) && tags.contains(&Value::from("v2")) && tags.contains(&TAG.into()));
    let none = world.mirror.get(&format!("/v2/{REPOSITORY}/tags/list?n=0")).await;
    assert_eq!(none.json()["tags"], Value::Array(Vec::new()));
    assert!(!none.headers.contains_key("link"));
}

#[tokio::test]
async fn the_operator_sees_what_happened() {
    let world = World::signed().await;
    world.pull().await;
    world.mirror.get("/v2/nginx/manifests/1").await;
    world.mirror.get("/v2/nginx/tags/list").await;
    assert_eq!(world.mirror.admin("/healthz").await.status, StatusCode::OK);
    assert_eq!(world.mirror.admin("/readyz").await.status, StatusCode::OK);
    let metrics = world.mirror.admin("/metrics").await;
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    let documented = include_str!("../../docs/operation.md");
    for name in metrics.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next()) {
        assert!(documented.contains(&format!("`{name}`")), "{name} in docs/operation.md");
    }
    let value = |line: &str| -> f64 {
        let found = metrics.lines().find_map(|other| other.strip_prefix(line)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no {line} in\n{metrics}")).parse().unwrap()
    };
    let pulled = bytes_of(&world.release.image);
    let served: usize = pulled.iter().map(Vec::len).sum();
    assert!(value("bonafide_served_bytes_total") >= f64::from(u32::try_from(served).unwrap()));
    assert!(value("bonafide_requests_total{route=\"manifest\",status=\"200\"}") >= 3.0);
    assert!(value("bonafide_requests_total{route=\"manifest\",status=\"403\"}") >= 1.0);
    let refused = value("bonafide_decisions_total{decision=\"refuse\",reason=\"no-rule\",rule=\"\"}");
    assert!((refused - 2.0).abs() < f64::EPSILON, "the image, and the tags: {refused}");
    for name in [
        "bonafide_decisions_total",
        "bonafide_proving_seconds_count",
        "bonafide_cache_lookups_total",
        "bonafide_upstream_requests_total",
        "bonafide_fetched_bytes_total",
        "bonafide_digest_mismatches_total",
    ] {
        assert!(metrics.contains(&format!("\n{name}")), "no {name} in\n{metrics}");
    }
}
