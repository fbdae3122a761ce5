use futures_util::FutureExt;
use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::*;
use crate::front::request_id::RequestIds;
use crate::front::route::{Upstreams, route};
use crate::gate::{Denial, Head};
use crate::policy::{Decision, Verdict};

fn body(response: Response<Body>) -> Bytes {
    response.into_body().collect().now_or_never().expect("a body in memory").unwrap().to_bytes()
}

fn parsed(response: Response<Body>) -> Value {
    serde_json::from_slice(&body(response)).unwrap()
}

fn header<'a>(response: &'a Response<Body>, name: &HeaderName) -> &'a str {
    response.headers().get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
}

fn refused(name: &Refusal) -> Response<Body> {
    refusal(name, RequestIds::new().next())
}

fn denied() -> Refusal {
    let verdict = Verdict {
        decision: Decision::Refuse,
        rule: Some("r".into()),
        mode: None,
        requirements: Vec::new(),
        message: Some("ask #platform".into()),
        built_from: None,
    };
    Refusal::Denied(Box::new(Denial { name: "docker.io/a/b:v1".into(), digest: Some(Digest::of(b"")), verdict }))
}

fn undecidable() -> Refusal {
    let text = "10.0.0.7 refused the password".into();
    Refusal::Undecided { text, retry_after: Duration::from_millis(10), judged: None }
}

fn every_refusal() -> [Refusal; 4] {
    let not_found = Refusal::NotFound { code: ErrorCode::BlobUnknown, text: "not there".into() };
    [denied(), not_found, Refusal::Invalid { text: "schema 1".into() }, undecidable()]
}

fn misrouted(method: &Method, uri: &str) -> Response<Body> {
    let upstreams = Upstreams::new(vec!["docker.io".parse().unwrap()], "docker.io".parse().ok());
    misroute(&route(method, &uri.parse().unwrap(), &upstreams).unwrap_err())
}

#[test]
fn a_denial_is_a_403_with_its_reason() {
    let response = refused(&denied());
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(header(&response, &CONTENT_TYPE), JSON);
    let body = parsed(response);
    let error = &body["errors"][0];
    assert_eq!(error["code"], "DENIED");
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with(&format!("docker.io/a/b:v1@{}", Digest::of(b""))), "{message}");
    assert!(message.ends_with("ask #platform"), "{message}");
    assert_eq!(error["detail"]["decision"], "refuse");
}

#[test]
fn a_denial_has_its_reason_in_the_status_line() {
    let response = refused(&denied());
    let phrase = std::str::from_utf8(response.extensions().get::<ReasonPhrase>().unwrap().as_bytes()).unwrap();
    assert!(phrase.starts_with("Forbidden: docker.io/a/b:v1@sha256:") && phrase.ends_with("ask #platform"), "{phrase}");
}

#[test]
fn a_reason_cannot_break_out_of_the_status_line() {
    let phrase = reason_phrase("a\r\nset-cookie: b\u{e4}\0");
    assert_eq!(phrase, b"Forbidden: a  set-cookie: b   ");
    assert_eq!(reason_phrase(&"a".repeat(10_000)).len(), REASON_PHRASE_BYTES);
}

#[test]
fn what_is_not_there_is_a_404() {
    let response = refused(&Refusal::NotFound { code: ErrorCode::ManifestUnknown, text: "not there".into() });
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(parsed(response), json!({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "not there"}]}));
}

#[test]
fn what_cannot_be_decided_is_a_503_that_tells_nothing_but_its_number() {
    let id = RequestIds::new().next();
    let response = refusal(&undecidable(), id);
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header(&response, &RETRY_AFTER), "1");
    let body = parsed(response);
    let text = body["errors"][0]["message"].as_str().unwrap();
    assert!(text.contains(&id.to_string()) && !text.contains("10.0.0.7"), "{text}");
}

#[test]
fn what_can_never_be_served_is_a_403_that_says_why() {
    let response = refused(&Refusal::Invalid { text: "schema 1".into() });
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(parsed(response), json!({"errors": [{"code": "MANIFEST_INVALID", "message": "schema 1"}]}));
}

#[test]
fn no_refusal_asks_for_a_password_and_none_succeeds() {
    for name in every_refusal() {
        let response = refused(&name);
        assert!(response.status().as_u16() >= 403, "{name:?}");
        assert!(!response.headers().contains_key("www-authenticate"));
        assert_eq!(header(&response, &API_VERSION), "registry/2.0");
    }
}

#[test]
fn pushes_and_deletions_are_not_allowed() {
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let response = misrouted(&method, "/v2/a/blobs/uploads/");
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(header(&response, &ALLOW), "GET, HEAD");
        assert_eq!(parsed(response)["errors"][0]["code"], "UNSUPPORTED");
    }
}

