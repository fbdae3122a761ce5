//! Three answers, and when they change: 403 is a judgement, 404 is an absence, 503 is neither.

use std::time::Duration;

use bonafide::oci::Digest;
use http::StatusCode;

use super::{RULE, TAG, World, blob_path};
use crate::support::authority::image::Image;
use crate::support::mirror::{Answer, world};
use crate::support::registry::{Fault, Referrers, Registry};

/// How long a refusal stands, and a moment.
const AFTER_A_REFUSAL: Duration = Duration::from_secs(31);

fn assert_undecided(answer: &Answer, case: &str) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{case}: {:?}", answer.body);
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0, "{case}");
    assert_eq!(answer.error().0, "UNAVAILABLE", "{case}");
}

/// Every request for evidence about `subject`, by a part of its line.
fn places(subject: Digest) -> [String; 4] {
    let hex = subject.hex();
    [
        format!("/manifests/sha256-{hex}.sig"),
        format!("/manifests/sha256-{hex}.att"),
        format!("/manifests/sha256-{hex} "),
        format!("/referrers/{subject}"),
    ]
    .map(|part| part.trim_end().to_owned())
}

#[tokio::test]
async fn evidence_that_is_not_there_is_no_evidence() {
    for status in [404, 200] {
        let (world, image) = (World::new().await, Image::new("app"));
        world.publish(|publisher| publisher.image(TAG, &image));
        if status == 404 {
            world.registry.set_referrers(Referrers::Absent);
        }
        assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn evidence_that_cannot_be_asked_for_is_no_refusal() {
    let image = Image::new("app");
    for fault in [Fault::Status(500), Fault::Status(401), Fault::RetryAfter(429, "99".into()), Fault::Status(302)] {
        for place in places(image.digest()) {
            let world = World::new().await;
            world.publish(|publisher| publisher.image(TAG, &image));
            world.registry.fault(&place, fault.clone());
            let case = format!("{fault:?} {place}");
            assert_undecided(&world.manifest(TAG).await, &case);
            assert_undecided(&world.manifest(image.digest()).await, &case);
            world.registry.clear_faults();
            // As long as the upstream wants to be left alone, it is.
            world.mirror.clock.advance(Duration::from_secs(99));
            assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN, "{case}");
        }
    }
}

#[tokio::test]
async fn evidence_that_breaks_off_is_no_refusal() {
    let image = Image::new("app");
    for fault in [Fault::CutAfter(3), Fault::Bytes(b"{}".to_vec()), Fault::Status(503)] {
        let world = World::new().await;
        world.signed(&image);
        world.registry.fault("/blobs/", fault.clone());
        let case = format!("{fault:?}");
        assert_undecided(&world.manifest(TAG).await, &case);
        world.registry.clear_faults();
        assert_eq!(world.manifest(TAG).await.status, StatusCode::OK, "{case}");
    }
}

/// As patient as a test can afford.
async fn impatient() -> World {
    let registry = Registry::start().await;
    let config = world(&registry);
    let timeouts = "default = true\nanswer_timeout = \"1s\"\nidle_timeout = \"1s\"\n";
    let config = format!("{}{RULE}", config.replace("default = true\n", timeouts));
    World::with_config(registry, &config).await
}

#[tokio::test]
async fn evidence_that_stalls_is_no_refusal() {
    for (part, fault) in
        [(".sig", Fault::Stall), ("/referrers/", Fault::StallAfter(3)), ("/blobs/", Fault::StallAfter(3))]
    {
        let (world, image) = (impatient().await, Image::new("app"));
        world.signed(&image);
        // With the signature itself at hand, what else there may be does not matter.
        let expected = if part == "/referrers/" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        world.registry.fault(part, fault);
        assert_eq!(world.manifest(TAG).await.status, expected, "{part}");
        world.registry.clear_faults();
        assert_eq!(world.manifest(TAG).await.status, StatusCode::OK, "{part}");
    }
}

#[tokio::test]
async fn a_layer_that_one_address_has_wrong_is_had_from_the_next_at_the_next_pull() {
    let layer: Vec<u8> = (0..400_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let rotten: Vec<u8> = layer.iter().map(|byte| byte ^ 1).collect();
    for wrong in [rotten, layer[1..].to_vec(), [&layer[..], b"more"].concat()] {
        let (first, second) = (Registry::start().await, Registry::start().await);
        let urls = format!("url = [\"{}\", \"{}\"]", first.url(), second.url());
        let config = world(&first).replace(&format!("url = \"{}\"", first.url()), &urls);
        let world = World::with_config(first, &format!("{config}{RULE}")).await;
        let image = Image::with_layers("app", std::slice::from_ref(&layer));
        world.signed(&image);
        let digest = second.push_blob(super::REPOSITORY, layer.clone());
        world.registry.fault(&digest.to_string(), Fault::Bytes(wrong));
        assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
        let path = blob_path(digest);
        let pulled = world.mirror.try_get(&path).await;
        assert!(!pulled.is_ok_and(|answer| answer.status == StatusCode::OK));
        assert!(second.requests().is_empty());
        let pulled = world.mirror.get(&path).await;
        assert!(pulled.status == StatusCode::OK && pulled.body == layer);
        assert_eq!(second.requests().len(), 1);
    }
}

#[tokio::test]
async fn three_answers_are_three_things() {
    let (world, image) = (World::new().await, Image::new("app"));
    world.publish(|publisher| publisher.image(TAG, &image));
    let layer = Digest::of(&image.blobs[1]);
    assert_eq!(world.manifest("absent").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.manifest(Digest::of(b"absent")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
    world.registry.fault("GET /v2/acme/app/manifests/sha256:", Fault::Status(500));
    assert_undecided(&world.manifest(Digest::of(b"another")).await, "manifest");
    world.registry.fault("HEAD ", Fault::Status(500));
    assert_undecided(&world.manifest("another").await, "tag");
    world.registry.clear_faults();
    world.sign(image.digest());
    world.mirror.clock.advance(AFTER_A_REFUSAL);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    world.registry.fault("/blobs/", Fault::Status(500));
    assert_undecided(&world.blob(layer).await, "blob");
    world.registry.clear_faults();
    world.registry.edit(super::REPOSITORY, |content| content.blobs.clear());
    assert_eq!(world.mirror.get(&blob_path(layer)).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_refusal_stands_for_a_while_and_a_late_signature_counts() {
    let (world, image) = (World::new().await, Image::new("app"));
    world.publish(|publisher| publisher.image(TAG, &image));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
    world.sign(image.digest());
    world.registry.forget_requests();
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.registry.requests().len(), 0);
    world.mirror.clock.advance(AFTER_A_REFUSAL);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    assert_eq!(world.manifest(image.digest()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_was_revoked_is_refused_after_a_restart() {
    let image = Image::multi_platform("app");
    let child = &image.children[0];
    let (root, platform, layer) = (image.digest(), child.digest(), Digest::of(&child.blobs[1]));
    for revoked in [
        format!("digests = [\"{root}\"]"),
        format!("digests = [\"{platform}\"]"),
        "subjects = [\"dev@acme.example\"]".to_owned(),
    ] {
        let world = World::new().await;
        world.signed(&image);
        for path in [super::manifest_path(TAG), super::manifest_path(platform), blob_path(layer)] {
            assert_eq!(world.mirror.get(&path).await.status, StatusCode::OK, "{path}");
        }
        let world = world.restart(&format!("[revoked]\n{revoked}\n{RULE}")).await;
        assert_eq!(world.manifest(platform).await.status, StatusCode::FORBIDDEN, "{revoked}");
        // Of an index, one revoked child does not forbid the others.
        if !revoked.contains(&platform.to_string()) {
            for path in [super::manifest_path(TAG), super::manifest_path(root), blob_path(layer)] {
                assert_eq!(world.mirror.get(&path).await.status, StatusCode::FORBIDDEN, "{revoked} {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_changed_rule_bites_after_a_restart_and_back() {
    let (world, image) = (World::new().await, Image::multi_platform("app"));
    world.signed(&image);
    let child = &image.children[0];
    let paths = [
        super::manifest_path(TAG),
        super::manifest_path(image.digest()),
        super::manifest_path(child.digest()),
        blob_path(Digest::of(&child.blobs[1])),
        blob_path(Digest::of(&child.blobs[0])),
    ];
    let another = RULE.replace(super::DEVELOPER, "boss@acme.example");
    let mut world = world;
    for (rule, status) in
        [(RULE, StatusCode::OK), (&another, StatusCode::FORBIDDEN), (RULE, StatusCode::OK), ("", StatusCode::FORBIDDEN)]
    {
        world = world.restart(rule).await;
        for path in &paths {
            assert_eq!(world.mirror.get(path).await.status, status, "{path}");
        }
    }
}
