//! The `[[upstream]]` tables, as written; what can only be known by looking (files, addresses) is checked by
//! `Upstreams::new`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::clock::{duration_schema, read_duration};
use crate::oci::UpstreamName;
use crate::upstream::AddressError;
use crate::upstream::EvidencePlace;
use crate::upstream::address::check_address;
use crate::upstream::evidence_from::{Written, read_places};

/// One `[[upstream]]` table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What clients call it.
    pub name: UpstreamName,
    /// Where it is: `https://host[:port][/prefix]`, before `/v2/`, or a list of such, each of which is asked where those before
    /// it could not be. An `http://` address is how plain HTTP is allowed.
    #[serde(deserialize_with = "read_urls")]
    #[schemars(with = "Urls")]
    pub url: Vec<String>,
    /// Whether it serves requests that name no upstream.
    #[serde(default)]
    pub default: bool,
    /// Further names that clients may use for it. `docker.io` has its usual ones without being told.
    #[serde(default)]
    pub aliases: Vec<UpstreamName>,
    /// How to log in; anonymous without.
    pub auth: Option<AuthSettings>,
    /// Certificates (PEM) of authorities to trust besides those of the system.
    pub ca: Option<PathBuf>,
    /// Where evidence about its images is looked for besides their own repositories: `upstream/repository`, or a list of such.
    /// `{repository}` in place of the repository is the one of the same name as the image's own.
    #[serde(default, deserialize_with = "read_places")]
    #[schemars(with = "Written")]
    pub evidence_from: Vec<EvidencePlace>,
    /// How long the digest of a tag is remembered before the upstream is asked again.
    #[serde(default = "tag_ttl", deserialize_with = "read_duration")]
    #[schemars(schema_with = "duration_schema")]
    pub tag_ttl: Duration,
    /// How long what it said last of a tag stands while it cannot be asked.
    #[serde(default = "max_stale", deserialize_with = "read_duration")]
    #[schemars(schema_with = "duration_schema")]
    pub max_stale: Duration,
    /// Longest for a connection to stand, TLS and proxy included.
    #[serde(default = "connect_timeout", deserialize_with = "read_duration")]
    #[schemars(schema_with = "duration_schema")]
    pub connect_timeout: Duration,
    /// Longest from a request to the headers of its answer.
    #[serde(default = "answer_timeout", deserialize_with = "read_duration")]
    #[schemars(schema_with = "duration_schema")]
    pub answer_timeout: Duration,
    /// Longest between two pieces of a body.
    #[serde(default = "idle_timeout", deserialize_with = "read_duration")]
    #[schemars(schema_with = "duration_schema")]
    pub idle_timeout: Duration,
}

/// `url`, as written: at least one.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "write \"https://registry.example.com\", or a list of such")]
#[schemars(inline)]
enum Urls {
    One(String),
    List(#[schemars(length(min = 1))] Vec<String>),
}

fn read_urls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    match Urls::deserialize(deserializer)? {
        Urls::One(url) => Ok(vec![url]),
        Urls::List(urls) if urls.is_empty() => Err(D::Error::custom("an upstream has at least one url")),
        Urls::List(urls) => Ok(urls),
    }
}

/// `auth = { username, password_file }` or `auth = { docker_config }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "AuthTable")]
#[schemars(!try_from, untagged, deny_unknown_fields)]
pub enum AuthSettings {
    /// A user name, and the file that holds the password.
    Password {
        /// The user name.
        username: String,
        /// The file; a line end after the password does not count.
        password_file: PathBuf,
    },
    /// The `auths` of a file such as docker's `config.json`.
    DockerConfig {
        /// The file.
        docker_config: PathBuf,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthTable {
    username: Option<String>,
    password_file: Option<PathBuf>,
    docker_config: Option<PathBuf>,
}

impl TryFrom<AuthTable> for AuthSettings {
    type Error = &'static str;

    fn try_from(table: AuthTable) -> Result<Self, &'static str> {
        match (table.username, table.password_file, table.docker_config) {
            (Some(username), Some(password_file), None) => Ok(Self::Password { username, password_file }),
            (None, None, Some(docker_config)) => Ok(Self::DockerConfig { docker_config }),
            _ => Err("auth is { username = \"..\", password_file = \"..\" } or { docker_config = \"..\" }"),
        }
    }
}

/// How long what is on its way is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    pub(super) connect: Duration,
    pub(super) answer: Duration,
    pub(super) idle: Duration,
}

impl Deadlines {
    /// Those of whoever does not say.
    pub(super) const fn usual() -> Self {
        Self { connect: connect_timeout(), answer: answer_timeout(), idle: idle_timeout() }
    }
}

impl Settings {
    /// Settings for `name` at `url`, all else as if not written.
    pub fn new(name: UpstreamName, url: impl Into<String>) -> Self {
        Self {
            name,
            url: vec![url.into()],
            default: false,
            aliases: Vec::new(),
            auth: None,
            ca: None,
            evidence_from: Vec::new(),
            tag_ttl: tag_ttl(),
            max_stale: max_stale(),
            connect_timeout: connect_timeout(),
            answer_timeout: answer_timeout(),
            idle_timeout: idle_timeout(),
        }
    }

    pub(super) const fn deadlines(&self) -> Deadlines {
        Deadlines { connect: self.connect_timeout, answer: self.answer_timeout, idle: self.idle_timeout }
    }

    /// Whether an address of it is one of plain HTTP, where anybody on the way can read and change what is fetched.
    pub fn is_plain_http(&self) -> bool {
        let is_plain = |url: &String| url.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"));
        self.url.iter().any(is_plain)
    }

