//! The file, key by key.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::admin;
use crate::config::ConfigError;
use crate::config::locate::Source;
use crate::content::ByteSize;
use crate::front;
use crate::policy::{BuilderSettings, ExceptionSettings, RevokedSettings, RuleSettings};
use crate::trust::{DomainSettings, KeySettings};
use crate::upstream;

/// The whole file. What is missing is empty, or the default of the module that it belongs to.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) server: front::Settings,
    pub(super) admin: admin::Settings,
    pub(super) storage: Storage,
    pub(super) upstream: Vec<upstream::Settings>,
    pub(super) trust: Vec<DomainSettings>,
    pub(super) key: Vec<KeySettings>,
    pub(super) builder: Vec<BuilderSettings>,
    pub(super) rule: Vec<RuleSettings>,
    pub(super) exception: Vec<ExceptionSettings>,
    pub(super) revoked: RevokedSettings,
}

/// `[storage]`: one place for content and facts.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Storage {
    pub(super) path: Option<PathBuf>,
    pub(super) max_size: ByteSize,
}

/// How much content is kept unless told otherwise.
const MAX_SIZE: ByteSize = ByteSize::new(50 << 30);

impl Default for Storage {
    fn default() -> Self {
        Self { path: None, max_size: MAX_SIZE }
    }
}

impl File {
    pub(super) fn parse(source: &Source<'_>) -> Result<Self, ConfigError> {
        toml::from_str(source.text).map_err(|error| source.unreadable(&error))
    }

    /// Makes paths relative to `folder`, the one that the file is in.
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        let tls = self.server.tls.iter_mut();
        let tls = tls.flat_map(|tls| [Some(&mut tls.cert), Some(&mut tls.key), tls.client_ca.as_mut()]).flatten();
        let roots = self.trust.iter_mut().map(|domain| &mut domain.trusted_root);
        let keys = self.key.iter_mut().map(|key| &mut key.path);
        let upstreams = self.upstream.iter_mut().flat_map(upstream::Settings::paths_mut);
        for path in tls.chain(roots).chain(keys).chain(upstreams).chain(self.storage.path.as_mut()) {
            *path = folder.join(&*path);
        }
    }
}
