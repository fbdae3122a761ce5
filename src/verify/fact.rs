//! Proven statements, and why evidence proves nothing.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::evidence::{Form, Provenance, Sbom, Scan, Source, Summary, Vex};
use crate::oci::{Digest, Repository};
use crate::remembered::Shared;
use crate::verify::few::{Few, Several};

/// One cryptographically proven statement about one digest. Made by [`crate::verify::check`] alone, and read back from
/// where the store of facts put it. Its order means nothing, and is total: which of several facts is told must not depend
/// on how they were found.
///
/// Many are held in memory: what few of them have is on the heap, and so is who signed, once for all that a publisher did.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Fact {
    pub(in crate::verify) subject: Digest,
    pub(in crate::verify) source: Source,
    pub(in crate::verify) form: Form,
    pub(in crate::verify) signer: Arc<Signer>,
    pub(in crate::verify) signed_at: Option<Timestamp>,
    pub(in crate::verify) log: LogProof,
    pub(in crate::verify) claim: Claim,
    pub(in crate::verify) beside: Option<Box<Beside>>,
}

/// What few facts have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(in crate::verify) struct Beside {
    pub(in crate::verify) found_in: Option<Repository>,
    pub(in crate::verify) through: Option<Source>,
    pub(in crate::verify) holds_until: Option<Timestamp>,
    pub(in crate::verify) unproven: Vec<Box<str>>,
}

/// A [`Fact`] as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    subject: Digest,
    source: Source,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found_in: Option<Repository>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    through: Option<Source>,
    form: Form,
    signer: Arc<Signer>,
    signed_at: Option<Timestamp>,
    log: LogProof,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holds_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unproven: Vec<Box<str>>,
    claim: Claim,
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signer {
    /// The holder of a certificate that chains to the root of a trust domain, valid when it signed.
    Certificate(Box<Certificate>),
    /// The holder of a configured key.
    Key {
        /// Its name in the configuration.
        name: String,
    },
}

/// The claims of a signing certificate (Fulcio's `oid-info.md`, 1.3.6.1.4.1.57264.1). Most of its texts are those of the
/// certificates before it, so they can be shared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Certificate {
    /// The trust domain under which it was proved.
    pub trust: Arc<str>,
    /// The OIDC issuer (.8, or .1).
    pub issuer: Arc<str>,
    /// The subject alternative name: a URI or an e-mail address.
    pub subject: Arc<str>,
    /// Build signer URI (.9).
    pub build_signer: Option<Arc<str>>,
    /// Runner environment (.11).
    pub runner_environment: Option<Arc<str>>,
    /// Source repository URI (.12; from .5 where only that is there, for GitHub's issuer).
    pub source_repository: Option<Arc<str>>,
    /// Source repository digest, the commit (.13, or .3).
    pub source_commit: Option<Arc<str>>,
    /// Source repository ref (.14, or .6).
    pub source_ref: Option<Arc<str>>,
    /// Build config URI, the workflow (.18).
    pub build_config: Option<Arc<str>>,
    /// Build trigger (.20, or .2).
    pub build_trigger: Option<Arc<str>>,
    /// Run invocation URI (.21).
    pub run_invocation: Option<Arc<str>>,
}

/// What stands behind the time of signing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogProof {
    /// An entry of Rekor v1: promise (SET), inclusion proof, or both.
    RekorV1,
    /// An entry of Rekor v1 of the kind `intoto/0.0.1`, by its promise (SET) alone: attestations by cosign before 2.2.
    RekorV1Intoto,
    /// An entry of Rekor v2 with inclusion proof and checkpoint.
    RekorV2,
    /// No log entry; a signed timestamp (RFC 3161).
    TimestampOnly,
    /// Neither; only for keys that say `without_log = "allow"`.
    None,
}

/// What is claimed about the subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Claim {
    /// Its digest was signed.
    Signature,
    /// It was built so.
    Provenance(Box<Provenance>),
    /// It contains these packages.
    Sbom(Box<Sbom>),
    /// A verifier looked at it.
    Summary(Box<Summary>),
    /// These vulnerabilities concern it, or do not.
    Vex(Box<Vex>),
    /// A scanner looked for vulnerabilities in it.
    Scan(Box<Scan>),
    /// A statement of a type that no requirement asks for.
    Other {
        /// The predicate type, as written.
        predicate_type: Box<str>,
    },
}

