//! Public keys of signers, and the ways in which their holders sign: what Sigstore's clients write, and nothing else.

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA256_ASN1,
    ECDSA_P521_SHA512_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
};
use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1, SECP_521_R_1};
use const_oid::db::rfc8410::ID_ED_25519;
use ed25519_dalek::{Digest as _, Sha512};
use sigstore_types::{DerCertificate, DerPublicKey, HashAlgorithm};
use x509_cert::Certificate;
use x509_cert::der::asn1::UintRef;
use x509_cert::der::{Decode, Encode, Reader, SliceReader};
use x509_cert::spki::SubjectPublicKeyInfoRef;

/// Shorter keys are within reach of factoring, longer ones make each check dear.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// How an EC point starts that is written in full (SEC 1, 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// A public key that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    spki: DerPublicKey,
    raw: Vec<u8>,
    kind: KeyKind,
}

/// What a key is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// EC P-256.
    P256,
    /// EC P-384.
    P384,
    /// EC P-521.
    P521,
    /// RSA.
    Rsa {
        /// Of the modulus.
        bits: usize,
    },
    /// Ed25519.
    Ed25519,
}

/// A way to sign.
///
/// cosign 1 and 2 hash with SHA-256 whatever the key. cosign 3 and the clients that follow Sigstore's algorithm registry
/// take the hash that goes with the curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    EcdsaP256Sha256,
    EcdsaP384Sha256,
    EcdsaP384Sha384,
    EcdsaP521Sha256,
    EcdsaP521Sha512,
    RsaPkcs1Sha256,
    Ed25519,
    /// Of the SHA-512 of the message: what cosign 3 writes into `.sig` layers, since a log of hashes can check it.
    Ed25519ph,
}

impl PublicKey {
    /// The key whose `SubjectPublicKeyInfo` is `spki`.
    ///
    /// # Errors
    /// If it is none, or of a kind or size that is not supported, in words.
    pub(crate) fn new(spki: DerPublicKey) -> Result<Self, String> {
        let info = SubjectPublicKeyInfoRef::from_der(spki.as_bytes()).map_err(|error| error.to_string())?;
        let raw = info.subject_public_key.as_bytes().ok_or("its bits do not fill bytes")?.to_vec();
        let kind = kind(&info, &raw)?;
        ParsedPublicKey::new(kind.algorithm(), &raw).map_err(|_| "it is not a key of the kind that it claims to be")?;
        Ok(Self { spki, raw, kind })
    }

    /// The key that `certificate` certifies.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn of(certificate: &DerCertificate) -> Result<Self, String> {
        let certificate = Certificate::from_der(certificate.as_bytes()).map_err(|error| error.to_string())?;
        let spki = certificate.tbs_certificate.subject_public_key_info.to_der().map_err(|error| error.to_string())?;
        Self::new(DerPublicKey::new(spki))
    }

    /// The key itself: DER of `SubjectPublicKeyInfo`.
    pub(crate) fn spki(&self) -> &DerPublicKey {
        &self.spki
    }

    /// What it is one of.
    pub(crate) fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The ways in which Sigstore's clients sign with such a key.
    pub(crate) fn schemes(&self) -> &'static [Scheme] {
        match self.kind {
            KeyKind::P256 => &[Scheme::EcdsaP256Sha256],
            KeyKind::P384 => &[Scheme::EcdsaP384Sha384, Scheme::EcdsaP384Sha256],
            KeyKind::P521 => &[Scheme::EcdsaP521Sha512, Scheme::EcdsaP521Sha256],
            KeyKind::Rsa { .. } => &[Scheme::RsaPkcs1Sha256],
            KeyKind::Ed25519 => &[Scheme::Ed25519, Scheme::Ed25519ph],
        }
    }

    /// Whether `signature` over `message`, which comes in parts, is one by this key, made by `scheme`.
    pub(crate) fn has_signed(&self, scheme: Scheme, message: &[&[u8]], signature: &[u8]) -> bool {
        if !self.schemes().contains(&scheme) {
            return false;
        }
        match (scheme.algorithm(), scheme.hash().and_then(|hash| hash_of(hash, message))) {
            (Some(algorithm), Some(hash)) => algorithm.verify_digest_sig(&self.raw, &hash, signature).is_ok(),
            (Some(algorithm), None) => self.fits(algorithm, &message.concat(), signature),
            (None, _) => self.has_signed_prehashed(message, signature),
        }
    }

    /// Whether `signature` over `message` is one by this key, checked by `algorithm`.
    pub(crate) fn fits(&self, algorithm: &'static dyn VerificationAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        algorithm.verify_sig(&self.raw, message, signature).is_ok()
    }

    /// Ed25519ph without a context (RFC 8032, 5.1).
    fn has_signed_prehashed(&self, message: &[&[u8]], signature: &[u8]) -> bool {
        let key = self.raw.as_slice().try_into().ok().and_then(|raw| ed25519_dalek::VerifyingKey::from_bytes(raw).ok());
        let signature = ed25519_dalek::Signature::from_slice(signature).ok();
        let mut hash = Sha512::new();
        for part in message {
            hash.update(part);
        }
        key.zip(signature).is_some_and(|(key, signature)| key.verify_prehashed_strict(hash, None, &signature).is_ok())
    }
}

impl KeyKind {
    /// One of the algorithms of such a key, which knows what such a key looks like.
    fn algorithm(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_ASN1,
            Self::P384 => &ECDSA_P384_SHA384_ASN1,
            Self::P521 => &ECDSA_P521_SHA512_ASN1,
            Self::Rsa { .. } => &RSA_PKCS1_2048_8192_SHA256,
            Self::Ed25519 => &ED25519,
        }
    }
}

