//! The layers of evidence manifests: which blobs to fetch, and what they become once fetched.

use std::collections::HashMap;

use bytes::Bytes;

use crate::evidence::media::form_of;
use crate::evidence::{Content, CosignMaterial, Evidence, Form, Malformed, NotationFormat, Source};
use crate::limits;
use crate::oci::{Descriptor, Digest, Manifest, digest_of};

/// The way that led to an evidence manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// The tag `sha256-<hex>.sig`.
    SignatureTag,
    /// The tag `sha256-<hex>.att`.
    AttestationTag,
    /// The referrers API, or the index at the tag `sha256-<hex>`.
    Referrer,
}

/// A layer that can be evidence, before its blob is fetched.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Where it is.
    pub source: Source,
    /// How it is written, by its media type.
    pub form: Form,
    /// How many bytes its manifest says it has. May be more than [`Layer::limit`]: then it is not fetched.
    pub size: u64,
    annotations: HashMap<String, String>,
}

/// The layers of `manifest`, whose digest is `digest`, that can be evidence about `subject`, in their order.
///
/// Picked by the media type of the layer alone; artifact types and annotations are free text to whoever pushes. A
/// manifest that came by [`Via::Referrer`] must name `subject` as its subject, or has none; one that came by a tag is
/// believed to be about `subject` until its signature says otherwise. Layers of other digests than SHA-256 are left
/// out. An index has none.
///
/// # Errors
/// [`Malformed::TooMuch`] for more than [`limits::DESCRIPTORS`] layers.
pub fn layers(manifest: &Manifest, digest: Digest, subject: Digest, via: Via) -> Result<Vec<Layer>, Malformed> {
    let Manifest::Image(image) = manifest else { return Ok(Vec::new()) };
    if via == Via::Referrer && !refers_to(manifest, subject) {
        return Ok(Vec::new());
    }
    if image.layers().len() > limits::DESCRIPTORS {
        return Err(Malformed::TooMuch { what: "layers", limit: limits::DESCRIPTORS as u64 });
    }
    Ok(image.layers().iter().filter_map(|layer| Layer::of(digest, layer)).collect())
}

fn refers_to(manifest: &Manifest, subject: Digest) -> bool {
    manifest.subject().and_then(|descriptor| digest_of(descriptor).ok()) == Some(subject)
}

impl Layer {
    fn of(manifest: Digest, descriptor: &Descriptor) -> Option<Self> {
        let form = form_of(descriptor.media_type().as_ref())?;
        let layer = digest_of(descriptor).ok()?;
        let annotations = descriptor.annotations().clone().unwrap_or_default();
        Some(Self { source: Source { manifest, layer }, form, size: descriptor.size(), annotations })
    }

    /// How many bytes its blob may have. Attestations may hold an SBOM, which does not show before they are read.
    pub fn limit(&self) -> u64 {
        match self.form {
            Form::CosignSignature => limits::EVIDENCE_BYTES,
            Form::NotationJws | Form::NotationCose => limits::NOTATION_BYTES,
            Form::CosignAttestation | Form::Bundle => limits::SBOM_BYTES,
        }
    }

    /// The piece of evidence that its blob is. The caller has held `bytes` against `source.layer`.
    pub fn into_evidence(mut self, bytes: Bytes) -> Evidence {
        let content = match self.form {
            Form::CosignSignature => Content::Signature {
                payload: bytes,
                signature: self.take("dev.cosignproject.cosign/signature").unwrap_or_default(),
                material: self.material(),
            },
            Form::CosignAttestation => Content::Attestation { envelope: bytes, material: self.material() },
            Form::Bundle => Content::Bundle { json: bytes },
            Form::NotationJws => Content::Notation { envelope: bytes, format: NotationFormat::Jws },
            Form::NotationCose => Content::Notation { envelope: bytes, format: NotationFormat::Cose },
        };
        Evidence { source: self.source, found_in: None, content }
    }

    fn material(&mut self) -> CosignMaterial {
        CosignMaterial {
            certificate: self.take("dev.sigstore.cosign/certificate"),
            chain: self.take("dev.sigstore.cosign/chain"),
            log_entry: self.take("dev.sigstore.cosign/bundle"),
            timestamp: self.take("dev.sigstore.cosign/rfc3161timestamp"),
        }
    }