/// Why one piece of evidence proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flaw {
    /// The piece.
    pub source: Source,
    /// The repository that it was found in, if that is not the image's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_in: Option<Box<Repository>>,
    /// Its form, if it could be told.
    pub form: Option<Form>,
    /// What it seemed to claim, unproven: the predicate type of an attestation.
    pub predicate_type: Option<Box<str>>,
    /// What kind of flaw it is.
    pub kind: FlawKind,
    /// The flaw in words: lower case, no full stop.
    pub text: String,
}

/// The kinds of flaw, from the least telling to the most telling for whoever was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlawKind {
    /// Larger or more than is looked at.
    TooMuch,
    /// Of a form or algorithm that is not supported.
    Unsupported,
    /// Cannot be parsed.
    Malformed,
    /// Signed by a key that is not configured, or no key at all.
    UnknownKey,
    /// The certificate chains to no configured root, or was not valid when it signed.
    Certificate,
    /// The certificate's transparency (SCT) is missing or wrong.
    CertificateTimestamp,
    /// The log entry, its proof or its promise is missing or wrong.
    Log,
    /// No trustworthy time of signing.
    Timestamp,
    /// The signature does not fit.
    Signature,
    /// Sound, but about another digest.
    Subject,
}

/// Everything that was found out about one digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// The digest.
    pub subject: Digest,
    /// What it lists, where it is an index with attestation manifests: facts about all of that are facts about it.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub children: Few<Digest>,
    /// The repositories that evidence was looked for in, besides the image's own.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub elsewhere: Few<Repository>,
    /// What was proved.
    pub facts: Several<Arc<Fact>>,
    /// What proved nothing, and why.
    pub flaws: Few<Flaw>,
    /// Whether all published evidence was seen.
    pub coverage: Coverage,
    /// When the evidence was collected.
    pub collected_at: Timestamp,
}

/// Whether all published evidence was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coverage {
    /// All of it.
    Complete,
    /// All that fits the bounds; the rest was left out.
    Bounded,
    /// Some of it could not be asked for: what is missing is not known to be missing.
    Partial {
        /// What failed, in words; no more than a pointer, since no proof that is kept has it, and each has room for it.
        failure: Box<String>,
    },
}

impl Coverage {
    /// Some of it could not be asked for, as `failure` says in words.
    pub fn partial(failure: impl Into<String>) -> Self {
        Self::Partial { failure: Box::new(failure.into()) }
    }
}

impl Proof {
    /// The same in less memory, for a long time: whoever signed is one of `signers`.
    #[must_use]
    pub(crate) fn compact(mut self, signers: &Signers) -> Self {
        for fact in self.facts.iter_mut().filter_map(Arc::get_mut) {
            fact.signer = signers.of(&fact.signer);
        }
        self
    }
}

/// All who signed what is held in memory, each once.
#[derive(Debug, Default)]
pub(crate) struct Signers {
    signers: Shared<Signer>,
    texts: Shared<str>,
}

impl Signers {
    fn of(&self, signer: &Signer) -> Arc<Signer> {
        self.signers.of(signer, || match signer {
            Signer::Key { .. } => signer.clone(),
            Signer::Certificate(certificate) => Signer::Certificate(Box::new(certificate.sharing(&self.texts))),
        })
    }
}

impl Certificate {
    /// The same with texts out of `texts`.
    fn sharing(&self, texts: &Shared<str>) -> Self {
        let shared = |text: &Arc<str>| texts.of(text, || text.to_string());
        let perhaps = |text: &Option<Arc<str>>| text.as_ref().map(shared);
        Self {
            trust: shared(&self.trust),
            issuer: shared(&self.issuer),
            subject: shared(&self.subject),
            build_signer: perhaps(&self.build_signer),
            runner_environment: perhaps(&self.runner_environment),
            source_repository: perhaps(&self.source_repository),
            source_commit: perhaps(&self.source_commit),
            source_ref: perhaps(&self.source_ref),
            build_config: perhaps(&self.build_config),
            build_trigger: perhaps(&self.build_trigger),
            run_invocation: perhaps(&self.run_invocation),
        }
    }
}

