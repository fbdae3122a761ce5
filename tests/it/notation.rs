//! Whole pulls of images that `notation` signed.

use std::fs;
use std::time::Duration;

use http::StatusCode;
use jiff::SignedDuration;
use tempfile::TempDir;

use crate::support::authority::Authority;
use crate::support::authority::certificate::pem;
use crate::support::authority::image::Image;
use crate::support::authority::notation::{Format, Notary};
use crate::support::authority::publisher::Publisher;
use crate::support::content::Repositories;
use crate::support::mirror::Mirror;
use crate::support::registry::Registry;

const REPOSITORY: &str = "acme/app";

/// A mirror of a registry with one image, signed in `format` for an hour, whose rule asks for `subject`.
struct World {
    mirror: Mirror,
    envelope: Vec<u8>,
    registry: Registry,
    _folder: TempDir,
}

impl World {
    async fn new(format: Format, subject: &str) -> Self {
        let (notary, authority, registry) = (Notary::new("acme"), Authority::new("corp"), Registry::start().await);
        let (image, time) = (Image::new("app"), authority.time());
        let draft = notary.draft(format, &image.manifest, image.media_type, time);
        let sealed = draft.until(time + SignedDuration::from_hours(1)).seal();
        let mut repositories = Repositories::default();
        let mut publisher = Publisher::new(&mut repositories, REPOSITORY);
        publisher.image("v1", &image);
        publisher.notation(&image, &sealed);
        registry.publish(repositories);
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root.pem");
        fs::write(&root, pem(&notary.root.certificate)).unwrap();
        let (url, root) = (registry.url(), root.display());
        let config = format!(
            "[[upstream]]\nname = 'docker.io'\nurl = '{url}'\ndefault = true\n\n\
             [[trust]]\nname = 'acme'\nnotation = {{ ca = ['{root}'] }}\n\n\
             [[rule]]\nname = 'acme'\nimages = ['docker.io/acme/*']\n\n\
             [[rule.signature]]\ntrust = 'acme'\nissuer = '*, CN=acme'\nsubject = '{subject}'\n"
        );
        let mirror = Mirror::at(time + SignedDuration::from_mins(1), &config).await;
        Self { mirror, envelope: sealed.to_bytes(), registry, _folder: folder }
    }

    async fn pull(&self) -> (StatusCode, String) {
        let answer = self.mirror.get(&format!("/v2/{REPOSITORY}/manifests/v1")).await;
        (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
    }
}

#[tokio::test]
async fn a_signature_admits_an_image_until_it_expires() {
    for format in [Format::Jws, Format::Cose] {
        let world = World::new(format, "C=US, ST=WA, L=Seattle, O=acme, CN=signer").await;
        assert_eq!(world.pull().await.0, StatusCode::OK, "{format:?}");
        world.mirror.clock.advance(Duration::from_hours(1));
        let asked = world.registry.requests().len();
        let (status, body) = world.pull().await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
        // What expired is looked at again, since it may have been signed anew.
        assert!(world.registry.requests().len() >= asked);
    }
}

#[tokio::test]
async fn another_signer_of_the_same_authority_admits_nothing() {
    let world = World::new(Format::Jws, "C=US, ST=WA, L=Seattle, O=acme, CN=release").await;
    let (status, body) = world.pull().await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("CN=signer") && body.contains("CN=release"), "{body}");
}

#[tokio::test]
async fn the_signature_of_an_admitted_image_is_served() {
    for format in [Format::Jws, Format::Cose] {
        let world = World::new(format, "*CN=signer").await;
        let (_, manifest) = world.pull().await;
        let digest = bonafide::oci::Digest::of(manifest.as_bytes());
        let referrers = world.mirror.get(&format!("/v2/{REPOSITORY}/referrers/{digest}")).await;
        assert!(String::from_utf8_lossy(&referrers.body).contains("vnd.cncf.notary.signature"));
        let envelope = bonafide::oci::Digest::of(&world.envelope);
        let blob = world.mirror.get(&format!("/v2/{REPOSITORY}/blobs/{envelope}")).await;
        assert_eq!((blob.status, &blob.body[..]), (StatusCode::OK, &world.envelope[..]), "{format:?}");
    }
}
