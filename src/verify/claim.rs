//! What a signature says, once it is known to be good: read last, and held against the digest that is to be served.

use crate::evidence::{Predicate, SimpleSigning, Statement};
use crate::oci::Digest;
use crate::verify::defect::Defect;
use crate::verify::signed::{Message, Signed};
use crate::verify::{Claim, FlawKind, Subject};

/// What a DSSE envelope must say its payload is (in-toto attestation framework, "Envelope").
const STATEMENT: &str = "application/vnd.in-toto+json";

/// What `signed` says about `subject`.
///
/// # Errors
/// [`FlawKind::Subject`] if it is about something else; what [`Statement::parse`] or [`SimpleSigning::parse`] refuse.
pub(in crate::verify) fn read(signed: &Signed<'_>, subject: &Subject<'_>) -> Result<Claim, Defect> {
    match signed.message {
        // The signature covers the manifest's own bytes.
        Message::Manifest(_) => Ok(Claim::Signature),
        Message::SimpleSigning(payload) => {
            about(&[SimpleSigning::parse(payload)?.digest], subject.digest)?;
            Ok(Claim::Signature)
        }
        Message::Statement { .. } => statement(signed, subject.digest),
    }
}

fn statement(signed: &Signed<'_>, digest: Digest) -> Result<Claim, Defect> {
    let envelope = signed.envelope().filter(|envelope| envelope.payload_type == STATEMENT);
    let envelope = envelope
        .ok_or_else(|| Defect::new(FlawKind::Unsupported, format!("the payload is not declared as {STATEMENT}")))?;
    let statement = Statement::parse(envelope.payload.as_bytes())?;
    about(&statement.subjects, digest)?;
    Ok(claimed(statement))
}

/// What a statement says.
pub(in crate::verify) fn claimed(statement: Statement) -> Claim {
    match statement.predicate {
        Predicate::Signature => Claim::Signature,
        Predicate::Provenance(provenance) => Claim::Provenance(provenance),
        Predicate::Sbom(sbom) => Claim::Sbom(Box::new(sbom)),
        Predicate::Summary(summary) => Claim::Summary(summary),
        Predicate::Vex(vex) => Claim::Vex(vex),
        Predicate::Scan(scan) => Claim::Scan(scan),
        Predicate::Other => Claim::Other { predicate_type: statement.predicate_type.into() },
    }
}

/// The name of a subject selects nothing, its digest everything (GHSA-r2xv-vpr2-42m9).
pub(in crate::verify) fn about(subjects: &[Digest], digest: Digest) -> Result<(), Defect> {
    if subjects.contains(&digest) {
        return Ok(());
    }
    let text = match subjects {
        [] => format!("it names no subject by a SHA-256 digest, and so not {digest}"),
        [only] => format!("it is about {only}, not about {digest}"),
        [first, rest @ ..] => format!("it is about {first} and {} others, not about {digest}", rest.len()),
    };
    Err(Defect::new(FlawKind::Subject, text))
}
