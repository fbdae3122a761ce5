//! What speaks for a `.att` layer as a whole, byte by byte, rather than for the signature in it: log entries of the kind
//! `intoto/0.0.1`, and signed timestamps. Bundles know neither, so certificate and signature are checked here as well.

use bytes::Bytes;
use jiff::Timestamp;
use sigstore_types::{DerCertificate, TimestampToken};

use crate::trust::{Domain, Key};
use crate::verify::defect::Defect;
use crate::verify::signed::Signed;
use crate::verify::{LogProof, chain, intoto, stamp};

/// What speaks for a layer.
#[derive(Debug)]
pub(in crate::verify) enum Witness {
    /// A log entry that holds the hash of the layer.
    Entry(Box<intoto::Entry>),
    /// A timestamp of the layer (cosign 2, `--timestamp-server-url`).
    Timestamp {
        /// The timestamp.
        token: TimestampToken,
        /// The layer.
        layer: Bytes,
    },
}

impl Witness {
    /// When `signed` was signed, by the holder of the certificate `leaf`.
    ///
    /// # Errors
    /// A [`Defect`] unless the witness is one of `domain`, the certificate chains to its root and was valid then, its
    /// timestamp (SCT) holds where the domain asks for one, and both the signature and the witness fit it.
    pub(in crate::verify) fn certified(
        &self,
        domain: &Domain,
        signed: &Signed<'_>,
        leaf: &DerCertificate,
    ) -> Result<Timestamp, Defect> {
        let time = self.time(domain)?;
        chain::verify(domain, leaf, time)?;
        signed.scheme_of_leaf()?;
        match self {
            Self::Entry(entry) => entry.check_certificate(signed, leaf)?,
            Self::Timestamp { .. } => {}
        }
        Ok(time)
    }

    /// When `signed`, whose signature fits `key`, was signed.
    ///
    /// # Errors
    /// A [`Defect`] unless the witness is one of `domain`, and fits.
    pub(in crate::verify) fn keyed(
        &self,
        domain: &Domain,
        signed: &Signed<'_>,
        key: &Key,
    ) -> Result<Timestamp, Defect> {
        let time = self.time(domain)?;
        match self {
            Self::Entry(entry) => entry.check_key(signed, key.public_key().spki())?,
            Self::Timestamp { .. } => {}
        }
        Ok(time)
    }

    /// What stands behind the time.
    pub(in crate::verify) fn log_proof(&self) -> LogProof {
        match self {
            Self::Entry(_) => LogProof::RekorV1Intoto,
            Self::Timestamp { .. } => LogProof::TimestampOnly,
        }
    }

    fn time(&self, domain: &Domain) -> Result<Timestamp, Defect> {
        match self {
            Self::Entry(entry) => entry.promised(domain),
            Self::Timestamp { token, layer } => stamp::time(domain, token, layer),
        }
    }
}
