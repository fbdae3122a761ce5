//! Verification summaries (VSA): whose word counts in place of provenance.
//!
//! SLSA v1.1, "Verification Summary Attestation", "How to verify". That the signature holds, and that the statement is
//! a summary about this digest, is what makes the fact; all other steps are here, a function each.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use packageurl::PackageUrl;

use crate::evidence::{Summary, SummaryResult};
use crate::oci::Repository;
use crate::policy::error::{Place, PolicyError, PolicyProblem};
use crate::policy::identity::Identity;
use crate::policy::judge::Request;
use crate::policy::pattern::Glob;
use crate::policy::reason::{any_does, because, shown};
use crate::policy::settings::{ProvenanceSettings, SignatureSettings, VerifierSettings};
use crate::policy::{Known, Reason, ReasonCode};
use crate::verify::Signer;

/// One verifier whose summaries may count.
#[derive(Debug)]
struct Verifier {
    name: Arc<str>,
    id: Glob,
    signer: Identity,
    policy: Option<Glob>,
    max_age: Option<SignedDuration>,
}

/// All verifiers of the configuration, by name.
#[derive(Debug)]
pub(super) struct Verifiers(BTreeMap<Arc<str>, Arc<Verifier>>);

/// What a rule demands of summaries.
#[derive(Debug)]
pub(super) struct SummaryRule {
    verifiers: Vec<Arc<Verifier>>,
    level: Option<u8>,
}

/// The levels that a summary may state begin so; what follows is the number.
const BUILD_LEVEL: &str = "SLSA_BUILD_LEVEL_";

impl Verifiers {
    /// Reads every `[[verifier]]`.
    pub(super) fn compile(settings: &[VerifierSettings], known: &Known<'_>) -> Result<Self, PolicyError> {
        let mut all = BTreeMap::<Arc<str>, Arc<Verifier>>::new();
        for (index, settings) in settings.iter().enumerate() {
            let at = Place::table("verifier", index);
            let verifier = Verifier::compile(settings, &at, known)?;
            if let Some(other) = all.insert(Arc::clone(&verifier.name), Arc::new(verifier)) {
                return Err(at.key("name").problem(PolicyProblem::Duplicate(other.name.to_string())));
            }
        }
        Ok(Self(all))
    }

    fn named(&self, name: &str, at: &Place) -> Result<Arc<Verifier>, PolicyError> {
        let known = || self.0.keys().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
        let unknown = || at.problem(PolicyProblem::UnknownVerifier { name: name.to_owned(), known: known() });
        self.0.get(name).map(Arc::clone).ok_or_else(unknown)
    }
}

impl Verifier {
    fn compile(settings: &VerifierSettings, at: &Place, known: &Known<'_>) -> Result<Self, PolicyError> {
        if settings.name.is_empty() {
            return Err(at.key("name").problem(PolicyProblem::Empty));
        }
        let signer = SignatureSettings {
            trust: settings.trust.clone(),
            issuer: settings.issuer.clone(),
            subject: settings.subject.clone(),
            key: settings.key.clone(),
            ..SignatureSettings::default()
        };
        let policy = settings.policy.as_deref().map(Glob::new).transpose();
        Ok(Self {
            name: settings.name.as_str().into(),
            id: Glob::new(&settings.id).map_err(|error| at.key("id").problem(error))?,
            signer: Identity::compile(&signer, at, known)?,
            policy: policy.map_err(|error| at.key("policy").problem(error))?,
            // Longer than time itself is no limit.
            max_age: settings.max_age.map(|age| age.try_into().unwrap_or(SignedDuration::MAX)),
        })
    }

    /// "Verify that the value for `verifier.id` matches the public key used": a verifier may speak for itself alone.
    fn check_id(&self, summary: &Summary) -> Result<(), Reason> {
        if self.id.matches(&summary.verifier_id) {
            return Ok(());
        }
        let (found, name) = (shown(&summary.verifier_id), &self.name);
        let text = format!("the verification summary names {found} as its verifier, expected {} ({name})", self.id);
        because(ReasonCode::WrongVerifier, text)
    }

