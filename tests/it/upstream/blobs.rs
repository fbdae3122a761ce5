//! Blobs: taken from an offset, taken up again after a cut, and never mixed from two contents.

use std::io;
use std::time::Duration;

use bonafide::oci::Digest;
use bonafide::upstream::{BlobPart, Unavailable, UnavailableKind};
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::header::RANGE;

use super::{Bed, app};
use crate::support::registry::{Fault, Registry};

const BLOB: &[u8] = b"0123456789abcdefghij";

async fn bed() -> (Bed, Digest) {
    let bed = Bed::new().await;
    let digest = bed.registry.push_blob("lib/app", BLOB);
    (bed, digest)
}

/// The bytes from `from` on, or what went wrong after which of them.
async fn read(bed: &Bed, digest: Digest, from: u64) -> Result<Vec<u8>, (Vec<u8>, UnavailableKind)> {
    let mut stream = match bed.upstream.blob(&app(), digest, BlobPart::from_offset(from)).await {
        Ok(blob) => blob.unwrap().bytes,
        Err(unavailable) => return Err((Vec::new(), unavailable.kind)),
    };
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(error) => {
                let unavailable = error.get_ref().unwrap().downcast_ref::<Unavailable>().unwrap();
                return Err((bytes, unavailable.kind));
            }
        }
    }
    Ok(bytes)
}

fn ranges(bed: &Bed) -> Vec<Option<String>> {
    bed.registry.requests_to("/blobs/").iter().map(|request| request.header(RANGE)).collect()
}

#[tokio::test]
async fn a_blob_is_read_whole_or_from_an_offset() {
    let (bed, digest) = bed().await;
    let blob = bed.upstream.blob(&app(), digest, BlobPart::from_offset(0)).await.unwrap().unwrap();
    assert_eq!(blob.total, Some(20));
    assert_eq!(bed.upstream.blob(&app(), digest, BlobPart::from_offset(15)).await.unwrap().unwrap().total, Some(20));
    assert_eq!(read(&bed, digest, 0).await.unwrap(), BLOB);
    assert_eq!(read(&bed, digest, 15).await.unwrap(), b"fghij");
    assert_eq!(ranges(&bed), [None, Some("bytes=15-".into()), None, Some("bytes=15-".into())]);
}

#[tokio::test]
async fn a_cut_blob_is_taken_up_where_it_was_cut() {
    let (bed, digest) = bed().await;
    bed.registry.fault_times(1, "/blobs/", Fault::CutAfter(7));
    assert_eq!(read(&bed, digest, 0).await.unwrap(), BLOB);
    assert_eq!(ranges(&bed), [None, Some("bytes=7-".into())]);
    assert_eq!(bed.pauses.all().len(), 1);
}

#[tokio::test]
async fn a_blob_that_stands_still_is_taken_up_too() {
    let bed = Bed::with(Registry::start().await, |settings| settings.idle_timeout = Duration::from_millis(50));
    let digest = bed.registry.push_blob("lib/app", BLOB);
    bed.registry.fault_times(1, "/blobs/", Fault::StallAfter(7));
    assert_eq!(read(&bed, digest, 0).await.unwrap(), BLOB);
    assert_eq!(ranges(&bed), [None, Some("bytes=7-".into())]);
}

#[tokio::test]
async fn an_upstream_without_ranges_is_read_again_from_its_beginning() {
    let (bed, digest) = bed().await;
    bed.registry.fault("/blobs/", Fault::Unranged);
    bed.registry.fault_times(1, "/blobs/", Fault::CutAfter(7));
    assert_eq!(read(&bed, digest, 0).await.unwrap(), BLOB);
    assert_eq!(read(&bed, digest, 15).await.unwrap(), b"fghij");
}

#[tokio::test]
async fn a_blob_that_is_always_cut_is_given_up() {
    let (bed, digest) = bed().await;
    bed.registry.fault("/blobs/", Fault::CutAfter(1));
    assert_eq!(read(&bed, digest, 0).await.unwrap_err(), (b"012345".to_vec(), UnavailableKind::Body));
    assert_eq!(bed.asked("/blobs/"), 6);
}

