//! How an upstream is doing, and what that means for the next request: quotas, waits, rests, and how many at once.

use std::time::Duration;

use bonafide::oci::Digest;
use bonafide::upstream::{BlobPart, UnavailableKind};
use futures_util::FutureExt as _;
use futures_util::future::join_all;

use super::{Bed, MANIFEST, app, kind, tag};
use crate::support::registry::{Fault, Registry};

/// A registry with the tag `v1`.
async fn bed() -> Bed {
    let bed = Bed::new().await;
    bed.registry.push_manifest("lib/app", Some("v1"), MANIFEST);
    bed
}

/// What the gauge `name` of the only upstream shows, if it is there.
fn gauge(bed: &Bed, name: &str) -> Option<i64> {
    let text = prometheus::TextEncoder::new().encode_to_string(&bed.metrics.gather()).unwrap();
    let line = format!("{name}{{host=\"{}\",upstream=\"a.io\"}} ", bed.registry.host());
    text.lines().find_map(|found| found.strip_prefix(&line)?.parse().ok())
}

async fn resolve(bed: &Bed) -> Result<bool, UnavailableKind> {
    let resolved = bed.upstream.resolve(&app(), &tag("v1")).await;
    resolved.map(|digest| digest.is_some()).map_err(|unavailable| unavailable.kind)
}

#[tokio::test]
async fn a_quota_that_the_upstream_speaks_of_is_shown() {
    let bed = bed().await;
    assert_eq!(resolve(&bed).await, Ok(true));
    assert_eq!(gauge(&bed, "bonafide_upstream_quota"), None, "nothing is shown of what was not said");
    bed.registry.fault("HEAD ", Fault::Header("ratelimit-limit", Some("100;w=21600".into())));
    bed.registry.fault("HEAD ", Fault::Header("ratelimit-remaining", Some("98;w=21600".into())));
    bed.registry.fault("HEAD ", Fault::Header("docker-ratelimit-source", Some("192.0.2.7".into())));
    assert_eq!(resolve(&bed).await, Ok(true));
    assert_eq!(gauge(&bed, "bonafide_upstream_quota"), Some(100));
    assert_eq!(gauge(&bed, "bonafide_upstream_quota_remaining"), Some(98));
    assert_eq!(gauge(&bed, "bonafide_upstream_quota_window_seconds"), Some(21600));
}

#[tokio::test]
async fn an_upstream_that_fails_in_a_row_is_left_alone_and_then_tried_by_one_request() {
    for fault in [Fault::Status(502), Fault::Status(503), Fault::Status(504), Fault::CutAfter(0)] {
        let bed = bed().await;
        // A cut before the first byte of the head is no answer at all.
        bed.registry.fault("HEAD ", fault.clone());
        if matches!(fault, Fault::CutAfter(_)) {
            bed.registry.stop().await;
        }
        assert!(resolve(&bed).await.is_err());
        assert_eq!(resolve(&bed).await, Err(UnavailableKind::Resting), "{fault:?}");
        let asked = bed.asked("HEAD ");
        let resting = bed.upstream.resolve(&app(), &tag("v1")).await.unwrap_err();
        assert_eq!(bed.asked("HEAD "), asked, "{fault:?}");
        assert!(resting.text.contains("is resting until 1970-01-01T00:00:0"), "{resting}");
        assert!(resting.retry_after.is_some_and(|after| after <= Duration::from_secs(5)), "{resting:?}");
        assert_eq!(gauge(&bed, "bonafide_upstream_resting"), Some(1));
        bed.registry.clear_faults();
        if matches!(fault, Fault::CutAfter(_)) {
            bed.registry.restart().await;
        }
        bed.clock.advance(5);
        assert_eq!(resolve(&bed).await, Ok(true), "{fault:?}");
        assert_eq!(gauge(&bed, "bonafide_upstream_resting"), Some(0));
    }
}

#[tokio::test]
async fn whoever_tries_an_upstream_and_leaves_keeps_nobody_from_it() {
    let bed = bed().await;
    bed.registry.fault("HEAD ", Fault::Status(503));
    assert!(resolve(&bed).await.is_err());
    assert_eq!(resolve(&bed).await, Err(UnavailableKind::Resting));
    bed.registry.clear_faults();
    bed.clock.advance(5);
    assert_eq!(resolve(&bed).now_or_never(), None, "it is on its way");
    assert_eq!(resolve(&bed).await, Ok(true));
}

#[tokio::test]
async fn a_failure_of_one_request_is_none_of_the_upstream() {
    let bed = bed().await;
    bed.registry.fault("HEAD ", Fault::Status(500));
    for _ in 0..4 {
        assert_eq!(resolve(&bed).await, Err(UnavailableKind::Status));
    }
    assert_eq!(bed.asked("HEAD "), 12);
}

#[tokio::test]
async fn storage_that_fails_is_none_of_the_upstream() {
    let (bed, storage) = (bed().await, Registry::start().await);
    let blob = bed.registry.push_blob("lib/app", b"blob");
    bed.registry.fault("/blobs/", Fault::MovedTo(storage.url()));
    storage.fault("/blobs/", Fault::Status(503));
    for _ in 0..4 {
        assert_eq!(kind(bed.upstream.blob(&app(), blob, BlobPart::from_offset(0)).await), UnavailableKind::Status);
    }
    assert_eq!(resolve(&bed).await, Ok(true));
}

