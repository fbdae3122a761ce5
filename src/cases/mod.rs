//! Tests of a policy: recorded facts, and what the policy should say of them. No network, no stores, and nothing that is
//! read here is ever served by.

mod file;
mod recorded;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

pub use file::{CASES, Expected, FACTS, written};
pub use recorded::Rules;

use crate::cases::file::Case;
use crate::config::ConfigError;
use crate::gate::Explanation;
use crate::oci::{Digest, Image, Reference};
use crate::policy::{Decision, OtherImage, ReasonCode, RecordedFacts, Verdict};

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
    /// What is decided, or why it could not be asked.
    pub got: Result<Explanation, CaseError>,
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
    /// Whether what is decided is what is expected.
    pub fn is_as_expected(&self) -> bool {
        self.got.as_ref().is_ok_and(|decided| self.expected.is_met_by(decided))
    }
}

/// Tries every case in `place`, a folder or one file of cases, in the order of their files.
///
/// # Errors
/// [`CaseError`] if there are none, or a file of cases cannot be used. What is wrong with one case is its outcome.
pub async fn run(place: &Path, rules: &Rules) -> Result<Vec<Outcome>, CaseError> {
    let mut files = Vec::new();
    find(place, DEPTH, &mut files)?;
    let mut outcomes = Vec::new();
    for file in files {
        for case in Case::read_all(&file)? {
            let got = decide(&case, file.parent().unwrap_or(Path::new("")), rules).await;
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

async fn decide(case: &Case, folder: &Path, rules: &Rules) -> Result<Explanation, CaseError> {
    let facts = match (&case.facts, &case.image, case.now) {
        (Some(path), _, _) => read(&folder.join(path))?,
        (None, Some(image), Some(now)) => nothing_about(image, now),
        (None, _, _) => return Err(CaseError::Nothing),
    };
    let recorded = || facts.tags().first().cloned().map_or(Reference::Digest(facts.digest()), Reference::Tag);
    let image = match &case.image {
        Some(image) => image.clone(),
        None => Image { repository: facts.repository().clone(), reference: recorded() },
    };
    Ok(rules.explain(&facts, &image, case.now.unwrap_or(facts.collected_at())).await?)
}

fn nothing_about(image: &Image, now: Timestamp) -> RecordedFacts {
    let digest = match image.reference {
        Reference::Digest(digest) => digest,
        Reference::Tag(_) => Digest::from_bytes([0; 32]),
    };
    RecordedFacts::none(&image.repository, digest, now)
}

fn read(path: &Path) -> Result<RecordedFacts, CaseError> {
    let text = fs::read(path).map_err(|source| CaseError::Read { path: path.to_owned(), source })?;
    serde_json::from_slice(&text).map_err(|source| CaseError::Facts { path: path.to_owned(), source })
}

impl Expected {
    /// What expects just what is `decided`, by the most telling reason of each requirement.
    pub fn of(decided: &Explanation) -> Self {
        let verdict = decided.verdict.as_ref();
        let requirements = verdict.iter().flat_map(|verdict| &verdict.requirements);
        let told = requirements.filter_map(|requirement| requirement.reasons.first());
        let mut reasons = Vec::new();
        for reason in told {
            if !reasons.contains(&reason.code) {
                reasons.push(reason.code);
            }
        }
        let rule = verdict.and_then(|verdict| verdict.rule.as_deref()).map(str::to_owned);
        // Of what is admitted, only what is served in the place of something else has to be told.
        let is_another = decided.decision == Decision::Admit && decided.text.is_some();
        Self { decision: decided.decision, rule, reasons, digest: decided.digest.filter(|_| is_another) }
    }

    fn is_met_by(&self, decided: &Explanation) -> bool {
        let given = decided.verdict.as_ref().map(reasons).unwrap_or_default();
        let rule = decided.verdict.as_ref().and_then(|verdict| verdict.rule.as_deref());
        self.decision == decided.decision
            && self.rule.as_deref().is_none_or(|expected| rule == Some(expected))
            && self.digest.is_none_or(|digest| decided.digest == Some(digest))
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
        if let Some(digest) = &self.digest {
            write!(f, " of {digest}")?;
        }
        let reasons: Vec<_> = self.reasons.iter().map(ToString::to_string).collect();
        if reasons.is_empty() { Ok(()) } else { write!(f, ": {}", reasons.join(", ")) }
    }
}
