//! Why rules cannot be used, and where in the configuration.

use crate::policy::pattern::GlobError;
use crate::policy::versions::RangeError;

/// A rule, a builder, an exception or a revocation that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct PolicyError {
    /// Where: keys and indexes of the configuration, such as `rule.0.signature.1.subject`.
    pub at: String,
    /// What is wrong there, and what to write instead.
    pub problem: PolicyProblem,
}

/// What is wrong with a part of the policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyProblem {
    /// Two things of one name.
    #[error("the name {0:?} is used twice: reasons and metrics could not tell one from the other")]
    Duplicate(String),
    /// A text that must say something is empty.
    #[error("this must not be empty")]
    Empty,
    /// Not a glob.
    #[error(transparent)]
    Glob(#[from] GlobError),
    /// Not a regular expression.
    #[error("not a regular expression: {0}")]
    Regex(String),
    /// The pattern can match no image.
    #[error("{0:?} matches no image: write upstream/repository, such as docker.io/library/nginx or ghcr.io/acme/**")]
    Image(String),
    /// No `[[trust]]` of that name.
    #[error("there is no trust domain {0:?}: public-good and github are built in, others need a [[trust]]")]
    UnknownTrust(String),
    /// No `[[key]]` of that name.
    #[error("there is no key {0:?}: add a [[key]] with that name and the path of its PEM file")]
    UnknownKey(String),
    /// No builder of that name.
    #[error("there is no builder {name:?}: known are {known}, others need a [[builder]]")]
    UnknownBuilder {
        /// As written.
        name: String,
        /// All that there are.
        known: String,
    },
    /// No verifier of that name.
    #[error("there is no verifier {name:?}: add a [[verifier]] with that name{}", listed(known))]
    UnknownVerifier {
        /// As written.
        name: String,
        /// All that there are.
        known: String,
    },
    /// A line that no verification summary could meet.
    #[error(
        "a verification summary does not say what {0} it was built from: remove this line, or take verifiers out and let builders prove it"
    )]
    NotInSummaries(&'static str),
    /// A certificate identity without issuer or subject.
    #[error("an identity needs both issuer and subject, or a key: who signed is the one without the other to nobody")]
    HalfIdentity,
    /// Keys that exclude each other.
    #[error("{0} cannot be used together: keep one of them")]
    Conflict(&'static str),
    /// Alternatives within alternatives.
    #[error("any_of cannot be nested: write all identities into one any_of")]
    NestedAnyOf,
    /// A threshold without alternatives.
    #[error("at_least counts identities out of any_of: add any_of = [ {{ .. }}, {{ .. }} ]")]
    NothingToCount,
    /// A threshold that nothing or everything meets.
    #[error("at_least = {at_least} of {alternatives} identities in any_of: write a number from 1 to {alternatives}")]
    Threshold {
        /// As written.
        at_least: usize,
        /// How many identities there are.
        alternatives: usize,
    },
    /// More alternatives than are looked at.
    #[error("{found} identities in any_of: {most} at most")]
    TooManyAlternatives {
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// Not a condition.
    #[error("this is no condition: {0}")]
    Condition(String),
    /// Not a length of time.
    #[error("{0:?} is not a time to wait: write a number with s, m, h or d, such as \"72h\"")]
    Duration(String),
    /// An age without a signature that could have one.
    #[error("min_log_age is the age of signatures: add a [[rule.signature]]")]
    AgeOfNothing,
    /// Not a version.
    #[error("{0:?} is not a version: write v1, v1.2 or v1.2.3")]
    Version(String),
    /// A compromise window about nobody.
    #[error("whose time is this? add subject = \"..\" or key = \"..\"")]
    NobodysWindow,
    /// A compromise window of all times.
    #[error("since when, or until when? add from or until; what counts at no time at all goes into subjects")]
    EndlessWindow,
    /// A compromise window that ends before it begins.
    #[error("until is before from: write the earlier time as from")]
    ReversedWindow,
    /// `enforce` and `audit` without a requirement.
    #[error(
        "this rule demands nothing: add [[rule.signature]], [rule.provenance] or [rule.sbom], or say mode = \"allow\""
    )]
    NoRequirement,
    /// `allow` and `deny` with requirements.
    #[error("mode = \"{0}\" looks at no evidence: remove the requirements, or say mode = \"enforce\" or \"audit\"")]
    IdleRequirement(&'static str),
    /// `on_unproven_update` in a rule that refuses nothing, or everything.
    #[error("last-admitted is for mode = \"enforce\": no other mode ever waits for a proof; remove this line")]
    NothingToKeep,
    /// `base_images` without provenance or a bill of materials that could name them.
    #[error(
        "base images are those that provenance or a bill of materials names: add [rule.provenance] or [rule.sbom], or \
         remove this line"
    )]
    NobodyNamesBases,
    /// A bill of materials signed by anybody.
    #[error("who signs the bill of materials? add signed_by = {{ .. }} here, or a [[rule.signature]] to the rule")]
    NoSigner,
    /// Not a build level of SLSA.
    #[error("{0} is not a SLSA build level: write 1, 2 or 3")]
    Level(u8),
    /// Not a package URL.
    #[error("{text:?} is not a package URL such as pkg:npm/axios@1.14.1: {problem}")]
    PackageUrl {
        /// As written.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Not a range of versions.
    #[error("{text:?}: {problem}")]
    Versions {
        /// As written.
        text: String,
        /// What is wrong with it.
        problem: RangeError,
    },
    /// A version and a range of versions.
    #[error("{0:?} names a version and a range (vers=): keep one of them")]
    VersionAndRange(String),
    /// Not a licence.
    #[error("{text:?} is no licence of the SPDX list and no LicenseRef-{}", meant_in_words(meant))]
    License {
        /// As written.
        text: String,
        /// Those that may be meant.
        meant: String,
    },
    /// Not a commit.
    #[error("{0:?} is not a commit: write all 40 (or 64) hexadecimal digits")]
    Commit(String),
    /// Not an image by digest.
    #[error("{0:?} is not upstream/repository@sha256:<64 hexadecimal digits>: exceptions are for one digest")]
    ImageDigest(String),
}

fn listed(names: &str) -> String {
    if names.is_empty() { String::new() } else { format!(", or write one of {names}") }
}

fn meant_in_words(meant: &str) -> String {
    if meant.is_empty() { ": see https://spdx.org/licenses".to_owned() } else { format!("; did you mean {meant}?") }
}

/// A place in the configuration, while compiling.
#[derive(Debug, Clone)]
pub(super) struct Place(String);

impl Place {
    pub(super) fn table(name: &str, index: usize) -> Self {
        Self(format!("{name}.{index}"))
    }

    pub(super) fn of(name: &str) -> Self {
        Self(name.to_owned())
    }

    pub(super) fn key(&self, key: &str) -> Self {
        Self(format!("{}.{key}", self.0))
    }

    pub(super) fn item(&self, key: &str, index: usize) -> Self {
        Self(format!("{}.{key}.{index}", self.0))
    }

    pub(super) fn problem(&self, problem: impl Into<PolicyProblem>) -> PolicyError {
        PolicyError { at: self.0.clone(), problem: problem.into() }
    }
}
