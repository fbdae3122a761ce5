//! What strangers send, through the whole program: each thing costs bounded time and memory, is answered clearly, and
//! opens nothing.

mod answers;
mod evidence;
mod grants;
mod input;
mod requests;

use bonafide::oci::Digest;
use http::StatusCode;
use serde_json::{Value, json};

use crate::support::authority::Authority;
use crate::support::authority::identity::Identity;
use crate::support::authority::image::{Image, OCI_LAYER, OCI_MANIFEST, descriptor};
use crate::support::authority::publisher::Publisher;
use crate::support::authority::signer::Signer;
use crate::support::authority::statement::Statement;
use crate::support::content::Repositories;
use crate::support::mirror::{Answer, Mirror, world};
use crate::support::registry::Registry;

pub(crate) const REPOSITORY: &str = "acme/app";
pub(crate) const TAG: &str = "v1";
pub(crate) const DEVELOPER: &str = "dev@acme.example";
pub(crate) const ISSUER: &str = "https://idp.example";

/// A signature of the developer, on everything of acme.
pub(crate) const RULE: &str = r#"
    [[rule]]
    name = "signed"
    images = ["docker.io/acme/*"]
    [[rule.signature]]
    trust = "corp"
    issuer = "https://idp.example"
    subject = "dev@acme.example"
"#;

/// A mirror, its registry, and an authority to sign what is in it at any time.
pub(crate) struct World {
    pub(crate) authority: Authority,
    pub(crate) registry: Registry,
    pub(crate) mirror: Mirror,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_rule(RULE).await
    }

    pub(crate) async fn with_rule(rule: &str) -> Self {
        let registry = Registry::start().await;
        let config = format!("{}{rule}", world(&registry));
        Self::with_config(registry, &config).await
    }

    pub(crate) async fn with_config(registry: Registry, config: &str) -> Self {
        let authority = Authority::new("corp");
        let mirror = Mirror::start(&authority, config).await;
        Self { authority, registry, mirror }
    }

    /// Starts again with other rules, on the same storage.
    pub(crate) async fn restart(self, rule: &str) -> Self {
        let config = format!("{}{rule}", world(&self.registry));
        Self { mirror: self.mirror.restart(&config).await, ..self }
    }

    /// Publishes into the repository, beside what is there.
    pub(crate) fn publish<T>(&self, publish: impl FnOnce(&mut Publisher<'_>) -> T) -> T {
        self.publish_in(REPOSITORY, publish)
    }

    pub(crate) fn publish_in<T>(&self, repository: &str, publish: impl FnOnce(&mut Publisher<'_>) -> T) -> T {
        let mut repositories = Repositories::default();
        let published = publish(&mut Publisher::new(&mut repositories, repository));
        self.registry.publish(repositories);
        published
    }

    pub(crate) fn developer(&self) -> Signer<'_> {
        self.authority.keyless(&Identity::email(DEVELOPER, ISSUER))
    }

    pub(crate) fn stranger(&self) -> Signer<'_> {
        self.authority.keyless(&Identity::email("eve@evil.example", ISSUER))
    }

    /// Publishes `image` under the tag, signed by the developer the old way.
    pub(crate) fn signed(&self, image: &Image) -> Digest {
        self.publish(|publisher| {
            let digest = publisher.image(TAG, image);
            publisher.signature(digest, &self.developer().sign(digest));
            digest
        })
    }

    /// Signs what is there already.
    pub(crate) fn sign(&self, digest: Digest) {
        self.publish(|publisher| publisher.signature(digest, &self.developer().sign(digest)));
    }

    /// Publishes `image` under the tag, with the developer's signature as a bundle.
    pub(crate) fn bundled(&self, image: &Image) -> Digest {
        self.publish(|publisher| {
            publisher.image(TAG, image);
            publisher.bundle(image, &self.developer().attest(&Statement::signature(image.digest())))
        })
    }

    pub(crate) async fn manifest(&self, reference: impl std::fmt::Display) -> Answer {
        self.mirror.get(&manifest_path(reference)).await
    }

    pub(crate) async fn blob(&self, digest: Digest) -> Answer {
        self.mirror.get(&blob_path(digest)).await
    }

    /// The digests that the mirror lists as referrers of `subject`.
    pub(crate) async fn referrers(&self, subject: Digest) -> Vec<Digest> {
        let answer = self.mirror.get(&format!("/v2/{REPOSITORY}/referrers/{subject}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        let listed = answer.json()["manifests"].as_array().unwrap().clone();
        listed.iter().map(|entry| entry["digest"].as_str().unwrap().parse().unwrap()).collect()
    }

    /// That neither the manifest nor any blob of `image` can be had by digest.
    pub(crate) async fn assert_closed(&self, image: &Image, case: &str) {
        assert_eq!(self.manifest(image.digest()).await.status, StatusCode::FORBIDDEN, "{case}");
        for blob in &image.blobs {
            assert_eq!(self.blob(Digest::of(blob)).await.status, StatusCode::FORBIDDEN, "{case}");
        }
    }
}

pub(crate) fn manifest_path(reference: impl std::fmt::Display) -> String {
    format!("/v2/{REPOSITORY}/manifests/{reference}")
}

pub(crate) fn blob_path(digest: Digest) -> String {
    format!("/v2/{REPOSITORY}/blobs/{digest}")
}

/// The tags that are about `subject`.
pub(crate) fn evidence_tags(subject: Digest) -> [String; 4] {
    ["", ".sig", ".att", ".sbom"].map(|suffix| format!("sha256-{}{suffix}", subject.hex()))
}

/// An image manifest of one layer `bytes` called `media_type`, with members of `extra` beside the usual ones.
pub(crate) fn disguised(media_type: &str, bytes: &[u8], extra: &Value) -> Image {
    let config = br#"{"architecture":"amd64","os":"linux","config":{"Entrypoint":["/evil"]}}"#.to_vec();
    let mut manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor(media_type, bytes)],
    });
    manifest.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let mut image = Image::of_manifest(serde_json::to_vec(&manifest).unwrap(), OCI_MANIFEST);
    image.blobs = vec![config, bytes.to_vec()];
    image
}

/// `{"subject": ..}` for [`disguised`].
pub(crate) fn about(image: &Image) -> Value {
    json!({ "subject": descriptor(image.media_type, &image.manifest) })
}

/// Bytes that a runtime would unpack, as their layer's own type and in the types of evidence.
fn runnable_layers() -> Vec<(&'static str, Vec<u8>)> {
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x04\0\x43\xbe\xb7\xe8\x01\0\0\0".to_vec();
    let mut tar = b"bin/evil\0\0\0\0\0\0\0\0ustar\0".to_vec();
    tar.resize(1024, 0);
    let mut layers = vec![(OCI_LAYER, gzip.clone()), (OCI_LAYER, b"only text".to_vec())];
    for media_type in [
        "application/vnd.dev.cosign.simplesigning.v1+json",
        "application/vnd.dsse.envelope.v1+json",
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        "application/spdx+json",
        "application/cose",
    ] {
        layers.extend([(media_type, gzip.clone()), (media_type, tar.clone())]);
    }
    layers
}