impl Scheme {
    /// The hash that the signature is over; none where the algorithm hashes by itself.
    pub(crate) fn hash(self) -> Option<HashAlgorithm> {
        match self {
            Self::EcdsaP256Sha256 | Self::EcdsaP384Sha256 | Self::EcdsaP521Sha256 | Self::RsaPkcs1Sha256 => {
                Some(HashAlgorithm::Sha2256)
            }
            Self::EcdsaP384Sha384 => Some(HashAlgorithm::Sha2384),
            Self::EcdsaP521Sha512 | Self::Ed25519ph => Some(HashAlgorithm::Sha2512),
            Self::Ed25519 => None,
        }
    }

    fn algorithm(self) -> Option<&'static dyn VerificationAlgorithm> {
        match self {
            Self::EcdsaP256Sha256 => Some(&ECDSA_P256_SHA256_ASN1),
            Self::EcdsaP384Sha256 => Some(&ECDSA_P384_SHA256_ASN1),
            Self::EcdsaP384Sha384 => Some(&ECDSA_P384_SHA384_ASN1),
            Self::EcdsaP521Sha256 => Some(&ECDSA_P521_SHA256_ASN1),
            Self::EcdsaP521Sha512 => Some(&ECDSA_P521_SHA512_ASN1),
            Self::RsaPkcs1Sha256 => Some(&RSA_PKCS1_2048_8192_SHA256),
            Self::Ed25519 => Some(&ED25519),
            Self::Ed25519ph => None,
        }
    }
}

/// The hash of a message that comes in parts; none by an algorithm that is not supported.
pub(crate) fn hash_of(algorithm: HashAlgorithm, message: &[&[u8]]) -> Option<digest::Digest> {
    let algorithm = match algorithm {
        HashAlgorithm::Sha2256 => &SHA256,
        HashAlgorithm::Sha2384 => &SHA384,
        HashAlgorithm::Sha2512 => &SHA512,
        _ => return None,
    };
    let mut hash = digest::Context::new(algorithm);
    for part in message {
        hash.update(part);
    }
    Some(hash.finish())
}

fn kind(info: &SubjectPublicKeyInfoRef<'_>, raw: &[u8]) -> Result<KeyKind, String> {
    let algorithm = &info.algorithm;
    match algorithm.oid {
        ID_EC_PUBLIC_KEY if raw.first() != Some(&UNCOMPRESSED) => Err("its point is compressed".to_owned()),
        ID_EC_PUBLIC_KEY => match algorithm.parameters_oid() {
            Ok(SECP_256_R_1) => Ok(KeyKind::P256),
            Ok(SECP_384_R_1) => Ok(KeyKind::P384),
            Ok(SECP_521_R_1) => Ok(KeyKind::P521),
            Ok(curve) => Err(format!("keys of the curve {curve} are not supported")),
            Err(error) => Err(error.to_string()),
        },
        RSA_ENCRYPTION => match modulus(raw) {
            Ok(bits) if RSA_BITS.contains(&bits) => Ok(KeyKind::Rsa { bits }),
            Ok(bits) => Err(format!("RSA keys of {bits} bits are not supported")),
            Err(error) => Err(error.to_string()),
        },
        // RFC 8410, 3: without parameters.
        ID_ED_25519 if algorithm.parameters.is_none() => Ok(KeyKind::Ed25519),
        other => Err(format!("keys of the algorithm {other} are not supported")),
    }
}

/// How many bits the modulus of an `RSAPublicKey` has (RFC 8017, A.1.1).
fn modulus(raw: &[u8]) -> x509_cert::der::Result<usize> {
    let mut reader = SliceReader::new(raw)?;
    let modulus = reader.sequence(|fields| {
        let modulus = UintRef::decode(fields)?;
        UintRef::decode(fields).map(|_| modulus)
    })?;
    reader.finish(modulus.as_bytes()).map(|bytes| {
        let unused = bytes.first().map_or(0, |first| first.leading_zeros() as usize);
        bytes.len().saturating_mul(8).saturating_sub(unused)
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn key(base64: &str) -> Result<PublicKey, String> {
        PublicKey::new(DerPublicKey::new(STANDARD.decode(base64).unwrap()))
    }

    #[test]
    fn a_point_that_is_not_on_its_curve_is_no_key() {
        let good = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYI4heOTrNrZO27elFE8ynfrdPMikttRkbe+vJKQ50G6bfwQ3WyhLpRwwwohelDAm8xRzJ56nYsIa3VHivVvpmA==";
        assert_eq!(key(good).unwrap().kind(), KeyKind::P256);
        let moved = good.replace("heOTrN", "heOTsN");
        assert_eq!(key(&moved).unwrap_err(), "it is not a key of the kind that it claims to be");
    }

    #[test]
    fn a_compressed_point_is_no_key() {
        let compressed = "MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgACYI4heOTrNrZO27elFE8ynfrdPMikttRkbe+vJKQ50G4=";
        assert_eq!(key(compressed).unwrap_err(), "its point is compressed");
    }

    #[test]
    fn the_signature_of_the_standard_is_one_by_ed25519ph() {
        // RFC 8032, 7.3.
        let public = hex::decode("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf").unwrap();
        let spki = [&hex::decode("302a300506032b6570032100").unwrap()[..], &public].concat();
        let key = PublicKey::new(DerPublicKey::new(spki)).unwrap();
        let signature = hex::decode(
            "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41\
             31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406",
        );
        let signature = signature.unwrap();
        assert!(key.has_signed(Scheme::Ed25519ph, &[b"abc"], &signature));
        assert!(!key.has_signed(Scheme::Ed25519ph, &[b"abd"], &signature));
        assert!(!key.has_signed(Scheme::Ed25519, &[b"abc"], &signature));
    }
}
