//! Tests of a policy: recorded facts, and what the policy should say of them. No network, no stores, and nothing that is
//! read here is ever served by.

mod file;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

pub use file::{CASES, Expected, FACTS, written};

use crate::cases::file::Case;
use crate::config::ConfigError;
use crate::oci::{Digest, Image, Reference};
use crate::policy::{OtherImage, Policy, ReasonCode, RecordedFacts, Verdict};

/// How deep cases may lie below the folder that is asked for: a link to a folder above it must end somewhere.
const DEPTH: usize = 8;

/// What came of one case.
#[derive(Debug)]
pub struct Outcome {
    /// The file that it stands in.
    pub file: PathBuf,
    /// What it is called there.
    pub name: String,
    /// What it expects.
    pub expected: Expected,
    /// What the policy says, or why it could not be asked.
    pub got: Result<Verdict, CaseError>,
}

/// Why a case could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file of cases says something that cannot be.
    #[error(transparent)]
    Cases(#[from] ConfigError),
    /// The recorded facts are none.
    #[error("{} has no recorded facts", path.display())]
    Facts {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// It names neither facts, nor an image and a time.
    #[error("a case without facts is about an image of which nothing is published: it needs image and now")]
    Nothing,
    /// The facts are of another image.
    #[error(transparent)]
    OtherImage(#[from] OtherImage),
    /// There are no cases.
    #[error("there is no {CASES} in {} or below it: bonafide inspect --record writes one", .0.display())]
    None(PathBuf),
}

impl Outcome {
    /// Whether the policy says what is expected.
    pub fn is_as_expected(&self) -> bool {
        self.got.as_ref().is_ok_and(|verdict| self.expected.is_met_by(verdict))
    }
}

/// Tries every case in `place`, a folder or one file of cases, in the order of their files.
///
/// # Errors
/// [`CaseError`] if there are none, or a file of cases cannot be used. What is wrong with one case is its outcome.
pub fn run(place: &Path, policy: &Policy) -> Result<Vec<Outcome>, CaseError> {
    let mut files = Vec::new();
    find(place, DEPTH, &mut files)?;
    let mut outcomes = Vec::new();
    for file in files {
        for case in Case::read_all(&file)? {
            let got = verdict(&case, file.parent().unwrap_or(Path::new("")), policy);
            outcomes.push(Outcome { file: file.clone(), name: case.name, expected: case.expected, got });
        }
    }
    if outcomes.is_empty() { Err(CaseError::None(place.to_owned())) } else { Ok(outcomes) }
}

fn find(place: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), CaseError> {
    let unreadable = |source| CaseError::Read { path: place.to_owned(), source };
    if !fs::metadata(place).map_err(unreadable)?.is_dir() {
        files.push(place.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(place).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(unreadable)?;
    let mut below: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    below.sort();
    for path in below {
        if path.is_dir() && depth > 0 {
            find(&path, depth - 1, files)?;
        } else if path.file_name().is_some_and(|name| name == CASES) {
            files.push(path);
        }
    }
    Ok(())
}

fn verdict(case: &Case, folder: &Path, policy: &Policy) -> Result<Verdict, CaseError> {
    let facts = match (&case.facts, &case.image, case.now) {
        (Some(path), _, _) => read(&folder.join(path))?,
        (None, Some(image), Some(now)) => nothing_about(image, now),
        (None, _, _) => return Err(CaseError::Nothing),
    };
    let recorded = || facts.tags().first().cloned().map_or(Reference::Digest(facts.digest()), Reference::Tag);
    let (repository, reference) = match &case.image {
        Some(image) => (&image.repository, image.reference.clone()),
        None => (facts.repository(), recorded()),
    };
    Ok(facts.judge(policy, repository, &reference, case.now.unwrap_or(facts.collected_at()))?)
}

fn nothing_about(image: &Image, now: Timestamp) -> RecordedFacts {
    let digest = match image.reference {
        Reference::Digest(digest) => digest,
        Reference::Tag(_) => Digest::from_bytes([0; 32]),
    };
    RecordedFacts::none(image.repository.clone(), digest, now)
}

fn read(path: &Path) -> Result<RecordedFacts, CaseError> {
    let text = fs::read(path).map_err(|source| CaseError::Read { path: path.to_owned(), source })?;
    serde_json::from_slice(&text).map_err(|source| CaseError::Facts { path: path.to_owned(), source })
}

impl Expected {
    /// What expects just what `verdict` says, by the most telling reason of each requirement.
    pub fn of(verdict: &Verdict) -> Self {
        let told = verdict.requirements.iter().filter_map(|requirement| requirement.reasons.first());
        let mut reasons = Vec::new();
        for reason in told {
            if !reasons.contains(&reason.code) {
                reasons.push(reason.code);
            }
        }
        Self { decision: verdict.decision, rule: verdict.rule.as_deref().map(str::to_owned), reasons }
    }

    fn is_met_by(&self, verdict: &Verdict) -> bool {
        let given = reasons(verdict);
        self.decision == verdict.decision
            && self.rule.as_deref().is_none_or(|rule| verdict.rule.as_deref() == Some(rule))
            && self.reasons.iter().all(|reason| given.contains(reason))
    }
}

/// The codes of all reasons, in the order in which they are told.
fn reasons(verdict: &Verdict) -> Vec<ReasonCode> {
    verdict.requirements.iter().flat_map(|requirement| &requirement.reasons).map(|reason| reason.code).collect()
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.decision)?;
        if let Some(rule) = &self.rule {
            write!(f, " by {rule}")?;
        }
        let reasons: Vec<_> = self.reasons.iter().map(ToString::to_string).collect();
        if reasons.is_empty() { Ok(()) } else { write!(f, ": {}", reasons.join(", ")) }
    }
}
