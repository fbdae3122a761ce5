//! Logging in: challenges answered, tokens reused, and secrets told to nobody else.

use std::fs;
use std::time::Duration;

use bonafide::upstream::{AuthSettings, UnavailableKind};
use futures_util::future::join_all;
use http::header::AUTHORIZATION;
use tempfile::TempDir;

use super::{Bed, MANIFEST, app, kind, tag};
use crate::support::registry::{Auth, Fault, Registry};

/// `u` with the password `hunter2`.
pub(super) fn password(folder: &TempDir) -> AuthSettings {
    let password_file = folder.path().join("password");
    fs::write(&password_file, "hunter2\n").unwrap();
    AuthSettings::Password { username: "u".into(), password_file }
}

/// `Authorization` of `u` with the password `hunter2`.
const BASIC: &str = "Basic dTpodW50ZXIy";

fn bearer() -> Auth {
    Auth::Bearer { realm: None, credentials: None, expires_in: Some(300) }
}

fn bearer_of(realm: String) -> Auth {
    Auth::Bearer { realm: Some(realm), credentials: None, expires_in: Some(300) }
}

async fn anonymous(auth: Auth) -> Bed {
    let bed = Bed::new().await;
    bed.registry.push_manifest("lib/app", Some("v1"), MANIFEST);
    bed.registry.set_auth(auth);
    bed
}

async fn with_password(auth: Auth) -> (Bed, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let bed = Bed::with(Registry::start().await, |settings| settings.auth = Some(password(&folder)));
    bed.registry.push_manifest("lib/app", Some("v1"), MANIFEST);
    bed.registry.set_auth(auth);
    (bed, folder)
}

/// Whether the tag could be resolved.
async fn resolve(bed: &Bed) -> Result<bool, UnavailableKind> {
    let resolved = bed.upstream.resolve(&app(), &tag("v1")).await;
    resolved.map(|digest| digest.is_some()).map_err(|unavailable| unavailable.kind)
}

#[tokio::test]
async fn an_anonymous_token_is_fetched_for_pulling_and_used_again() {
    let bed = anonymous(bearer()).await;
    assert_eq!(resolve(&bed).await, Ok(true));
    assert_eq!(resolve(&bed).await, Ok(true));
    let [request] = bed.registry.requests_to("/token").try_into().unwrap();
    assert_eq!(request.path, "/token?service=registry%2C%20of%20%22test%22&scope=repository%3Alib%2Fapp%3Apull");
    assert_eq!(request.header(AUTHORIZATION), None);
    let sent: Vec<_> = bed.registry.requests_to("/v2/").iter().map(|request| request.header(AUTHORIZATION)).collect();
    assert_eq!(sent, [None, Some("Bearer token-1".into()), Some("Bearer token-1".into())]);
}

#[tokio::test]
async fn many_requests_share_one_token_request() {
    let bed = anonymous(bearer()).await;
    let all = join_all((0..16).map(|_| resolve(&bed))).await;
    assert!(all.iter().all(|one| *one == Ok(true)));
    assert_eq!(bed.asked("/token"), 1);
}

#[tokio::test]
async fn each_repository_has_a_token_of_its_own() {
    let bed = anonymous(bearer()).await;
    bed.registry.push_manifest("lib/other", Some("v1"), MANIFEST);
    assert_eq!(resolve(&bed).await, Ok(true));
    bed.upstream.resolve(&"lib/other".parse().unwrap(), &tag("v1")).await.unwrap().unwrap();
    assert_eq!(bed.asked("/token"), 2);
    assert_eq!(bed.asked("scope=repository%3Alib%2Fother%3Apull"), 1);
}

#[tokio::test]
async fn a_token_is_not_used_beyond_its_life() {
    let bed = anonymous(bearer()).await;
    assert_eq!(resolve(&bed).await, Ok(true));
    bed.clock.advance(289);
    assert_eq!(resolve(&bed).await, Ok(true));
    assert_eq!(bed.asked("/token"), 1);
    bed.clock.advance(2);
    bed.registry.forget_requests();
    assert_eq!(resolve(&bed).await, Ok(true));
    assert_eq!(bed.asked("/token"), 1);
    assert_eq!(bed.registry.requests()[0].header(AUTHORIZATION), None);
}

