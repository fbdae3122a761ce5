//! Attestation manifests of `BuildKit`: what the signature of the manifest says about the statements in it.
//!
//! The chain, link by link: a trusted signer signed the digest of the manifest; the manifest lists each statement by its
//! digest; the statement names the digest of the image. So the signer made the statement.

use std::cmp::Reverse;
use std::collections::HashSet;

use bytes::Bytes;
use jiff::Timestamp;

use crate::evidence::{self, Attestation, Malformed, Source, Statement};
use crate::limits;
use crate::oci::{Digest, parse_manifest};
use crate::trust::Trust;
use crate::verify::claim::{about, claimed};
use crate::verify::defect::Defect;
use crate::verify::fact::Beside;
use crate::verify::{Claim, Fact, Flaw, FlawKind, Subject, check};

/// What attestation manifests prove, and what of them proves nothing.
#[derive(Debug, Default)]
pub struct Relayed {
    /// For each statement, a fact for each of those who signed its manifest.
    pub facts: Vec<Fact>,
    /// What proves nothing.
    pub flaws: Vec<Flaw>,
    /// Whether more was signed than is kept.
    pub is_bounded: bool,
}

/// What `attestations` prove about the images that they should be about. Without a signature that holds, nothing of one is
/// read.
///
/// Anybody may sign what anybody pushed: a statement counts once for each signer and time, and all of that takes no more
/// text than [`limits::RELAYED_BYTES`].
pub fn check_attestations(attestations: &[Attestation], trust: &Trust, now: Timestamp) -> Relayed {
    let (mut relayed, mut room) = (Relayed::default(), limits::RELAYED_BYTES);
    for attestation in attestations {
        let signatures = signatures(attestation, trust, now, &mut relayed.flaws);
        if !signatures.is_empty() {
            relayed.add(attestation, &signatures, &mut room);
        }
    }
    relayed
}

/// The signatures of `attestation` that hold, one of each signer and time: whoever signed again after a time that is revoked
/// counts by the later one.
fn signatures(attestation: &Attestation, trust: &Trust, now: Timestamp, flaws: &mut Vec<Flaw>) -> Vec<Fact> {
    let subject = Subject { digest: attestation.digest, manifest: &attestation.manifest };
    let mut signatures: Vec<Fact> = Vec::new();
    for piece in &attestation.signatures {
        match check(piece, &subject, trust, now) {
            // What else is attested about the manifest is no word for its statements.
            Ok(facts) => signatures.extend(facts.into_iter().filter(|fact| fact.claim == Claim::Signature)),
            Err(flaw) => flaws.push(flaw),
        }
    }
    signatures.sort_by_key(|fact| (by_standing(fact), fact.source));
    let mut seen = HashSet::new();
    signatures.retain(|fact| seen.insert(format!("{:?} {:?}", fact.signer, by_standing(fact))));
    signatures
}

/// The one first that was made first at a proven time, then the one that holds for longest.
fn by_standing(fact: &Fact) -> (bool, Option<Timestamp>, Reverse<Timestamp>) {
    let end = fact.holds_until().unwrap_or(Timestamp::MAX);
    (fact.signed_at.is_none(), fact.signed_at, Reverse(end))
}

impl Relayed {
    /// Adds what the statements of `attestation` say by `signatures`, as far as there is `room` for their text.
    fn add(&mut self, attestation: &Attestation, signatures: &[Fact], room: &mut u64) {
        for (source, bytes) in &attestation.statements {
            let claim = match read(attestation, *source, bytes) {
                Ok(claim) => claim,
                Err(defect) => {
                    self.flaws.push(flaw(defect, attestation, *source));
                    continue;
                }
            };
            for signature in signatures {
                let Some(rest) = room.checked_sub(bytes.len() as u64) else {
                    self.is_bounded = true;
                    break;
                };
                *room = rest;
                self.facts.push(relay(signature, attestation, *source, &claim));
            }
        }
    }
}

/// What the statement at `source` says of the image.
fn read(attestation: &Attestation, source: Source, bytes: &Bytes) -> Result<Claim, Defect> {
    if !lists(attestation, source)? || Digest::of(bytes) != source.layer {
        return Err(Defect::new(FlawKind::Subject, "the attestation manifest does not list it"));
    }
    let statement = Statement::parse(bytes)?;
    about(&statement.subjects, attestation.about)?;
    match claimed(statement) {
        Claim::Signature => Err(Defect::new(FlawKind::Unsupported, "a signature that is not signed itself")),
        claim @ (Claim::Provenance(_)
        | Claim::Sbom(_)
        | Claim::Summary(_)
        | Claim::Vex(_)
        | Claim::Scan(_)
        | Claim::Other { .. }) => Ok(claim),
    }
}

/// Whether the bytes that were signed list it.
fn lists(attestation: &Attestation, source: Source) -> Result<bool, Malformed> {
    let is_signed = Digest::of(&attestation.manifest) == attestation.digest && source.manifest == attestation.digest;
    let Some(manifest) = parse_manifest(&attestation.manifest).ok().filter(|_| is_signed) else { return Ok(false) };
    let listed = evidence::unsigned_statements(&manifest, attestation.digest)?;
    Ok(listed.iter().any(|statement| statement.source == source))
}

fn relay(signature: &Fact, attestation: &Attestation, source: Source, claim: &Claim) -> Fact {
    let beside = Beside {
        found_in: signature.found_in().or(attestation.found_in.as_ref()).cloned(),
        through: Some(signature.source),
        holds_until: signature.holds_until(),
        unproven: signature.unproven().to_vec(),
    };
    Fact { subject: attestation.about, source, claim: claim.clone(), beside: beside.boxed(), ..signature.clone() }
}

fn flaw(defect: Defect, attestation: &Attestation, source: Source) -> Flaw {
    let found_in = attestation.found_in.clone().map(Box::new);
    Flaw { source, found_in, form: None, predicate_type: None, kind: defect.kind, text: defect.text }
}
