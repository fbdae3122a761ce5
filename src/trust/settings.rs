//! `[[trust]]` and `[[key]]` of the configuration file (`docs/configuration.md`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::clock::{duration_schema, read_duration, read_timestamp};
use crate::trust::BuiltIn;

/// One trust domain: where its trusted root comes from, and what its signatures must come with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DomainSettings {
    /// The name that rules refer to. `public-good` and `github` are built in; there, only `tuf` or `trusted_root` can be said.
    pub name: String,
    /// The file with the trusted root (Sigstore's `trusted_root.json`). One of this, `tuf` and
    /// `notation`.
    pub trusted_root: Option<PathBuf>,
    /// The TUF repository with the trusted root.
    pub tuf: Option<TufSettings>,
    /// The trust stores for signatures of the Notary Project.
    pub notation: Option<NotationSettings>,
    /// Whether a signature needs an entry of a transparency log of this domain. It does unless told otherwise.
    pub transparency_log: Option<Requirement>,
    /// Whether a certificate needs a timestamp (SCT) of a certificate log of this domain. It does unless told otherwise.
    pub certificate_timestamps: Option<Requirement>,
}

/// A TUF repository: `url` or `folder`, and where trust in it begins.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TufSettings {
    /// Its address. This, or `folder`.
    pub url: Option<String>,
    /// A folder laid out as the repository is, for where there is no network.
    pub folder: Option<PathBuf>,
    /// The file with the root metadata that trust begins with. Built-in domains have one.
    pub root: Option<PathBuf>,
    /// What the trusted root is called there.
    #[serde(default = "target")]
    pub target: String,
    /// Certificates (PEM) of authorities to trust besides those of the system, for `url`.
    pub ca: Option<PathBuf>,
    /// How often it is looked at.
    #[serde(default = "refresh", deserialize_with = "read_duration")]
    #[schemars(schema_with = "duration_schema")]
    pub refresh: Duration,
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

/// Sigstore's clients look once a day, and its timestamp is valid for a week.
const REFRESH: Duration = Duration::from_hours(24);
impl DomainSettings {
    /// The domain `name`, whose trusted root is a file.
    pub fn of_file(name: &str, trusted_root: PathBuf, log: Requirement, certificate_timestamps: Requirement) -> Self {
        Self {
            name: name.to_owned(),
            trusted_root: Some(trusted_root),
            tuf: None,
            notation: None,
            transparency_log: Some(log),
            certificate_timestamps: Some(certificate_timestamps),
        }
    }

    /// The domain `name` of the Notary Project.
    pub fn of_notation(name: &str, notation: NotationSettings) -> Self {
        let name = name.to_owned();
        let (transparency_log, certificate_timestamps) = (None, None);
        Self { name, trusted_root: None, tuf: None, notation: Some(notation), transparency_log, certificate_timestamps }
    }

    /// Whether a signature needs an entry of a transparency log of this domain.
    pub fn transparency_log(&self) -> Requirement {
        self.requirement(self.transparency_log)
    }

    /// Whether a certificate needs a timestamp of a certificate log of this domain.
    pub fn certificate_timestamps(&self) -> Requirement {
        self.requirement(self.certificate_timestamps)
    }

    fn requirement(&self, said: Option<Requirement>) -> Requirement {
        let unsaid = BuiltIn::named(&self.name).map_or(Requirement::Required, BuiltIn::requirement);
        said.unwrap_or(unsaid)
    }

    /// The files that must be there, each with the key that names it. A folder may come later.
    pub fn files(&self) -> Vec<(String, &Path)> {
        let tuf = self.tuf.as_ref();
        let files = [
            ("trusted_root", self.trusted_root.as_deref()),
            ("tuf.root", tuf.and_then(|tuf| tuf.root.as_deref())),
            ("tuf.ca", tuf.and_then(|tuf| tuf.ca.as_deref())),
        ];
        let files = files.into_iter().filter_map(|(key, path)| Some((key.to_owned(), path?)));
        files.chain(self.notation.iter().flat_map(NotationSettings::files)).collect()
    }

    /// All paths that it names, for whoever knows what they are relative to.
    pub fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        let tuf = self.tuf.iter_mut().flat_map(|tuf| [&mut tuf.folder, &mut tuf.root, &mut tuf.ca]);
        let notation = self.notation.iter_mut();
        let stores = notation.flat_map(|it| it.ca.iter_mut().chain(&mut it.signing_authority).chain(&mut it.tsa));
        std::iter::once(&mut self.trusted_root).chain(tuf).filter_map(Option::as_mut).chain(stores).collect()
    }
}

impl NotationSettings {
    fn files(&self) -> impl Iterator<Item = (String, &Path)> {
        let stores = [("ca", &self.ca), ("signing_authority", &self.signing_authority), ("tsa", &self.tsa)];
        stores.into_iter().flat_map(|(store, paths)| {
            paths.iter().enumerate().map(move |(index, path)| (format!("notation.{store}.{index}"), &**path))
        })
    }
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

fn target() -> String {
    "trusted_root.json".to_owned()
}

const fn refresh() -> Duration {
    REFRESH
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

    fn domain(text: &str) -> DomainSettings {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_domain_requires_log_and_certificate_timestamps_unless_told_otherwise() {
        let (required, none) = (Requirement::Required, Requirement::NotRequired);
        let unsaid = domain("name = 'corp'\ntrusted_root = 'root.json'");
        assert_eq!((unsaid.transparency_log(), unsaid.certificate_timestamps()), (required, required));
        let told = "name = 'corp'\ntrusted_root = 'r'\ntransparency_log = 'none'\ncertificate_timestamps = 'none'";
        let told = domain(told);
        assert_eq!((told.transparency_log(), told.certificate_timestamps()), (none, none));
        let github = domain("name = 'github'\ntuf = { url = 'https://tuf' }");
        assert_eq!((github.transparency_log(), github.certificate_timestamps()), (none, none));
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
