//! User names and passwords, from files; nothing here prints them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::HeaderValue;
use serde::Deserialize;

use crate::upstream::AuthSettings;
use crate::upstream::address::Base;

/// Why there are no credentials although some are configured.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no docker configuration. What is in it is not repeated: it holds secrets.
    #[error("{} is no docker configuration with auths", path.display())]
    DockerConfig {
        /// The file.
        path: PathBuf,
    },
    /// The file has nothing for this upstream that can be used: credential helpers and identity tokens cannot.
    #[error("{} has no user name and password for {host} under auths", path.display())]
    NoEntry {
        /// The file.
        path: PathBuf,
        /// The host of the upstream.
        host: String,
    },
}

/// A user name and a password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    username: String,
    password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(redacted)")
    }
}

#[derive(Deserialize)]
struct DockerConfig {
    auths: BTreeMap<String, DockerAuth>,
}

#[derive(Deserialize)]
struct DockerAuth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

/// How docker's configuration calls Docker Hub, whatever its host.
const DOCKER_HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

impl Credentials {
    /// Reads what `settings` point at, for the upstream at `base`.
    pub(super) fn read(settings: &AuthSettings, base: &Base) -> Result<Self, CredentialsError> {
        match settings {
            AuthSettings::Password { username, password_file } => {
                let password = read(password_file)?.trim_end_matches(['\r', '\n']).to_owned();
                Ok(Self { username: username.clone(), password })
            }
            AuthSettings::DockerConfig { docker_config } => {
                let config: DockerConfig = serde_json::from_str(&read(docker_config)?)
                    .map_err(|_| CredentialsError::DockerConfig { path: docker_config.clone() })?;
                let missing =
                    || CredentialsError::NoEntry { path: docker_config.clone(), host: base.host_and_port().to_owned() };
                config.of(base.host_and_port()).ok_or_else(missing)
            }
        }
    }

    /// The value of `Authorization` that says them.
    pub(super) fn basic(&self) -> Option<HeaderValue> {
        let text = format!("Basic {}", STANDARD.encode(format!("{}:{}", self.username, self.password)));
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

fn read(path: &Path) -> Result<String, CredentialsError> {
    fs::read_to_string(path).map_err(|source| CredentialsError::Read { path: path.to_owned(), source })
}

impl DockerConfig {
    fn of(&self, host: &str) -> Option<Credentials> {
        let means = |key: &str| key == host || (DOCKER_HUB.contains(&key) && DOCKER_HUB.contains(&host));
        self.auths.iter().filter(|(key, _)| means(host_of(key))).find_map(|(_, auth)| auth.credentials())
    }
}

/// The host in a key such as `https://index.docker.io/v1/` or `ghcr.io`.
fn host_of(key: &str) -> &str {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    key.split('/').next().unwrap_or(key)
}

impl DockerAuth {
    fn credentials(&self) -> Option<Credentials> {
        let decoded = match &self.auth {
            Some(auth) if !auth.is_empty() => decode(auth),
            Some(_) | None => self.username.clone().zip(self.password.clone()),
        };
        let (username, password) = decoded?;
        (!password.is_empty()).then_some(Credentials { username, password })
    }
}

/// `base64(username:password)`, padded or not; docker itself sometimes ends it with NUL.
fn decode(auth: &str) -> Option<(String, String)> {
    let bytes = STANDARD.decode(auth).or_else(|_| STANDARD_NO_PAD.decode(auth)).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.trim_end_matches('\0').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str, url: &str) -> Result<Credentials, CredentialsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        fs::write(&path, json).unwrap();
        Credentials::read(&AuthSettings::DockerConfig { docker_config: path }, &Base::parse(url).unwrap())
    }

    #[test]
    fn docker_configurations_are_looked_up_by_host() {
        let json = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"dTpwOnE="},"a.io:5000":{"auth":"YTpi"},
            "b.io":{"username":"b","password":"c"}},"credsStore":"x"}"#;
        let pair =
            |username: &str, password: &str| Credentials { username: username.into(), password: password.into() };
        assert_eq!(of(json, "https://registry-1.docker.io").unwrap(), pair("u", "p:q"));
        assert_eq!(of(json, "https://a.io:5000").unwrap(), pair("a", "b"));
        assert_eq!(of(json, "https://b.io").unwrap(), pair("b", "c"));
        for other in ["https://a.io", "https://docker.io.evil.io", "https://c.io"] {
            assert!(matches!(of(json, other), Err(CredentialsError::NoEntry { .. })), "{other}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_an_error_that_repeats_no_secret() {
        for json in ["{", "[]", r#"{"auths":{"a.io":"hunter2"}}"#] {
            let error = of(json, "https://a.io").unwrap_err();
            assert!(matches!(error, CredentialsError::DockerConfig { .. }), "{json}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
        for auth in ["{}", r#"{"auth":"%%%"}"#, r#"{"auth":"bm9jb2xvbg=="}"#, r#"{"identitytoken":"t"}"#] {
            let json = format!(r#"{{"auths":{{"a.io":{auth}}}}}"#);
            assert!(matches!(of(&json, "https://a.io"), Err(CredentialsError::NoEntry { .. })), "{auth}");
        }
    }

    #[test]
    fn the_line_end_of_a_password_file_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, "p w\n").unwrap();
        let settings = AuthSettings::Password { username: "u".into(), password_file: path };
        let read = Credentials::read(&settings, &Base::parse("https://a.io").unwrap()).unwrap();
        assert_eq!(read.basic().unwrap(), "Basic dTpwIHc=");
    }

    #[test]
    fn credentials_are_never_printed() {
        let credentials = Credentials { username: "mallory".into(), password: "hunter2".into() };
        assert_eq!(format!("{credentials:?}"), "Credentials(redacted)");
        assert_eq!(format!("{:?}", credentials.basic().unwrap()), "Sensitive");
    }
}
