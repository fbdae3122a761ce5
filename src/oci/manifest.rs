//! Manifests: what kind they are and what they reach, decided by their bytes alone.

use std::fmt;
use std::str::FromStr;

use oci_spec::image::{ImageIndex, ImageManifest};
use serde::Deserialize;

use crate::oci::spelling::Spelt;
use crate::oci::{Digest, DigestError};

pub use oci_spec::image::{Descriptor, MediaType};

/// A manifest of one image, or an index of several.
///
/// What it is follows from its bytes, never from a `Content-Type`: the same bytes read as an index by one and as an
/// image by another would let one of them be judged and the other be run (CVE-2021-41190).
#[derive(Debug, Clone, PartialEq)]
pub enum Manifest {
    /// Config and layers: `application/vnd.oci.image.manifest.v1+json` or Docker's schema 2.
    Image(Box<ImageManifest>),
    /// Manifests per platform: `application/vnd.oci.image.index.v1+json` or Docker's manifest list.
    Index(Box<ImageIndex>),
}

/// Why bytes are no manifest that can be served.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or not of the shape of a manifest.
    #[error("the manifest is not valid: {0}")]
    Json(serde_json::Error),
    /// It has the members of an index and of an image, or of neither.
    #[error("the manifest is neither clearly an image nor clearly an index")]
    Ambiguous,
    /// Its `mediaType` is of the other kind, or of none that is served.
    #[error("manifests of media type {0:?} are not served")]
    MediaType(String),
    /// Docker's schema 1, which is signed within itself and addressed by no digest of its bytes.
    #[error("docker schema 1 manifests are not served")]
    Schema1,
}

/// The members that tell one kind of manifest from another.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    schema_version: u32,
    media_type: Option<String>,
    config: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    manifests: Option<serde::de::IgnoredAny>,
}

/// Reads the bytes of a manifest. The caller bounds how many there are.
///
/// # Errors
/// [`ManifestError`] if they are no manifest, could be read as two kinds, or are of a kind that is not served.
pub fn parse_manifest(bytes: &[u8]) -> Result<Manifest, ManifestError> {
    serde_json::from_slice::<Spelt>(bytes).map_err(ManifestError::Json)?;
    let shape: Shape = serde_json::from_slice(bytes).map_err(ManifestError::Json)?;
    if shape.schema_version == 1 {
        return Err(ManifestError::Schema1);
    }
    let is_image = shape.config.is_some() && shape.layers.is_some();
    let is_index = shape.manifests.is_some();
    let manifest = match (is_image, is_index, shape.layers.is_some() || shape.config.is_some()) {
        (true, false, _) => Manifest::Image(serde_json::from_slice(bytes).map_err(ManifestError::Json)?),
        (_, true, false) => Manifest::Index(serde_json::from_slice(bytes).map_err(ManifestError::Json)?),
        _ => return Err(ManifestError::Ambiguous),
    };
    match shape.media_type {
        Some(declared) if !manifest.may_be_declared(&declared) => Err(ManifestError::MediaType(declared)),
        Some(_) | None => Ok(manifest),
    }
}

const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

impl Manifest {
    /// The media type to serve it under: what it declares, or OCI's for its kind.
    pub fn media_type(&self) -> String {
        let (declared, kind) = match self {
            Self::Image(image) => (image.media_type(), MediaType::ImageManifest),
            Self::Index(index) => (index.media_type(), MediaType::ImageIndex),
        };
        declared.as_ref().unwrap_or(&kind).to_string()
    }

    /// The manifests that it names: an index's children, none for an image.
    pub fn children(&self) -> &[Descriptor] {
        match self {
            Self::Image(_) => &[],
            Self::Index(index) => index.manifests(),
        }
    }

