//! The trust domains that are there without being configured.

use sigstore_trust_root::{SIGSTORE_GITHUB_TRUSTED_ROOT, SIGSTORE_PRODUCTION_TRUSTED_ROOT};

use crate::trust::settings::Requirement;

/// A trust domain whose root is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn {
    /// The public-good instance of Sigstore: log and certificate timestamps required.
    PublicGood,
    /// GitHub's own instance: it has signed timestamps only, neither a transparency log nor a certificate log.
    GitHub,
}

impl BuiltIn {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::PublicGood, Self::GitHub];

    /// The one called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|domain| domain.name() == name)
    }

    /// The name that rules refer to.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PublicGood => "public-good",
            Self::GitHub => "github",
        }
    }

    /// Its public TUF repository.
    pub const fn repository(self) -> &'static str {
        match self {
            Self::PublicGood => "https://tuf-repo-cdn.sigstore.dev",
            Self::GitHub => "https://tuf-repo.github.com",
        }
    }

    /// Whether its signatures need a log entry, and its certificates a timestamp of a log.
    pub(in crate::trust) const fn requirement(self) -> Requirement {
        match self {
            Self::PublicGood => Requirement::Required,
            Self::GitHub => Requirement::NotRequired,
        }
    }

    /// The trusted root that counts until a newer one was fetched.
    pub(in crate::trust) const fn trusted_root(self) -> &'static str {
        match self {
            Self::PublicGood => SIGSTORE_PRODUCTION_TRUSTED_ROOT,
            Self::GitHub => SIGSTORE_GITHUB_TRUSTED_ROOT,
        }
    }

    /// The root metadata of its TUF repository, with which trust in what is fetched from there begins: version 16 of
    /// sigstore/root-signing and version 9 of GitHub's, both published under the Apache licence, version 2.
    pub(in crate::trust) const fn anchor(self) -> &'static [u8] {
        match self {
            Self::PublicGood => include_bytes!("anchors/public-good.json"),
            Self::GitHub => include_bytes!("anchors/github.json"),
        }
    }
}
