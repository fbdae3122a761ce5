//! Manifests and bodies that are wrong, too much, or never end.

use std::time::Duration;

use bonafide::oci::Digest;
use http::StatusCode;
use serde_json::{Value, json};

use super::{TAG, World, about, blob_path, disguised, manifest_path};
use crate::support::authority::image::{Image, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, descriptor};
use crate::support::registry::Fault;

/// Serves everything of acme as it is: what is refused here is refused for what it is.
const ANYTHING: &str = "[[rule]]\nname = \"any\"\nimages = [\"docker.io/acme/*\"]\nmode = \"allow\"\n";
const MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// Bytes that are no manifest, or more than one.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let image = Image::new("app");
    let text = String::from_utf8(image.manifest.clone()).unwrap();
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let with = |more: &str| text.replacen('{', &format!("{{{more},"), 1).into_bytes();
    let mut many: Value = serde_json::from_slice(&image.manifest).unwrap();
    many["layers"] = (0..1100_u32).map(|number| descriptor(OCI_LAYER, &number.to_be_bytes())).collect();
    let children: Value = (0..1100_u32).map(|number| descriptor(OCI_MANIFEST, &number.to_be_bytes())).collect();
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children });
    vec![
        ("empty", Vec::new()),
        ("null", b"null".to_vec()),
        ("a list", b"[]".to_vec()),
        ("no text", vec![0xff, 0xfe, 0x00]),
        ("half", text.as_bytes()[..text.len() / 2].to_vec()),
        ("two", [text.as_bytes(), text.as_bytes()].concat()),
        ("deep", nested(1_000_000).into_bytes()),
        ("deep inside", with(&format!("\"x\":{}", nested(500_000)))),
        ("deep annotations", with(&format!("\"annotations\":{}", nested(1000)))),
        ("schema 1", text.replace("\"schemaVersion\":2", "\"schemaVersion\":1").into_bytes()),
        ("no schema", text.replace("\"schemaVersion\":2", "\"schemaVersion\":-1").into_bytes()),
        ("image and index", with("\"manifests\":[]")),
        ("image and index to others", with("\"Manifests\":[]")),
        ("two lists of layers", with("\"layers\":[]")),
        ("two lists of layers to others", with("\"LAYERS\":[]")),
        ("another type", text.replace(OCI_MANIFEST, OCI_INDEX).into_bytes()),
        ("an unknown type", text.replace(OCI_MANIFEST, "text/html").into_bytes()),
        ("negative size", text.replacen("\"size\":", "\"size\":-", 1).into_bytes()),
        ("a size beyond numbers", text.replacen("\"size\":", "\"size\":99999999999999999999", 1).into_bytes()),
        ("no digest", text.replacen("\"sha256:", "\"../../sha256:", 1).into_bytes()),
        ("too many layers", serde_json::to_vec(&many).unwrap()),
        ("too many children", serde_json::to_vec(&index).unwrap()),
    ]
}

