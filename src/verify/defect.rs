//! What is wrong with a piece of evidence, in words that whoever was refused can act on.

use sigstore_verify::bundle::Error as BundleError;
use sigstore_verify::{CertificateError, Error, TimestampError, TransparencyLogError};

use crate::evidence::{Evidence, Malformed};
use crate::verify::{Flaw, FlawKind};

/// Longest text of a defect: errors may quote what they read.
const TEXT: usize = 400;

/// What is wrong, before it is said of which piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::verify) struct Defect {
    pub(in crate::verify) kind: FlawKind,
    pub(in crate::verify) text: String,
}

impl Defect {
    pub(in crate::verify) fn new(kind: FlawKind, text: impl Into<String>) -> Self {
        let text: String = text.into();
        Self { kind, text: text.chars().filter(|c| !c.is_control()).take(TEXT).collect() }
    }

    /// The same, saying in or by what it was found.
    pub(in crate::verify) fn within(self, place: &str) -> Self {
        Self::new(self.kind, format!("{place}: {}", self.text))
    }

    /// The flaw of `evidence` that this is.
    pub(in crate::verify) fn of(self, evidence: &Evidence, predicate_type: Option<String>) -> Flaw {
        Flaw {
            source: evidence.source,
            found_in: evidence.found_in.clone().map(Box::new),
            form: Some(evidence.form()),
            predicate_type: predicate_type.map(String::into_boxed_str),
            kind: self.kind,
            text: self.text,
        }
    }
}

/// What cannot be parsed.
pub(in crate::verify) fn malformed(text: impl Into<String>) -> Defect {
    Defect::new(FlawKind::Malformed, text)
}

impl From<Malformed> for Defect {
    fn from(malformed: Malformed) -> Self {
        let kind = match malformed {
            Malformed::Json(_) => FlawKind::Malformed,
            Malformed::StatementType(_) => FlawKind::Unsupported,
            Malformed::TooMuch { .. } => FlawKind::TooMuch,
        };
        Self::new(kind, malformed.to_string())
    }
}

impl From<Error> for Defect {
    fn from(error: Error) -> Self {
        match error {
            Error::SignatureInvalid(why) => {
                Self::new(FlawKind::Signature, format!("the signature does not fit: {why}"))
            }
            Error::ArtifactMismatch(why) => Self::new(FlawKind::Subject, format!("it is about something else: {why}")),
            Error::Certificate(error) => error.into(),
            Error::TransparencyLog(error) => error.into(),
            Error::Timestamp(error) => error.into(),
            Error::Bundle(error) => error.into(),
            Error::InvalidBundle(why) => Self::new(FlawKind::Malformed, why),
            Error::UnsupportedBundle(why) | Error::UnsupportedArtifact(why) => Self::new(FlawKind::Unsupported, why),
            Error::Types(error) => Self::new(FlawKind::Malformed, error.to_string()),
            Error::Crypto(error) => error.into(),
            // Identities are the policy's business, and a trusted root was checked when it was loaded: none of these
            // can come of a piece of evidence. Were one to, it would still prove nothing.
            Error::IdentityMismatch { .. }
            | Error::IssuerMismatch { .. }
            | Error::InvalidTrustRoot(_)
            | Error::TrustRoot(_)
            | Error::TrustedCertificate(_)
            | Error::ArtifactRead(_)
            | _ => Self::new(FlawKind::Unsupported, error.to_string()),
        }
    }
}

impl From<CertificateError> for Defect {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::Sct(why) => {
                Self::new(FlawKind::CertificateTimestamp, format!("the certificate's timestamp (SCT) is wrong: {why}"))
            }
            CertificateError::ChainInvalid(why) => {
                Self::new(FlawKind::Certificate, format!("the certificate is not trusted: {why}"))
            }
            CertificateError::NoValidAuthority { time } => Self::new(
                FlawKind::Certificate,
                format!("no certificate authority of the trusted root was valid at {time}, when it was signed"),
            ),
            // The first cannot come of a certificate that was read before, nor the others of a chain that was verified.
            CertificateError::Malformed(_)
            | CertificateError::NotYetValid { .. }
            | CertificateError::Expired { .. }
            | _ => Self::new(FlawKind::Certificate, error.to_string()),
        }
    }
}

impl From<TransparencyLogError> for Defect {
    fn from(error: TransparencyLogError) -> Self {
        let kind = match error {
            TransparencyLogError::MalformedEntry(_) => FlawKind::Malformed,
            TransparencyLogError::UnknownLog { .. }
            | TransparencyLogError::InclusionProof(_)
            | TransparencyLogError::Checkpoint(_)
            | TransparencyLogError::InclusionPromise(_)
            | TransparencyLogError::EntryMismatch(_)
            | TransparencyLogError::IntegratedTime(_)
            | _ => FlawKind::Log,
        };
        Self::new(kind, format!("the transparency log entry does not hold: {error}"))
    }
}

impl From<TimestampError> for Defect {
    fn from(error: TimestampError) -> Self {
        match error {
            TimestampError::NoVerifiedTimestamp(_) => Self::new(
                FlawKind::Timestamp,
                "nothing proves when it was signed: neither a log entry with a promise (SET) nor a signed timestamp",
            ),
            TimestampError::Invalid(_) | TimestampError::OutsideAuthorityValidity { .. } | _ => {
                Self::new(FlawKind::Timestamp, format!("the signed timestamp does not hold: {error}"))
            }
        }
    }
}

impl From<BundleError> for Defect {
    fn from(error: BundleError) -> Self {
        let kind = match error {
            BundleError::CertificateChainNotAllowed(_) => FlawKind::Malformed,
            BundleError::MissingSigningTimeEvidence | BundleError::MissingTimestamp => FlawKind::Timestamp,
            BundleError::MissingInclusionPromise(_)
            | BundleError::MissingInclusionProof(_)
            | BundleError::MissingCheckpoint
            | BundleError::LogIndexOutOfRange { .. }
            | BundleError::CheckpointRootMismatch => FlawKind::Log,
            BundleError::UnsupportedMediaType(_) | BundleError::UnsupportedVerificationMaterial | _ => {
                FlawKind::Unsupported
            }
        };
        Self::new(kind, error.to_string())
    }
}

impl From<sigstore_crypto::Error> for Defect {
    fn from(error: sigstore_crypto::Error) -> Self {
        let kind = match error {
            sigstore_crypto::Error::Verification(_) => FlawKind::Signature,
            sigstore_crypto::Error::UnsupportedAlgorithm(_) => FlawKind::Unsupported,
            sigstore_crypto::Error::KeyGeneration(_)
            | sigstore_crypto::Error::Signing(_)
            | sigstore_crypto::Error::InvalidKeyFormat(_)
            | sigstore_crypto::Error::Pem(_)
            | sigstore_crypto::Error::Der(_)
            | sigstore_crypto::Error::Checkpoint(_)
            | sigstore_crypto::Error::InvalidCertificate(_)
            | sigstore_crypto::Error::InvalidKey(_)
            | _ => FlawKind::Malformed,
        };
        Self::new(kind, error.to_string())
    }
}
