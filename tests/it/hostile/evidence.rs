//! Evidence that is none: images in its clothes, junk in masses, strangers beside the right ones.

use bonafide::oci::Digest;
use http::StatusCode;
use serde_json::{Value, json};

use super::{TAG, World, about, blob_path, disguised, evidence_tags, manifest_path, runnable_layers};
use crate::support::authority::image::{Image, OCI_INDEX, OCI_LAYER, descriptor};
use crate::support::authority::statement::Statement;
use crate::support::registry::Referrers;

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const MEBIBYTE: u64 = 1024 * 1024;

/// What one proving may ask an upstream for: manifest, tags, pages, and 1024 manifests and layers (`docs/limits.md`).
const REQUESTS_OF_A_PROVING: usize = 8 + 64 + 1024 + 1024;

#[tokio::test]
async fn an_image_behind_an_evidence_tag_is_never_served() {
    let (world, image) = (World::new().await, Image::new("app"));
    let subject = world.signed(&image);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    for (media_type, bytes) in runnable_layers() {
        for extra in [json!({}), about(&image)] {
            let evil = disguised(media_type, &bytes, &extra);
            for tag in evidence_tags(subject) {
                world.publish(|publisher| publisher.image(&tag, &evil));
                let answer = world.manifest(&tag).await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{tag} {media_type}: {:?}", answer.body);
                world.assert_closed(&evil, media_type).await;
            }
            world.mirror.clock.advance(std::time::Duration::from_hours(1));
        }
    }
}

#[tokio::test]
async fn an_image_that_refers_to_an_admitted_one_is_never_served() {
    let (world, image) = (World::new().await, Image::new("app"));
    let subject = world.signed(&image);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    let referrers: Vec<_> =
        runnable_layers().iter().map(|(media_type, bytes)| disguised(media_type, bytes, &about(&image))).collect();
    for evil in &referrers {
        world.publish(|publisher| publisher.untagged(evil));
    }
    assert_eq!(world.referrers(subject).await, []);
    for evil in &referrers {
        world.assert_closed(evil, "referrer").await;
    }
}

#[tokio::test]
async fn an_index_of_images_behind_an_evidence_tag_is_never_served() {
    let (world, image, evil) = (World::new().await, Image::new("app"), Image::new("evil"));
    let subject = world.signed(&image);
    for index in [Image::index(vec![evil.clone()]), Image::index(vec![image.clone(), evil.clone()])] {
        for tag in evidence_tags(subject) {
            world.publish(|publisher| publisher.image(&tag, &index));
            assert_eq!(world.manifest(&tag).await.status, StatusCode::NOT_FOUND, "{tag}");
        }
        world.assert_closed(&index, "index").await;
        world.assert_closed(&evil, "child").await;
        world.mirror.clock.advance(std::time::Duration::from_hours(1));
    }
}

/// All that an index lists is granted with it, so that all of it is looked at.
#[tokio::test]
async fn an_index_of_more_evidence_than_is_looked_at_is_not_served() {
    let (world, image) = (World::new().await, Image::new("app"));
    let subject = world.signed(&image);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    let piece = |number: u32| {
        let document = format!("{{\"number\":{number}}}");
        disguised("application/spdx+json", document.as_bytes(), &about(&image))
    };
    let tag = format!("sha256-{}", subject.hex());
    for (pieces, status) in [(64, StatusCode::OK), (65, StatusCode::NOT_FOUND)] {
        let index = Image::index((0..pieces).map(piece).collect());
        world.publish(|publisher| publisher.image(&tag, &index));
        let answer = world.manifest(&tag).await;
        assert_eq!(answer.status, status, "{pieces}: {:?}", answer.body);
        world.mirror.clock.advance(std::time::Duration::from_hours(1));
    }
}

#[tokio::test]
async fn an_image_whose_manifest_was_served_as_a_layer_is_not_served_as_evidence() {
    for (media_type, bytes) in runnable_layers() {
        let (world, evil) = (World::new().await, disguised(media_type, &bytes, &json!({})));
        let image = Image::with_layers("app", std::slice::from_ref(&evil.manifest));
        let subject = world.signed(&image);
        assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
        assert_eq!(world.blob(evil.digest()).await.status, StatusCode::OK);
        for tag in evidence_tags(subject) {
            world.publish(|publisher| publisher.image(&tag, &evil));
            assert_eq!(world.manifest(&tag).await.status, StatusCode::NOT_FOUND, "{tag} {media_type}");
            world.mirror.clock.advance(std::time::Duration::from_hours(1));
        }
    }
}

