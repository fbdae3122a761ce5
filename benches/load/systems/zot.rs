//! zot, on an OCI layout of the same files.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::bed::{Bed, REPOSITORY, blob_path};
use crate::process::{Process, SERVERS, free_address, is_up};
use crate::support::authority::image::OCI_MANIFEST;
use crate::systems::{System, Transport, program};

/// zot, with its storage.
pub(crate) fn start(bed: &Bed, transport: Transport) -> Result<System, String> {
    let (address, storage) = (free_address(), bed.folder().join("zot"));
    let zot = program("zot")?;
    if !storage.exists() {
        fill(bed, &storage);
    }
    let mut http = json!({ "address": address.ip().to_string(), "port": address.port().to_string() });
    if transport == Transport::Tls {
        http["tls"] = json!({ "cert": bed.certificate.cert, "key": bed.certificate.key });
    }
    let config: Value = json!({
        "distSpecVersion": "1.1.1", "http": http, "log": { "level": "error" },
        "storage": { "rootDirectory": storage, "gc": false, "dedupe": false },
    });
    let file = bed.folder().join("zot.json");
    fs::write(&file, config.to_string()).unwrap();
    let process = Process::start(&zot, &["serve", file.to_str().unwrap()], SERVERS, &bed.folder().join("zot.log"));
    if is_up(address) {
        Ok(System { name: "zot", address, transport, process })
    } else {
        Err("it does not start".into())
    }
}

fn fill(bed: &Bed, storage: &Path) {
    let repository = storage.join(REPOSITORY);
    let blobs = repository.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let paths = [(bed.manifest, bed.manifest_path())];
    let paths = paths.into_iter().chain([bed.blob.0, bed.small_blob.0].map(|digest| (digest, blob_path(digest))));
    for (digest, path) in paths {
        fs::hard_link(bed.site().join(path.trim_start_matches('/')), blobs.join(digest.hex())).unwrap();
    }
    let listed = json!({ "mediaType": OCI_MANIFEST, "digest": bed.manifest, "size": bed.manifest_bytes.len() });
    let index = json!({ "schemaVersion": 2, "manifests": [listed] });
    fs::write(repository.join("index.json"), index.to_string()).unwrap();
    fs::write(repository.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}
