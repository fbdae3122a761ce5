//! What no module can check alone: names that one part of the file gives and another uses.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs;
use std::io;
use std::mem;
use std::path::Path;

use crate::config::ConfigError;
use crate::config::file::File;
use crate::config::locate::Source;
use crate::policy::{self, Known, Policy, RuleSettings};
use crate::trust::{BuiltIn, Place, Requirement, RootSource, WithoutLog};
use crate::upstream::check_address;

/// Every feed that is named can be read.
pub(super) fn feeds(file: &File, source: &Source<'_>) -> Result<(), ConfigError> {
    for (key, path) in file.feeds() {
        if let Err(error) = fs::File::open(path) {
            let problem = format!(
                "cannot read {} ({error}): name a JSON file of OSV records or a folder of them, relative to the folder of the \
                 configuration",
                path.display()
            );
            return Err(source.at(&key, &problem));
        }
    }
    Ok(())
}

/// Every file that is named can be read.
pub(super) fn files(file: &File, source: &Source<'_>) -> Result<(), ConfigError> {
    feeds(file, source)?;
    for (key, path) in file.files() {
        if let Err(error) = readable(path) {
            let problem = format!(
                "cannot read {} ({error}): name a file that this user can read, relative to the folder of the \
                 configuration",
                path.display()
            );
            return Err(source.at(&key, &problem));
        }
    }
    Ok(())
}

fn readable(path: &Path) -> io::Result<()> {
    let is_folder = fs::File::open(path)?.metadata()?.is_dir();
    if is_folder { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(()) }
}

/// Compiles the rules, once all names that they may use are known to be good.
pub(super) fn policy(file: &mut File, source: &Source<'_>) -> Result<Policy, ConfigError> {
    names("upstream", file.upstream.iter().map(|upstream| upstream.name.as_str()), source)?;
    check_aliases(file, source)?;
    check_default(file, source)?;
    check_urls(file, source)?;
    check_evidence_from(file, source)?;
    let domains = file.trust.iter().map(|domain| domain.name.as_str());
    let domains = names("trust", domains, source)?;
    check_trust(file, source)?;
    let keys = names("key", file.key.iter().map(|key| key.name.as_str()), source)?;
    let known = Known {
        trust: &|name| BuiltIn::named(name).is_some() || domains.contains(name),
        key: &|name| keys.contains(name),
    };
    let settings = policy::Settings {
        rule: file.rule.clone(),
        builder: mem::take(&mut file.builder),
        verifier: mem::take(&mut file.verifier),
        exception: mem::take(&mut file.exception),
        revoked: mem::take(&mut file.revoked),
    };
    Policy::new(&settings, &known).map_err(|error| source.at(&error.at, &error))
}

fn names<'a>(
    table: &str,
    names: impl Iterator<Item = &'a str>,
    source: &Source<'_>,
) -> Result<BTreeSet<&'a str>, ConfigError> {
    let mut seen = BTreeSet::new();
    for (index, name) in names.enumerate() {
        if name.is_empty() {
            return Err(source.at(&format!("{table}.{index}.name"), &"the name is empty"));
        }
        if !seen.insert(name) {
            let problem = format!("the name {name:?} is used by another [[{table}]] above: give this one another");
            return Err(source.at(&format!("{table}.{index}.name"), &problem));
        }
    }
    Ok(seen)
}

/// An alias is a name as well: what clients ask for must mean one upstream.
fn check_aliases(file: &File, source: &Source<'_>) -> Result<(), ConfigError> {
    let mut taken: BTreeSet<_> = file.upstream.iter().map(|upstream| &upstream.name).collect();
    for (index, upstream) in file.upstream.iter().enumerate() {
        for (place, alias) in upstream.aliases.iter().enumerate() {
            if !taken.insert(alias) {
                let problem = format!("the alias {alias} is the name or an alias of another upstream: remove one");
                return Err(source.at(&format!("upstream.{index}.aliases.{place}"), &problem));
            }
        }
    }
    Ok(())
}

