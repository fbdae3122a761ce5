//! Tags and manifests: what is asked, what is believed, what is tried again.

use std::time::Duration;

use bonafide::oci::Digest;
use bonafide::upstream::{BlobPart, UnavailableKind};
use http::header::{ACCEPT, ACCEPT_ENCODING, USER_AGENT};

use super::{Bed, MANIFEST, app, kind, tag};
use crate::support::registry::{Fault, Registry};

#[tokio::test]
async fn a_tag_is_resolved_by_head_alone() {
    let bed = Bed::new().await;
    let digest = bed.registry.push_manifest("lib/app", Some("v1"), MANIFEST);
    assert_eq!(bed.upstream.resolve(&app(), &tag("v1")).await.unwrap(), Some(digest));
    assert_eq!(bed.asked("HEAD /v2/lib/app/manifests/v1"), 1);
    assert_eq!(bed.asked("GET "), 0);
}

#[tokio::test]
async fn every_kind_of_manifest_is_asked_for_uncompressed_and_by_name() {
    let bed = Bed::new().await;
    let digest = bed.registry.push_manifest("lib/app", Some("v1"), MANIFEST);
    bed.upstream.resolve(&app(), &tag("v1")).await.unwrap();
    bed.upstream.manifest(&app(), digest).await.unwrap();
    for request in bed.registry.requests() {
        let accept = request.header(ACCEPT).unwrap();
        for kind in ["oci.image.index.v1", "oci.image.manifest.v1", "manifest.list.v2", "distribution.manifest.v2"] {
            assert!(accept.contains(kind), "{accept}");
        }
        assert_eq!(request.header(ACCEPT_ENCODING).unwrap(), "identity");
        assert_eq!(request.header(USER_AGENT).unwrap(), concat!("bonafide/", env!("CARGO_PKG_VERSION")));
    }
}

#[tokio::test]
async fn a_tag_without_a_usable_digest_header_is_hashed() {
    let sha512 = format!("sha512:{}", "0".repeat(128));
    for header in [None, Some("sha256:0".to_owned()), Some(sha512)] {
        let bed = Bed::new().await;
        let digest = bed.registry.push_manifest("lib/app", Some("v1"), MANIFEST);
        bed.registry.fault("/manifests/", Fault::Header("docker-content-digest", header));
        assert_eq!(bed.upstream.resolve(&app(), &tag("v1")).await.unwrap(), Some(digest));
    }
}

#[tokio::test]
async fn a_registry_without_head_is_asked_by_get() {
    let bed = Bed::new().await;
    let digest = bed.registry.push_manifest("lib/app", Some("v1"), MANIFEST);
    bed.registry.fault("HEAD ", Fault::Status(405));
    assert_eq!(bed.upstream.resolve(&app(), &tag("v1")).await.unwrap(), Some(digest));
}

#[tokio::test]
async fn what_is_not_there_is_none() {
    let bed = Bed::new().await;
    bed.registry.push_manifest("lib/app", None, MANIFEST);
    assert_eq!(bed.upstream.resolve(&app(), &tag("v1")).await.unwrap(), None);
    assert!(bed.upstream.manifest(&app(), Digest::of(b"")).await.unwrap().is_none());
    assert!(bed.upstream.blob(&app(), Digest::of(b""), BlobPart::from_offset(0)).await.unwrap().is_none());
    assert!(bed.upstream.tags(&"lib/other".parse().unwrap(), None, 10).await.unwrap().is_none());
    assert!(bed.pauses.all().is_empty(), "a plain no is not asked twice");
}

