//! What a statement claims, once somebody has proved who made it.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::{BaseImage, BaseImages, Scan, Summary, Vex};
use crate::oci::Digest;

/// An in-toto statement: a predicate about subjects (in-toto attestation framework, Statement v0.1 and v1).
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The SHA-256 digests of its subjects. Names select nothing.
    pub subjects: Vec<Digest>,
    /// The type of the predicate, a URI, as written.
    pub predicate_type: String,
    /// The predicate, where its type is known.
    pub predicate: Predicate,
}

/// The predicate of a statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// `https://sigstore.dev/cosign/sign/v1`: a plain signature by cosign 3.
    Signature,
    /// `https://slsa.dev/provenance/v0.2` or `/v1`.
    Provenance(Box<Provenance>),
    /// `https://spdx.dev/Document` or `https://cyclonedx.org/bom`, with or without a version.
    Sbom(Sbom),
    /// `https://slsa.dev/verification_summary/v1` or `/v0.2`.
    Summary(Box<Summary>),
    /// `https://openvex.dev/ns`, with or without a version.
    Vex(Box<Vex>),
    /// `https://cosign.sigstore.dev/attestation/vuln/v1`, or `https://in-toto.io/attestation/vulns/v0.1` or `/v0.2`.
    Scan(Box<Scan>),
    /// Any other type; its content is not read.
    Other,
}

/// How a build ran, by SLSA provenance v0.2 or v1, in the words of v1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Provenance {
    /// Which version of the predicate it was.
    pub version: SlsaVersion,
    /// `builder.id` (v0.2) or `runDetails.builder.id` (v1).
    pub builder_id: String,
    /// `buildType` (v0.2) or `buildDefinition.buildType` (v1).
    pub build_type: String,
    /// The source repository as a URI without a reference, such as `https://github.com/fystack/apex`.
    pub source: Option<String>,
    /// The reference that was built, such as `refs/tags/v1.2.3`.
    pub source_ref: Option<String>,
    /// The branch that was built, such as `main`; for a tag the branch that it was pushed from, where the builder says.
    pub source_branch: Option<String>,
    /// The commit that was built, hexadecimal, in lower case.
    pub source_commit: Option<String>,
    /// The path of the workflow, such as `.github/workflows/release.yml`.
    pub workflow: Option<String>,
    /// The inputs that the workflow was started with; values that are no text as JSON.
    pub workflow_inputs: BTreeMap<String, String>,
    /// The run that built it, as the builder names its runs.
    pub invocation: Option<String>,
    /// `materials` (v0.2) or `resolvedDependencies` (v1).
    pub dependencies: Vec<Dependency>,
    /// The images among them: base images, stages, tools.
    #[serde(default)]
    pub base_images: Vec<BaseImage>,
}

/// Builds of these types list every image that they are given (BuildKit, "SLSA definitions"): where there is none, the
/// image was built from scratch.
const LIST_IMAGES: [&str; 2] = [
    "https://mobyproject.org/buildkit@v1",
    "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
];

impl Provenance {
    /// Whether every image that went into the build is known to be listed.
    pub fn lists_images(&self) -> bool {
        LIST_IMAGES.contains(&&*self.build_type)
    }
}

/// A version of the SLSA provenance predicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SlsaVersion {
    /// `https://slsa.dev/provenance/v0.2`
    #[serde(rename = "v0.2")]
    V0_2,
    /// `https://slsa.dev/provenance/v1`
    #[serde(rename = "v1")]
    V1,
}

/// Something that went into a build.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dependency {
    /// Where it came from, as written.
    pub uri: String,
    /// Its digests, `algorithm:hex`, as written.
    pub digests: Vec<String>,
}

/// A software bill of materials.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sbom {
    /// Which standard it is written in.
    pub format: SbomFormat,
    /// The version of that standard, such as `2.3`.
    pub version: String,
    /// The packages that it lists, in order of their package URL.
    pub packages: Arc<[Package]>,
    /// The images that it says that others were built on: the one that it is about, or one of those in it.
    #[serde(default, skip_serializing_if = "BaseImages::is_empty")]
    pub base_images: BaseImages,
}

/// A standard for bills of materials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SbomFormat {
    /// SPDX JSON: 2.x, or 3.x (JSON-LD).
    Spdx,
    /// CycloneDX JSON.
    CycloneDx,
}

/// A package in a bill of materials.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Package {
    /// Its package URL in canonical form, if it has one: `pkg:npm/axios@1.14.1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purl: Option<Box<str>>,
    /// What stands where its package URL should, if that is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<Box<str>>,
    /// Its name as written; empty where the package URL says it.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub name: Box<str>,
    /// Its version as written, where the package URL does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Box<str>>,
    /// Its licence expressions as written, in alphabetical order. Most packages share theirs with others.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub licenses: Box<[Arc<str>]>,
}

/// Why bytes are no evidence of the form that they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not JSON, a duplicate key, too deep, or not of the right shape.
    #[error("not valid: {0}")]
    Json(String),
    /// Not the in-toto statement that it should be.
    #[error("statements of type {0:?} are not understood")]
    StatementType(String),
    /// Larger, or with more parts, than is looked at.
    #[error("{what} beyond the limit of {limit}")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        limit: u64,
    },
}

/// How many characters of a stranger's text an error repeats.
const QUOTED: usize = 200;

impl Malformed {
    /// [`Malformed::Json`], cut: an error may quote what was read, and that may be long.
    pub(in crate::evidence) fn json(error: &serde_json::Error) -> Self {
        Self::Json(error.to_string().chars().take(QUOTED).collect())
    }

    /// [`Malformed::Json`] of what has the shape of a document, and not its meaning.
    pub(in crate::evidence) fn shape(what: &str) -> Self {
        Self::Json(what.to_owned())
    }

    /// [`Malformed::StatementType`], cut to what fits a line of log.
    pub(in crate::evidence) fn statement_type(text: &str) -> Self {
        Self::StatementType(text.chars().take(QUOTED).collect())
    }
}
