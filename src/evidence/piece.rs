//! One piece of evidence, as fetched: its bytes, its form, and where it was found.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::oci::{Digest, Repository};

/// Where a piece of evidence was found, for whoever wants to look at it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source {
    /// The manifest that lists it.
    pub manifest: Digest,
    /// The layer that it is.
    pub layer: Digest,
}

/// How a piece of evidence is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A layer of `application/vnd.dev.cosign.simplesigning.v1+json`: cosign 1 and 2, `sha256-<hex>.sig`.
    CosignSignature,
    /// A layer of `application/vnd.dsse.envelope.v1+json`: cosign 1 and 2, `sha256-<hex>.att`.
    CosignAttestation,
    /// A layer of `application/vnd.dev.sigstore.bundle.v0.3+json` (or v0.1, v0.2): cosign 3, GitHub.
    Bundle,
    /// A layer of `application/jose+json`: a signature of the Notary Project, as JWS.
    NotationJws,
    /// A layer of `application/cose`: a signature of the Notary Project, as COSE.
    NotationCose,
}

/// How a signature of the Notary Project is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotationFormat {
    /// JWS in its flattened JSON serialization.
    Jws,
    /// `COSE_Sign1`.
    Cose,
}

/// One piece of evidence. The bytes of its layer hash to `source.layer`; nothing else about it is known.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Where it was found.
    pub source: Source,
    /// The repository that it was found in, if that is not the image's own.
    pub found_in: Option<Repository>,
    /// What it is.
    pub content: Content,
}

/// The bytes of a piece of evidence, by form.
#[derive(Debug, Clone)]
pub enum Content {
    /// [`Form::CosignSignature`].
    Signature {
        /// The layer: a simple signing payload.
        payload: Bytes,
        /// Annotation `dev.cosignproject.cosign/signature`, base64.
        signature: String,
        /// The other annotations.
        material: CosignMaterial,
    },
    /// [`Form::CosignAttestation`].
    Attestation {
        /// The layer: a DSSE envelope.
        envelope: Bytes,
        /// The annotations.
        material: CosignMaterial,
    },
    /// [`Form::Bundle`].
    Bundle {
        /// The layer: a Sigstore bundle.
        json: Bytes,
    },
    /// [`Form::NotationJws`] or [`Form::NotationCose`].
    Notation {
        /// The layer.
        envelope: Bytes,
        /// How it is written.
        format: NotationFormat,
    },
}

/// What cosign 1 and 2 put beside a signature, as annotations of its layer. All of it is optional and unsigned.
#[derive(Debug, Clone, Default)]
pub struct CosignMaterial {
    /// `dev.sigstore.cosign/certificate`: the signing certificate, PEM.
    pub certificate: Option<String>,
    /// `dev.sigstore.cosign/chain`: certificates between it and a root, PEM.
    pub chain: Option<String>,
    /// `dev.sigstore.cosign/bundle`: the log entry with its promise (SET), JSON.
    pub log_entry: Option<String>,
    /// `dev.sigstore.cosign/rfc3161timestamp`: a signed timestamp, JSON.
    pub timestamp: Option<String>,
}

impl Evidence {
    /// How this piece is written.
    pub fn form(&self) -> Form {
        match self.content {
            Content::Signature { .. } => Form::CosignSignature,
            Content::Attestation { .. } => Form::CosignAttestation,
            Content::Bundle { .. } => Form::Bundle,
            Content::Notation { format: NotationFormat::Jws, .. } => Form::NotationJws,
            Content::Notation { format: NotationFormat::Cose, .. } => Form::NotationCose,
        }
    }
}
