//! Every way in which a signature is logged and published, for what must hold in all of them.

use bonafide::evidence::Evidence;
use bonafide::oci::Digest;

use super::{bundle, layer};
use crate::support::authority::Authority;
use crate::support::authority::log::Log;
use crate::support::authority::signed::{BundleVersion, Signed};
use crate::support::authority::signer::{EntryKind, Signer};
use crate::support::authority::statement::Statement;

/// A kind of log entry, and the form of evidence that carries it.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) sign: fn(&Signer<'_>, Digest) -> Signed,
    pub(crate) log: fn(&Authority) -> &Log,
    pub(crate) publish: fn(&Signed) -> Evidence,
}

/// `signed` as a bundle of the newest version.
pub(crate) fn newest(signed: &Signed) -> Evidence {
    bundle(signed, BundleVersion::V0_3)
}

/// A statement of a plain signature.
pub(crate) fn attest(signer: &Signer<'_>, digest: Digest) -> Signed {
    signer.attest(&Statement::signature(digest))
}

fn v1(authority: &Authority) -> &Log {
    &authority.log
}

fn v2(authority: &Authority) -> &Log {
    &authority.log_v2
}

/// Every kind of log entry, in each form that may have it.
pub(crate) const WAYS: [Way; 7] = [
    Way { name: ".sig, hashedrekord 0.0.1", sign: |signer, digest| signer.sign(digest), log: v1, publish: layer },
    Way { name: ".att, dsse 0.0.1", sign: attest, log: v1, publish: layer },
    Way {
        name: ".att, intoto 0.0.1",
        sign: |signer, digest| attest(&signer.clone().logged_as(EntryKind::IntotoV1), digest),
        log: v1,
        publish: layer,
    },
    Way {
        name: ".att, intoto 0.0.2",
        sign: |signer, digest| attest(&signer.clone().logged_as(EntryKind::IntotoV2), digest),
        log: v1,
        publish: layer,
    },
    Way { name: "bundle, dsse 0.0.1", sign: attest, log: v1, publish: newest },
    Way {
        name: "bundle, intoto 0.0.2",
        sign: |signer, digest| attest(&signer.clone().logged_as(EntryKind::IntotoV2), digest),
        log: v1,
        publish: newest,
    },
    Way {
        name: "bundle, hashedrekord 0.0.2",
        sign: |signer, digest| attest(&signer.clone().in_rekor_v2(), digest),
        log: v2,
        publish: newest,
    },
];
