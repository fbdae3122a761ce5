//! Images: configs, layers, manifests and indices, of OCI's types and of Docker's.

use bonafide::oci::Digest;
use serde_json::{Value, json};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const IN_TOTO: &str = "application/vnd.in-toto+json";

/// A manifest with everything that it reaches.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) manifest: Vec<u8>,
    pub(crate) media_type: &'static str,
    pub(crate) platform: Option<Value>,
    /// Annotations of its descriptor in an index.
    pub(crate) annotations: Option<Value>,
    /// The config, then the layers.
    pub(crate) blobs: Vec<Vec<u8>>,
    pub(crate) children: Vec<Self>,
}

#[derive(Clone, Copy)]
struct Types {
    manifest: &'static str,
    config: &'static str,
    layer: &'static str,
}

const OCI: Types = Types { manifest: OCI_MANIFEST, config: OCI_CONFIG, layer: OCI_LAYER };
const DOCKER: Types = Types { manifest: DOCKER_MANIFEST, config: DOCKER_CONFIG, layer: DOCKER_LAYER };

impl Image {
    /// An image for linux/amd64 with two layers, unlike any of another `name`.
    pub(crate) fn new(name: &str) -> Self {
        Self::for_platform(name, "amd64")
    }

    /// An image for linux and `architecture`.
    pub(crate) fn for_platform(name: &str, architecture: &str) -> Self {
        Self::build(name, architecture, &default_layers(name, architecture), OCI)
    }

    /// The same in Docker's media types.
    pub(crate) fn docker(name: &str) -> Self {
        Self::build(name, "amd64", &default_layers(name, "amd64"), DOCKER)
    }

    /// An image for linux/amd64 with these layers.
    pub(crate) fn with_layers(name: &str, layers: &[Vec<u8>]) -> Self {
        Self::build(name, "amd64", layers, OCI)
    }

    /// An index of `children`.
    pub(crate) fn index(children: Vec<Self>) -> Self {
        Self::list(children, OCI_INDEX)
    }

    /// The same in Docker's media type.
    pub(crate) fn docker_list(children: Vec<Self>) -> Self {
        Self::list(children, DOCKER_LIST)
    }

    /// An index for amd64 and arm64.
    pub(crate) fn multi_platform(name: &str) -> Self {
        Self::index(vec![Self::for_platform(name, "amd64"), Self::for_platform(name, "arm64")])
    }

    /// The same as `BuildKit` makes it: each platform with an attestation manifest beside it, signed by nobody, that
    /// holds `statement(digest of the platform)`.
    pub(crate) fn with_attestations(name: &str, statement: impl Fn(Digest) -> super::statement::Statement) -> Self {
        let platforms = [Self::for_platform(name, "amd64"), Self::for_platform(name, "arm64")];
        let attestations: Vec<_> =
            platforms.iter().map(|image| Self::attestation(image.digest(), &[statement(image.digest())])).collect();
        Self::index(platforms.into_iter().chain(attestations).collect())
    }

    /// The attestation manifest that `BuildKit` makes about `subject`.
    pub(crate) fn attestation(subject: Digest, statements: &[super::statement::Statement]) -> Self {
        let layers: Vec<_> = statements.iter().map(super::statement::Statement::to_bytes).collect();
        let diff_ids: Vec<_> = layers.iter().map(|layer| Digest::of(layer)).collect();
        let config = json!({
            "architecture": "unknown", "os": "unknown", "config": {},
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = serde_json::to_vec(&config).unwrap();
        let described: Vec<_> = statements
            .iter()
            .zip(&layers)
            .map(|(statement, layer)| {
                let mut described = descriptor(IN_TOTO, layer);
                described["annotations"] = json!({ "in-toto.io/predicate-type": statement.predicate_type });
                described
            })
            .collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, &config), "layers": described,
        });
        Self {
            manifest: serde_json::to_vec(&manifest).unwrap(),
            media_type: OCI_MANIFEST,
            platform: Some(json!({ "architecture": "unknown", "os": "unknown" })),
            annotations: Some(json!({
                "vnd.docker.reference.digest": subject,
                "vnd.docker.reference.type": "attestation-manifest",
            })),
            blobs: std::iter::once(config).chain(layers).collect(),
            children: Vec::new(),
        }
    }

    /// Any other bytes as a manifest.
    pub(crate) fn of_manifest(manifest: Vec<u8>, media_type: &'static str) -> Self {
        Self { manifest, media_type, platform: None, annotations: None, blobs: Vec::new(), children: Vec::new() }
    }

    fn build(name: &str, architecture: &str, layers: &[Vec<u8>], types: Types) -> Self {
        let diff_ids: Vec<_> = layers.iter().map(|layer| Digest::of(layer)).collect();
        let config = json!({
            "architecture": architecture, "os": "linux", "created": "2025-06-01T11:59:00Z",
            "config": { "Env": ["PATH=/bin"], "Entrypoint": ["/app"], "Labels": { "name": name } },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = serde_json::to_vec(&config).unwrap();
        let described: Vec<_> = layers.iter().map(|layer| descriptor(types.layer, layer)).collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": types.manifest,
            "config": descriptor(types.config, &config), "layers": described,
        });
        Self {
            manifest: serde_json::to_vec(&manifest).unwrap(),
            media_type: types.manifest,
            platform: Some(json!({ "architecture": architecture, "os": "linux" })),
            annotations: None,
            blobs: std::iter::once(config).chain(layers.iter().cloned()).collect(),
            children: Vec::new(),
        }
    }

    fn list(children: Vec<Self>, media_type: &'static str) -> Self {
        let described: Vec<_> = children.iter().map(Self::descriptor).collect();
        let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": described });
        let manifest = serde_json::to_vec(&index).unwrap();
        Self { children, ..Self::of_manifest(manifest, media_type) }
    }

    /// The digest that it is known by.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }

    /// Its descriptor, as in an index.
    pub(crate) fn descriptor(&self) -> Value {
        let mut described = descriptor(self.media_type, &self.manifest);
        for (name, part) in [("platform", &self.platform), ("annotations", &self.annotations)] {
            if let Some(part) = part {
                described[name] = part.clone();
            }
        }
        described
    }
}

/// The descriptor of `bytes`.
pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "size": bytes.len(), "digest": Digest::of(bytes) })
}

fn default_layers(name: &str, architecture: &str) -> [Vec<u8>; 2] {
    let base = format!("base of {architecture}\n").into_bytes();
    let application = format!("{name} for {architecture}\n").repeat(64).into_bytes();
    [base, application]
}
