//! A fact for people: who signed, when, where it was logged, and what it says.

use std::io;

use crate::cli::lines::Lines;
use crate::evidence::{
    Form, Provenance, SbomFormat, Scan, Severity, SlsaVersion, Summary, SummaryResult, Vex, VexStatus,
};
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
    out.optional("found in", fact.found_in())?;
    if let Some(signature) = fact.through() {
        out.field("about", fact.subject())?;
        out.field("signed by", format_args!("{}, listed by {}", signature.layer, signature.manifest))?;
    }
    match fact.claim() {
        Claim::Provenance(provenance) => write_provenance(&mut out, provenance),
        Claim::Summary(summary) => write_summary(&mut out, summary),
        Claim::Scan(scan) => write_scan(&mut out, scan),
        Claim::Vex(vex) => write_vex(&mut out, vex),
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

fn write_summary(out: &mut Lines<'_>, summary: &Summary) -> io::Result<()> {
    out.field("verifier", &summary.verifier_id)?;
    out.optional("verified at", summary.verified_at)?;
    out.field("resource", &summary.resource_uri)?;
    out.optional("policy", summary.policy_uri.as_ref())?;
    out.field("levels", summary.levels.join(", "))
}

fn write_vex(out: &mut Lines<'_>, vex: &Vex) -> io::Result<()> {
    out.optional("author", vex.author.as_ref())?;
    out.optional("issued at", vex.issued_at)?;
    for statement in &vex.statements {
        let why = statement.justification.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        out.field(status(statement.status), format_args!("{}{why}", statement.vulnerability))?;
    }
    Ok(())
}

fn write_scan(out: &mut Lines<'_>, scan: &Scan) -> io::Result<()> {
    let version = scan.scanner_version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    out.field("scanner", format_args!("{}{version}", scan.scanner))?;
    out.optional("database", scan.database_version.as_ref().or(scan.database.as_ref()))?;
    out.optional("scanned at", scan.finished_at.or(scan.started_at))?;
    let counts = scan.counts().into_iter().flatten();
    counts.into_iter().try_for_each(|(severity, count)| out.field(rating(severity), count))
}

const fn status(status: VexStatus) -> &'static str {
    match status {
        VexStatus::NotAffected => "not affected",
        VexStatus::Affected => "affected",
        VexStatus::Fixed => "fixed",
        VexStatus::UnderInvestigation => "not known yet",
    }
}

const fn rating(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
        Severity::Negligible => "negligible",
        Severity::Unknown => "unrated",
    }
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
        Claim::Summary(summary) => match summary.result {
            SummaryResult::Passed => "verification summary (SLSA, passed)".to_owned(),
            SummaryResult::Failed => "verification summary (SLSA, failed)".to_owned(),
        },
        Claim::Vex(vex) => format!("vex (OpenVEX, {} statements)", vex.statements.len()),
        Claim::Scan(scan) => match &scan.findings {
            Some(findings) => format!("vulnerability scan ({} findings)", findings.len()),
            None => "vulnerability scan (a report that is not understood)".to_owned(),
        },
        Claim::Other { predicate_type } => format!("statement of type {predicate_type}"),
    }
}

pub(in crate::cli) const fn form(form: Form) -> &'static str {
    match form {
        Form::CosignSignature => "cosign signature",
        Form::CosignAttestation => "cosign attestation",
        Form::Bundle => "sigstore bundle",
        Form::NotationJws => "notation signature (JWS)",
        Form::NotationCose => "notation signature (COSE)",
    }
}
