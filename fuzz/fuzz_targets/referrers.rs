//! Pages of referrers: no more is listed than there are entries.
#![no_main]

use bonafide::upstream::fuzzing::referrers;
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::seeds;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const SEEDS: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":null}
{"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":7,"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json","annotations":{"a":"b"},"data":"e30="},{"size":-1},3,null]}
{"manifests":[{"mediaType":"a/b","size":0,"digest":"sha512:00","urls":["https://x"],"platform":{"architecture":"amd64","os":"linux","os.features":["a"]}}]}"#;

fn pages() -> Vec<Vec<u8>> {
    seeds::lines(SEEDS).into_iter().chain(seeds::manifests()).collect()
}

fuzz_target!(init: seeds::plant(pages), |bytes: &[u8]| {
    let Some(listed) = within(Bound::TREE, bytes.len(), || referrers(bytes)) else { return };
    if listed.is_empty() {
        return;
    }
    let page: Value = serde_json::from_slice(bytes).unwrap_or_default();
    // A key that is given twice is refused; what nests deeper than the values of serde_json is not looked at here.
    assert!(page["manifests"].as_array().is_none_or(|entries| listed.len() <= entries.len()));
});
