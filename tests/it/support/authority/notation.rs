//! Signatures of the Notary Project: its certificates, and envelopes in both formats. Everything is open to change.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bonafide::oci::Digest;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::certificate::{CODE_SIGNING, Validity, certified};
use super::der;
use super::key::Key;
use super::text::base64;

pub(crate) const SCHEME: &str = "io.cncf.notary.signingScheme";
pub(crate) const SIGNING_TIME: &str = "io.cncf.notary.signingTime";
pub(crate) const AUTHENTIC_TIME: &str = "io.cncf.notary.authenticSigningTime";
pub(crate) const EXPIRY: &str = "io.cncf.notary.expiry";
const TIMESTAMP: &str = "io.cncf.notary.timestampSignature";

const KEY_USAGE: &str = "2.5.29.15";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
/// `digitalSignature`, and how many bits of the byte are unused.
pub(crate) const DIGITAL_SIGNATURE: [u8; 2] = [7, 0x80];
/// `keyCertSign`.
pub(crate) const CERTIFICATE_SIGN: [u8; 2] = [2, 0x04];

/// How an envelope is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Jws,
    Cose,
}

/// What a certificate says.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    /// Attributes of the subject: their OIDs and texts.
    pub(crate) subject: Vec<(&'static str, String)>,
    pub(crate) validity: Validity,
    /// Whether it is an authority's, and how long the chain below may be.
    pub(crate) constraints: Option<(bool, Option<u8>)>,
    /// Whether critical, and for what.
    pub(crate) key_usage: Option<(bool, [u8; 2])>,
    pub(crate) purposes: Vec<&'static str>,
}

/// A certificate and its key.
pub(crate) struct Holder {
    pub(crate) profile: Profile,
    pub(crate) key: Key,
    pub(crate) certificate: Vec<u8>,
}

/// A signer, and the authorities above it.
pub(crate) struct Notary {
    pub(crate) root: Holder,
    pub(crate) issuer: Holder,
    pub(crate) signer: Holder,
}

/// An envelope in the making.
#[derive(Clone)]
pub(crate) struct Draft<'a> {
    pub(crate) format: Format,
    pub(crate) algorithm: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) scheme: &'static str,
    pub(crate) signing_time: Option<Timestamp>,
    pub(crate) authentic_time: Option<Timestamp>,
    pub(crate) expiry: Option<Timestamp>,
    pub(crate) critical: Vec<&'static str>,
    /// Further signed attributes, all of them text.
    pub(crate) others: Vec<(&'static str, &'static str)>,
    pub(crate) payload: Value,
    pub(crate) key: &'a Key,
    pub(crate) chain: Vec<Vec<u8>>,
}

/// A signed envelope, before it is written down.
#[derive(Clone)]
pub(crate) struct Sealed {
    format: Format,
    protected: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) timestamp: Option<Vec<u8>>,
}

impl Profile {
    /// Of an authority that may have `below` authorities below it.
    pub(crate) fn authority(name: &str, below: u8) -> Self {
        Self {
            subject: subject(name),
            validity: Validity::long(),
            constraints: Some((true, Some(below))),
            key_usage: Some((true, CERTIFICATE_SIGN)),
            purposes: Vec::new(),
        }
    }

    /// Of a signer.
    pub(crate) fn signer(name: &str) -> Self {
        Self {
            subject: subject(name),
            validity: Validity::long(),
            constraints: Some((false, None)),
            key_usage: Some((true, DIGITAL_SIGNATURE)),
            purposes: vec![CODE_SIGNING],
        }
    }

    /// The same, changed by `change`.
    #[must_use]
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn name(&self) -> Vec<u8> {
        let part = |(kind, text): &(&str, String)| der::set_of([der::sequence(&[der::oid(kind), der::utf8(text)])]);
        der::sequence(&self.subject.iter().map(part).collect::<Vec<_>>())
    }

    fn extensions(&self) -> Vec<(&'static str, bool, Vec<u8>)> {
        let mut all = Vec::new();
        if let Some((is_authority, below)) = self.constraints {
            let mut parts = if is_authority { vec![der::boolean(true)] } else { Vec::new() };
            parts.extend(below.map(|below| der::integer(&[below])));
            all.push((BASIC_CONSTRAINTS, true, der::sequence(&parts)));
        }
        if let Some((critical, bits)) = self.key_usage {
            all.push((KEY_USAGE, critical, der::value(0x03, &bits)));
        }
        if !self.purposes.is_empty() {
            let purposes: Vec<_> = self.purposes.iter().map(|purpose| der::oid(purpose)).collect();
            all.push((EXTENDED_KEY_USAGE, false, der::sequence(&purposes)));
        }
        all
    }
}

/// The subject of somebody at acme, in an order of its own.
fn subject(common_name: &str) -> Vec<(&'static str, String)> {
    let parts =
        [("2.5.4.3", common_name), ("2.5.4.10", "acme"), ("2.5.4.6", "US"), ("2.5.4.8", "WA"), ("2.5.4.7", "Seattle")];
    parts.map(|(kind, text)| (kind, text.to_owned())).to_vec()
}

