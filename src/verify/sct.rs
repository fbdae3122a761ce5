//! Certificate timestamps (SCT) embedded in a certificate (RFC 6962), for what sigstore-verify does not check itself.

use jiff::Timestamp;
use sigstore_crypto::SigningScheme;
use sigstore_types::{DerCertificate, Sha256Hash, SignatureBytes};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::sct::{HashAlgorithm, SignatureAlgorithm, SignatureAndHashAlgorithm};
use x509_cert::ext::pkix::{SignedCertificateTimestamp, SignedCertificateTimestampList};

use crate::oci::Digest;
use crate::trust::Domain;
use crate::verify::FlawKind;
use crate::verify::defect::Defect;

/// The extension that holds the timestamps, and that the timestamps do not cover (RFC 6962, 3.3).
const EXTENSION: const_oid::ObjectIdentifier = const_oid::ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.2");

/// Checks that a certificate log of `domain` timestamped `leaf`, issued by the holder of the key `issuer` (SPKI, DER).
///
/// # Errors
/// [`FlawKind::CertificateTimestamp`].
pub(in crate::verify) fn verify(domain: &Domain, leaf: &DerCertificate, issuer: &[u8]) -> Result<(), Defect> {
    let certificate = Certificate::from_der(leaf.as_bytes()).map_err(|error| wrong(&error.to_string()))?;
    let timestamp = embedded(&certificate)?;
    let scheme = scheme(&timestamp.signature.algorithm)?;
    let keys = domain.certificate_log_keys(scheme).map_err(|error| wrong(&error.to_string()))?;
    let milliseconds = i64::try_from(timestamp.timestamp).map_err(|_| wrong("its time is out of range"))?;
    let time = Timestamp::from_millisecond(milliseconds).map_err(|_| wrong("its time is out of range"))?;
    let signature = SignatureBytes::from_bytes(timestamp.signature.signature.as_slice());
    keys.verify_with_key_id_at(
        &Sha256Hash::new(timestamp.log_id.key_id),
        time,
        covered(certificate, &timestamp, issuer)?,
        &signature,
    )
    .map_err(|error| wrong(&error.to_string()))
}

/// The one timestamp. Fulcio embeds one.
fn embedded(certificate: &Certificate) -> Result<SignedCertificateTimestamp, Defect> {
    let list = certificate.tbs_certificate.get::<SignedCertificateTimestampList>();
    let list = list.map_err(|error| wrong(&error.to_string()))?;
    let (_, list) = list.ok_or_else(|| wrong("there is none"))?;
    let timestamps = list.parse_timestamps().map_err(|error| wrong(&format!("{error:?}")))?;
    match timestamps.as_slice() {
        [only] => only.parse_timestamp().map_err(|error| wrong(&format!("{error:?}"))),
        several => Err(wrong(&format!("there are {}, and one is expected", several.len()))),
    }
}

fn scheme(algorithm: &SignatureAndHashAlgorithm) -> Result<SigningScheme, Defect> {
    match (&algorithm.signature, &algorithm.hash) {
        (SignatureAlgorithm::Ecdsa, HashAlgorithm::Sha256) => Ok(SigningScheme::EcdsaP256Sha256),
        (SignatureAlgorithm::Ecdsa, HashAlgorithm::Sha384) => Ok(SigningScheme::EcdsaP384Sha384),
        (SignatureAlgorithm::Rsa, HashAlgorithm::Sha256) => Ok(SigningScheme::RsaPkcs1Sha256),
        (signature, hash) => Err(wrong(&format!("signatures by {signature:?} with {hash:?} are not supported"))),
    }
}

/// What a certificate log signs for a precertificate (RFC 6962, 3.2): the certificate without its timestamps.
fn covered(certificate: Certificate, timestamp: &SignedCertificateTimestamp, issuer: &[u8]) -> Result<Vec<u8>, Defect> {
    const V1: u8 = 0;
    const CERTIFICATE_TIMESTAMP: u8 = 0;
    const PRECERTIFICATE: u16 = 1;
    let mut certificate = certificate.tbs_certificate;
    if let Some(extensions) = &mut certificate.extensions {
        extensions.retain(|extension| extension.extn_id != EXTENSION);
    }
    let certificate = certificate.to_der().map_err(|error| wrong(&error.to_string()))?;
    let extensions = timestamp.extensions.as_slice();
    let mut covered = vec![V1, CERTIFICATE_TIMESTAMP];
    covered.extend(timestamp.timestamp.to_be_bytes());
    covered.extend(PRECERTIFICATE.to_be_bytes());
    covered.extend(Digest::of(issuer).as_bytes());
    covered.extend(length::<3>(certificate.len())?);
    covered.extend(certificate);
    covered.extend(length::<2>(extensions.len())?);
    covered.extend(extensions);
    Ok(covered)
}

/// A length in `N` bytes, as TLS writes it.
fn length<const N: usize>(length: usize) -> Result<[u8; N], Defect> {
    let bytes = (length as u64).to_be_bytes();
    let (high, low) = bytes.split_at(bytes.len().saturating_sub(N));
    match low.try_into() {
        Ok(low) if high.iter().all(|byte| *byte == 0) => Ok(low),
        Ok(_) | Err(_) => Err(wrong("the certificate is too long for one")),
    }
}

fn wrong(why: &str) -> Defect {
    Defect::new(FlawKind::CertificateTimestamp, format!("the certificate's timestamp (SCT) is wrong: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_does_not_fit_is_refused() {
        assert_eq!(length::<2>(0x0102).unwrap(), [1, 2]);
        assert_eq!(length::<3>(0xff_ffff).unwrap(), [0xff; 3]);
        length::<2>(0x1_0000).unwrap_err();
        length::<3>(0x100_0000).unwrap_err();
    }
}
