//! Several addresses of one upstream: the next one is asked where the one before could not be.

use std::sync::Arc;

use bonafide::oci::Digest;
use bonafide::upstream::{BlobPart, UnavailableKind, Upstream};
use bytes::Bytes;
use futures_util::TryStreamExt as _;

use super::{Bed, MANIFEST, app, kind, tag};
use crate::support::registry::{Fault, Registry};

/// An upstream at two registries with the same content.
async fn two() -> (Bed, Registry) {
    let (first, second) = (Registry::start().await, Registry::start().await);
    for registry in [&first, &second] {
        registry.push_manifest("lib/app", Some("v1"), MANIFEST);
        registry.push_blob("lib/app", b"0123456789");
    }
    let url = second.url();
    (Bed::with(first, |settings| settings.url.push(url)), second)
}

fn digest() -> Digest {
    Digest::of(MANIFEST.as_bytes())
}

async fn blob(upstream: &Arc<dyn Upstream>) -> Result<Vec<Bytes>, UnavailableKind> {
    let blob =
        upstream.blob(&app(), Digest::of(b"0123456789"), BlobPart::from_offset(0)).await.map_err(|it| it.kind)?;
    blob.unwrap().bytes.try_collect().await.map_err(|_| UnavailableKind::Body)
}

#[tokio::test]
async fn the_second_is_asked_at_once_where_the_first_cannot_be() {
    for fault in [Fault::Status(503), Fault::Status(500), Fault::Status(429), Fault::Status(403), Fault::CutAfter(3)] {
        let (bed, second) = two().await;
        bed.registry.fault("", fault.clone());
        let found = bed.upstream.manifest(&app(), digest()).await.unwrap().unwrap();
        assert_eq!(found.bytes, MANIFEST, "{fault:?}");
        assert_eq!((bed.asked(""), second.requests().len()), (1, 1), "{fault:?}");
        assert!(bed.pauses.all().is_empty(), "{fault:?}");
    }
    let (bed, _second) = two().await;
    bed.registry.stop().await;
    assert_eq!(bed.upstream.resolve(&app(), &tag("v1")).await.unwrap(), Some(digest()));
    assert_eq!(bed.upstream.referrers(&app(), digest()).await.unwrap().unwrap().len(), 0);
    assert_eq!(bed.upstream.tags(&app(), None, 10).await.unwrap().unwrap().tags, [tag("v1")]);
    assert_eq!(blob(&bed.upstream).await.unwrap().concat(), b"0123456789");
}

#[tokio::test]
async fn the_second_is_not_asked_where_the_first_answers() {
    let (bed, second) = two().await;
    bed.upstream.manifest(&app(), digest()).await.unwrap().unwrap();
    assert_eq!(bed.upstream.resolve(&app(), &tag("v2")).await.unwrap(), None, "a no is an answer");
    assert!(second.requests().is_empty());
}

#[tokio::test]
async fn other_bytes_than_asked_for_are_asked_of_the_second() {
    let (bed, second) = two().await;
    bed.registry.fault("/manifests/", Fault::Bytes(b"{}".to_vec()));
    assert_eq!(bed.upstream.manifest(&app(), digest()).await.unwrap().unwrap().bytes, MANIFEST);
    second.fault("/manifests/", Fault::Bytes(b"{}".to_vec()));
    assert_eq!(kind(bed.upstream.manifest(&app(), digest()).await), UnavailableKind::Digest);
}

#[tokio::test]
async fn a_blob_that_is_cut_is_taken_up_at_the_second() {
    let (bed, second) = two().await;
    bed.registry.fault_times(1, "/blobs/", Fault::CutAfter(4));
    let stream = bed.upstream.blob(&app(), Digest::of(b"0123456789"), BlobPart::from_offset(0)).await.unwrap().unwrap();
    bed.registry.fault("/blobs/", Fault::Status(503));
    let pieces: Vec<Bytes> = stream.bytes.try_collect().await.unwrap();
    assert_eq!(pieces.concat(), b"0123456789");
    let [rest] = second.requests_to("/blobs/").try_into().unwrap();
    assert_eq!(rest.header("range").unwrap(), "bytes=4-");
}

#[tokio::test]
async fn a_blob_whose_bytes_were_wrong_is_asked_of_the_second_until_its_bytes_are_wrong() {
    let (bed, second) = two().await;
    let (digest, asked) = (Digest::of(b"0123456789"), || (bed.asked("/blobs/"), second.requests_to("/blobs/").len()));
    blob(&bed.upstream).await.unwrap();
    bed.upstream.blob_was_wrong(digest);
    blob(&bed.upstream).await.unwrap();
    assert_eq!(asked(), (1, 1));
    bed.upstream.blob_was_wrong(digest);
    blob(&bed.upstream).await.unwrap();
    assert_eq!(asked(), (2, 1));
}

#[tokio::test]
async fn whoever_goes_on_with_a_cut_blob_is_not_blamed_for_what_it_began_with() {
    let ((bed, second), digest) = (two().await, Digest::of(b"0123456789"));
    blob(&bed.upstream).await.unwrap();
    bed.registry.fault("/blobs/", Fault::Status(503));
    assert!(bed.upstream.blob(&app(), digest, BlobPart::from_offset(4)).await.unwrap().is_some());
    bed.registry.clear_faults();
    bed.upstream.blob_was_wrong(digest);
    blob(&bed.upstream).await.unwrap();
    let ranges: Vec<_> = second.requests_to("/blobs/").iter().map(|request| request.header("range")).collect();
    assert_eq!(ranges, [Some("bytes=4-".to_owned()), None]);
}

#[tokio::test]
async fn one_that_fails_in_a_row_is_passed_over_until_it_is_back() {
    let (bed, second) = two().await;
    bed.registry.fault("", Fault::Status(503));
    for number in 1..=8 {
        assert!(bed.upstream.resolve(&app(), &tag("v1")).await.unwrap().is_some());
        assert_eq!(bed.asked("HEAD "), number.min(5));
    }
    bed.registry.clear_faults();
    bed.clock.advance(5);
    second.forget_requests();
    assert!(bed.upstream.resolve(&app(), &tag("v1")).await.unwrap().is_some());
    assert_eq!((bed.asked("HEAD "), second.requests().len()), (6, 0));
}

#[tokio::test]
async fn what_went_wrong_is_told_rather_than_that_another_address_rests() {
    let (bed, second) = two().await;
    bed.registry.fault("", Fault::Status(503));
    for _ in 0..5 {
        assert!(bed.upstream.resolve(&app(), &tag("v1")).await.unwrap().is_some());
    }
    second.fault("", Fault::Status(403));
    let unavailable = bed.upstream.resolve(&app(), &tag("v1")).await.unwrap_err();
    assert_eq!((unavailable.kind, bed.asked("")), (UnavailableKind::Unauthorized, 5), "{unavailable}");
}

#[tokio::test]
async fn where_none_can_be_asked_the_error_says_which_said_what() {
    let (bed, second) = two().await;
    bed.registry.fault("", Fault::Status(403));
    second.fault("", Fault::Status(418));
    let unavailable = bed.upstream.manifest(&app(), digest()).await.unwrap_err();
    let first = format!("{}: GET /v2/lib/app/manifests/{}: 403 Forbidden", bed.registry.host(), digest());
    assert_eq!(unavailable.text, first);
}
