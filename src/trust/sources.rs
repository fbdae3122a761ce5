//! What a snapshot is made of, as text: read from files once, and replaced root by root as newer ones are fetched.

use std::collections::BTreeSet;
use std::fs;
use std::mem;
use std::path::Path;
use std::sync::Arc;

use crate::trust::root_source::RootSource;
use crate::trust::settings::{DomainSettings, KeySettings, Requirement};
use crate::trust::snapshot::{Loading, Trust, TrustError};
use crate::trust::{BuiltIn, NotationStore};

/// The roots of all trust domains, as far as they are there, and all keys.
#[derive(Debug)]
pub(in crate::trust) struct Sources {
    domains: Vec<Source>,
    notation: Vec<Arc<NotationStore>>,
    keys: Vec<(KeySettings, String)>,
}

#[derive(Debug)]
struct Source {
    name: String,
    /// None until it was fetched.
    root: Option<String>,
    log: Requirement,
    timestamps: Requirement,
}

impl Sources {
    /// Reads the files of `domains` and `keys`.
    ///
    /// # Errors
    /// [`TrustError`] if one cannot be read, or a name is taken.
    pub(in crate::trust) fn read(domains: &[DomainSettings], keys: &[KeySettings]) -> Result<Self, TrustError> {
        check_names(domains.iter().map(|domain| domain.name.as_str()))?;
        check_names(keys.iter().map(|key| key.name.as_str()))?;
        let mut all: Vec<_> = BuiltIn::ALL.into_iter().map(Source::built_in).collect();
        let mut notation = Vec::new();
        for settings in domains {
            let name = &settings.name;
            let source = settings.source().map_err(|source| TrustError::Source { name: name.clone(), source })?;
            match source {
                RootSource::File(path) => {
                    let root = Some(read(path)?);
                    match all.iter_mut().find(|source| source.name == *name) {
                        // What its signatures must come with stays.
                        Some(built_in) => built_in.root = root,
                        None => all.push(Source::of(settings, root)),
                    }
                }
                // A root that is built in counts until a newer one was fetched.
                RootSource::Tuf(_) if BuiltIn::named(name).is_some() => {}
                RootSource::Tuf(_) => all.push(Source::of(settings, None)),
                RootSource::Notation(stores) => notation.push(Arc::new(NotationStore::new(name, stores, read)?)),
            }
        }
        let keys = keys.iter().map(|key| Ok((key.clone(), read(&key.path)?))).collect::<Result<_, TrustError>>()?;
        Ok(Self { domains: all, notation, keys })
    }

    /// Puts `root` in place of the root of `name`, if all comes to a snapshot with it.
    ///
    /// # Errors
    /// [`TrustError`] if it does not: then what was there before is still there.
    pub(in crate::trust) fn replace(&mut self, name: &str, root: &str) -> Result<Trust, TrustError> {
        let before = self.put(name, Some(root.to_owned()));
        self.snapshot().inspect_err(|_| drop(self.put(name, before)))
    }

    fn put(&mut self, name: &str, root: Option<String>) -> Option<String> {
        let domain = self.domains.iter_mut().find(|domain| domain.name == name)?;
        mem::replace(&mut domain.root, root)
    }

    /// What all of it comes to.
    ///
    /// # Errors
    /// [`TrustError`] if a root or a key cannot be used.
    pub(in crate::trust) fn snapshot(&self) -> Result<Trust, TrustError> {
        let mut loading = Loading::default();
        for Source { name, root, log, timestamps } in &self.domains {
            match root {
                Some(json) => loading.domain(name, json, *log, *timestamps)?,
                None => loading.awaited(name),
            }
            if BuiltIn::named(name).is_none() {
                loading.warn_of(name, *log, *timestamps);
            }
        }
        self.notation.iter().for_each(|store| loading.notation(Arc::clone(store)));
        for (settings, pem) in &self.keys {
            loading.key(settings, pem)?;
        }
        Ok(loading.finish())
    }
}

impl Source {
    fn built_in(domain: BuiltIn) -> Self {
        let (name, root) = (domain.name().to_owned(), Some(domain.trusted_root().to_owned()));
        Self { name, root, log: domain.requirement(), timestamps: domain.requirement() }
    }

    fn of(settings: &DomainSettings, root: Option<String>) -> Self {
        let (log, timestamps) = (settings.transparency_log(), settings.certificate_timestamps());
        Self { name: settings.name.clone(), root, log, timestamps }
    }
}

fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), TrustError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if name.is_empty() {
            return Err(TrustError::NoName);
        }
        if !seen.insert(name) {
            return Err(TrustError::NameTaken { name: name.to_owned() });
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, TrustError> {
    fs::read_to_string(path).map_err(|source| TrustError::File { path: path.to_owned(), source })
}
