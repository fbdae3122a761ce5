//! Packages that must not be there, by name: the lines of a rule, and the records of a feed.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use crate::evidence::{Package, Purl};
use crate::policy::versions::{Membership, Versions};

/// Types whose namespace is the vendor of the distribution, which the name of a package does not say.
const VENDORED: [&str; 4] = ["deb", "rpm", "apk", "alpm"];

/// Packages that must not be there.
#[derive(Debug, Clone, Default)]
pub(super) struct DenyList {
    /// By [`Purl::key`].
    entries: HashMap<Box<str>, Vec<Entry>>,
    /// What stands before the names of all entries: `pkg:npm/`, `pkg:deb/debian/`.
    prefixes: BTreeSet<Box<str>>,
}

/// One line: which versions of a package, and under what circumstances.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// What says so: the identifier of a record, or the line itself.
    pub(super) by: Box<str>,
    pub(super) versions: Versions,
    /// `key=value`, each of which must be there.
    pub(super) qualifiers: Box<[Box<str>]>,
    /// The release of a distribution, such as `12`.
    pub(super) release: Option<Box<str>>,
}

/// A package that is denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit<'a> {
    pub(super) by: &'a str,
    pub(super) certainty: Certainty,
}

/// What is known of a denied package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certainty {
    /// It is the package, in that version.
    Sure,
    /// It has no version, or one that cannot be compared.
    Version,
    /// It has no package URL, and the same name and version.
    Name,
}

impl DenyList {
    /// Denies the package that a canonical URL names.
    pub(super) fn insert(&mut self, purl: &Purl<'_>, entry: Entry) {
        let key = purl.key();
        self.prefixes.insert(prefix(&key).into());
        self.entries.entry(key.into()).or_default().push(entry);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many packages it names.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The first entry that denies `package` by its URL, or the source package that the URL names.
    pub(super) fn find(&self, package: &Package) -> Option<Hit<'_>> {
        let purl = Purl::of(package.purl.as_deref()?);
        let key = purl.key();
        let version = || {
            let version = purl.version().or_else(|| package.version.as_deref().map(Cow::Borrowed));
            version.map(|version| with_epoch(&purl, version))
        };
        self.find_named(&key, &purl, version).or_else(|| self.find_source(&key, &purl, version))
    }

    /// The first entry that denies a package without URL: whatever type it is of, it has that name and version.
    pub(super) fn find_by_name(&self, package: &Package) -> Option<Hit<'_>> {
        if package.purl.is_some() {
            return None;
        }
        let name = package.unread.as_deref().filter(|_| package.name.is_empty()).unwrap_or(&package.name);
        let name = name.trim().to_lowercase().replace('@', "%40").replace(':', "/");
        if name.is_empty() {
            return None;
        }
        let version = || package.version.as_deref().map(Cow::Borrowed);
        let mut hits = self.prefixes.iter().filter_map(|prefix| {
            let key = format!("{prefix}{name}");
            self.find_named(&key, &Purl::of(&key), version)
        });
        hits.next().map(|hit| Hit { certainty: Certainty::Name, ..hit })
    }

    /// The version is asked for once there is an entry: hardly any package has one.
    fn find_named<'v>(
        &self,
        key: &str,
        purl: &Purl<'_>,
        version: impl FnOnce() -> Option<Cow<'v, str>>,
    ) -> Option<Hit<'_>> {
        let entries = self.entries.get(key)?;
        let (version, mut unsure) = (version(), None);
        for entry in entries.iter().filter(|entry| entry.is_about(purl)) {
            match entry.versions.contain(version.as_deref()) {
                Membership::Yes => return Some(Hit { by: &entry.by, certainty: Certainty::Sure }),
                Membership::Unknown => unsure = unsure.or(Some(entry)),
                Membership::No => {}
            }
        }
        unsure.map(|entry| Hit { by: &entry.by, certainty: Certainty::Version })
    }

    /// Distributions build several packages out of one source, and their advisories name the source: `upstream=glibc`, or
    /// `upstream=glibc@2.36-9`.
    fn find_source<'v>(
        &self,
        key: &str,
        purl: &Purl<'_>,
        version: impl FnOnce() -> Option<Cow<'v, str>>,
    ) -> Option<Hit<'_>> {
        let upstream = VENDORED.contains(&purl.kind()).then(|| purl.qualifier("upstream"))??;
        let (name, source_version) = upstream.split_once('@').map_or((&*upstream, None), |(name, v)| (name, Some(v)));
        let key = format!("{}{}", prefix(key), name.to_lowercase());
        self.find_named(&key, purl, || source_version.map(|version| version.to_owned().into()).or_else(version))
    }
}

