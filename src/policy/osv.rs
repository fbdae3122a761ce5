//! Records of the OSV schema, as far as they say which packages are concerned; and what each ecosystem is called elsewhere.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::evidence::{Purl, canonical_purl};
use crate::policy::denied::{DenyList, Entry};
use crate::policy::versions::{Event, Versions};

/// Most packages and versions that one feed may name: ten times what is known to be malicious.
const ENTRIES: usize = 10_000_000;
/// Most warnings that are kept of one feed.
const WARNINGS: usize = 32;

/// What the ecosystems of OSV are in package URLs: a type, and for distributions a namespace, for which generators have
/// several names.
const ECOSYSTEMS: [(&str, &[&str]); 35] = [
    ("npm", &["npm"]),
    ("PyPI", &["pypi"]),
    ("crates.io", &["cargo"]),
    ("Maven", &["maven"]),
    ("Go", &["golang"]),
    ("RubyGems", &["gem"]),
    ("NuGet", &["nuget"]),
    ("Packagist", &["composer"]),
    ("Hex", &["hex"]),
    ("Pub", &["pub"]),
    ("Hackage", &["hackage"]),
    ("CRAN", &["cran"]),
    ("Bioconductor", &["bioconductor"]),
    ("ConanCenter", &["conan"]),
    ("SwiftURL", &["swift"]),
    ("GitHub Actions", &["github", "githubactions"]),
    ("Bitnami", &["bitnami"]),
    ("Julia", &["julia"]),
    ("VSCode", &["vscode-extension"]),
    ("OSS-Fuzz", &["generic"]),
    ("Debian", &["deb/debian"]),
    ("Ubuntu", &["deb/ubuntu"]),
    ("Echo", &["deb/echo"]),
    ("Alpine", &["apk/alpine"]),
    ("Wolfi", &["apk/wolfi"]),
    ("Chainguard", &["apk/chainguard"]),
    ("MinimOS", &["apk/minimos"]),
    ("Red Hat", &["rpm/redhat"]),
    ("Rocky Linux", &["rpm/rocky-linux", "rpm/rocky"]),
    ("AlmaLinux", &["rpm/almalinux"]),
    ("SUSE", &["rpm/suse", "rpm/sles"]),
    ("openSUSE", &["rpm/opensuse", "rpm/opensuse-leap", "rpm/opensuse-tumbleweed"]),
    ("openEuler", &["rpm/openeuler"]),
    ("Mageia", &["rpm/mageia"]),
    ("Photon OS", &["rpm/photon"]),
];

/// A record.
#[derive(Debug, Deserialize)]
struct Record {
    id: String,
    withdrawn: Option<String>,
    #[serde(default)]
    affected: Option<Vec<Affected>>,
}

#[derive(Debug, Deserialize)]
struct Affected {
    package: Option<Named>,
    versions: Option<Vec<String>>,
    ranges: Option<Vec<Range>>,
}

