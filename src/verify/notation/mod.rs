//! Signatures of the Notary Project, as `notation` makes them: JWS and COSE envelopes with a certificate chain.
//!
//! After its specification (`signature-specification.md`, `trust-store-trust-policy.md`), "strict" verification but for
//! revocation, which would need the network. Verification plugins do not exist here: whoever asks for one is refused.

mod algorithm;
mod attributes;
mod chain;
mod cose;
mod jws;
mod name;
mod target;
mod timestamp;

use jiff::{SignedDuration, Timestamp};

use crate::evidence::NotationFormat;
use crate::limits;
use crate::trust::{NotationStore, NotationStoreKind, PublicKey, Trust};
use crate::verify::defect::Defect;
use crate::verify::notation::algorithm::Algorithm;
use crate::verify::notation::attributes::{Attributes, Signing};
use crate::verify::notation::chain::Chain;
use crate::verify::{Certificate, FlawKind, LogProof, Signer, Standing, Subject, most_telling};

/// What an envelope holds. Read, not proved.
#[derive(Debug)]
struct Envelope {
    algorithm: Algorithm,
    attributes: Attributes,
    payload: Vec<u8>,
    /// The bytes that the signature is over.
    covered: Vec<u8>,
    signature: Vec<u8>,
    /// The certificates (DER), the signer's first. Not covered by the signature.
    chain: Vec<Vec<u8>>,
    /// A timestamp (RFC 3161) over the signature. Not covered by it.
    timestamp: Option<Vec<u8>>,
}

/// Every trust store under which the signature in `envelope` over `subject` holds.
///
/// # Errors
/// The most telling [`Defect`], if there is none.
pub(in crate::verify) fn prove(
    envelope: &[u8],
    format: NotationFormat,
    subject: &Subject<'_>,
    trust: &Trust,
    now: Timestamp,
) -> Result<Vec<Standing>, Defect> {
    if envelope.len() as u64 > limits::NOTATION_BYTES {
        let text =
            format!("the envelope has {} bytes, at most {} are looked at", envelope.len(), limits::NOTATION_BYTES);
        return Err(Defect::new(FlawKind::TooMuch, text));
    }
    let envelope = match format {
        NotationFormat::Jws => jws::read(envelope)?,
        NotationFormat::Cose => cose::read(envelope)?,
    };
    let chain = Chain::read(&envelope.chain)?;
    envelope.check_signature(chain.leaf_key())?;
    chain.check_requirements()?;
    let mut proven = Vec::new();
    let mut defects = Vec::new();
    for store in trust.notation_stores() {
        match envelope.under(store, &chain, now) {
            Ok(standing) => proven.push(standing),
            Err(defect) => defects.push(defect.within(&format!("trust {}", store.name()))),
        }
    }
    if proven.is_empty() {
        return Err(most_telling(defects).unwrap_or_else(no_store));
    }
    target::check(&envelope.payload, subject)?;
    Ok(proven)
}

fn no_store() -> Defect {
    Defect::new(
        FlawKind::Certificate,
        "it is by the Notary Project's rules, and no trust domain is configured for such",
    )
}

impl Envelope {
    /// The algorithm goes with the key, never with what the envelope says: one that names a weaker one is refused.
    fn check_signature(&self, key: &PublicKey) -> Result<(), Defect> {
        if Algorithm::of(key) != Some(self.algorithm) {
            let text = format!("signatures by {:?} do not go with the certificate's key", self.algorithm);
            return Err(Defect::new(FlawKind::Signature, text));
        }
        if key.fits(self.algorithm.verifier(), &self.covered, &self.signature) {
            return Ok(());
        }
        Err(Defect::new(FlawKind::Signature, "the signature does not fit the certificate"))
    }

    fn under(&self, store: &NotationStore, chain: &Chain, now: Timestamp) -> Result<Standing, Defect> {
        let kind = match self.attributes.signing {
            Signing::X509 { .. } => NotationStoreKind::Ca,
            Signing::Authority { .. } => NotationStoreKind::SigningAuthority,
        };
        let anchor = chain.anchor(store.certificates(kind)).ok_or_else(|| untrusted(chain, kind))?;
        let time = self.time(store, chain, now)?;
        let expiry = self.attributes.expiry;
        if let Some(expiry) = expiry.filter(|expiry| *expiry <= now) {
            return Err(Defect::new(FlawKind::Timestamp, format!("the signature expired at {expiry}")));
        }
        // Expired at its expiry; valid up to and with the end of a certificate.
        let expiry = expiry.map(|expiry| expiry - SignedDuration::from_nanos(1));
        let signer = Certificate {
            trust: store.name().into(),
            issuer: name::text(&anchor.tbs_certificate.subject)?.into(),
            subject: name::text(&chain.leaf().tbs_certificate.subject)?.into(),
            ..Certificate::default()
        };
        Ok(Standing {
            signer: Signer::Certificate(Box::new(signer)),
            signed_at: time.signed_at,
            log: time.proof,
            holds_until: [expiry, time.ends].into_iter().flatten().min(),
            unproven: Vec::new(),
        })
    }

    /// When it was signed, for sure, and until when that may be believed. The chain was valid then.
    fn time(&self, store: &NotationStore, chain: &Chain, now: Timestamp) -> Result<Time, Defect> {
        let authorities = store.certificates(NotationStoreKind::Tsa);
        match (self.attributes.signing, &self.timestamp) {
            (Signing::Authority { at }, _) => {
                check_past(at, now)?;
                chain.verify(at)?;
                Ok(Time { signed_at: Some(at), proof: LogProof::None, ends: None })
            }
            // What came along must hold, where it can be checked.
            (Signing::X509 { .. }, Some(token)) if !authorities.is_empty() => {
                let stamped = timestamp::verify(token, &self.signature, authorities)?;
                check_past(stamped.earliest, now)?;
                chain.verify(stamped.earliest)?;
                chain.verify(stamped.latest)?;
                Ok(Time { signed_at: Some(stamped.latest), proof: LogProof::TimestampOnly, ends: None })
            }
            // The time that a signer states of itself proves nothing: anybody with the key of a certificate that ran out
            // can state an earlier one.
            (Signing::X509 { at }, _) => {
                check_past(at, now)?;
                chain.verify(now)?;
                Ok(Time { signed_at: None, proof: LogProof::None, ends: Some(chain.ends()) })
            }
        }
    }
}

struct Time {
    signed_at: Option<Timestamp>,
    proof: LogProof,
    ends: Option<Timestamp>,
}

fn check_past(time: Timestamp, now: Timestamp) -> Result<(), Defect> {
    if time <= now {
        return Ok(());
    }
    Err(Defect::new(FlawKind::Timestamp, format!("it claims to be signed at {time}, which is yet to come")))
}

fn untrusted(chain: &Chain, kind: NotationStoreKind) -> Defect {
    let names = chain.names();
    let text = format!("none of its certificates ({names}) is in the trust store for {}", kind.name());
    Defect::new(FlawKind::Certificate, text)
}
