//! Signing keys. Elliptic ones are derived from their names, so every run has the same keys.

use aws_lc_rs::digest::{Algorithm, Digest, SHA256, SHA384, SHA512, digest};
use aws_lc_rs::encoding::{AsBigEndian as _, Curve25519SeedBin};
use aws_lc_rs::rand::SystemRandom;
pub(crate) use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaKeyPair,
};
use ed25519_dalek::{Digest as _, Sha512, SigningKey};

use super::der;
use super::text::base64;

/// A private key, with its public half ready for certificates and trusted roots.
pub(crate) struct Key {
    pair: Pair,
    private: Vec<u8>,
    public: Vec<u8>,
    hash: Hash,
}

enum Pair {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    P521(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// What a key hashes with before it signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
const P521: &str = "1.3.132.0.35";
const ED25519: &str = "1.3.101.112";
const RSA: &str = "1.2.840.113549.1.1.1";
const ECDSA_WITH_SHA256: &str = "1.2.840.10045.4.3.2";
const ECDSA_WITH_SHA384: &str = "1.2.840.10045.4.3.3";
const ECDSA_WITH_SHA512: &str = "1.2.840.10045.4.3.4";
const RSA_WITH_SHA256: &str = "1.2.840.113549.1.1.11";

impl Key {
    /// The P-256 key called `name`.
    pub(crate) fn p256(name: &str) -> Self {
        let private = elliptic_pkcs8(P256, digest(&SHA256, name.as_bytes()).as_ref());
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &private).unwrap();
        let public = public_key(&[der::oid(EC_PUBLIC_KEY), der::oid(P256)], pair.public_key().as_ref());
        Self { pair: Pair::P256(pair), private, public, hash: Hash::Sha256 }
    }

    /// The P-384 key called `name`.
    pub(crate) fn p384(name: &str) -> Self {
        let private = elliptic_pkcs8(P384, digest(&SHA384, name.as_bytes()).as_ref());
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, &private).unwrap();
        let public = public_key(&[der::oid(EC_PUBLIC_KEY), der::oid(P384)], pair.public_key().as_ref());
        Self { pair: Pair::P384(pair), private, public, hash: Hash::Sha384 }
    }