#[tokio::test]
async fn a_revoked_token_is_renewed_once() {
    let bed = anonymous(bearer()).await;
    assert_eq!(resolve(&bed).await, Ok(true));
    bed.registry.revoke_tokens();
    assert_eq!(resolve(&bed).await, Ok(true));
    assert_eq!(bed.asked("/token"), 2);
}

#[tokio::test]
async fn tokens_that_never_help_end_in_not_authorized() {
    let realm = Registry::start().await;
    realm.set_auth(bearer());
    let bed = anonymous(bearer_of(format!("{}/token", realm.url()))).await;
    assert_eq!(resolve(&bed).await, Err(UnavailableKind::Unauthorized));
    assert_eq!((bed.asked("/v2/"), realm.requests().len()), (2, 1));
}

#[tokio::test]
async fn a_realm_that_fails_is_tried_again_and_is_no_verdict() {
    let bed = anonymous(bearer()).await;
    bed.registry.fault_times(2, "/token", Fault::Status(503));
    assert_eq!(resolve(&bed).await, Ok(true));
    assert_eq!(bed.pauses.all().len(), 2);
    bed.registry.revoke_tokens();
    bed.registry.fault("/token", Fault::RetryAfter(429, "60".into()));
    assert_eq!(resolve(&bed).await, Err(UnavailableKind::RateLimited));
}

#[tokio::test]
async fn a_realm_that_does_not_answer_in_time_keeps_one_request_waiting_until_it_is_back() {
    let bed = Bed::with(Registry::start().await, |settings| settings.answer_timeout = Duration::from_millis(50));
    bed.registry.push_manifest("lib/app", Some("v1"), MANIFEST);
    bed.registry.set_auth(bearer());
    bed.registry.fault("/token", Fault::Stall);
    assert_eq!(resolve(&bed).await, Err(UnavailableKind::Timeout));
    for _ in 0..3 {
        let unavailable = bed.upstream.resolve(&app(), &tag("v1")).await.unwrap_err();
        assert_eq!((unavailable.kind, bed.asked("/token")), (UnavailableKind::Resting, 1), "{unavailable}");
        let whom = format!("token service of {} is resting", bed.registry.host());
        assert!(unavailable.text.contains(&whom), "{unavailable}");
    }
    bed.registry.clear_faults();
    bed.clock.advance(5);
    assert_eq!(resolve(&bed).await, Ok(true));
}

#[tokio::test]
async fn an_endless_token_is_read_up_to_the_bound() {
    let bed = anonymous(bearer()).await;
    bed.registry.fault("/token", Fault::Endless);
    assert_eq!(resolve(&bed).await, Err(UnavailableKind::Body));
}

#[tokio::test]
async fn credentials_go_to_the_realm_and_not_to_the_registry_of_tokens() {
    let credentials = Some(("u".into(), "hunter2".into()));
    let (bed, _folder) = with_password(Auth::Bearer { realm: None, credentials, expires_in: None }).await;
    assert_eq!(resolve(&bed).await, Ok(true));
    assert_eq!(bed.registry.requests_to("/token")[0].header(AUTHORIZATION).unwrap(), BASIC);
    let basic = |request: &crate::support::registry::Recorded| request.header(AUTHORIZATION).as_deref() == Some(BASIC);
    assert!(!bed.registry.requests_to("/v2/").iter().any(basic));
}

#[tokio::test]
async fn refused_credentials_end_in_not_authorized() {
    let credentials = Some(("u".into(), "another".into()));
    let (bed, _folder) = with_password(Auth::Bearer { realm: None, credentials, expires_in: None }).await;
    assert_eq!(resolve(&bed).await, Err(UnavailableKind::Unauthorized));
    let (bed, _folder) = with_password(Auth::Basic { username: "u".into(), password: "another".into() }).await;
    assert_eq!(resolve(&bed).await, Err(UnavailableKind::Unauthorized));
    assert_eq!(bed.asked("/v2/"), 2);
    assert_eq!(resolve(&bed).await, Err(UnavailableKind::Unauthorized));
    assert_eq!(bed.asked("/v2/"), 3, "what was refused is not sent twice for one request");
}

