//! `index = "children"`: an index that is not proven, of images that are.

use bonafide::oci::Digest;
use http::StatusCode;

use crate::hostile::{RULE, TAG, World, manifest_path};
use crate::support::authority::image::Image;
use crate::support::authority::statement::Statement;
use crate::support::registry::Fault;

fn rule() -> String {
    RULE.replace("[[rule.signature]]", "index = \"children\"\n[[rule.signature]]")
}

/// A world with an index that nobody signed, of one image that is signed and one that is not.
async fn half_signed(rule: &str) -> (World, Image) {
    let world = World::with_rule(rule).await;
    let index = Image::multi_platform("app");
    world.publish(|publisher| publisher.image(TAG, &index));
    world.sign(index.children[0].digest());
    (world, index)
}

async fn status(world: &World, image: &Image) -> Vec<StatusCode> {
    let mut answers = vec![world.manifest(image.digest()).await.status];
    for blob in &image.blobs {
        answers.push(world.blob(Digest::of(blob)).await.status);
    }
    answers
}

#[tokio::test]
async fn an_unproven_index_is_served_for_an_image_that_is_proven_and_opens_no_other() {
    let (world, index) = half_signed(&rule()).await;
    for reference in [TAG.to_owned(), index.digest().to_string()] {
        let answer = world.manifest(&reference).await;
        assert_eq!((answer.status, answer.body.to_vec()), (StatusCode::OK, index.manifest.clone()), "{reference}");
        assert_eq!(world.mirror.head(&manifest_path(&reference)).await.status, StatusCode::OK);
    }
    assert_eq!(status(&world, &index.children[0]).await, [StatusCode::OK; 4]);
    assert_eq!(status(&world, &index.children[1]).await, [StatusCode::FORBIDDEN; 4]);
}

#[tokio::test]
async fn without_being_told_so_an_unproven_index_is_refused() {
    let (world, _) = half_signed(RULE).await;
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_index_of_nothing_that_is_proven_is_refused_with_why_each_image_is_not() {
    let world = World::with_rule(&rule()).await;
    let index = Image::multi_platform("app");
    world.publish(|publisher| {
        publisher.image(TAG, &index);
        publisher.signature(index.children[0].digest(), &world.stranger().sign(index.children[0].digest()));
    });
    let answer = world.manifest(TAG).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let (_, message) = answer.error();
    assert!(message.contains("index: linux/amd64 sha256:") && message.contains("eve@evil.example"), "{message}");
    let detail = &answer.json()["errors"][0]["detail"]["requirements"];
    assert_eq!((&detail[0]["kind"], &detail[1]["kind"]), (&"signature".into(), &"index".into()));
    assert_eq!(detail[1]["reasons"].as_array().unwrap().len(), 2, "{detail}");
    assert_eq!(status(&world, &index.children[0]).await[0], StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_proven_index_admits_its_images_as_ever() {
    let world = World::with_rule(&rule()).await;
    let index = Image::multi_platform("app");
    world.signed(&index);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    assert_eq!(status(&world, &index.children[1]).await, [StatusCode::OK; 4]);
}

#[tokio::test]
async fn what_is_revoked_is_revoked_as_index_and_as_image() {
    let (world, index) = half_signed(&rule()).await;
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    for revoked in [index.digest(), index.children[0].digest()] {
        let rules = format!("{}\n[revoked]\ndigests = [\"{revoked}\"]\n", rule());
        world.mirror.reconfigure(&world.config(&rules), "applied").await;
        assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN, "{revoked}");
    }
    assert_eq!(status(&world, &index.children[0]).await, [StatusCode::FORBIDDEN; 4]);
}

#[tokio::test]
async fn an_image_is_judged_by_the_rule_of_the_tag_that_its_index_was_seen_under() {
    let tagged = rule().replace("index =", &format!("tags = [\"{TAG}\"]\nindex ="));
    let (world, index) = half_signed(&tagged).await;
    // Seen under no tag yet.
    assert_eq!(status(&world, &index.children[0]).await[0], StatusCode::FORBIDDEN);
    assert_eq!(world.mirror.head(&manifest_path(TAG)).await.status, StatusCode::OK);
    let world = world.restart(&tagged).await;
    assert_eq!(status(&world, &index.children[0]).await, [StatusCode::OK; 4]);
    assert_eq!(status(&world, &index.children[1]).await, [StatusCode::FORBIDDEN; 4]);
}

#[tokio::test]
async fn a_node_that_holds_the_manifests_is_served_the_layers_of_proven_images_only() {
    let (world, index) = half_signed(&rule()).await;
    assert_eq!(world.mirror.head(&manifest_path(TAG)).await.status, StatusCode::OK);
    for (child, expected) in index.children.iter().zip([StatusCode::OK, StatusCode::FORBIDDEN]) {
        assert_eq!(world.blob(Digest::of(&child.blobs[1])).await.status, expected);
    }
}

#[tokio::test]
async fn an_attestation_in_an_unproven_index_is_not_served() {
    let statement = |digest| Statement::spdx(digest, &["pkg:npm/a@1"]);
    for (proven, expected) in [(false, StatusCode::FORBIDDEN), (true, StatusCode::OK)] {
        let world = World::with_rule(&rule()).await;
        let index = Image::with_attestations("app", statement);
        world.publish(|publisher| publisher.image(TAG, &index));
        world.sign(if proven { index.digest() } else { index.children[0].digest() });
        assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
        assert_eq!(world.manifest(index.children[2].digest()).await.status, expected);
    }
}

#[tokio::test]
async fn a_signed_attestation_is_no_image_that_opens_its_index() {
    let world = World::with_rule(&rule()).await;
    let index = Image::with_attestations("app", |digest| Statement::spdx(digest, &["pkg:npm/a@1"]));
    world.publish(|publisher| publisher.image(TAG, &index));
    world.sign(index.children[2].digest());
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_index_whose_images_cannot_be_decided_is_a_503() {
    let (world, index) = half_signed(&rule()).await;
    world.registry.fault(&format!("sha256-{}.sig", index.children[0].digest().hex()), Fault::Status(503));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.registry.clear_faults();
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_repeated_request_asks_nobody() {
    let (world, _) = half_signed(&rule()).await;
    world.manifest(TAG).await;
    world.registry.forget_requests();
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    assert_eq!(world.registry.requests().len(), 0);
}

#[tokio::test]
async fn in_audit_all_is_served_and_what_is_not_proven_is_counted() {
    let (world, index) = half_signed(&rule().replace("index =", "mode = \"audit\"\nindex =")).await;
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    for child in &index.children {
        assert_eq!(status(&world, child).await, [StatusCode::OK; 4]);
    }
    let would_refuse = world.mirror.metric(&admitted("missing")).await;
    let proven = world.mirror.metric(&admitted("")).await;
    // The unproven image and its three blobs; the index, the proven image and its blobs.
    assert!((would_refuse - 4.0).abs() < f64::EPSILON, "{would_refuse}");
    assert!((proven - 5.0).abs() < f64::EPSILON, "{proven}");
}

fn admitted(reason: &str) -> String {
    format!("bonafide_decisions_total{{decision=\"admit\",reason=\"{reason}\",rule=\"signed\"}}")
}