#[tokio::test]
async fn malformed_manifests_are_refused_whatever_the_rule() {
    let world = World::with_rule(ANYTHING).await;
    for (case, bytes) in malformed() {
        let digest = world.registry.push_manifest(super::REPOSITORY, Some(TAG), bytes);
        for path in [manifest_path(TAG), manifest_path(digest)] {
            let answer = world.mirror.get(&path).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{case}: {:?}", answer.body);
            let (code, message) = answer.error();
            assert_eq!(code, "MANIFEST_INVALID", "{case}");
            assert!(message.len() < 600, "{case}: {message}");
        }
        world.mirror.clock.advance(Duration::from_hours(1));
    }
    let layer = Digest::of(&Image::new("app").blobs[1]);
    assert_eq!(world.blob(layer).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn malformed_evidence_is_no_evidence() {
    let (world, image) = (World::new().await, Image::new("app"));
    let unsigned = Image::new("unsigned");
    let signed = world.signed(&image);
    world.publish(|publisher| publisher.image("unsigned", &unsigned));
    for (case, bytes) in malformed() {
        for subject in [signed, unsigned.digest()] {
            // All but the tag of the signature.
            let [fallback, _, attestations, sbom] = super::evidence_tags(subject);
            for tag in [&fallback, &attestations, &sbom] {
                world.registry.push_manifest(super::REPOSITORY, Some(tag), bytes.clone());
            }
        }
        assert_eq!(world.manifest(TAG).await.status, StatusCode::OK, "{case}");
        let answer = world.manifest("unsigned").await;
        assert_eq!((answer.status, answer.error().0.as_str()), (StatusCode::FORBIDDEN, "DENIED"), "{case}");
        world.mirror.clock.advance(Duration::from_hours(1));
    }
}

#[tokio::test]
async fn a_manifest_beyond_the_bound_is_not_read_to_its_end_nor_kept() {
    for fault in [Fault::Endless, Fault::Bytes(vec![b' '; MANIFEST_BYTES + 1])] {
        let (world, image) = (World::with_rule(ANYTHING).await, Image::new("app"));
        world.publish(|publisher| publisher.image(TAG, &image));
        let kept = world.mirror.kept();
        world.registry.fault("GET ", fault);
        let answer = world.manifest(TAG).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{:?}", answer.body);
        assert_eq!(world.mirror.kept(), kept);
        world.registry.clear_faults();
        assert_eq!(world.manifest(TAG).await.body.to_vec(), image.manifest);
    }
}

#[tokio::test]
async fn a_manifest_of_another_digest_is_not_served_nor_kept() {
    let (world, image, evil) = (World::new().await, Image::new("app"), Image::new("evil"));
    world.signed(&image);
    let kept = world.mirror.kept();
    world.registry.fault("GET /v2/acme/app/manifests/sha256:", Fault::Bytes(evil.manifest.clone()));
    for path in [manifest_path(TAG), manifest_path(image.digest())] {
        let answer = world.mirror.get(&path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{:?}", answer.body);
    }
    assert_eq!(world.mirror.kept(), kept);
    world.registry.clear_faults();
    assert_eq!(world.manifest(TAG).await.body.to_vec(), image.manifest);
}

#[tokio::test]
async fn a_tag_means_what_is_judged_whatever_its_header_says() {
    let (world, image, evil) = (World::new().await, Image::new("app"), Image::new("evil"));
    world.signed(&image);
    world.publish(|publisher| publisher.untagged(&evil));
    for (header, status) in [
        (evil.digest().to_string(), StatusCode::FORBIDDEN),
        (Digest::of(b"nowhere").to_string(), StatusCode::NOT_FOUND),
        ("sha256:../../../etc/passwd".to_owned(), StatusCode::OK),
        ("sha512:00".to_owned(), StatusCode::OK),
    ] {
        world
            .registry
            .fault(&format!("/manifests/{TAG}"), Fault::Header("docker-content-digest", Some(header.clone())));
        assert_eq!(world.manifest(TAG).await.status, status, "{header}");
        world.registry.clear_faults();
        world.mirror.clock.advance(Duration::from_hours(1));
    }
}

#[tokio::test]
async fn a_blob_that_does_not_end_or_has_another_length_is_cut_and_not_kept() {
    let (world, image) = (World::new().await, Image::new("app"));
    world.signed(&image);
    world.manifest(TAG).await;
    let layer = &image.blobs[2];
    let (path, kept) = (blob_path(Digest::of(layer)), world.mirror.kept());
    let longer = [layer.as_slice(), b"more"].concat();
    for fault in [Fault::Endless, Fault::Bytes(longer), Fault::Bytes(layer[1..].to_vec()), Fault::CutAfter(9)] {
        world.registry.fault(&path, fault.clone());
        let answer = world.mirror.try_get(&path).await;
        let cut = answer.as_ref().map_or(true, |answer| answer.status == StatusCode::SERVICE_UNAVAILABLE);
        assert!(cut, "{fault:?}: {answer:?}");
        assert_eq!(world.mirror.kept(), kept, "{fault:?}");
        world.registry.clear_faults();
    }
    assert_eq!(world.mirror.get(&path).await.body.to_vec(), *layer);
}

#[tokio::test]
async fn evidence_that_does_not_end_is_cut_and_not_kept() {
    let (world, image) = (World::new().await, Image::new("app"));
    world.signed(&image);
    world.registry.fault("/blobs/", Fault::Endless);
    assert_ne!(world.manifest(TAG).await.status, StatusCode::OK);
    world.registry.clear_faults();
    world.mirror.clock.advance(Duration::from_hours(1));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
}

/// Nobody can make an index that reaches itself by its digest, but long chains, and registries that lie.
#[tokio::test]
async fn indexes_are_followed_one_step_a_request() {
    let mut chain = vec![Image::new("app")];
    for _ in 0..100 {
        let below = chain.last().unwrap();
        let index = Image::index(vec![below.clone(), below.clone()]);
        chain.push(Image { children: Vec::new(), ..index });
    }
    let (world, root) = (World::new().await, chain.last().unwrap());
    // Each level lists the one below twice: as a tree it has 2^100 leaves.
    for image in &chain {
        world.publish(|publisher| publisher.untagged(image));
    }
    world.registry.push_manifest(super::REPOSITORY, Some(TAG), root.manifest.clone());
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
    let asked = world.registry.requests().len();
    assert!(asked < 10, "{asked} requests for what is refused");
    world.sign(root.digest());
    world.mirror.clock.advance(Duration::from_mins(1));
    world.manifest(TAG).await;
    world.registry.forget_requests();
    for image in chain.iter().rev().skip(1) {
        assert_eq!(world.manifest(image.digest()).await.status, StatusCode::OK);
    }
    let asked = world.registry.requests().len();
    assert!(asked <= chain.len(), "{asked} requests for {} manifests", chain.len());
}

#[tokio::test]
async fn a_registry_that_answers_with_the_same_index_forever_is_not_believed() {
    let (world, image) = (World::new().await, Image::multi_platform("app"));
    world.signed(&image);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    let child = image.children[0].digest();
    world.registry.fault(&format!("/manifests/{child}"), Fault::Bytes(image.manifest.clone()));
    assert_eq!(world.manifest(child).await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.registry.clear_faults();
    assert_eq!(world.manifest(child).await.status, StatusCode::OK);
}

#[tokio::test]
async fn layers_to_be_fetched_from_elsewhere_are_fetched_from_the_upstream_alone() {
    let (world, elsewhere) = (World::new().await, crate::support::registry::Registry::start().await);
    let mut layer = descriptor(OCI_LAYER, b"a layer");
    layer["urls"] = json!([format!("{}/v2/acme/app/blobs/{}", elsewhere.url(), Digest::of(b"a layer"))]);
    let image = disguised(OCI_LAYER, b"", &json!({ "layers": [layer] }));
    world.signed(&image);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    assert_eq!(world.blob(Digest::of(b"a layer")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(elsewhere.requests().len(), 0);
    let referrer = disguised("application/spdx+json", b"", &{
        let mut extra = about(&image);
        extra["layers"] = json!([{ "mediaType": "application/spdx+json", "size": 7, "digest": Digest::of(b"a layer"),
            "urls": layer["urls"] }]);
        extra
    });
    world.publish(|publisher| publisher.untagged(&referrer));
    assert_eq!(world.referrers(image.digest()).await, []);
    assert_eq!(elsewhere.requests().len(), 0);
}
