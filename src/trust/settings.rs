//! `[[trust]]` and `[[key]]` of the configuration file (`docs/configuration.md`).

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::clock::read_timestamp;

/// One trust domain: a trusted root and what its signatures must come with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DomainSettings {
    /// The name that rules refer to. `public-good` and `github` are taken.
    pub name: String,
    /// The file with the trusted root (Sigstore's `trusted_root.json`). This, or `notation`.
    pub trusted_root: Option<PathBuf>,
    /// The trust stores for signatures of the Notary Project.
    pub notation: Option<NotationSettings>,
    /// Whether a signature needs an entry of a transparency log of this domain.
    #[serde(default = "required")]
    pub transparency_log: Requirement,
    /// Whether a certificate needs a timestamp (SCT) of a certificate log of this domain.
    #[serde(default = "required")]
    pub certificate_timestamps: Requirement,
}

/// Trust stores of the Notary Project: files with certificates, PEM, by what these are trusted for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotationSettings {
    /// Authorities that certify who signs (`notary.x509`).
    #[serde(default)]
    pub ca: Vec<PathBuf>,
    /// Authorities that certify services that sign for others (`notary.x509.signingAuthority`).
    #[serde(default)]
    pub signing_authority: Vec<PathBuf>,
    /// Authorities that certify timestamp authorities.
    #[serde(default)]
    pub tsa: Vec<PathBuf>,
}

/// What a domain trusts: what is left once [`DomainSettings`] are known to make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootSource<'a> {
    /// The trusted root in this file.
    File(&'a Path),
    /// These trust stores.
    Notation(&'a NotationSettings),
}

/// Why a domain trusts nothing, or two things.
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
        "a trust domain has one source: write trusted_root = \"trusted_root.json\", or notation = {{ ca = [\"ca.pem\"] }}"
    )]
    NotOne,
    #[error("notation has no authority: write ca = [\"ca.pem\"], or signing_authority = [\"authority.pem\"]")]
    NoAuthority,
}

impl DomainSettings {
    /// The domain `name`, whose trusted root is a file.
    pub fn of_file(name: &str, trusted_root: PathBuf, log: Requirement, certificate_timestamps: Requirement) -> Self {
        Self {
            name: name.to_owned(),
            trusted_root: Some(trusted_root),
            notation: None,
            transparency_log: log,
            certificate_timestamps,
        }
    }

    /// The domain `name` of the Notary Project.
    pub fn of_notation(name: &str, notation: NotationSettings) -> Self {
        Self {
            name: name.to_owned(),
            trusted_root: None,
            notation: Some(notation),
            transparency_log: Requirement::Required,
            certificate_timestamps: Requirement::Required,
        }
    }

    /// What it trusts.
    ///
    /// # Errors
    /// [`SourceError`] if that is nothing, or more than one thing: what to write instead.
    pub fn source(&self) -> Result<RootSource<'_>, SourceError> {
        match (&self.trusted_root, &self.notation) {
            (Some(path), None) => Ok(RootSource::File(path)),
            (None, Some(notation)) => notation.source(),
            (Some(_), Some(_)) => Err(at("notation", SourceProblem::NotOne)),
            (None, None) => Err(at("name", SourceProblem::NotOne)),
        }
    }

    /// The files that must be there, each with the key that names it.
    pub fn files(&self) -> Vec<(String, &Path)> {
        let root = self.trusted_root.iter().map(|path| ("trusted_root".to_owned(), &**path));
        root.chain(self.notation.iter().flat_map(NotationSettings::files)).collect()
    }

    /// All paths that it names, for whoever knows what they are relative to.
    pub fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        let notation = self.notation.iter_mut();
        let stores = notation.flat_map(|it| it.ca.iter_mut().chain(&mut it.signing_authority).chain(&mut it.tsa));
        self.trusted_root.iter_mut().chain(stores).collect()
    }
}

impl NotationSettings {
    fn source(&self) -> Result<RootSource<'_>, SourceError> {
        if self.ca.is_empty() && self.signing_authority.is_empty() {
            return Err(at("notation", SourceProblem::NoAuthority));
        }
        Ok(RootSource::Notation(self))
    }

    fn files(&self) -> impl Iterator<Item = (String, &Path)> {
        let stores = [("ca", &self.ca), ("signing_authority", &self.signing_authority), ("tsa", &self.tsa)];
        stores.into_iter().flat_map(|(store, paths)| {
            paths.iter().enumerate().map(move |(index, path)| (format!("notation.{store}.{index}"), &**path))
        })
    }
}

const fn at(key: &'static str, problem: SourceProblem) -> SourceError {
    SourceError { key, problem }
}