impl Holder {
    /// One that certifies itself.
    pub(crate) fn alone(profile: Profile, key: Key) -> Self {
        let certificate =
            certified(&profile.name(), &key, &profile.name(), &key, profile.validity, &profile.extensions());
        Self { profile, key, certificate }
    }

    /// One that `self` certifies.
    pub(crate) fn certify(&self, profile: Profile, key: Key) -> Self {
        let (own, name) = (self.profile.name(), profile.name());
        let certificate = certified(&name, &key, &own, &self.key, profile.validity, &profile.extensions());
        Self { profile, key, certificate }
    }
}

impl Notary {
    /// The notary called `name`, whose signer has a P-256 key.
    pub(crate) fn new(name: &str) -> Self {
        Self::with_key(name, Key::p256(&format!("{name} signer")))
    }

    /// The same, whose signer has `key`.
    pub(crate) fn with_key(name: &str, key: Key) -> Self {
        Self::signing_as(name, Profile::signer("signer"), key)
    }

    /// The same, whose signer is certified as told.
    pub(crate) fn signing_as(name: &str, signer: Profile, key: Key) -> Self {
        let root = Holder::alone(Profile::authority(name, 1), Key::p384(&format!("{name} notation root")));
        let issuer = Profile::authority(&format!("{name} issuer"), 0);
        let issuer = root.certify(issuer, Key::p256(&format!("{name} notation issuer")));
        let signer = issuer.certify(signer, key);
        Self { root, issuer, signer }
    }

    /// The signer's certificate and all above it.
    pub(crate) fn chain(&self) -> Vec<Vec<u8>> {
        [&self.signer, &self.issuer, &self.root].map(|holder| holder.certificate.clone()).to_vec()
    }

    /// An envelope about `manifest`, as `notation sign` makes it at `at`.
    pub(crate) fn draft(&self, format: Format, manifest: &[u8], media_type: &str, at: Timestamp) -> Draft<'_> {
        Draft {
            format,
            algorithm: self.signer.key.envelope_algorithm(),
            content_type: "application/vnd.cncf.notary.payload.v1+json",
            scheme: "notary.x509",
            signing_time: Some(at),
            authentic_time: None,
            expiry: None,
            critical: vec![SCHEME],
            others: Vec::new(),
            payload: json!({ "targetArtifact": {
                "mediaType": media_type,
                "digest": Digest::of(manifest).to_string(),
                "size": manifest.len(),
            }}),
            key: &self.signer.key,
            chain: self.chain(),
        }
    }
}

impl Draft<'_> {
    /// The same, changed by `change`.
    #[must_use]
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The same as a signing authority makes it.
    #[must_use]
    pub(crate) fn by_authority(self) -> Self {
        self.with(Self::sign_as_authority)
    }

    /// Lets a signing authority make it.
    pub(crate) fn sign_as_authority(&mut self) {
        self.scheme = "notary.x509.signingAuthority";
        self.authentic_time = self.signing_time.take();
        self.critical.push(AUTHENTIC_TIME);
    }

    /// The same, which expires at `at`.
    #[must_use]
    pub(crate) fn until(self, at: Timestamp) -> Self {
        self.with(|draft| draft.expire_at(at))
    }

    /// Lets it expire at `at`.
    pub(crate) fn expire_at(&mut self, at: Timestamp) {
        self.expiry = Some(at);
        self.critical.push(EXPIRY);
    }

    /// Signs it.
    pub(crate) fn seal(&self) -> Sealed {
        let payload = serde_json::to_vec(&self.payload).unwrap();
        let (protected, covered) = match self.format {
            Format::Jws => {
                let protected = URL_SAFE_NO_PAD.encode(self.jws_header());
                let covered = format!("{protected}.{}", URL_SAFE_NO_PAD.encode(&payload));
                (protected.into_bytes(), covered.into_bytes())
            }
            Format::Cose => {
                let protected = self.cose_header();
                let parts =
                    [cbor::text("Signature1"), cbor::bytes(&protected), cbor::bytes(&[]), cbor::bytes(&payload)];
                let covered = cbor::array(&parts);
                (protected, covered)
            }
        };
        let signature = self.key.sign_envelope(&covered);
        Sealed { format: self.format, protected, payload, signature, chain: self.chain.clone(), timestamp: None }
    }

    fn jws_header(&self) -> Vec<u8> {
        let mut header = Map::new();
        header.insert("alg".to_owned(), json!(self.algorithm));
        header.insert("cty".to_owned(), json!(self.content_type));
        header.insert("crit".to_owned(), json!(self.critical));
        header.insert(SCHEME.to_owned(), json!(self.scheme));
        for (name, time) in self.times() {
            header.insert(name.to_owned(), json!(time.to_string()));
        }
        for (name, text) in &self.others {
            header.insert((*name).to_owned(), json!(text));
        }
        serde_json::to_vec(&header).unwrap()
    }

    fn cose_header(&self) -> Vec<u8> {
        let algorithm = match self.algorithm {
            "ES256" => -7,
            "ES384" => -35,
            "ES512" => -36,
            "PS256" => -37,
            "PS384" => -38,
            "PS512" => -39,
            "RS256" => -257,
            other => unreachable!("no number for {other}"),
        };
        let critical: Vec<_> = self.critical.iter().map(|name| cbor::text(name)).collect();
        let mut members = vec![
            (cbor::integer(1), cbor::integer(algorithm)),
            (cbor::integer(2), cbor::array(&critical)),
            (cbor::integer(3), cbor::text(self.content_type)),
            (cbor::text(SCHEME), cbor::text(self.scheme)),
        ];
        members.extend(
            self.times().map(|(name, time)| (cbor::text(name), cbor::tag(1, &cbor::integer(time.as_second())))),
        );
        members.extend(self.others.iter().map(|(name, text)| (cbor::text(name), cbor::text(text))));
        cbor::map(&members)
    }

    fn times(&self) -> impl Iterator<Item = (&'static str, Timestamp)> {
        let times = [(SIGNING_TIME, self.signing_time), (AUTHENTIC_TIME, self.authentic_time), (EXPIRY, self.expiry)];
        times.into_iter().filter_map(|(name, time)| Some((name, time?)))
    }
}

