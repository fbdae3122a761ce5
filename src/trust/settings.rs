//! `[[trust]]` and `[[key]]` of the configuration file (`docs/configuration.md`).

use std::path::PathBuf;

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
    /// The file with the trusted root (Sigstore's `trusted_root.json`).
    pub trusted_root: PathBuf,
    /// Whether a signature needs an entry of a transparency log of this domain.
    #[serde(default = "required")]
    pub transparency_log: Requirement,
    /// Whether a certificate needs a timestamp (SCT) of a certificate log of this domain.
    #[serde(default = "required")]
    pub certificate_timestamps: Requirement,
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
