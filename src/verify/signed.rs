//! A piece of evidence as a bundle beside the message that its signature covers.

use std::cell::OnceCell;

use serde::Deserialize;
use sigstore_types::{
    Artifact, Bundle, DerCertificate, DsseEnvelope, HashAlgorithm, Rfc3161Timestamp, Sha256Hash, SignatureContent,
    TransparencyLogEntry, VerificationMaterialContent,
};

use crate::evidence::{Content, Evidence};
use crate::limits;
use crate::oci::Digest;
use crate::trust::{PublicKey, Scheme};
use crate::verify::defect::Defect;
use crate::verify::layer::Rewritten;
use crate::verify::witness::Witness;
use crate::verify::{FlawKind, Subject, bundle, layer, lengths};

/// A signature, what it covers, and what speaks for it. Read, not proved.
#[derive(Debug)]
pub(in crate::verify) struct Signed<'a> {
    pub(in crate::verify) bundle: Bundle,
    /// What speaks for it in a way that bundles do not know.
    pub(in crate::verify) witness: Option<Witness>,
    pub(in crate::verify) message: Message<'a>,
    /// What was found out for one trust domain, and is the same for all: messages may be long.
    scheme_of_leaf: OnceCell<Result<Scheme, Defect>>,
    payload_digest: OnceCell<Digest>,
}

/// What a signature covers.
#[derive(Debug, Clone, Copy)]
pub(in crate::verify) enum Message<'a> {
    /// The payload of the DSSE envelope in the bundle: a statement, about this digest if it is about the subject.
    Statement {
        /// The digest of the subject.
        about: Digest,
    },
    /// The manifest itself.
    Manifest(&'a [u8]),
    /// A simple signing payload.
    SimpleSigning(&'a [u8]),
}

/// The bytes that a signature covers, of which the payload of an envelope is no copy.
#[derive(Debug)]
pub(in crate::verify) struct Covered<'a> {
    head: Vec<u8>,
    body: &'a [u8],
}

impl<'a> Covered<'a> {
    /// The pre-authentication encoding: type and payload, each after its length (DSSE, "Signature Definition").
    fn of_envelope(envelope: &'a DsseEnvelope) -> Self {
        let (kind, body) = (&envelope.payload_type, envelope.payload.as_bytes());
        Self { head: format!("DSSEv1 {} {kind} {} ", kind.len(), body.len()).into_bytes(), body }
    }

    /// One after the other.
    pub(in crate::verify) fn parts(&self) -> [&[u8]; 2] {
        [&self.head, self.body]
    }
}

/// Who is said to have signed.
#[derive(Debug, Clone)]
pub(in crate::verify) enum Material<'a> {
    /// The holder of the first of these certificates.
    Certificates(Vec<&'a DerCertificate>),
    /// The holder of a key that is not part of the evidence.
    Key {
        /// What hints at which one: unsigned, and it chooses nothing.
        hint: &'a str,
    },
}

impl<'a> Signed<'a> {
    /// Reads `evidence`, which should be about `subject`.
    pub(in crate::verify) fn read(evidence: &'a Evidence, subject: &Subject<'a>) -> Result<Self, Defect> {
        let Rewritten { bundle, witness } = match &evidence.content {
            Content::Bundle { json } => Rewritten { bundle: bundle::read(json)?, witness: None },
            Content::Attestation { envelope, material } => layer::attestation(envelope, material)?,
            Content::Signature { payload, signature, material } => layer::signature(payload, signature, material)?,
            Content::Notation { .. } => {
                return Err(Defect::new(FlawKind::Unsupported, "it is no signature of Sigstore's"));
            }
        };
        let message = match (&bundle.content, &evidence.content) {
            (SignatureContent::DsseEnvelope(_), _) => Message::Statement { about: subject.digest },
            (_, Content::Signature { payload, .. }) => Message::SimpleSigning(payload),
            (_, Content::Bundle { .. } | Content::Attestation { .. } | Content::Notation { .. }) => {
                Message::Manifest(subject.manifest)
            }
        };
        let (scheme_of_leaf, payload_digest) = (OnceCell::new(), OnceCell::new());
        let signed = Self { bundle, witness, message, scheme_of_leaf, payload_digest };
        signed.check_lengths()?;
        Ok(signed)
    }

