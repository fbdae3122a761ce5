//! The index of the corpus: its cases, and what is expected of each.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// `index.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Index {
    pub(crate) cases: Vec<Case>,
    #[serde(skip)]
    pub(crate) folder: PathBuf,
}

/// One case: files, and checks on them.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) kind: String,
    /// The trusted root that its evidence was made under, relative to the corpus.
    pub(crate) trust_root: Option<String>,
    #[serde(default)]
    pub(crate) checks: Vec<Check>,
}

/// One verdict to reproduce.
#[derive(Debug, Deserialize)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) policy: Demand,
    pub(crate) expect: Expect,
}

/// What is demanded.
#[derive(Debug, Deserialize)]
pub(crate) struct Demand {
    pub(crate) evidence: String,
    pub(crate) identity: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) trust_root: Option<String>,
}

/// A verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Expect {
    #[serde(alias = "allow")]
    Accept,
    #[serde(alias = "deny")]
    Reject,
}

impl Index {
    /// Reads the index of the corpus in `folder`.
    pub(crate) fn read(folder: &Path) -> Self {
        let json = fs::read(folder.join("index.json")).unwrap();
        let mut index: Self = serde_json::from_slice(&json).unwrap();
        folder.clone_into(&mut index.folder);
        index
    }

    /// The folder of `case`.
    pub(crate) fn of(&self, case: &Case) -> PathBuf {
        self.folder.join("cases").join(&case.id)
    }
}