/// What is read of a body without a length, by somebody who knows that the blob has twenty bytes.
async fn read_unannounced(bed: &Bed, digest: Digest) -> Vec<u8> {
    let part = BlobPart { from: 0, size: Some(20) };
    let blob = bed.upstream.blob(&app(), digest, part).await.unwrap().unwrap();
    assert_eq!(blob.total, None);
    blob.bytes.try_collect::<Vec<_>>().await.unwrap().concat()
}

#[tokio::test]
async fn a_body_that_breaks_after_its_last_byte_is_not_asked_for_again() {
    let (bed, digest) = bed().await;
    bed.registry.fault("/blobs/", Fault::Header("content-length", None));
    bed.registry.fault("/blobs/", Fault::CutAfter(20));
    assert_eq!(read_unannounced(&bed, digest).await, BLOB);
    assert_eq!(ranges(&bed), [None]);
}

#[tokio::test]
async fn a_body_without_a_length_that_ends_early_is_taken_up() {
    let (bed, digest) = bed().await;
    bed.registry.fault_times(1, "/blobs/", Fault::Bytes(BLOB[..7].to_vec()));
    bed.registry.fault_times(1, "/blobs/", Fault::Header("content-length", None));
    assert_eq!(read_unannounced(&bed, digest).await, BLOB);
    assert_eq!(ranges(&bed), [None, Some("bytes=7-".into())]);
}

#[tokio::test]
async fn another_part_than_asked_for_is_refused() {
    for (range, expected) in [("bytes 9-19/20", UnavailableKind::Body), ("pages 7-19/20", UnavailableKind::Body)] {
        let (bed, digest) = bed().await;
        bed.registry.fault("/blobs/", Fault::Header("content-range", Some(range.into())));
        assert_eq!(read(&bed, digest, 7).await.unwrap_err(), (Vec::new(), expected), "{range}");
    }
}

#[tokio::test]
async fn a_blob_that_changes_its_length_meanwhile_is_refused() {
    let (bed, digest) = bed().await;
    bed.registry.fault_times(1, "/blobs/", Fault::CutAfter(7));
    let mut stream = bed.upstream.blob(&app(), digest, BlobPart::from_offset(0)).await.unwrap().unwrap().bytes;
    bed.registry.fault("/blobs/", Fault::Header("content-range", Some("bytes 7-19/21".into())));
    assert_eq!(stream.next().await.unwrap().unwrap(), BLOB[..7]);
    assert!(stream.next().await.unwrap().is_err());
    assert!(stream.next().await.is_none(), "an error ends it");
}

#[tokio::test]
async fn a_blob_longer_than_it_says_is_refused() {
    let (bed, digest) = bed().await;
    let lie = Fault::Header("content-range", Some("bytes 15-17/18".into()));
    bed.registry.fault("/blobs/", lie);
    assert_eq!(read(&bed, digest, 15).await.unwrap_err(), (Vec::new(), UnavailableKind::Body));
}

#[tokio::test]
async fn a_body_that_ends_for_good_says_whether_it_was_cut_late_or_not_what_it_should_be() {
    let lie = Fault::Header("content-range", Some("bytes 15-17/18".into()));
    for (from, fault, kind) in [
        (0, Fault::CutAfter(1), io::ErrorKind::Other),
        (0, Fault::StallAfter(1), io::ErrorKind::TimedOut),
        (15, lie, io::ErrorKind::InvalidData),
    ] {
        let bed = Bed::with(Registry::start().await, |settings| settings.idle_timeout = Duration::from_millis(50));
        let digest = bed.registry.push_blob("lib/app", BLOB);
        bed.registry.fault("/blobs/", fault);
        let stream = bed.upstream.blob(&app(), digest, BlobPart::from_offset(from)).await.unwrap().unwrap().bytes;
        assert_eq!(stream.try_collect::<Vec<_>>().await.unwrap_err().kind(), kind);
    }
}

#[tokio::test]
async fn an_offset_beyond_the_end_is_an_error() {
    let (bed, digest) = bed().await;
    assert_eq!(read(&bed, digest, 20).await.unwrap_err(), (Vec::new(), UnavailableKind::Status));
}
