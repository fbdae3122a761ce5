//! What the upstream holds, what the operator demands, and what must come of it.

use bonafide::oci::Digest;

use crate::pull::Asked;
use crate::support::authority::Authority;
use crate::support::authority::identity::{Build, Identity};
use crate::support::authority::image::Image;
use crate::support::authority::publisher::Publisher;
use crate::support::authority::seed::{self, PACKAGES, Release};
use crate::support::authority::statement::Statement;
use crate::support::content::Repositories;
use crate::support::registry::Registry;

/// The configuration of the proxy.
pub(crate) const CONFIGURATION: &str = r#"
[server]
listen = "127.0.0.1:0"

[admin]
listen = "127.0.0.1:0"

[storage]
path = "{folder}/storage"

[[upstream]]
name = "registry.test"
url = "{upstream}"
default = true

[[trust]]
name = "corp"
trusted_root = "trusted_root.json"

[[rule]]
name = "fystack"
images = ["registry.test/fystack/*"]
message = "Ask the release team"

[[rule.signature]]
trust = "corp"
issuer = "https://token.actions.githubusercontent.com"
subject = "https://github.com/fystack/slsa-workflows/.github/workflows/docker-build-slsa.yml@refs/tags/v*"
source_repository = "https://github.com/fystack/apex"

[rule.provenance]
level = 3
builders = ["slsa-github-generator"]
source = "github.com/fystack/apex"

[rule.sbom]
formats = ["spdx"]
deny_packages = ["pkg:npm/axios@1.14.1"]
"#;

const UPSTREAM: &str = "registry.test";
const REPOSITORY: &str = "fystack/apex";

/// One thing to ask for.
pub(crate) struct Scene {
    pub(crate) asked: Asked,
    pub(crate) story: &'static str,
    pub(crate) expected: Expected,
}