    /// "Verify that the policy matches": a verifier may have lax ones too.
    fn check_policy(&self, summary: &Summary) -> Result<(), Reason> {
        let Some(expected) = &self.policy else { return Ok(()) };
        let found = summary.policy_uri.as_deref();
        if found.is_some_and(|found| expected.matches(found)) {
            return Ok(());
        }
        let found = found.map_or_else(|| "no policy".to_owned(), shown);
        because(ReasonCode::WrongVerificationPolicy, format!("verified by {found}, expected {expected}"))
    }

    fn check_age(&self, summary: &Summary, now: Timestamp) -> Result<(), Reason> {
        let Some(most) = self.max_age else { return Ok(()) };
        let age = summary.verified_at.map(|at| now.duration_since(at));
        if age.is_some_and(|age| !age.is_negative() && age <= most) {
            return Ok(());
        }
        let found =
            summary.verified_at.map_or_else(|| "at no time that it says".to_owned(), |at| format!("at {at:.0}"));
        because(ReasonCode::SummaryOutdated, format!("verified {found}, which may be {most:#} ago at most"))
    }
}

impl SummaryRule {
    /// Whether the trust domain `domain` may prove one.
    pub(super) fn relies_on(&self, domain: &str) -> bool {
        self.verifiers.iter().any(|verifier| verifier.signer.trust() == Some(domain))
    }

    /// Whether one may be signed with a key.
    pub(super) fn takes_keys(&self) -> bool {
        self.verifiers.iter().any(|verifier| verifier.signer.trust().is_none())
    }

    /// Reads the lines of `[rule.provenance]` about summaries; nothing if there are none.
    pub(super) fn compile(
        settings: &ProvenanceSettings,
        verifiers: &Verifiers,
        at: &Place,
    ) -> Result<Option<Self>, PolicyError> {
        let Some(names) = &settings.verifiers else { return Ok(None) };
        if names.is_empty() {
            return Err(at.key("verifiers").problem(PolicyProblem::Empty));
        }
        check_lines(settings, at)?;
        let found = names.iter().enumerate();
        let found = found.map(|(index, name)| verifiers.named(name, &at.item("verifiers", index)));
        Ok(Some(Self { verifiers: found.collect::<Result<_, _>>()?, level: settings.level }))
    }

    /// What of its verifiers would let anybody in, for the log at start.
    pub(super) fn weaknesses(&self) -> impl Iterator<Item = String> {
        let weakness = |verifier: &Arc<Verifier>| Some(format!("{}: {}", verifier.name, verifier.signer.weakness()?));
        self.verifiers.iter().filter_map(weakness)
    }

