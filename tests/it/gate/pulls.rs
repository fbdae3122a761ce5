//! Who pulled an image that turns out to contain something.

use std::sync::Arc;

use ::bonafide::clock::{Clock, SystemClock};
use ::bonafide::facts::{Facts, Settings};
use http::StatusCode;
use prometheus::Registry;
use serde_json::Value;

use crate::cli::{bonafide, code};
use crate::hostile::{RULE, TAG, World, manifest_path};
use crate::support::authority::image::Image;
use crate::support::authority::statement::Statement;

const PACKAGE: &str = "pkg:npm/axios@1.14.1";

/// What is said of the package once the mirror is gone.
async fn told(world: World, as_json: bool) -> String {
    let folder = world.mirror.stop().await;
    let output = tokio::task::spawn_blocking(move || {
        let mut command = bonafide(folder.path());
        let config = folder.path().join("bonafide.toml");
        command.arg("--config").arg(config).args(["packages", "who-has", PACKAGE]).args(as_json.then_some("--json"));
        command.output().unwrap()
    });
    let output = output.await.unwrap();
    assert_eq!(code(&output), 0, "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A world that serves an index whose package is known, looked at by HEAD.
async fn looked_at() -> (World, Image) {
    let world = World::with_rule(&format!("{RULE}\n[rule.sbom]\nformats = [\"spdx\"]\n")).await;
    let index = Image::multi_platform("app");
    let digest = world.signed(&index);
    let bill = world.developer().attest(&Statement::spdx(digest, &[PACKAGE]));
    world.publish(|publisher| publisher.attestation(digest, &bill));
    assert_eq!(world.mirror.head(&manifest_path(TAG)).await.status, StatusCode::OK);
    let settings = Settings { path: world.mirror.storage() };
    let facts = Facts::open(&settings, Arc::new(SystemClock), &Registry::new()).await.unwrap();
    while facts.who_has(PACKAGE).await.unwrap().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    (world, index)
}

#[tokio::test]
async fn whoever_was_served_an_image_is_told_with_the_packages_in_it() {
    let (world, index) = looked_at().await;
    assert_eq!(world.manifest(index.children[0].digest()).await.status, StatusCode::OK);
    let at = world.mirror.clock.now();
    let told = told(world, false).await;
    assert!(told.contains(&format!("{}", index.digest())), "{told}");
    assert!(told.contains(&format!("pulled by   127.0.0.1, last at {at}")), "{told}");
}

#[tokio::test]
async fn who_only_looked_pulled_nothing() {
    let (world, _) = looked_at().await;
    let told: Value = serde_json::from_str(&told(world, true).await).unwrap();
    assert_eq!(told["images"][0]["pulled_by"], Value::Array(Vec::new()), "{told}");
}

#[tokio::test]
async fn a_pull_is_told_to_programs_too() {
    let (world, _) = looked_at().await;
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    let told: Value = serde_json::from_str(&told(world, true).await).unwrap();
    assert_eq!(told["images"][0]["pulled_by"][0]["client"], "127.0.0.1", "{told}");
}
