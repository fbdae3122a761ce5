//! Tags while the upstream cannot be asked (`max_stale`): what it said last, judged as it is at every request.

use std::time::Duration;

use bonafide::oci::Digest;
use http::StatusCode;

use crate::support::authority::Authority;
use crate::support::authority::seed::{self, RULE, Release};
use crate::support::content::Repositories;
use crate::support::mirror::{Mirror, world};
use crate::support::registry::{Auth, Fault, Registry};

const REPOSITORY: &str = "fystacklabs/apex";
const TAG: &str = "v1.2.3";
const MINUTE: Duration = Duration::from_mins(1);

/// A mirror that has served a tag, with an upstream that says no more than 503 since.
struct Outage {
    registry: Registry,
    mirror: Mirror,
    digest: Digest,
    config: String,
}

impl Outage {
    async fn of(release: fn(&Authority, &mut Repositories, &str, &str) -> Release) -> Self {
        let (authority, registry) = (Authority::new("corp"), Registry::start().await);
        let mut repositories = Repositories::default();
        let release = release(&authority, &mut repositories, REPOSITORY, TAG);
        registry.publish(repositories);
        let upstream = world(&registry).replace("default = true\n", "default = true\nmax_stale = '1h'\n");
        let config = format!("{upstream}{RULE}");
        let mirror = Mirror::start(&authority, &config).await;
        let outage = Self { registry, mirror, digest: release.image.digest(), config };
        outage.status().await;
        outage.registry.fault("/v2/", Fault::RetryAfter(503, "60".into()));
        outage
    }

    async fn status(&self) -> StatusCode {
        self.mirror.get(&format!("/v2/{REPOSITORY}/manifests/{TAG}")).await.status
    }
}

#[tokio::test]
async fn a_tag_means_what_it_meant_for_max_stale_and_no_longer() {
    let outage = Outage::of(seed::era_a).await;
    outage.mirror.clock.advance(59 * MINUTE);
    assert_eq!(outage.status().await, StatusCode::OK);
    let stale = "bonafide_stale_tags_total{upstream=\"docker.io\"}";
    assert!((outage.mirror.metric(stale).await - 1.0).abs() < f64::EPSILON);
    outage.mirror.clock.advance(MINUTE);
    assert_eq!(outage.status().await, StatusCode::SERVICE_UNAVAILABLE);
    let by_digest = outage.mirror.get(&format!("/v2/{REPOSITORY}/manifests/{}", outage.digest)).await;
    assert_eq!(by_digest.status, StatusCode::OK, "a digest means the same for ever");
    outage.registry.clear_faults();
    outage.mirror.clock.advance(MINUTE);
    assert_eq!(outage.status().await, StatusCode::OK);
}

#[tokio::test]
async fn while_a_token_service_does_not_answer_one_request_waits_for_it() {
    let (authority, registry) = (Authority::new("corp"), Registry::start().await);
    let mut repositories = Repositories::default();
    seed::era_a(&authority, &mut repositories, REPOSITORY, TAG);
    registry.publish(repositories);
    registry.set_auth(Auth::Bearer { realm: None, credentials: None, expires_in: Some(60) });
    let upstream = world(&registry).replace("default = true\n", "default = true\nanswer_timeout = '1s'\n");
    let mirror = Mirror::start(&authority, &format!("{upstream}{RULE}")).await;
    let path = format!("/v2/{REPOSITORY}/manifests/{TAG}");
    assert_eq!(mirror.get(&path).await.status, StatusCode::OK);
    mirror.clock.advance(30 * MINUTE);
    registry.fault("/token", Fault::Stall);
    registry.forget_requests();
    for _ in 0..4 {
        assert_eq!(mirror.get(&path).await.status, StatusCode::OK);
        assert_eq!(registry.requests_to("/token").len(), 1);
    }
}

#[tokio::test]
async fn how_long_ago_it_was_said_outlives_a_restart() {
    let mut outage = Outage::of(seed::era_a).await;
    outage.mirror.clock.advance(59 * MINUTE);
    outage.mirror = outage.mirror.restart(&outage.config).await;
    assert_eq!(outage.status().await, StatusCode::OK);
    outage.mirror.clock.advance(MINUTE);
    assert_eq!(outage.status().await, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn what_is_revoked_meanwhile_is_refused() {
    let outage = Outage::of(seed::era_a).await;
    outage.mirror.clock.advance(30 * MINUTE);
    let revoked = format!("{}\n[revoked]\ndigests = [\"{}\"]\n", outage.config, outage.digest);
    outage.mirror.reconfigure(&revoked, "applied").await;
    assert_eq!(outage.status().await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_was_never_proven_is_not_served_for_an_outage() {
    let outage = Outage::of(|_, repositories, repository, tag| seed::unsigned(repositories, repository, tag)).await;
    outage.mirror.clock.advance(30 * MINUTE);
    assert_eq!(outage.status().await, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_tag_that_is_gone_is_gone() {
    let outage = Outage::of(seed::era_a).await;
    outage.registry.clear_faults();
    outage.registry.fault("/manifests/v1.2.3", Fault::Status(404));
    outage.mirror.clock.advance(30 * MINUTE);
    assert_eq!(outage.status().await, StatusCode::NOT_FOUND);
}
