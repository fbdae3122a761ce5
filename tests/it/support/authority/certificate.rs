//! X.509: an authority of root, intermediate and leaf, and the certificate transparency log beside it.

use bonafide::oci::Digest;
use jiff::{SignedDuration, Timestamp};

use super::der;
use super::identity::{Identity, Subject};
use super::key::Key;

const ORGANIZATION: &str = "2.5.4.10";
const COMMON_NAME: &str = "2.5.4.3";
const KEY_USAGE: &str = "2.5.29.15";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const SUBJECT_KEY: &str = "2.5.29.14";
const AUTHORITY_KEY: &str = "2.5.29.35";
const SUBJECT_ALTERNATIVE_NAME: &str = "2.5.29.17";
const TRANSPARENCY: &str = "1.3.6.1.4.1.11129.2.4.2";
const FULCIO: &str = "1.3.6.1.4.1.57264.1";
/// `id-kp-codeSigning`.
pub(crate) const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";
/// `id-kp-timeStamping`.
pub(crate) const TIME_STAMPING: &str = "1.3.6.1.5.5.7.3.8";
/// `id-kp-serverAuth`: not good for signing.
pub(crate) const SERVER: &str = "1.3.6.1.5.5.7.3.1";

const DIGITAL_SIGNATURE: u8 = 0x80;
const CERTIFICATE_SIGN: u8 = 0x06;

/// How long Fulcio's certificates live.
pub(crate) const LEAF_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// A certificate and the key that it certifies.
pub(crate) struct Certified {
    pub(crate) key: Key,
    pub(crate) certificate: Vec<u8>,
    pub(crate) name: Vec<u8>,
    pub(crate) serial: Vec<u8>,
}

/// From when to when a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl Validity {
    /// Long before and long after any test.
    pub(crate) fn long() -> Self {
        Self { from: "2021-01-01T00:00:00Z".parse().unwrap(), to: "2046-01-01T00:00:00Z".parse().unwrap() }
    }

    fn to_der(self) -> Vec<u8> {
        der::sequence(&[der::utc_time(self.from), der::utc_time(self.to)])
    }
}

/// Whether, and by which log, a certificate is published.
pub(crate) enum Transparency<'a> {
    None,
    By(&'a Key),
}

/// What a leaf is made of.
pub(crate) struct Leaf<'a> {
    pub(crate) public: &'a [u8],
    pub(crate) identity: &'a Identity,
    pub(crate) validity: Validity,
    pub(crate) usage: &'a str,
    pub(crate) transparency: Transparency<'a>,
}

impl Certified {
    /// A root that certifies itself.
    pub(crate) fn root(common_name: &str, key: Key) -> Self {
        let name = name(common_name);
        let extensions = authority_extensions(key.public(), key.public(), 1, None);
        let serial = serial(key.public());
        let tbs = tbs(&serial, &key, &name, Validity::long(), &name, key.public(), &extensions);
        Self { certificate: signed(&tbs, &key), key, name, serial }
    }

    /// A certificate authority below this one, for `usage`.
    pub(crate) fn intermediate(&self, common_name: &str, key: Key, usage: &str, validity: Validity) -> Self {
        let extensions = authority_extensions(key.public(), self.key.public(), 0, Some(usage));
        self.certify(common_name, key, validity, &extensions)
    }

    /// The certificate of a timestamp authority: its only usage is time stamping, and critical (RFC 3161, 2.3).
    pub(crate) fn timestamper(&self, common_name: &str, key: Key, validity: Validity) -> Self {
        self.stamper_for(common_name, key, validity, (true, &[TIME_STAMPING]))
    }

