//! Responses: what each route answers, and the one place where refusals and errors meet HTTP.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LINK, RETRY_AFTER,
};
use http::{HeaderName, HeaderValue, Response, StatusCode, Uri};
use hyper::ext::ReasonPhrase;
use serde::Serialize;

use crate::front::range::etag;
use crate::front::request_id::RequestId;
use crate::front::route::Misroute;
use crate::gate::{ManifestBody, Refusal};
use crate::listen::Body;
use crate::oci::{
    Descriptor, Digest, ErrorBody, ErrorCode, MediaType, ReferenceError, RepositoryName, Tag, UpstreamName,
};

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const NAMESPACE: HeaderName = HeaderName::from_static("oci-namespace");
const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

/// Longest reason in a status line: clients with small buffers for that line exist, and the body has all of it.
const REASON_PHRASE_BYTES: usize = 512;
const JSON: &str = "application/json";
const REGISTRY: &str = "registry/2.0";
/// How many headers the answer with a manifest has, those of hyper and of `?ns=` included: room for them is made once.
const MANIFEST_HEADERS: usize = 10;
/// Blobs have this type whatever they are: under a manifest's own type, some clients run a blob that nobody admitted.
const BLOB: &str = "application/octet-stream";

/// `GET /v2/`: this is a registry, and it wants no credentials.
pub(in crate::front) fn base() -> Response<Body> {
    json(StatusCode::OK, JSON, b"{}".to_vec())
}

pub(in crate::front) fn manifest(manifest: ManifestBody) -> Response<Body> {
    let ManifestBody { bytes, head, digest: _ } = manifest;
    let mut response = Response::new(Body::whole(bytes));
    let headers = response.headers_mut();
    headers.reserve(MANIFEST_HEADERS);
    headers.insert(API_VERSION, HeaderValue::from_static(REGISTRY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let texts = [
        (CONTENT_TYPE, &head.media_type),
        (CONTENT_LENGTH, &head.length),
        (CONTENT_DIGEST, &head.digest),
        (ETAG, &head.entity_tag),
    ];
    for (name, text) in texts {
        // Types and digests fit a header.
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::clone(text)) {
            headers.insert(name, value);
        }
    }
    response
}

/// The whole of a blob: `body`, of `size` bytes.
pub(in crate::front) fn blob(digest: Digest, size: u64, body: Body) -> Response<Body> {
    part(StatusCode::OK, digest, size, body)
}

/// The bytes `range`, which are not empty, of a blob of `size` bytes: `body`.
pub(in crate::front) fn blob_part(digest: Digest, size: u64, range: &Range<u64>, body: Body) -> Response<Body> {
    let length = range.end.saturating_sub(range.start);
    let mut response = part(StatusCode::PARTIAL_CONTENT, digest, length, body);
    let bounds = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
    set(&mut response, CONTENT_RANGE, &bounds);
    response
}

/// The part that was asked for is outside the blob.
pub(in crate::front) fn outside(digest: Digest, size: u64) -> Response<Body> {
    let mut response = part(StatusCode::RANGE_NOT_SATISFIABLE, digest, 0, Body::empty());
    set(&mut response, CONTENT_RANGE, &format!("bytes */{size}"));
    response
}

fn part(status: StatusCode, digest: Digest, length: u64, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    set(&mut response, API_VERSION, "registry/2.0");
    set(&mut response, CONTENT_TYPE, BLOB);
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    identify(&mut response, digest);
    response
}

/// The client has it, and it is admitted still.
pub(in crate::front) fn not_modified(digest: Digest) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    set(&mut response, API_VERSION, "registry/2.0");
    identify(&mut response, digest);
    response
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Referrers {
    schema_version: u32,
    media_type: MediaType,
    manifests: Vec<Descriptor>,
}

/// The index of those of `found` that are of `artifact_type`, if that is asked for.
pub(in crate::front) fn referrers(mut found: Vec<Descriptor>, artifact_type: Option<&str>) -> Response<Body> {
    if let Some(wanted) = artifact_type {
        found.retain(|descriptor| descriptor.artifact_type().as_ref().is_some_and(|found| found.as_ref() == wanted));
    }
    let index = Referrers { schema_version: 2, media_type: MediaType::ImageIndex, manifests: found };
    let mut response = written(MediaType::ImageIndex.as_ref(), &index);
    if artifact_type.is_some() {
        set(&mut response, FILTERS_APPLIED, "artifactType");
    }
    response
}

#[derive(Serialize)]
struct Tags<'a> {
    name: &'a RepositoryName,
    tags: &'a [Tag],
}

/// One page of tags; `next` is the `Link` to the next one.
pub(in crate::front) fn tags(name: &RepositoryName, tags: &[Tag], next: Option<String>) -> Response<Body> {
    let mut response = written(JSON, &Tags { name, tags });
    if let Some(next) = next {
        set(&mut response, LINK, &next);
    }
    response
}

