//! Roots that arrive and change: from a site, from a folder, over restarts, and what a pull makes of it.

use std::sync::Arc;
use std::time::Duration;

use bonafide::clock::Clock;
use bonafide::oci::Digest;
use bonafide::trust::DomainSettings;
use http::StatusCode;
use jiff::SignedDuration;
use tempfile::TempDir;

use crate::said::Said;
use crate::support::authority::Authority;
use crate::support::authority::image::Image;
use crate::support::authority::key::Key;
use crate::support::authority::publisher::Publisher;
use crate::support::authority::seed::{self, RULE};
use crate::support::authority::signed::Signed;
use crate::support::authority::signer::Signer;
use crate::support::content::Repositories;
use crate::support::mirror::Mirror;
use crate::support::registry::{Fault, Registry};
use crate::support::tuf::Repository;
use crate::trust::{WEEK, World};

#[tokio::test]
async fn a_root_is_awaited_until_it_was_fetched() {
    let world = World::new();
    world.place.set_down(true);
    let fresh = world.started().await;
    assert!(fresh.awaits());
    world.place.set_down(false);
    fresh.now.ask().await;
    assert!(fresh.trusts(&world.root()));
    assert!(!fresh.awaits());
}

#[tokio::test]
async fn a_root_that_changed_takes_the_place_of_the_old_one() {
    let mut world = World::new();
    let fresh = world.started().await;
    let other = world.other_root();
    world.repository.replace(&other);
    world.publish();
    fresh.now.ask().await;
    assert!(fresh.trusts(&other));
    assert_eq!((fresh.count("changed"), fresh.count("failed")), (2, 0));
}

#[tokio::test]
async fn a_root_that_did_not_change_swaps_nothing() {
    let mut world = World::new();
    let fresh = world.started().await;
    let before = fresh.current.snapshot();
    world.repository.advance();
    world.repository.publish();
    world.publish();
    fresh.now.ask().await;
    assert!(Arc::ptr_eq(&before, &fresh.current.snapshot()));
    assert!(fresh.count("unchanged") > 0);
    assert_eq!(fresh.count("changed"), 1);
}

#[tokio::test]
async fn keys_of_every_role_may_change() {
    let mut world = World::new();
    let fresh = world.started().await;
    world.repository.rotate(|keys| keys.root = vec!["root b", "root c", "root d"]);
    world.repository.rotate(|keys| {
        keys.timestamp = "timestamp 2";
        keys.snapshot = "snapshot 2";
        keys.targets = vec!["targets c", "targets d"];
    });
    let other = world.other_root();
    world.repository.replace(&other);
    world.publish();
    fresh.now.ask().await;
    assert!(fresh.trusts(&other));
    assert_eq!(fresh.count("failed"), 0);
}

#[tokio::test]
async fn a_restart_needs_no_network() {
    let mut world = World::new();
    world.repository.rotate(|keys| keys.timestamp = "timestamp 2");
    world.repository.replace(&world.root());
    world.publish();
    drop(world.started().await);
    world.place.set_down(true);
    let fresh = world.start().await;
    assert!(fresh.trusts(&world.root()));
    assert!(fresh.metric("bonafide_trust_expires_timestamp_seconds{domain=\"corp\",what=\"metadata\"}").is_some());
}

#[tokio::test]
async fn a_restart_after_the_end_of_the_metadata_still_has_the_root() {
    let world = World::new();
    drop(world.started().await);
    world.clock.advance(WEEK * 100);
    world.place.set_down(true);
    assert!(world.started().await.trusts(&world.root()));
}

#[tokio::test]
async fn metrics_say_when_it_was_fresh_and_when_it_ends() {
    let world = World::new();
    let fresh = world.started().await;
    let now = world.authority.time().as_second();
    let seconds = |days: i64| Some((now + days * 24 * 3600).to_string().parse().unwrap());
    assert_eq!(fresh.metric("bonafide_trust_refreshed_timestamp_seconds{domain=\"corp\"}"), seconds(0));
    assert_eq!(fresh.metric("bonafide_trust_expires_timestamp_seconds{domain=\"corp\",what=\"metadata\"}"), seconds(7));
    assert!(fresh.metric("bonafide_trust_expires_timestamp_seconds{domain=\"corp\",what=\"root\"}").is_some());
}

