//! What a configuration file says of rules, word for word. Nothing here is checked beyond its shape: see
//! [`crate::policy::Policy::new`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::clock::{duration_schema, read_duration, read_timestamp};
use crate::evidence::SbomFormat;
use crate::oci::Digest;
use crate::policy::Mode;

/// All that a configuration says of rules.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `[[rule]]`, in order: the first that matches decides.
    pub rule: Vec<RuleSettings>,
    /// `[[builder]]`: who else may vouch for provenance.
    pub builder: Vec<BuilderSettings>,
    /// `[[verifier]]`: whose verification summaries may stand for provenance.
    pub verifier: Vec<VerifierSettings>,
    /// `[[exception]]`: single images that are served unproven for a while.
    pub exception: Vec<ExceptionSettings>,
    /// `[revoked]`: what is refused whatever the rules say.
    pub revoked: RevokedSettings,
}

/// `[[rule]]`
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSettings {
    /// Its name, in reasons, logs and metrics.
    pub name: String,
    /// Globs over `upstream/repository`.
    pub images: Vec<String>,
    /// Globs over the tag; a request without a tag matches no rule that has them.
    pub tags: Option<Vec<String>>,
    /// What is done with its requirements.
    #[serde(default = "enforce")]
    pub mode: Mode,
    /// Who must have signed: every block must be met.
    #[serde(default)]
    pub signature: Vec<SignatureSettings>,
    /// How it must have been built.
    pub provenance: Option<ProvenanceSettings>,
    /// What must be known of its content.
    pub sbom: Option<SbomSettings>,
    /// What of an index must be proven.
    #[serde(default = "root")]
    pub index: IndexSettings,
    /// What is asked of the images that it was built from.
    pub base_images: Option<BaseImagesSettings>,
    /// What is served while a tag has moved to what is not proven.
    #[serde(default = "refuse")]
    pub on_unproven_update: OnUnprovenUpdate,
    /// How old the signatures must be by their proven time, such as `72h`.
    #[serde(default)]
    #[schemars(schema_with = "duration_schema")]
    pub min_log_age: Option<String>,
    /// An expression (CEL) over the facts that met the other requirements, which must be true.
    pub condition: Option<String>,
    /// What whoever is refused gets to read besides the reason.
    pub message: Option<String>,
}

/// What of an index must be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IndexSettings {
    /// The index, which proves all that it names.
    Root,
    /// Each of its images by itself, where the index is not proven.
    Children,
}

/// What is asked of the images that an image was built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BaseImagesSettings {
    /// Each must be admitted too, by its own rule.
    Judge,
}

/// What is served while a tag has moved to what is not proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnUnprovenUpdate {
    /// Nothing.
    Refuse,
    /// The digest that was last admitted for that tag, if it is admitted now.
    LastAdmitted,
}

/// `[[rule.signature]]`, and `signed_by` of `[rule.sbom]`: one identity, or several of which some must have signed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SignatureSettings {
    /// The trust domain that proves it: `public-good` unless said.
    pub trust: Option<String>,
    /// Glob over the OIDC issuer.
    pub issuer: Option<String>,
    /// Glob over the subject alternative name: a URI or an e-mail address.
    pub subject: Option<String>,
    /// The same as a regular expression, always anchored.
    pub subject_regex: Option<String>,
    /// Glob over the source repository that the certificate names.
    pub source_repository: Option<String>,
    /// Glob over the reference that the certificate names, such as `refs/heads/main`.
    pub source_ref: Option<String>,
    /// Glob over the commit that the certificate names.
    pub source_commit: Option<String>,
    /// Glob over the workflow that the certificate names, as a URI with its reference (build config).
    pub build_config: Option<String>,
    /// Glob over what started the build, such as `push` or `release`.
    pub build_trigger: Option<String>,
    /// Glob over where the build ran: `github-hosted`, `self-hosted`.
    pub runner_environment: Option<String>,
    /// The name of a `[[key]]`, instead of all of the above.
    pub key: Option<String>,
    /// Several identities, instead of all of the above: any of them will do.
    pub any_of: Vec<Self>,
    /// How many different ones of `any_of` must have signed: one unless said.
    pub at_least: Option<usize>,
}

/// `[rule.provenance]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProvenanceSettings {
    /// The trust domain that proves it: those of the rule's signature blocks, else `public-good`, unless said.
    pub trust: Option<String>,
    /// The least SLSA build level, 1 to 3.
    #[schemars(range(min = 1, max = 3))]
    pub level: Option<u8>,
    /// Names of builders: of the catalogue or of a `[[builder]]`. Any of them unless said.
    pub builders: Option<Vec<String>>,
    /// Names of `[[verifier]]`: a verification summary by one of them does in place of provenance. Without `builders`
    /// nothing else does.
    pub verifiers: Option<Vec<String>>,
    /// Glob over the source repository, such as `github.com/fystack/apex`.
    pub source: Option<String>,
    /// Glob over the reference that was built; `{tag}` is the tag asked for.
    pub source_ref: Option<String>,
    /// The version whose tag was built: `v1` for any `refs/tags/v1.x.y`.
    pub source_versioned_tag: Option<String>,
    /// Glob over the branch that was built.
    pub source_branch: Option<String>,
    /// The commit that was built, hexadecimal.
    pub source_commit: Option<String>,
    /// Glob over the path of the workflow that was run.
    pub workflow: Option<String>,
    /// Globs over the inputs that the workflow was started with, by their names.
    pub workflow_inputs: BTreeMap<String, String>,
}

