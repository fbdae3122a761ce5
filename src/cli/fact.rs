//! A fact for people: who signed, when, where it was logged, and what it says.

use std::io;

use crate::cli::lines::Lines;
use crate::evidence::{Form, Provenance, SbomFormat, SlsaVersion};
use crate::verify::{Certificate, Claim, Fact, LogProof, Signer};

/// Writes a fact, a field a line.
pub(in crate::cli) fn write(out: &mut Lines<'_>, fact: &Fact) -> io::Result<()> {
    out.line(claim(fact.claim()))?;
    let mut out = out.inner();
    match fact.signer() {
        Signer::Certificate(certificate) => write_certificate(&mut out, certificate)?,
        Signer::Key { name } => out.field("key", name)?,
    }
    out.field("signed at", signed_at(fact))?;
    out.field("evidence", format_args!("{} {}", form(fact.form()), fact.source().layer))?;
    out.field("listed by", fact.source().manifest)?;
    match fact.claim() {
        Claim::Provenance(provenance) => write_provenance(&mut out, provenance),
        Claim::Signature | Claim::Sbom(_) | Claim::Other { .. } => Ok(()),
    }
}

fn write_certificate(out: &mut Lines<'_>, certificate: &Certificate) -> io::Result<()> {
    out.field("subject", &certificate.subject)?;
    out.field("issuer", &certificate.issuer)?;
    out.field("trust", &certificate.trust)?;
    out.optional("repository", certificate.source_repository.as_ref())?;
    out.optional("ref", certificate.source_ref.as_ref())?;
    out.optional("commit", certificate.source_commit.as_ref())?;
    out.optional("workflow", certificate.build_config.as_ref())?;
    out.optional("run", certificate.run_invocation.as_ref())
}

fn write_provenance(out: &mut Lines<'_>, provenance: &Provenance) -> io::Result<()> {
    out.field("builder", &provenance.builder_id)?;
    out.field("build type", &provenance.build_type)?;
    out.optional("source", provenance.source.as_ref())?;
    out.optional("source ref", provenance.source_ref.as_ref())?;
    out.optional("commit", provenance.source_commit.as_ref())?;
    out.optional("workflow", provenance.workflow.as_ref())
}

fn signed_at(fact: &Fact) -> String {
    let log = match fact.log() {
        LogProof::RekorV1 => "logged by Rekor v1",
        LogProof::RekorV1Intoto => "logged by Rekor v1, an intoto 0.0.1 entry",
        LogProof::RekorV2 => "logged by Rekor v2",
        LogProof::TimestampOnly => "timestamped, not logged",
        LogProof::None => "neither logged nor timestamped",
    };
    fact.signed_at().map_or_else(|| log.to_owned(), |time| format!("{time:.0} ({log})"))
}

fn claim(claim: &Claim) -> String {
    match claim {
        Claim::Signature => "signature".to_owned(),
        Claim::Provenance(provenance) => match provenance.version {
            SlsaVersion::V0_2 => "provenance (SLSA v0.2)".to_owned(),
            SlsaVersion::V1 => "provenance (SLSA v1)".to_owned(),
        },
        Claim::Sbom(sbom) => {
            let format = match sbom.format {
                SbomFormat::Spdx => "SPDX",
                SbomFormat::CycloneDx => "CycloneDX",
            };
            format!("sbom ({format} {}, {} packages)", sbom.version, sbom.packages.len())
        }
        Claim::Other { predicate_type } => format!("statement of type {predicate_type}"),
    }
}

pub(in crate::cli) const fn form(form: Form) -> &'static str {
    match form {
        Form::CosignSignature => "cosign signature",
        Form::CosignAttestation => "cosign attestation",
        Form::Bundle => "sigstore bundle",
    }
}
