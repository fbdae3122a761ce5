//! All trust domains and keys at one moment, and the name of that moment.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::oci::Digest;
use crate::trust::domain::Domain;
use crate::trust::key::Key;
use crate::trust::notation::{NotationStore, NotationStoreKind};
use crate::trust::root_source::SourceError;
use crate::trust::settings::{DomainSettings, KeySettings, Requirement, WithoutLog};
use crate::trust::sources::Sources;

/// The version of the checks themselves. Raised when `verify` starts to prove less, more or something else: what was
/// proved before is then proved again.
const CHECKS: u32 = 5;

/// An immutable snapshot of everything that is trusted.
#[derive(Debug)]
pub struct Trust {
    domains: Vec<Domain>,
    awaited: Vec<String>,
    notation: Vec<Arc<NotationStore>>,
    keys: Vec<Key>,
    warnings: Vec<String>,
    epoch: Epoch,
}

/// The name of a snapshot: another one as soon as any root, key, setting or the checks themselves change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(Digest);

/// Why a snapshot cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The source of a trust domain is none.
    #[error("trust {name:?}: {source}")]
    Source {
        /// The trust domain.
        name: String,
        /// What to write instead.
        source: SourceError,
    },
    /// The root metadata that trust in a repository begins with is none.
    #[error("trust {name:?}: the root metadata of its repository is not usable: {reason}")]
    Anchor {
        /// The trust domain.
        name: String,
        /// Why.
        reason: String,
    },
    /// A trust store is none.
    #[error("the certificates in {} of trust {name:?} are not usable: {reason}", path.display())]
    Certificates {
        /// The trust domain.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A trusted root is not one.
    #[error("the trusted root of {name:?} is not usable: {reason}")]
    Root {
        /// The trust domain.
        name: String,
        /// Why.
        reason: String,
    },
    /// A trusted root cannot meet the rules of its own domain.
    #[error("the trusted root of {name:?} has no usable {what}")]
    Lacks {
        /// The trust domain.
        name: String,
        /// What is missing.
        what: &'static str,
    },
    /// A key is not one, or not of a supported algorithm.
    #[error("the key {name:?} is not usable: {reason}; EC P-256, P-384 and P-521, RSA and Ed25519 keys in PEM are")]
    Key {
        /// The key.
        name: String,
        /// Why.
        reason: String,
    },
    /// One key under two names.
    #[error("the keys {other:?} and {name:?} are the same key: keep one of them")]
    SameKey {
        /// The later name.
        name: String,
        /// The earlier name.
        other: String,
    },
    /// A name is used twice, or is that of a built-in domain.
    #[error("the name {name:?} is taken: trust domains are not merged, write another name")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A name is empty.
    #[error("a trust domain or key has an empty name")]
    NoName,
}

impl Trust {
    /// The built-in domains, those of `domains`, and `keys`, as far as files say: what comes from a TUF repository is
    /// [awaited](Self::awaited), unless it is built in.
    ///
    /// # Errors
    /// [`TrustError`] if a file cannot be read or used, or a name is taken. Single unsupported keys of a root are left
    /// out instead, and listed in [`Self::warnings`].
    pub fn load(domains: &[DomainSettings], keys: &[KeySettings]) -> Result<Self, TrustError> {
        Sources::read(domains, keys)?.snapshot()
    }

    /// The name of this snapshot.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether there is a trust domain called `name`.
    pub fn has_domain(&self, name: &str) -> bool {
        self.domains.iter().any(|domain| domain.name() == name) || self.notation.iter().any(|it| it.name() == name)
    }

    /// Whether there is a key called `name`.
    pub fn has_key(&self, name: &str) -> bool {
        self.keys.iter().any(|key| key.name() == name)
    }

    /// What of the roots was left out, and which settings weaken a check: for the log at start.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The trust domains, built-in ones first.
    pub fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// The names of the trust domains whose root is not there yet: what they would prove is not known to be unproven.
    pub fn awaited(&self) -> &[String] {
        &self.awaited
    }

    /// The trust domains of the Notary Project.
    pub fn notation_stores(&self) -> impl Iterator<Item = &NotationStore> {
        self.notation.iter().map(|store| &**store)
    }

    /// The keys.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }
}

impl Epoch {
    /// The digest that it is.
    pub fn digest(&self) -> Digest {
        self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.hex())
    }
}

