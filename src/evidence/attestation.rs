//! `BuildKit`'s attestation manifests: statements about an image, which nobody signs one by one. Whoever signs such a
//! manifest signs all of them, since it lists them by their digests.

use bytes::Bytes;

use crate::evidence::{Evidence, Malformed, Source};
use crate::limits;
use crate::oci::{Digest, Manifest, Repository, digest_of};

const STATEMENT: &str = "application/vnd.in-toto+json";
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";
const ATTESTATION_MANIFEST: &str = "attestation-manifest";

/// An attestation manifest with what was found about it. Untrusted, like any evidence.
#[derive(Debug, Clone)]
pub struct Attestation {
    /// The image that it should be about.
    pub about: Digest,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub manifest: Bytes,
    /// The repository that it was found in, if that is not the image's own.
    pub found_in: Option<Repository>,
    /// The evidence about itself.
    pub signatures: Vec<Evidence>,
    /// The statements that could be fetched: where they are, and their bytes.
    pub statements: Vec<(Source, Bytes)>,
}

/// A statement that its manifest lists, before its blob is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnsignedStatement {
    /// Where it is.
    pub source: Source,
    /// How many bytes its manifest says it has.
    pub size: u64,
}

/// The attestation manifests that `index` lists, each with the sibling that it says it is about. One that names no sibling
/// is about nothing here.
pub fn attestation_manifests(index: &Manifest) -> Vec<(Digest, Digest)> {
    let children = index.children();
    let is_sibling =
        |about: &Digest| children.iter().any(|child| digest_of(child).is_ok_and(|digest| digest == *about));
    let pairs = children.iter().filter_map(|child| {
        let annotations = child.annotations().as_ref()?;
        let is_attestation = annotations.get(REFERENCE_TYPE).is_some_and(|kind| kind == ATTESTATION_MANIFEST);
        let about = annotations.get(REFERENCE_DIGEST)?.parse().ok().filter(is_sibling)?;
        Some((digest_of(child).ok()?, about)).filter(|(digest, about)| is_attestation && digest != about)
    });
    pairs.collect()
}

/// The statements that `manifest`, whose digest is `digest`, lists; an index has none.
///
/// # Errors
/// [`Malformed::TooMuch`] for more than [`limits::DESCRIPTORS`] layers.
pub fn unsigned_statements(manifest: &Manifest, digest: Digest) -> Result<Vec<UnsignedStatement>, Malformed> {
    let Manifest::Image(image) = manifest else { return Ok(Vec::new()) };
    if image.layers().len() > limits::DESCRIPTORS {
        return Err(Malformed::TooMuch { what: "layers", limit: limits::DESCRIPTORS as u64 });
    }
    let layers = image.layers().iter().filter(|layer| layer.media_type().as_ref() == STATEMENT);
    let listed = layers.filter_map(|layer| Some((digest_of(layer).ok()?, layer.size())));
    let listed = listed.map(|(layer, size)| UnsignedStatement { source: Source { manifest: digest, layer }, size });
    Ok(listed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::parse_manifest;

    fn child(name: &str, annotations: &str) -> String {
        let digest = Digest::of(name.as_bytes());
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":"{digest}",
            "annotations":{{{annotations}}}}}"#
        )
    }

    fn attests(kind: &str, about: &str) -> String {
        format!(r#""{REFERENCE_TYPE}":"{kind}","{REFERENCE_DIGEST}":"{about}""#)
    }

    fn found(children: &[String]) -> Vec<(Digest, Digest)> {
        let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, children.join(","));
        attestation_manifests(&parse_manifest(text.as_bytes()).unwrap())
    }

    #[test]
    fn an_attestation_manifest_names_a_sibling() {
        let (image, other) = (Digest::of(b"image"), Digest::of(b"elsewhere"));
        let good = child("attestation", &attests(ATTESTATION_MANIFEST, &image.to_string()));
        assert_eq!(found(&[child("image", ""), good]), [(Digest::of(b"attestation"), image)]);
        for wrong in [
            attests(ATTESTATION_MANIFEST, &other.to_string()),
            attests("something else", &image.to_string()),
            attests(ATTESTATION_MANIFEST, "sha256:00"),
            attests(ATTESTATION_MANIFEST, &Digest::of(b"attestation").to_string()),
            format!(r#""{REFERENCE_DIGEST}":"{image}""#),
            String::new(),
        ] {
            assert_eq!(found(&[child("image", ""), child("attestation", &wrong)]), [], "{wrong}");
        }
    }

    #[test]
    fn statements_are_listed_by_media_type_and_not_without_a_bound() {
        let layer = |kind: &str| format!(r#"{{"mediaType":"{kind}","size":7,"digest":"{}"}}"#, Digest::of(b"layer"));
        let manifest = |layers: &[String]| {
            let config = layer("application/vnd.oci.image.config.v1+json");
            let text = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{}]}}"#, layers.join(","));
            parse_manifest(text.as_bytes()).unwrap()
        };
        let digest = Digest::of(b"manifest");
        let mixed = manifest(&[layer(STATEMENT), layer("application/vnd.oci.image.layer.v1.tar")]);
        let source = Source { manifest: digest, layer: Digest::of(b"layer") };
        assert_eq!(unsigned_statements(&mixed, digest), Ok(vec![UnsignedStatement { source, size: 7 }]));
        let most = manifest(&vec![layer(STATEMENT); limits::DESCRIPTORS]);
        assert_eq!(unsigned_statements(&most, digest).unwrap().len(), limits::DESCRIPTORS);
        let many = manifest(&vec![layer(STATEMENT); limits::DESCRIPTORS + 1]);
        assert!(matches!(unsigned_statements(&many, digest), Err(Malformed::TooMuch { .. })));
    }
}