/// Whether something must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Requirement {
    /// It must be there, and hold.
    Required,
    /// It may be missing.
    #[serde(rename = "none")]
    NotRequired,
}

/// One long-lived key, as made by `cosign generate-key-pair` or kept in a key management service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// The name that rules refer to.
    pub name: String,
    /// The file with the public key, PEM.
    pub path: PathBuf,
    /// What was signed before this proves nothing.
    #[serde(default, deserialize_with = "time")]
    pub not_before: Option<Timestamp>,
    /// What was signed after this proves nothing.
    #[serde(default, deserialize_with = "time")]
    pub not_after: Option<Timestamp>,
    /// Whether signatures count that come with neither a log entry nor a timestamp.
    #[serde(default = "refuse")]
    pub without_log: WithoutLog,
}

/// Whether signatures count that come with neither a log entry nor a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WithoutLog {
    /// They count. When they were made is then unknown: the key's window is held against the present.
    Allow,
    /// They do not count.
    Refuse,
}

fn required() -> Requirement {
    Requirement::Required
}

fn refuse() -> WithoutLog {
    WithoutLog::Refuse
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    read_timestamp(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_requires_log_and_certificate_timestamps_unless_told_otherwise() {
        let domain: DomainSettings = toml::from_str("name = 'corp'\ntrusted_root = 'root.json'").unwrap();
        assert_eq!(domain.transparency_log, Requirement::Required);
        assert_eq!(domain.certificate_timestamps, Requirement::Required);
        let told = "name = 'corp'\ntrusted_root = 'r'\ntransparency_log = 'none'\ncertificate_timestamps = 'none'";
        let domain: DomainSettings = toml::from_str(told).unwrap();
        assert_eq!(domain.transparency_log, Requirement::NotRequired);
        assert_eq!(domain.certificate_timestamps, Requirement::NotRequired);
    }

    #[test]
    fn a_domain_has_one_source() {
        let domain = |text: &str| toml::from_str::<DomainSettings>(text).unwrap();
        let file = domain("name = 'corp'\ntrusted_root = 'root.json'");
        assert_eq!(file.source().unwrap(), RootSource::File(Path::new("root.json")));
        let notation = domain("name = 'acme'\nnotation = { ca = ['ca.pem'], tsa = ['tsa.pem'] }");
        let tsa = vec![PathBuf::from("tsa.pem")];
        let stores = NotationSettings { ca: vec!["ca.pem".into()], signing_authority: Vec::new(), tsa };
        assert_eq!(notation.source().unwrap(), RootSource::Notation(&stores));
        let named: Vec<_> = notation.files().into_iter().map(|(key, _)| key).collect();
        assert_eq!(named, ["notation.ca.0", "notation.tsa.0"]);
        for (text, key, words) in [
            ("name = 'corp'", "name", "write trusted_root = "),
            ("name = 'corp'\ntrusted_root = 'r'\nnotation = { ca = ['c'] }", "notation", "has one source"),
            ("name = 'corp'\nnotation = { tsa = ['t'] }", "notation", "has no authority"),
        ] {
            let settings = domain(text);
            let error = settings.source().unwrap_err();
            assert!(error.key == key && error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn a_key_refuses_signatures_without_log_unless_told_otherwise() {
        let key: KeySettings = toml::from_str("name = 'release'\npath = 'cosign.pub'").unwrap();
        assert_eq!(key.without_log, WithoutLog::Refuse);
        assert_eq!((key.not_before, key.not_after), (None, None));
    }

    #[test]
    fn times_are_read_as_toml_writes_them() {
        let text = "name = 'k'\npath = 'p'\nnot_before = '2026-01-01T00:00:00Z'\nnot_after = 2027-01-01T00:00:00Z";
        let key: KeySettings = toml::from_str(text).unwrap();
        assert_eq!(key.not_before, "2026-01-01T00:00:00Z".parse().ok());
        assert_eq!(key.not_after, "2027-01-01T00:00:00Z".parse().ok());
    }

    #[test]
    fn a_time_without_an_offset_is_refused() {
        let error = toml::from_str::<KeySettings>("name = 'k'\npath = 'p'\nnot_after = 2027-01-01").unwrap_err();
        assert!(error.to_string().contains("2027-01-01T00:00:00Z"), "{error}");
    }

    #[test]
    fn unknown_settings_are_refused() {
        assert!(toml::from_str::<DomainSettings>("name = 'n'\ntrusted_root = 'r'\nlog = 'none'").is_err());
        assert!(toml::from_str::<KeySettings>("name = 'n'\npath = 'p'\nwithout_logs = 'allow'").is_err());
    }
}