#[tokio::test]
async fn a_folder_does_where_there_is_no_network() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let medium = folder.path().join("medium");
    let domain: DomainSettings = world.domain(&format!("folder = '{}'", medium.display()));
    let fresh = world.open(domain).await.unwrap();
    fresh.now.ask().await;
    assert!(fresh.awaits(), "the medium is not there yet");
    world.repository.write_to(&medium);
    fresh.now.ask().await;
    assert!(fresh.trusts(&world.root()));
}

/// A mirror of a registry with one release of `corp`, whose root comes from the same site.
struct Pull {
    authority: Authority,
    repository: Repository,
    registry: Registry,
    mirror: Mirror,
}

const IMAGE: &str = "/v2/fystacklabs/apex/manifests/v1.2.3";

impl Pull {
    /// Before the repository is there.
    async fn new() -> Self {
        let publish = |authority: &Authority, repositories: &mut Repositories| {
            seed::era_a(authority, repositories, "fystacklabs/apex", "v1.2.3");
        };
        Self::of(publish, RULE, None).await
    }

    /// The same of an image that a key signs, under a rule that asks for the key alone.
    async fn keyed(without_log: &str, sign: impl Fn(Signer<'_>, Digest) -> Option<Signed>) -> Self {
        let key = Key::p256("release");
        let publish = |authority: &Authority, repositories: &mut Repositories| {
            let mut publisher = Publisher::new(repositories, "fystacklabs/apex");
            let digest = publisher.image("v1.2.3", &Image::new("app"));
            if let Some(signed) = sign(authority.with_key(&key), digest) {
                publisher.signature(digest, &signed);
            }
        };
        let rule = format!(
            "[[key]]\nname = 'release'\npath = 'cosign.pub'\nwithout_log = '{without_log}'\n[[rule]]\nname = 'keyed'\n\
             images = ['docker.io/**']\n[[rule.signature]]\nkey = 'release'\n"
        );
        Self::of(publish, &rule, Some(&key)).await
    }

    async fn of(publish: impl Fn(&Authority, &mut Repositories), rule: &str, key: Option<&Key>) -> Self {
        Self::at(Registry::start().await, "", publish, (rule, key)).await
    }

    /// The same of a registry and a repository that speak TLS, of which `ca` says whose certificates they have.
    async fn over_tls(ca: &str) -> Self {
        let publish = |authority: &Authority, repositories: &mut Repositories| {
            seed::era_a(authority, repositories, "fystacklabs/apex", "v1.2.3");
        };
        Self::at(Registry::start_with_tls().await, ca, publish, (RULE, None)).await
    }

    async fn at(
        registry: Registry,
        ca: &str,
        publish: impl Fn(&Authority, &mut Repositories),
        (rule, key): (&str, Option<&Key>),
    ) -> Self {
        let (authority, mut repositories) = (Authority::new("corp"), Repositories::default());
        publish(&authority, &mut repositories);
        registry.publish(repositories);
        let repository = Repository::new(&authority.trusted_root().to_json(), authority.time());
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("root.json"), repository.anchor()).unwrap();
        let url = registry.url();
        let mut own = "";
        if url.starts_with("https") {
            std::fs::write(folder.path().join("ca.pem"), registry.authority_pem()).unwrap();
            own = "ca = \"ca.pem\"\n";
        }
        let config = format!(
            "[[upstream]]\nname = \"docker.io\"\nurl = \"{url}\"\ndefault = true\n{own}\n\
             [[trust]]\nname = \"corp\"\ntuf = {{ url = \"{url}/tuf\", root = \"root.json\"{ca} }}\n\n{rule}"
        );
        if let Some(key) = key {
            std::fs::write(folder.path().join("cosign.pub"), key.public_pem()).unwrap();
        }
        let now = authority.time() + SignedDuration::from_mins(1);
        let mirror = Mirror::within(folder, now, &config).await;
        Self { authority, repository, registry, mirror }
    }

    fn publish(&self) {
        for (path, bytes) in &self.repository.files {
            self.registry.set_file(&format!("/tuf/{path}"), bytes.clone());
        }
    }

    async fn status(&self) -> StatusCode {
        self.mirror.get(IMAGE).await.status
    }
}

#[tokio::test]
async fn an_image_of_a_domain_whose_root_is_awaited_is_neither_served_nor_refused() {
    let pull = Pull::new().await;
    assert_eq!(pull.status().await, StatusCode::SERVICE_UNAVAILABLE);
    pull.publish();
    pull.mirror.refresh_trust().await;
    assert_eq!(pull.status().await, StatusCode::OK);
}

