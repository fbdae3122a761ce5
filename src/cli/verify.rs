//! `bonafide verify`: the verdict that the gate would use, from the same code.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::cli::fact;
use crate::cli::lines::Lines;
use crate::gate::Explanation;
use crate::policy::{Decision, Mode, Requirement, RequirementKind, Verdict};

/// Refused.
const REFUSED: u8 = 3;
/// Neither admitted nor refused: something could not be asked.
const UNDECIDED: u8 = 4;

/// The exit code that stands for a decision.
pub(in crate::cli) fn exit_code(decision: Decision) -> ExitCode {
    match decision {
        Decision::Admit => ExitCode::SUCCESS,
        Decision::Refuse => ExitCode::from(REFUSED),
        Decision::Undecided => ExitCode::from(UNDECIDED),
    }
}

/// Writes the verdict for people.
pub(in crate::cli) fn write(out: &mut dyn Write, explanation: &Explanation) -> io::Result<()> {
    let mut out = Lines::new(out);
    out.line(&explanation.image)?;
    out.optional("digest", explanation.digest)?;
    out.field("decision", decision(explanation.decision))?;
    if let Some(verdict) = &explanation.verdict {
        write_verdict(&mut out, verdict)?;
    }
    if let Some(text) = &explanation.text {
        out.blank()?;
        out.line(text)?;
    }
    match explanation.verdict.as_ref().and_then(Verdict::most_telling) {
        Some((_, reason)) => out.line(format_args!("What to do about it: bonafide explain {}", reason.code)),
        None => Ok(()),
    }
}

fn write_verdict(out: &mut Lines<'_>, verdict: &Verdict) -> io::Result<()> {
    let mode = verdict.mode.map(mode);
    out.optional("rule", verdict.rule.as_deref().map(|rule| format!("{rule} ({})", mode.unwrap_or("no mode"))))?;
    for requirement in &verdict.requirements {
        out.blank()?;
        write_requirement(out, requirement)?;
    }
    Ok(())
}

/// Writes every requirement, with what met it or why nothing did.
pub(in crate::cli) fn write_requirements(out: &mut Lines<'_>, verdict: &Verdict) -> io::Result<()> {
    verdict.requirements.iter().try_for_each(|requirement| write_requirement(out, requirement))
}

fn write_requirement(out: &mut Lines<'_>, requirement: &Requirement) -> io::Result<()> {
    let met = if requirement.met { "met" } else { "NOT MET" };
    out.field(kind(requirement.kind), met)?;
    let mut out = out.inner();
    out.optional("build level", requirement.level)?;
    for fact in requirement.by.iter().chain(&requirement.also_by) {
        fact::write(&mut out, fact)?;
        out.inner().field("listed by", fact.source().manifest)?;
    }
    requirement.reasons.iter().try_for_each(|reason| out.line(format_args!("{} [{}]", reason.text, reason.code)))
}

const fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Admit => "admitted",
        Decision::Refuse => "refused",
        Decision::Undecided => "undecided",
    }
}

const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Audit => "audit: served, whatever is not met",
        Mode::Allow => "allow: served without any proof",
        Mode::Deny => "deny",
    }
}

const fn kind(kind: RequirementKind) -> &'static str {
    match kind {
        RequirementKind::Signature => "signature",
        RequirementKind::Provenance => "provenance",
        RequirementKind::Sbom => "sbom",
        RequirementKind::BaseImage => "base image",
        RequirementKind::Index => "index",
        RequirementKind::Age => "age",
        RequirementKind::Condition => "condition",
        RequirementKind::Rule => "rule",
    }
}
