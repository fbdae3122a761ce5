//! A TUF repository: all that its keys signed, over a change of keys and of the trusted root.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use bonafide::trust::{Fetch, FetchError};
use bytes::Bytes;
use jiff::Timestamp;
use tempfile::TempDir;

use crate::support::tuf;

/// What the trusted root is called.
pub const TARGET: &str = tuf::TARGET;

/// See the module.
pub struct Repository {
    /// Where trust begins.
    pub anchor: Vec<u8>,
    /// When it is looked at.
    pub now: Timestamp,
    /// The trusted roots that it vouched for at some time.
    pub signed: [String; 2],
    /// Its files as they are now.
    pub answers: Answers,
    /// Its files as they were once.
    old: BTreeMap<String, Vec<u8>>,
    /// Where nothing is remembered.
    pub folder: TempDir,
}

/// The files of a repository.
#[derive(Debug, Clone, Default)]
pub struct Answers(BTreeMap<String, Vec<u8>>);

/// The repository. Made once.
pub static REPOSITORY: LazyLock<Repository> = LazyLock::new(Repository::new);

impl Repository {
    fn new() -> Self {
        let now: Timestamp = "2025-06-01T12:00:00Z".parse().expect("a time");
        let signed = [r#"{"root":1}"#, r#"{"root":2}"#].map(str::to_owned);
        let mut repository = tuf::Repository::new(&signed[0], now);
        let (anchor, old) = (repository.anchor(), repository.files.clone());
        repository.rotate(|keys| keys.root = vec!["root b", "root c", "root d"]);
        repository.replace(&signed[1]);
        let answers = Answers(repository.files.clone());
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { anchor, now, signed, answers, old, folder }
    }

    /// Each file by itself, in its old form and its new one.
    pub fn inputs(&self) -> Vec<Vec<u8>> {
        let files = self.old.iter().chain(&self.answers.0);
        files.map(|(name, content)| [name.as_bytes(), b"\0", content].concat()).collect()
    }
}

impl Answers {
    /// Puts `content` in the place of the file `name`.
    pub fn insert(&mut self, name: &str, content: &[u8]) {
        self.0.insert(name.to_owned(), content.to_vec());
    }

    /// How many bytes there are in all.
    pub fn length(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}

#[async_trait]
impl Fetch for Answers {
    async fn fetch(&self, path: &str, most: u64) -> Result<Option<Bytes>, FetchError> {
        let Some(content) = self.0.get(path) else { return Ok(None) };
        if content.len() as u64 > most {
            return Err(FetchError(format!("{path} is too large")));
        }
        Ok(Some(content.clone().into()))
    }
}