    /// Why `summary`, signed by `signer`, does not do for `request`.
    pub(super) fn check(
        &self,
        summary: &Summary,
        signer: &Signer,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Result<(), Reason> {
        any_does(&self.verifiers, |verifier| self.check_by(verifier, summary, signer, request, now))
    }

    fn check_by(
        &self,
        verifier: &Verifier,
        summary: &Summary,
        signer: &Signer,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Result<(), Reason> {
        verifier.signer.check(signer)?;
        verifier.check_id(summary)?;
        check_resource(summary, request)?;
        check_result(summary)?;
        self.check_level(summary)?;
        verifier.check_policy(summary)?;
        verifier.check_age(summary, now)
    }

    fn check_level(&self, summary: &Summary) -> Result<(), Reason> {
        let Some(expected) = self.level else { return Ok(()) };
        if summary.levels.iter().filter_map(|level| build_level(level)).any(|level| level >= expected) {
            return Ok(());
        }
        let found = shown(&summary.levels.join(", "));
        because(ReasonCode::LevelTooLow, format!("verified at {found}, expected {BUILD_LEVEL}{expected}"))
    }
}

/// A summary states no source, so a line about it would go unchecked.
fn check_lines(settings: &ProvenanceSettings, at: &Place) -> Result<(), PolicyError> {
    let inputs = (!settings.workflow_inputs.is_empty()).then_some("workflow_inputs");
    let lines = [
        settings.source.as_ref().map(|_| "source"),
        settings.source_ref.as_ref().map(|_| "source_ref"),
        settings.source_versioned_tag.as_ref().map(|_| "source_versioned_tag"),
        settings.source_branch.as_ref().map(|_| "source_branch"),
        settings.source_commit.as_ref().map(|_| "source_commit"),
        settings.workflow.as_ref().map(|_| "workflow"),
        inputs,
    ];
    if let Some(line) = lines.into_iter().flatten().next() {
        return Err(at.key(line).problem(PolicyProblem::NotInSummaries(line)));
    }
    if settings.trust.is_some() && settings.builders.is_none() {
        return Err(at.key("trust").problem(PolicyProblem::Conflict("trust and verifiers, which name their own,")));
    }
    Ok(())
}

fn build_level(level: &str) -> Option<u8> {
    let number = level.strip_prefix(BUILD_LEVEL)?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok()).flatten()
}

/// "Verify that the value for `verificationResult` is `PASSED`".
fn check_result(summary: &Summary) -> Result<(), Reason> {
    match summary.result {
        SummaryResult::Passed => Ok(()),
        SummaryResult::Failed => {
            let text = format!("{} found that it does not meet its policy", shown(&summary.verifier_id));
            because(ReasonCode::VerificationFailed, text)
        }
    }
}

/// "Verify that the value for `resourceUri` matches the expected value": the same bytes may be fit for one use and not
/// for another.
fn check_resource(summary: &Summary, request: &Request<'_>) -> Result<(), Reason> {
    if names(&summary.resource_uri, request) {
        return Ok(());
    }
    let (found, expected) = (shown(&summary.resource_uri), request.repository);
    let tag = request.tag.map(|tag| format!(":{tag}")).unwrap_or_default();
    because(ReasonCode::WrongResource, format!("the verification summary is about {found}, expected {expected}{tag}"))
}

/// Whether the `resourceUri` `uri` names what is asked for.
pub(super) fn names(uri: &str, request: &Request<'_>) -> bool {
    Resource::read(uri).is_some_and(|resource| resource.is(request))
}

/// What a `resourceUri` names. Tag and digest may be left out: the subject of the statement is a digest already.
#[derive(Debug, PartialEq, Eq)]
struct Resource {
    repository: Repository,
    tag: Option<String>,
    digest: Option<String>,
}

/// What Docker Hub is called in such URIs.
const DOCKER_HUB: [&str; 4] = ["index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com"];

impl Resource {
    /// Reads a package URL of type `docker` or `oci`, or the name of an image, with or without a scheme.
    fn read(uri: &str) -> Option<Self> {
        if uri.starts_with("pkg:") {
            return Self::of_package(&PackageUrl::from_str(uri).ok()?);
        }
        let schemes = ["docker://", "oci://", "https://"];
        let name = schemes.into_iter().find_map(|scheme| uri.strip_prefix(scheme)).unwrap_or(uri);
        let (name, digest) = match name.split_once('@') {
            Some((name, digest)) => (name, Some(digest.to_owned())),
            None => (name, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.to_owned())),
            Some(_) | None => (name, None),
        };
        Some(Self { repository: repository(name)?, tag, digest })
    }

    /// `pkg:docker/acme/app@v1?repository_url=ghcr.io`, `pkg:oci/app@sha256:..?repository_url=ghcr.io/acme/app&tag=v1`.
    fn of_package(package: &PackageUrl<'_>) -> Option<Self> {
        let place = package.qualifiers().get("repository_url").map(|url| url.trim_start_matches("https://"));
        let place = place.map(|place| place.trim_end_matches('/'));
        let named = match package.ty() {
            "docker" => {
                let path = package.namespace().into_iter().chain([package.name()]).collect::<Vec<_>>().join("/");
                repository(&format!("{}/{path}", place.unwrap_or("docker.io")))?
            }
            "oci" => repository(place?).filter(|it| it.name.as_str().rsplit('/').next() == Some(package.name()))?,
            _ => return None,
        };
        let tag = package.qualifiers().get("tag").map(ToString::to_string);
        let version = package.version().map(str::to_owned);
        let is_digest = version.as_ref().is_some_and(|version| version.contains(':'));
        let (version, digest) = if is_digest { (None, version) } else { (version, None) };
        // A version beside a tag must be the same.
        let agrees = version.is_none() || tag.is_none() || version == tag;
        agrees.then_some(Self { repository: named, tag: tag.or(version), digest })
    }

    /// A request by digest has no tag to compare with.
    fn is(&self, request: &Request<'_>) -> bool {
        let same_tag = |tag: &String| request.tag.is_none_or(|asked| asked.as_str() == tag);
        self.repository == *request.repository
            && self.digest.as_ref().is_none_or(|digest| *digest == request.digest.to_string())
            && self.tag.as_ref().is_none_or(same_tag)
    }
}