/// Go reads `Layers` as `layers`, and the last one counts: this one is evidence here, and an image to containerd.
#[tokio::test]
async fn a_manifest_that_other_readers_take_for_an_image_is_never_served() {
    let (world, image) = (World::new().await, Image::new("app"));
    world.signed(&image);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    let layer = descriptor(OCI_LAYER, &image.blobs[1]);
    for other in ["Layers", "LAYERS", "layer\u{17f}"] {
        let mut extra = about(&image);
        extra[other] = json!([layer]);
        let evil = disguised("application/spdx+json", b"{}", &extra);
        world.publish(|publisher| publisher.untagged(&evil));
        assert_eq!(world.referrers(image.digest()).await, [], "{other}");
        world.assert_closed(&evil, other).await;
    }
}

/// `cosign copy` and some registries leave the image itself under the tag of its referrers.
#[tokio::test]
async fn a_fallback_tag_that_is_the_image_itself_is_served_as_that_image() {
    let (world, image) = (World::new().await, Image::new("app"));
    let subject = world.signed(&image);
    let tag = format!("sha256-{}", subject.hex());
    world.publish(|publisher| publisher.image(&tag, &image));
    let answer = world.manifest(&tag).await;
    assert_eq!((answer.status, answer.body.to_vec()), (StatusCode::OK, image.manifest.clone()));
    assert_eq!(world.blob(Digest::of(&image.blobs[1])).await.status, StatusCode::OK);

    let unsigned = Image::new("unsigned");
    let tag = format!("sha256-{}", unsigned.digest().hex());
    world.publish(|publisher| publisher.image(&tag, &unsigned));
    assert_eq!(world.manifest(&tag).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_thousand_junk_referrers_do_not_stop_a_signature_and_cost_little() {
    for referrers in [Referrers::Served, Referrers::Paged(20)] {
        let (world, image) = (World::new().await, Image::new("app"));
        world.registry.set_referrers(referrers);
        let subject = world.signed(&image);
        for number in 0..1000 {
            world.publish(|publisher| {
                publisher.untagged(&disguised(BUNDLE, format!("{{\"junk\":{number}}}").as_bytes(), &about(&image)))
            });
        }
        let answer = world.manifest(TAG).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        let asked = world.registry.requests().len();
        assert!(asked <= REQUESTS_OF_A_PROVING, "{asked} requests");
        world.registry.forget_requests();
        assert!(world.referrers(subject).await.len() <= 64);
        let asked = world.registry.requests().len();
        assert!(asked <= 64 + 2 + 64 * 3, "{asked} requests");
    }
}

#[tokio::test]
async fn a_good_referrer_is_found_among_a_thousand_pieces_of_junk() {
    let (world, image) = (World::new().await, Image::new("app"));
    world.registry.set_referrers(Referrers::Served);
    for number in 0..1000 {
        world.publish(|publisher| {
            publisher.untagged(&disguised(BUNDLE, format!("{{\"junk\":{number}}}").as_bytes(), &about(&image)))
        });
    }
    world.bundled(&image);
    let answer = world.manifest(TAG).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
}

#[tokio::test]
async fn a_foreign_bundle_beside_a_good_one_does_not_stop_it() {
    let (world, image) = (World::new().await, Image::new("app"));
    let good = world.bundled(&image);
    let subject = image.digest();
    let (stranger, developer) = (world.stranger(), world.developer());
    world.publish(|publisher| {
        publisher.bundle(&image, &stranger.attest(&Statement::signature(subject)));
        publisher.bundle(&image, &developer.attest(&Statement::signature(subject)).with_broken_signature());
        publisher.bundle(&image, &developer.attest(&Statement::signature(Digest::of(b"another"))));
        publisher.bundle_bytes(&image, b"no json", BUNDLE, None);
        publisher.referrer(subject, b"no manifest", "a/b");
    });
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    assert!(world.referrers(subject).await.contains(&good));
}

/// A referrer of `image` whose layer the manifest describes as `layer`.
fn referrer_of(image: &Image, layer: &Value) -> Image {
    let mut extra = about(image);
    extra["layers"] = json!([layer]);
    disguised(BUNDLE, b"", &extra)
}

/// Whoever may attach evidence may attach any of these, since few registries look.
fn broken_layers() -> [(&'static str, Value, Vec<u8>); 4] {
    let described = |bytes: &[u8], size: u64| {
        let mut layer = descriptor(BUNDLE, bytes);
        layer["size"] = size.into();
        layer
    };
    let large = vec![b' '; usize::try_from(65 * MEBIBYTE).unwrap()];
    [
        ("missing", described(b"nowhere", 7), Vec::new()),
        ("longer than it says", described(b"{\"longer\":1}", 3), b"{\"longer\":1}".to_vec()),
        ("shorter than it says", described(b"{\"shorter\":1}", 99), b"{\"shorter\":1}".to_vec()),
        ("larger than it may be", described(&large, 5), large),
    ]
}

/// Every bill of materials counts where packages are denied, so there what cannot be asked for stops an image; what is
/// junk does not.
const DENYING: &str = r#"
    [rule.sbom]
    deny_packages = ["pkg:npm/axios@1.14.1"]
"#;

#[tokio::test]
async fn evidence_that_is_broken_is_junk_and_no_outage() {
    for (case, layer, bytes) in broken_layers() {
        let (world, image) = (World::with_rule(&format!("{}{DENYING}", super::RULE)).await, Image::new("app"));
        let good = world.bundled(&image);
        let sbom = world.developer().attest(&Statement::spdx(image.digest(), &["pkg:npm/axios@1.0.0"]));
        world.publish(|publisher| publisher.bundle(&image, &sbom));
        let mut broken = referrer_of(&image, &layer);
        broken.blobs.push(bytes);
        world.publish(|publisher| publisher.untagged(&broken));
        if case == "missing" {
            world.registry.edit(super::REPOSITORY, |content| {
                content.blobs.remove(&Digest::of(b"nowhere"));
            });
        }
        let answer = world.manifest(TAG).await;
        assert_eq!(answer.status, StatusCode::OK, "{case}: {:?}", answer.body);
        let listed = world.referrers(image.digest()).await;
        assert!(listed.contains(&good) && !listed.contains(&broken.digest()), "{case}: {listed:?}");
    }
}

#[tokio::test]
async fn evidence_of_gigabytes_is_neither_fetched_nor_served() {
    let (world, image) = (World::new().await, Image::new("app"));
    let subject = world.signed(&image);
    world.manifest(TAG).await;
    let mut extra = about(&image);
    let layer = |number: u32| {
        let mut layer = descriptor("application/spdx+json", &number.to_be_bytes());
        layer["size"] = (60 * MEBIBYTE).into();
        layer
    };
    extra["layers"] = (0..100).map(layer).collect();
    let heavy = disguised("application/spdx+json", b"", &extra);
    world.publish(|publisher| publisher.image(&format!("sha256-{}.att", subject.hex()), &heavy));
    world.registry.forget_requests();
    assert_eq!(world.referrers(subject).await, []);
    assert_eq!(world.manifest(format!("sha256-{}.att", subject.hex())).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.registry.requests_to("/blobs/").len(), 0);
}

#[tokio::test]
async fn evidence_that_leads_back_to_its_subject_ends() {
    let (world, image) = (World::new().await, Image::multi_platform("app"));
    let subject = world.signed(&image);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    let referrer = disguised("application/spdx+json", b"{}", &about(&image));
    let listed = [&image, &referrer].map(|listed| descriptor(listed.media_type, &listed.manifest));
    let index = json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed, "subject": about(&image)["subject"],
    });
    let index = Image { children: vec![referrer.clone()], ..Image::of_manifest(written(&index), OCI_INDEX) };
    let outer = Image::index(vec![index.clone(), image.clone()]);
    for circle in [index, outer] {
        for tag in evidence_tags(subject) {
            world.publish(|publisher| publisher.image(&tag, &circle));
        }
        world.registry.forget_requests();
        assert_eq!(world.manifest(format!("sha256-{}", subject.hex())).await.status, StatusCode::NOT_FOUND);
        assert_eq!(world.referrers(subject).await, [referrer.digest()]);
        let asked = world.registry.requests().len();
        assert!(asked < 40, "{asked} requests");
        world.mirror.clock.advance(std::time::Duration::from_hours(1));
    }
}

#[tokio::test]
async fn evidence_is_open_no_longer_than_its_subject() {
    let (world, image) = (World::new().await, Image::new("app"));
    let subject = world.signed(&image);
    let tag = format!("sha256-{}.sig", subject.hex());
    let signature = world.manifest(&tag).await;
    let layer: Digest = signature.json()["layers"][0]["digest"].as_str().unwrap().parse().unwrap();
    assert_eq!(world.blob(layer).await.status, StatusCode::OK);
    let world = world.restart(&format!("[revoked]\ndigests = [\"{subject}\"]\n{}", super::RULE)).await;
    for path in [manifest_path(&tag), manifest_path(Digest::of(&signature.body)), blob_path(layer)] {
        assert_eq!(world.mirror.get(&path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
}

fn written(json: &Value) -> Vec<u8> {
    serde_json::to_vec(json).unwrap()
}