#[test]
fn misspelt_requests_get_the_code_of_what_is_misspelt() {
    for (uri, status, code) in [
        ("/", 404, "UNSUPPORTED"),
        ("/v2/_catalog", 404, "UNSUPPORTED"),
        ("/v2/A/manifests/x", 404, "NAME_INVALID"),
        ("/v2/a/manifests/.x", 404, "NAME_INVALID"),
        ("/v2/a/manifests/sha256:0", 404, "DIGEST_INVALID"),
        ("/v2/a/blobs/sha512:0", 404, "DIGEST_INVALID"),
        ("/v2/a/manifests/x?ns=ghcr.io", 404, "NAME_UNKNOWN"),
        ("/v2/a/manifests/x?ns=%", 400, "NAME_INVALID"),
        ("/v2/a/tags/list?n=x", 400, "NAME_INVALID"),
    ] {
        let response = misrouted(&Method::GET, uri);
        assert_eq!(response.status().as_u16(), status, "{uri}");
        assert_eq!(parsed(response)["errors"][0]["code"], code, "{uri}");
    }
    let unknown = parsed(misrouted(&Method::GET, "/v2/a/manifests/x?ns=ghcr.io"));
    assert_eq!(unknown["errors"][0]["message"], "upstream ghcr.io is not configured; configured are: docker.io");
}

#[test]
fn a_manifest_says_what_it_is() {
    let digest = Digest::of(b"{}");
    let media_type = MediaType::ImageIndex.to_string();
    let head = Head::new(&media_type, digest, 2).into();
    let response = manifest(ManifestBody { bytes: Bytes::from_static(b"{}"), head, digest });
    assert_eq!(response.status(), StatusCode::OK);
    for (name, value) in [
        (CONTENT_TYPE, media_type.as_str()),
        (CONTENT_LENGTH, "2"),
        (CONTENT_DIGEST, &digest.to_string()),
        (ETAG, &format!("\"{digest}\"")),
        (CACHE_CONTROL, "no-cache"),
        (API_VERSION, "registry/2.0"),
    ] {
        assert_eq!(header(&response, &name), value, "{name}");
    }
    assert_eq!(body(response), "{}");
}

#[test]
fn a_blob_is_never_anything_but_bytes() {
    let digest = Digest::of(b"abc");
    let response = blob(digest, 3, Body::whole("abc"));
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, &CONTENT_TYPE), "application/octet-stream");
    assert_eq!(header(&response, &CONTENT_LENGTH), "3");
    assert_eq!(header(&response, &ACCEPT_RANGES), "bytes");
    assert_eq!(header(&response, &CONTENT_DIGEST), digest.to_string());
    assert_eq!(body(response), "abc");
}

#[test]
fn a_part_of_a_blob_says_which_part() {
    let response = blob_part(Digest::of(b"abcde"), 5, &(1..3), Body::whole("bc"));
    assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(header(&response, &CONTENT_RANGE), "bytes 1-2/5");
    assert_eq!(header(&response, &CONTENT_LENGTH), "2");
    assert_eq!(body(response), "bc");
}

#[test]
fn a_part_outside_the_blob_is_a_416() {
    let response = outside(Digest::of(b"abcde"), 5);
    assert_eq!(response.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(header(&response, &CONTENT_RANGE), "bytes */5");
}

#[test]
fn what_the_client_has_is_a_304_without_a_body() {
    let digest = Digest::of(b"");
    let response = not_modified(digest);
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(header(&response, &ETAG), format!("\"{digest}\""));
    assert_eq!(body(response), "");
}

#[test]
fn referrers_are_an_index_filtered_by_type() {
    let descriptor = |artifact_type: &str| -> Descriptor {
        serde_json::from_value(json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 2,
            "digest": Digest::of(b"{}"), "artifactType": artifact_type,
        }))
        .unwrap()
    };
    let found = || vec![descriptor("application/a+json"), descriptor("application/b+json")];
    let all = referrers(found(), None);
    assert_eq!(header(&all, &CONTENT_TYPE), "application/vnd.oci.image.index.v1+json");
    assert!(!all.headers().contains_key(FILTERS_APPLIED));
    assert_eq!(parsed(all)["manifests"].as_array().unwrap().len(), 2);
    let some = referrers(found(), Some("application/b+json"));
    assert_eq!(header(&some, &FILTERS_APPLIED), "artifactType");
    let some = parsed(some);
    assert_eq!(some["manifests"].as_array().unwrap().len(), 1);
    assert_eq!(some["manifests"][0]["artifactType"], "application/b+json");
    assert_eq!(parsed(referrers(Vec::new(), None))["manifests"], json!([]));
}

#[test]
fn a_page_of_tags_links_to_the_next() {
    let name = "a/b".parse().unwrap();
    let page = ["v1", "v2"].map(|tag| tag.parse().unwrap());
    let uri = "/v2/ghcr.io/a/b/tags/list?ns=ghcr.io&n=2".parse().unwrap();
    let response = tags(&name, &page, Some(next_page(&uri, &page[1], 2)));
    assert_eq!(header(&response, &LINK), "</v2/ghcr.io/a/b/tags/list?n=2&last=v2&ns=ghcr.io>; rel=\"next\"");
    assert_eq!(parsed(response), json!({"name": "a/b", "tags": ["v1", "v2"]}));
    assert!(!tags(&name, &page, None).headers().contains_key(LINK));
}