impl Beside {
    /// Nothing, if a fact has nothing of it.
    pub(in crate::verify) fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

impl From<Written> for Fact {
    fn from(written: Written) -> Self {
        let Written { subject, source, found_in, through, form, signer, signed_at, log, holds_until, unproven, claim } =
            written;
        let beside = Beside { found_in, through, holds_until, unproven }.boxed();
        Self { subject, source, form, signer, signed_at, log, claim, beside }
    }
}

impl From<Fact> for Written {
    fn from(fact: Fact) -> Self {
        let Fact { subject, source, form, signer, signed_at, log, claim, beside } = fact;
        let Beside { found_in, through, holds_until, unproven } = beside.map(|beside| *beside).unwrap_or_default();
        Self { subject, source, found_in, through, form, signer, signed_at, log, holds_until, unproven, claim }
    }
}

impl Claim {
    /// The provenance, if it is one.
    pub fn provenance(&self) -> Option<&Provenance> {
        match self {
            Self::Provenance(provenance) => Some(provenance),
            Self::Signature | Self::Sbom(_) | Self::Summary(_) | Self::Vex(_) | Self::Scan(_) | Self::Other { .. } => {
                None
            }
        }
    }

    /// The bill of materials, if it is one.
    pub fn sbom(&self) -> Option<&Sbom> {
        match self {
            Self::Sbom(sbom) => Some(sbom),
            Self::Signature
            | Self::Provenance(_)
            | Self::Summary(_)
            | Self::Vex(_)
            | Self::Scan(_)
            | Self::Other { .. } => None,
        }
    }

    /// The verification summary, if it is one.
    pub fn summary(&self) -> Option<&Summary> {
        match self {
            Self::Summary(summary) => Some(summary),
            Self::Signature
            | Self::Provenance(_)
            | Self::Sbom(_)
            | Self::Vex(_)
            | Self::Scan(_)
            | Self::Other { .. } => None,
        }
    }

    /// The VEX document, if it is one.
    pub fn vex(&self) -> Option<&Vex> {
        match self {
            Self::Vex(vex) => Some(vex),
            Self::Signature
            | Self::Provenance(_)
            | Self::Sbom(_)
            | Self::Summary(_)
            | Self::Scan(_)
            | Self::Other { .. } => None,
        }
    }

    /// The vulnerability scan, if it is one.
    pub fn scan(&self) -> Option<&Scan> {
        match self {
            Self::Scan(scan) => Some(scan),
            Self::Signature
            | Self::Provenance(_)
            | Self::Sbom(_)
            | Self::Summary(_)
            | Self::Vex(_)
            | Self::Other { .. } => None,
        }
    }
}

impl Fact {
    /// The digest that it is about.
    pub fn subject(&self) -> Digest {
        self.subject
    }

    /// Where its evidence was found.
    pub fn source(&self) -> Source {
        self.source
    }

    /// The repository that its evidence was found in, signature or statement, if not all of it was in the image's own.
    pub fn found_in(&self) -> Option<&Repository> {
        self.beside.as_ref()?.found_in.as_ref()
    }

    /// Where the signature was found, if that is one of the manifest that lists the evidence, and not of the evidence.
    pub fn through(&self) -> Option<Source> {
        self.beside.as_ref()?.through
    }

    /// How its evidence was written; with [`Fact::through`], how the signature was.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Who signed.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// When it was signed: the earliest proven time, if there is one.
    pub fn signed_at(&self) -> Option<Timestamp> {
        self.signed_at
    }

    /// What stands behind the time.
    pub fn log(&self) -> LogProof {
        self.log
    }

    /// Whether it still holds at `now`. A signature of a key with an end, made at no proven time, ends with the key;
    /// everything else holds for good.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.holds_until().is_none_or(|end| now <= end)
    }

    /// Until when it holds, if not for good.
    pub(in crate::verify) fn holds_until(&self) -> Option<Timestamp> {
        self.beside.as_ref()?.holds_until
    }

    /// Why other trust domains that know who certified the signer, or other keys that fit, do not prove it: each names itself
    /// first. Of few facts, and at most four of at most 400 characters.
    pub fn unproven(&self) -> &[Box<str>] {
        self.beside.as_ref().map_or(&[], |beside| &beside.unproven)
    }

    /// What it says.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }
}
