//! What is served though it is not proven: by a rule that only watches, and by an exception.

use std::time::Duration;

use bonafide::oci::Digest;
use http::StatusCode;

use crate::hostile::{REPOSITORY, RULE, TAG, World};
use crate::support::authority::image::Image;
use crate::support::registry::Fault;

fn audit() -> String {
    RULE.replace("[[rule.signature]]", "mode = \"audit\"\n[[rule.signature]]")
}

/// How often something was admitted under `rule` with `reason`.
async fn admitted(world: &World, rule: &str, reason: &str) -> f64 {
    let line = format!("bonafide_decisions_total{{decision=\"admit\",reason=\"{reason}\",rule=\"{rule}\"}}");
    world.mirror.metric(&line).await
}

fn same(found: f64, expected: f64) -> bool {
    (found - expected).abs() < f64::EPSILON
}

#[tokio::test]
async fn a_rule_that_only_watches_serves_and_counts_what_it_would_refuse() {
    let world = World::with_rule(&audit()).await;
    let image = Image::new("unsigned");
    let digest = world.publish(|publisher| publisher.image(TAG, &image));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    assert_eq!(world.blob(Digest::of(&image.blobs[1])).await.status, StatusCode::OK);
    assert!(same(admitted(&world, "signed", "missing").await, 2.0));
    world.sign(digest);
    world.mirror.clock.advance(Duration::from_hours(1));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    assert!(same(admitted(&world, "signed", "").await + admitted(&world, "signed", "missing").await, 3.0));
}

#[tokio::test]
async fn a_rule_that_only_watches_counts_why_a_signature_would_not_do() {
    let world = World::with_rule(&audit()).await;
    world.publish(|publisher| {
        let digest = publisher.image(TAG, &Image::new("app"));
        publisher.signature(digest, &world.stranger().sign(digest));
    });
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    assert!(same(admitted(&world, "signed", "wrong-identity").await, 1.0));
}

#[tokio::test]
async fn a_rule_that_only_watches_serves_what_cannot_be_decided() {
    let world = World::with_rule(&audit()).await;
    let digest = world.signed(&Image::new("app"));
    world.registry.fault(&format!("sha256-{}.sig", digest.hex()), Fault::Status(503));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    assert!(same(admitted(&world, "signed", "unavailable").await, 1.0));
}

#[tokio::test]
async fn what_is_revoked_is_refused_by_a_rule_that_only_watches_too() {
    let digest = Image::new("app").digest();
    let world = World::with_rule(&format!("{}\n[revoked]\ndigests = [\"{digest}\"]\n", audit())).await;
    world.signed(&Image::new("app"));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn each_use_of_an_exception_is_counted_under_its_reason() {
    let digest = Image::new("unsigned").digest();
    let exception = format!(
        "{RULE}\n[[exception]]\nimage = \"docker.io/{REPOSITORY}@{digest}\"\nuntil = 2100-01-01T00:00:00Z\nreason = \"INC-42\"\n"
    );
    let world = World::with_rule(&exception).await;
    world.publish(|publisher| publisher.image(TAG, &Image::new("unsigned")));
    for uses in [1.0, 2.0] {
        assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
        assert!(same(admitted(&world, "exception: INC-42", "").await, uses));
    }
    let layer = Digest::of(&Image::new("unsigned").blobs[1]);
    assert_eq!(world.blob(layer).await.status, StatusCode::OK);
    assert!(same(admitted(&world, "exception: INC-42", "").await, 3.0));
}

#[tokio::test]
async fn no_evidence_is_collected_about_what_an_exception_admits_until_it_ends() {
    let digest = Image::new("unsigned").digest();
    let world = World::new().await;
    let until = world.authority.time().checked_add(Duration::from_hours(1)).unwrap();
    let exception = format!(
        "{RULE}\n[[exception]]\nimage = \"docker.io/{REPOSITORY}@{digest}\"\nuntil = {until}\nreason = \"INC-42\"\n"
    );
    world.mirror.reconfigure(&world.config(&exception), "applied").await;
    world.publish(|publisher| publisher.image(TAG, &Image::new("unsigned")));
    let asked = || world.registry.requests().iter().any(|request| format!("{request:?}").contains(".sig"));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    assert!(!asked());
    world.mirror.clock.advance(Duration::from_hours(1));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
    assert!(asked());
}
