//! How something is signed: everything right unless a test says what is to be wrong.

use bonafide::oci::Digest;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Authority;
use super::certificate::{CODE_SIGNING, LEAF_LIFE, Leaf, Transparency, Validity};
use super::identity::Identity;
use super::key::Key;
use super::log::{Entry, Generation};
use super::signed::{Credential, Payload, Signed};
use super::statement::{self, Statement};
use super::text::base64;

/// How an entry of a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    /// `hashedrekord`: of a payload its hash; of an envelope (Rekor v2 only) the hash of what is signed.
    HashedRekord,
    /// `dsse`, the kind of attestations since 2023.
    Dsse,
    /// `intoto/0.0.1`, the kind of attestations before.
    IntotoV1,
    /// `intoto/0.0.2`, the kind of npm and of sigstore-js.
    IntotoV2,
}

/// Signs as told. Made by [`Authority::keyless`] and [`Authority::with_key`].
#[derive(Clone)]
pub(crate) struct Signer<'a> {
    holder: Holder<'a>,
    at: Timestamp,
    logged_at: Timestamp,
    issuer: &'a Authority,
    usage: &'a str,
    transparency: Option<&'a Authority>,
    log: Option<(&'a Authority, Generation)>,
    kind: Option<EntryKind>,
    stamped_by: Option<&'a Authority>,
    authority: &'a Authority,
}