impl Sealed {
    /// The same, changed by `change`.
    #[must_use]
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The layer that is pushed.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self.format {
            Format::Jws => self.to_jws().to_string().into_bytes(),
            Format::Cose => self.to_cose(),
        }
    }

    /// The media type of that layer.
    pub(crate) fn media_type(&self) -> &'static str {
        match self.format {
            Format::Jws => "application/jose+json",
            Format::Cose => "application/cose",
        }
    }

    /// The JSON of a JWS envelope.
    pub(crate) fn to_jws(&self) -> Value {
        let mut header = json!({ "x5c": self.chain.iter().map(base64).collect::<Vec<_>>() });
        if let Some(token) = &self.timestamp {
            header[TIMESTAMP] = json!(base64(token));
        }
        json!({
            "payload": URL_SAFE_NO_PAD.encode(&self.payload),
            "protected": String::from_utf8(self.protected.clone()).unwrap(),
            "header": header,
            "signature": URL_SAFE_NO_PAD.encode(&self.signature),
        })
    }

    fn to_cose(&self) -> Vec<u8> {
        let chain: Vec<_> = self.chain.iter().map(|der| cbor::bytes(der)).collect();
        let mut unprotected = vec![(cbor::integer(33), cbor::array(&chain))];
        unprotected.extend(self.timestamp.iter().map(|token| (cbor::text(TIMESTAMP), cbor::bytes(token))));
        let parts = [
            cbor::bytes(&self.protected),
            cbor::map(&unprotected),
            cbor::bytes(&self.payload),
            cbor::bytes(&self.signature),
        ];
        cbor::tag(18, &cbor::array(&parts))
    }
}

/// The few encodings of CBOR (RFC 8949) that an envelope is made of.
mod cbor {
    fn head(major: u8, number: u64) -> Vec<u8> {
        let major = major << 5;
        match number {
            0..24 => vec![major | u8::try_from(number).unwrap()],
            24..0x100 => vec![major | 0x18, u8::try_from(number).unwrap()],
            0x100..0x1_0000 => [&[major | 0x19][..], &u16::try_from(number).unwrap().to_be_bytes()].concat(),
            0x1_0000..0x1_0000_0000 => [&[major | 0x1a][..], &u32::try_from(number).unwrap().to_be_bytes()].concat(),
            _ => [&[major | 0x1b][..], &number.to_be_bytes()].concat(),
        }
    }

    pub(super) fn integer(number: i64) -> Vec<u8> {
        if number < 0 { head(1, number.unsigned_abs() - 1) } else { head(0, number.unsigned_abs()) }
    }

    pub(super) fn bytes(content: &[u8]) -> Vec<u8> {
        [head(2, content.len() as u64), content.to_vec()].concat()
    }

    pub(super) fn text(content: &str) -> Vec<u8> {
        [head(3, content.len() as u64), content.as_bytes().to_vec()].concat()
    }

    pub(super) fn array(parts: &[Vec<u8>]) -> Vec<u8> {
        [head(4, parts.len() as u64), parts.concat()].concat()
    }

    pub(super) fn map(members: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let pairs: Vec<_> = members.iter().map(|(name, value)| [&name[..], value].concat()).collect();
        [head(5, members.len() as u64), pairs.concat()].concat()
    }

    pub(super) fn tag(number: u64, content: &[u8]) -> Vec<u8> {
        [head(6, number), content.to_vec()].concat()
    }
}
