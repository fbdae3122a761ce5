//! `https://slsa.dev/provenance/v0.2`: what slsa-github-generator, npm, Tekton Chains and BuildKit wrote until 2023,
//! and many still do.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::evidence::list::AtMost;
use crate::evidence::slsa::{Builder, DEPENDENCIES, Event, Resource, inputs, invocation, understood};
use crate::evidence::strict::read_checked;
use crate::evidence::{BaseImage, Dependency, Malformed, Provenance, SlsaVersion};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate<'a> {
    builder: Builder,
    build_type: Option<String>,
    #[serde(borrow)]
    invocation: Option<Invocation<'a>>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(default)]
    materials: AtMost<Resource, DEPENDENCIES>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Invocation<'a> {
    config_source: Option<ConfigSource>,
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
    #[serde(borrow)]
    environment: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ConfigSource {
    uri: Option<String>,
    digest: Option<BTreeMap<String, String>>,
    entry_point: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Parameters<'a> {
    #[serde(borrow)]
    inputs: Option<&'a RawValue>,
}

/// Reads a predicate. The source is `invocation.configSource`.
///
/// # Errors
/// [`Malformed`] if it is not of that shape, or has too many materials.
pub(in crate::evidence) fn read(json: &str) -> Result<Provenance, Malformed> {
    let predicate: Predicate<'_> = read_checked(json.as_bytes())?;
    let run = predicate.invocation.unwrap_or_default();
    let event = Event::of(run.environment);
    let parameters: Parameters<'_> = understood(run.parameters).unwrap_or_default();
    let ConfigSource { uri, digest, entry_point } = run.config_source.unwrap_or_default();
    let origin = Resource { uri, digest }.origin();
    let dependencies: Vec<_> = predicate.materials.of("materials")?.into_iter().map(Dependency::from).collect();
    Ok(Provenance {
        version: SlsaVersion::V0_2,
        builder_id: predicate.builder.id,
        build_type: predicate.build_type.unwrap_or_default(),
        source_branch: event.branch(origin.reference.as_deref()),
        source: origin.source,
        source_ref: origin.reference,
        source_commit: origin.commit,
        workflow: entry_point.filter(|path| !path.is_empty()),
        workflow_inputs: inputs(&event, parameters.inputs),
        invocation: invocation(predicate.metadata),
        base_images: dependencies.iter().filter_map(BaseImage::of).collect(),
        dependencies,
    })
}