/// The `Link` (RFC 8288) to the page after `last`: the path as the client spelt it, and the upstream as it named it.
pub(in crate::front) fn next_page(uri: &Uri, last: &Tag, limit: u32) -> String {
    let mut pairs = uri.query().unwrap_or_default().split('&');
    let namespace = pairs.find(|pair| pair.starts_with("ns=")).map(|pair| format!("&{pair}")).unwrap_or_default();
    format!("<{}?n={limit}&last={last}{namespace}>; rel=\"next\"", uri.path())
}

/// Names the upstream that the answer is about, as the client did by `?ns=`.
pub(in crate::front) fn in_namespace(response: &mut Response<Body>, namespace: &UpstreamName) {
    set(response, NAMESPACE, namespace.as_str());
}

/// The answer to a request that is not understood.
pub(in crate::front) fn misroute(misroute: &Misroute) -> Response<Body> {
    let (status, code) = match misroute {
        Misroute::Method => (StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported),
        Misroute::Path => (StatusCode::NOT_FOUND, ErrorCode::Unsupported),
        Misroute::Upstream { .. } | Misroute::NoUpstream(_) => (StatusCode::NOT_FOUND, ErrorCode::NameUnknown),
        Misroute::Name(_) | Misroute::Reference(ReferenceError::Tag(_)) => {
            (StatusCode::NOT_FOUND, ErrorCode::NameInvalid)
        }
        Misroute::Digest(_) | Misroute::Reference(ReferenceError::Digest(_)) => {
            (StatusCode::NOT_FOUND, ErrorCode::DigestInvalid)
        }
        Misroute::Query(_) => (StatusCode::BAD_REQUEST, ErrorCode::NameInvalid),
    };
    let mut response = error(status, &ErrorBody::new(code, misroute.to_string()));
    if matches!(misroute, Misroute::Method) {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

/// The answer to a request that the gate refuses. Never 401: docker would ask for a password, and hang.
pub(in crate::front) fn refusal(refusal: &Refusal, id: RequestId) -> Response<Body> {
    match refusal {
        Refusal::Denied(denial) => {
            let message = denial.message();
            forbidden(&message, &ErrorBody::new(ErrorCode::Denied, &message).with_detail(denial.detail()))
        }
        Refusal::NotFound { code, text } => error(StatusCode::NOT_FOUND, &ErrorBody::new(*code, text)),
        // Asking again does not help, and nothing is wrong with this server: it will not serve it.
        Refusal::Invalid { text } => forbidden(text, &ErrorBody::new(ErrorCode::ManifestInvalid, text)),
        Refusal::Undecided { retry_after, .. } => undecided(id, *retry_after),
    }
}

/// A 403 that has the reason in its status line as well: clients that resolve by HEAD have no body to show, and show
/// that line.
fn forbidden(message: &str, body: &ErrorBody) -> Response<Body> {
    let mut response = error(StatusCode::FORBIDDEN, body);
    if let Ok(phrase) = ReasonPhrase::try_from(reason_phrase(message)) {
        response.extensions_mut().insert(phrase);
    }
    response
}

/// `Forbidden: <message>` within what a status line may have (RFC 9112, section 4): one line of printable ASCII.
fn reason_phrase(message: &str) -> Vec<u8> {
    let printable = |byte: u8| if matches!(byte, b' '..=b'~') { byte } else { b' ' };
    b"Forbidden: ".iter().copied().chain(message.bytes().map(printable)).take(REASON_PHRASE_BYTES).collect()
}

/// What failed is in the log, under `id`: it may name hosts and files that are none of the client's business.
fn undecided(id: RequestId, retry_after: Duration) -> Response<Body> {
    let text = format!("this cannot be decided now, try again later (request {id})");
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE, &ErrorBody::new(ErrorCode::Unavailable, text));
    response.headers_mut().insert(RETRY_AFTER, retry_after.as_secs().max(1).into());
    response
}

fn error(status: StatusCode, body: &ErrorBody) -> Response<Body> {
    json(status, JSON, body.to_json())
}

/// `value` as JSON. Names, tags and descriptors always serialise; were it otherwise, half an answer must not look whole.
fn written(media_type: &str, value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(bytes) => json(StatusCode::OK, media_type, bytes),
        Err(cause) => {
            tracing::error!(error = %cause, "an answer cannot be written");
            let body = ErrorBody::new(ErrorCode::Unavailable, "the answer cannot be written");
            error(StatusCode::INTERNAL_SERVER_ERROR, &body)
        }
    }
}

fn json(status: StatusCode, media_type: &str, bytes: Vec<u8>) -> Response<Body> {
    whole(status, media_type, bytes.into())
}

fn whole(status: StatusCode, media_type: &str, bytes: Bytes) -> Response<Body> {
    let length = bytes.len();
    let mut response = Response::new(Body::whole(bytes));
    *response.status_mut() = status;
    set(&mut response, API_VERSION, "registry/2.0");
    set(&mut response, CONTENT_TYPE, media_type);
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

/// Says which content it is. Caches on the way must ask again, since what is admitted now may be revoked next.
fn identify(response: &mut Response<Body>, digest: Digest) {
    set(response, CONTENT_DIGEST, &digest.to_string());
    set(response, ETAG, &etag(digest));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
}

/// Sets `name`. Every value set here is made of names, digests and numbers, which fit a header.
fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests;
