//! Debian's docker-registry, filled as a push would fill it.

use std::fs;
use std::path::Path;

use bonafide::oci::Digest;

use crate::bed::{Bed, REPOSITORY, blob_path};
use crate::process::{Process, SERVERS, free_address, is_up};
use crate::systems::{System, Transport, program};

/// The registry, with its storage.
pub(crate) fn start(bed: &Bed, transport: Transport) -> Result<System, String> {
    let (address, storage) = (free_address(), bed.folder().join("registry"));
    if !storage.exists() {
        fill(bed, &storage);
    }
    let tls = match transport {
        Transport::Plain => String::new(),
        Transport::Tls => format!(
            "  tls:\n    certificate: {}\n    key: {}\n",
            bed.certificate.cert.display(),
            bed.certificate.key.display()
        ),
    };
    let config = format!(
        "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    rootdirectory: {}\n  \
         cache:\n    blobdescriptor: inmemory\nhttp:\n  addr: {address}\n{tls}",
        storage.display()
    );
    let file = bed.folder().join("registry.yml");
    fs::write(&file, config).unwrap();
    let log = bed.folder().join("registry.log");
    let process = Process::start(&program("docker-registry")?, &["serve", file.to_str().unwrap()], SERVERS, &log);
    if is_up(address) {
        Ok(System { name: "docker-registry", address, transport, process })
    } else {
        Err("it does not start".into())
    }
}

/// The layout of its file system driver; the bytes are those that all systems read.
fn fill(bed: &Bed, storage: &Path) {
    let root = storage.join("docker/registry/v2");
    let repository = root.join("repositories").join(REPOSITORY);
    let link = |path: &str, digest: Digest| {
        let folder = repository.join(path).join(digest.hex());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("link"), digest.to_string()).unwrap();
    };
    link("_manifests/revisions/sha256", bed.manifest);
    keep(&bed.site(), &bed.manifest_path(), &root, bed.manifest);
    for digest in [bed.blob.0, bed.small_blob.0] {
        link("_layers/sha256", digest);
        keep(&bed.site(), &blob_path(digest), &root, digest);
    }
}

fn keep(site: &Path, path: &str, root: &Path, digest: Digest) {
    let hex = digest.hex();
    let folder = root.join("blobs/sha256").join(&hex[..2]).join(&hex);
    fs::create_dir_all(&folder).unwrap();
    fs::hard_link(site.join(path.trim_start_matches('/')), folder.join("data")).unwrap();
}
