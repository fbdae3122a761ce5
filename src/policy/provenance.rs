//! `[rule.provenance]`: how an image must have been built.
//!
//! Any repository can call a reusable workflow, so the builder alone says nothing of the source. The source is what the
//! signer's certificate says, and what the provenance says must be the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::evidence::{Provenance, Summary};
use crate::oci::Tag;
use crate::policy::builder::{Builder, Catalogue, Vouched, check_level, unknown_builder, vouched};
use crate::policy::error::{Place, PolicyError, PolicyProblem};
use crate::policy::identity::{repository_of, source_glob};
use crate::policy::judge::Request;
use crate::policy::pattern::Glob;
use crate::policy::reason::{because, shown};
use crate::policy::settings::ProvenanceSettings;
use crate::policy::summary::SummaryRule;
use crate::policy::version::VersionPrefix;
use crate::policy::{Level, Reason, ReasonCode, Shortfall};
use crate::verify::{Certificate, Fact, Signer};

/// What a rule demands of provenance.
#[derive(Debug)]
pub(super) struct ProvenanceRule {
    trust: Vec<Box<str>>,
    builders: Vec<Arc<Builder>>,
    summaries: Option<SummaryRule>,
    level: Option<u8>,
    source: Option<Glob>,
    source_ref: Option<Glob>,
    source_versioned_tag: Option<VersionPrefix>,
    source_branch: Option<Glob>,
    source_commit: Option<Box<str>>,
    workflow: Option<Glob>,
    workflow_inputs: Vec<(String, Glob)>,
}

/// What was built, as far as signer and provenance agree on it.
pub(super) struct Origin<'a> {
    pub(super) source: Option<&'a str>,
    pub(super) source_ref: Option<&'a str>,
    pub(super) branch: Option<&'a str>,
    pub(super) commit: Option<&'a str>,
    pub(super) workflow: Option<&'a str>,
}

/// A provenance that met a rule.
pub(super) struct Built<'a> {
    pub(super) provenance: &'a Provenance,
    pub(super) origin: Origin<'a>,
    pub(super) builder: &'a str,
    pub(super) level: Level,
}

const BRANCHES: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";

impl ProvenanceRule {
    /// Reads the block. `trust` is proved by these domains.
    pub(super) fn compile(
        settings: &ProvenanceSettings,
        trust: Vec<Box<str>>,
        catalogue: &Catalogue,
        at: &Place,
    ) -> Result<Self, PolicyError> {
        if let Some(level) = settings.level {
            check_level(level, at)?;
        }
        let summaries = SummaryRule::compile(settings, catalogue.verifiers(), at)?;
        let source = settings.source.as_deref();
        let glob = |key: &str, text: &Option<String>| {
            text.as_deref().map(Glob::new).transpose().map_err(|error| at.key(key).problem(error))
        };
        let source_ref = settings.source_ref.as_deref().map(Glob::template).transpose();
        let version = settings.source_versioned_tag.as_deref();
        Ok(Self {
            trust,
            builders: match (&settings.builders, &summaries) {
                (None, Some(_)) => Vec::new(),
                (builders, _) => catalogue.named(builders.as_deref(), at)?,
            },
            summaries,
            level: settings.level,
            source: source.map(|source| source_glob(source, &at.key("source"))).transpose()?,
            source_ref: source_ref.map_err(|error| at.key("source_ref").problem(error))?,
            source_versioned_tag: version.map(|text| versioned_tag(text, at)).transpose()?,
            source_branch: glob("source_branch", &settings.source_branch)?,
            source_commit: settings.source_commit.as_deref().map(|text| commit(text, at)).transpose()?,
            workflow: glob("workflow", &settings.workflow)?,
            workflow_inputs: inputs(&settings.workflow_inputs, at)?,
        })
    }

