//! SLSA provenance, in the two versions that builders write: where a build took its source from.
//!
//! The shape of the predicate must hold. What a builder puts into parameters and environment is up to it: there,
//! what cannot be understood is absent, and what is absent meets no requirement.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::evidence::Dependency;

pub(in crate::evidence) mod v0_2;
pub(in crate::evidence) mod v1;

/// Most materials or resolved dependencies; builds that fetch every package by itself list thousands.
const DEPENDENCIES: usize = 16_384;

#[derive(Deserialize)]
struct Builder {
    id: String,
}

/// A material, a resolved dependency, or a source: a URI and its digests.
#[derive(Deserialize)]
struct Resource {
    uri: Option<String>,
    digest: Option<BTreeMap<String, String>>,
}

impl Resource {
    /// The commit that it is, hexadecimal in lower case: a Git object name is written under `gitCommit` or `sha1`.
    fn commit(&self) -> Option<String> {
        let digests = self.digest.as_ref()?;
        let hex = digests.get("gitCommit").or_else(|| digests.get("sha1"))?;
        let is_object_name = matches!(hex.len(), 40 | 64) && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_object_name.then(|| hex.to_ascii_lowercase())
    }

    fn origin(&self) -> Origin {
        let origin = self.uri.as_deref().map(Origin::of).unwrap_or_default();
        Origin { commit: self.commit(), ..origin }
    }
}

impl From<Resource> for Dependency {
    fn from(resource: Resource) -> Self {
        let digests = resource.digest.unwrap_or_default();
        let digests = digests.into_iter().map(|(algorithm, value)| format!("{algorithm}:{value}")).collect();
        Self { uri: resource.uri.unwrap_or_default(), digests }
    }
}

/// Where a source is, and which state of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Origin {
    source: Option<String>,
    reference: Option<String>,
    commit: Option<String>,
}

impl Origin {
    /// Takes `git+https://host/owner/name.git@refs/tags/v1` apart (SPDX download location), or the same with
    /// `#refs/tags/v1:folder` (BuildKit).
    fn of(uri: &str) -> Self {
        let uri = uri.strip_prefix("git+").unwrap_or(uri);
        let (source, reference) = split_reference(uri);
        let source = source.trim_end_matches('/');
        let source = source.strip_suffix(".git").unwrap_or(source);
        Self { source: some(source), reference: reference.and_then(some), commit: None }
    }
}

/// Splits behind the first `@` or `#` of the path: one in front of the path belongs to a user name.
fn split_reference(uri: &str) -> (&str, Option<&str>) {
    let authority = uri.find("://").map_or(0, |at| at + 3);
    let path = uri.get(authority..).and_then(|rest| rest.find('/')).map_or(uri.len(), |at| authority + at);
    let Some(at) = uri.get(path..).and_then(|rest| rest.find(['@', '#'])) else { return (uri, None) };
    let (source, reference) = uri.split_at(path + at);
    match reference.strip_prefix('#') {
        Some(fragment) => (source, fragment.split(':').next()),
        None => (source, reference.strip_prefix('@')),
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The event that started a GitHub workflow, as slsa-github-generator copies it.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Event<'a> {
    #[serde(borrow)]
    inputs: Option<&'a RawValue>,
    base_ref: Option<String>,
}

/// The environment that builders on GitHub record, in the two spellings that they use.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Environment<'a> {
    #[serde(alias = "GITHUB_EVENT_PAYLOAD", borrow)]
    github_event_payload: Option<&'a RawValue>,
}

impl<'a> Event<'a> {
    fn of(environment: Option<&'a RawValue>) -> Self {
        let environment: Environment<'a> = understood(environment).unwrap_or_default();
        understood(environment.github_event_payload).unwrap_or_default()
    }

    /// The branch behind `reference`: itself, or for a tag the branch that the event says it was pushed from.
    fn branch(&self, reference: Option<&str>) -> Option<String> {
        let is_tag = reference.is_some_and(|reference| reference.starts_with("refs/tags/"));
        let reference = if is_tag { self.base_ref.as_deref() } else { reference };
        reference.and_then(|reference| reference.strip_prefix("refs/heads/")).map(str::to_owned)
    }
}

/// The run, in every spelling: cosign 2 writes `invocationID` where SLSA says `invocationId`.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Metadata {
    #[serde(rename = "invocationId", alias = "invocationID")]
    #[serde(alias = "buildInvocationId", alias = "buildInvocationID")]
    invocation: Option<String>,
}

fn invocation(metadata: Option<&RawValue>) -> Option<String> {
    understood::<Metadata>(metadata).and_then(|metadata| metadata.invocation)
}

/// The inputs of a run: those of its event, else those among its parameters.
fn inputs(event: &Event<'_>, parameters: Option<&RawValue>) -> BTreeMap<String, String> {
    let inputs: BTreeMap<String, &RawValue> = understood(event.inputs.or(parameters)).unwrap_or_default();
    inputs.into_iter().filter(|(_, value)| value.get() != "null").map(|(name, value)| (name, as_text(value))).collect()
}

fn as_text(value: &RawValue) -> String {
    serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned())
}

/// The value, where it is there and a `T`.
fn understood<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
}

#[cfg(test)]
mod tests;
