//! Redirects: followed by hand, without credentials, never down to plain HTTP.

use bonafide::upstream::{AuthSettings, BlobPart, UnavailableKind};
use futures_util::StreamExt as _;
use http::header::{AUTHORIZATION, RANGE};

use super::auth::password;
use super::{Bed, MANIFEST, app, kind};
use crate::support::registry::{Auth, Fault, Registry};

async fn bed_with_password() -> (Bed, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let auth: AuthSettings = password(&folder);
    let bed = Bed::with(Registry::start().await, |settings| settings.auth = Some(auth));
    bed.registry.set_auth(Auth::Basic { username: "u".into(), password: "hunter2".into() });
    (bed, folder)
}

#[tokio::test]
async fn another_host_gets_the_range_but_no_credentials() {
    let (bed, _folder) = bed_with_password().await;
    let storage = Registry::start().await;
    let digest = storage.push_blob("lib/app", "0123456789");
    bed.registry.fault("/blobs/", Fault::MovedTo(storage.url()));
    // The first request only learns that credentials are asked for.
    bed.registry.push_manifest("lib/app", None, MANIFEST);
    bed.upstream.tags(&app(), None, 1).await.unwrap().unwrap();
    let mut blob = bed.upstream.blob(&app(), digest, BlobPart::from_offset(5)).await.unwrap().unwrap();
    assert_eq!(blob.bytes.next().await.unwrap().unwrap(), "56789");
    assert!(bed.registry.requests_to("/blobs/")[0].header(AUTHORIZATION).is_some());
    let [request] = storage.requests().try_into().unwrap();
    assert_eq!(request.header(AUTHORIZATION), None);
    assert_eq!(request.header(RANGE).unwrap(), "bytes=5-");
}

#[tokio::test]
async fn another_host_that_asks_for_credentials_gets_none() {
    let (bed, _folder) = bed_with_password().await;
    let storage = Registry::start().await;
    let digest = storage.push_blob("lib/app", "0123456789");
    bed.registry.set_auth(Auth::Open);
    bed.registry.fault("/blobs/", Fault::MovedTo(storage.url()));
    // A realm of its own would be told the password of the registry.
    let bearer = Auth::Bearer { realm: None, credentials: None, expires_in: None };
    for auth in [Auth::Basic { username: "u".into(), password: "hunter2".into() }, bearer] {
        storage.set_auth(auth);
        assert_eq!(
            kind(bed.upstream.blob(&app(), digest, BlobPart::from_offset(0)).await),
            UnavailableKind::Unauthorized
        );
    }
    assert_eq!((bed.registry.requests().len(), storage.requests().len()), (2, 2));
    assert!(storage.requests().iter().all(|request| request.header(AUTHORIZATION).is_none()));
}

#[tokio::test]
async fn a_way_back_from_another_host_carries_no_credentials() {
    let (bed, _folder) = bed_with_password().await;
    let storage = Registry::start().await;
    bed.registry.push_manifest("lib/app", None, MANIFEST);
    let digest = bed.registry.push_blob("lib/app", "0123456789");
    bed.upstream.tags(&app(), None, 1).await.unwrap().unwrap();
    let private = format!("{}/v2/lib/private/blobs/{digest}", bed.registry.url());
    bed.registry.fault("/lib/app/blobs/", Fault::MovedTo(storage.url()));
    storage.fault("/blobs/", Fault::Redirect(307, private));
    bed.upstream.blob(&app(), digest, BlobPart::from_offset(0)).await.unwrap_err();
    let [request] = bed.registry.requests_to("/lib/private/").try_into().unwrap();
    assert_eq!(request.header(AUTHORIZATION), None);
}

#[tokio::test]
async fn what_the_storage_has_not_is_not_a_no_of_the_registry() {
    let bed = Bed::new().await;
    let storage = Registry::start().await;
    let digest = bed.registry.push_blob("lib/app", "0123456789");
    bed.registry.fault("/blobs/", Fault::MovedTo(storage.url()));
    assert_eq!(kind(bed.upstream.blob(&app(), digest, BlobPart::from_offset(0)).await), UnavailableKind::Status);
}

#[tokio::test]
async fn redirects_in_circles_end() {
    let bed = Bed::new().await;
    bed.registry.fault("/blobs/", Fault::MovedTo(bed.registry.url()));
    let digest = bed.registry.push_blob("lib/app", "0123456789");
    assert_eq!(kind(bed.upstream.blob(&app(), digest, BlobPart::from_offset(0)).await), UnavailableKind::Status);
    assert_eq!(bed.asked("/blobs/"), 6);
}

#[tokio::test]
async fn from_tls_there_is_no_way_to_plain_http() {
    let (bed, _authority) = super::way::bed_with_tls().await;
    let storage = Registry::start().await;
    let digest = storage.push_blob("lib/app", "0123456789");
    bed.registry.fault("/blobs/", Fault::MovedTo(storage.url()));
    assert_eq!(kind(bed.upstream.blob(&app(), digest, BlobPart::from_offset(0)).await), UnavailableKind::Status);
    assert!(storage.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_that_leads_nowhere_is_an_error() {
    for location in ["ftp://127.0.0.1/", "https://u:p@127.0.0.1/", "http://", "a b"] {
        let bed = Bed::new().await;
        let digest = bed.registry.push_blob("lib/app", "0123456789");
        bed.registry.fault("/blobs/", Fault::Redirect(302, location.into()));
        assert_eq!(
            kind(bed.upstream.blob(&app(), digest, BlobPart::from_offset(0)).await),
            UnavailableKind::Status,
            "{location}"
        );
        assert_eq!(bed.asked(""), 1, "{location}");
    }
}