/// `[rule.sbom]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SbomSettings {
    /// The trust domain that proves it, in place of the one its signers name.
    pub trust: Option<String>,
    /// The standards accepted: any unless said.
    pub formats: Option<Vec<SbomFormat>>,
    /// Who must have signed it: any identity of the rule's signature blocks unless said.
    pub signed_by: Option<SignatureSettings>,
    /// Package URLs that must not be in it: with a version, with a range of versions
    /// (`pkg:npm/axios?vers=>=1.14.0|<1.14.2`), or with neither for every version.
    pub deny_packages: Vec<String>,
    /// Records of the OSV schema whose packages must not be in it: a JSON file, or a folder with any number of them. Read
    /// anew when it changes.
    pub deny_feed: Option<PathBuf>,
    /// Licences of the SPDX list, or `LicenseRef-` names, under which nothing in it may be.
    pub deny_licenses: Vec<String>,
}

/// `[[builder]]`: who may vouch for provenance, and at what SLSA build level.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BuilderSettings {
    /// Its name. The name of a builder of the catalogue replaces that one.
    pub name: String,
    /// Glob over the builder's id in the predicate.
    pub id: String,
    /// The OIDC issuer of its certificates.
    pub issuer: Option<String>,
    /// Glob over the subject of its certificates, where that is not the id itself.
    pub subject: Option<String>,
    /// The name of the `[[key]]` that it signs with, instead of a certificate.
    pub key: Option<String>,
    /// Whether it vouches for what ran on a self-hosted runner.
    #[serde(default = "refuse_runners")]
    pub self_hosted_runners: SelfHostedRunners,
    /// The SLSA build level that it vouches for, 1 to 3.
    #[schemars(range(min = 1, max = 3))]
    pub level: u8,
}

/// `[[verifier]]`: whose verification summaries may stand for provenance.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifierSettings {
    /// Its name.
    pub name: String,
    /// Glob over its id in the summary (`verifier.id`).
    pub id: String,
    /// The trust domain that proves it: `public-good` unless said.
    pub trust: Option<String>,
    /// Glob over the OIDC issuer of its certificates.
    pub issuer: Option<String>,
    /// Glob over the subject of its certificates.
    pub subject: Option<String>,
    /// The name of the `[[key]]` that it signs with, instead of a certificate.
    pub key: Option<String>,
    /// Glob over the URI of the policy that it verified.
    pub policy: Option<String>,
    /// How long ago it may have verified.
    #[serde(default, deserialize_with = "read_optional_duration")]
    #[schemars(schema_with = "duration_schema")]
    pub max_age: Option<Duration>,
}

/// `[[exception]]`: one image that is served unproven for a while.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExceptionSettings {
    /// `upstream/repository@sha256:..`
    pub image: String,
    /// When it ends. An exception without an end does not parse.
    #[serde(deserialize_with = "read_timestamp")]
    pub until: Timestamp,
    /// Why it was made.
    pub reason: String,
}

/// `[revoked]`: what is refused whatever the rules say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RevokedSettings {
    /// Images.
    pub digests: Vec<Digest>,
    /// Globs over the subjects of certificates: nothing that they signed counts.
    pub subjects: Vec<String>,
    /// Commits, hexadecimal: nothing that was built from them counts.
    pub commits: Vec<String>,
    /// Compromise windows: what these signers signed in that time counts for nothing.
    pub log_before: Vec<WindowSettings>,
}

/// An entry of `log_before`: a signer, and when somebody else could sign as that signer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WindowSettings {
    /// Glob over the subjects of certificates.
    pub subject: Option<String>,
    /// Glob over the issuers of these certificates: any unless said.
    pub issuer: Option<String>,
    /// The name of a `[[key]]`, instead of a subject.
    pub key: Option<String>,
    /// When it began: at no known time unless said.
    #[serde(deserialize_with = "time")]
    pub from: Option<Timestamp>,
    /// When it was over: it is not unless said.
    #[serde(deserialize_with = "time")]
    pub until: Option<Timestamp>,
}

/// Whether a builder vouches for what ran on a self-hosted runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SelfHostedRunners {
    /// It does not: whoever owns the machine could have changed the build.
    Refuse,
    /// It does: the operator vouches for the machines.
    Allow,
}

fn refuse_runners() -> SelfHostedRunners {
    SelfHostedRunners::Refuse
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    read_timestamp(deserializer).map(Some)
}

fn read_optional_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    read_duration(deserializer).map(Some)
}

fn enforce() -> Mode {
    Mode::Enforce
}

fn root() -> IndexSettings {
    IndexSettings::Root
}

fn refuse() -> OnUnprovenUpdate {
    OnUnprovenUpdate::Refuse
}