fn repository(name: &str) -> Option<Repository> {
    let hub = name.split_once('/').filter(|(host, _)| DOCKER_HUB.contains(host));
    match hub {
        Some((_, name)) => format!("docker.io/{name}").parse().ok(),
        None => name.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::{Digest, Tag};

    fn names(uri: &str, repository: &str, tag: Option<&str>) -> bool {
        let (repository, tag) = (repository.parse().unwrap(), tag.map(|tag| tag.parse::<Tag>().unwrap()));
        let request = Request { repository: &repository, tag: tag.as_ref(), digest: Digest::of(b"image") };
        super::names(uri, &request)
    }

    #[test]
    fn every_form_in_which_tools_name_an_image_names_it() {
        let digest = Digest::of(b"image");
        let encoded = digest.to_string().replace(':', "%3A");
        for uri in [
            "ghcr.io/acme/app".to_owned(),
            "ghcr.io/acme/app:v1".to_owned(),
            format!("ghcr.io/acme/app@{digest}"),
            format!("ghcr.io/acme/app:v1@{digest}"),
            "docker://ghcr.io/acme/app:v1".to_owned(),
            format!("oci://ghcr.io/acme/app@{digest}"),
            "https://ghcr.io/acme/app".to_owned(),
            "pkg:docker/acme/app?repository_url=ghcr.io".to_owned(),
            "pkg:docker/acme/app@v1?repository_url=https://ghcr.io".to_owned(),
            format!("pkg:docker/acme/app@{encoded}?repository_url=ghcr.io"),
            "pkg:oci/app?repository_url=ghcr.io/acme/app".to_owned(),
            format!("pkg:oci/app@{encoded}?arch=amd64&repository_url=ghcr.io%2Facme%2Fapp&tag=v1"),
        ] {
            assert!(names(&uri, "ghcr.io/acme/app", Some("v1")), "{uri}");
            assert!(names(&uri, "ghcr.io/acme/app", None), "{uri}, by digest");
        }
    }

    #[test]
    fn docker_hub_has_many_names() {
        for uri in [
            "nginx",
            "docker.io/library/nginx:1",
            "index.docker.io/library/nginx",
            "pkg:docker/nginx",
            "pkg:docker/library/nginx@1?repository_url=index.docker.io",
            "pkg:oci/nginx?repository_url=docker.io/library/nginx",
        ] {
            assert!(names(uri, "docker.io/library/nginx", Some("1")), "{uri}");
        }
    }

    #[test]
    fn what_names_another_image_another_tag_or_another_digest_does_not_name_it() {
        let other = Digest::of(b"other");
        for uri in [
            "ghcr.io/acme/other".to_owned(),
            "ghcr.io/acme/app/sub".to_owned(),
            "acme/app".to_owned(),
            "ghcr.io/acme/app:v2".to_owned(),
            format!("ghcr.io/acme/app@{other}"),
            format!("ghcr.io/acme/app:v1@{other}"),
            "pkg:docker/acme/app@v1".to_owned(),
            "pkg:docker/acme/app@v2?repository_url=ghcr.io".to_owned(),
            "pkg:oci/app".to_owned(),
            "pkg:oci/other?repository_url=ghcr.io/acme/app".to_owned(),
            "pkg:oci/app@v2?repository_url=ghcr.io/acme/app&tag=v1".to_owned(),
            "pkg:npm/app@v1?repository_url=ghcr.io/acme/app".to_owned(),
            "git+https://ghcr.io/acme/app".to_owned(),
            String::new(),
            "**".to_owned(),
        ] {
            assert!(!names(&uri, "ghcr.io/acme/app", Some("v1")), "{uri}");
        }
    }

    #[test]
    fn only_build_levels_are_build_levels() {
        assert_eq!(build_level("SLSA_BUILD_LEVEL_3"), Some(3));
        for level in ["SLSA_LEVEL_3", "SLSA_SOURCE_LEVEL_3", "SLSA_BUILD_LEVEL_UNEVALUATED", "SLSA_BUILD_LEVEL_+3", ""]
        {
            assert_eq!(build_level(level), None, "{level}");
        }
    }

    #[test]
    fn a_port_is_no_tag() {
        assert!(!names("localhost:5000/app", "docker.io/library/localhost", None));
    }
}
