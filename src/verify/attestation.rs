//! Attestation manifests of `BuildKit`: what the signature of the manifest says about the statements in it.
//!
//! The chain, link by link: a trusted signer signed the digest of the manifest; the manifest lists each statement by its
//! digest; the statement names the digest of the image. So the signer made the statement.

use bytes::Bytes;
use jiff::Timestamp;

use crate::evidence::{self, Attestation, Malformed, Source, Statement};
use crate::oci::{Digest, parse_manifest};
use crate::trust::Trust;
use crate::verify::claim::{about, claimed};
use crate::verify::defect::Defect;
use crate::verify::{Claim, Fact, Flaw, FlawKind, Subject, budget, check};

/// What `attestation` proves about the image that it should be about: a fact for each of its statements and each
/// signature of it; and what proves nothing. Without a signature that holds, nothing of it is read.
pub fn check_attestation(attestation: &Attestation, trust: &Trust, now: Timestamp) -> (Vec<Fact>, Vec<Flaw>) {
    let Attestation { digest, manifest, .. } = attestation;
    let (mut signatures, mut flaws) = (Vec::new(), Vec::new());
    for piece in &attestation.signatures {
        match check(piece, &Subject { digest: *digest, manifest }, trust, now) {
            // What else is attested about the manifest is no word for its statements.
            Ok(facts) => signatures.extend(facts.into_iter().filter(|fact| fact.claim == Claim::Signature)),
            Err(flaw) => flaws.push(flaw),
        }
    }
    if signatures.is_empty() {
        return (Vec::new(), flaws);
    }
    let mut facts = Vec::new();
    for (source, bytes) in &attestation.statements {
        match read(attestation, *source, bytes) {
            Ok(claim) => {
                facts.extend(signatures.iter().map(|signature| relay(signature, attestation, *source, &claim)));
            }
            Err(defect) => flaws.push(flaw(defect, *source)),
        }
    }
    (facts, flaws)
}

/// What the statement at `source` says of the image.
fn read(attestation: &Attestation, source: Source, bytes: &Bytes) -> Result<Claim, Defect> {
    if !lists(attestation, source)? || Digest::of(bytes) != source.layer {
        return Err(Defect::new(FlawKind::Subject, "the attestation manifest does not list it"));
    }
    budget::check(bytes)?;
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
    Fact {
        subject: attestation.about,
        source,
        through: Some(signature.source),
        claim: claim.clone(),
        ..signature.clone()
    }
}

fn flaw(defect: Defect, source: Source) -> Flaw {
    Flaw { source, form: None, predicate_type: None, kind: defect.kind, text: defect.text }
}
