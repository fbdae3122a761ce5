//! Certificate chains by the specification ("Certificate Requirements"): complete, ordered, and for signing code.

use std::time::Duration;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ANY_EXTENDED_KEY_USAGE, ID_KP_CLIENT_AUTH, ID_KP_CODE_SIGNING, ID_KP_EMAIL_PROTECTION, ID_KP_OCSP_SIGNING,
    ID_KP_SERVER_AUTH, ID_KP_TIME_STAMPING,
};
use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, UnixTime};
use sigstore_types::DerCertificate;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, anchor_from_trusted_cert};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages};

use crate::limits;
use crate::trust::PublicKey;
use crate::verify::defect::Defect;
use crate::verify::{FlawKind, lengths};

/// What a certificate for signing code may do besides: nothing that a server, a client or a mail reader is asked for.
const FOREIGN_USAGES: [ObjectIdentifier; 6] = [
    ANY_EXTENDED_KEY_USAGE,
    ID_KP_SERVER_AUTH,
    ID_KP_CLIENT_AUTH,
    ID_KP_EMAIL_PROTECTION,
    ID_KP_TIME_STAMPING,
    ID_KP_OCSP_SIGNING,
];

/// The certificates of an envelope, the signer's first. Read; nothing about them was proved.
#[derive(Debug)]
pub(super) struct Chain {
    leaf: Link,
    above: Vec<Link>,
    leaf_key: PublicKey,
}

#[derive(Debug)]
struct Link {
    der: Vec<u8>,
    certificate: Certificate,
}

impl Chain {
    /// # Errors
    /// A [`Defect`] if there are none, too many, or one that cannot be read.
    pub(super) fn read(certificates: &[Vec<u8>]) -> Result<Self, Defect> {
        if certificates.len() > limits::CERTIFICATES {
            let text =
                format!("it has {} certificates, at most {} are looked at", certificates.len(), limits::CERTIFICATES);
            return Err(Defect::new(FlawKind::TooMuch, text));
        }
        let mut links = certificates.iter().map(|der| Link::read(der));
        let leaf = links.next().ok_or_else(|| Defect::new(FlawKind::Malformed, "it has no certificate"))??;
        let leaf_key = PublicKey::of(&DerCertificate::from_bytes(&leaf.der))
            .map_err(|why| Defect::new(FlawKind::Unsupported, format!("the certificate's key is not usable: {why}")))?;
        Ok(Self { leaf, above: links.collect::<Result<_, _>>()?, leaf_key })
    }

    /// The signer's certificate.
    pub(super) fn leaf(&self) -> &Certificate {
        &self.leaf.certificate
    }

    /// The signer's key.
    pub(super) fn leaf_key(&self) -> &PublicKey {
        &self.leaf_key
    }

    /// The subjects of its certificates, in words.
    pub(super) fn names(&self) -> String {
        let names: Vec<_> = self.links().map(|link| link.certificate.tbs_certificate.subject.to_string()).collect();
        names.join("; ")
    }

    /// The end of the first certificate to end.
    pub(super) fn ends(&self) -> Timestamp {
        self.links().filter_map(|link| validity(&link.certificate)).map(|(_, end)| end).min().unwrap_or(Timestamp::MIN)
    }

    /// The one of its authorities that is in `store`. A signer that certifies itself may be its own.
    pub(super) fn anchor(&self, store: &[DerCertificate]) -> Option<&Certificate> {
        let alone = std::iter::once(&self.leaf).filter(|_| self.above.is_empty());
        let trusted = |link: &&Link| store.iter().any(|known| known.as_bytes() == link.der);
        self.above.iter().chain(alone).find(trusted).map(|link| &link.certificate)
    }

    /// Whether each certificate may be what it is here.
    ///
    /// # Errors
    /// [`FlawKind::Certificate`] if one may not.
    pub(super) fn check_requirements(&self) -> Result<(), Defect> {
        self.leaf.check_signer()?;
        self.above.iter().enumerate().try_for_each(|(below, link)| link.check_authority(below))?;
        let root = self.above.last().unwrap_or(&self.leaf);
        if root.certificate.tbs_certificate.subject != root.certificate.tbs_certificate.issuer {
            return Err(root.unfit("is the last, and was issued by another: the chain is not complete"));
        }
        Ok(())
    }

