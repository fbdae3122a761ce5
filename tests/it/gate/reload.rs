//! A configuration that changes while it is in use.

use bonafide::oci::Digest;
use http::StatusCode;

use crate::hostile::{DEVELOPER, REPOSITORY, RULE, TAG, World, blob_path};
use crate::support::authority::image::Image;
use crate::support::mirror::world;

impl World {
    /// What the configuration of this world is with `rules`.
    pub(super) fn config(&self, rules: &str) -> String {
        format!("{}{rules}", world(&self.registry))
    }
}

/// A world in which a signed image was pulled, and its digest.
async fn pulled() -> (World, Digest) {
    let world = World::new().await;
    let digest = world.signed(&Image::new("app"));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    (world, digest)
}

#[tokio::test]
async fn a_revocation_bites_on_the_next_request_with_no_restart() {
    let (world, digest) = pulled().await;
    let layer = blob_path(Digest::of(&Image::new("app").blobs[1]));
    assert_eq!(world.mirror.get(&layer).await.status, StatusCode::OK);
    for revoked in [format!("digests = [\"{digest}\"]"), format!("subjects = [\"{DEVELOPER}\"]")] {
        world.mirror.reconfigure(&world.config(&format!("{RULE}\n[revoked]\n{revoked}\n")), "applied").await;
        for path in
            [format!("/v2/{REPOSITORY}/manifests/{TAG}"), format!("/v2/{REPOSITORY}/manifests/{digest}"), layer.clone()]
        {
            assert_eq!(world.mirror.get(&path).await.status, StatusCode::FORBIDDEN, "{path}: {revoked}");
            assert_eq!(world.mirror.head(&path).await.status, StatusCode::FORBIDDEN, "{path}: {revoked}");
        }
        world.mirror.reconfigure(&world.config(RULE), "applied").await;
        assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_changed_rule_judges_what_is_known_without_asking_again() {
    let (world, _) = pulled().await;
    world.registry.forget_requests();
    let other = RULE.replace(DEVELOPER, "somebody@acme.example");
    world.mirror.reconfigure(&world.config(&other), "applied").await;
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
    world.mirror.reconfigure(&world.config(RULE), "applied").await;
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    assert_eq!(world.registry.requests().len(), 0);
}

#[tokio::test]
async fn a_file_that_cannot_be_used_changes_nothing() {
    let (world, digest) = pulled().await;
    let revoked = format!("{RULE}\n[revoked]\ndigests = [\"{digest}\"]\n");
    world.mirror.reconfigure(&world.config(&revoked), "applied").await;
    // An empty rule would refuse everything, and half a file may have lost a revocation.
    for broken in ["[[rule]]\nname = \"signed\"\n", "nonsense", "[revoked]\ndigests = [\"sha256:1\"]\n"] {
        world.mirror.reconfigure(&world.config(broken), "refused").await;
        assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN, "{broken}");
    }
    world.mirror.reconfigure(&world.config(RULE), "applied").await;
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_tag_that_moves_back_is_proven_until_the_old_image_is_revoked() {
    let (world, old) = pulled().await;
    let new = world.signed(&Image::new("newer"));
    for (image, digest) in [("newer", new), ("app", old)] {
        world.publish(|publisher| publisher.image(TAG, &Image::new(image)));
        world.mirror.clock.advance(std::time::Duration::from_hours(1));
        // A signature never says "newest": see docs/limits.md.
        assert_eq!(world.manifest(TAG).await.header("docker-content-digest"), digest.to_string());
    }
    let revoked = format!("{RULE}\n[revoked]\ndigests = [\"{old}\"]\n");
    world.mirror.reconfigure(&world.config(&revoked), "applied").await;
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.manifest(new).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_exception_counts_from_the_next_request_to_its_end() {
    let world = World::new().await;
    let digest = world.publish(|publisher| publisher.image(TAG, &Image::new("unsigned")));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
    let until = world.authority.time().checked_add(jiff::SignedDuration::from_hours(1)).unwrap();
    let exception = format!(
        "{RULE}\n[[exception]]\nimage = \"docker.io/{REPOSITORY}@{digest}\"\nuntil = {until}\nreason = \"INC-42\"\n"
    );
    world.mirror.reconfigure(&world.config(&exception), "applied").await;
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
    world.mirror.clock.advance(std::time::Duration::from_hours(2));
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_needs_a_restart_is_counted_as_applied_in_part() {
    let (world, digest) = pulled().await;
    let other = world.config(RULE).replace("default = true", "default = true\ntag_ttl = \"5s\"");
    for rules in [String::new(), format!("[revoked]\ndigests = [\"{digest}\"]\n")] {
        world.mirror.reconfigure(&format!("{other}{rules}"), "partly").await;
    }
    assert_eq!(world.manifest(TAG).await.status, StatusCode::FORBIDDEN, "the rules count all the same");
    world.mirror.reconfigure(&world.config(RULE), "applied").await;
    assert_eq!(world.manifest(TAG).await.status, StatusCode::OK);
}