    /// The same for other purposes, critical or not.
    pub(crate) fn stamper_for(
        &self,
        common_name: &str,
        key: Key,
        validity: Validity,
        (critical, purposes): (bool, &[&str]),
    ) -> Self {
        let purposes: Vec<_> = purposes.iter().map(|purpose| der::oid(purpose)).collect();
        let mut extensions = vec![
            extension(KEY_USAGE, true, &der::value(0x03, &[7, DIGITAL_SIGNATURE])),
            extension(EXTENDED_KEY_USAGE, critical, &der::sequence(&purposes)),
        ];
        extensions.extend(key_identifiers(key.public(), self.key.public()));
        self.certify(common_name, key, validity, &extensions)
    }

    fn certify(&self, common_name: &str, key: Key, validity: Validity, extensions: &[Vec<u8>]) -> Self {
        let name = name(common_name);
        let serial = serial(key.public());
        let tbs = tbs(&serial, &self.key, &self.name, validity, &name, key.public(), extensions);
        Self { certificate: signed(&tbs, &self.key), key, name, serial }
    }

    /// The certificate of a signer, as Fulcio issues it.
    pub(crate) fn leaf(&self, leaf: &Leaf<'_>) -> Vec<u8> {
        let extensions = leaf_extensions(leaf, self.key.public());
        let serial = serial(&[leaf.public, &leaf.validity.to_der(), &extensions.concat()].concat());
        let nobody = der::sequence(&[]);
        let tbs = |extensions: &[Vec<u8>]| {
            tbs(&serial, &self.key, &self.name, leaf.validity, &nobody, leaf.public, extensions)
        };
        let published = match leaf.transparency {
            Transparency::None => extensions,
            Transparency::By(log) => {
                let list = timestamp_list(&tbs(&extensions), self.key.public(), log, leaf.validity.from);
                [extensions, vec![extension(TRANSPARENCY, false, &der::octets(&list))]].concat()
            }
        };
        signed(&tbs(&published), &self.key)
    }
}

fn leaf_extensions(leaf: &Leaf<'_>, issuer: &[u8]) -> Vec<Vec<u8>> {
    let mut extensions = vec![
        extension(KEY_USAGE, true, &der::value(0x03, &[7, DIGITAL_SIGNATURE])),
        extension(EXTENDED_KEY_USAGE, false, &der::sequence(&[der::oid(leaf.usage)])),
    ];
    extensions.extend(key_identifiers(leaf.public, issuer));
    extensions.extend(alternative_name(&leaf.identity.subject));
    extensions.extend(leaf.identity.claims.iter().map(|(number, text)| {
        let raw = if *number < 8 { text.as_bytes().to_vec() } else { der::utf8(text) };
        extension(&format!("{FULCIO}.{number}"), false, &raw)
    }));
    extensions
}

fn alternative_name(subject: &Subject) -> Option<Vec<u8>> {
    let name = match subject {
        Subject::Email(address) => der::value(0x81, address.as_bytes()),
        Subject::Uri(uri) => der::value(0x86, uri.as_bytes()),
        Subject::Other(kind, name) => der::context(0, &[der::oid(kind), der::context(0, &der::utf8(name))].concat()),
        Subject::Missing => return None,
    };
    Some(extension(SUBJECT_ALTERNATIVE_NAME, true, &der::sequence(&[name])))
}

/// A `SignedCertificateTimestampList` of one (RFC 6962, 3.2 and 3.3), over the precertificate `tbs`.
fn timestamp_list(tbs: &[u8], issuer: &[u8], log: &Key, at: Timestamp) -> Vec<u8> {
    let milliseconds = u64::try_from(at.as_millisecond()).unwrap().to_be_bytes();
    let issuer = Digest::of(issuer);
    let length = u32::try_from(tbs.len()).unwrap().to_be_bytes();
    let signed: [&[u8]; 8] = [&[0, 0], &milliseconds, &[0, 1], issuer.as_bytes(), &length[1..], tbs, &[0, 0], &[]];
    let signature = log.sign(&signed.concat());
    let fields: [&[u8]; 6] = [&[0], &log.id(), &milliseconds, &[0, 0], &[4, 3], &prefixed(&signature)];
    prefixed(&prefixed(&fields.concat()))
}

