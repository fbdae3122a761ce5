//! Real evidence from other people's builds, with the verdicts that independent verifiers reached on it.
//!
//! The corpus is no part of the project. It is looked for at `BONAFIDE_CORPUS`, else beside the project; where it is
//! not, these tests say so and pass. What does not agree is listed in `exceptions.txt`, each with its reason; an
//! exception that agrees after all fails as well.
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

/// How one check came out.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) kind: String,
    pub(crate) case: String,
    pub(crate) check: String,
    pub(crate) expected: Expect,
    pub(crate) found: Expect,
    /// What was found, in words.
    pub(crate) because: String,
}

impl Outcome {
    /// The outcome of `check`, which was met or not, and why.
    pub(crate) fn of(case: &Case, check: &Check, met: Result<String, String>) -> Self {
        let (found, because) = match met {
            Ok(because) => (Expect::Accept, because),
            Err(because) => (Expect::Reject, because),
        };
        let (kind, expected) = (case.kind.clone(), check.expect);
        Self { kind, case: case.id.clone(), check: check.name.clone(), expected, found, because }
    }

    fn agrees(&self) -> bool {
        self.expected == self.found
    }
}

/// Prints a table by kind and a last line of counts; fails on every outcome that neither agrees nor is excepted, and on
/// every exception that agrees.
pub(crate) fn conclude(outcomes: &[Outcome]) {
    let exceptions = exceptions();
    let mut table: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    let mut wrong = Vec::new();
    for outcome in outcomes {
        let excepted = exceptions.contains_key(&(outcome.case.as_str(), outcome.check.as_str()));
        let [passed, failed, left_out] = table.entry(&outcome.kind).or_default();
        match (outcome.agrees(), excepted) {
            (true, false) => *passed += 1,
            (false, true) => *left_out += 1,
            (agrees, _) => {
                *failed += 1;
                wrong.push(describe(outcome, agrees));
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

fn describe(outcome: &Outcome, agrees: bool) -> String {
    let Outcome { case, check, expected, found, because, .. } = outcome;
    if agrees {
        return format!("{case} / {check}: agrees, and is an exception: take it off the list");
    }
    format!("{case} / {check}: expected {expected:?}, found {found:?}: {because}")
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

/// `case / check: reason`, one a line; `#` starts a comment.
fn exceptions() -> BTreeMap<(&'static str, &'static str), &'static str> {
    let lines = EXCEPTIONS.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (case, rest) = line.split_once(" / ").unwrap_or_else(|| panic!("no check in {line:?}"));
            let (check, reason) = rest.split_once(": ").unwrap_or_else(|| panic!("no reason in {line:?}"));
            ((case, check), reason)
        })
        .collect()
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
    for exception in exceptions().keys() {
        assert!(checks.contains(exception), "{exception:?} is no check");
    }
}
