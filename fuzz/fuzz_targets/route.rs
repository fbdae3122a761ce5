//! Methods and URIs of clients: the same question has the same answer however its name is spelled afterwards.
#![no_main]

use std::sync::LazyLock;

use bonafide::front::{Route, Upstreams, route};
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::{seeds, text};
use http::{Method, Uri};
use libfuzzer_sys::fuzz_target;

const SEEDS: &str = "/v2/\n/v2/library/nginx/manifests/1.27?ns=docker.io\n/v2/docker.io/a/b/tags/list?n=5&last=v1\n\
    /v2/a/blobs/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\
    /v2/a/referrers/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855?artifactType=application%2Fvnd.a%2Bjson";

static UPSTREAMS: LazyLock<Upstreams> = LazyLock::new(|| {
    let names = ["docker.io", "ghcr.io", "127.0.0.1:5000"].map(|name| name.parse().expect("a name"));
    Upstreams::new(names.to_vec(), names.first().cloned())
});

fuzz_target!(init: seeds::plant(|| seeds::lines(SEEDS)), |bytes: &[u8]| {
    let Ok(uri) = text(bytes).parse::<Uri>() else { return };
    for method in [Method::GET, Method::HEAD, Method::PUT] {
        let asked = within(Bound::PARSER, bytes.len(), || route(&method, &uri, &UPSTREAMS));
        assert!(asked.is_err() || method != Method::PUT);
        if let Ok(Route::Manifest(image)) = asked.map(|asked| asked.route) {
            assert!(uri.path().ends_with(&image.reference.to_string()));
        }
    }
});
