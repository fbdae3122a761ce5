//! Releases as the pipeline of fystack/slsa-workflows publishes them, by era: a signature, provenance and an SPDX bill
//! of materials, in the places where the tools of that time put them.

use bonafide::oci::Digest;

use super::Authority;
use super::identity::{Build, CONTAINER_GENERATOR, Identity, builder};
use super::image::Image;
use super::publisher::Publisher;
use super::statement::Statement;
use crate::support::content::Repositories;

/// The reusable workflow that signs.
pub(crate) const WORKFLOWS: &str = "fystack/slsa-workflows/.github/workflows/docker-build-slsa.yml";
/// The release of the generator that makes the provenance.
pub(crate) const GENERATOR_RELEASE: &str = "refs/tags/v2.1.0";
/// What the images contain.
pub(crate) const PACKAGES: &[&str] = &["pkg:npm/axios@1.13.2", "pkg:golang/github.com/nats-io/nats.go@v1.48.0"];

/// The rule that demands all three of releases at `docker.io`, under the trust domain `corp`.
pub(crate) const RULE: &str = r#"
    [[rule]]
    name = "fystack"
    images = ["docker.io/fystacklabs/*"]
    message = "ask #platform"

    [[rule.signature]]
    trust = "corp"
    issuer = "https://token.actions.githubusercontent.com"
    subject = "https://github.com/fystack/slsa-workflows/.github/workflows/docker-build-slsa.yml@refs/tags/v*"
    source_repository = "https://github.com/fystack/apex"

    [rule.provenance]
    level = 3
    builders = ["slsa-github-generator"]
    source = "github.com/fystack/apex"
    source_ref = "refs/tags/{tag}"

    [rule.sbom]
    formats = ["spdx"]
    deny_packages = ["pkg:npm/axios@1.14.1"]
"#;

/// A published release.
pub(crate) struct Release {
    pub(crate) build: Build,
    pub(crate) image: Image,
}

impl Release {
    /// Version `tag` of `source`, an image for several platforms.
    pub(crate) fn new(source: &str, tag: &str) -> Self {
        let image = Image::multi_platform(&format!("{source} {tag}"));
        Self { build: Build::of(source, &format!("refs/tags/{tag}")), image }
    }

    /// Who signs the image and its bill of materials.
    pub(crate) fn signer(&self) -> Identity {
        self.build.identity_through(WORKFLOWS, "refs/tags/v1.4.0")
    }

    /// Who signs the provenance.
    pub(crate) fn generator(&self) -> Identity {
        self.build.identity_through(CONTAINER_GENERATOR, GENERATOR_RELEASE)
    }

    /// The provenance.
    pub(crate) fn provenance(&self, digest: Digest) -> Statement {
        Statement::provenance_v0_2(digest, &self.build, &builder(CONTAINER_GENERATOR, GENERATOR_RELEASE))
    }
}

/// Era A, cosign 2.2.4: `.sig`, and `.att` with provenance and the bill of materials, which is text.
pub(crate) fn era_a(authority: &Authority, registry: &mut Repositories, repository: &str, tag: &str) -> Release {
    publish_era_a(authority, registry, repository, tag, Release::new("fystack/apex", tag))
}

/// Era A of an index in which `BuildKit` put an attestation manifest per platform, signed by nobody.
pub(crate) fn era_a_buildkit(
    authority: &Authority,
    registry: &mut Repositories,
    repository: &str,
    tag: &str,
) -> Release {
    let mut release = Release::new("fystack/apex", tag);
    let unsigned = |digest| Statement::spdx(digest, &["pkg:npm/unsigned@0.0.1"]);
    release.image = Image::with_attestations(&format!("apex {tag}"), unsigned);
    publish_era_a(authority, registry, repository, tag, release)
}

fn publish_era_a(
    authority: &Authority,
    registry: &mut Repositories,
    repository: &str,
    tag: &str,
    release: Release,
) -> Release {
    let mut publisher = Publisher::new(registry, repository);
    let digest = publisher.image(tag, &release.image);
    let signer = authority.keyless(&release.signer());
    publisher.signature(digest, &signer.sign(digest));
    let generator = authority.keyless(&release.generator());
    publisher.attestation(digest, &generator.attest(&release.provenance(digest)));
    publisher.attestation(digest, &signer.attest(&Statement::spdx_as_text(digest, PACKAGES)));
    release
}

/// Era B, cosign 3.0.5: signature and bill of materials as bundles that refer to the image; the generator still writes
/// `.att`.
pub(crate) fn era_b(authority: &Authority, registry: &mut Repositories, repository: &str, tag: &str) -> Release {
    let release = Release::new("fystack/apex", tag);
    let mut publisher = Publisher::new(registry, repository);
    let digest = publisher.image(tag, &release.image);
    let signer = authority.keyless(&release.signer()).timestamped();
    publisher.bundle(&release.image, &signer.attest(&Statement::signature(digest)));
    publisher.bundle(&release.image, &signer.attest(&Statement::spdx_as_text(digest, PACKAGES)));
    let generator = authority.keyless(&release.generator());
    publisher.attestation(digest, &generator.attest(&release.provenance(digest)));
    release
}

/// What the pipeline leaves behind when its provenance job fails: the image under its tag, and nothing about it.
pub(crate) fn unsigned(registry: &mut Repositories, repository: &str, tag: &str) -> Release {
    let release = Release::new("fystack/apex", tag);
    Publisher::new(registry, repository).image(tag, &release.image);
    release
}
