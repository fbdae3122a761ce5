//! What an admission opens, and what it does not: other repositories, other tags, other upstreams.

use bonafide::oci::Digest;
use http::{Method, StatusCode};

use super::{RULE, TAG, World, blob_path, manifest_path};
use crate::support::authority::image::Image;
use crate::support::authority::publisher::Publisher;
use crate::support::content::Repositories;
use crate::support::registry::{Fault, Registry};

/// Serves some tags as they are, and proves nothing.
const SOME_TAGS: &str = r#"
    [[rule]]
    name = "some"
    images = ["docker.io/acme/app"]
    tags = ["v1*"]
    mode = "allow"
"#;

#[tokio::test]
async fn a_child_is_served_only_while_its_root_is_admitted() {
    let (world, image) = (World::new().await, Image::multi_platform("app"));
    world.signed(&image);
    let child = &image.children[0];
    world.assert_closed(child, "before its root").await;
    world.mirror.clock.advance(std::time::Duration::from_hours(1));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    assert_eq!(world.manifest(child.digest()).await.status, StatusCode::OK);
    for blob in &child.blobs {
        assert_eq!(world.blob(Digest::of(blob)).await.status, StatusCode::OK);
    }
    let world = world.restart(&RULE.replace("acme/*", "other/*")).await;
    world.assert_closed(child, "after its root").await;
}