/// `bytes` with their length before them, two bytes.
fn prefixed(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn name(common_name: &str) -> Vec<u8> {
    let part = |kind: &str, text: &str| der::set_of([der::sequence(&[der::oid(kind), der::utf8(text)])]);
    der::sequence(&[part(ORGANIZATION, "authority.test"), part(COMMON_NAME, common_name)])
}

/// A serial number that follows from what is certified.
fn serial(seed: &[u8]) -> Vec<u8> {
    let mut bytes = Digest::of(seed).as_bytes()[..16].to_vec();
    bytes[0] = bytes[0] & 0x7f | 0x40;
    der::integer(&bytes)
}

fn authority_extensions(subject: &[u8], issuer: &[u8], path_length: u8, usage: Option<&str>) -> Vec<Vec<u8>> {
    let constraints = der::sequence(&[der::boolean(true), der::integer(&[path_length])]);
    let mut extensions = vec![
        extension(BASIC_CONSTRAINTS, true, &constraints),
        extension(KEY_USAGE, true, &der::value(0x03, &[1, CERTIFICATE_SIGN])),
    ];
    extensions.extend(usage.map(|usage| extension(EXTENDED_KEY_USAGE, false, &der::sequence(&[der::oid(usage)]))));
    extensions.extend(key_identifiers(subject, issuer));
    extensions
}

fn key_identifiers(subject: &[u8], issuer: &[u8]) -> [Vec<u8>; 2] {
    [
        extension(SUBJECT_KEY, false, &der::octets(&key_identifier(subject))),
        extension(AUTHORITY_KEY, false, &der::sequence(&[der::value(0x80, &key_identifier(issuer))])),
    ]
}

/// What certificates call a key.
pub(super) fn key_identifier(public: &[u8]) -> Vec<u8> {
    Digest::of(public).as_bytes()[..20].to_vec()
}

fn extension(kind: &str, critical: bool, content: &[u8]) -> Vec<u8> {
    let critical = if critical { der::boolean(true) } else { Vec::new() };
    der::sequence(&[der::oid(kind), critical, der::octets(content)])
}

fn tbs(
    serial: &[u8],
    issuer_key: &Key,
    issuer: &[u8],
    validity: Validity,
    subject: &[u8],
    public: &[u8],
    extensions: &[Vec<u8>],
) -> Vec<u8> {
    der::sequence(&[
        der::context(0, &der::integer(&[2])),
        serial.to_vec(),
        issuer_key.signature_algorithm(),
        issuer.to_vec(),
        validity.to_der(),
        subject.to_vec(),
        public.to_vec(),
        der::context(3, &der::sequence(extensions)),
    ])
}

fn signed(tbs: &[u8], key: &Key) -> Vec<u8> {
    der::sequence(&[tbs.to_vec(), key.signature_algorithm(), der::bits(&key.sign(tbs))])
}

/// A certificate of `public`'s holder `subject` by `issuer`, with these extensions: their OIDs, whether critical, and content.
pub(crate) fn certified(
    subject: &[u8],
    key: &Key,
    issuer: &[u8],
    issuer_key: &Key,
    validity: Validity,
    extensions: &[(&str, bool, Vec<u8>)],
) -> Vec<u8> {
    let extensions: Vec<_> = extensions
        .iter()
        .map(|(kind, critical, content)| extension(kind, *critical, content))
        .chain(key_identifiers(key.public(), issuer_key.public()))
        .collect();
    let serial = serial(&[key.public(), &extensions.concat()].concat());
    signed(&tbs(&serial, issuer_key, issuer, validity, subject, key.public(), &extensions), issuer_key)
}

/// The PEM of one certificate.
pub(crate) fn pem(certificate: &[u8]) -> String {
    der::pem("CERTIFICATE", certificate)
}