#[derive(Debug, Deserialize)]
struct Named {
    ecosystem: Option<String>,
    name: Option<String>,
    purl: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Range {
    #[serde(rename = "type")]
    kind: Option<String>,
    events: Option<Vec<Step>>,
}

#[derive(Debug, Deserialize)]
struct Step {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
    limit: Option<String>,
}

/// Packages that others know to be bad: the records of a feed. Immutable: a feed that changed is another one.
#[derive(Debug, Clone, Default)]
pub struct Feed {
    pub(super) packages: DenyList,
    records: usize,
    warnings: Vec<String>,
    size: usize,
}

/// Why a document of a feed cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// Not a record, a list of records, or records one after another.
    #[error("not records of the OSV schema in JSON")]
    Malformed(#[from] serde_json::Error),
}

/// More than is kept in memory.
#[derive(Debug, thiserror::Error)]
#[error("more than {ENTRIES} packages and versions")]
struct TooMuch;

impl Feed {
    /// Takes in the records of a document: one, a list, or one after another. What was withdrawn before `now` does not
    /// count. The document is read as it comes, and none of it is held but the packages that it names.
    ///
    /// # Errors
    /// [`FeedError`], where the records before the error count.
    pub fn read(&mut self, document: impl Read, now: Timestamp) -> Result<(), FeedError> {
        let mut documents = serde_json::Deserializer::from_reader(document);
        loop {
            let mut records = Records { feed: self, now, begun: false };
            match (&mut records).deserialize(&mut documents) {
                Ok(()) => {}
                Err(end) if end.is_eof() && !records.begun => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// How many records count.
    pub fn records(&self) -> usize {
        self.records
    }

    /// How many packages they name.
    pub fn packages(&self) -> usize {
        self.packages.len()
    }

    /// What was left out, in words.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Notes what was left out.
    pub fn warn(&mut self, warning: String) {
        if self.warnings.len() < WARNINGS {
            self.warnings.push(warning);
        }
    }
}

/// What the records of a document are given to, one by one.
struct Records<'a> {
    feed: &'a mut Feed,
    now: Timestamp,
    /// Whether anything but white space was seen.
    begun: bool,
}

impl<'de> DeserializeSeed<'de> for &mut Records<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Records<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record, or a list of records")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<(), A::Error> {
        self.begun = true;
        let record = Record::deserialize(MapAccessDeserializer::new(members))?;
        self.feed.take(record, self.now).map_err(A::Error::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        self.begun = true;
        while let Some(record) = elements.next_element()? {
            self.feed.take(record, self.now).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

impl Feed {
    fn take(&mut self, record: Record, now: Timestamp) -> Result<(), TooMuch> {
        if self.is_withdrawn(&record, now) {
            return Ok(());
        }
        self.records += 1;
        for affected in record.affected.into_iter().flatten() {
            self.add(&record.id, affected)?;
        }
        Ok(())
    }

    /// A time that cannot be read says nothing: the record counts.
    fn is_withdrawn(&mut self, record: &Record, now: Timestamp) -> bool {
        let Some(text) = &record.withdrawn else { return false };
        if let Ok(withdrawn) = text.parse::<Timestamp>() {
            return withdrawn <= now;
        }
        self.warn(format!("{}: the time {text:?} when it was withdrawn cannot be read, so it counts", record.id));
        false
    }

    fn add(&mut self, id: &str, affected: Affected) -> Result<(), TooMuch> {
        let Affected { package, versions, ranges } = affected;
        let Some(package) = package else { return Ok(()) };
        let (versions, ranges) = (versions.unwrap_or_default(), ranges.unwrap_or_default());
        // Commits of a repository say nothing of packages.
        let only_commits = versions.is_empty() && !ranges.is_empty() && ranges.iter().all(Range::is_of_commits);
        let purls = package.purls();
        if purls.is_empty() && !only_commits {
            self.warn(format!("{id}: nothing is known of packages of the ecosystem {:?}", package.ecosystem));
        }
        for purl in purls.iter().filter(|_| !only_commits) {
            let purl = Purl::of(purl);
            self.size += 1 + versions.len() + ranges.iter().map(Range::len).sum::<usize>();
            if self.size > ENTRIES {
                return Err(TooMuch);
            }
            let versions = concerned(purl.kind(), &versions, &ranges);
            let release = package.release().map(Into::into);
            self.packages.insert(&purl, Entry { by: id.into(), versions, qualifiers: Box::default(), release });
        }
        Ok(())
    }
}

/// The versions that a record is about: those listed, and those in its ranges; all, if it says nothing of versions.
fn concerned(kind: &str, listed: &[String], ranges: &[Range]) -> Versions {
    if listed.is_empty() && ranges.is_empty() {
        return Versions::every(kind);
    }
    let mut versions = Versions::listed(kind, listed.iter().cloned());
    for range in ranges.iter().filter(|range| !range.is_of_commits()) {
        versions.add_events(range.events.iter().flatten().filter_map(Step::event).collect());
    }
    versions
}

impl Range {
    fn is_of_commits(&self) -> bool {
        self.kind.as_deref() == Some("GIT")
    }

    fn len(&self) -> usize {
        self.events.as_ref().map_or(0, Vec::len)
    }
}

impl Step {
    /// Beyond a limit nothing is affected, as where it is fixed; `*` is none.
    fn event(&self) -> Option<Event> {
        let limit = self.limit.clone().filter(|limit| limit != "*").map(Event::Fixed);
        let last = self.last_affected.clone().map(Event::LastAffected);
        let fixed = self.fixed.clone().map(Event::Fixed);
        self.introduced.clone().map(Event::Introduced).or(fixed).or(last).or(limit)
    }
}

impl Named {
    /// Its package URLs in canonical form: by ecosystem and name, and the one that the record has beside them.
    fn purls(&self) -> BTreeSet<String> {
        let own = self.purl.as_deref().and_then(canonical_purl);
        let own = own.map(|purl| Purl::of(&purl).name().to_owned());
        let name = self.name.as_deref().unwrap_or_default();
        let name = name.trim_start_matches("https://").replace('%', "%25").replace('@', "%40").replace('#', "%23");
        let name = name.replace('?', "%3F");
        let name = if self.ecosystem() == "Maven" { name.replace(':', "/") } else { name };
        let types = self.types().into_iter().filter(|_| !name.is_empty());
        types.filter_map(|kind| canonical_purl(&format!("pkg:{kind}/{name}"))).chain(own).collect()
    }

    /// Types of package URLs; of an ecosystem that is not known, what it is called.
    fn types(&self) -> Vec<String> {
        let ecosystem = self.ecosystem();
        match ECOSYSTEMS.iter().find(|(name, _)| name.eq_ignore_ascii_case(ecosystem)) {
            Some((_, types)) => types.iter().map(|kind| (*kind).to_owned()).collect(),
            None => vec![ecosystem.to_lowercase().replace(' ', "-")],
        }
    }

    /// `Debian` of `Debian:12`.
    fn ecosystem(&self) -> &str {
        let ecosystem = self.ecosystem.as_deref().unwrap_or_default();
        ecosystem.split(':').next().unwrap_or(ecosystem).trim()
    }

    /// `12` of `Debian:12`, `3.18` of `Alpine:v3.18`, `9` of `Red Hat:enterprise_linux:9::baseos`.
    fn release(&self) -> Option<&str> {
        let (_, rest) = self.ecosystem.as_deref()?.split_once(':')?;
        let mut words = rest.split([':', ' ']).map(|word| word.strip_prefix('v').unwrap_or(word));
        words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::evidence::Package;

    fn feed(document: &str) -> Feed {
        let mut feed = Feed::default();
        feed.read(document.as_bytes(), now()).unwrap();
        feed
    }

    fn now() -> Timestamp {
        "2026-06-01T00:00:00Z".parse().unwrap()
    }

    fn record(ecosystem: &str, name: &str, rest: &Value) -> Value {
        let mut affected = json!({"package": {"ecosystem": ecosystem, "name": name}});
        affected.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        json!({"id": "MAL-1", "affected": [affected]})
    }

    fn denies(feed: &Feed, purl: &str) -> bool {
        let package = Package { purl: canonical_purl(purl).map(Into::into), ..Package::default() };
        feed.packages.find(&package).is_some()
    }

    #[test]
    fn a_document_is_a_record_or_a_list_or_one_after_another() {
        let (one, other) = (record("npm", "a", &json!({})), record("npm", "b", &json!({})));
        for document in [
            format!("{one}\n{other}\n"),
            format!("{one}{other}"),
            json!([one, other]).to_string(),
            format!("{}\n{}", json!([one]), json!([other])),
        ] {
            let feed = feed(&document);
            assert_eq!((feed.records(), feed.packages()), (2, 2), "{document}");
        }
        assert_eq!(feed("").records(), 0);
        assert_eq!(feed(" [] ").records(), 0);
    }

    #[test]
    fn a_document_that_breaks_off_is_malformed_and_what_came_before_counts() {
        let record = record("npm", "a", &json!({})).to_string();
        for rest in ["{\"id\":", "x", "1", "{}", &record[..20]] {
            let mut feed = Feed::default();
            assert!(feed.read(format!("{record}\n{rest}").as_bytes(), now()).is_err(), "{rest}");
            assert_eq!(feed.records(), 1);
        }
    }

    #[test]
    fn ecosystems_are_types_of_package_urls() {
        for (ecosystem, name, purl) in [
            ("npm", "@ctrl/plex", "pkg:npm/%40ctrl/plex@1"),
            ("PyPI", "Foo_Bar.baz", "pkg:pypi/foo-bar-baz@1"),
            ("crates.io", "rustdecimal", "pkg:cargo/rustdecimal@1"),
            ("Maven", "org.acme:core", "pkg:maven/org.acme/core@1"),
            ("Go", "github.com/Acme/core/v2", "pkg:golang/github.com/acme/core/v2@v2.0.0"),
            ("RubyGems", "rack", "pkg:gem/rack@1"),
            ("NuGet", "Newtonsoft.Json", "pkg:nuget/newtonsoft.json@1"),
            ("Packagist", "acme/core", "pkg:composer/acme/core@1"),
            ("Debian:12", "curl", "pkg:deb/debian/curl@1?distro=debian-12"),
            ("Alpine:v3.18", "musl", "pkg:apk/alpine/musl@1?distro=alpine-3.18.2"),
            ("Alpine:v3.18", "musl", "pkg:alpine/musl@1"),
            ("Red Hat:enterprise_linux:9::baseos", "dbus", "pkg:rpm/redhat/dbus@1?distro=rhel-9.2"),
            ("Rocky Linux:9", "dbus", "pkg:rpm/rocky/dbus@1"),
            ("GitHub Actions", "tj-actions/changed-files", "pkg:github/tj-actions/changed-files@v45"),
            ("SwiftURL", "https://github.com/acme/core", "pkg:swift/github.com/acme/core@1"),
            ("Something New", "a", "pkg:something-new/a@1"),
        ] {
            assert!(denies(&feed(&record(ecosystem, name, &json!({})).to_string()), purl), "{ecosystem} {name}");
        }
        let debian = feed(&record("Debian:12", "curl", &json!({})).to_string());
        assert!(!denies(&debian, "pkg:deb/debian/curl@1?distro=debian-11"));
        assert!(!denies(&debian, "pkg:deb/ubuntu/curl@1"));
    }

    #[test]
    fn the_package_url_of_a_record_counts_as_well() {
        let record = json!({"id": "X", "affected": [{"package": {"purl": "pkg:npm/%40a/b"}, "versions": ["1.0.0"]}]});
        let feed = feed(&record.to_string());
        assert!(denies(&feed, "pkg:npm/@a/b@1.0.0"));
        assert!(!denies(&feed, "pkg:npm/@a/b@1.0.1"));
    }

    #[test]
    fn versions_and_ranges_are_both_looked_at() {
        let events = json!([{"introduced": "2.0.0"}, {"fixed": "2.1.0"}]);
        let rest = json!({"versions": ["1.0.0"], "ranges": [{"type": "SEMVER", "events": events}]});
        let feed = feed(&record("npm", "a", &rest).to_string());
        for (version, denied) in [("1.0.0", true), ("1.0.1", false), ("2.0.5", true), ("2.1.0", false)] {
            assert_eq!(denies(&feed, &format!("pkg:npm/a@{version}")), denied, "{version}");
        }
    }

    #[test]
    fn ranges_of_commits_say_nothing_of_packages() {
        let commits = json!([{"type": "GIT", "events": [{"introduced": "0"}]}]);
        assert!(!denies(&feed(&record("npm", "a", &json!({"ranges": commits})).to_string()), "pkg:npm/a@1.0.0"));
        let both = json!({"versions": ["1.0.0"], "ranges": commits});
        assert!(denies(&feed(&record("npm", "a", &both).to_string()), "pkg:npm/a@1.0.0"));
        assert!(!denies(&feed(&record("npm", "a", &both).to_string()), "pkg:npm/a@1.0.1"));
    }

    #[test]
    fn a_limit_ends_a_range() {
        let events = json!([{"introduced": "0"}, {"limit": "2.0.0"}]);
        let feed = feed(&record("npm", "a", &json!({"ranges": [{"type": "SEMVER", "events": events}]})).to_string());
        assert!(denies(&feed, "pkg:npm/a@1.9.0"));
        assert!(!denies(&feed, "pkg:npm/a@2.0.0"));
    }

    #[test]
    fn a_record_counts_until_it_is_withdrawn() {
        for (withdrawn, counts) in [
            (json!("2026-05-31T00:00:00Z"), false),
            (json!("2026-06-01T00:00:00Z"), false),
            (json!("2026-06-02T00:00:00Z"), true),
            (json!("yesterday"), true),
            (Value::Null, true),
        ] {
            let mut record = record("npm", "a", &json!({}));
            record["withdrawn"] = withdrawn.clone();
            assert_eq!(denies(&feed(&record.to_string()), "pkg:npm/a@1.0.0"), counts, "{withdrawn}");
        }
    }

    #[test]
    fn what_is_left_out_is_said() {
        let feed = feed(&json!({"id": "X-1", "affected": [{"package": {"ecosystem": "", "name": "a"}}]}).to_string());
        assert!(feed.warnings()[0].contains("X-1"), "{:?}", feed.warnings());
    }

    #[test]
    fn a_feed_is_bounded_in_packages_and_versions() {
        let events = json!([{"introduced": "3"}, {"fixed": "4"}]);
        let affected = json!({"versions": ["1", "2", "5"], "ranges": [{"type": "SEMVER", "events": events}]});
        let document = record("npm", "a", &affected).to_string();
        let read = |size| {
            let mut feed = Feed { size, ..Feed::default() };
            feed.read(document.as_bytes(), now()).map(|()| feed.size)
        };
        assert_eq!(read(ENTRIES - 6).unwrap(), ENTRIES, "a package, three versions and two events");
        read(ENTRIES - 5).unwrap_err();
    }

    #[test]
    fn warnings_of_a_feed_are_bounded() {
        let mut feed = Feed::default();
        (0..=WARNINGS).for_each(|number| feed.warn(number.to_string()));
        assert_eq!(feed.warnings().len(), WARNINGS);
    }
}