#[tokio::test]
async fn basic_credentials_are_sent_when_asked_for_and_from_then_on() {
    let (bed, _folder) = with_password(Auth::Basic { username: "u".into(), password: "hunter2".into() }).await;
    assert_eq!(resolve(&bed).await, Ok(true));
    assert_eq!(resolve(&bed).await, Ok(true));
    let sent: Vec<_> = bed.registry.requests().iter().map(|request| request.header(AUTHORIZATION)).collect();
    assert_eq!(sent, [None, Some(BASIC.into()), Some(BASIC.into())]);
}

#[tokio::test]
async fn without_credentials_a_basic_challenge_is_not_answered() {
    let bed = anonymous(Auth::Basic { username: "u".into(), password: "hunter2".into() }).await;
    assert_eq!(resolve(&bed).await, Err(UnavailableKind::Unauthorized));
    assert_eq!(bed.asked(""), 1);
}

#[tokio::test]
async fn a_realm_over_plain_http_is_refused_by_an_upstream_over_tls() {
    let (bed, _authority) = super::way::bed_with_tls().await;
    let realm = Registry::start().await;
    bed.registry.set_auth(bearer_of(format!("{}/token", realm.url())));
    assert_eq!(kind(bed.upstream.resolve(&app(), &tag("v1")).await), UnavailableKind::Unauthorized);
    assert!(realm.requests().is_empty());
}

#[tokio::test]
async fn a_plain_upstream_may_name_a_plain_realm_on_its_own_host_only() {
    let realm = Registry::start().await;
    let port = realm.host().rsplit_once(':').unwrap().1.to_owned();
    let bed = anonymous(bearer_of(format!("http://localhost:{port}/token"))).await;
    assert_eq!(resolve(&bed).await, Err(UnavailableKind::Unauthorized));
    assert!(realm.requests().is_empty());
    bed.registry.set_auth(bearer_of(format!("http://127.0.0.1:{port}/token")));
    assert_eq!(resolve(&bed).await, Err(UnavailableKind::Status), "asked, and has no tokens");
    assert_eq!(realm.requests().len(), 1);
}

#[tokio::test]
async fn a_realm_that_moved_is_not_followed() {
    let (bed, _folder) = with_password(bearer()).await;
    let elsewhere = Registry::start().await;
    elsewhere.set_auth(bearer());
    bed.registry.fault("/token", Fault::MovedTo(elsewhere.url()));
    assert_eq!(resolve(&bed).await, Err(UnavailableKind::Status));
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_realm_that_is_no_address_is_refused() {
    for realm in ["", "/token", "ftp://127.0.0.1/token", "http://u:p@127.0.0.1/token"] {
        let bed = anonymous(bearer_of(realm.into())).await;
        assert_eq!(resolve(&bed).await, Err(UnavailableKind::Unauthorized), "{realm}");
    }
}

#[tokio::test]
async fn docker_configurations_log_in() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start().await;
    let docker_config = folder.path().join("config.json");
    fs::write(&docker_config, format!(r#"{{"auths":{{"{}":{{"auth":"dTpodW50ZXIy"}}}}}}"#, registry.host())).unwrap();
    let bed = Bed::with(registry, |settings| settings.auth = Some(AuthSettings::DockerConfig { docker_config }));
    bed.registry.push_manifest("lib/app", Some("v1"), MANIFEST);
    bed.registry.set_auth(Auth::Basic { username: "u".into(), password: "hunter2".into() });
    assert_eq!(resolve(&bed).await, Ok(true));
}

#[tokio::test]
async fn no_secret_is_ever_printed() {
    let credentials = Some(("u".into(), "hunter2".into()));
    let (bed, _folder) = with_password(Auth::Bearer { realm: None, credentials, expires_in: None }).await;
    assert_eq!(resolve(&bed).await, Ok(true));
    bed.registry.fault("HEAD ", Fault::Status(418));
    let error = bed.upstream.resolve(&app(), &tag("v1")).await.unwrap_err();
    let printed = format!("{:?} {error} {error:?}", bed.upstream);
    for secret in ["hunter2", "dTpodW50ZXIy", "token-1"] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}
