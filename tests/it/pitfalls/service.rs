//! Pitfalls of serving: 3, 8, 9, 10 and 14.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use bonafide::oci::Digest;
use http::StatusCode;
use serde_json::json;

use crate::hostile::{TAG, World, about, disguised};
use crate::support::authority::image::Image;
use crate::support::registry::Fault;

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const AN_HOUR: Duration = Duration::from_hours(1);

/// GHSA-w6c6-c85g-mmv6: a broken signature beside none is still none.
#[tokio::test]
async fn pitfall_03_an_image_with_nothing_but_junk_about_it_is_refused() {
    let (world, image) = (World::new().await, Image::new("app"));
    world.publish(|publisher| {
        publisher.image(TAG, &image);
        for junk in [&b""[..], b"{", b"null", b"[[[[", b"\xff\xfe", b"{\"mediaType\":\"x\"}"] {
            publisher.bundle_bytes(&image, junk, BUNDLE, None);
        }
        publisher.signature(image.digest(), &world.developer().sign(image.digest()).with_broken_signature());
    });
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
    world.sign(image.digest());
    world.mirror.clock.advance(AN_HOUR);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
}

/// GHSA-m3cq-xcx9-3gvm, GHSA-3hfq-cx9j-923w, GHSA-xhg5-42rf-296r
#[tokio::test]
async fn pitfall_08_bytes_are_served_only_under_the_digest_that_they_have() {
    let (world, image, evil) = (World::new().await, Image::new("app"), Image::new("evil"));
    let digest = world.signed(&image);
    world.registry.fault(&format!("/manifests/{digest}"), Fault::Bytes(evil.manifest.clone()));
    assert_ne!(world.manifest(digest).await.status, StatusCode::OK);
    assert_ne!(world.manifest(TAG).await.status, StatusCode::OK);
    world.registry.clear_faults();
    world.mirror.clock.advance(AN_HOUR);
    let answer = world.manifest(TAG).await;
    assert_eq!((answer.status, Digest::of(&answer.body)), (StatusCode::OK, digest));

    let layer = Digest::of(&image.blobs[1]);
    world.registry.fault("/blobs/", Fault::Bytes(vec![b'x'; image.blobs[1].len()]));
    let served = world.mirror.try_get(&crate::hostile::blob_path(layer)).await;
    assert!(served.is_err() || served.is_ok_and(|answer| answer.status != StatusCode::OK));
    world.registry.clear_faults();
    assert_eq!(world.blob(layer).await.body.to_vec(), image.blobs[1]);
}

/// What a registry says of a tag when it is asked twice: what is judged is what is served.
#[tokio::test]
async fn pitfall_08_a_tag_that_means_something_else_when_asked_again_is_judged_again() {
    let (world, image, evil) = (World::new().await, Image::new("app"), Image::new("evil"));
    world.signed(&image);
    world.publish(|publisher| publisher.untagged(&evil));
    // To HEAD it is the good one, to GET the other.
    world.registry.fault(&format!("GET /v2/acme/app/manifests/{TAG}"), Fault::Bytes(evil.manifest.clone()));
    let answer = world.manifest(TAG).await;
    assert!(answer.status != StatusCode::OK || Digest::of(&answer.body) == image.digest());
    world.registry.clear_faults();
    world.publish(|publisher| publisher.image(TAG, &evil));
    world.mirror.clock.advance(AN_HOUR);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
}

/// A signature of one platform is none of the index, nor of the other platforms in it.
#[tokio::test]
async fn pitfall_09_a_signed_child_admits_neither_its_index_nor_its_siblings() {
    let (world, index) = (World::new().await, Image::multi_platform("app"));
    let [signed, sibling] = &index.children[..] else { panic!("two platforms") };
    world.publish(|publisher| {
        publisher.image(TAG, &index);
        publisher.signature(signed.digest(), &world.developer().sign(signed.digest()));
    });
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.manifest(index.digest()).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.manifest(signed.digest()).await.status, StatusCode::OK);
    world.assert_closed(&Image { blobs: Vec::new(), ..sibling.clone() }, "sibling").await;
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
}