    /// Before any certificate or timestamp is decoded, here or by anybody who is asked about it.
    fn check_lengths(&self) -> Result<(), Defect> {
        if let Material::Certificates(chain) = self.material() {
            chain.iter().try_for_each(|certificate| lengths::check(certificate.as_bytes(), "the certificate"))?;
        }
        let bundled = self.timestamps().iter().map(|timestamp| &timestamp.signed_timestamp);
        let of_layer = match &self.witness {
            Some(Witness::Timestamp { token, .. }) => Some(token),
            Some(Witness::Entry(_)) | None => None,
        };
        bundled.chain(of_layer).try_for_each(|token| lengths::check(token.as_bytes(), "the signed timestamp"))
    }

    /// Who is said to have signed.
    pub(in crate::verify) fn material(&self) -> Material<'_> {
        match &self.bundle.verification_material.content {
            VerificationMaterialContent::Certificate(leaf) => Material::Certificates(vec![&leaf.raw_bytes]),
            VerificationMaterialContent::X509CertificateChain { certificates } => {
                Material::Certificates(certificates.iter().map(|certificate| &certificate.raw_bytes).collect())
            }
            VerificationMaterialContent::PublicKey(key) => Material::Key { hint: &key.hint },
            _ => Material::Certificates(Vec::new()),
        }
    }

    /// What the verifier is to hold the signature against.
    pub(in crate::verify) fn artifact(&self) -> Artifact<'a> {
        match self.message {
            Message::Statement { about } => Artifact::Digest(Sha256Hash::new(*about.as_bytes()).into()),
            Message::Manifest(bytes) | Message::SimpleSigning(bytes) => Artifact::Blob(bytes),
        }
    }

    /// Whether a log entry of any kind came with it.
    pub(in crate::verify) fn is_logged(&self) -> bool {
        !self.log_entries().is_empty() || matches!(self.witness, Some(Witness::Entry(_)))
    }

    /// The IDs of the logs that its entries name.
    pub(in crate::verify) fn logs(&self) -> impl Iterator<Item = &[u8]> {
        let old = match &self.witness {
            Some(Witness::Entry(entry)) => Some(entry.log()),
            Some(Witness::Timestamp { .. }) | None => None,
        };
        self.log_entries().iter().map(|entry| entry.log_id.key_id.as_bytes()).chain(old)
    }

    /// The log entries that came with it, of the kinds that bundles know.
    pub(in crate::verify) fn log_entries(&self) -> &[TransparencyLogEntry] {
        &self.bundle.verification_material.tlog_entries
    }

    /// Whether one of these entries states a time under a promise (SET), as those of Rekor v1 do. Such an entry proves when
    /// it was signed, or does not hold, and then nothing does: of Rekor v2 no promise holds.
    pub(in crate::verify) fn is_promised(&self) -> bool {
        let mut entries = self.log_entries().iter();
        entries.any(|entry| entry.inclusion_promise.is_some() && entry.integrated_time.is_some())
    }

    /// Whether signed timestamps came with it.
    pub(in crate::verify) fn has_timestamps(&self) -> bool {
        !self.timestamps().is_empty() || matches!(self.witness, Some(Witness::Timestamp { .. }))
    }

    /// The signed timestamps that came with it, as bundles know them.
    pub(in crate::verify) fn timestamps(&self) -> &[Rfc3161Timestamp] {
        &self.bundle.verification_material.timestamp_verification_data.rfc3161_timestamps
    }

    /// The envelope, if it is one.
    pub(in crate::verify) fn envelope(&self) -> Option<&DsseEnvelope> {
        match &self.bundle.content {
            SignatureContent::DsseEnvelope(envelope) => Some(envelope),
            SignatureContent::MessageSignature(_) | _ => None,
        }
    }

    /// The way in which the signature was made by the holder of `key`, if it was. Says nothing of when.
    pub(in crate::verify) fn scheme_by(&self, key: &PublicKey) -> Option<Scheme> {
        let message = self.covered()?;
        let message = message.parts();
        let declared = self.declared_hash();
        let mut schemes = key.schemes().iter().copied();
        schemes.find(|scheme| {
            let fits = declared.is_none() || scheme.hash().is_none() || scheme.hash() == declared;
            fits && key.has_signed(*scheme, &message, self.signature())
        })
    }

    /// The same by the holder of the first of its certificates.
    ///
    /// # Errors
    /// [`FlawKind::Signature`] if it was not.
    pub(in crate::verify) fn scheme_of_leaf(&self) -> Result<Scheme, Defect> {
        self.scheme_of_leaf.get_or_init(|| self.scheme_under(self.leaf()?)).clone()
    }

    fn leaf(&self) -> Result<&DerCertificate, Defect> {
        let leaf = match self.material() {
            Material::Certificates(chain) => chain.first().copied(),
            Material::Key { .. } => None,
        };
        leaf.ok_or_else(|| Defect::new(FlawKind::Malformed, "it has no signing certificate"))
    }

    fn scheme_under(&self, leaf: &DerCertificate) -> Result<Scheme, Defect> {
        let key = PublicKey::of(leaf)
            .map_err(|why| Defect::new(FlawKind::Unsupported, format!("the certificate's key is not usable: {why}")))?;
        let scheme = self.scheme_by(&key);
        scheme.ok_or_else(|| Defect::new(FlawKind::Signature, "the signature does not fit the certificate"))
    }

    /// What the signature covers: of an envelope its pre-authentication encoding.
    pub(in crate::verify) fn covered(&self) -> Option<Covered<'_>> {
        match (self.message, self.envelope()) {
            (_, Some(envelope)) => Some(Covered::of_envelope(envelope)),
            (Message::Manifest(body) | Message::SimpleSigning(body), None) => Some(Covered { head: Vec::new(), body }),
            (Message::Statement { .. }, None) => None,
        }
    }

    /// The SHA-256 of the payload of the envelope, if it is one.
    pub(in crate::verify) fn payload_digest(&self) -> Option<Digest> {
        let envelope = self.envelope()?;
        Some(*self.payload_digest.get_or_init(|| Digest::of(envelope.payload.as_bytes())))
    }

    /// Whether its statement is larger than sigstore-verify is handed. What is not can hold no more values than a document
    /// that is read strictly.
    pub(in crate::verify) fn is_large(&self) -> bool {
        const { assert!(limits::STATEMENT_TREE_BYTES / "0,".len() < limits::JSON_OBJECTS) };
        self.envelope().is_some_and(|envelope| envelope.payload.len() > limits::STATEMENT_TREE_BYTES)
    }

    /// The signature.
    pub(in crate::verify) fn signature(&self) -> &[u8] {
        match &self.bundle.content {
            SignatureContent::DsseEnvelope(envelope) => envelope.signature.sig.as_bytes(),
            SignatureContent::MessageSignature(message) => message.signature.as_bytes(),
            _ => &[],
        }
    }

    /// The hash that a bundle says was signed. Layers say nothing, and envelopes neither.
    fn declared_hash(&self) -> Option<HashAlgorithm> {
        match (&self.bundle.content, self.message) {
            (SignatureContent::MessageSignature(message), Message::Manifest(_)) => {
                message.message_digest.as_ref().map(|digest| digest.algorithm)
            }
            _ => None,
        }
    }

    /// The predicate type that the payload names, proven or not.
    pub(in crate::verify) fn predicate_type(&self) -> Option<String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Named {
            predicate_type: String,
        }
        let payload = self.envelope()?.payload.as_bytes();
        serde_json::from_slice::<Named>(payload).ok().map(|named| named.predicate_type)
    }
}