/// What must come of it.
pub(crate) enum Expected {
    /// Everything arrives: so many manifests.
    Served { manifests: usize },
    /// It is refused, with a message that says `because`.
    Refused { because: &'static str },
    /// It is admitted, but what the upstream sends is something else, and does not arrive.
    Cut,
}

/// Fills `upstream`, and says what to pull from it.
pub(crate) fn set(authority: &Authority, upstream: &Registry) -> Vec<Scene> {
    let mut all = Repositories::default();
    let mut scenes = proven(authority, &mut all);
    scenes.extend(unproven(authority, &mut all));
    let tampered = release(authority, &mut all, "v2.0.6", PACKAGES);
    scenes.push(scene("v2.0.6", "proven, but the upstream sends other bytes for a layer", Expected::Cut));
    upstream.publish(all);
    upstream.edit(REPOSITORY, |content| {
        let layer = Digest::of(tampered.image.children[0].blobs.last().unwrap());
        let bytes = content.blobs.get_mut(&layer).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
    });
    scenes
}

fn proven(authority: &Authority, all: &mut Repositories) -> Vec<Scene> {
    let release = seed::era_a(authority, all, REPOSITORY, "v1.0.0");
    seed::era_a_buildkit(authority, all, REPOSITORY, "v1.1.0");
    seed::era_b(authority, all, REPOSITORY, "v2.0.0");
    let served = |manifests| Expected::Served { manifests };
    let signature = format!("sha256-{}.sig", release.image.digest().hex());
    vec![
        scene("v1.0.0", "signed and attested with cosign 2; an index of two platforms", served(3)),
        by_digest(release.image.children[0].digest(), "one platform of v1.0.0: its index is admitted", served(1)),
        scene(&signature, "the signature of v1.0.0, for whoever wants to check again", served(1)),
        scene("v1.1.0", "the same as v1.0.0, and BuildKit's attestation manifests in the index", served(5)),
        scene("v2.0.0", "signed with cosign 3: bundles that refer to the index", served(3)),
    ]
}

fn unproven(authority: &Authority, all: &mut Repositories) -> Vec<Scene> {
    let unsigned = seed::unsigned(all, REPOSITORY, "v2.0.1").image;
    by_a_stranger(authority, all);
    with_borrowed_provenance(authority, all);
    release(authority, all, "v2.0.4", &["pkg:npm/axios@1.14.1"]);
    outside_the_log(authority, all);
    Publisher::new(all, "library/tool").image("latest", &Image::new("tool"));
    let refused = |because| Expected::Refused { because };
    let layer = Asked::Blob {
        repository: format!("{UPSTREAM}/{REPOSITORY}"),
        digest: Digest::of(unsigned.children[0].blobs.last().unwrap()),
    };
    let tool = Asked::Image(format!("{UPSTREAM}/library/tool:latest"));
    vec![
        scene("v2.0.1", "pushed, but its provenance job failed, so nobody signed it", refused("is published for it")),
        by_digest(unsigned.children[0].digest(), "one platform of v2.0.1", refused("is not proven")),
        Scene { asked: layer, story: "a layer of v2.0.1", expected: refused("reaches this blob") },
        scene("v2.0.2", "signed and attested, but by somebody else", refused("is not proven")),
        scene("v2.0.3", "signed, but its provenance is about another digest", refused("not about sha256")),
        scene("v2.0.4", "proven, but its bill of materials lists a forbidden package", refused("pkg:npm/axios@1.14.1")),
        scene("v2.0.5", "signed by the right people, but in no transparency log", refused("log entry")),
        Scene { asked: tool, story: "no rule names it", expected: refused("no rule") },
    ]
}

fn scene(tag: &str, story: &'static str, expected: Expected) -> Scene {
    Scene { asked: Asked::Image(format!("{UPSTREAM}/{REPOSITORY}:{tag}")), story, expected }
}

fn by_digest(digest: Digest, story: &'static str, expected: Expected) -> Scene {
    Scene { asked: Asked::Image(format!("{UPSTREAM}/{REPOSITORY}@{digest}")), story, expected }
}

/// A proven release that contains `packages`.
fn release(authority: &Authority, all: &mut Repositories, tag: &str, packages: &[&str]) -> Release {
    let release = Release::new(REPOSITORY, tag);
    let mut publisher = Publisher::new(all, REPOSITORY);
    let digest = publisher.image(tag, &release.image);
    let signer = authority.keyless(&release.signer());
    publisher.signature(digest, &signer.sign(digest));
    publisher.attestation(digest, &signer.attest(&Statement::spdx_as_text(digest, packages)));
    publisher.attestation(digest, &authority.keyless(&release.generator()).attest(&release.provenance(digest)));
    release
}

/// v2.0.2: everything that is asked for, by the workflow of another repository.
fn by_a_stranger(authority: &Authority, all: &mut Repositories) {
    let stranger =
        Release { build: Build::of("mallory/apex", "refs/tags/v2.0.2"), ..Release::new(REPOSITORY, "v2.0.2") };
    let mut publisher = Publisher::new(all, REPOSITORY);
    let digest = publisher.image("v2.0.2", &stranger.image);
    let signer = authority.keyless(&stranger.build.identity());
    publisher.signature(digest, &signer.sign(digest));
    publisher.attestation(digest, &signer.attest(&Statement::spdx(digest, PACKAGES)));
    publisher.attestation(digest, &authority.keyless(&stranger.generator()).attest(&stranger.provenance(digest)));
    let person = Identity::email("release@fystack.example", "https://idp.example");
    publisher.signature(digest, &authority.keyless(&person).sign(digest));
}

/// v2.0.3: the provenance is genuine, and about v2.0.0.
fn with_borrowed_provenance(authority: &Authority, all: &mut Repositories) {
    let (release, other) = (Release::new(REPOSITORY, "v2.0.3"), Release::new(REPOSITORY, "v2.0.0"));
    let mut publisher = Publisher::new(all, REPOSITORY);
    let digest = publisher.image("v2.0.3", &release.image);
    let signer = authority.keyless(&release.signer());
    publisher.signature(digest, &signer.sign(digest));
    publisher.attestation(digest, &signer.attest(&Statement::spdx_as_text(digest, PACKAGES)));
    let provenance = other.provenance(other.image.digest());
    publisher.attestation(digest, &authority.keyless(&other.generator()).attest(&provenance));
}

/// v2.0.5: signatures of the right people that no transparency log ever saw.
fn outside_the_log(authority: &Authority, all: &mut Repositories) {
    let release = Release::new(REPOSITORY, "v2.0.5");
    let mut publisher = Publisher::new(all, REPOSITORY);
    let digest = publisher.image("v2.0.5", &release.image);
    let signer = authority.keyless(&release.signer()).without_log().timestamped();
    publisher.signature(digest, &signer.sign(digest));
    publisher.attestation(digest, &signer.attest(&Statement::spdx_as_text(digest, PACKAGES)));
    let generator = authority.keyless(&release.generator()).without_log().timestamped();
    publisher.attestation(digest, &generator.attest(&release.provenance(digest)));
}
