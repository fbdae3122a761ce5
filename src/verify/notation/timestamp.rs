//! Timestamps (RFC 3161) over signatures, by authorities of a trust store.
//!
//! Not by sigstore-verify: it knows neither authorities that are given by their roots alone nor such with RSA keys, and
//! most of the world's are both.

use std::time::Duration;

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, VerificationAlgorithm,
};
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::ID_KP_TIME_STAMPING;
use const_oid::db::rfc5911::{ID_CONTENT_TYPE, ID_MESSAGE_DIGEST, ID_SIGNED_DATA};
use const_oid::db::rfc5912::{ID_SHA_256, ID_SHA_384, ID_SHA_512};
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::{CertificateDer, UnixTime};
use sigstore_types::DerCertificate;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::Certificate;
use x509_cert::attr::Attributes;
use x509_cert::der::asn1::{AnyRef, GeneralizedTime, OctetString, SetOfVec};
use x509_cert::der::{self, Decode, Encode, Reader, SliceReader, Tag, Tagged};
use x509_cert::ext::pkix::{ExtendedKeyUsage, SubjectKeyIdentifier};
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::limits;
use crate::trust::{KeyKind, PublicKey};
use crate::verify::defect::Defect;
use crate::verify::{FlawKind, lengths};

/// What a timestamp token holds (RFC 3161, 2.4.2).
const ID_CT_TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");

/// When something was stamped: in between, since authorities state how accurate their clocks are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamped {
    pub(super) earliest: Timestamp,
    pub(super) latest: Timestamp,
}

/// What an authority signs (`TSTInfo`), as far as it is needed.
struct Info {
    hash: ObjectIdentifier,
    imprint: OctetString,
    time: GeneralizedTime,
    /// In seconds, rounded up.
    accuracy: u64,
}

/// When `token` says that `signature` was there, by an authority that one of `roots` certified for that.
///
/// # Errors
/// [`FlawKind::Timestamp`] if it does not, or is not by such an authority.
pub(super) fn verify(token: &[u8], signature: &[u8], roots: &[DerCertificate]) -> Result<Stamped, Defect> {
    let data = signed_data(token)?;
    let content = data.encap_content_info.econtent.as_ref().ok_or_else(|| wrong("it states nothing"))?;
    let content = content.value();
    let info = info(content).map_err(|error| unreadable(&error))?;
    if hash(info.hash, signature)?.as_ref() != info.imprint.as_bytes() {
        return Err(wrong("it is about something else"));
    }
    let [signer] = data.signer_infos.0.as_slice() else { return Err(wrong("it has not one signer")) };
    let certificates = certificates(&data)?;
    let authority = certificates.iter().find(|certificate| is_of(certificate, &signer.sid));
    let authority = authority.ok_or_else(|| wrong("the certificate of its signer is not in it"))?;
    check_signature(signer, content, authority)?;
    let stamped = info.stamped()?;
    certify(authority, &certificates, roots, stamped)?;
    Ok(stamped)
}

fn signed_data(token: &[u8]) -> Result<SignedData, Defect> {
    lengths::check(token, "the signed timestamp")?;
    let content = ContentInfo::from_der(token).map_err(|error| unreadable(&error))?;
    if content.content_type != ID_SIGNED_DATA {
        return Err(wrong("it is not signed"));
    }
    let data: SignedData = content.content.decode_as().map_err(|error| unreadable(&error))?;
    if data.encap_content_info.econtent_type != ID_CT_TST_INFO {
        return Err(wrong("it is something else that was signed"));
    }
    Ok(data)
}

/// `TSTInfo` (RFC 3161, 2.4.2).
fn info(content: &[u8]) -> der::Result<Info> {
    let mut reader = SliceReader::new(content)?;
    let info = reader.sequence(|fields| {
        let _version = u8::decode(fields)?;
        let _policy = ObjectIdentifier::decode(fields)?;
        let (hash, imprint) = fields
            .sequence(|imprint| Ok((AlgorithmIdentifierOwned::decode(imprint)?.oid, OctetString::decode(imprint)?)))?;
        let _serial = AnyRef::decode(fields)?;
        let time = GeneralizedTime::decode(fields)?;
        let mut accuracy = 0;
        while !fields.is_finished() {
            let field = AnyRef::decode(fields)?;
            if field.tag() == Tag::Sequence {
                accuracy = seconds(field.value())?;
            }
        }
        Ok(Info { hash, imprint, time, accuracy })
    })?;
    reader.finish(info)
}

