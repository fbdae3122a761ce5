//! Clocks that jump.

use std::time::Duration;

use http::StatusCode;

use crate::support::authority::Authority;
use crate::support::authority::seed::{self, RULE};
use crate::support::content::Repositories;
use crate::support::mirror::{Mirror, world};
use crate::support::registry::Registry;

const MANIFEST: &str = "/v2/fystacklabs/apex/manifests/v1.2.3";

#[tokio::test]
async fn a_clock_that_jumps_changes_no_answer() {
    let (authority, registry) = (Authority::new("corp"), Registry::start().await);
    let mut repositories = Repositories::default();
    let release = seed::era_a(&authority, &mut repositories, "fystacklabs/apex", "v1.2.3");
    registry.publish(repositories);
    let mirror = Mirror::start(&authority, &format!("{}{RULE}", world(&registry))).await;
    let blob = &release.image.children[0].blobs[0];
    let blob_path = format!("/v2/fystacklabs/apex/blobs/{}", bonafide::oci::Digest::of(blob));
    let child = format!("/v2/fystacklabs/apex/manifests/{}", release.image.children[0].digest());
    let day = Duration::from_hours(24);
    for jump in [Jump::Ahead(day), Jump::Back(2 * day), Jump::Ahead(30 * day), Jump::Back(29 * day)] {
        match jump {
            Jump::Ahead(by) => mirror.clock.advance(by),
            Jump::Back(by) => mirror.clock.go_back(by),
        }
        for (path, bytes) in [(MANIFEST, &release.image.manifest), (&child, &release.image.children[0].manifest)] {
            let answer = mirror.get(path).await;
            assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &bytes[..]), "{path} after {jump:?}");
        }
        assert_eq!(mirror.get(&blob_path).await.body, blob[..], "after {jump:?}");
    }
}

#[derive(Debug, Clone, Copy)]
enum Jump {
    Ahead(Duration),
    Back(Duration),
}