/// GHSA-vfp6-jrw2-99g9, GHSA-cq38-jh5f-37mq, GHSA-9m3v-v4r5-ppx7, GHSA-rvrx-rrwh-r9p6
#[tokio::test]
async fn pitfall_10_what_does_not_end_is_cut() {
    for part in [format!("/manifests/{TAG}"), ".sig".to_owned(), "/blobs/".to_owned(), "/referrers/".to_owned()] {
        let (world, image) = (World::new().await, Image::new("app"));
        world.signed(&image);
        world.registry.fault(&part, Fault::Endless);
        let answer = tokio::time::timeout(Duration::from_mins(1), world.manifest(TAG)).await.expect("an end");
        // Whatever could not be read, nothing else was served in its place.
        assert!(answer.status != StatusCode::OK || Digest::of(&answer.body) == image.digest(), "{part}");
    }
}

/// GHSA-9c54-x2g4-v92j: what strangers name becomes no series of metrics.
#[tokio::test]
async fn pitfall_10_names_that_strangers_choose_become_no_labels() {
    let (world, image) = (World::new().await, Image::new("app"));
    world.signed(&image);
    let series = async || {
        let metrics = world.mirror.admin("/metrics").await;
        let text = String::from_utf8(metrics.body.to_vec()).unwrap();
        let names = text.lines().filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series.to_owned());
        names.collect::<BTreeSet<_>>()
    };
    let ask = async |number: u32| {
        for path in [
            format!("/v2/acme/app{number}/manifests/v{number}"),
            format!("/v2/evil{number}.example/app/manifests/v1"),
            format!("/v2/acme/app/manifests/made-up-{number}"),
            format!("/v2/acme/app/blobs/{}", Digest::of(&number.to_be_bytes())),
            format!("/v2/acme/app/manifests/v1?ns=evil{number}.example"),
            format!("/made-up-{number}"),
        ] {
            world.mirror.get(&path).await;
        }
    };
    ask(0).await;
    let before = series().await;
    for number in 1..20 {
        ask(number).await;
    }
    let added: Vec<_> = series().await.difference(&before).cloned().collect();
    assert!(added.iter().all(|series| !series.contains("evil") && !series.contains("made-up")), "{added:?}");
    assert!(added.len() < 5, "{added:?}");
}

/// kyverno#17130: a verdict is kept for the digest that was judged, and a tag is asked for its digest again.
#[tokio::test]
async fn pitfall_14_a_verdict_is_never_that_of_a_tag() {
    let (world, image, moved) = (World::new().await, Image::new("app"), Image::new("moved"));
    world.signed(&image);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    world.publish(|publisher| publisher.image(TAG, &moved));
    world.mirror.clock.advance(AN_HOUR);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.manifest(moved.digest()).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.manifest(image.digest()).await.status, StatusCode::OK);
}

/// bpfman#1695: what lies in the cache is held against its digest before it is served.
#[tokio::test]
async fn pitfall_14_a_manifest_that_was_changed_in_the_cache_is_not_served() {
    let (world, image) = (World::new().await, Image::new("app"));
    let digest = world.signed(&image);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    let evil = disguised("application/vnd.oci.image.layer.v1.tar+gzip", b"evil", &about(&image));
    fs::write(world.mirror.content_file(digest), &evil.manifest).unwrap();
    let world = world.restart(crate::hostile::RULE).await;
    let answer = world.manifest(TAG).await;
    assert_eq!((answer.status, Digest::of(&answer.body)), (StatusCode::OK, digest));
    world.registry.edit(crate::hostile::REPOSITORY, |content| content.manifests.clear());
    fs::write(world.mirror.content_file(digest), json!({}).to_string()).unwrap();
    let world = world.restart(crate::hostile::RULE).await;
    let answer = world.manifest(digest).await;
    assert!(answer.status != StatusCode::OK || Digest::of(&answer.body) == digest, "{:?}", answer.body);
}
