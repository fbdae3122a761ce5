//! Certificate chains, for what sigstore-verify does not check itself. It does the same, by the same means.

use std::time::Duration;

use const_oid::db::rfc5912::ID_KP_CODE_SIGNING;
use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use sigstore_crypto::WEBPKI_VERIFICATION_ALGS;
use sigstore_types::DerCertificate;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::{Encode, Tag};

use crate::trust::{Domain, Requirement};
use crate::verify::defect::Defect;
use crate::verify::{FlawKind, sct};

/// Checks that a certificate authority of `domain` that was valid at `time` issued `leaf` for signing code, that `leaf`
/// was valid at `time`, and that a certificate log of the domain has it, where the domain asks for that.
///
/// Chains that come with a signature are not looked at: legacy layers need none, since Sigstore's roots list their
/// intermediates.
///
/// # Errors
/// [`FlawKind::Certificate`] or [`FlawKind::CertificateTimestamp`].
pub(in crate::verify) fn verify(domain: &Domain, leaf: &DerCertificate, time: Timestamp) -> Result<(), Defect> {
    let authorities: Vec<_> =
        domain.authorities_at(time).map(|authority| CertificateDer::from(authority.as_bytes())).collect();
    let anchors: Vec<_> = authorities.iter().filter_map(|authority| anchor_from_trusted_cert(authority).ok()).collect();
    let issuer = issued(leaf, &anchors, time)?;
    match domain.certificate_timestamps() {
        Requirement::Required => sct::verify(domain, leaf, &issuer),
        Requirement::NotRequired => Ok(()),
    }
}

/// The public key (SPKI, DER) of the one of `anchors` that issued `leaf`.
fn issued(leaf: &DerCertificate, anchors: &[TrustAnchor<'_>], time: Timestamp) -> Result<Vec<u8>, Defect> {
    let seconds = u64::try_from(time.as_second()).map_err(|_| untrusted("it was signed before 1970"))?;
    let der = CertificateDer::from(leaf.as_bytes());
    let certificate = EndEntityCert::try_from(&der).map_err(|error| untrusted(&error.to_string()))?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let usage = KeyUsage::required(ID_KP_CODE_SIGNING.as_bytes());
    let path = certificate
        .verify_for_usage(WEBPKI_VERIFICATION_ALGS, anchors, &[], time, usage, None, None)
        .map_err(|error| untrusted(&error.to_string()))?;
    // An anchor's key comes without the SEQUENCE around it.
    let key = path.anchor().subject_public_key_info.as_ref();
    AnyRef::new(Tag::Sequence, key).and_then(|key| key.to_der()).map_err(|error| untrusted(&error.to_string()))
}

fn untrusted(why: &str) -> Defect {
    Defect::new(FlawKind::Certificate, format!("the certificate is not trusted: {why}"))
}
