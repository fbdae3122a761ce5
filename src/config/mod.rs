//! One file -> one valid [`Config`]. Every module owns its own settings; this one maps keys to them, checks what spans
//! several of them, and says in which line what is wrong and what to write instead. It must never have a default that
//! weakens a check.

mod check;
mod error;
mod file;
mod locate;
mod place;
mod reread;
mod schema;

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

pub use error::ConfigError;
pub use place::Environment;
pub use reread::{ConfigFile, Fixed};
pub use schema::schema;

use crate::admin;
use crate::content;
use crate::facts;
use crate::front;
use crate::policy::Policy;
use crate::trust;
use crate::upstream;

/// A valid configuration.
#[derive(Debug)]
pub struct Config {
    /// Where it came from, for people: a path, or the words for the one that is built in.
    pub origin: String,
    /// The file that it was read from, if it was.
    pub file: Option<ConfigFile>,
    /// `[server]`
    pub server: front::Settings,
    /// `[admin]`
    pub admin: admin::Settings,
    /// The content's share of `[storage]`.
    pub content: content::Settings,
    /// The facts' share of `[storage]`.
    pub facts: facts::Settings,
    /// `[[upstream]]`: no two of one name, one default at most.
    pub upstreams: Vec<upstream::Settings>,
    /// `[[trust]]`: no two of one name, each with one source.
    pub trust: Vec<trust::DomainSettings>,
    /// The share of `[storage]` of what was fetched of trust.
    pub trust_folder: PathBuf,
    /// `[[key]]`: no two of one name.
    pub keys: Vec<trust::KeySettings>,
    /// `[[rule]]`, `[[builder]]`, `[[exception]]` and `[revoked]`, compiled: every name that they use exists.
    pub policy: Policy,
    /// What is probably not meant, in words.
    pub warnings: Vec<String>,
    weakenings: Vec<String>,
}

/// Which of the files that a configuration names must be there.
type FileCheck = fn(&file::File, &locate::Source<'_>) -> Result<(), ConfigError>;

/// The file that is used where none is given.
pub const BUILT_IN: &str = include_str!("../../config/default.toml");

/// Reads any other TOML file that people write, with the same care for what they misspell.
///
/// # Errors
/// [`ConfigError::Invalid`], with `origin` and the line.
pub fn read<T: DeserializeOwned>(text: &str, origin: &str) -> Result<T, ConfigError> {
    let source = locate::Source { text, origin };
    toml::from_str(text).map_err(|error| source.unreadable(&error))
}

impl Config {
    /// Reads `file`, else the file that `BONAFIDE_CONFIG` names, else the built-in configuration.
    ///
    /// # Errors
    /// [`ConfigError::Read`] if the file cannot be read, [`ConfigError::Invalid`] with file and line otherwise, also if a
    /// file that it names cannot be read.
    pub fn load(file: Option<&Path>, environment: &Environment) -> Result<Self, ConfigError> {
        Self::load_checking(file, environment, check::files)
    }

    /// The same for whoever only asks its rules what they say of recorded facts: these name keys and signers that are proven
    /// already. So keys, trusted roots, certificates and credentials, which are not in every place where rules are tested,
    /// need not be there. Nothing can be proven or served by it.
    ///
    /// # Errors
    /// As [`load`](Self::load), but for those files. Feeds must be there: rules read them.
    pub fn load_rules(file: Option<&Path>, environment: &Environment) -> Result<Self, ConfigError> {
        Self::load_checking(file, environment, check::feeds)
    }

    fn load_checking(file: Option<&Path>, environment: &Environment, files: FileCheck) -> Result<Self, ConfigError> {
        let Some(path) = file.map(Path::to_owned).or_else(|| environment.config.clone()) else {
            return Self::parse(BUILT_IN, "the built-in configuration", Path::new(""), environment);
        };
        let text = fs::read_to_string(&path).map_err(|source| ConfigError::Read { path: path.clone(), source })?;
        Self::of_file(path, text, environment, files)
    }

    fn of_file(path: PathBuf, text: String, environment: &Environment, files: FileCheck) -> Result<Self, ConfigError> {
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let source = locate::Source { text: &text, origin: &path.display().to_string() };
        let file = file::File::parse(&source, &folder)?;
        files(&file, &source)?;
        let config = Self::compile(file, &source, environment)?;
        Ok(Self { file: Some(ConfigFile { path, text: Ok(text), environment: environment.clone() }), ..config })
    }

    /// Reads `text`. Relative paths in it are relative to `folder`; the files that it names are not looked for.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`], with `origin` and the line.
    pub fn parse(text: &str, origin: &str, folder: &Path, environment: &Environment) -> Result<Self, ConfigError> {
        let source = locate::Source { text, origin };
        Self::compile(file::File::parse(&source, folder)?, &source, environment)
    }

    fn compile(
        mut file: file::File,
        source: &locate::Source<'_>,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let path = file.storage.path.take().unwrap_or_else(|| environment.state_folder());
        let policy = check::policy(&mut file, source)?;
        Ok(Self {
            origin: source.origin.to_owned(),
            file: None,
            warnings: check::warnings(&file),
            weakenings: check::weakenings(&file, &policy),
            server: file.server,
            admin: file.admin,
            content: content::Settings {
                path: path.clone(),
                max_size: file.storage.max_size,
                scrub_rate: file.storage.scrub_rate,
            },
            trust_folder: path.join("trust"),
            facts: facts::Settings { path },
            upstreams: file.upstream,
            trust: file.trust,
            keys: file.key,
            policy,
        })
    }

    /// Everything in it that weakens a check, in words, for the log at start.
    pub fn weakenings(&self) -> Vec<String> {
        self.weakenings.clone()
    }
}