fn check_urls(file: &File, source: &Source<'_>) -> Result<(), ConfigError> {
    for (index, upstream) in file.upstream.iter().enumerate() {
        upstream.check_url().map_err(|error| source.at(&format!("upstream.{index}.url"), &error))?;
    }
    Ok(())
}

/// Evidence is fetched from upstreams that are configured, as images are, and from no others.
fn check_evidence_from(file: &File, source: &Source<'_>) -> Result<(), ConfigError> {
    let known: Vec<_> = file.upstream.iter().map(|upstream| upstream.name.as_str()).collect();
    for (index, upstream) in file.upstream.iter().enumerate() {
        for (index_there, place) in upstream.evidence_from.iter().enumerate() {
            let name = &place.upstream;
            if !known.contains(&name.as_str()) {
                let problem = format!(
                    "there is no [[upstream]] {name}: add one of that name, with the url and the auth to fetch evidence by, \
                     or write one of those that are there before the slash ({})",
                    known.join(", ")
                );
                return Err(source.at(&format!("upstream.{index}.evidence_from.{index_there}"), &problem));
            }
        }
    }
    Ok(())
}

/// Every trust domain has one source, which can be asked.
fn check_trust(file: &File, source: &Source<'_>) -> Result<(), ConfigError> {
    for (index, domain) in file.trust.iter().enumerate() {
        let root = domain.source().map_err(|error| source.at(&format!("trust.{index}.{}", error.key), &error))?;
        let RootSource::Tuf(tuf) = root else { continue };
        if let Place::Url(url, _) = tuf.place {
            check_address(url).map_err(|error| source.at(&format!("trust.{index}.tuf.url"), &error))?;
        }
    }
    Ok(())
}

fn check_default(file: &File, source: &Source<'_>) -> Result<(), ConfigError> {
    let mut defaults = file.upstream.iter().enumerate().filter(|(_, upstream)| upstream.default);
    match (defaults.next(), defaults.next()) {
        (Some((_, first)), Some((second, _))) => {
            let problem = format!("{} is the default already: there is one default at most", first.name);
            Err(source.at(&format!("upstream.{second}.default"), &problem))
        }
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

/// What is allowed, but probably not meant.
pub(super) fn warnings(file: &File) -> Vec<String> {
    let none = file.rule.is_empty().then(|| "there is no [[rule]]: everything is refused".to_owned());
    let nowhere = file.upstream.is_empty().then(|| "there is no [[upstream]]: nothing can be pulled".to_owned());
    let unknown = file.rule.iter().flat_map(|rule| unknown_upstreams(rule, file));
    none.into_iter().chain(nowhere).chain(unknown).collect()
}

fn unknown_upstreams<'a>(rule: &'a RuleSettings, file: &'a File) -> impl Iterator<Item = String> + 'a {
    let is_unknown =
        |name: &&str| !name.contains('*') && !file.upstream.iter().any(|upstream| upstream.name.as_str() == *name);
    let upstreams = rule.images.iter().filter_map(|images| images.split('/').next()).filter(is_unknown);
    upstreams.map(|name| format!("rule {}: there is no [[upstream]] {name}, so it matches nothing there", rule.name))
}

/// What weakens a check.
pub(super) fn weakenings(file: &File, policy: &Policy) -> Vec<String> {
    let mut all = policy.weakenings();
    for domain in &file.trust {
        let name = &domain.name;
        if domain.transparency_log == Some(Requirement::NotRequired) {
            all.push(weak("trust", name, "transparency_log none: signatures need no entry in a public log"));
        }
        if domain.certificate_timestamps == Some(Requirement::NotRequired) {
            all.push(weak("trust", name, "certificate_timestamps none: certificates need not be logged"));
        }
    }
    let without_log = file.key.iter().filter(|key| key.without_log == WithoutLog::Allow);
    all.extend(without_log.map(|key| weak("key", &key.name, "without_log allow: nothing says when it signed")));
    let plain = file.upstream.iter().filter(|upstream| upstream.is_plain_http());
    all.extend(
        plain.map(|upstream| weak("upstream", &upstream.name, "plain http: tags and lists can be forged on the way")),
    );
    all
}

fn weak(table: &str, name: impl Display, what: &str) -> String {
    format!("{table} {name}: {what}")
}
