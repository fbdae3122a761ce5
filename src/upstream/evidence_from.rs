//! `evidence_from`: where evidence about the images of an upstream is looked for besides their own repositories.

use std::fmt;

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::oci::{Repository, RepositoryName, UpstreamName};

/// One such place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidencePlace {
    /// The upstream that is asked.
    pub upstream: UpstreamName,
    name: Name,
}

/// Which repository it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    /// The same for all images.
    Fixed(RepositoryName),
    /// That of the image, so that one image's evidence is never taken for another's place.
    OfImage,
}

/// Stands for the name of the image's own repository.
const REPOSITORY: &str = "{repository}";

/// Why a text is no such place.
#[derive(Debug, thiserror::Error)]
enum Misspelt {
    #[error(
        "{0:?} is no repository of an upstream: write the name of an [[upstream]], a slash and the repository, without a \
         tag, such as \"registry.example.com/signatures\""
    )]
    NoRepository(String),
    #[error(
        "{0:?}: {{repository}} is all that can stand in braces, and all that then follows the upstream, such as \
         \"docker.io/{{repository}}\": it stands for the name of the image's own repository"
    )]
    Braces(String),
}

impl EvidencePlace {
    /// The repository in which evidence about what is in `image` is looked for.
    pub fn of(&self, image: &Repository) -> Repository {
        let name = match &self.name {
            Name::Fixed(name) => name,
            Name::OfImage => &image.name,
        };
        Repository::new(self.upstream.clone(), name.clone())
    }

    /// The upstream always stands in front: here nothing is taken for granted, not even Docker Hub.
    fn read(text: &str) -> Option<Self> {
        let (upstream, name) = text.split_once('/')?;
        let upstream = upstream.parse().ok()?;
        let name = match name {
            REPOSITORY => Name::OfImage,
            name => Name::Fixed(name.parse().ok()?),
        };
        Some(Self { upstream, name })
    }
}

impl Misspelt {
    fn of(text: &str) -> Self {
        let text = text.to_owned();
        if text.contains(['{', '}']) { Self::Braces(text) } else { Self::NoRepository(text) }
    }
}

impl fmt::Display for EvidencePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Name::Fixed(name) => write!(f, "{}/{name}", self.upstream),
            Name::OfImage => write!(f, "{}/{REPOSITORY}", self.upstream),
        }
    }
}

/// The schema shows the default.
impl Serialize for EvidencePlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// As written: one, or a list of them.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "write \"upstream/repository\", or a list of such")]
#[schemars(inline)]
pub(super) enum Written {
    One(String),
    List(Vec<String>),
}

pub(super) fn read_places<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<EvidencePlace>, D::Error> {
    let texts = match Written::deserialize(deserializer)? {
        Written::One(text) => vec![text],
        Written::List(texts) => texts,
    };
    texts.iter().map(|text| EvidencePlace::read(text).ok_or_else(|| Error::custom(Misspelt::of(text)))).collect()
}
