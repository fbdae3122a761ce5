//! Where what a domain trusts comes from, out of its settings: one place, or what to write instead.

use std::path::Path;
use std::time::Duration;

use crate::trust::BuiltIn;
use crate::trust::settings::{DomainSettings, NotationSettings, TufSettings};

/// Where what a domain trusts comes from: what is left once [`DomainSettings`] are known to make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootSource<'a> {
    /// This file.
    File(&'a Path),
    /// This TUF repository.
    Tuf(TufSource<'a>),
    /// These trust stores.
    Notation(&'a NotationSettings),
}

/// A TUF repository, and where trust in it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TufSource<'a> {
    /// Where it is.
    pub place: Place<'a>,
    /// The root metadata that trust begins with.
    pub anchor: Anchor<'a>,
    /// What the trusted root is called there.
    pub target: &'a str,
    /// How often it is looked at.
    pub refresh: Duration,
}

/// Where a repository is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// At an address, with further authorities for TLS.
    Url(&'a str, Option<&'a Path>),
    /// In a folder.
    Folder(&'a Path),
}

/// Root metadata that trust begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor<'a> {
    /// That of a built-in domain.
    BuiltIn(BuiltIn),
    /// In a file.
    File(&'a Path),
}

/// Why the source of a trusted root is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct SourceError {
    /// The key of the `[[trust]]` table to look at.
    pub key: &'static str,
    problem: SourceProblem,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum SourceProblem {
    #[error(
        "a trust domain has one source: write trusted_root = \"trusted_root.json\", or tuf = {{ url = \"https://..\", \
         root = \"root.json\" }}, or notation = {{ ca = [\"ca.pem\"] }}"
    )]
    NotOne,
    #[error("notation has no authority: write ca = [\"ca.pem\"], or signing_authority = [\"authority.pem\"]")]
    NoAuthority,
    #[error(
        "{name} is built in: give this trust domain another name, or say where its root is refreshed, tuf = {{ url = \
         \"{url}\" }}, or which file takes the place of its root, trusted_root = \"trusted_root.json\""
    )]
    BuiltIn { name: &'static str, url: &'static str },
    #[error("{0} is built in, and what its signatures must come with too: leave this out")]
    BuiltInRules(&'static str),
    #[error("tuf has one place: write url = \"https://..\", or folder = \"..\"")]
    NotOnePlace,
    #[error("ca is for url: a folder is reached without TLS, leave it out")]
    IdleAuthority,
    #[error("tuf needs root = \"root.json\", the root metadata that trust in this repository begins with")]
    NoAnchor,
    #[error("target is the path of a file in the repository, such as \"trusted_root.json\"")]
    Target,
    #[error("refresh is at least \"1m\": repositories change daily at most")]
    TooOften,
}

/// Who looks more often than this burdens the repository, and learns nothing.
const MOST_OFTEN: Duration = Duration::from_mins(1);

impl DomainSettings {
    /// Where its trusted root comes from.
    ///
    /// # Errors
    /// [`SourceError`] if there is none, more than one, or half of one: what to write instead.
    pub fn source(&self) -> Result<RootSource<'_>, SourceError> {
        let built_in = BuiltIn::named(&self.name);
        if let Some(domain) = built_in {
            self.check_built_in(domain)?;
        }
        match (&self.trusted_root, &self.tuf, &self.notation) {
            (Some(path), None, None) => Ok(RootSource::File(path)),
            (None, Some(tuf), None) => tuf.source(built_in).map(RootSource::Tuf),
            (None, None, Some(notation)) => notation.source(),
            (None, None, None) => Err(at("name", SourceProblem::NotOne)),
            (_, Some(_), None) => Err(at("tuf", SourceProblem::NotOne)),
            (_, _, Some(_)) => Err(at("notation", SourceProblem::NotOne)),
        }
    }

    fn check_built_in(&self, domain: BuiltIn) -> Result<(), SourceError> {
        let (name, url) = (domain.name(), domain.repository());
        if self.notation.is_some() || (self.trusted_root.is_none() && self.tuf.is_none()) {
            return Err(at("name", SourceProblem::BuiltIn { name, url }));
        }
        for (key, said) in
            [("transparency_log", self.transparency_log), ("certificate_timestamps", self.certificate_timestamps)]
        {
            if said.is_some() {
                return Err(at(key, SourceProblem::BuiltInRules(name)));
            }
        }
        Ok(())
    }
}

impl TufSettings {
    fn source(&self, built_in: Option<BuiltIn>) -> Result<TufSource<'_>, SourceError> {
        let place = match (&self.url, &self.folder) {
            (Some(url), None) => Place::Url(url, self.ca.as_deref()),
            (None, Some(_)) if self.ca.is_some() => return Err(at("tuf.ca", SourceProblem::IdleAuthority)),
            (None, Some(folder)) => Place::Folder(folder),
            (Some(_), Some(_)) | (None, None) => return Err(at("tuf", SourceProblem::NotOnePlace)),
        };
        let anchor = match (&self.root, built_in) {
            (Some(path), _) => Anchor::File(path),
            (None, Some(domain)) => Anchor::BuiltIn(domain),
            (None, None) => return Err(at("tuf", SourceProblem::NoAnchor)),
        };
        if !is_plain_path(&self.target) {
            return Err(at("tuf.target", SourceProblem::Target));
        }
        if self.refresh < MOST_OFTEN {
            return Err(at("tuf.refresh", SourceProblem::TooOften));
        }
        Ok(TufSource { place, anchor, target: &self.target, refresh: self.refresh })
    }
}

