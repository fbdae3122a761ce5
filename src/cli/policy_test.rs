//! `bonafide policy test`: what came of the cases.

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cases::{Expected, Outcome};
use crate::cli::lines::Lines;
use crate::cli::{FAILED, chain, verify};
use crate::gate::Explanation;

/// 0 if all are as expected.
pub(in crate::cli) fn exit_code(outcomes: &[Outcome]) -> ExitCode {
    if outcomes.iter().all(Outcome::is_as_expected) { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

/// Writes each case in a line, and of those that fail, what was expected and what the policy says.
pub(in crate::cli) fn write(out: &mut dyn Write, outcomes: &[Outcome]) -> io::Result<()> {
    let mut out = Lines::new(out);
    for outcome in outcomes {
        let passed = if outcome.is_as_expected() { "ok" } else { "FAILED" };
        out.line(format_args!("{passed:8}{}: {}", outcome.file.display(), outcome.name))?;
        if !outcome.is_as_expected() {
            write_failure(&mut out.inner().inner(), outcome)?;
        }
    }
    let passed = outcomes.iter().filter(|outcome| outcome.is_as_expected()).count();
    out.blank()?;
    out.line(format_args!("{passed} passed, {} failed", outcomes.len() - passed))
}

fn write_failure(out: &mut Lines<'_>, outcome: &Outcome) -> io::Result<()> {
    out.field("expected", &outcome.expected)?;
    match &outcome.got {
        Ok(decided) => {
            out.field("got", Expected::of(decided))?;
            match &decided.verdict {
                Some(verdict) => verify::write_requirements(&mut out.inner(), verdict),
                None => out.inner().optional("", decided.text.as_ref()),
            }
        }
        Err(error) => out.field("not tried", chain(error)),
    }
}

/// The same for programs.
pub(in crate::cli) fn to_json(outcomes: &[Outcome]) -> Value {
    let passed = outcomes.iter().filter(|outcome| outcome.is_as_expected()).count();
    let cases: Vec<_> = outcomes.iter().map(case_json).collect();
    json!({ "passed": passed, "failed": outcomes.len() - passed, "cases": cases })
}

fn case_json(outcome: &Outcome) -> Value {
    json!({
        "file": outcome.file,
        "name": outcome.name,
        "passed": outcome.is_as_expected(),
        "expected": outcome.expected,
        "got": outcome.got.as_ref().ok().map(Explanation::to_json),
        "error": outcome.got.as_ref().err().map(|error| chain(error)),
    })
}
