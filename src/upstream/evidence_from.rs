//! `evidence_from`, as written: a repository of an upstream, or a list of them.

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::oci::Repository;

#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "write \"upstream/repository\", or a list of such")]
#[schemars(inline)]
pub(super) enum Written {
    One(String),
    List(Vec<String>),
}

pub(super) fn read_repositories<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Repository>, D::Error> {
    let texts = match Written::deserialize(deserializer)? {
        Written::One(text) => vec![text],
        Written::List(texts) => texts,
    };
    texts.iter().map(|text| repository(text).ok_or_else(|| Error::custom(no_repository(text)))).collect()
}

/// The upstream always stands in front: here nothing is taken for granted, not even Docker Hub.
fn repository(text: &str) -> Option<Repository> {
    let (upstream, name) = text.split_once('/')?;
    Some(Repository::new(upstream.parse().ok()?, name.parse().ok()?))
}

fn no_repository(text: &str) -> String {
    format!(
        "{text:?} is no repository of an upstream: write the name of an [[upstream]], a slash and the repository, \
         without a tag, such as \"registry.example.com/signatures\""
    )
}
