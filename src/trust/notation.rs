//! A trust domain of the Notary Project: certificates that are trusted, by what they are trusted for.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sigstore_types::DerCertificate;
use webpki::anchor_from_trusted_cert;

use crate::trust::settings::NotationSettings;
use crate::trust::snapshot::TrustError;

/// Named trust stores (`trust-store-trust-policy.md`, "Trust Store"). Never merged: an authority for one signing scheme
/// says nothing in the other.
#[derive(Debug)]
pub struct NotationStore {
    name: String,
    ca: Vec<DerCertificate>,
    signing_authority: Vec<DerCertificate>,
    tsa: Vec<DerCertificate>,
}

/// What certificates are trusted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotationStoreKind {
    /// To certify who signs.
    Ca,
    /// To certify services that sign for others, and state the time truly.
    SigningAuthority,
    /// To certify timestamp authorities.
    Tsa,
}

impl NotationStore {
    /// The stores of `settings`, whose files hold what `read` says.
    pub(in crate::trust) fn new(
        name: &str,
        settings: &NotationSettings,
        read: impl Fn(&Path) -> Result<String, TrustError>,
    ) -> Result<Self, TrustError> {
        let load = |paths: &[std::path::PathBuf]| {
            let mut certificates = Vec::new();
            for path in paths {
                certificates.extend(certificates_of(name, path, &read(path)?)?);
            }
            Ok::<_, TrustError>(certificates)
        };
        let store = Self {
            name: name.to_owned(),
            ca: load(&settings.ca)?,
            signing_authority: load(&settings.signing_authority)?,
            tsa: load(&settings.tsa)?,
        };
        if store.ca.is_empty() && store.signing_authority.is_empty() {
            return Err(TrustError::Lacks { name: name.to_owned(), what: "certificate in ca or signing_authority" });
        }
        Ok(store)
    }

    /// The name that rules refer to.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The certificates that are trusted for `kind`.
    pub(crate) fn certificates(&self, kind: NotationStoreKind) -> &[DerCertificate] {
        match kind {
            NotationStoreKind::Ca => &self.ca,
            NotationStoreKind::SigningAuthority => &self.signing_authority,
            NotationStoreKind::Tsa => &self.tsa,
        }
    }
}

impl NotationStoreKind {
    /// What its store is called in the configuration.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::SigningAuthority => "signing_authority",
            Self::Tsa => "tsa",
        }
    }
}

fn certificates_of(name: &str, path: &Path, pem: &str) -> Result<Vec<DerCertificate>, TrustError> {
    let invalid = |reason: String| TrustError::Certificates { name: name.to_owned(), path: path.to_owned(), reason };
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| invalid(error.to_string()))?;
        anchor_from_trusted_cert(&certificate).map_err(|error| invalid(error.to_string()))?;
        certificates.push(DerCertificate::from_bytes(&certificate));
    }
    if certificates.is_empty() {
        return Err(invalid("it holds no certificate".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;
    use crate::trust::{DomainSettings, Trust};

    /// A folder with two certificates, a file without one, and a broken one.
    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let certificate = || rcgen::generate_simple_self_signed(vec!["acme.test".to_owned()]).unwrap().cert.pem();
        write("one.pem", &certificate());
        write("two.pem", &certificate());
        write("empty.pem", "no certificate");
        write("broken.pem", "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n");
        folder
    }

    fn load(folder: &TempDir, ca: &[&str], signing_authority: &[&str], tsa: &[&str]) -> Result<Trust, TrustError> {
        let paths = |names: &[&str]| names.iter().map(|name| folder.path().join(name)).collect::<Vec<PathBuf>>();
        let settings = NotationSettings { ca: paths(ca), signing_authority: paths(signing_authority), tsa: paths(tsa) };
        Trust::load(&[DomainSettings::of_notation("acme", settings)], &[])
    }

    #[test]
    fn a_domain_of_trust_stores_is_found_by_name_and_is_none_of_sigstores() {
        let trust = load(&folder(), &["one.pem"], &[], &[]).unwrap();
        assert!(trust.has_domain("acme"));
        assert!(trust.domains().iter().all(|domain| domain.name() != "acme"));
        assert_eq!(trust.notation_stores().count(), 1);
    }

    #[test]
    fn a_file_without_a_usable_certificate_is_refused_by_name() {
        for file in ["empty.pem", "broken.pem"] {
            let error = load(&folder(), &["one.pem", file], &[], &[]).unwrap_err();
            assert!(matches!(&error, TrustError::Certificates { path, .. } if path.ends_with(file)), "{error}");
        }
        assert!(matches!(load(&folder(), &["none.pem"], &[], &[]).unwrap_err(), TrustError::File { .. }));
        assert!(matches!(load(&folder(), &[], &[], &["one.pem"]).unwrap_err(), TrustError::Source { .. }));
    }

    #[test]
    fn the_epoch_changes_with_every_store() {
        let folder = folder();
        let epoch = |ca: &[&str], authority: &[&str], tsa: &[&str]| load(&folder, ca, authority, tsa).unwrap().epoch();
        let epochs = [
            epoch(&["one.pem"], &[], &[]),
            epoch(&["two.pem"], &[], &[]),
            epoch(&["one.pem", "two.pem"], &[], &[]),
            epoch(&[], &["one.pem"], &[]),
            epoch(&["one.pem"], &["one.pem"], &[]),
            epoch(&["one.pem"], &[], &["one.pem"]),
        ];
        let distinct: std::collections::HashSet<_> = epochs.iter().collect();
        assert_eq!(distinct.len(), epochs.len());
    }
}