#[tokio::test]
async fn other_bytes_than_asked_for_are_a_digest_mismatch() {
    let bed = Bed::new().await;
    let digest = bed.registry.push_manifest("lib/app", None, MANIFEST);
    bed.registry.fault("GET ", Fault::Bytes(br#"{"schemaVersion":2}"#.to_vec()));
    assert_eq!(kind(bed.upstream.manifest(&app(), digest).await), UnavailableKind::Digest);
}

#[tokio::test]
async fn a_content_length_that_lies_does_not_help() {
    let bed = Bed::new().await;
    let digest = bed.registry.push_manifest("lib/app", None, MANIFEST);
    bed.registry.fault("GET ", Fault::Header("content-length", Some("5".into())));
    assert_eq!(kind(bed.upstream.manifest(&app(), digest).await), UnavailableKind::Digest);
}

#[tokio::test]
async fn an_endless_manifest_is_read_up_to_the_bound() {
    let bed = Bed::new().await;
    let digest = bed.registry.push_manifest("lib/app", Some("v1"), MANIFEST);
    bed.registry.fault("GET ", Fault::Endless);
    assert_eq!(kind(bed.upstream.manifest(&app(), digest).await), UnavailableKind::Body);
    bed.registry.fault("HEAD ", Fault::Header("docker-content-digest", None));
    assert_eq!(kind(bed.upstream.resolve(&app(), &tag("v1")).await), UnavailableKind::Body);
    assert_eq!(bed.asked("GET "), 2, "asking again would not make it shorter");
}

#[tokio::test]
async fn a_passing_failure_is_tried_again_after_a_pause() {
    for fault in [Fault::Status(500), Fault::Status(503), Fault::Status(429), Fault::CutAfter(3)] {
        let bed = Bed::new().await;
        let digest = bed.registry.push_manifest("lib/app", None, MANIFEST);
        bed.registry.fault_times(2, "GET ", fault.clone());
        let manifest = bed.upstream.manifest(&app(), digest).await.unwrap().unwrap();
        assert_eq!(manifest.bytes, MANIFEST);
        let [first, second] = bed.pauses.all().try_into().unwrap();
        assert!(first >= Duration::from_millis(125) && second >= Duration::from_millis(250), "{fault:?}");
    }
}

#[tokio::test]
async fn a_lasting_failure_is_given_up_and_is_never_a_no() {
    let cases = [
        (Fault::Status(500), UnavailableKind::Status, 3),
        (Fault::Status(429), UnavailableKind::RateLimited, 3),
        (Fault::Status(418), UnavailableKind::Status, 1),
        (Fault::Status(204), UnavailableKind::Status, 1),
        (Fault::Status(403), UnavailableKind::Unauthorized, 1),
        (Fault::CutAfter(3), UnavailableKind::Body, 3),
    ];
    for (fault, expected, tries) in cases {
        let bed = Bed::new().await;
        let digest = bed.registry.push_manifest("lib/app", None, MANIFEST);
        bed.registry.fault("GET ", fault.clone());
        assert_eq!(kind(bed.upstream.manifest(&app(), digest).await), expected, "{fault:?}");
        assert_eq!(bed.asked("GET "), tries, "{fault:?}");
    }
}

#[tokio::test]
async fn retry_after_is_waited_for_as_long_as_it_says() {
    let bed = Bed::new().await;
    let digest = bed.registry.push_manifest("lib/app", None, MANIFEST);
    bed.registry.fault_times(1, "GET ", Fault::RetryAfter(429, "7".into()));
    bed.registry.fault_times(1, "GET ", Fault::RetryAfter(503, "2".into()));
    bed.upstream.manifest(&app(), digest).await.unwrap().unwrap();
    // Faults add up: the first request met both, and the last one counts.
    assert_eq!(bed.pauses.all(), [Duration::from_secs(2)]);
    bed.registry.fault_times(1, "GET ", Fault::RetryAfter(429, "7".into()));
    bed.upstream.manifest(&app(), digest).await.unwrap().unwrap();
    assert_eq!(bed.pauses.all()[1], Duration::from_secs(7));
}

#[tokio::test]
async fn a_long_retry_after_is_passed_on_instead() {
    let bed = Bed::new().await;
    let digest = bed.registry.push_manifest("lib/app", None, MANIFEST);
    bed.registry.fault("GET ", Fault::RetryAfter(429, "3600".into()));
    let unavailable = bed.upstream.manifest(&app(), digest).await.unwrap_err();
    assert_eq!(unavailable.kind, UnavailableKind::RateLimited);
    assert_eq!(unavailable.retry_after, Some(Duration::from_hours(1)));
    assert_eq!(bed.asked("GET "), 1);
    assert!(bed.pauses.all().is_empty());
}

#[tokio::test]
async fn no_answer_and_no_progress_end_in_time() {
    let short = Duration::from_millis(50);
    for fault in [Fault::Stall, Fault::StallAfter(3)] {
        let bed = Bed::with(Registry::start().await, |settings| {
            settings.answer_timeout = short;
            settings.idle_timeout = short;
        });
        let digest = bed.registry.push_manifest("lib/app", None, MANIFEST);
        bed.registry.fault("GET ", fault);
        assert_eq!(kind(bed.upstream.manifest(&app(), digest).await), UnavailableKind::Timeout);
    }
}

#[tokio::test]
async fn an_upstream_that_is_down_is_no_answer_until_it_is_back() {
    let bed = Bed::new().await;
    let digest = bed.registry.push_manifest("lib/app", Some("v1"), MANIFEST);
    bed.upstream.resolve(&app(), &tag("v1")).await.unwrap();
    bed.registry.stop().await;
    assert_eq!(kind(bed.upstream.resolve(&app(), &tag("v1")).await), UnavailableKind::Connect);
    assert_eq!(bed.pauses.all().len(), 2);
    bed.registry.restart().await;
    assert_eq!(bed.upstream.resolve(&app(), &tag("v1")).await.unwrap(), Some(digest));
}

#[tokio::test]
async fn requests_and_bytes_are_counted() {
    let bed = Bed::new().await;
    let digest = bed.registry.push_manifest("lib/app", None, MANIFEST);
    bed.registry.fault_times(1, "GET ", Fault::Status(502));
    bed.upstream.manifest(&app(), digest).await.unwrap();
    bed.upstream.manifest(&app(), Digest::of(b"")).await.unwrap();
    let text = prometheus::TextEncoder::new().encode_to_string(&bed.metrics.gather()).unwrap();
    for status in ["2xx", "404", "5xx"] {
        let line = format!("bonafide_upstream_requests_total{{status=\"{status}\",upstream=\"a.io\"}} 1\n");
        assert!(text.contains(&line), "{text}");
    }
    let line = format!("bonafide_fetched_bytes_total{{upstream=\"a.io\"}} {}\n", MANIFEST.len());
    assert!(text.contains(&line), "{text}");
}

#[tokio::test]
async fn an_error_names_upstream_request_and_answer() {
    let bed = Bed::new().await;
    bed.registry.fault("GET ", Fault::Status(418));
    let digest = Digest::of(b"");
    let text = bed.upstream.manifest(&app(), digest).await.unwrap_err().to_string();
    assert_eq!(text, format!("a.io: unexpected answer: GET /v2/lib/app/manifests/{digest}: 418 I'm a teapot"));
}
