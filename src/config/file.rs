//! The file, key by key.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::admin;
use crate::config::locate::Source;
use crate::config::{self, ConfigError};
use crate::content::ByteSize;
use crate::front;
use crate::policy::{BuilderSettings, ExceptionSettings, RevokedSettings, RuleSettings, VerifierSettings};
use crate::trust::{DomainSettings, KeySettings};
use crate::upstream;

/// The whole file. What is missing is empty, or the default of the module that it belongs to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    /// The door for clients.
    pub(super) server: front::Settings,
    /// The door for operators.
    pub(super) admin: admin::Settings,
    /// Where all that is kept is kept.
    pub(super) storage: Storage,
    /// Where images come from.
    pub(super) upstream: Vec<upstream::Settings>,
    /// Trust domains besides the ones that are built in.
    pub(super) trust: Vec<DomainSettings>,
    /// Long-lived keys.
    pub(super) key: Vec<KeySettings>,
    /// Who may vouch for provenance, besides the catalogue that is built in.
    pub(super) builder: Vec<BuilderSettings>,
    /// Whose verification summaries may stand for provenance.
    pub(super) verifier: Vec<VerifierSettings>,
    /// What must be proven of which images: the first that matches decides.
    pub(super) rule: Vec<RuleSettings>,
    /// Single images that are served unproven for a while.
    pub(super) exception: Vec<ExceptionSettings>,
    /// What is refused whatever the rules say.
    pub(super) revoked: RevokedSettings,
}

/// `[storage]`: one place for content and facts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Storage {
    /// The folder of all that is stored. Made if it is not there.
    pub(super) path: Option<PathBuf>,
    /// How much content may be kept.
    pub(super) max_size: ByteSize,
    /// How many bytes a second of what is kept are hashed again in search of damage; `0B` for none.
    pub(super) scrub_rate: ByteSize,
}

/// How much content is kept unless told otherwise.
const MAX_SIZE: ByteSize = ByteSize::new(50 << 30);

/// How fast damage is looked for unless told otherwise: 50 GiB take two hours, and no disk is kept busy by that.
const SCRUB_RATE: ByteSize = ByteSize::new(8 << 20);

impl Default for Storage {
    fn default() -> Self {
        Self { path: None, max_size: MAX_SIZE, scrub_rate: SCRUB_RATE }
    }
}

impl File {
    /// Reads the text; paths in it are relative to `folder`, the one that the file is in.
    pub(super) fn parse(source: &Source<'_>, folder: &Path) -> Result<Self, ConfigError> {
        let mut file: Self = config::read(source.text, source.origin)?;
        file.resolve_paths(folder);
        Ok(file)
    }

    /// The files that must be there, each with the key that names it.
    pub(super) fn files(&self) -> Vec<(String, &Path)> {
        let mut files = Vec::new();
        if let Some(tls) = &self.server.tls {
            files.extend([("server.tls.cert".to_owned(), &*tls.cert), ("server.tls.key".to_owned(), &*tls.key)]);
            files.extend(tls.client_ca.as_deref().map(|path| ("server.tls.client_ca".to_owned(), path)));
        }
        for (index, upstream) in self.upstream.iter().enumerate() {
            files.extend(upstream.files().into_iter().map(|(key, path)| (format!("upstream.{index}.{key}"), path)));
        }
        for (index, domain) in self.trust.iter().enumerate() {
            files.extend(domain.files().into_iter().map(|(key, path)| (format!("trust.{index}.{key}"), path)));
        }
        files.extend(self.key.iter().enumerate().map(|(index, key)| (format!("key.{index}.path"), &*key.path)));
        files
    }

    /// The files or folders that must be there.
    pub(super) fn feeds(&self) -> impl Iterator<Item = (String, &Path)> {
        let feeds = self.rule.iter().map(|rule| rule.sbom.as_ref()?.deny_feed.as_deref());
        let named = feeds.enumerate().filter_map(|(index, path)| Some((index, path?)));
        named.map(|(index, path)| (format!("rule.{index}.sbom.deny_feed"), path))
    }

    fn resolve_paths(&mut self, folder: &Path) {
        let tls = self.server.tls.iter_mut();
        let tls = tls.flat_map(|tls| [Some(&mut tls.cert), Some(&mut tls.key), tls.client_ca.as_mut()]).flatten();
        let roots = self.trust.iter_mut().flat_map(DomainSettings::paths_mut);
        let keys = self.key.iter_mut().map(|key| &mut key.path);
        let upstreams = self.upstream.iter_mut().flat_map(upstream::Settings::paths_mut);
        let feeds = self.rule.iter_mut().filter_map(|rule| rule.sbom.as_mut()?.deny_feed.as_mut());
        for path in tls.chain(feeds).chain(roots).chain(keys).chain(upstreams).chain(self.storage.path.as_mut()) {
            *path = folder.join(&*path);
        }
    }
}