    /// An annotation; an empty one is as good as none (cosign writes both).
    fn take(&mut self, name: &str) -> Option<String> {
        self.annotations.remove(name).filter(|value| !value.trim().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::parse_manifest;

    fn manifest(layers: &str, extra: &str) -> Manifest {
        let config = descriptor("application/vnd.oci.empty.v1+json", "");
        let text = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layers}]{extra}}}"#);
        parse_manifest(text.as_bytes()).unwrap()
    }

    fn descriptor(media_type: &str, extra: &str) -> String {
        let digest = Digest::of(media_type.as_bytes());
        format!(r#"{{"mediaType":"{media_type}","size":7,"digest":"{digest}"{extra}}}"#)
    }

    fn subject_of(digest: Digest) -> String {
        format!(
            r#","subject":{{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":"{digest}"}}"#
        )
    }

    fn found(manifest: &Manifest, via: Via) -> Vec<Layer> {
        layers(manifest, Digest::of(b"manifest"), Digest::of(b"image"), via).unwrap()
    }

    const SIGNATURE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
    const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

    #[test]
    fn layers_are_picked_by_their_media_type() {
        let text = [
            SIGNATURE,
            "application/vnd.oci.image.layer.v1.tar",
            "application/vnd.dsse.envelope.v1+json",
            BUNDLE,
            "application/jose+json",
            "application/cose",
        ]
        .map(|media_type| descriptor(media_type, ""))
        .join(",");
        let manifest = manifest(&text, "");
        for via in [Via::SignatureTag, Via::AttestationTag] {
            let forms: Vec<_> = found(&manifest, via).iter().map(|layer| layer.form).collect();
            assert_eq!(
                forms,
                [Form::CosignSignature, Form::CosignAttestation, Form::Bundle, Form::NotationJws, Form::NotationCose]
            );
        }
    }

    #[test]
    fn artifact_types_and_annotations_select_nothing() {
        let lying = descriptor("application/octet-stream", &format!(r#","artifactType":"{BUNDLE}""#));
        let extra =
            format!(r#","artifactType":"{BUNDLE}","annotations":{{"dev.sigstore.bundle.content":"dsse-envelope"}}"#);
        assert!(found(&manifest(&lying, &extra), Via::SignatureTag).is_empty());
    }

    #[test]
    fn a_referrer_of_another_image_is_no_evidence() {
        let layer = descriptor(BUNDLE, "");
        assert_eq!(found(&manifest(&layer, &subject_of(Digest::of(b"image"))), Via::Referrer).len(), 1);
        assert!(found(&manifest(&layer, &subject_of(Digest::of(b"other"))), Via::Referrer).is_empty());
        assert!(found(&manifest(&layer, ""), Via::Referrer).is_empty(), "an image tagged sha256-<hex> by a copy");
    }

    #[test]
    fn an_index_has_no_layers() {
        let index = parse_manifest(br#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
        assert!(found(&index, Via::Referrer).is_empty());
    }

    #[test]
    fn a_layer_of_another_algorithm_hides_no_other() {
        let unknown = format!(r#"{{"mediaType":"{BUNDLE}","size":1,"digest":"sha512:{}"}}"#, "0".repeat(128));
        let text = format!("{unknown},{}", descriptor(BUNDLE, ""));
        assert_eq!(found(&manifest(&text, ""), Via::SignatureTag).len(), 1);
    }

    #[test]
    fn more_layers_than_are_looked_at_are_an_error() {
        let text = vec![descriptor(SIGNATURE, ""); limits::DESCRIPTORS + 1].join(",");
        let result = layers(&manifest(&text, ""), Digest::of(b""), Digest::of(b""), Via::SignatureTag);
        assert!(matches!(result, Err(Malformed::TooMuch { what: "layers", .. })));
    }

    #[test]
    fn what_cosign_puts_beside_a_signature_comes_along() {
        let annotations = r#","annotations":{"dev.cosignproject.cosign/signature":"c2ln",
            "dev.sigstore.cosign/certificate":"cert","dev.sigstore.cosign/chain":"chain",
            "dev.sigstore.cosign/bundle":"entry","dev.sigstore.cosign/rfc3161timestamp":""}"#;
        let layer = found(&manifest(&descriptor(SIGNATURE, annotations), ""), Via::SignatureTag).remove(0);
        assert_eq!((layer.size, layer.limit()), (7, limits::EVIDENCE_BYTES));
        let evidence = layer.into_evidence(Bytes::from_static(b"{}"));
        assert_eq!(
            evidence.source,
            Source { manifest: Digest::of(b"manifest"), layer: Digest::of(SIGNATURE.as_bytes()) }
        );
        let Content::Signature { payload, signature, material } = evidence.content else { panic!("another form") };
        assert_eq!((&*payload, &*signature), (&b"{}"[..], "c2ln"));
        assert_eq!(material.certificate.as_deref(), Some("cert"));
        assert_eq!(material.chain.as_deref(), Some("chain"));
        assert_eq!(material.log_entry.as_deref(), Some("entry"));
        assert_eq!(material.timestamp, None);
    }

    #[test]
    fn a_manifest_may_have_as_many_layers_as_it_may() {
        let layers_of = |count| {
            let manifest = manifest(&vec![descriptor(BUNDLE, ""); count].join(","), "");
            layers(&manifest, Digest::of(b"manifest"), Digest::of(b"image"), Via::SignatureTag).map(|found| found.len())
        };
        assert_eq!(layers_of(limits::DESCRIPTORS).unwrap(), limits::DESCRIPTORS);
        layers_of(limits::DESCRIPTORS + 1).unwrap_err();
    }
}
