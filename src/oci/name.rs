//! Names as the OCI distribution specification bounds them: upstreams, repositories, tags.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest `<name>` accepted: many clients cut host and name at 255 characters (OCI distribution specification,
/// "Pulling manifests").
const REPOSITORY_LENGTH: usize = 255;
/// What Docker Hub means before a name of one component, which must have room for it.
const LIBRARY: &str = "library/";
/// Longest tag (OCI distribution specification: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`).
const TAG_LENGTH: usize = 128;
/// Longest upstream name: a host name of 253 characters, a colon and a port.
const UPSTREAM_LENGTH: usize = 259;

/// Why a text is not the name it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a repository name.
    #[error(
        "a repository name is lowercase letters and digits, separated by one of . _ __ - or /, \
         at most 255 characters"
    )]
    Repository,
    /// Not a tag.
    #[error("a tag is letters, digits, _ . and -, does not start with . or -, and has at most 128 characters")]
    Tag,
    /// Not an upstream name.
    #[error("an upstream name is a host name with an optional port, such as docker.io or localhost:5000")]
    Upstream,
}

// All names are shared, not copied, where they are cloned: every request does, for every look at what is known.

/// The name of a repository inside its registry, such as `library/nginx`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName(Arc<str>);

/// A tag, such as `1.27`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Arc<str>);

/// What clients call an upstream registry, such as `docker.io`: a key among the configured ones, never a host to dial.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema)]
pub struct UpstreamName(Arc<str>);

impl RepositoryName {
    /// The name with `library/` in front if it has one component only, as Docker Hub means it.
    #[must_use]
    pub fn in_library(self) -> Self {
        if self.0.contains('/') { self } else { Self(format!("{LIBRARY}{}", self.0).into()) }
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, by hand: it is on the path of every request.
fn is_component(text: &str) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = text.as_bytes().first().is_some_and(alphanumeric) && text.as_bytes().last().is_some_and(alphanumeric);
    let separators = text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends && separators.filter(|run| !run.is_empty()).all(is_separator)
}

fn is_separator(run: &str) -> bool {
    matches!(run, "." | "_" | "__") || run.bytes().all(|byte| byte == b'-')
}

fn is_repository(text: &str) -> bool {
    let room = if text.contains('/') { 0 } else { LIBRARY.len() };
    text.len() + room <= REPOSITORY_LENGTH && text.split('/').all(is_component)
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= TAG_LENGTH
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

fn is_upstream(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    text.len() <= UPSTREAM_LENGTH
        && host.split('.').all(label)
        && port.is_none_or(|port| port.parse::<u16>().is_ok() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What every name type shares: parsing by its rule, display, and serde as text.
macro_rules! name {
    ($name:ident, $rule:ident, $error:ident) => {
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if $rule(text) { Ok(Self(text.into())) } else { Err(NameError::$error) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name!(RepositoryName, is_repository, Repository);
name!(Tag, is_tag, Tag);
name!(UpstreamName, is_upstream, Upstream);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    #[test]
    fn names_of_the_wild_are_accepted() {
        for name in ["nginx", "library/nginx", "a/b/c/d", "a__b/c-d.e_f", "a---b", "0/1"] {
            assert!(name.parse::<RepositoryName>().is_ok(), "{name}");
        }
        for upstream in ["docker.io", "localhost:5000", "127.0.0.1:25000", "registry"] {
            assert!(upstream.parse::<UpstreamName>().is_ok(), "{upstream}");
        }
    }

    #[test]
    fn hostile_names_are_refused() {
        let long = "a".repeat(256);
        for name in
            ["", "/", "a/", "/a", "a//b", "..", "a/../b", "A", "a b", "a%2fb", "-a", "a-", "a___b", "a._b", "ä", &long]
        {
            assert!(name.parse::<RepositoryName>().is_err(), "{name}");
        }
        for tag in ["", ".a", "-a", "a/b", "a b", "a\n", &"a".repeat(129)] {
            assert!(tag.parse::<Tag>().is_err(), "{tag}");
        }
        for upstream in
            ["", ":", "a:", ":1", "a:65536", "a:+1", "a b", "a/b", "-a.io", "a..io", "user@a.io", "[::1]:5000"]
        {
            assert!(upstream.parse::<UpstreamName>().is_err(), "{upstream}");
        }
    }

    #[test]
    fn only_single_component_names_go_to_the_library() {
        let in_library = |name: &str| name.parse::<RepositoryName>().unwrap().in_library().to_string();
        assert_eq!(in_library("nginx"), "library/nginx");
        assert_eq!(in_library("fystacklabs/apex"), "fystacklabs/apex");
    }

    #[test]
    fn a_name_has_room_for_the_library_that_it_goes_to() {
        let longest = "a".repeat(255 - "library/".len());
        let named = longest.parse::<RepositoryName>().unwrap().in_library();
        assert_eq!(named.to_string().parse(), Ok(named));
        assert!(format!("{longest}a").parse::<RepositoryName>().is_err());
        assert!(format!("b/{}", "a".repeat(253)).parse::<RepositoryName>().is_ok());
    }

    proptest! {
        #[test]
        fn names_are_those_of_the_specification(text in "[a-c0._/A-]{0,12}") {
            let rule = r"\A[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*\z";
            let named = Regex::new(rule).unwrap().is_match(&text);
            prop_assert_eq!(text.parse::<RepositoryName>().is_ok(), named);
        }
    }
}
