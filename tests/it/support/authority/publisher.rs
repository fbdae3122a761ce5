//! Puts images and evidence where cosign would: tags, referrers, and the index that stands in for the referrers API.

use bonafide::oci::Digest;
use serde_json::{Value, json};

use super::image::{self, Image, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use super::notation::Sealed;
use super::signed::{BundleVersion, Layer, Signed};
use crate::support::content::Repositories;

const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const NOTATION: &str = "application/vnd.cncf.notary.signature";
const COSIGN_ARTIFACT: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";

/// Publishes into one repository.
pub(crate) struct Publisher<'a> {
    registry: &'a mut Repositories,
    repository: String,
}

impl<'a> Publisher<'a> {
    pub(crate) fn new(registry: &'a mut Repositories, repository: &str) -> Self {
        Self { registry, repository: repository.to_owned() }
    }

    /// Pushes `image` with everything that it reaches, under `tag` too.
    pub(crate) fn image(&mut self, tag: &str, image: &Image) -> Digest {
        self.reach(image);
        self.registry.push_manifest(&self.repository, Some(tag), &image.manifest)
    }

    /// Pushes `image` with everything that it reaches, without a tag.
    pub(crate) fn untagged(&mut self, image: &Image) -> Digest {
        self.reach(image);
        self.registry.push_manifest(&self.repository, None, &image.manifest)
    }

    fn reach(&mut self, image: &Image) {
        for blob in &image.blobs {
            self.registry.push_blob(&self.repository, blob);
        }
        for child in &image.children {
            self.untagged(child);
        }
    }

    /// `cosign sign` 1 and 2: adds a layer to the manifest under `sha256-<hex>.sig`.
    pub(crate) fn signature(&mut self, subject: Digest, signed: &Signed) -> Digest {
        self.layer(&format!("sha256-{}.sig", subject.hex()), &signed.to_layer())
    }

    /// `cosign attest` 1 and 2: adds a layer to the manifest under `sha256-<hex>.att`.
    pub(crate) fn attestation(&mut self, subject: Digest, signed: &Signed) -> Digest {
        self.layer(&format!("sha256-{}.att", subject.hex()), &signed.to_layer())
    }

    /// Adds `layer` to the manifest under `tag`.
    pub(crate) fn layer(&mut self, tag: &str, layer: &Layer) -> Digest {
        let mut layers = match self.registry.manifest(&self.repository, tag) {
            Some(manifest) => parsed(manifest)["layers"].as_array().unwrap().clone(),
            None => Vec::new(),
        };
        layers.push(self.push_layer(layer));
        let config = cosign_config(&layers);
        self.registry.push_blob(&self.repository, &config);
        let manifest = manifest(&image::descriptor(OCI_CONFIG, &config), &layers);
        self.registry.push_manifest(&self.repository, Some(tag), &written(&manifest))
    }

    /// `cosign sign` 3, `cosign attest` 3 and GitHub: a referrer of `subject` with a bundle v0.3.
    pub(crate) fn bundle(&mut self, subject: &Image, signed: &Signed) -> Digest {
        self.bundle_of(subject, signed, BundleVersion::V0_3)
    }

    /// The same with a bundle of `version`.
    pub(crate) fn bundle_of(&mut self, subject: &Image, signed: &Signed, version: BundleVersion) -> Digest {
        let bytes = written(&signed.to_bundle(version));
        let predicate_type = signed.predicate_type();
        self.bundle_bytes(subject, &bytes, version.media_type(), predicate_type.as_deref())
    }

