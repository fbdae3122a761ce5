//! What a client asks for: a repository of an upstream, and in it a tag or a digest.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::oci::{Digest, DigestError, NameError, RepositoryName, Tag, UpstreamName};

/// A repository of a configured upstream, such as `docker.io/library/nginx`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Repository {
    /// The upstream that holds it.
    pub upstream: UpstreamName,
    /// Its name there.
    pub name: RepositoryName,
}

/// A tag or a digest: what stands behind `/manifests/` in a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// A name that may move.
    Tag(Tag),
    /// The content itself.
    Digest(Digest),
}

/// One image: a repository and a reference in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Image {
    /// Where it is.
    pub repository: Repository,
    /// Which one it is.
    pub reference: Reference,
}

/// Why a text is neither a tag nor a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It has a colon, so it should be a digest, and is none.
    #[error(transparent)]
    Digest(DigestError),
    /// It has no colon, so it should be a tag, and is none.
    #[error(transparent)]
    Tag(NameError),
}

/// Why a text names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The repository or the upstream is misspelt.
    #[error(transparent)]
    Name(NameError),
    /// What follows `:` or `@` is misspelt.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
}

/// Docker Hub, the registry that a name without one means.
const DOCKER_HUB: &str = "docker.io";

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.contains(':') {
            text.parse().map(Self::Digest).map_err(ReferenceError::Digest)
        } else {
            text.parse().map(Self::Tag).map_err(ReferenceError::Tag)
        }
    }
}

impl FromStr for Image {
    type Err = ImageError;

    /// Reads `[upstream/]repository[:tag][@digest]` as docker does: without an upstream it is `docker.io`, without tag
    /// and digest it is `latest`, and with both the digest decides.
    fn from_str(text: &str) -> Result<Self, ImageError> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(ReferenceError::Digest)?)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            Some(_) | None => (rest, "latest"),
        };
        let tag = tag.parse().map_err(ReferenceError::Tag)?;
        Ok(Self {
            repository: name.parse().map_err(ImageError::Name)?,
            reference: digest.map_or(Reference::Tag(tag), Reference::Digest),
        })
    }
}

impl FromStr for Repository {
    type Err = NameError;

    /// Reads `[upstream/]repository`; the first component is an upstream if it has a dot or a port or is `localhost`.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_host = |first: &str| first.contains(['.', ':']) || first == "localhost";
        let (upstream, name) = match text.split_once('/') {
            Some((first, name)) if is_host(first) => (first, name),
            Some(_) | None => (DOCKER_HUB, text),
        };
        Ok(Self::new(upstream.parse()?, name.parse()?))
    }
}

impl Repository {
    /// The repository `name` of `upstream`; on Docker Hub a name of one component is one of `library/`.
    pub fn new(upstream: UpstreamName, name: RepositoryName) -> Self {
        let name = if upstream.as_str() == DOCKER_HUB { name.in_library() } else { name };
        Self { upstream, name }
    }
}

impl Image {
    /// The tag, if it is asked for by one.
    pub fn tag(&self) -> Option<&Tag> {
        match &self.reference {
            Reference::Tag(tag) => Some(tag),
            Reference::Digest(_) => None,
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.upstream, self.name)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reference {
            Reference::Tag(tag) => write!(f, "{}:{tag}", self.repository),
            Reference::Digest(digest) => write!(f, "{}@{digest}", self.repository),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_read_as_docker_reads_them() {
        let digest = Digest::of(b"");
        for (text, read) in [
            ("nginx", "docker.io/library/nginx:latest".to_owned()),
            ("fystacklabs/apex:v1", "docker.io/fystacklabs/apex:v1".to_owned()),
            ("localhost:5000/a", "localhost:5000/a:latest".to_owned()),
            ("ghcr.io/a/b:c", "ghcr.io/a/b:c".to_owned()),
            (&format!("ghcr.io/a/b:c@{digest}"), format!("ghcr.io/a/b@{digest}")),
        ] {
            assert_eq!(text.parse::<Image>().unwrap().to_string(), read);
        }
    }

    #[test]
    fn misspelt_images_are_refused() {
        for text in ["", "Nginx", "nginx:", "nginx@", "nginx@sha256:00", "a.io/", "a.io//b", "http://a.io/b"] {
            assert!(text.parse::<Image>().is_err(), "{text}");
        }
    }
}