/// The seconds of an `Accuracy`, rounded up. All of its fields may be missing.
fn seconds(accuracy: &[u8]) -> der::Result<u64> {
    let mut reader = SliceReader::new(accuracy)?;
    if reader.is_finished() {
        return Ok(0);
    }
    if reader.peek_tag()? != Tag::Integer {
        return Ok(1);
    }
    let seconds = u64::decode(&mut reader)?;
    Ok(seconds.saturating_add(u64::from(!reader.is_finished())))
}

impl Info {
    fn stamped(&self) -> Result<Stamped, Defect> {
        let time = Timestamp::try_from(self.time.to_system_time()).map_err(|_| wrong("its time is out of range"))?;
        let accuracy = i64::try_from(self.accuracy).map_err(|_| wrong("its accuracy is out of range"))?;
        let accuracy = SignedDuration::from_secs(accuracy);
        let bounds = (time.checked_sub(accuracy), time.checked_add(accuracy));
        let (Ok(earliest), Ok(latest)) = bounds else { return Err(wrong("its accuracy is out of range")) };
        Ok(Stamped { earliest, latest })
    }
}

fn certificates(data: &SignedData) -> Result<Vec<Certificate>, Defect> {
    let certificates = data.certificates.iter().flat_map(|set| set.0.iter());
    let certificates: Vec<_> = certificates
        .filter_map(|choice| match choice {
            CertificateChoices::Certificate(certificate) => Some(certificate.clone()),
            CertificateChoices::Other(_) => None,
        })
        .collect();
    if certificates.len() > limits::CERTIFICATES {
        return Err(Defect::new(FlawKind::TooMuch, format!("a timestamp has {} certificates", certificates.len())));
    }
    Ok(certificates)
}

fn is_of(certificate: &Certificate, signer: &SignerIdentifier) -> bool {
    let certificate = &certificate.tbs_certificate;
    match signer {
        SignerIdentifier::IssuerAndSerialNumber(id) => {
            certificate.issuer == id.issuer && certificate.serial_number == id.serial_number
        }
        SignerIdentifier::SubjectKeyIdentifier(id) => {
            certificate.get::<SubjectKeyIdentifier>().ok().flatten().is_some_and(|(_, own)| own == *id)
        }
    }
}

/// What is signed are attributes, and one of them is the hash of the content (RFC 5652, 5.4).
fn check_signature(signer: &SignerInfo, content: &[u8], authority: &Certificate) -> Result<(), Defect> {
    let attributes = signer.signed_attrs.as_ref().ok_or_else(|| wrong("it has no signed attributes"))?;
    if attribute::<ObjectIdentifier>(attributes, ID_CONTENT_TYPE)? != ID_CT_TST_INFO {
        return Err(wrong("it is something else that was signed"));
    }
    let stated: OctetString = attribute(attributes, ID_MESSAGE_DIGEST)?;
    if hash(signer.digest_alg.oid, content)?.as_ref() != stated.as_bytes() {
        return Err(wrong("it was changed after it was signed"));
    }
    let covered: SetOfVec<_> = attributes.clone();
    let covered = covered.to_der().map_err(|error| unreadable(&error))?;
    let certificate = authority.to_der().map_err(|error| unreadable(&error))?;
    let key = PublicKey::of(&DerCertificate::new(certificate)).map_err(|why| wrong(&why))?;
    let algorithm = algorithm(key.kind(), signer.digest_alg.oid).ok_or_else(|| {
        Defect::new(FlawKind::Unsupported, "the timestamp is signed by an algorithm that is not supported")
    })?;
    if key.fits(algorithm, &covered, signer.signature.as_bytes()) {
        return Ok(());
    }
    Err(wrong("its signature does not fit its certificate"))
}

/// The only value of the only attribute `kind`.
fn attribute<T: for<'a> Decode<'a>>(attributes: &Attributes, kind: ObjectIdentifier) -> Result<T, Defect> {
    let mut found = attributes.iter().filter(|attribute| attribute.oid == kind);
    let (Some(attribute), None) = (found.next(), found.next()) else {
        return Err(wrong(&format!("it has not one attribute {kind}")));
    };
    let [value] = attribute.values.as_slice() else { return Err(wrong("an attribute has not one value")) };
    let value = value.to_der().map_err(|error| unreadable(&error))?;
    T::from_der(&value).map_err(|error| unreadable(&error))
}