/// A snapshot in the making.
#[derive(Default)]
pub(in crate::trust) struct Loading {
    domains: Vec<Domain>,
    awaited: Vec<String>,
    notation: Vec<Arc<NotationStore>>,
    keys: Vec<Key>,
    warnings: Vec<String>,
    parts: Vec<Part>,
}

/// What an epoch is made of, hashed as `Debug` writes it: strings are quoted, so no two lists of parts read alike.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Awaited { name: String },
    Domain { name: String, root: Digest, needs_log: bool, needs_certificate_timestamps: bool },
    Notation { name: String, ca: Vec<Digest>, signing_authority: Vec<Digest>, tsa: Vec<Digest> },
    Key { name: String, key: Digest, not_before: Option<Timestamp>, not_after: Option<Timestamp>, without_log: bool },
}

impl Loading {
    /// Adds the domain `name`, whose trusted root is `json`.
    pub(in crate::trust) fn domain(
        &mut self,
        name: &str,
        json: &str,
        log: Requirement,
        timestamps: Requirement,
    ) -> Result<(), TrustError> {
        let (domain, left_out) = Domain::new(name, json, log, timestamps)?;
        self.warnings.extend(left_out.iter().map(|what| format!("trust {name:?}: {what}")));
        self.domains.push(domain);
        self.parts.push(Part::Domain {
            name: name.to_owned(),
            root: Digest::of(json.as_bytes()),
            needs_log: log == Requirement::Required,
            needs_certificate_timestamps: timestamps == Requirement::Required,
        });
        Ok(())
    }

    /// Adds trust stores of the Notary Project.
    pub(in crate::trust) fn notation(&mut self, store: Arc<NotationStore>) {
        let digests = |kind| store.certificates(kind).iter().map(|der| Digest::of(der.as_bytes())).collect();
        self.parts.push(Part::Notation {
            name: store.name().to_owned(),
            ca: digests(NotationStoreKind::Ca),
            signing_authority: digests(NotationStoreKind::SigningAuthority),
            tsa: digests(NotationStoreKind::Tsa),
        });
        self.notation.push(store);
    }

    /// Adds the domain `name`, whose trusted root is not there yet.
    pub(in crate::trust) fn awaited(&mut self, name: &str) {
        self.awaited.push(name.to_owned());
        self.parts.push(Part::Awaited { name: name.to_owned() });
    }

    /// Warns of what a configured domain does without.
    pub(in crate::trust) fn warn_of(&mut self, name: &str, log: Requirement, timestamps: Requirement) {
        if log == Requirement::NotRequired {
            self.warnings.push(format!("trust {name:?}: no transparency log is required"));
        }
        if timestamps == Requirement::NotRequired {
            self.warnings.push(format!("trust {name:?}: no certificate timestamps are required"));
        }
    }

    /// Adds the key of `settings`, whose file holds `pem`.
    pub(in crate::trust) fn key(&mut self, settings: &KeySettings, pem: &str) -> Result<(), TrustError> {
        let key = Key::new(settings, pem)?;
        // Rules that take several signers tell keys apart by name: one key must not count as two (GHSA-9vcr-p3rj-q5q6).
        if let Some(other) = self.keys.iter().find(|other| other.hint() == key.hint()) {
            let (name, other) = (settings.name.clone(), other.name().to_owned());
            return Err(TrustError::SameKey { name, other });
        }
        if settings.without_log == WithoutLog::Allow {
            self.warnings.push(format!("key {:?}: signatures without log entry and timestamp count", settings.name));
        }
        self.parts.push(Part::Key {
            name: settings.name.clone(),
            key: Digest::of(key.public_key().spki().as_bytes()),
            not_before: settings.not_before,
            not_after: settings.not_after,
            without_log: settings.without_log == WithoutLog::Allow,
        });
        self.keys.push(key);
        Ok(())
    }

    /// The snapshot.
    pub(in crate::trust) fn finish(mut self) -> Trust {
        self.parts.sort();
        let parts = format!("{CHECKS} {} {:?}", env!("CARGO_PKG_VERSION"), self.parts);
        let epoch = Epoch(Digest::of(parts.as_bytes()));
        let Self { domains, awaited, notation, keys, warnings, .. } = self;
        Trust { domains, awaited, notation, keys, warnings, epoch }
    }
}

#[cfg(test)]
mod tests;
