//! `resourceUri` of verification summaries: of two images one URI names at most one, and with a tag that nobody asked for it
//! names none.
#![no_main]

use bonafide::oci::{Digest, Repository, Tag};
use bonafide::policy::Request;
use bonafide::policy::fuzzing::names;
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::{seeds, text};
use libfuzzer_sys::fuzz_target;

const SEEDS: &str = "ghcr.io/acme/app:v1@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\
    https://ghcr.io/acme/app\npkg:docker/acme/app@v1?repository_url=ghcr.io\nnginx\nindex.docker.io/library/nginx:1\n\
    pkg:oci/app@sha256%3Ae3b0?arch=amd64&repository_url=ghcr.io%2Facme%2Fapp&tag=v1\noci://docker.io/library/nginx\n\
    pkg:docker/library/nginx@1?repository_url=index.docker.io\ngit+https://ghcr.io/acme/app\nghcr.io/acme/app/sub:v2";

fuzz_target!(init: seeds::plant(|| seeds::lines(SEEDS)), |bytes: &[u8]| {
    let uri = text(bytes);
    let images = ["ghcr.io/acme/app", "docker.io/library/nginx", "docker.io/acme/app"];
    let tags: [Option<Tag>; 3] = [None, "v1".parse().ok(), "1".parse().ok()];
    let digest = Digest::of(b"");
    let named = images.map(|image| {
        let repository: Repository = image.parse().expect("a repository");
        let asks = |tag: &Option<Tag>| {
            let request = Request { repository: &repository, tag: tag.as_ref(), digest };
            within(Bound::PARSER, bytes.len(), || names(uri, &request))
        };
        let [any, v1, one] = [&tags[0], &tags[1], &tags[2]].map(asks);
        assert!(any || !v1 && !one, "{uri:?} names a tag, and not its repository");
        any
    });
    assert!(named.iter().filter(|named| **named).count() <= 1, "{uri:?} names several");
});