    /// The blobs that it names: an image's config and layers, none for an index.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        let image = match self {
            Self::Image(image) => Some(image),
            Self::Index(_) => None,
        };
        image.into_iter().flat_map(|image| std::iter::once(image.config()).chain(image.layers()))
    }

    /// The manifest that it is about (OCI 1.1 `subject`), if it says so.
    pub fn subject(&self) -> Option<&Descriptor> {
        match self {
            Self::Image(image) => image.subject().as_ref(),
            Self::Index(index) => index.subject().as_ref(),
        }
    }

    /// What a referrers list says of this manifest (OCI distribution specification, "Listing Referrers"): its own artifact
    /// type, else that of its config, and its annotations.
    pub fn as_referrer(&self, digest: Digest, size: u64) -> Option<Descriptor> {
        let named = oci_spec::image::Digest::from_str(&digest.to_string()).ok()?;
        let mut descriptor = Descriptor::new(self.media_type().as_str().into(), size, named);
        let (artifact_type, annotations) = match self {
            Self::Image(image) => {
                let declared = image.artifact_type().clone();
                (declared.or_else(|| Some(image.config().media_type().clone())), image.annotations())
            }
            Self::Index(index) => (index.artifact_type().clone(), index.annotations()),
        };
        descriptor.set_artifact_type(artifact_type);
        descriptor.set_annotations(annotations.clone());
        Some(descriptor)
    }

    fn may_be_declared(&self, media_type: &str) -> bool {
        match self {
            Self::Image(_) => media_type == DOCKER_IMAGE || media_type == MediaType::ImageManifest.to_string(),
            Self::Index(_) => media_type == DOCKER_INDEX || media_type == MediaType::ImageIndex.to_string(),
        }
    }
}

/// The digest that `descriptor` names.
///
/// # Errors
/// [`DigestError`] if it is of another algorithm than SHA-256.
pub fn digest_of(descriptor: &Descriptor) -> Result<Digest, DigestError> {
    descriptor.digest().as_ref().parse()
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Image(_) => "image",
            Self::Index(_) => "index",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,
        "digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}"#;

    fn image(extra: &str) -> String {
        format!(r#"{{"schemaVersion":2,"config":{CONFIG},"layers":[{CONFIG}]{extra}}}"#)
    }

    #[test]
    fn an_image_reaches_its_config_and_layers() {
        let manifest = parse_manifest(image("").as_bytes()).unwrap();
        assert_eq!(manifest.blobs().count(), 2);
        assert_eq!(manifest.media_type(), "application/vnd.oci.image.manifest.v1+json");
    }

    #[test]
    fn an_index_reaches_its_children() {
        let manifest = parse_manifest(format!(r#"{{"schemaVersion":2,"manifests":[{CONFIG}]}}"#).as_bytes()).unwrap();
        assert_eq!(manifest.children().len(), 1);
        assert_eq!(manifest.blobs().count(), 0);
    }

    #[test]
    fn dockers_own_media_type_is_kept() {
        let extra = format!(r#","mediaType":"{DOCKER_IMAGE}""#);
        assert_eq!(parse_manifest(image(&extra).as_bytes()).unwrap().media_type(), DOCKER_IMAGE);
    }

    #[test]
    fn a_manifest_that_could_be_two_things_is_refused() {
        for extra in [r#","manifests":[]"#, r#","mediaType":"application/vnd.oci.image.index.v1+json""#] {
            assert!(parse_manifest(image(extra).as_bytes()).is_err(), "{extra}");
        }
        assert!(parse_manifest(br#"{"schemaVersion":2}"#).is_err());
        let half = format!(r#"{{"schemaVersion":2,"manifests":[],"config":{CONFIG}}}"#);
        assert!(matches!(parse_manifest(half.as_bytes()), Err(ManifestError::Ambiguous)));
    }

    #[test]
    fn a_referrer_is_listed_under_its_own_artifact_type() {
        let plain = parse_manifest(image("").as_bytes()).unwrap();
        let typed = parse_manifest(image(r#","artifactType":"a/b""#).as_bytes()).unwrap();
        let listed = |manifest: &Manifest| manifest.as_referrer(Digest::of(b""), 0).unwrap().artifact_type().clone();
        assert_eq!(listed(&plain), Some(MediaType::ImageConfig));
        assert_eq!(listed(&typed), Some("a/b".into()));
    }

    #[test]
    fn schema_1_is_refused_by_name() {
        assert!(matches!(parse_manifest(br#"{"schemaVersion":1}"#), Err(ManifestError::Schema1)));
    }

    #[test]
    fn what_is_no_manifest_is_an_error() {
        for bytes in [&b""[..], b"[]", b"null", b"{", &[0xff; 4], "[".repeat(100_000).as_bytes()] {
            assert!(parse_manifest(bytes).is_err());
        }
    }
}