    /// The keys that its builders sign with, each with the builder's name.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.builders.iter().filter_map(|builder| Some((builder.name(), builder.key()?)))
    }

    /// Whether the trust domain `domain` may prove it.
    pub(super) fn relies_on(&self, domain: &str) -> bool {
        let of_summaries = self.summaries.as_ref().is_some_and(|summaries| summaries.relies_on(domain));
        of_summaries || self.trust.iter().any(|trust| **trust == *domain)
    }

    /// Whether it may be signed with a key.
    pub(super) fn takes_keys(&self) -> bool {
        self.keys().next().is_some() || self.summaries.as_ref().is_some_and(SummaryRule::takes_keys)
    }

    /// Whether a summary may do in place of provenance.
    pub(super) fn takes_summaries(&self) -> bool {
        self.summaries.is_some()
    }

    /// Whether it leaves open what was built.
    pub(super) fn names_no_source(&self) -> bool {
        !self.builders.is_empty() && self.source.as_ref().is_none_or(Glob::is_anything)
    }

    /// What of its verifiers would let anybody in, for the log at start.
    pub(super) fn weaknesses(&self) -> impl Iterator<Item = String> {
        self.summaries.iter().flat_map(SummaryRule::weaknesses)
    }

    /// Why the verification summary of `signer` does not do in place of provenance.
    pub(super) fn check_summary(
        &self,
        summary: &Summary,
        signer: &Signer,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Result<(), Reason> {
        let Some(rule) = &self.summaries else {
            let verifier = shown(&summary.verifier_id);
            let text = format!("a verification summary by {verifier} is published, but the rule names no verifiers");
            return because(ReasonCode::Missing, text);
        };
        rule.check(summary, signer, request, now)
    }

    /// Why `provenance`, signed by `signer`, does not do: the first line that it does not meet.
    pub(super) fn check(&self, signer: &Signer, provenance: &Provenance, tag: Option<&Tag>) -> Result<(), Reason> {
        if self.builders.is_empty() {
            let text = "provenance is published, but the rule asks for a verification summary".to_owned();
            return because(ReasonCode::Missing, text);
        }
        self.check_trust(signer)?;
        let vouched = vouched(&self.builders, signer, provenance)?;
        let origin = Origin::agreed(signer, provenance)?;
        self.check_level(&vouched)?;
        self.check_version(&origin)?;
        self.check_source(&origin)?;
        self.check_ref(&origin, tag)?;
        self.check_build(&origin)?;
        self.check_inputs(provenance)
    }

    /// What is known of a provenance that met it.
    pub(super) fn built<'a>(&'a self, fact: &'a Fact) -> Option<Built<'a>> {
        let provenance = fact.claim().provenance()?;
        let origin = Origin::agreed(fact.signer(), provenance).ok()?;
        let vouched = vouched(&self.builders, fact.signer(), provenance).ok()?;
        Some(Built { provenance, origin, builder: vouched.builder.name(), level: vouched.level })
    }

    /// The level of a provenance that met it.
    pub(super) fn level(&self, fact: &Fact) -> Option<Level> {
        level_of(&self.builders, fact)
    }

    fn check_trust(&self, signer: &Signer) -> Result<(), Reason> {
        let Signer::Certificate(certificate) = signer else { return Ok(()) };
        if self.trust.iter().any(|trust| **trust == *certificate.trust) {
            return Ok(());
        }
        let text = format!(
            "provenance proved by trust domain {}, expected {}",
            shown(&certificate.trust),
            self.trust.join(" or ")
        );
        because(ReasonCode::WrongTrust, text)
    }

    fn check_level(&self, vouched: &Vouched<'_>) -> Result<(), Reason> {
        let Some(expected) = self.level.filter(|expected| vouched.level.level < *expected) else { return Ok(()) };
        let (level, builder) = (vouched.level, vouched.builder.name());
        because(ReasonCode::LevelTooLow, format!("SLSA build level {level} (builder {builder}), expected {expected}"))
    }

    fn check_source(&self, origin: &Origin<'_>) -> Result<(), Reason> {
        let fits = |expected: &Glob, found: &str| expected.matches(repository_of(found));
        demand(ReasonCode::WrongSource, "source repository", self.source.as_ref(), origin.source, fits)
    }

    fn check_ref(&self, origin: &Origin<'_>, tag: Option<&Tag>) -> Result<(), Reason> {
        let Some(expected) = &self.source_ref else { return Ok(()) };
        let tag = tag.map(Tag::as_str);
        // By digest there is no tag to compare with.
        if tag.is_none() && expected.needs_tag() {
            return Ok(());
        }
        if origin.source_ref.is_some_and(|found| expected.matches_tag(found, tag.unwrap_or_default())) {
            return Ok(());
        }
        let found = found("source reference", origin.source_ref);
        because(ReasonCode::WrongSourceRef, format!("built from {found}, expected {}", expected.shown_with(tag)))
    }

    fn check_version(&self, origin: &Origin<'_>) -> Result<(), Reason> {
        let Some(expected) = &self.source_versioned_tag else { return Ok(()) };
        let tag = origin.source_ref.and_then(|name| name.strip_prefix(TAGS));
        if tag.is_some_and(|tag| expected.matches(tag)) {
            return Ok(());
        }
        let found = found("source reference", origin.source_ref);
        because(ReasonCode::WrongSourceRef, format!("built from {found}, expected a tag of version {expected}"))
    }

    fn check_build(&self, origin: &Origin<'_>) -> Result<(), Reason> {
        let code = ReasonCode::WrongBuild;
        demand(code, "branch", self.source_branch.as_ref(), origin.branch, Glob::matches)?;
        demand(code, "commit", self.source_commit.as_ref(), origin.commit, |expected, found| **expected == *found)?;
        demand(code, "workflow", self.workflow.as_ref(), origin.workflow, Glob::matches)
    }

    fn check_inputs(&self, provenance: &Provenance) -> Result<(), Reason> {
        for (name, expected) in &self.workflow_inputs {
            let found = provenance.workflow_inputs.get(name).map(String::as_str);
            let what = format!("workflow input {}", shown(name));
            demand(ReasonCode::WrongBuild, &what, Some(expected), found, Glob::matches)?;
        }
        Ok(())
    }
}