#[derive(Clone)]
enum Holder<'a> {
    Certified { identity: Identity, key: Option<&'a Key> },
    Key(&'a Key),
}

impl<'a> Signer<'a> {
    pub(crate) fn keyless(authority: &'a Authority, identity: Identity) -> Self {
        Self::new(authority, Holder::Certified { identity, key: None })
    }

    pub(crate) fn with_key(authority: &'a Authority, key: &'a Key) -> Self {
        Self::new(authority, Holder::Key(key))
    }

    fn new(authority: &'a Authority, holder: Holder<'a>) -> Self {
        Self {
            holder,
            at: authority.time(),
            logged_at: authority.time(),
            issuer: authority,
            usage: CODE_SIGNING,
            transparency: Some(authority),
            log: Some((authority, Generation::V1)),
            kind: None,
            stamped_by: None,
            authority,
        }
    }

    /// Signs and logs at `at`, with a certificate from then on.
    #[must_use]
    pub(crate) fn at(self, at: Timestamp) -> Self {
        Self { at, logged_at: at, ..self }
    }

    /// Logs and stamps at `at`, which may be when the certificate is not valid.
    #[must_use]
    pub(crate) fn logged_at(self, at: Timestamp) -> Self {
        Self { logged_at: at, ..self }
    }

    /// Signs with `key`, and has it certified if it signs keyless.
    #[must_use]
    pub(crate) fn holding(self, key: &'a Key) -> Self {
        let holder = match self.holder {
            Holder::Certified { identity, key: _ } => Holder::Certified { identity, key: Some(key) },
            Holder::Key(_) => Holder::Key(key),
        };
        Self { holder, ..self }
    }

    /// The certificate says nothing about its publication.
    #[must_use]
    pub(crate) fn without_sct(self) -> Self {
        Self { transparency: None, ..self }
    }

    /// The certificate is published in a log that nobody trusts.
    #[must_use]
    pub(crate) fn with_foreign_sct(self) -> Self {
        Self { transparency: Some(self.authority.foreign()), ..self }
    }

    /// The certificate is issued by an authority that nobody trusts.
    #[must_use]
    pub(crate) fn with_foreign_certificate(self) -> Self {
        Self { issuer: self.authority.foreign(), ..self }
    }

    /// The certificate is for another usage than signing code, such as [`super::certificate::SERVER`].
    #[must_use]
    pub(crate) fn certified_for(self, usage: &'a str) -> Self {
        Self { usage, ..self }
    }

    /// The signature is in no log.
    #[must_use]
    pub(crate) fn without_log(self) -> Self {
        Self { log: None, ..self }
    }

    /// The signature is in a log that nobody trusts.
    #[must_use]
    pub(crate) fn with_foreign_log(self) -> Self {
        let generation = self.log.map_or(Generation::V1, |(_, generation)| generation);
        Self { log: Some((self.authority.foreign(), generation)), ..self }
    }

    /// The signature is in Rekor v2, and so gets its time from a timestamp.
    #[must_use]
    pub(crate) fn in_rekor_v2(self) -> Self {
        Self { log: Some((self.authority, Generation::V2)), ..self }.timestamped()
    }

    /// The entry is of another kind than is usual.
    #[must_use]
    pub(crate) fn logged_as(self, kind: EntryKind) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// A timestamp goes with the signature.
    #[must_use]
    pub(crate) fn timestamped(self) -> Self {
        Self { stamped_by: Some(self.authority), ..self }
    }

    /// No timestamp goes with the signature.
    #[must_use]
    pub(crate) fn without_timestamp(self) -> Self {
        Self { stamped_by: None, ..self }
    }

    /// A timestamp goes with the signature, of an authority that nobody trusts.
    #[must_use]
    pub(crate) fn with_foreign_timestamp(self) -> Self {
        Self { stamped_by: Some(self.authority.foreign()), ..self }
    }

    /// Signs `digest` as cosign 1 and 2 do: a simple signing payload that names it.
    pub(crate) fn sign(&self, digest: Digest) -> Signed {
        self.sign_payload(&statement::simple_signing(digest))
    }

    /// Signs `payload`, which should be one of simple signing.
    pub(crate) fn sign_payload(&self, payload: &Value) -> Signed {
        self.sign_bytes(serde_json::to_vec(payload).unwrap())
    }

    /// Signs `bytes` as they are.
    pub(crate) fn sign_bytes(&self, bytes: Vec<u8>) -> Signed {
        self.make(Payload::Message(bytes))
    }

    /// Signs `statement` in a DSSE envelope.
    pub(crate) fn attest(&self, statement: &Statement) -> Signed {
        self.attest_bytes(statement.to_bytes())
    }

    /// Signs `payload`, which should be a statement, in a DSSE envelope.
    pub(crate) fn attest_bytes(&self, payload: Vec<u8>) -> Signed {
        self.envelop(payload, "application/vnd.in-toto+json")
    }

    /// Signs `payload` in a DSSE envelope that calls it `payload_type`.
    pub(crate) fn envelop(&self, payload: Vec<u8>, payload_type: &str) -> Signed {
        self.make(Payload::Envelope { payload, payload_type: payload_type.to_owned() })
    }

    fn make(&self, payload: Payload) -> Signed {
        match &self.holder {
            Holder::Certified { identity, key: Some(key) } => {
                self.make_with(payload, key, self.certified(identity, key))
            }
            Holder::Certified { identity, key: None } => {
                let key = Key::p256(&format!("{} at {}", identity.subject(), self.at));
                let credential = self.certified(identity, &key);
                self.make_with(payload, &key, credential)
            }
            Holder::Key(key) => {
                let credential = Credential::Key { public: key.public().to_vec(), hint: key.hint() };
                self.make_with(payload, key, credential)
            }
        }
    }

    /// The entry of the log for `signed`, whoever signed it.
    pub(crate) fn log_of(&self, signed: &Signed, key: &Key) -> Entry {
        let (authority, generation) = self.log.unwrap();
        self.logged(signed, key, authority, generation)
    }

    fn certified(&self, identity: &Identity, key: &Key) -> Credential {
        let leaf = self.issuer.issuer.leaf(&Leaf {
            public: key.public(),
            identity,
            validity: Validity { from: self.at, to: self.at + LEAF_LIFE },
            usage: self.usage,
            transparency: self.transparency.map_or(Transparency::None, |by| Transparency::By(&by.certificate_log)),
        });
        let chain = vec![self.issuer.issuer.certificate.clone(), self.issuer.root.certificate.clone()];
        Credential::Certificate { leaf, chain }
    }

    fn make_with(&self, payload: Payload, key: &Key, credential: Credential) -> Signed {
        let signature = key.sign(&payload.signed_bytes());
        let timestamp = self.stamped_by.map(|by| by.timestamps.stamp(&signature, self.logged_at));
        let mut signed = Signed { payload, signature, hash: key.hash(), credential, entry: None, timestamp };
        signed.entry = self.log.map(|(authority, generation)| self.logged(&signed, key, authority, generation));
        signed
    }

    fn logged(&self, signed: &Signed, key: &Key, authority: &Authority, generation: Generation) -> Entry {
        let kind = self.kind.unwrap_or(match (&signed.payload, generation) {
            (Payload::Message(_), _) | (_, Generation::V2) => EntryKind::HashedRekord,
            (Payload::Envelope { .. }, Generation::V1) => EntryKind::Dsse,
        });
        let (log, body) = match generation {
            Generation::V1 => (&authority.log, body_v1(signed, kind)),
            Generation::V2 => (&authority.log_v2, body_v2(signed, kind, key.details())),
        };
        log.append(&body, self.logged_at)
    }
}

/// The canonical entry of Rekor v1.
fn body_v1(signed: &Signed, kind: EntryKind) -> Value {
    let verifier = base64(signed.credential.to_pem());
    let hash = |bytes: &[u8]| json!({ "algorithm": "sha256", "value": Digest::of(bytes).hex() });
    let envelope = hash(&signed.layer_bytes());
    let (name, version, spec) = match kind {
        EntryKind::HashedRekord => (
            "hashedrekord",
            "0.0.1",
            json!({
                "data": { "hash": {
                    "algorithm": signed.hash.name(),
                    "value": hex::encode(signed.hash.of(&signed.payload.signed_bytes())),
                } },
                "signature": { "content": base64(&signed.signature), "publicKey": { "content": verifier } },
            }),
        ),
        EntryKind::Dsse => (
            "dsse",
            "0.0.1",
            json!({
                "envelopeHash": envelope,
                "payloadHash": hash(signed.payload.bytes()),
                "signatures": [{ "signature": base64(&signed.signature), "verifier": verifier }],
            }),
        ),
        EntryKind::IntotoV1 => (
            "intoto",
            "0.0.1",
            json!({
                "content": { "hash": envelope, "payloadHash": hash(signed.payload.bytes()) },
                "publicKey": verifier,
            }),
        ),
        EntryKind::IntotoV2 => (
            "intoto",
            "0.0.2",
            json!({ "content": {
                "envelope": {
                    "payloadType": "application/vnd.in-toto+json",
                    "signatures": [{ "publicKey": verifier, "sig": base64(base64(&signed.signature)) }],
                },
                "hash": envelope,
                "payloadHash": hash(signed.payload.bytes()),
            }}),
        ),
    };
    json!({ "apiVersion": version, "kind": name, "spec": spec })
}

/// The canonical entry of Rekor v2.
fn body_v2(signed: &Signed, kind: EntryKind, details: &str) -> Value {
    let mut verifier = match &signed.credential {
        Credential::Certificate { leaf, .. } => json!({ "x509Certificate": { "rawBytes": base64(leaf) } }),
        Credential::Key { public, .. } => json!({ "publicKey": { "rawBytes": base64(public) } }),
    };
    verifier["keyDetails"] = json!(details);
    let hash = |bytes: &[u8]| json!({ "algorithm": "SHA2_256", "digest": base64(Digest::of(bytes).as_bytes()) });
    let signature = json!({ "content": base64(&signed.signature), "verifier": verifier });
    let (name, spec) = match kind {
        EntryKind::HashedRekord => (
            "hashedrekord",
            json!({ "hashedRekordV002": {
                "data": {
                    "algorithm": signed.hash.bundle_name(),
                    "digest": base64(signed.hash.of(&signed.payload.signed_bytes())),
                },
                "signature": signature,
            }}),
        ),
        EntryKind::Dsse | EntryKind::IntotoV1 | EntryKind::IntotoV2 => (
            "dsse",
            json!({ "dsseV002": {
                "payloadHash": hash(signed.payload.bytes()),
                "signatures": [signature],
            }}),
        ),
    };
    json!({ "apiVersion": "0.0.2", "kind": name, "spec": spec })
}
