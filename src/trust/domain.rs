//! One trust domain: its verifier, and what its signatures must come with.

use std::fmt;

use sigstore_trust_root::TrustedRoot;
use sigstore_verify::Verifier;

use crate::trust::root;
use crate::trust::settings::Requirement;
use crate::trust::snapshot::TrustError;

/// A trusted root and its rules, ready to verify.
pub struct Domain {
    name: String,
    root: TrustedRoot,
    verifier: Verifier,
    authorities: Vec<Vec<u8>>,
    transparency_log: Requirement,
    certificate_timestamps: Requirement,
}

impl Domain {
    /// The domain `name` whose trusted root is `json`, and what of it was left out.
    pub(in crate::trust) fn new(
        name: &str,
        json: &str,
        transparency_log: Requirement,
        certificate_timestamps: Requirement,
    ) -> Result<(Self, Vec<String>), TrustError> {
        let invalid = |reason: String| TrustError::Root { name: name.to_owned(), reason };
        let root = TrustedRoot::from_json(json).map_err(|error| invalid(error.to_string()))?;
        let (root, left_out) = root::usable(root);
        let verifier = Verifier::new(&root).map_err(|error| invalid(error.to_string()))?;
        let authorities = root::authorities(&root);
        let domain =
            Self { name: name.to_owned(), root, verifier, authorities, transparency_log, certificate_timestamps };
        domain.check()?;
        Ok((domain, left_out))
    }

    /// The name that rules refer to.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a signature needs an entry of a transparency log of this domain.
    pub fn transparency_log(&self) -> Requirement {
        self.transparency_log
    }

    /// Whether a certificate needs a timestamp (SCT) of a certificate log of this domain.
    pub fn certificate_timestamps(&self) -> Requirement {
        self.certificate_timestamps
    }

    /// The verifier of this root.
    pub(crate) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Whether a certificate authority of this domain is called `name` (DER).
    pub(crate) fn has_authority(&self, name: &[u8]) -> bool {
        self.authorities.iter().any(|authority| authority == name)
    }

    /// A root that cannot meet its own rules would refuse everything, and look like an attack.
    fn check(&self) -> Result<(), TrustError> {
        let missing = |what| Err(TrustError::Lacks { name: self.name.clone(), what });
        if self.root.certificate_authorities.is_empty() && self.root.tlogs.is_empty() {
            return missing("certificate authority or transparency log");
        }
        match self.transparency_log {
            Requirement::Required if self.root.tlogs.is_empty() => return missing("transparency log"),
            Requirement::NotRequired if self.root.timestamp_authorities.is_empty() => {
                return missing("timestamp authority, and no log is required");
            }
            Requirement::Required | Requirement::NotRequired => {}
        }
        match self.certificate_timestamps {
            Requirement::Required if self.root.ctlogs.is_empty() => missing("certificate log"),
            Requirement::Required | Requirement::NotRequired => Ok(()),
        }
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain").field("name", &self.name).finish_non_exhaustive()
    }
}