#[tokio::test]
async fn a_key_whose_log_is_of_a_domain_that_is_awaited_is_neither_served_nor_refused() {
    let pull = Pull::keyed("refuse", |signer, digest| Some(signer.sign(digest))).await;
    assert_eq!(pull.status().await, StatusCode::SERVICE_UNAVAILABLE);
    pull.publish();
    pull.mirror.refresh_trust().await;
    assert_eq!(pull.status().await, StatusCode::OK);
}

#[tokio::test]
async fn a_key_that_needs_no_log_and_an_image_that_nobody_signed_await_no_domain() {
    let pull = Pull::keyed("allow", |signer, digest| Some(signer.sign(digest))).await;
    assert_eq!(pull.status().await, StatusCode::OK);
    let pull = Pull::keyed("refuse", |_, _| None).await;
    assert_eq!(pull.status().await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_repository_over_tls_is_trusted_by_the_authority_that_is_named_for_it_alone() {
    let failed = "bonafide_trust_refreshes_total{domain=\"corp\",outcome=\"failed\"}";
    for (ca, expected) in [(", ca = \"ca.pem\"", StatusCode::OK), ("", StatusCode::SERVICE_UNAVAILABLE)] {
        let pull = Pull::over_tls(ca).await;
        pull.publish();
        let before = pull.mirror.metric(failed).await;
        pull.mirror.refresh_trust().await;
        assert_eq!(pull.status().await, expected, "{ca}");
        assert_eq!(pull.mirror.metric(failed).await > before, expected != StatusCode::OK, "{ca}");
    }
}

#[tokio::test]
async fn who_watches_the_log_is_told_once_of_each_end_and_in_time() {
    let said = Said::default();
    let _guard = said.listen();
    let world = World::new();
    let fresh = world.started().await;
    world.place.set_down(true);
    let (metadata, root) = ("metadata of the trusted root has ended", "after this end, nothing that is signed can be");
    let mut told = Vec::new();
    let end = fresh.metric("bonafide_trust_expires_timestamp_seconds{domain=\"corp\",what=\"root\"}").unwrap();
    let left = Duration::from_secs_f64(end - world.clock.now().as_duration().as_secs_f64());
    let day = Duration::from_hours(24);
    for step in [Duration::ZERO, day * 6, day * 2, left.saturating_sub(day * 39), day * 2, day * 2] {
        world.clock.advance(step);
        fresh.now.ask().await;
        told.push((said.count(&[metadata, "\"corp\""]), said.count(&[root, "\"corp\""])));
    }
    assert_eq!(told, [(0, 0), (0, 0), (1, 0), (1, 0), (1, 1), (1, 1)]);
}

#[tokio::test]
async fn a_root_that_was_replaced_bites_on_the_next_request() {
    let mut pull = Pull::new().await;
    pull.publish();
    pull.mirror.refresh_trust().await;
    assert_eq!(pull.status().await, StatusCode::OK);
    pull.repository.replace(&pull.authority.foreign().trusted_root().to_json());
    pull.publish();
    pull.mirror.refresh_trust().await;
    assert_eq!(pull.status().await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_site_that_fails_stalls_the_refresh_and_nothing_else() {
    let mut pull = Pull::new().await;
    pull.publish();
    pull.mirror.refresh_trust().await;
    pull.repository.replace(&pull.authority.foreign().trusted_root().to_json());
    pull.publish();
    for fault in [Fault::Status(401), Fault::Endless, Fault::Bytes(b"<html>".to_vec())] {
        pull.registry.fault("GET /tuf/timestamp.json", fault);
        pull.mirror.refresh_trust().await;
        assert_eq!(pull.status().await, StatusCode::OK);
        pull.registry.clear_faults();
    }
    let metrics = String::from_utf8(pull.mirror.admin("/metrics").await.body.to_vec()).unwrap();
    assert!(metrics.contains("bonafide_trust_refreshes_total{domain=\"corp\",outcome=\"failed\"} 3"), "{metrics}");
}

#[tokio::test]
async fn a_missing_root_may_be_answered_by_403_as_object_stores_do() {
    let pull = Pull::new().await;
    pull.publish();
    pull.registry.fault("GET /tuf/2.root.json", Fault::Status(403));
    pull.mirror.refresh_trust().await;
    assert_eq!(pull.status().await, StatusCode::OK);
}