/// The level of the provenance `fact`, if it is one, as far as `builders` vouch for it.
pub(super) fn level_of(builders: &[Arc<Builder>], fact: &Fact) -> Option<Level> {
    let provenance = fact.claim().provenance()?;
    let agreed = Origin::agreed(fact.signer(), provenance).and_then(|_| vouched(builders, fact.signer(), provenance));
    Some(match agreed {
        Ok(vouched) => vouched.level,
        Err(Reason { code: ReasonCode::ClaimsDisagree, .. }) => Level::short(0, Shortfall::ClaimsDisagree),
        Err(_) => Level::short(1, unknown_builder(builders, fact.signer())),
    })
}

impl<'a> Origin<'a> {
    /// What the certificate says, which nobody but the issuer can forge; what the provenance adds must not contradict it.
    /// Where a key signed there is no certificate, and whoever configured the key vouches for what it says.
    fn agreed(signer: &'a Signer, provenance: &'a Provenance) -> Result<Self, Reason> {
        let source_ref = provenance.source_ref.as_deref();
        let said = Self {
            source: provenance.source.as_deref(),
            source_ref,
            branch: branch_of(source_ref).or(provenance.source_branch.as_deref()),
            commit: provenance.source_commit.as_deref(),
            workflow: provenance.workflow.as_deref(),
        };
        let Signer::Certificate(certificate) = signer else { return Ok(said) };
        let proved = Self::of(certificate);
        let same = |a: &str, b: &str| repository_of(a) == repository_of(b);
        agree("source repository", proved.source, said.source, same)?;
        agree("source reference", proved.source_ref, said.source_ref, |a, b| a == b)?;
        agree("commit", proved.commit, said.commit, |a, b| a == b)?;
        agree("workflow", proved.workflow, said.workflow, |a, b| a == b)?;
        agree("run", certificate.run_invocation.as_deref(), provenance.invocation.as_deref(), is_same_run)?;
        Ok(Self {
            source: proved.source.filter(|_| said.source.is_some()),
            source_ref: proved.source_ref.or(said.source_ref),
            // A certificate for a tag names no branch.
            branch: proved.branch.or(said.branch),
            commit: proved.commit.or(said.commit),
            workflow: proved.workflow.or(said.workflow),
        })
    }