impl NotationSettings {
    fn source(&self) -> Result<RootSource<'_>, SourceError> {
        if self.ca.is_empty() && self.signing_authority.is_empty() {
            return Err(at("notation", SourceProblem::NoAuthority));
        }
        Ok(RootSource::Notation(self))
    }
}

const fn at(key: &'static str, problem: SourceProblem) -> SourceError {
    SourceError { key, problem }
}

/// Whether `path` stays where it begins, in a folder as well as in a URL: names of letters, digits and `-._~%`, none of
/// them `.` or `..`, joined by single slashes.
pub(in crate::trust) fn is_plain_path(path: &str) -> bool {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"-._~%".contains(&c);
    path.split('/').all(|name| !matches!(name, "" | "." | "..") && name.bytes().all(is_plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(text: &str) -> DomainSettings {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_domain_has_one_source() {
        let file = domain("name = 'corp'\ntrusted_root = 'root.json'");
        assert_eq!(file.source().unwrap(), RootSource::File(Path::new("root.json")));
        let built_in = domain("name = 'public-good'\ntrusted_root = 'root.json'");
        assert_eq!(built_in.source().unwrap(), RootSource::File(Path::new("root.json")));
        let url = domain("name = 'corp'\ntuf = { url = 'https://tuf', root = 'root.json', ca = 'ca.pem' }");
        let anchor = Anchor::File(Path::new("root.json"));
        let place = Place::Url("https://tuf", Some(Path::new("ca.pem")));
        let tuf = TufSource { place, anchor, target: "trusted_root.json", refresh: Duration::from_hours(24) };
        assert_eq!(url.source().unwrap(), RootSource::Tuf(tuf));
        let folder = domain("name = 'github'\ntuf = { folder = 'tuf', target = 'a/b.json', refresh = '1h' }");
        let (place, anchor) = (Place::Folder(Path::new("tuf")), Anchor::BuiltIn(BuiltIn::GitHub));
        let tuf = TufSource { place, anchor, target: "a/b.json", refresh: Duration::from_hours(1) };
        assert_eq!(folder.source().unwrap(), RootSource::Tuf(tuf));
    }

    #[test]
    fn what_is_no_source_or_more_than_one_says_what_to_write() {
        for (text, key, words) in [
            ("name = 'corp'", "name", "write trusted_root = "),
            ("name = 'corp'\ntrusted_root = 'r'\ntuf = { url = 'u', root = 'r' }", "tuf", "has one source"),
            ("name = 'corp'\ntuf = { root = 'r' }", "tuf", "write url"),
            ("name = 'corp'\ntuf = { url = 'u', folder = 'f', root = 'r' }", "tuf", "has one place"),
            ("name = 'corp'\ntuf = { url = 'u' }", "tuf", "needs root"),
            ("name = 'corp'\ntuf = { folder = 'f', root = 'r', ca = 'c' }", "tuf.ca", "leave it out"),
            ("name = 'corp'\ntuf = { url = 'u', root = 'r', target = '../x' }", "tuf.target", "trusted_root.json"),
            ("name = 'corp'\ntuf = { url = 'u', root = 'r', refresh = '59s' }", "tuf.refresh", "at least"),
            ("name = 'github'\nnotation = { ca = ['c'] }", "name", "tuf-repo.github.com"),
            ("name = 'github'\ntrusted_root = 'r'\ntuf = { url = 'u' }", "tuf", "has one source"),
            ("name = 'github'\ntrusted_root = 'r'\nnotation = { ca = ['c'] }", "name", "trusted_root = "),
            ("name = 'public-good'", "name", "tuf-repo-cdn.sigstore.dev"),
            ("name = 'github'\ntuf = { url = 'u' }\ntransparency_log = 'none'", "transparency_log", "leave this out"),
            (
                "name = 'public-good'\ntrusted_root = 'r'\ncertificate_timestamps = 'none'",
                "certificate_timestamps",
                "leave this out",
            ),
        ] {
            let settings = domain(text);
            let error = settings.source().unwrap_err();
            assert_eq!(error.key, key, "{text}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn plain_paths_lead_nowhere_else() {
        for path in ["trusted_root.json", "a/b/c", "9.root.json", "%2E%2E", "..a"] {
            assert!(is_plain_path(path), "{path}");
        }
        for path in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a\\..\\b", "a b", "a?b", "C:x", "a\0"] {
            assert!(!is_plain_path(path), "{path:?}");
        }
    }
}