    /// The P-521 key called `name`.
    pub(crate) fn p521(name: &str) -> Self {
        // Two bytes short of the order, and so surely below it.
        let scalar = [&[0, 0], digest(&SHA512, name.as_bytes()).as_ref()].concat();
        let private = elliptic_pkcs8(P521, &scalar);
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P521_SHA512_ASN1_SIGNING, &private).unwrap();
        let public = public_key(&[der::oid(EC_PUBLIC_KEY), der::oid(P521)], pair.public_key().as_ref());
        Self { pair: Pair::P521(pair), private, public, hash: Hash::Sha512 }
    }

    /// The Ed25519 key called `name`.
    pub(crate) fn ed25519(name: &str) -> Self {
        let seed = digest(&SHA256, name.as_bytes());
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).unwrap();
        let algorithm = [der::oid(ED25519)];
        let private = pkcs8(&algorithm, &der::octets(seed.as_ref()));
        let public = public_key(&algorithm, pair.public_key().as_ref());
        Self { pair: Pair::Ed25519(pair), private, public, hash: Hash::Sha256 }
    }

    /// A new RSA key of 2048 bits: the only kind that differs from run to run.
    pub(crate) fn rsa() -> Self {
        Self::rsa_of(KeySize::Rsa2048)
    }

    /// The same of another size.
    pub(crate) fn rsa_of(size: KeySize) -> Self {
        use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
        let pair = RsaKeyPair::generate(size).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let private = private.as_ref().to_vec();
        let public = public_key(&[der::oid(RSA), der::null()], pair.public_key().as_ref());
        Self { pair: Pair::Rsa(pair), private, public, hash: Hash::Sha256 }
    }

    /// The same, but it hashes as told: elliptic keys with SHA-256, as cosign 1 and 2 do, and Ed25519 keys with SHA-512 before they
    /// sign (Ed25519ph), as cosign 3 does.
    #[must_use]
    pub(crate) fn hashing(self, hash: Hash) -> Self {
        Self { hash, ..self }
    }

    /// What it hashes with.
    pub(crate) fn hash(&self) -> Hash {
        self.hash
    }

    /// The public key: DER of `SubjectPublicKeyInfo`.
    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    /// The public key as operators configure it.
    pub(crate) fn public_pem(&self) -> String {
        der::pem("PUBLIC KEY", &self.public)
    }

    /// The private key, PKCS #8.
    pub(crate) fn private_pem(&self) -> String {
        der::pem("PRIVATE KEY", &self.private)
    }

    /// The SHA-256 of the public key: the identity of a log (RFC 6962, 3.2).
    pub(crate) fn id(&self) -> [u8; 32] {
        digest(&SHA256, &self.public).as_ref().try_into().unwrap()
    }

    /// The bare public key, without the algorithm: what checkpoints of Ed25519 logs are identified by.
    pub(crate) fn raw_public(&self) -> &[u8] {
        match &self.pair {
            Pair::P256(pair) | Pair::P384(pair) | Pair::P521(pair) => pair.public_key().as_ref(),
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
            Pair::Rsa(pair) => pair.public_key().as_ref(),
        }
    }

    /// How cosign names the key in a bundle: base64 of its SHA-256.
    pub(crate) fn hint(&self) -> String {
        base64(self.id())
    }

    /// The signature over `message`, with the hash that goes with the key.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::P256(pair) => self.sign_hash(pair, &SHA256, message),
            Pair::P384(pair) => self.sign_hash(pair, &SHA384, message),
            Pair::P521(pair) => self.sign_hash(pair, &SHA512, message),
            Pair::Ed25519(pair) if self.hash == Hash::Sha512 => {
                let seed = pair.seed().unwrap();
                let seed: Curve25519SeedBin<'_> = seed.as_be_bytes().unwrap();
                let key = SigningKey::from_bytes(seed.as_ref().try_into().unwrap());
                key.sign_prehashed(Sha512::new().chain_update(message), None).unwrap().to_vec()
            }
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// The signature over `message` as JOSE and COSE want it: both numbers of an elliptic one, or RSA-PSS.
    pub(crate) fn sign_envelope(&self, message: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::P256(_) => fixed(&self.sign(message), 32),
            Pair::P384(_) => fixed(&self.sign(message), 48),
            Pair::P521(_) => fixed(&self.sign(message), 66),
            Pair::Ed25519(_) => self.sign(message),
            Pair::Rsa(pair) => {
                let encoding = match pair.public_modulus_len() {
                    256 => &RSA_PSS_SHA256,
                    384 => &RSA_PSS_SHA384,
                    _ => &RSA_PSS_SHA512,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// What JOSE calls the algorithm of such signatures.
    pub(crate) fn envelope_algorithm(&self) -> &'static str {
        match &self.pair {
            Pair::P256(_) => "ES256",
            Pair::P384(_) => "ES384",
            Pair::P521(_) => "ES512",
            Pair::Ed25519(_) => "EdDSA",
            Pair::Rsa(pair) => match pair.public_modulus_len() {
                256 => "PS256",
                384 => "PS384",
                _ => "PS512",
            },
        }
    }

    /// ECDSA takes the hash for a number, so that a short one with zeros before it is the same.
    fn sign_hash(&self, pair: &EcdsaKeyPair, usual: &'static Algorithm, message: &[u8]) -> Vec<u8> {
        let hash = self.hash.of(message);
        let padded = [vec![0; usual.output_len() - hash.len()], hash].concat();
        pair.sign_digest(&Digest::import_less_safe(&padded, usual).unwrap()).unwrap().as_ref().to_vec()
    }

    /// The `AlgorithmIdentifier` of its signatures.
    pub(crate) fn signature_algorithm(&self) -> Vec<u8> {
        match &self.pair {
            Pair::P256(_) => der::sequence(&[der::oid(ECDSA_WITH_SHA256)]),
            Pair::P384(_) => der::sequence(&[der::oid(ECDSA_WITH_SHA384)]),
            Pair::P521(_) => der::sequence(&[der::oid(ECDSA_WITH_SHA512)]),
            Pair::Ed25519(_) => der::sequence(&[der::oid(ED25519)]),
            Pair::Rsa(_) => der::sequence(&[der::oid(RSA_WITH_SHA256), der::null()]),
        }
    }

    /// Its kind in the words of Sigstore's `PublicKeyDetails`.
    pub(crate) fn details(&self) -> &'static str {
        match &self.pair {
            Pair::P256(_) => "PKIX_ECDSA_P256_SHA_256",
            Pair::P384(_) => "PKIX_ECDSA_P384_SHA_384",
            Pair::P521(_) => "PKIX_ECDSA_P521_SHA_512",
            Pair::Ed25519(_) => "PKIX_ED25519",
            Pair::Rsa(_) => "PKIX_RSA_PKCS1V15_2048_SHA256",
        }
    }
}

impl Hash {
    /// The hash of `message`.
    pub(crate) fn of(self, message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &SHA256,
            Self::Sha384 => &SHA384,
            Self::Sha512 => &SHA512,
        };
        digest(algorithm, message).as_ref().to_vec()
    }

    /// Its name in logs of the first generation.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Its name in bundles, and in logs of the second generation.
    pub(crate) fn bundle_name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA2_256",
            Self::Sha384 => "SHA2_384",
            Self::Sha512 => "SHA2_512",
        }
    }
}

/// The two numbers of an ECDSA signature in DER, each in `width` bytes.
fn fixed(signature: &[u8], width: usize) -> Vec<u8> {
    let numbers = der::values(der::values(signature).unwrap()[0].content).unwrap();
    let padded = |number: &der::Value<'_>| {
        let digits = &number.content[number.content.len().saturating_sub(width)..];
        [vec![0; width - digits.len()], digits.to_vec()].concat()
    };
    numbers.iter().flat_map(padded).collect()
}

fn elliptic_pkcs8(curve: &str, scalar: &[u8]) -> Vec<u8> {
    let inner = der::sequence(&[der::integer(&[1]), der::octets(scalar)]);
    pkcs8(&[der::oid(EC_PUBLIC_KEY), der::oid(curve)], &inner)
}

fn pkcs8(algorithm: &[Vec<u8>], inner: &[u8]) -> Vec<u8> {
    der::sequence(&[der::integer(&[0]), der::sequence(algorithm), der::octets(inner)])
}

fn public_key(algorithm: &[Vec<u8>], bits: &[u8]) -> Vec<u8> {
    der::sequence(&[der::sequence(algorithm), der::bits(bits)])
}