#[tokio::test]
async fn a_grant_is_of_one_kind() {
    let (world, image) = (World::new().await, Image::multi_platform("app"));
    world.signed(&image);
    world.manifest(TAG).await;
    let child = &image.children[0];
    assert_eq!(world.blob(child.digest()).await.status, StatusCode::FORBIDDEN);
    world.manifest(child.digest()).await;
    assert_ne!(world.manifest(Digest::of(&child.blobs[1])).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_same_content_in_another_repository_opens_nothing() {
    let (world, image) = (World::new().await, Image::multi_platform("app"));
    world.signed(&image);
    world.publish_in("acme/other", |publisher| publisher.image(TAG, &image));
    let child = &image.children[0];
    let layer = Digest::of(&child.blobs[1]);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    assert_eq!(world.manifest(child.digest()).await.status, StatusCode::OK);
    assert_eq!(world.blob(layer).await.status, StatusCode::OK);
    for path in [
        format!("manifests/{TAG}"),
        format!("manifests/{}", image.digest()),
        format!("manifests/{}", child.digest()),
        format!("blobs/{layer}"),
        format!("referrers/{}", image.digest()),
        format!("manifests/sha256-{}.sig", image.digest().hex()),
    ] {
        let answer = world.mirror.get(&format!("/v2/acme/other/{path}")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(world.registry.requests_to("/v2/acme/other/blobs/").len(), 0);
}

#[tokio::test]
async fn a_rule_for_some_tags_opens_no_other_tag_and_no_digest_unseen() {
    let (allowed, refused) = (Image::multi_platform("allowed"), Image::with_layers("refused", &[b"r".to_vec()]));
    let refused = Image::index(vec![refused]);
    let world = World::with_rule(SOME_TAGS).await;
    world.publish(|publisher| publisher.image("v1.2", &allowed));
    world.publish(|publisher| publisher.image("v2", &refused));
    for image in [&allowed, &refused] {
        world.assert_closed(image, "unseen").await;
    }
    assert_eq!(world.manifest("v1.2").await.status, StatusCode::OK);
    assert_eq!(world.manifest("v2").await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.manifest(allowed.digest()).await.status, StatusCode::OK);
    assert_eq!(world.manifest(allowed.children[0].digest()).await.status, StatusCode::OK);
    world.assert_closed(&refused, "other tag").await;
    world.assert_closed(&refused.children[0], "child of another tag").await;
    // What a tag that is refused leads to stays refused, though the same digest has a tag that is not.
    world.publish(|publisher| publisher.image("v3", &allowed));
    assert_eq!(world.manifest("v3").await.status, StatusCode::FORBIDDEN);
    let world = world.restart(&SOME_TAGS.replace("v1*", "v9*")).await;
    world.assert_closed(&allowed, "the rule is for other tags now").await;
}

fn two_upstreams(one: &Registry, other: &Registry) -> String {
    format!(
        "[[upstream]]\nname = \"one.example\"\nurl = \"{}\"\n[[upstream]]\nname = \"other.example\"\nurl = \"{}\"\n\
         [[trust]]\nname = \"corp\"\ntrusted_root = \"trusted_root.json\"\n{}",
        one.url(),
        other.url(),
        RULE.replace("docker.io/acme/*", "*.example/acme/*")
    )
}

#[tokio::test]
async fn upstreams_with_the_same_repository_share_no_verdict() {
    let (image, other) = (Image::multi_platform("app"), Registry::start().await);
    let registry = Registry::start().await;
    let config = two_upstreams(&registry, &other);
    let world = World::with_config(registry, &config).await;
    let child = &image.children[0];
    let paths = [
        format!("/v2/acme/app/manifests/{}", image.digest()),
        format!("/v2/acme/app/manifests/{TAG}"),
        format!("/v2/acme/app/manifests/{}", child.digest()),
        format!("/v2/acme/app/blobs/{}", Digest::of(&child.blobs[1])),
    ];
    world.signed(&image);
    let mut unsigned = Repositories::default();
    Publisher::new(&mut unsigned, "acme/app").image(TAG, &image);
    other.publish(unsigned);
    for _ in 0..2 {
        for (ns, status) in [("other", StatusCode::FORBIDDEN), ("one", StatusCode::OK)] {
            for path in &paths {
                let answer = world.mirror.get(&format!("{path}?ns={ns}.example")).await;
                assert_eq!(answer.status, status, "{ns} {path}");
            }
        }
    }
    assert_eq!(other.requests_to("/blobs/").len(), 0);
}

/// The layer that the images of [`disagreeing`] share.
const LAYER: &[u8] = b"the bytes of a layer";

/// An image that says of the layer that it has `size` bytes.
fn that_declares(size: usize) -> Image {
    let image = Image::with_layers("app", &[LAYER.to_vec()]);
    let mut manifest: serde_json::Value = serde_json::from_slice(&image.manifest).unwrap();
    manifest["layers"][0]["size"] = size.into();
    Image { manifest: serde_json::to_vec(&manifest).unwrap(), ..image }
}

/// A mirror that has served images that declare these sizes, one after the other.
async fn disagreeing(sizes: &[usize]) -> World {
    let world = World::new().await;
    for image in sizes.iter().copied().map(that_declares) {
        world.signed(&image);
        assert_eq!(world.manifest(image.digest()).await.status, StatusCode::OK);
    }
    world
}

#[tokio::test]
async fn a_manifest_that_lies_about_a_layer_takes_it_from_none_that_does_not() {
    let (right, layer) = (LAYER.len(), Digest::of(LAYER));
    for sizes in [[right, right + 9, 1], [1, right, right + 9], [right + 9, 1, right]] {
        let world = disagreeing(&sizes).await;
        for case in ["cold", "kept"] {
            let head = world.mirror.ask(Method::HEAD, &blob_path(layer), &[("range", "bytes=1-2")]).await;
            assert_eq!((head.status, head.header("content-length")), (StatusCode::OK, "20"), "{sizes:?} {case}");
            let got = world.blob(layer).await;
            assert!(got.status == StatusCode::OK && got.body == LAYER, "{sizes:?} {case} {:?}", got.body);
        }
        assert_eq!(world.registry.requests_to(&format!("/blobs/{layer}")).len(), 1, "{sizes:?}");
        let world = world.restart(RULE).await;
        assert_eq!(world.blob(layer).await.body, LAYER, "{sizes:?} after a restart");
    }
}

#[tokio::test]
async fn a_layer_that_shrank_is_fetched_again_whatever_manifests_say_of_it() {
    let (world, layer) = (disagreeing(&[7, LAYER.len() + 9, LAYER.len()]).await, Digest::of(LAYER));
    assert_eq!(world.blob(layer).await.body, LAYER);
    while world.mirror.metric("bonafide_content_fetches").await > 0.0 {
        tokio::task::yield_now().await;
    }
    let file = world.mirror.content_file(layer);
    std::fs::File::options().write(true).open(file).unwrap().set_len(10).unwrap();
    assert_eq!(world.blob(layer).await.body, LAYER);
}

#[tokio::test]
async fn a_manifest_that_cannot_be_judged_takes_a_layer_from_none_that_can() {
    let (right, unknown) = (that_declares(LAYER.len()), that_declares(1));
    let world = World::with_rule(&SOME_TAGS.replace("v1*", "*")).await;
    world.signed(&right);
    world.publish(|publisher| publisher.image("v2", &unknown));
    for tag in [TAG, "v2"] {
        assert_eq!(world.manifest(tag).await.status, StatusCode::OK);
    }
    let world = world.restart(RULE).await;
    std::fs::remove_file(world.mirror.content_file(unknown.digest())).unwrap();
    world.registry.forget_requests();
    world.registry.fault(&unknown.digest().to_string(), Fault::Status(500));
    assert_eq!(world.blob(Digest::of(LAYER)).await.body, LAYER);
    assert!(!world.registry.requests_to(&format!("GET {}", manifest_path(unknown.digest()))).is_empty());
}

#[tokio::test]
async fn a_layer_that_all_manifests_lie_about_is_not_served() {
    let (right, layer) = (LAYER.len(), Digest::of(LAYER));
    for sizes in [[right - 1, right - 2], [right + 1, right + 2], [right - 1, right + 1]] {
        let world = disagreeing(&sizes).await;
        for _ in 0..2 {
            assert_ne!(world.blob(layer).await.status, StatusCode::OK, "{sizes:?}");
        }
    }
}

#[tokio::test]
async fn the_size_in_a_manifest_that_is_refused_counts_for_nothing() {
    let (right, layer) = (that_declares(LAYER.len()), Digest::of(LAYER));
    let world = disagreeing(&[LAYER.len(), LAYER.len() + 1]).await;
    assert_eq!(world.blob(layer).await.status, StatusCode::OK);
    let revoked = format!("[revoked]\ndigests = [\"{}\"]\n{RULE}", right.digest());
    let refused = world.restart(&revoked).await.blob(layer).await;
    assert_eq!((refused.status, refused.error().0.as_str()), (StatusCode::FORBIDDEN, "MANIFEST_INVALID"));
}