/// What stands before the name of a package, where the name alone does not tell it.
fn prefix(key: &str) -> &str {
    let end = match key.strip_prefix("pkg:").and_then(|rest| rest.split_once('/')) {
        Some((kind, _)) if VENDORED.contains(&kind) => key.rfind('/'),
        Some(_) | None => key.find('/'),
    };
    end.and_then(|end| key.get(..=end)).unwrap_or(key)
}

/// The epoch of RPM's versions is a qualifier of the URL.
fn with_epoch<'a>(purl: &Purl<'a>, version: Cow<'a, str>) -> Cow<'a, str> {
    match purl.qualifier("epoch") {
        Some(epoch) if purl.kind() == "rpm" && !version.contains(':') => format!("{epoch}:{version}").into(),
        Some(_) | None => version,
    }
}

impl Entry {
    fn is_about(&self, purl: &Purl<'_>) -> bool {
        let has = |wanted: &str| purl.qualifiers().any(|qualifier| qualifier == wanted);
        self.qualifiers.iter().all(|wanted| has(wanted)) && self.is_of_release(purl)
    }

    /// Whether a package may be of the release. One that does not say of which it is, may.
    fn is_of_release(&self, purl: &Purl<'_>) -> bool {
        let Some(release) = &self.release else { return true };
        let Some(distro) = purl.qualifier("distro") else { return true };
        let found = distro.rsplit('-').next().unwrap_or_default();
        let is_number = found.starts_with(|c: char| c.is_ascii_digit());
        let is_within = |rest: &str| rest.is_empty() || rest.starts_with('.');
        !is_number || found.strip_prefix(&**release).is_some_and(is_within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::canonical_purl;

    fn list(lines: &[(&str, Versions)]) -> DenyList {
        let mut list = DenyList::default();
        for (purl, versions) in lines {
            let canonical = canonical_purl(purl).unwrap();
            let purl = Purl::of(&canonical);
            let qualifiers = purl.qualifiers().map(Into::into).collect();
            list.insert(&purl, Entry { by: "X-1".into(), versions: versions.clone(), qualifiers, release: None });
        }
        list
    }

    fn package(purl: &str, version: Option<&str>) -> Package {
        Package { purl: canonical_purl(purl).map(Into::into), version: version.map(Into::into), ..Package::default() }
    }

    fn certainty(list: &DenyList, package: &Package) -> Option<Certainty> {
        list.find(package).or_else(|| list.find_by_name(package)).map(|hit| hit.certainty)
    }

    #[test]
    fn a_package_without_a_version_cannot_be_told_from_the_denied_one() {
        let list = list(&[("pkg:npm/axios", Versions::listed("npm", ["1.14.1".to_owned()]))]);
        assert_eq!(certainty(&list, &package("pkg:npm/axios@1.14.1", None)), Some(Certainty::Sure));
        assert_eq!(certainty(&list, &package("pkg:npm/axios", Some("1.14.1"))), Some(Certainty::Sure));
        assert_eq!(certainty(&list, &package("pkg:npm/axios", None)), Some(Certainty::Version));
        assert_eq!(certainty(&list, &package("pkg:npm/axios@1.14.2", None)), None);
    }

    #[test]
    fn a_package_without_a_url_is_the_denied_one_if_it_has_its_name_and_version() {
        let list = list(&[
            ("pkg:npm/@acme/core", Versions::listed("npm", ["1.0.0".to_owned()])),
            ("pkg:maven/org.acme/core", Versions::every("maven")),
            ("pkg:deb/debian/curl", Versions::every("deb")),
        ]);
        let named = |name: &str, version: Option<&str>| Package {
            name: name.into(),
            version: version.map(Into::into),
            ..Package::default()
        };
        for (name, version, found) in [
            ("@acme/core", Some("1.0.0"), true),
            ("@Acme/Core", None, true),
            ("@acme/core", Some("1.0.1"), false),
            ("org.acme:core", Some("1"), true),
            ("org.acme/core", None, true),
            ("core", None, false),
            ("curl", Some("8.0"), true),
            ("", None, false),
        ] {
            assert_eq!(certainty(&list, &named(name, version)), found.then_some(Certainty::Name), "{name}");
        }
    }

    #[test]
    fn an_advisory_about_a_source_package_is_about_what_was_built_of_it() {
        let list = list(&[("pkg:deb/debian/glibc", Versions::range("deb", "<2.36-9+deb12u4").unwrap())]);
        let built = |rest: &str| package(&format!("pkg:deb/debian/libc6@2.36-9%2Bdeb12u3{rest}"), None);
        assert_eq!(certainty(&list, &built("?upstream=glibc")), Some(Certainty::Sure));
        assert_eq!(certainty(&list, &built("?upstream=glibc%402.36-9%2Bdeb12u4")), None);
        assert_eq!(certainty(&list, &built("")), None);
    }

    #[test]
    fn the_epoch_of_an_rpm_counts() {
        let list = list(&[("pkg:rpm/redhat/dbus", Versions::range("rpm", "<1:1.12-1").unwrap())]);
        assert_eq!(certainty(&list, &package("pkg:rpm/redhat/dbus@1.12-2?epoch=1", None)), None);
        assert_eq!(certainty(&list, &package("pkg:rpm/redhat/dbus@1.12-2", None)), Some(Certainty::Sure));
    }

    #[test]
    fn a_record_of_a_release_is_about_that_release() {
        let mut list = DenyList::default();
        let purl = Purl::of("pkg:apk/alpine/musl");
        let entry = Entry {
            by: "X".into(),
            versions: Versions::every("apk"),
            qualifiers: [].into(),
            release: Some("3.18".into()),
        };
        list.insert(&purl, entry);
        for (distro, found) in [
            ("?distro=alpine-3.18.4", true),
            ("?distro=3.18", true),
            ("?distro=alpine-3.19", false),
            ("?distro=alpine-3.180", false),
            ("?distro=edge", true),
            ("", true),
        ] {
            assert_eq!(
                list.find(&package(&format!("pkg:apk/alpine/musl@1{distro}"), None)).is_some(),
                found,
                "{distro}"
            );
        }
    }

    #[test]
    fn a_package_with_a_url_is_not_looked_for_by_its_name() {
        let list = list(&[("pkg:npm/axios", Versions::every("npm"))]);
        let other = Package { name: "axios".into(), ..package("pkg:pypi/axios@1", None) };
        assert!(list.find_by_name(&other).is_none() && list.find(&other).is_none());
    }

    #[test]
    fn an_epoch_stands_before_a_version_of_rpm_that_has_none() {
        let list = list(&[
            ("pkg:rpm/fedora/curl", Versions::listed("rpm", ["1:8.0".to_owned()])),
            ("pkg:deb/debian/curl", Versions::listed("deb", ["8.0".to_owned()])),
        ]);
        for (purl, found) in [
            ("pkg:rpm/fedora/curl@8.0?epoch=1", true),
            ("pkg:rpm/fedora/curl@1:8.0?epoch=1", true),
            ("pkg:rpm/fedora/curl@8.0", false),
            ("pkg:deb/debian/curl@8.0?epoch=1", true),
        ] {
            assert_eq!(list.find(&package(purl, None)).is_some(), found, "{purl}");
        }
    }

    #[test]
    fn a_qualifier_that_is_denied_is_that_one() {
        let list = list(&[("pkg:deb/debian/curl?arch=amd64", Versions::every("deb"))]);
        for (purl, found) in [
            ("pkg:deb/debian/curl@1?arch=amd64", true),
            ("pkg:deb/debian/curl@1?arch=amd64&distro=bookworm", true),
            ("pkg:deb/debian/curl@1?arch=arm64", false),
            ("pkg:deb/debian/curl@1", false),
        ] {
            assert_eq!(list.find(&package(purl, None)).is_some(), found, "{purl}");
        }
    }
}
