//! Real evidence from other people's builds, with the verdicts that independent verifiers reached on it.
//!
//! The corpus is no part of the project. It is looked for at `BONAFIDE_CORPUS`, else beside the project; where it is
//! not, these tests say so and pass. What does not agree is listed in `exceptions.txt`, each with what it is refused for
//! and why that is right; an exception that agrees after all, or is refused for something else, fails as well.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the table is what one runs this for")]

mod bundles;
mod demand;
mod images;
mod index;
mod layers;
mod layout;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::{Path, PathBuf};

pub(crate) use index::{Case, Check, Expect, Index};

const EXCEPTIONS: &str = include_str!("exceptions.txt");

/// The folder of the corpus, if it is here.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = env::var_os("BONAFIDE_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"), PathBuf::from);
    if folder.join("index.json").is_file() {
        return Some(folder);
    }
    eprintln!("NOTHING WAS CHECKED: there is no corpus at {}; set BONAFIDE_CORPUS", folder.display());
    None
}

/// Why a check is not met.
#[derive(Debug)]
pub(crate) struct Miss {
    /// In one word: the kind of flaw that the evidence has or the code of a refusal, as they are written, or one of the
    /// below.
    pub(crate) cause: String,
    pub(crate) text: String,
}

/// What it proves, somebody else signed.
pub(crate) const WRONG_SIGNER: &str = "wrong-signer";
/// What it proves is something else than is demanded.
pub(crate) const WRONG_CLAIM: &str = "wrong-claim";

impl Miss {
    pub(crate) fn new(cause: impl Into<String>, text: impl Into<String>) -> Self {
        Self { cause: cause.into(), text: text.into() }
    }
}

/// How one check came out.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) kind: String,
    pub(crate) case: String,
    pub(crate) check: String,
    pub(crate) expected: Expect,
    pub(crate) found: Expect,
    /// What it must be rejected for.
    pub(crate) expected_cause: Option<&'static str>,
    /// What it was rejected for.
    pub(crate) cause: Option<String>,
    /// What was found, in words.
    pub(crate) because: String,
}

impl Outcome {
    /// The outcome of `check`, which was met or not, and why.
    pub(crate) fn of(case: &Case, check: &Check, met: Result<String, Miss>) -> Self {
        let (found, rejected_for, because) = match met {
            Ok(because) => (Expect::Accept, None, because),
            Err(miss) => (Expect::Reject, Some(miss.cause), miss.text),
        };
        Self {
            kind: case.kind.clone(),
            case: case.id.clone(),
            check: check.name.clone(),
            expected: check.expect,
            found,
            expected_cause: check.cause(),
            cause: rejected_for,
            because,
        }
    }

    fn agrees(&self) -> bool {
        self.expected == self.found && (self.expected_cause.is_none() || self.expected_cause == self.cause.as_deref())
    }
}

/// Prints a table by kind and a last line of counts; fails on every outcome that neither agrees nor is excepted, and on
/// every exception that agrees.
pub(crate) fn conclude(outcomes: &[Outcome]) {
    let exceptions = exceptions();
    let mut table: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    let mut wrong = Vec::new();
    for outcome in outcomes {
        let excepted = exceptions.get(&(outcome.case.as_str(), outcome.check.as_str()));
        let [passed, failed, left_out] = table.entry(&outcome.kind).or_default();
        match (outcome.agrees(), excepted) {
            (true, None) => *passed += 1,
            (false, Some(exception)) if outcome.cause.as_deref() == Some(exception.cause) => *left_out += 1,
            (_, exception) => {
                *failed += 1;
                wrong.push(describe(outcome, exception));
            }
        }
    }
    let totals = print(&table);
    for line in &wrong {
        println!("{line}");
    }
    println!("{} passed, {} failed", totals[0], totals[1]);
    assert!(wrong.is_empty(), "{} checks do not come out as they must:\n{}", wrong.len(), wrong.join("\n"));
}

fn describe(outcome: &Outcome, exception: Option<&Exception>) -> String {
    let Outcome { case, check, expected, found, expected_cause, cause, because, .. } = outcome;
    let found = format!("found {found:?} for {}: {because}", cause.as_deref().unwrap_or("nothing"));
    match exception {
        Some(_) if outcome.agrees() => format!("{case} / {check}: agrees, and is an exception: take it off the list"),
        Some(Exception { cause, .. }) => format!("{case} / {check}: an exception for {cause}, {found}"),
        None => {
            format!("{case} / {check}: expected {expected:?} for {}, {found}", expected_cause.unwrap_or("anything"))
        }
    }
}

fn print(table: &BTreeMap<&str, [usize; 3]>) -> [usize; 3] {
    println!("{:<32}{:>8}{:>8}{:>10}", "kind", "passed", "failed", "excepted");
    let mut totals = [0; 3];
    for (kind, counts) in table {
        println!("{kind:<32}{:>8}{:>8}{:>10}", counts[0], counts[1], counts[2]);
        totals.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
    }
    println!("{:<32}{:>8}{:>8}{:>10}", "all", totals[0], totals[1], totals[2]);
    totals
}

/// A check that does not come out as it is recorded.
struct Exception {
    /// What it is rejected for.
    cause: &'static str,
    /// Why that is right.
    reason: &'static str,
}

/// `case / check, check.. [cause]: reason`, one a line; `#` starts a comment.
fn exceptions() -> BTreeMap<(&'static str, &'static str), Exception> {
    let lines = EXCEPTIONS.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let all = lines.flat_map(|line| {
        let (case, rest) = line.split_once(" / ").unwrap_or_else(|| panic!("no check in {line:?}"));
        let (checks, rest) = rest.split_once(" [").unwrap_or_else(|| panic!("no cause in {line:?}"));
        let (why, reason) = rest.split_once("]: ").unwrap_or_else(|| panic!("no reason in {line:?}"));
        checks.split(", ").map(move |check| ((case, check), Exception { cause: why, reason }))
    });
    all.collect()
}

#[test]
fn every_exception_names_a_check_of_the_corpus() {
    let Some(folder) = folder() else { return };
    let index = Index::read(&folder);
    let checks: BTreeSet<_> = index
        .cases
        .iter()
        .flat_map(|case| case.checks.iter().map(|check| (case.id.as_str(), check.name.as_str())))
        .collect();
    for (check, Exception { reason, .. }) in exceptions() {
        assert!(checks.contains(&check), "{check:?} is no check");
        assert!(!reason.is_empty(), "{check:?} has no reason");
    }
}
