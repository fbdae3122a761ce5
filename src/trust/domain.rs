//! One trust domain: its verifier, and what its signatures must come with.

use std::fmt;

use jiff::Timestamp;
use sigstore_crypto::{Keyring, SigningScheme};
use sigstore_trust_root::{CertificateAuthority, TrustedRoot, TsaAuthority};
use sigstore_types::{DerCertificate, TimeRange};
use sigstore_verify::Verifier;

use crate::trust::root;
use crate::trust::settings::Requirement;
use crate::trust::snapshot::TrustError;

/// A trusted root and its rules, ready to verify.
pub struct Domain {
    name: String,
    root: TrustedRoot,
    verifier: Verifier,
    log_keys: Keyring,
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
        let (root, left_out) = root::usable(root::read(json).map_err(invalid)?);
        let verifier = Verifier::new(&root).map_err(|error| invalid(error.to_string()))?;
        let log_keys = root.rekor_keys().map_err(|error| invalid(error.to_string()))?;
        let authorities = root::authorities(&root);
        let domain = Self {
            name: name.to_owned(),
            root,
            verifier,
            log_keys,
            authorities,
            transparency_log,
            certificate_timestamps,
        };
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

    /// When the last of what a signature must come with ends: from then on nothing that is signed can be proven under this
    /// root. None if nothing of it has an end.
    pub fn ends(&self) -> Option<Timestamp> {
        let root = &self.root;
        let authorities = last_end(root.certificate_authorities.iter().map(|it| it.valid_for));
        let logs = last_end(root.tlogs.iter().map(|it| it.public_key.valid_for));
        let certificate_logs = last_end(root.ctlogs.iter().map(|it| it.public_key.valid_for));
        let timestamps = last_end(root.timestamp_authorities.iter().map(|it| it.valid_for));
        let time = match self.transparency_log {
            Requirement::Required => logs,
            Requirement::NotRequired => timestamps,
        };
        let certificate = match self.certificate_timestamps {
            Requirement::Required => certificate_logs,
            Requirement::NotRequired => None,
        };
        [authorities, time, certificate].into_iter().flatten().min()
    }

    /// The verifier of this root.
    pub(crate) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The keys of its transparency logs, each with the window in which it signed.
    pub(crate) fn log_keys(&self) -> &Keyring {
        &self.log_keys
    }

    /// Whether one of its transparency logs has the ID `log`.
    pub(crate) fn has_log(&self, log: &[u8]) -> bool {
        self.root.tlogs.iter().any(|known| known.log_id.key_id.as_bytes() == log)
    }

    /// The keys of its certificate logs that sign by `scheme`, each with the window in which it signed.
    ///
    /// # Errors
    /// None that the root did not already cause when it was loaded.
    pub(crate) fn certificate_log_keys(&self, scheme: SigningScheme) -> Result<Keyring, sigstore_trust_root::Error> {
        self.root.ctfe_keys(scheme)
    }

    /// Its timestamp authorities, each with the window in which it signed.
    pub(crate) fn timestamp_authorities(&self) -> Vec<TsaAuthority> {
        self.root.tsa_authorities()
    }

    /// The certificates of those of its certificate authorities that were valid at `time`.
    pub(crate) fn authorities_at(&self, time: Timestamp) -> impl Iterator<Item = &DerCertificate> {
        let valid =
            move |authority: &&CertificateAuthority| authority.valid_for.is_none_or(|window| window.contains(time));
        let authorities = self.root.certificate_authorities.iter().filter(valid);
        authorities.flat_map(|authority| &authority.cert_chain.certificates).map(|entry| &entry.raw_bytes)
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

/// The end of the last of `windows` to end; none if one of them has no end, or there is none.
fn last_end(windows: impl Iterator<Item = Option<TimeRange>>) -> Option<Timestamp> {
    let ends: Option<Vec<_>> = windows.map(|window| window.and_then(|window| window.end)).collect();
    ends?.into_iter().max()
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain").field("name", &self.name).finish_non_exhaustive()
    }
}