#[tokio::test]
async fn retry_after_counts_for_all_that_is_asked_for_the_same_purpose() {
    let bed = bed().await;
    let (first, second) = (Digest::of(MANIFEST.as_bytes()), bed.registry.push_manifest("lib/app", None, "{}"));
    bed.registry.fault_times(1, "GET ", Fault::RetryAfter(429, "3600".into()));
    assert_eq!(kind(bed.upstream.manifest(&app(), first).await), UnavailableKind::RateLimited);
    let unavailable = bed.upstream.manifest(&app(), second).await.unwrap_err();
    assert_eq!(unavailable.kind, UnavailableKind::RateLimited);
    assert!(unavailable.text.contains("asked to be left alone until"), "{unavailable}");
    assert_eq!(bed.asked("GET "), 1);
    assert_eq!(resolve(&bed).await, Ok(true), "tags may be checked all the same");
    // For others it counts ten minutes at most.
    bed.clock.advance(600);
    assert!(bed.upstream.manifest(&app(), second).await.unwrap().is_some());
}

#[tokio::test]
async fn an_upstream_that_is_asked_too_much_is_asked_less_at_once() {
    for fault in [Fault::Status(429), Fault::Stall] {
        let bed = Bed::with(Registry::start().await, |settings| settings.answer_timeout = Duration::from_millis(50));
        assert_eq!(gauge(&bed, "bonafide_upstream_concurrency"), Some(32));
        bed.registry.fault_times(1, "HEAD ", fault.clone());
        assert!(resolve(&bed).await.is_err() || matches!(fault, Fault::Status(_)));
        assert_eq!(gauge(&bed, "bonafide_upstream_concurrency"), Some(16), "{fault:?}");
    }
}

#[tokio::test]
async fn that_a_quota_is_used_up_or_until_when_to_wait_leaves_room_for_the_rest() {
    for (name, value) in [("ratelimit-remaining", "0;w=21600"), ("retry-after", "1")] {
        let bed = bed().await;
        bed.registry.fault_times(1, "HEAD ", Fault::Status(429));
        bed.registry.fault_times(1, "HEAD ", Fault::Header(name, Some(value.into())));
        assert_eq!(resolve(&bed).await, Ok(true));
        assert_eq!((bed.asked("HEAD "), gauge(&bed, "bonafide_upstream_concurrency")), (2, Some(32)), "{name}");
    }
}

#[tokio::test]
async fn too_many_requests_are_tried_again_after_seconds() {
    let bed = bed().await;
    bed.registry.fault("HEAD ", Fault::Status(429));
    assert_eq!(resolve(&bed).await, Err(UnavailableKind::RateLimited));
    let [first, second] = bed.pauses.all().try_into().unwrap();
    assert!(first > Duration::from_secs(1) && second >= 2 * Duration::from_millis(1500), "{first:?} {second:?}");
    assert!(first + second < Duration::from_secs(10), "{first:?} {second:?}");
}

#[tokio::test]
async fn whoever_finds_no_room_waits_for_it() {
    let bed = bed().await;
    let first = bed.registry.push_manifest("lib/app", None, r#"{"first":1}"#);
    let second = bed.registry.push_manifest("lib/app", None, r#"{"second":2}"#);
    bed.registry.fault("HEAD ", Fault::Status(429));
    for _ in 0..2 {
        assert_eq!(resolve(&bed).await, Err(UnavailableKind::RateLimited));
    }
    assert_eq!(gauge(&bed, "bonafide_upstream_concurrency"), Some(1));
    bed.registry.hold();
    let name = app();
    let both = join_all([first, second].map(|digest| bed.upstream.manifest(&name, digest)));
    let (first, second) = (first.to_string(), second.to_string());
    let upstream = async {
        bed.registry.answer_round(&[&first]).await;
        bed.registry.answer_round(&[&second]).await;
    };
    let (answers, ()) = tokio::join!(both, upstream);
    assert!(answers.into_iter().all(|answer| answer.unwrap().is_some()));
}

#[tokio::test]
async fn what_is_not_there_is_not_asked_for_again_for_a_moment() {
    let bed = Bed::new().await;
    let (digest, name) = (Digest::of(MANIFEST.as_bytes()), app());
    for _ in 0..3 {
        assert_eq!(resolve(&bed).await, Ok(false));
        assert!(bed.upstream.manifest(&name, digest).await.unwrap().is_none());
        assert!(bed.upstream.tagged(&name, &tag("v1")).await.unwrap().is_none());
        assert!(bed.upstream.referrers(&name, digest).await.unwrap().is_none());
    }
    assert_eq!(bed.asked(""), 4);
    bed.registry.push_manifest("lib/app", Some("v1"), MANIFEST);
    bed.clock.advance(9);
    assert_eq!(resolve(&bed).await, Ok(false));
    bed.clock.advance(1);
    assert_eq!(resolve(&bed).await, Ok(true));
    assert!(bed.upstream.manifest(&name, digest).await.unwrap().is_some());
}

#[tokio::test]
async fn what_could_not_be_asked_is_asked_again_at_once() {
    let bed = bed().await;
    bed.registry.fault_times(3, "HEAD ", Fault::Status(500));
    assert_eq!(resolve(&bed).await, Err(UnavailableKind::Status));
    assert_eq!(resolve(&bed).await, Ok(true));
}

#[tokio::test]
async fn however_many_want_a_manifest_it_is_asked_for_once() {
    let bed = bed().await;
    let (digest, name) = (Digest::of(MANIFEST.as_bytes()), app());
    bed.registry.hold();
    let all = join_all((0..16).map(|_| bed.upstream.manifest(&name, digest)));
    let (answers, ()) = tokio::join!(all, bed.registry.answer_round(&["GET "]));
    assert!(answers.into_iter().all(|answer| answer.unwrap().unwrap().bytes == MANIFEST));
    assert_eq!(bed.asked("GET "), 1);
}