    /// The same with any bytes in place of the bundle, and anything as predicate type.
    pub(crate) fn bundle_bytes(
        &mut self,
        subject: &Image,
        bytes: &[u8],
        media_type: &str,
        predicate_type: Option<&str>,
    ) -> Digest {
        self.registry.push_blob(&self.repository, bytes);
        self.registry.push_blob(&self.repository, b"{}");
        let config = image::descriptor(EMPTY, b"{}");
        let mut manifest = manifest(&config, &[image::descriptor(media_type, bytes)]);
        manifest["artifactType"] = json!(media_type);
        manifest["subject"] = image::descriptor(subject.media_type, &subject.manifest);
        let kind = if predicate_type.is_some() { "dsse-envelope" } else { "message-signature" };
        let mut annotations = json!({
            "dev.sigstore.bundle.content": kind,
            "org.opencontainers.image.created": "2025-06-01T12:00:00Z",
        });
        if let Some(predicate_type) = predicate_type {
            annotations["dev.sigstore.bundle.predicateType"] = json!(predicate_type);
        }
        manifest["annotations"] = annotations;
        self.referrer(subject.digest(), &written(&manifest), EMPTY)
    }

    /// `cosign sign --registry-referrers-mode=oci-1-1`: the manifest of a `.sig` tag as a referrer of `subject`.
    pub(crate) fn signature_referrer(&mut self, subject: &Image, signed: &Signed) -> Digest {
        let layers = [self.push_layer(&signed.to_layer())];
        let config = cosign_config(&layers);
        self.registry.push_blob(&self.repository, &config);
        let mut manifest = manifest(&image::descriptor(COSIGN_ARTIFACT, &config), &layers);
        manifest["subject"] = image::descriptor(subject.media_type, &subject.manifest);
        self.referrer(subject.digest(), &written(&manifest), COSIGN_ARTIFACT)
    }

    /// `notation sign`: a referrer of `subject` with an envelope.
    pub(crate) fn notation(&mut self, subject: &Image, sealed: &Sealed) -> Digest {
        let envelope = sealed.to_bytes();
        self.registry.push_blob(&self.repository, &envelope);
        self.registry.push_blob(&self.repository, b"{}");
        let config = image::descriptor(NOTATION, b"{}");
        let mut manifest = manifest(&config, &[image::descriptor(sealed.media_type(), &envelope)]);
        manifest["subject"] = image::descriptor(subject.media_type, &subject.manifest);
        manifest["annotations"] = json!({ "io.cncf.notary.x509chain.thumbprint#S256": "[]" });
        self.referrer(subject.digest(), &written(&manifest), NOTATION)
    }

    /// Pushes `manifest` as it is and lists it in the index under `sha256-<hex>`, as clients do where a registry has no
    /// referrers API: of `artifact_type`, which cosign 3 fills with the type of the config, and without annotations.
    pub(crate) fn referrer(&mut self, subject: Digest, manifest: &[u8], artifact_type: &str) -> Digest {
        let digest = self.registry.push_manifest(&self.repository, None, manifest);
        let tag = format!("sha256-{}", subject.hex());
        let mut listed = match self.registry.manifest(&self.repository, &tag) {
            Some(index) => parsed(index)["manifests"].as_array().unwrap().clone(),
            None => Vec::new(),
        };
        let mut entry = image::descriptor(OCI_MANIFEST, manifest);
        entry["artifactType"] = json!(artifact_type);
        listed.push(entry);
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed });
        self.registry.push_manifest(&self.repository, Some(&tag), &written(&index));
        digest
    }

    fn push_layer(&mut self, layer: &Layer) -> Value {
        self.registry.push_blob(&self.repository, &layer.bytes);
        let mut described = image::descriptor(&layer.media_type, &layer.bytes);
        described["annotations"] = json!(layer.annotations);
        described
    }
}

/// The config that cosign writes so that registries take the manifest for an image.
fn cosign_config(layers: &[Value]) -> Vec<u8> {
    let diff_ids: Vec<_> = layers.iter().map(|layer| &layer["digest"]).collect();
    written(&json!({
        "architecture": "", "created": "0001-01-01T00:00:00Z", "os": "", "config": {},
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    }))
}

fn manifest(config: &Value, layers: &[Value]) -> Value {
    json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers })
}

fn written(json: &Value) -> Vec<u8> {
    serde_json::to_vec(json).unwrap()
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}
