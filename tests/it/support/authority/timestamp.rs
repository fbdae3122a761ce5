//! RFC 3161 timestamps: a token is a CMS `SignedData` (RFC 5652) over a `TSTInfo`.

use bonafide::oci::Digest;
use jiff::Timestamp;

use super::certificate::{Certified, Validity, key_identifier};
use super::der;
use super::key::Key;

const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
const SIGNING_TIME: &str = "1.2.840.113549.1.9.5";
const SIGNING_CERTIFICATE: &str = "1.2.840.113549.1.9.16.2.47";
const SHA256: &str = "2.16.840.1.101.3.4.2.1";
const POLICY: &str = "1.3.6.1.4.1.57264.2";

/// A timestamp authority: a root, and a leaf that signs.
pub(crate) struct TimestampAuthority {
    pub(crate) root: Certified,
    pub(crate) leaf: Certified,
    /// What else is among the certificates in a token.
    pub(crate) beside: Vec<Certified>,
    /// How tokens name the leaf.
    pub(crate) named: Named,
}

/// How the signer of a token is named (RFC 5652, 5.3).
#[derive(Clone, Copy)]
pub(crate) enum Named {
    /// By the issuer and the serial number of its certificate.
    BySerial,
    /// By the identifier of its key.
    ByKey,
}

/// What a client asks to be stamped.
pub(crate) struct Asked<'a> {
    /// DER of `MessageImprint`.
    pub(crate) imprint: &'a [u8],
    /// DER of the nonce, if there is one.
    pub(crate) nonce: Option<&'a [u8]>,
    /// Whether the certificates go into the token.
    pub(crate) certificates: bool,
}

impl TimestampAuthority {
    pub(crate) fn new(name: &str) -> Self {
        let root = Key::p384(&format!("{name} timestamp root"));
        Self::with_keys(name, root, Key::p256(&format!("{name} timestamps")))
    }

    /// The same with these keys of the root and of the leaf.
    pub(crate) fn with_keys(name: &str, root: Key, key: Key) -> Self {
        let root = Certified::root(&format!("{name} timestamp root"), root);
        let leaf = root.timestamper(&format!("{name} timestamps"), key, Validity::long());
        Self { root, leaf, beside: Vec::new(), named: Named::BySerial }
    }

    /// The token over `message`, as bundles and cosign's annotations carry it: a whole `TimeStampResp`.
    pub(crate) fn stamp(&self, message: &[u8], at: Timestamp) -> Vec<u8> {
        let digest = Digest::of(message);
        let imprint = der::sequence(&[sha256(), der::octets(digest.as_bytes())]);
        self.respond(&Asked { imprint: &imprint, nonce: None, certificates: false }, at)
    }

    /// The bare token over `message`, with the certificates in it, as envelopes of the Notary Project carry it.
    pub(crate) fn token_over(&self, message: &[u8], at: Timestamp) -> Vec<u8> {
        let imprint = der::sequence(&[sha256(), der::octets(Digest::of(message).as_bytes())]);
        self.token(&Asked { imprint: &imprint, nonce: None, certificates: true }, at)
    }

    /// The answer to a `TimeStampReq` in DER; `None` if it is none.
    pub(crate) fn answer(&self, request: &[u8], at: Timestamp) -> Option<Vec<u8>> {
        let [request] = der::values(request)?[..] else { return None };
        let parts = der::values(request.content)?;
        let imprint = parts.get(1)?.whole;
        let after = parts.get(2..)?;
        let nonce = after.iter().find(|part| part.tag == 0x02).map(|part| part.whole);
        let certificates = after.iter().any(|part| part.tag == 0x01 && part.content != [0]);
        Some(self.respond(&Asked { imprint, nonce, certificates }, at))
    }

    fn respond(&self, asked: &Asked<'_>, at: Timestamp) -> Vec<u8> {
        let granted = der::sequence(&[der::integer(&[0])]);
        der::sequence(&[granted, self.token(asked, at)])
    }

    fn token(&self, asked: &Asked<'_>, at: Timestamp) -> Vec<u8> {
        let info = info(asked, at);
        let content = der::sequence(&[der::oid(TST_INFO), der::context(0, &der::octets(&info))]);
        let certificates = if asked.certificates {
            let all = [&self.root, &self.leaf].into_iter().chain(&self.beside);
            der::context(0, &all.flat_map(|one| one.certificate.clone()).collect::<Vec<_>>())
        } else {
            Vec::new()
        };
        let signers = der::set_of([self.signer(&info, at)]);
        let data = der::sequence(&[der::integer(&[3]), der::set_of([sha256()]), content, certificates, signers]);
        der::sequence(&[der::oid(SIGNED_DATA), der::context(0, &data)])
    }

    fn signer(&self, info: &[u8], at: Timestamp) -> Vec<u8> {
        let (version, named) = match self.named {
            Named::BySerial => (1, der::sequence(&[self.root.name.clone(), self.leaf.serial.clone()])),
            Named::ByKey => (3, der::value(0x80, &key_identifier(self.leaf.key.public()))),
        };
        let attributes = self.attributes(info, at);
        let signature = self.leaf.key.sign(&attributes);
        // In the token the same set is written as `[0] IMPLICIT` (RFC 5652, 5.4).
        let mut implicit = attributes;
        implicit[0] = 0xa0;
        der::sequence(&[
            der::integer(&[version]),
            named,
            sha256(),
            implicit,
            self.leaf.key.signature_algorithm(),
            der::octets(&signature),
        ])
    }

    fn attributes(&self, info: &[u8], at: Timestamp) -> Vec<u8> {
        let attribute = |kind: &str, content: Vec<u8>| der::sequence(&[der::oid(kind), der::set_of([content])]);
        let digest = |bytes: &[u8]| der::octets(Digest::of(bytes).as_bytes());
        let certificate = der::sequence(&[der::sequence(&[der::sequence(&[digest(&self.leaf.certificate)])])]);
        der::set_of([
            attribute(CONTENT_TYPE, der::oid(TST_INFO)),
            attribute(MESSAGE_DIGEST, digest(info)),
            attribute(SIGNING_TIME, der::utc_time(at)),
            attribute(SIGNING_CERTIFICATE, certificate),
        ])
    }
}

fn info(asked: &Asked<'_>, at: Timestamp) -> Vec<u8> {
    der::sequence(&[
        der::integer(&[1]),
        der::oid(POLICY),
        asked.imprint.to_vec(),
        der::integer(&Digest::of(asked.imprint).as_bytes()[..12]),
        der::generalized_time(at),
        der::sequence(&[der::integer(&[1])]),
        asked.nonce.unwrap_or_default().to_vec(),
    ])
}

fn sha256() -> Vec<u8> {
    der::sequence(&[der::oid(SHA256)])
}
