//! What a running process needs to read its configuration again.

use std::io;
use std::path::PathBuf;

use crate::admin;
use crate::config::{Config, ConfigError, Environment, check};
use crate::content;
use crate::facts;
use crate::front;
use crate::trust;
use crate::upstream;

/// The file that a configuration was read from.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it said, or why it could not be read.
    pub text: Result<String, String>,
    pub(in crate::config) environment: Environment,
}

/// What counts from the next start on, and cannot change before.
#[derive(Debug, Clone, PartialEq)]
pub struct Fixed {
    server: front::Settings,
    admin: admin::Settings,
    storage: (content::Settings, facts::Settings),
    upstreams: Vec<upstream::Settings>,
    trust: Vec<trust::DomainSettings>,
    keys: Vec<trust::KeySettings>,
}

impl ConfigFile {
    /// The configuration that the text is.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn read(&self) -> Result<Config, ConfigError> {
        let path = self.path.clone();
        match &self.text {
            Ok(text) => Config::of_file(path, text.clone(), &self.environment, check::files),
            Err(error) => Err(ConfigError::Read { path, source: io::Error::other(error.clone()) }),
        }
    }
}

impl Config {
    /// What of it counts from the next start on.
    pub fn fixed(&self) -> Fixed {
        Fixed {
            server: self.server.clone(),
            admin: self.admin.clone(),
            storage: (self.content.clone(), self.facts.clone()),
            upstreams: self.upstreams.clone(),
            trust: self.trust.clone(),
            keys: self.keys.clone(),
        }
    }
}

impl Fixed {
    /// The tables in which `other` differs.
    pub fn differences(&self, other: &Self) -> impl Iterator<Item = &'static str> {
        let differs = [
            ("[server]", self.server != other.server),
            ("[admin]", self.admin != other.admin),
            ("[storage]", self.storage != other.storage),
            ("[[upstream]]", self.upstreams != other.upstreams),
            ("[[trust]]", self.trust != other.trust),
            ("[[key]]", self.keys != other.keys),
        ];
        differs.into_iter().filter_map(|(table, differs)| differs.then_some(table))
    }
}
