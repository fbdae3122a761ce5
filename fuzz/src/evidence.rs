//! Pieces of evidence out of raw bytes, by the way that the program itself takes: a manifest with a layer.

use std::collections::BTreeMap;

use bonafide::evidence::{Attestation, Evidence, Via, attestation_manifests, layers, unsigned_statements};
use bonafide::oci::{Digest, parse_manifest};
use serde_json::{Value, json};

/// Media type of a simple signing payload.
pub const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Media type of a DSSE envelope.
pub const DSSE: &str = "application/vnd.dsse.envelope.v1+json";
/// Media type of a Sigstore bundle.
pub const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Media types of the envelopes of the Notary Project.
pub const JWS: &str = "application/jose+json";
/// The other one.
pub const COSE: &str = "application/cose";

/// What cosign puts beside a layer, in the order in which inputs give it.
pub const ANNOTATIONS: [&str; 5] = [
    "dev.cosignproject.cosign/signature",
    "dev.sigstore.cosign/certificate",
    "dev.sigstore.cosign/chain",
    "dev.sigstore.cosign/bundle",
    "dev.sigstore.cosign/rfc3161timestamp",
];

/// The manifest of one layer.
pub fn manifest(media_type: &str, annotations: &BTreeMap<&str, &str>, bytes: &[u8]) -> Vec<u8> {
    let descriptor = |media_type: &str, bytes: &[u8]| json!({ "mediaType": media_type, "size": bytes.len(), "digest": Digest::of(bytes) });
    let mut layer = descriptor(media_type, bytes);
    layer["annotations"] = json!(annotations);
    let manifest: Value = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.empty.v1+json", b"{}"), "layers": [layer],
    });
    serde_json::to_vec(&manifest).expect("a value is JSON")
}

/// The piece of evidence that `bytes` are as the one layer of a manifest.
pub fn piece(media_type: &str, annotations: &BTreeMap<&str, &str>, bytes: &[u8]) -> Option<Evidence> {
    pieces(&manifest(media_type, annotations, bytes), bytes).pop()
}

/// The pieces of evidence that the layers of `manifest` are, each with the bytes `blob`.
pub fn pieces(manifest: &[u8], blob: &[u8]) -> Vec<Evidence> {
    let Ok(parsed) = parse_manifest(manifest) else { return Vec::new() };
    let digest = Digest::of(manifest);
    let layers = layers(&parsed, digest, digest, Via::SignatureTag).unwrap_or_default();
    layers.into_iter().map(|layer| layer.into_evidence(blob.to_vec().into())).collect()
}

/// The piece that an input stands for: the bytes of a layer of `media_type`, then its [`ANNOTATIONS`], each after a NUL,
/// which neither JSON nor base64 nor PEM has.
pub fn layer(media_type: &str, input: &[u8]) -> Option<Evidence> {
    let mut parts = input.splitn(ANNOTATIONS.len() + 1, |byte| *byte == 0);
    let bytes = parts.next()?;
    let texts = parts.map(crate::text);
    let annotations = ANNOTATIONS.into_iter().zip(texts).filter(|(_, text)| !text.is_empty()).collect();
    piece(media_type, &annotations, bytes)
}

/// The input that [`layer`] reads as these bytes and annotations.
pub fn input_of_layer(bytes: &[u8], annotations: &BTreeMap<String, String>) -> Vec<u8> {
    let mut input = bytes.to_vec();
    for name in ANNOTATIONS {
        input.push(0);
        input.extend(annotations.get(name).map_or(&[][..], |text| text.as_bytes()));
    }
    input
}

/// The attestations that `links` come to, put together as the gate does: an index, an attestation manifest, a bundle that
/// should be its signature, and a statement that it should list. By the digest of the manifest, and by that which the index
/// has.
pub fn attestations([index, manifest, signature, statement]: [&[u8]; 4]) -> Vec<Attestation> {
    let digest = Digest::of(manifest);
    let (Ok(index), Ok(parsed)) = (parse_manifest(index), parse_manifest(manifest)) else { return Vec::new() };
    let listed = unsigned_statements(&parsed, digest).unwrap_or_default();
    let statements: Vec<_> = listed.iter().take(4).map(|it| (it.source, statement.to_vec().into())).collect();
    let signatures: Vec<_> = piece(BUNDLE, &BTreeMap::new(), signature).into_iter().collect();
    let attestation = |digest, about| Attestation {
        about,
        digest,
        manifest: manifest.to_vec().into(),
        found_in: None,
        signatures: signatures.clone(),
        statements: statements.clone(),
    };
    let pairs = attestation_manifests(&index).into_iter().take(2);
    pairs.flat_map(|(named, about)| [attestation(named, about), attestation(digest, about)]).collect()
}
