//! The checks of `verify::check`, one by one, on evidence by an authority of our own: for each a test that fails if the
//! check is deleted.

mod attestation;
mod domain;
mod format;
mod keyed;
mod keyless;
mod large;
mod layer;
mod notation;
mod properties;
mod stamp;
pub(crate) mod ways;

use std::fs;

use bonafide::evidence::{Content, CosignMaterial, Evidence, Source};
use bonafide::oci::Digest;
use bonafide::trust::{DomainSettings, KeySettings, Requirement, Trust, WithoutLog};
use bonafide::verify::{self, Fact, Flaw, FlawKind, Subject};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::authority::Authority;
use crate::support::authority::identity::Build;
use crate::support::authority::image::Image;
use crate::support::authority::key::Key;
use crate::support::authority::signed::{BundleVersion, Payload, Signed};
use crate::support::authority::statement::Statement;
use crate::support::authority::trusted_root::TrustedRoot;

pub(crate) const VERSIONS: [BundleVersion; 3] = [BundleVersion::V0_1, BundleVersion::V0_2, BundleVersion::V0_3];

/// An image, an authority that signs it, and what is configured to be trusted.
pub(crate) struct Bed {
    pub(crate) authority: Authority,
    pub(crate) image: Image,
    folder: TempDir,
    domains: Vec<DomainSettings>,
    keys: Vec<KeySettings>,
}

impl Bed {
    /// Trusts the authority `corp`, with all that a domain can require.
    pub(crate) fn new() -> Self {
        let authority = Authority::new("corp");
        let root = authority.trusted_root();
        let bed = Self {
            authority,
            image: Image::new("app"),
            folder: tempfile::tempdir().unwrap(),
            domains: Vec::new(),
            keys: Vec::new(),
        };
        bed.trusting("corp", &root, Requirement::Required, Requirement::Required)
    }

    /// Trusts nobody but the built-in domains.
    pub(crate) fn trusting_nobody(mut self) -> Self {
        self.domains.clear();
        self
    }

    pub(crate) fn trusting(
        mut self,
        name: &str,
        root: &TrustedRoot,
        log: Requirement,
        timestamps: Requirement,
    ) -> Self {
        let folder = self.folder.path().join(format!("trust-{}", self.domains.len()));
        fs::create_dir_all(&folder).unwrap();
        self.domains.push(DomainSettings::of_file(name, root.write_to(&folder), log, timestamps));
        self
    }

    /// Trusts the authority by its timestamps alone, as one trusts GitHub's.
    pub(crate) fn trusting_timestamps_alone(self) -> Self {
        let root = self.authority.trusted_root().timestamps_only();
        let none = Requirement::NotRequired;
        self.trusting_nobody().trusting("corp", &root, none, none)
    }

    pub(crate) fn with_key(self, name: &str, key: &Key) -> Self {
        self.with_key_as(name, key, |settings| settings)
    }

    pub(crate) fn with_key_as(mut self, name: &str, key: &Key, set: impl FnOnce(KeySettings) -> KeySettings) -> Self {
        let path = self.folder.path().join(format!("{name}.pub"));
        fs::write(&path, key.public_pem()).unwrap();
        let (not_before, not_after) = (None, None);
        let without_log = WithoutLog::Refuse;
        self.keys.push(set(KeySettings { name: name.to_owned(), path, not_before, not_after, without_log }));
        self
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::load(&self.domains, &self.keys).unwrap()
    }

    pub(crate) fn digest(&self) -> Digest {
        self.image.digest()
    }

    /// A day after everything was signed.
    pub(crate) fn now(&self) -> Timestamp {
        self.authority.time() + SignedDuration::from_hours(24)
    }

    /// The statement of a plain signature of the image.
    pub(crate) fn statement(&self) -> Statement {
        Statement::signature(self.digest())
    }

    pub(crate) fn check(&self, evidence: &Evidence) -> Result<Vec<Fact>, Flaw> {
        self.check_at(evidence, self.now())
    }

    pub(crate) fn check_at(&self, evidence: &Evidence, now: Timestamp) -> Result<Vec<Fact>, Flaw> {
        let subject = Subject { digest: self.digest(), manifest: &self.image.manifest };
        verify::check(evidence, &subject, &self.trust(), now)
    }

    /// The one fact that `evidence` proves.
    #[track_caller]
    pub(crate) fn proves(&self, evidence: &Evidence) -> Fact {
        let facts = self.check(evidence).unwrap();
        assert_eq!(facts.len(), 1, "{facts:?}");
        facts.into_iter().next().unwrap()
    }

    /// Refused, for a flaw of this kind whose text says so.
    #[track_caller]
    pub(crate) fn refuses(&self, evidence: &Evidence, kind: FlawKind, text: &str) {
        let flaw = self.check(evidence).unwrap_err();
        assert!(flaw.kind == kind && flaw.text.contains(text), "{flaw:?}");
        assert_eq!(flaw.source, evidence.source);
        assert_eq!(flaw.form, Some(evidence.form()));
        let is_plain = flaw.text.chars().next().is_some_and(char::is_lowercase) && !flaw.text.ends_with('.');
        assert!(is_plain, "not lower case, or a full stop: {}", flaw.text);
    }
}

pub(crate) fn build() -> Build {
    Build::of("fystack/apex", "refs/tags/v1.2.3")
}

pub(crate) fn source() -> Source {
    Source { manifest: Digest::of(b"evidence manifest"), layer: Digest::of(b"evidence layer") }
}

/// `signed` as cosign 3 and GitHub publish it.
pub(crate) fn bundle(signed: &Signed, version: BundleVersion) -> Evidence {
    json(&signed.to_bundle(version))
}

pub(crate) fn json(bundle: &Value) -> Evidence {
    bytes(bundle.to_string())
}

pub(crate) fn bytes(bundle: String) -> Evidence {
    Evidence { source: source(), found_in: None, content: Content::Bundle { json: bundle.into() } }
}

/// `signed` as cosign 1 and 2 publish it.
pub(crate) fn layer(signed: &Signed) -> Evidence {
    let mut layer = signed.to_layer();
    let mut take = |name: &str| layer.annotations.remove(name);
    let material = CosignMaterial {
        certificate: take("dev.sigstore.cosign/certificate"),
        chain: take("dev.sigstore.cosign/chain"),
        log_entry: take("dev.sigstore.cosign/bundle"),
        timestamp: take("dev.sigstore.cosign/rfc3161timestamp"),
    };
    let signature = take("dev.cosignproject.cosign/signature").unwrap();
    let bytes = layer.bytes.into();
    let content = match signed.payload {
        Payload::Message(_) => Content::Signature { payload: bytes, signature, material },
        Payload::Envelope { .. } => Content::Attestation { envelope: bytes, material },
    };
    Evidence { source: source(), found_in: None, content }
}