fn algorithm(key: KeyKind, hash: ObjectIdentifier) -> Option<&'static dyn VerificationAlgorithm> {
    match (key, hash) {
        (KeyKind::Rsa { .. }, ID_SHA_256) => Some(&RSA_PKCS1_2048_8192_SHA256),
        (KeyKind::Rsa { .. }, ID_SHA_384) => Some(&RSA_PKCS1_2048_8192_SHA384),
        (KeyKind::Rsa { .. }, ID_SHA_512) => Some(&RSA_PKCS1_2048_8192_SHA512),
        (KeyKind::P256, ID_SHA_256) => Some(&ECDSA_P256_SHA256_ASN1),
        (KeyKind::P256, ID_SHA_384) => Some(&ECDSA_P256_SHA384_ASN1),
        (KeyKind::P384, ID_SHA_256) => Some(&ECDSA_P384_SHA256_ASN1),
        (KeyKind::P384, ID_SHA_384) => Some(&ECDSA_P384_SHA384_ASN1),
        (KeyKind::P521, ID_SHA_256) => Some(&ECDSA_P521_SHA256_ASN1),
        (KeyKind::P521, ID_SHA_384) => Some(&ECDSA_P521_SHA384_ASN1),
        (KeyKind::P521, ID_SHA_512) => Some(&ECDSA_P521_SHA512_ASN1),
        (KeyKind::P256 | KeyKind::P384 | KeyKind::P521 | KeyKind::Rsa { .. } | KeyKind::Ed25519, _) => None,
    }
}

fn hash(algorithm: ObjectIdentifier, bytes: &[u8]) -> Result<digest::Digest, Defect> {
    match algorithm {
        ID_SHA_256 => Ok(digest(&SHA256, bytes)),
        ID_SHA_384 => Ok(digest(&SHA384, bytes)),
        ID_SHA_512 => Ok(digest(&SHA512, bytes)),
        other => Err(Defect::new(FlawKind::Unsupported, format!("the timestamp has a hash by {other}"))),
    }
}

/// Checks that one of `roots` certified `authority`, for stamping alone (RFC 3161, 2.3), over those of `between` that it
/// takes, and that all of them were valid when it stamped.
fn certify(
    authority: &Certificate,
    between: &[Certificate],
    roots: &[DerCertificate],
    stamped: Stamped,
) -> Result<(), Defect> {
    match authority.tbs_certificate.get::<ExtendedKeyUsage>() {
        Ok(Some((true, ExtendedKeyUsage(purposes)))) if purposes == [ID_KP_TIME_STAMPING] => {}
        Ok(_) | Err(_) => return Err(wrong("its certificate is not for stamping alone")),
    }
    let own = der_of(authority)?;
    let between = between.iter().map(der_of).collect::<Result<Vec<_>, _>>()?;
    let roots: Vec<_> = roots.iter().map(|root| CertificateDer::from(root.as_bytes())).collect();
    let anchors: Vec<_> = roots.iter().filter_map(|root| anchor_from_trusted_cert(root).ok()).collect();
    let untrusted = |error: webpki::Error| wrong(&format!("its certificate is not trusted: {error}"));
    let certificate = EndEntityCert::try_from(&own).map_err(untrusted)?;
    for time in [stamped.earliest, stamped.latest] {
        let seconds = u64::try_from(time.as_second()).map_err(|_| wrong("its time is before 1970"))?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let usage = KeyUsage::required(ID_KP_TIME_STAMPING.as_bytes());
        certificate
            .verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &between, time, usage, None, None)
            .map_err(untrusted)?;
    }
    Ok(())
}

fn der_of(certificate: &Certificate) -> Result<CertificateDer<'static>, Defect> {
    certificate.to_der().map(CertificateDer::from).map_err(|error| unreadable(&error))
}

fn unreadable(error: &der::Error) -> Defect {
    wrong(&format!("it cannot be read: {error}"))
}

fn wrong(why: &str) -> Defect {
    Defect::new(FlawKind::Timestamp, format!("the signed timestamp does not hold: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accuracy_is_rounded_up_to_seconds() {
        let (five, milliseconds) = ([0x02, 1, 5], [0x80, 1, 7]);
        assert_eq!(seconds(&[]).unwrap(), 0);
        assert_eq!(seconds(&five).unwrap(), 5);
        assert_eq!(seconds(&milliseconds).unwrap(), 1);
        assert_eq!(seconds(&[five, milliseconds].concat()).unwrap(), 6);
    }
}
