use proptest::prelude::*;

use super::*;
use crate::oci::Reference;

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn upstreams() -> Upstreams {
    let names = ["docker.io", "ghcr.io", "localhost:5000"].map(|name| name.parse().unwrap());
    let upstreams = Upstreams::new(names.to_vec(), "docker.io".parse().ok());
    upstreams.with_alias("index.docker.io".parse().unwrap(), "docker.io".parse().unwrap())
}

fn get(uri: &str) -> Result<Asked, Misroute> {
    route(&Method::GET, &uri.parse().unwrap(), &upstreams())
}

fn found(uri: &str) -> Route {
    get(uri).unwrap_or_else(|error| panic!("{uri}: {error}")).route
}

fn manifest(uri: &str) -> String {
    let Route::Manifest(image) = found(uri) else { panic!("{uri} asks for no manifest") };
    image.to_string()
}

fn repository(text: &str) -> Repository {
    text.parse().unwrap()
}

#[test]
fn the_base_says_that_this_is_a_registry() {
    assert_eq!(found("/v2/"), Route::Base);
    assert_eq!(found("/v2"), Route::Base);
    assert_eq!(found("http://mirror/v2/?ns=unknown.example"), Route::Base);
}

#[test]
fn manifests_are_asked_for_by_tag_or_digest() {
    let digest = format!("sha256:{HEX}");
    for (uri, image) in [
        ("/v2/nginx/manifests/1.27", "docker.io/library/nginx:1.27"),
        ("/v2/library/nginx/manifests/1.27", "docker.io/library/nginx:1.27"),
        ("/v2/a/b/c/d/manifests/x", "docker.io/a/b/c/d:x"),
        ("/v2/library/nginx/manifests/1.27?ns=docker.io", "docker.io/library/nginx:1.27"),
        ("/v2/a/b/manifests/x?ns=localhost%3A5000", "localhost:5000/a/b:x"),
        ("/v2/ghcr.io/a/b/manifests/x", "ghcr.io/a/b:x"),
        ("/v2/docker.io/nginx/manifests/x", "docker.io/library/nginx:x"),
        ("/v2/localhost:5000/a/manifests/x", "localhost:5000/a:x"),
        ("/v2/ghcr.io/a/b/manifests/x?ns=ghcr.io", "ghcr.io/a/b:x"),
        (&format!("/v2/a/b/manifests/{digest}"), &format!("docker.io/a/b@{digest}")),
    ] {
        assert_eq!(manifest(uri), image, "{uri}");
    }
}

#[test]
fn the_namespace_beats_the_path_and_is_remembered() {
    let asked = get("/v2/docker.io/a/manifests/x?ns=ghcr.io").unwrap();
    let Route::Manifest(image) = asked.route else { panic!() };
    assert_eq!(image.repository, repository("ghcr.io/docker.io/a"));
    assert_eq!(asked.namespace, "ghcr.io".parse().ok());
    assert_eq!(get("/v2/ghcr.io/a/manifests/x").unwrap().namespace, None);
}

#[test]
fn an_alias_is_another_name_of_the_same_upstream() {
    for uri in ["/v2/nginx/manifests/x?ns=index.docker.io", "/v2/index.docker.io/nginx/manifests/x"] {
        assert_eq!(manifest(uri), "docker.io/library/nginx:x", "{uri}");
    }
    let asked = get("/v2/docker.io/nginx/manifests/x?ns=index.docker.io").unwrap();
    assert_eq!(asked.namespace, "index.docker.io".parse().ok());
    assert_eq!(manifest("/v2/docker.io/nginx/manifests/x?ns=index.docker.io"), "docker.io/library/nginx:x");
}

#[test]
fn names_may_contain_the_keywords() {
    assert_eq!(manifest("/v2/a/manifests/b/manifests/x"), "docker.io/a/manifests/b:x");
    assert_eq!(manifest("/v2/tags/list/manifests/list"), "docker.io/tags/list:list");
    let Route::Tags { repository, .. } = found("/v2/manifests/blobs/tags/list") else { panic!() };
    assert_eq!(repository.to_string(), "docker.io/manifests/blobs");
}

#[test]
fn blobs_and_referrers_are_asked_for_by_digest_only() {
    let digest = Digest::from_hex(HEX).unwrap();
    let repository = repository("docker.io/a/b");
    assert_eq!(found(&format!("/v2/a/b/blobs/sha256:{HEX}")), Route::Blob { repository: repository.clone(), digest });
    let uri = format!("/v2/a/b/referrers/sha256:{HEX}?artifactType=application%2Fvnd.x%2Bjson");
    let artifact_type = Some("application/vnd.x+json".to_owned());
    assert_eq!(found(&uri), Route::Referrers { repository, subject: digest, artifact_type });
    for uri in ["/v2/a/blobs/latest", "/v2/a/referrers/latest", "/v2/a/blobs/uploads"] {
        assert!(matches!(get(uri), Err(Misroute::Digest(_))), "{uri}");
    }
}

