//! What a transparency log says, for entries that sigstore-verify cannot read: promises (SET) and proofs of inclusion.

use jiff::Timestamp;
use sigstore_crypto::{Checkpoint, VerificationKey};
use sigstore_merkle::{hash_leaf, verify_inclusion_proof};
use sigstore_types::{InclusionProof, KindVersion, Sha256Hash, SignatureBytes, TransparencyLogEntry};

use crate::trust::Domain;
use crate::verify::FlawKind;
use crate::verify::defect::Defect;
use crate::verify::layer::Payload;

/// Checks that the log `log` of `domain` promised at `time` to take in what `covered` describes.
///
/// # Errors
/// [`FlawKind::Log`] unless the key that this log had then signed so.
pub(in crate::verify) fn promised(
    domain: &Domain,
    log: &[u8],
    time: Timestamp,
    covered: &[u8],
    promise: &[u8],
) -> Result<(), Defect> {
    let key = domain.log_keys().key_at(&name(log)?, time);
    let key = key.ok_or_else(|| mismatch("it is of no log of the trusted root that was in use at its time"))?;
    let promise = SignatureBytes::from_bytes(promise);
    key.verify(covered, &promise).map_err(|_| mismatch("its promise (SET) is not one of this log"))
}

/// Checks all that `entry` says of being in a log of `domain`, and returns when that took it in, if it says so for sure.
///
/// Only the promise of a Rekor v1 log covers a time.
///
/// # Errors
/// [`FlawKind::Log`] if a proof or a promise does not hold, or there is neither.
pub(in crate::verify) fn verify(
    domain: &Domain,
    entry: &TransparencyLogEntry,
    now: Timestamp,
) -> Result<Option<Timestamp>, Defect> {
    if let Some(proof) = &entry.inclusion_proof {
        let log = name(entry.log_id.key_id.as_bytes())?;
        let key = domain.log_keys().key_started_by(&log, now);
        let key = key.ok_or_else(|| mismatch("it is of no log of the trusted root"))?;
        included(entry, proof, key)?;
    }
    let promise = match (&entry.inclusion_promise, &entry.inclusion_proof, entry.kind_version) {
        (Some(_), _, KindVersion::HashedRekordV002) => return Err(mismatch("logs of this generation promise nothing")),
        (Some(promise), ..) => promise,
        (None, Some(_), _) => return Ok(None),
        (None, None, _) => return Err(mismatch("nothing says that it is in the log")),
    };
    let time = entry.integrated_time.ok_or_else(|| mismatch("it has a promise (SET), and no time"))?;
    let covered = Payload::of(entry, time).covered()?;
    let log = entry.log_id.key_id.as_bytes();
    promised(domain, log, time, &covered, promise.signed_entry_timestamp.as_bytes())?;
    Ok(Some(time))
}

/// Checks that `entry` is a leaf of the tree of a checkpoint that the holder of `key`, the log, signed.
fn included(entry: &TransparencyLogEntry, proof: &InclusionProof, key: &VerificationKey) -> Result<(), Defect> {
    let checkpoint = Checkpoint::from_text(proof.checkpoint.envelope())
        .map_err(|error| mismatch(&format!("its checkpoint cannot be read: {error}")))?;
    let is_signed = checkpoint
        .signatures()
        .iter()
        .any(|signature| key.verify(checkpoint.signed_data(), &signature.signature).is_ok());
    if !is_signed {
        return Err(mismatch("its checkpoint is not signed by this log"));
    }
    // Of a v2 log the proof's own numbers are left over; of a v1 log the entry counts over earlier trees, too.
    let position = match entry.kind_version {
        KindVersion::HashedRekordV002 => entry.log_index.get(),
        KindVersion::HashedRekordV001 | KindVersion::DsseV001 | KindVersion::IntotoV002 | _ => proof.log_index.get(),
    };
    let leaf = hash_leaf(entry.canonicalized_body.as_bytes());
    verify_inclusion_proof(&leaf, position, checkpoint.tree_size(), &proof.hashes, checkpoint.root_hash())
        .map_err(|error| mismatch(&format!("it is not in the tree of its checkpoint: {error}")))
}

fn name(log: &[u8]) -> Result<Sha256Hash, Defect> {
    Sha256Hash::try_from(log).map_err(|_| mismatch("the log's name is no hash"))
}

/// A log entry that does not hold, and why.
pub(in crate::verify) fn mismatch(why: &str) -> Defect {
    Defect::new(FlawKind::Log, format!("the transparency log entry does not hold: {why}"))
}
