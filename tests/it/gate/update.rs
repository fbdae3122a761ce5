//! `on_unproven_update`: a tag that moved to what is not proven.

use std::time::Duration;

use bonafide::oci::Digest;
use http::StatusCode;

use crate::hostile::{DEVELOPER, REPOSITORY, RULE, TAG, World, manifest_path};
use crate::support::authority::image::Image;
use crate::support::registry::Fault;

/// A rule that keeps what it admitted.
fn rule() -> String {
    RULE.replace("[[rule.signature]]", "on_unproven_update = \"last-admitted\"\n[[rule.signature]]")
}

/// A world in which the signed image was pulled by its tag, and its digest.
async fn admitted() -> (World, Digest) {
    let world = World::with_rule(&rule()).await;
    let digest = world.signed(&Image::new("proven"));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    (world, digest)
}

/// Moves the tag to an image that nobody signed, and lets the mirror notice.
fn moved(world: &World) -> Digest {
    let digest = world.publish(|publisher| publisher.image(TAG, &Image::new("unproven")));
    world.mirror.clock.advance(Duration::from_hours(1));
    digest
}

#[tokio::test]
async fn what_was_admitted_last_is_served_while_its_tag_is_unproven() {
    let (world, last) = admitted().await;
    let unproven = moved(&world);
    let (get, head) = (world.manifest(TAG).await, world.mirror.head(&manifest_path(TAG)).await);
    for answer in [&get, &head] {
        assert_eq!((answer.status, answer.header("docker-content-digest")), (StatusCode::OK, &*last.to_string()));
    }
    assert_eq!(Digest::of(&get.body), last);
    // By digest there is nothing in the place of which it could be served.
    assert_eq!(world.manifest(unproven).await.status, StatusCode::FORBIDDEN);
    for blob in &Image::new("proven").blobs {
        assert_eq!(world.blob(Digest::of(blob)).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn the_update_is_served_once_it_is_proven_and_is_then_what_is_kept() {
    let (world, last) = admitted().await;
    let update = moved(&world);
    assert_eq!(world.manifest(TAG).await.header("docker-content-digest"), last.to_string());
    world.sign(update);
    world.mirror.clock.advance(Duration::from_hours(1));
    assert_eq!(world.manifest(TAG).await.header("docker-content-digest"), update.to_string());
    world.publish(|publisher| publisher.image(TAG, &Image::new("unproven again")));
    world.mirror.clock.advance(Duration::from_hours(1));
    assert_eq!(world.manifest(TAG).await.header("docker-content-digest"), update.to_string());
}

#[tokio::test]
async fn without_being_told_so_nothing_stands_in_for_what_is_unproven() {
    let world = World::new().await;
    world.signed(&Image::new("proven"));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    moved(&world);
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_was_admitted_last_is_known_after_a_restart() {
    let (world, last) = admitted().await;
    moved(&world);
    let world = world.restart(&rule()).await;
    assert_eq!(world.manifest(TAG).await.header("docker-content-digest"), last.to_string());
}

#[tokio::test]
async fn what_was_admitted_last_is_judged_again() {
    let (world, last) = admitted().await;
    let unproven = moved(&world);
    let revoked = format!("{}\n[revoked]\ndigests = [\"{last}\"]\n", rule());
    let world = world.restart(&revoked).await;
    let answer = world.manifest(TAG).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    // The client is told of what the tag means.
    assert!(answer.error().1.contains(&unproven.to_string()), "{:?}", answer.error());
    let world = world.restart(&format!("{}\n[revoked]\nsubjects = [\"{DEVELOPER}\"]\n", rule())).await;
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
    let denied = format!("[[rule]]\nname = \"no\"\nimages = [\"docker.io/{REPOSITORY}\"]\nmode = \"deny\"\n{}", rule());
    let world = world.restart(&denied).await;
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_was_admitted_under_another_tag_or_in_another_repository_stands_in_for_nothing() {
    let (world, _) = admitted().await;
    world.publish(|publisher| publisher.image("v2", &Image::new("unproven")));
    assert_eq!(world.manifest("v2").await.status, StatusCode::FORBIDDEN);
    world.publish_in("acme/other", |publisher| publisher.image(TAG, &Image::new("unproven")));
    let other = world.mirror.get(&format!("/v2/acme/other/manifests/{TAG}")).await;
    assert_eq!(other.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_update_that_cannot_be_decided_is_unproven() {
    let (world, last) = admitted().await;
    let undecided = moved(&world);
    world.registry.fault(&format!("sha256-{}.sig", undecided.hex()), Fault::Status(503));
    assert_eq!(world.manifest(TAG).await.header("docker-content-digest"), last.to_string());
}

#[tokio::test]
async fn a_tag_that_is_gone_is_not_found() {
    let (world, _) = admitted().await;
    world.registry.edit(REPOSITORY, |content| drop(content.manifests.remove(TAG)));
    world.mirror.clock.advance(Duration::from_hours(1));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_an_exception_let_through_is_not_what_was_proven_last() {
    let (world, last) = admitted().await;
    let excepted = moved(&world);
    let exception = format!(
        "{}\n[[exception]]\nimage = \"docker.io/{REPOSITORY}@{excepted}\"\nuntil = 2100-01-01T00:00:00Z\nreason = \"X\"\n",
        rule()
    );
    let world = world.restart(&exception).await;
    assert_eq!(world.manifest(TAG).await.header("docker-content-digest"), excepted.to_string());
    let world = world.restart(&rule()).await;
    assert_eq!(world.manifest(TAG).await.header("docker-content-digest"), last.to_string());
}

#[tokio::test]
async fn what_stands_in_is_counted_as_such_with_the_reason() {
    let (world, _) = admitted().await;
    moved(&world);
    world.manifest(TAG).await;
    let line = "bonafide_decisions_total{decision=\"last-admitted\",reason=\"missing\",rule=\"signed\"}";
    assert!((world.mirror.metric(line).await - 1.0).abs() < f64::EPSILON);
}
