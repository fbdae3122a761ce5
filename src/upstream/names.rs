//! What the configured upstreams are called: by rules, and by clients.

use std::collections::{HashMap, HashSet};

use crate::oci::UpstreamName;
use crate::upstream::{Settings, UpstreamError};

/// What clients call Docker Hub besides `docker.io`.
const DOCKER_HUB_ALIASES: [&str; 2] = ["index.docker.io", "registry-1.docker.io"];

/// The names of all configured upstreams: a closed world. Says nothing of where they are, and asks nobody.
#[derive(Debug, Clone, Default)]
pub struct Names {
    configured: HashSet<UpstreamName>,
    aliases: HashMap<UpstreamName, UpstreamName>,
    default: Option<UpstreamName>,
}

impl Names {
    /// The names in `settings`.
    ///
    /// # Errors
    /// [`UpstreamError::Duplicate`] if two answer to one name, [`UpstreamError::SecondDefault`] if two are the default.
    pub fn new(settings: &[Settings]) -> Result<Self, UpstreamError> {
        let mut all = Self::default();
        for one in settings {
            all.add(one)?;
        }
        for one in settings {
            all.add_aliases(one)?;
        }
        Ok(all)
    }

    /// The upstream that serves requests which name none.
    pub const fn default_name(&self) -> Option<&UpstreamName> {
        self.default.as_ref()
    }

    /// The name under which rules know the upstream that `name` or one of its aliases means.
    pub fn canonical(&self, name: &UpstreamName) -> Option<&UpstreamName> {
        self.configured.get(self.aliases.get(name).unwrap_or(name))
    }

    /// The names of all upstreams, without aliases, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &UpstreamName> {
        self.configured.iter()
    }

    /// The aliases, each with the name that it stands for, in no order.
    pub fn aliases(&self) -> impl Iterator<Item = (&UpstreamName, &UpstreamName)> {
        self.aliases.iter()
    }

    fn add(&mut self, settings: &Settings) -> Result<(), UpstreamError> {
        let name = &settings.name;
        if !self.configured.insert(name.clone()) {
            return Err(UpstreamError::Duplicate(name.clone()));
        }
        if !settings.default {
            return Ok(());
        }
        match self.default.replace(name.clone()) {
            Some(first) => Err(UpstreamError::SecondDefault(first, name.clone())),
            None => Ok(()),
        }
    }

    fn add_aliases(&mut self, settings: &Settings) -> Result<(), UpstreamError> {
        let name = &settings.name;
        let usual = if name.as_str() == "docker.io" { &DOCKER_HUB_ALIASES[..] } else { &[] };
        let usual = usual.iter().filter_map(|alias| alias.parse().ok());
        for alias in usual.chain(settings.aliases.iter().cloned()) {
            let is_taken = self.configured.contains(&alias);
            if is_taken || self.aliases.insert(alias.clone(), name.clone()).is_some_and(|other| other != *name) {
                return Err(UpstreamError::Duplicate(alias));
            }
        }
        Ok(())
    }
}
