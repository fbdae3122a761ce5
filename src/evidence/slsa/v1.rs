//! `https://slsa.dev/provenance/v1`: GitHub's attestations, slsa-github-generator's newer builders, Google Cloud
//! Build, BuildKit.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::evidence::list::AtMost;
use crate::evidence::slsa::{Builder, DEPENDENCIES, Event, Origin, Resource, inputs, invocation, some, understood};
use crate::evidence::strict::read_checked;
use crate::evidence::{BaseImage, Dependency, Malformed, Provenance, SlsaVersion};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate<'a> {
    #[serde(borrow)]
    build_definition: BuildDefinition<'a>,
    #[serde(borrow)]
    run_details: RunDetails<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition<'a> {
    build_type: Option<String>,
    #[serde(borrow)]
    external_parameters: Option<&'a RawValue>,
    #[serde(borrow)]
    internal_parameters: Option<&'a RawValue>,
    #[serde(default)]
    resolved_dependencies: AtMost<Resource, DEPENDENCIES>,
}

#[derive(Deserialize)]
struct RunDetails<'a> {
    builder: Builder,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

/// The external parameters of the build types that are known to name their source.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Parameters<'a> {
    /// GitHub's workflow build types.
    #[serde(borrow)]
    workflow: Option<&'a RawValue>,
    /// Google Cloud Build.
    #[serde(borrow)]
    build_config_source: Option<&'a RawValue>,
    /// Container-based builds: a resource or its URI.
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    /// BuildKit.
    #[serde(borrow)]
    config_source: Option<&'a RawValue>,
    #[serde(borrow)]
    inputs: Option<&'a RawValue>,
}

/// A workflow in a repository.
#[derive(Deserialize)]
struct Workflow<'a> {
    repository: String,
    r#ref: Option<String>,
    path: Option<String>,
    #[serde(borrow)]
    inputs: Option<&'a RawValue>,
}

/// Reads a predicate. The source is what the external parameters say, else the first resolved dependency.
///
/// # Errors
/// [`Malformed`] if it is not of that shape, or has too many dependencies.
pub(in crate::evidence) fn read(json: &str) -> Result<Provenance, Malformed> {
    let Predicate { build_definition: build, run_details: run } = read_checked(json.as_bytes())?;
    let dependencies = build.resolved_dependencies.of("resolved dependencies")?;
    let parameters: Parameters<'_> = understood(build.external_parameters).unwrap_or_default();
    let workflow: Option<Workflow<'_>> = understood(parameters.workflow.or(parameters.build_config_source));
    let origin = origin(&parameters, workflow.as_ref(), &dependencies);
    let event = Event::of(build.internal_parameters);
    let dependencies: Vec<_> = dependencies.into_iter().map(Dependency::from).collect();
    Ok(Provenance {
        version: SlsaVersion::V1,
        builder_id: run.builder.id,
        build_type: build.build_type.unwrap_or_default(),
        source_branch: event.branch(origin.reference.as_deref()),
        source: origin.source,
        source_ref: origin.reference,
        source_commit: origin.commit,
        workflow_inputs: inputs(&event, workflow.as_ref().and_then(|workflow| workflow.inputs).or(parameters.inputs)),
        workflow: workflow.and_then(|workflow| some(&workflow.path?)),
        invocation: invocation(run.metadata),
        base_images: dependencies.iter().filter_map(BaseImage::of).collect(),
        dependencies,
    })
}

fn origin(parameters: &Parameters<'_>, workflow: Option<&Workflow<'_>>, dependencies: &[Resource]) -> Origin {
    let named = match workflow {
        Some(workflow) => Some(workflow.origin()),
        None => parameters.source.or(parameters.config_source).and_then(resource_or_uri),
    };
    match named.filter(|origin| origin.source.is_some()) {
        Some(origin) => with_commit(origin, dependencies),
        None => dependencies.first().filter(|first| is_git(first)).map(Resource::origin).unwrap_or_default(),
    }
}

fn is_git(resource: &Resource) -> bool {
    resource.uri.as_deref().is_some_and(|uri| uri.starts_with("git+"))
}

/// Workflow parameters name no commit: it is the digest of the dependency that is the same source at the same
/// reference.
fn with_commit(origin: Origin, dependencies: &[Resource]) -> Origin {
    if origin.commit.is_some() {
        return origin;
    }
    let resolved = dependencies.iter().map(Resource::origin);
    let same = |other: &Origin| other.source == origin.source && other.reference == origin.reference;
    let commit = resolved.filter(same).find_map(|other| other.commit);
    Origin { commit, ..origin }
}

impl Workflow<'_> {
    fn origin(&self) -> Origin {
        let origin = Origin::of(&self.repository);
        Origin { reference: self.r#ref.as_deref().and_then(some).or(origin.reference), ..origin }
    }
}

fn resource_or_uri(raw: &RawValue) -> Option<Origin> {
    let uri = understood::<String>(Some(raw)).map(|uri| Origin::of(&uri));
    uri.or_else(|| understood::<Resource>(Some(raw)).map(|resource| resource.origin()))
}