    /// The files that must be there, each with the key that names it.
    pub fn files(&self) -> Vec<(&'static str, &Path)> {
        let ca = self.ca.as_deref().map(|path| ("ca", path));
        ca.into_iter().chain(self.auth.as_ref().map(AuthSettings::file)).collect()
    }

    /// Whether each of its addresses is one that can be asked.
    ///
    /// # Errors
    /// [`AddressError`], which says what an address looks like.
    pub fn check_url(&self) -> Result<(), AddressError> {
        self.url.iter().try_for_each(|url| check_address(url))
    }

    /// The files that it names, for whoever knows what they are relative to.
    pub fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        self.ca.iter_mut().chain(self.auth.iter_mut().map(AuthSettings::path_mut)).collect()
    }
}

impl AuthSettings {
    fn file(&self) -> (&'static str, &Path) {
        match self {
            Self::Password { password_file, .. } => ("auth.password_file", password_file),
            Self::DockerConfig { docker_config } => ("auth.docker_config", docker_config),
        }
    }

    const fn path_mut(&mut self) -> &mut PathBuf {
        match self {
            Self::Password { password_file: path, .. } | Self::DockerConfig { docker_config: path } => path,
        }
    }
}

const fn tag_ttl() -> Duration {
    Duration::from_mins(1)
}

/// Long enough for an outage to be noticed and mended; whoever keeps us from an upstream keeps us no longer from its
/// updates.
const fn max_stale() -> Duration {
    Duration::from_hours(24)
}

const fn connect_timeout() -> Duration {
    Duration::from_secs(10)
}

/// Some registries take long to find a manifest that nobody asked for in months; clients wait 75 s and more.
const fn answer_timeout() -> Duration {
    Duration::from_secs(20)
}

const fn idle_timeout() -> Duration {
    Duration::from_secs(30)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn name_and_url_are_enough() {
        let settings = read("name = 'docker.io'\nurl = 'https://registry-1.docker.io'").unwrap();
        assert_eq!(settings, Settings::new("docker.io".parse().unwrap(), "https://registry-1.docker.io"));
        assert_eq!(settings.tag_ttl, Duration::from_mins(1));
        assert!(!settings.is_plain_http());
    }

    #[test]
    fn auth_is_a_password_or_a_docker_config() {
        let auth = |text: &str| read(&format!("name = 'a'\nurl = 'http://a'\nauth = {text}"));
        let mut password = auth("{ username = 'u', password_file = 'f' }").unwrap();
        assert!(matches!(password.auth, Some(AuthSettings::Password { .. })));
        assert_eq!(password.paths_mut(), [&PathBuf::from("f")]);
        assert!(matches!(auth("{ docker_config = 'c' }").unwrap().auth, Some(AuthSettings::DockerConfig { .. })));
        for wrong in ["{}", "{ username = 'u' }", "{ username = 'u', password_file = 'f', docker_config = 'c' }"] {
            assert!(auth(wrong).unwrap_err().to_string().contains("docker_config"), "{wrong}");
        }
        assert!(auth("{ username = 'u', password = 'p' }").is_err());
    }

    #[test]
    fn evidence_is_from_one_repository_or_several_and_each_names_its_upstream() {
        let from = |value: &str| {
            let settings = read(&format!("name = 'a'\nurl = 'http://a'\nevidence_from = {value}"))?;
            Ok::<_, toml::de::Error>(settings.evidence_from.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(from("'ghcr.io/acme/signatures'").unwrap(), ["ghcr.io/acme/signatures"]);
        assert_eq!(from("['hub/signatures', 'docker.io/a/b']").unwrap(), ["hub/signatures", "docker.io/a/b"]);
        for wrong in ["''", "'signatures'", "'https://ghcr.io/a'", "'ghcr.io/a:tag'", "'ghcr.io/'", "['ghcr.io/A']"] {
            let error = from(wrong).unwrap_err().to_string();
            assert!(error.contains("\"registry.example.com/signatures\""), "{wrong}: {error}");
        }
        assert_eq!(from("'docker.io/{repository}'").unwrap(), ["docker.io/{repository}"]);
        for wrong in
            ["{repository}", "a/{name}", "a/x/{repository}", "a/{repository}/x", "a/{repository", "{upstream}/b"]
        {
            let error = from(&format!("'{wrong}'")).unwrap_err().to_string();
            assert!(error.contains("such as \"docker.io/{repository}\""), "{wrong}: {error}");
        }
        assert!(from("5").unwrap_err().to_string().contains("upstream/repository"));
    }

    #[test]
    fn there_is_one_address_or_more() {
        let url = |value: &str| read(&format!("name = 'a'\nurl = {value}")).map(|settings| settings.url);
        assert_eq!(url("'https://a'").unwrap(), ["https://a"]);
        assert_eq!(url("['https://a', 'http://b']").unwrap(), ["https://a", "http://b"]);
        assert!(url("[]").unwrap_err().to_string().contains("at least one"));
        assert!(url("5").unwrap_err().to_string().contains("or a list of such"));
        let settings = read("name = 'a'\nurl = ['https://a', 'http://b']").unwrap();
        assert!(settings.is_plain_http(), "one in the clear is one too many");
        let settings = read("name = 'a'\nurl = ['https://a', 'b']").unwrap();
        assert!(settings.check_url().is_err());
    }

    #[test]
    fn unknown_keys_are_errors() {
        assert!(read("name = 'a'\nurl = 'https://a'\nsurprise = 1").is_err());
    }
}
