//! The project's own authority: it signs as Sigstore's public instance and real clients do, and makes what the world
//! refuses to give: the expired, the foreign, the swapped, the broken.
//!
//! Everything is right unless a test says what is to be wrong, so that a test breaks one thing:
//! `authority.keyless(&build.identity()).without_sct().sign(digest)`.

pub(crate) mod certificate;
pub(crate) mod der;
pub(crate) mod identity;
pub(crate) mod image;
pub(crate) mod key;
pub(crate) mod log;
pub(crate) mod notation;
pub(crate) mod publisher;
pub(crate) mod seed;
pub(crate) mod signed;
pub(crate) mod signer;
pub(crate) mod statement;
pub(crate) mod text;
pub(crate) mod timestamp;
pub(crate) mod trusted_root;

use std::sync::OnceLock;

use jiff::Timestamp;

use certificate::{CODE_SIGNING, Certified, LEAF_LIFE, Leaf, Transparency, Validity};
use identity::Identity;
use key::Key;
use log::Log;
use signer::Signer;
use timestamp::TimestampAuthority;
use trusted_root::TrustedRoot;

/// Certificates, transparency logs and timestamps of one trust domain. Its keys follow from its name.
pub(crate) struct Authority {
    pub(crate) name: String,
    pub(crate) root: Certified,
    pub(crate) issuer: Certified,
    pub(crate) certificate_log: Key,
    pub(crate) log: Log,
    pub(crate) log_v2: Log,
    pub(crate) timestamps: TimestampAuthority,
    foreign: OnceLock<Box<Self>>,
}

impl Authority {
    /// The authority called `name`.
    pub(crate) fn new(name: &str) -> Self {
        Self::at(name, "http://rekor.authority.test", "http://rekor2.authority.test")
    }

    /// The same, with logs under these addresses.
    pub(crate) fn at(name: &str, log: &str, log_v2: &str) -> Self {
        let root = Certified::root(name, Key::p384(&format!("{name} root")));
        let key = Key::p384(&format!("{name} intermediate"));
        let issuer = root.intermediate(&format!("{name} intermediate"), key, CODE_SIGNING, Validity::long());
        Self {
            name: name.to_owned(),
            root,
            issuer,
            certificate_log: Key::p256(&format!("{name} certificate log")),
            log: Log::v1(name, log),
            log_v2: Log::v2(name, log_v2),
            timestamps: TimestampAuthority::new(name),
            foreign: OnceLock::new(),
        }
    }

    /// When it signs, if no test says otherwise: in the past, whatever the clock of the machine.
    #[expect(clippy::unused_self, reason = "the time of an authority, not of the world")]
    pub(crate) fn time(&self) -> Timestamp {
        "2025-06-01T12:00:00Z".parse().unwrap()
    }

    /// Signs as `identity`, with a certificate for ten minutes.
    pub(crate) fn keyless(&self, identity: &Identity) -> Signer<'_> {
        Signer::keyless(self, identity.clone())
    }

    /// Signs with `key`, which is in the log but in no certificate.
    pub(crate) fn with_key<'a>(&'a self, key: &'a Key) -> Signer<'a> {
        Signer::with_key(self, key)
    }

    /// The certificate of `identity` for the public key `public`, from `at` on.
    pub(crate) fn certify(&self, public: &[u8], identity: &Identity, at: Timestamp) -> Vec<u8> {
        self.issuer.leaf(&Leaf {
            public,
            identity,
            validity: Validity { from: at, to: at + LEAF_LIFE },
            usage: CODE_SIGNING,
            transparency: Transparency::By(&self.certificate_log),
        })
    }

    /// What whoever trusts it configures.
    pub(crate) fn trusted_root(&self) -> TrustedRoot {
        TrustedRoot::of(self)
    }

    /// Another authority, alike in everything but its keys.
    pub(crate) fn foreign(&self) -> &Self {
        self.foreign
            .get_or_init(|| Box::new(Self::at(&format!("{}, foreign", self.name), &self.log.url, &self.log_v2.url)))
    }
}
