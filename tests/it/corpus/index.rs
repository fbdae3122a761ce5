//! The index of the corpus: its cases, and what is expected of each.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{WRONG_CLAIM, WRONG_SIGNER};

/// The checks that demand a predicate type that nobody writes.
const WRONG_PREDICATE_TYPE: &str = "wrong-predicate-type";

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
    #[serde(default)]
    pub(crate) e2e: Scope,
    /// The case whose files it takes and changes.
    pub(crate) base: Option<String>,
    /// The trusted root that its evidence was made under, relative to the corpus.
    pub(crate) trust_root: Option<String>,
    #[serde(default)]
    pub(crate) checks: Vec<Check>,
}

/// How much of an image a case has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scope {
    /// All of it.
    Full,
    /// Its manifests and their evidence.
    ManifestOnly,
    /// None of it, or less: there is nothing to pull.
    #[default]
    #[serde(other)]
    Elsewhere,
}

/// One verdict to reproduce.
#[derive(Debug, Deserialize)]
pub(crate) struct Check {
    pub(crate) name: String,
    /// The digest of the manifest that it is about; none for bundles alone.
    pub(crate) target: Option<String>,
    pub(crate) policy: Demand,
    pub(crate) expect: Expect,
    /// What other verifiers said.
    #[serde(default)]
    pub(crate) confirmed: Vec<Confirmed>,
}

/// What another verifier said.
#[derive(Debug, Deserialize)]
pub(crate) struct Confirmed {
    message: Option<String>,
}

/// What is demanded.
#[derive(Debug, Deserialize)]
pub(crate) struct Demand {
    pub(crate) evidence: String,
    pub(crate) predicate: Option<String>,
    pub(crate) identity: Option<String>,
    /// Searched for anywhere in the subject, as cosign does.
    pub(crate) identity_regexp: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) trust_root: Option<String>,
    /// The name of another trusted root than that of the case, or `own`.
    pub(crate) trust: Option<String>,
    pub(crate) gh_repository: Option<String>,
    pub(crate) gh_ref: Option<String>,
    pub(crate) rego: Option<String>,
    #[serde(default)]
    pub(crate) no_tlog: bool,
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

    /// The folders of `case`: its own, and that of its base.
    pub(crate) fn folders(&self, case: &Case) -> Vec<PathBuf> {
        let ids = std::iter::once(&case.id).chain(&case.base);
        ids.map(|id| self.folder.join("cases").join(id)).collect()
    }
}

impl Check {
    /// Whether it is about a bundle or an envelope alone, without an image.
    pub(crate) fn is_alone(&self) -> bool {
        self.policy.evidence.contains("alone")
    }

    /// What must keep it from being met, where its name says that: rejected for anything else, it would show nothing.
    pub(crate) fn cause(&self) -> Option<&'static str> {
        match self.name.as_str() {
            _ if !self.is_alone() => None,
            "wrong-identity" | "wrong-issuer" => Some(WRONG_SIGNER),
            WRONG_PREDICATE_TYPE => Some(WRONG_CLAIM),
            "wrong-digest" => Some("subject"),
            _ => None,
        }
    }

    /// The predicate type that is demanded.
    pub(crate) fn predicate_type(&self) -> Option<&'static str> {
        (self.name == WRONG_PREDICATE_TYPE).then_some("https://example.com/none")
    }

    /// The predicate type that another verifier found instead.
    pub(crate) fn found_predicate_type(&self) -> Option<&str> {
        let wanted = format!("expected {} got ", self.predicate_type()?);
        let found = self.confirmed.iter().find_map(|it| Some(it.message.as_ref()?.split_once(&wanted)?.1))?;
        found.split_whitespace().next()
    }
}