    /// Whether each certificate was issued by the next, and all of them were valid at `time`.
    ///
    /// # Errors
    /// [`FlawKind::Certificate`] if not.
    pub(super) fn verify(&self, time: Timestamp) -> Result<(), Defect> {
        for link in self.links() {
            let (start, end) = validity(&link.certificate).ok_or_else(|| link.unfit("has no readable validity"))?;
            if time < start || end < time {
                return Err(link.unfit(&format!("is valid from {start} to {end}, and not at {time}")));
            }
        }
        let (root, between) = self.above.split_last().unwrap_or((&self.leaf, &[]));
        let [leaf, root] = [&self.leaf, root].map(|link| CertificateDer::from(link.der.as_slice()));
        let between: Vec<_> = between.iter().map(|link| CertificateDer::from(link.der.as_slice())).collect();
        let untrusted = |error: webpki::Error| self.leaf.unfit(&format!("is not certified by the chain: {error}"));
        let anchors = [anchor_from_trusted_cert(&root).map_err(untrusted)?];
        let seconds = u64::try_from(time.as_second()).map_err(|_| self.leaf.unfit("was used before 1970"))?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let usage = webpki::KeyUsage::required_if_present(ID_KP_CODE_SIGNING.as_bytes());
        let certificate = EndEntityCert::try_from(&leaf).map_err(untrusted)?;
        let path = certificate
            .verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &between, time, usage, None, None)
            .map_err(untrusted)?;
        if !path.intermediate_certificates().map(webpki::Cert::der).eq(between.iter().cloned()) {
            return Err(self.leaf.unfit("is certified by a part of the chain alone, or in another order"));
        }
        Ok(())
    }

    fn links(&self) -> impl Iterator<Item = &Link> {
        std::iter::once(&self.leaf).chain(&self.above)
    }
}

impl Link {
    fn read(der: &[u8]) -> Result<Self, Defect> {
        lengths::check(der, "a certificate")?;
        let certificate = Certificate::from_der(der)
            .map_err(|error| Defect::new(FlawKind::Malformed, format!("a certificate cannot be read: {error}")))?;
        Ok(Self { der: der.to_vec(), certificate })
    }

    fn check_signer(&self) -> Result<(), Defect> {
        if self.extension::<BasicConstraints>()?.is_some_and(|(_, constraints)| constraints.ca) {
            return Err(self.unfit("is an authority's, and authorities do not sign"));
        }
        let KeyUsage(usages) = self.key_usages()?;
        // Repudiation is a matter of the law.
        let may = KeyUsages::DigitalSignature | KeyUsages::NonRepudiation;
        if !usages.contains(KeyUsages::DigitalSignature) || !may.contains(usages) {
            return Err(self.unfit("is not for digital signatures alone"));
        }
        match self.extension::<ExtendedKeyUsage>()? {
            Some((_, ExtendedKeyUsage(purposes))) if !is_for_code(&purposes) => {
                Err(self.unfit("is not for signing code alone"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// `below`: how many authorities there are between it and the signer.
    fn check_authority(&self, below: usize) -> Result<(), Defect> {
        let constraints = self.extension::<BasicConstraints>()?;
        let Some((true, BasicConstraints { ca: true, path_len_constraint })) = constraints else {
            return Err(self.unfit("is not an authority's"));
        };
        if path_len_constraint.is_some_and(|most| usize::from(most) < below) {
            return Err(self.unfit("does not allow so long a chain"));
        }
        if !self.key_usages()?.0.contains(KeyUsages::KeyCertSign) {
            return Err(self.unfit("is not for signing certificates"));
        }
        Ok(())
    }

    fn key_usages(&self) -> Result<KeyUsage, Defect> {
        match self.extension::<KeyUsage>()? {
            Some((true, usages)) => Ok(usages),
            Some((false, _)) | None => Err(self.unfit("does not say critically what its key is for")),
        }
    }

    fn extension<'a, T: Decode<'a> + const_oid::AssociatedOid>(&'a self) -> Result<Option<(bool, T)>, Defect> {
        let extension = self.certificate.tbs_certificate.get::<T>();
        extension.map_err(|error| self.unfit(&format!("has an extension that cannot be read: {error}")))
    }

    fn unfit(&self, why: &str) -> Defect {
        let subject = &self.certificate.tbs_certificate.subject;
        Defect::new(FlawKind::Certificate, format!("the certificate of {subject} {why}"))
    }
}

fn is_for_code(purposes: &[ObjectIdentifier]) -> bool {
    purposes.contains(&ID_KP_CODE_SIGNING) && !purposes.iter().any(|purpose| FOREIGN_USAGES.contains(purpose))
}

fn validity(certificate: &Certificate) -> Option<(Timestamp, Timestamp)> {
    let validity = certificate.tbs_certificate.validity;
    let time = |time: x509_cert::time::Time| Timestamp::try_from(time.to_system_time()).ok();
    Some((time(validity.not_before)?, time(validity.not_after)?))
}
