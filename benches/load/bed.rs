//! What all systems serve: one image with a large layer, really signed, as files.
//!
//! ```text
//! site/v2/acme/app/manifests/<digest or tag>
//! site/v2/acme/app/blobs/<digest>
//! ```

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use bonafide::oci::{Digest, Hasher};
use serde_json::{Value, json};

use crate::support::authority::Authority;
use crate::support::authority::identity::Identity;
use crate::support::authority::image::{OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, descriptor};
use crate::support::authority::publisher::Publisher;
use crate::support::content::Repositories;
use crate::systems::Certificate;
use crate::systems::nginx::{self, Nginx};

/// The repository of the image.
pub(crate) const REPOSITORY: &str = "acme/app";
/// The blob that shows whether memory depends on size.
const SMALL_BYTES: u64 = 64 << 20;
/// The blob that many clients ask for while nobody has it.
const COLD_BYTES: u64 = 256 << 20;

/// Files, keys, and programs.
#[derive(Debug)]
pub(crate) struct Bed {
    folder: tempfile::TempDir,
    pub(crate) manifest: Digest,
    pub(crate) manifest_bytes: Vec<u8>,
    /// The large layer, and its size.
    pub(crate) blob: (Digest, u64),
    pub(crate) small_blob: (Digest, u64),
    pub(crate) cold_blob: (Digest, u64),
    pub(crate) certificate: Certificate,
    /// Where Bonafide fetches from.
    pub(crate) upstream: Nginx,
}

impl Bed {
    /// With a layer of `layer_bytes` bytes.
    pub(crate) fn new(layer_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("site");
        let blobs = site.join("v2").join(REPOSITORY).join("blobs");
        fs::create_dir_all(&blobs).unwrap();
        let (blob, small_blob) = (write_blob(&blobs, 1, layer_bytes), write_blob(&blobs, 2, SMALL_BYTES));
        let cold_blob = write_blob(&blobs, 3, COLD_BYTES);
        let manifest_bytes = sign(&site, folder.path(), &[blob, small_blob, cold_blob]);
        let certificate = Certificate::write(folder.path());
        let upstream = nginx::upstream(folder.path(), &site);
        let manifest = Digest::of(&manifest_bytes);
        Self { folder, manifest, manifest_bytes, blob, small_blob, cold_blob, certificate, upstream }
    }

    /// A folder for everything that belongs to this run.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The root of the files that a web server would serve.
    pub(crate) fn site(&self) -> PathBuf {
        self.folder.path().join("site")
    }

    /// The layers of the image, and their sizes.
    pub(crate) const fn layers(&self) -> [(Digest, u64); 3] {
        [self.blob, self.small_blob, self.cold_blob]
    }

    /// The path of the manifest, in URLs and below [`Self::site`].
    pub(crate) fn manifest_path(&self) -> String {
        format!("/v2/{REPOSITORY}/manifests/{}", self.manifest)
    }
}

/// The path of a blob, in URLs and below [`Bed::site`].
pub(crate) fn blob_path(digest: Digest) -> String {
    format!("/v2/{REPOSITORY}/blobs/{digest}")
}

/// Bytes that no file system, and no test of content, takes for zeroes or for repetitions.
fn write_blob(folder: &Path, seed: u64, size: u64) -> (Digest, u64) {
    let draft = folder.join(format!("draft-{seed}"));
    let mut file = File::create(&draft).unwrap();
    let (mut hasher, mut state, mut left) = (Hasher::new(), seed, size);
    let mut piece = vec![0; 1 << 20];
    while left > 0 {
        for word in piece.chunks_exact_mut(8) {
            // Knuth's generator, whose period is that of its state.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            word.copy_from_slice(&state.to_le_bytes());
        }
        let part = &piece[..usize::try_from(left).unwrap_or(usize::MAX).min(piece.len())];
        hasher.update(part);
        file.write_all(part).unwrap();
        left -= part.len() as u64;
    }
    let digest = hasher.finish();
    fs::rename(draft, folder.join(digest.to_string())).unwrap();
    (digest, size)
}

/// Writes a manifest of `layers` and its evidence, and the root that the evidence is proven by.
fn sign(site: &Path, folder: &Path, layers: &[(Digest, u64)]) -> Vec<u8> {
    let (authority, mut all) = (Authority::new("corp"), Repositories::default());
    authority.trusted_root().write_to(folder);
    let config = br#"{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#;
    all.push_blob(REPOSITORY, config);
    let manifest = manifest(&descriptor(OCI_CONFIG, config), layers);
    let digest = all.push_manifest(REPOSITORY, Some("v1"), &manifest);
    let signer = authority.keyless(&Identity::email("dev@acme.example", "https://idp.example"));
    Publisher::new(&mut all, REPOSITORY).signature(digest, &signer.sign(digest));
    write(site, &all);
    manifest
}

/// A manifest of about 1.5 KiB, as ordinary images have.
fn manifest(config: &Value, layers: &[(Digest, u64)]) -> Vec<u8> {
    let layers: Vec<_> =
        layers.iter().map(|(digest, size)| json!({ "mediaType": OCI_LAYER, "digest": digest, "size": size })).collect();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers,
        "annotations": { "org.opencontainers.image.description": "load ".repeat(170) },
    });
    serde_json::to_vec(&manifest).unwrap()
}

fn write(site: &Path, all: &Repositories) {
    for (repository, content) in &all.0 {
        let folder = site.join("v2").join(repository);
        let blobs = content.blobs.iter().map(|(digest, bytes)| (format!("blobs/{digest}"), bytes));
        let manifests = content.manifests.iter().map(|(reference, bytes)| (format!("manifests/{reference}"), bytes));
        for (name, bytes) in blobs.chain(manifests) {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
}