    fn of(certificate: &'a Certificate) -> Self {
        Self {
            source: certificate.source_repository.as_deref(),
            source_ref: certificate.source_ref.as_deref(),
            branch: branch_of(certificate.source_ref.as_deref()),
            commit: certificate.source_commit.as_deref(),
            workflow: certificate.build_config.as_deref().map(path_of_workflow),
        }
    }
}

/// Whether a provenance names the run of the certificate: by its URI, or as `<run>-<attempt>`
/// (slsa-github-generator). Other spellings say nothing.
fn is_same_run(proved: &str, said: &str) -> bool {
    if said.contains("/actions/runs/") {
        return said == proved;
    }
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match said.split_once('-') {
        Some((run, attempt)) if number(run) && number(attempt) => {
            let before = proved.strip_suffix(attempt).and_then(|rest| rest.strip_suffix("/attempts/"));
            let before = before.and_then(|rest| rest.strip_suffix(run));
            before.is_some_and(|rest| rest.ends_with("/actions/runs/"))
        }
        Some(_) | None => true,
    }
}

fn branch_of(source_ref: Option<&str>) -> Option<&str> {
    source_ref.and_then(|name| name.strip_prefix(BRANCHES))
}

fn inputs(settings: &BTreeMap<String, String>, at: &Place) -> Result<Vec<(String, Glob)>, PolicyError> {
    let at = at.key("workflow_inputs");
    let input = |(name, text): (&String, &String)| match Glob::new(text) {
        Ok(glob) => Ok((name.clone(), glob)),
        Err(error) => Err(at.key(name).problem(error)),
    };
    settings.iter().map(input).collect()
}

/// `.github/workflows/release.yml` of `https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1`.
fn path_of_workflow(uri: &str) -> &str {
    let path = uri.split_once("/.github/").map(|(repository, _)| uri.get(repository.len() + 1..).unwrap_or(uri));
    let path = path.unwrap_or(uri);
    path.split_once('@').map_or(path, |(path, _)| path)
}

fn agree(
    what: &str,
    proved: Option<&str>,
    said: Option<&str>,
    same: impl Fn(&str, &str) -> bool,
) -> Result<(), Reason> {
    match (proved, said) {
        (Some(proved), Some(said)) if !same(proved, said) => {
            let text = format!(
                "provenance names {what} {}, but the certificate of its signer names {}",
                shown(said),
                shown(proved)
            );
            because(ReasonCode::ClaimsDisagree, text)
        }
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

fn demand<T: ToString>(
    code: ReasonCode,
    what: &str,
    expected: Option<&T>,
    actual: Option<&str>,
    fits: impl Fn(&T, &str) -> bool,
) -> Result<(), Reason> {
    let Some(expected) = expected else { return Ok(()) };
    if actual.is_some_and(|actual| fits(expected, actual)) {
        return Ok(());
    }
    because(code, format!("built from {}, expected {}", found(what, actual), expected.to_string()))
}

fn found(what: &str, actual: Option<&str>) -> String {
    actual.map_or_else(|| format!("no {what} that its signer proves"), |actual| format!("{what} {}", shown(actual)))
}

fn commit(text: &str, at: &Place) -> Result<Box<str>, PolicyError> {
    read_commit(text).map_err(|problem| at.key("source_commit").problem(problem))
}

fn versioned_tag(text: &str, at: &Place) -> Result<VersionPrefix, PolicyError> {
    let version = VersionPrefix::read(text);
    version.ok_or_else(|| at.key("source_versioned_tag").problem(PolicyProblem::Version(text.to_owned())))
}

/// A whole commit, in lower case.
pub(super) fn read_commit(text: &str) -> Result<Box<str>, PolicyProblem> {
    let whole = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if whole { Ok(text.to_ascii_lowercase().into()) } else { Err(PolicyProblem::Commit(text.to_owned())) }
}