#[test]
fn tags_are_paged() {
    let tags = |last: Option<&str>, limit| Route::Tags {
        repository: repository("docker.io/a/b"),
        last: last.map(|tag| tag.parse().unwrap()),
        limit,
    };
    assert_eq!(found("/v2/a/b/tags/list"), tags(None, TAGS_PER_PAGE));
    assert_eq!(found("/v2/a/b/tags/list?n=2&last=v1"), tags(Some("v1"), 2));
    assert_eq!(found("/v2/a/b/tags/list?n=0"), tags(None, 0));
    assert_eq!(found("/v2/a/b/tags/list?n=4294967295"), tags(None, TAGS_PER_PAGE));
    for query in ["n=-1", "n=x", "n=", "n=99999999999", "last=-", "last=a%2Fb", "last=", "n=1&n=2"] {
        assert!(matches!(get(&format!("/v2/a/b/tags/list?{query}")), Err(Misroute::Query(_))), "{query}");
    }
}

#[test]
fn other_methods_than_get_and_head_are_refused() {
    let uri = "/v2/a/manifests/x".parse().unwrap();
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "BREW"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        assert_eq!(route(&method, &uri, &upstreams()), Err(Misroute::Method), "{method}");
    }
    assert_eq!(route(&Method::HEAD, &uri, &upstreams()).unwrap().method, Reading::Head);
}

#[test]
fn an_unknown_namespace_is_never_dialled() {
    for ns in ["evil.example", "127.0.0.1:6379", "169.254.169.254", "docker.io.", "Docker.io", "docker.io:443"] {
        let error = get(&format!("/v2/a/manifests/x?ns={ns}")).unwrap_err();
        assert!(matches!(error, Misroute::Upstream { .. }), "{ns}");
        assert!(error.to_string().ends_with("configured are: docker.io, ghcr.io, localhost:5000"), "{error}");
    }
}

#[test]
fn a_hostile_namespace_is_not_repeated() {
    for ns in ["", "%00", "%3Cscript%3E", "a/b", "http://docker.io", "docker.io/", "docker.io%0d%0aX:1", "..", "user@a"]
    {
        let error = get(&format!("/v2/a/manifests/x?ns={ns}")).unwrap_err();
        assert!(matches!(&error, Misroute::Upstream { asked, .. } if asked == "as named"), "{ns}: {error}");
    }
    for query in ["ns=%", "ns=%ff", "ns=docker.io&ns=ghcr.io", "ns=docker.io&ns=docker.io"] {
        assert!(matches!(get(&format!("/v2/a/manifests/x?{query}")), Err(Misroute::Query(_))), "{query}");
    }
}

#[test]
fn without_a_default_the_upstream_must_be_named() {
    let upstreams = Upstreams::new(vec!["ghcr.io".parse().unwrap()], None);
    let ask = |uri: &str| route(&Method::GET, &uri.parse().unwrap(), &upstreams);
    assert!(matches!(ask("/v2/a/manifests/x"), Err(Misroute::NoUpstream(_))));
    assert!(ask("/v2/ghcr.io/a/manifests/x").is_ok());
    assert!(matches!(get("/v2/quay.example:1/a/manifests/x"), Err(Misroute::Upstream { .. })));
}

#[test]
fn hostile_paths_find_nothing() {
    let long = format!("/v2/{}/manifests/x", "a".repeat(300));
    let deep = format!("/v2/{}manifests/x", "a/".repeat(10_000));
    for uri in [
        "/",
        "/v1/",
        "/v2x",
        "//v2/",
        "/v2//",
        "/v2/manifests/x",
        "/v2//manifests/x",
        "/v2/a//manifests/x",
        "/v2/a/manifests/",
        "/v2/a/manifests//x",
        "/v2/a/manifests/x/",
        "/v2/a/../b/manifests/x",
        "/v2/../manifests/x",
        "/v2/a/manifests/..",
        "/v2/a/manifests/../../etc",
        "/v2/a%2fb/manifests/x",
        "/v2/a%2e%2e/manifests/x",
        "/v2/%2e%2e/manifests/x",
        "/v2/a/manifests/x%00",
        "/v2/a%00/manifests/x",
        "/v2/a/manifests/%ff",
        "/v2/a/manifests/x%2fy",
        "/v2/a/manifests%2fx",
        "/v2/A/manifests/x",
        "/v2/a/blobs/sha256:00",
        "/v2/a/blobs/sha512:00",
        "/v2/a/blobs/sha256:../../etc/passwd",
        "/v2/a/blobs/uploads/",
        "/v2/docker.io/manifests/x/y",
        "/v2/docker.io//manifests/x",
        "/v2/_catalog",
        "/v2/a/tags/list/",
        "/v2/tags/list",
        "/v2//tags/list",
        "/metrics",
        &long,
        &deep,
    ] {
        assert!(get(uri).is_err(), "{uri}");
    }
}

proptest! {
    #[test]
    fn whatever_is_found_is_spelt_in_one_way_only(path in "/v2/[a-z./:%@_-]{0,20}/(manifests|blobs|referrers)/[a-zA-Z0-9.:%/_-]{0,12}") {
        let Ok(uri) = path.parse::<Uri>() else { return Ok(()) };
        if let Ok(Asked { route: Route::Manifest(image), .. }) = route(&Method::GET, &uri, &upstreams()) {
            let end = match &image.reference {
                Reference::Tag(tag) => format!("/manifests/{tag}"),
                Reference::Digest(digest) => format!("/manifests/{digest}"),
            };
            let name = path.strip_prefix("/v2/").and_then(|path| path.strip_suffix(&end)).unwrap();
            prop_assert!(image.repository.to_string().ends_with(name), "{} of {}", image, path);
        }
    }
}
