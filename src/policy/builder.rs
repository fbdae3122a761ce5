//! Builders: who may vouch for provenance, how they sign, and at what SLSA build level. The catalogue is built in.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::evidence::Provenance;
use crate::policy::error::{Place, PolicyError, PolicyProblem};
use crate::policy::identity::{repository_of, shown_signer};
use crate::policy::pattern::{Glob, GlobError};
use crate::policy::reason::{because, shown};
use crate::policy::settings::{BuilderSettings, SelfHostedRunners, VerifierSettings};
use crate::policy::summary::Verifiers;
use crate::policy::{Known, Level, Reason, ReasonCode, Shortfall};
use crate::verify::{Certificate, Signer};

/// The issuer of certificates for GitHub Actions.
const GITHUB_ISSUER: &str = "https://token.actions.githubusercontent.com";
/// Google Cloud Build, and the key that it signs with.
const CLOUD_BUILD: &str = "google-cloud-build";
/// What a build can claim that was signed by a workflow of the very repository that was built: whoever can change the
/// source can change the builder (SLSA v1.0, "Build L3: provenance is unforgeable").
const SELF_ATTESTED_LEVEL: u8 = 2;

/// What a build can claim that ran on a machine of somebody's own: that there is a provenance (SLSA v1.0, "Build L2:
/// hosted build platform").
const SELF_HOSTED_LEVEL: u8 = 1;
/// What Fulcio's claim "runner environment" says of machines that belong to the build platform.
const HOSTED_RUNNERS: [&str; 2] = ["github-hosted", "gitlab-hosted"];

/// One way in which a builder signs.
#[derive(Debug, Clone)]
pub(super) struct Builder {
    name: Arc<str>,
    id: Glob,
    signs: Signs,
    level: u8,
    self_hosted_runners: SelfHostedRunners,
}

#[derive(Debug, Clone)]
enum Signs {
    /// By certificates of this issuer.
    Certificate { issuer: Box<str>, subject: SubjectRule },
    /// With this configured key.
    Key(Box<str>),
}

/// What the subject of the certificate must be.
#[derive(Debug, Clone)]
enum SubjectRule {
    /// The id of the builder itself.
    Id,
    /// The id of the builder itself, at a released version: `..@refs/tags/vX.Y.Z`.
    ReleasedId,
    /// This, whatever the id.
    Glob(Glob),
}

/// What is known of the provenance once its builder is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vouched<'a> {
    pub(super) builder: &'a Builder,
    pub(super) level: Level,
}

/// All builders by name, those of the catalogue and those of the configuration, and all verifiers.
#[derive(Debug)]
pub(super) struct Catalogue {
    builders: BTreeMap<Arc<str>, Vec<Arc<Builder>>>,
    verifiers: Verifiers,
}

impl Catalogue {
    /// Reads the builders and verifiers of the configuration. A builder of the name of a builder of the catalogue replaces it.
    pub(super) fn compile(
        settings: &[BuilderSettings],
        verifiers: &[VerifierSettings],
        known: &Known<'_>,
    ) -> Result<Self, PolicyError> {
        let mut own = BTreeMap::<Arc<str>, Vec<Arc<Builder>>>::new();
        for (index, builder) in settings.iter().enumerate() {
            let at = Place::table("builder", index);
            let builder = Builder::compile(builder, &at, known)?;
            let name = Arc::clone(&builder.name);
            if own.insert(Arc::clone(&name), vec![Arc::new(builder)]).is_some() {
                return Err(at.key("name").problem(PolicyProblem::Duplicate(name.to_string())));
            }
        }
        let mut all = built_in().map_err(|error| Place::of("builder").problem(error))?;
        all.extend(own);
        Ok(Self { builders: all, verifiers: Verifiers::compile(verifiers, known)? })
    }

    /// Every way of every builder.
    pub(super) fn all(&self) -> Vec<Arc<Builder>> {
        self.builders.values().flatten().map(Arc::clone).collect()
    }

    /// What weakens its builders, for the log at start.
    pub(super) fn weakenings(&self) -> Vec<String> {
        let all = self.builders.values().flatten();
        let weak = all.filter_map(|builder| Some(format!("builder {}: {}", builder.name, builder.weakness()?)));
        weak.collect()
    }

    /// Every way of the builders of these names; of all builders if there are no names.
    pub(super) fn named(&self, names: Option<&[String]>, at: &Place) -> Result<Vec<Arc<Builder>>, PolicyError> {
        let Some(names) = names else { return Ok(self.all()) };
        if names.is_empty() {
            return Err(at.key("builders").problem(PolicyProblem::Empty));
        }
        let mut builders = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let found =
                self.builders.get(name.as_str()).ok_or_else(|| self.unknown(name, &at.item("builders", index)))?;
            builders.extend(found.iter().map(Arc::clone));
        }
        Ok(builders)
    }

    /// The verifiers.
    pub(super) const fn verifiers(&self) -> &Verifiers {
        &self.verifiers
    }

    fn unknown(&self, name: &str, at: &Place) -> PolicyError {
        let known = self.builders.keys().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
        at.problem(PolicyProblem::UnknownBuilder { name: name.to_owned(), known })
    }
}

/// Every way of every builder that is built in.
pub(super) fn all_built_in() -> Result<Vec<Arc<Builder>>, GlobError> {
    built_in().map(|all| all.into_values().flatten().collect())
}

fn built_in() -> Result<BTreeMap<Arc<str>, Vec<Arc<Builder>>>, GlobError> {
    let self_hosted_runners = SelfHostedRunners::Refuse;
    let by_github = |name: &str, id: &str, subject, level| {
        let issuer = GITHUB_ISSUER.into();
        let signs = Signs::Certificate { issuer, subject };
        Glob::new(id).map(|id| Arc::new(Builder { name: name.into(), id, signs, level, self_hosted_runners }))
    };
    let workflow = "https://github.com/*/*/.github/workflows/*@**";
    let generator = by_github(
        "slsa-github-generator",
        "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/v*",
        SubjectRule::ReleasedId,
        3,
    )?;
    // GitHub's `actions/attest*` name the workflow as the builder; those before 2024-05 named the runner.
    let attestation = by_github("github-attestations", workflow, SubjectRule::Id, 2)?;
    let hosted = "https://github.com/actions/runner/github-hosted";
    let by_runner = by_github("github-attestations", hosted, SubjectRule::Glob(Glob::new(workflow)?), 2)?;
    // Signed with Google's own key, by no certificate: https://cloud.google.com/build/docs/securing-builds/generate-validate-build-provenance
    let cloud_build = Arc::new(Builder {
        name: CLOUD_BUILD.into(),
        id: Glob::new("https://cloudbuild.googleapis.com/GoogleHostedWorker**")?,
        signs: Signs::Key(CLOUD_BUILD.into()),
        level: 3,
        self_hosted_runners,
    });
    Ok(BTreeMap::from([
        ("slsa-github-generator".into(), vec![generator]),
        ("github-attestations".into(), vec![attestation, by_runner]),
        (CLOUD_BUILD.into(), vec![cloud_build]),
    ]))
}

impl Builder {
    fn compile(settings: &BuilderSettings, at: &Place, known: &Known<'_>) -> Result<Self, PolicyError> {
        if settings.name.is_empty() {
            return Err(at.key("name").problem(PolicyProblem::Empty));
        }
        check_level(settings.level, at)?;
        Ok(Self {
            name: settings.name.as_str().into(),
            id: Glob::new(&settings.id).map_err(|error| at.key("id").problem(error))?,
            signs: Signs::compile(settings, at, known)?,
            level: settings.level,
            self_hosted_runners: settings.self_hosted_runners,
        })
    }

    /// Its name in the configuration.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The key that it signs with, if it signs with one.
    pub(super) fn key(&self) -> Option<&str> {
        match &self.signs {
            Signs::Key(key) => Some(key),
            Signs::Certificate { .. } => None,
        }
    }

    /// Whether it is the signer, whatever the provenance says.
    fn is(&self, signer: &Signer) -> bool {
        match (&self.signs, signer) {
            (Signs::Key(key), Signer::Key { name }) => **key == **name,
            (Signs::Certificate { issuer, subject }, Signer::Certificate(certificate)) => {
                **issuer == *certificate.issuer && self.has_subject(subject, &certificate.subject)
            }
            (Signs::Key(_), Signer::Certificate(_)) | (Signs::Certificate { .. }, Signer::Key { .. }) => false,
        }
    }

    fn has_subject(&self, rule: &SubjectRule, subject: &str) -> bool {
        match rule {
            SubjectRule::Id => self.id.matches(subject),
            SubjectRule::ReleasedId => self.id.matches(subject) && is_release(subject),
            SubjectRule::Glob(glob) => glob.matches(subject),
        }
    }

    /// Whether provenance that it signed may name `id` as the builder.
    fn may_say(&self, id: &str, signer: &Signer) -> bool {
        match (&self.signs, signer) {
            (Signs::Key(_) | Signs::Certificate { subject: SubjectRule::Glob(_), .. }, _) => self.id.matches(id),
            (Signs::Certificate { .. }, Signer::Certificate(certificate)) => *certificate.subject == *id,
            (Signs::Certificate { .. }, Signer::Key { .. }) => false,
        }
    }

    /// The level that it vouches for, of what `signer` signed in its name.
    fn vouches(&self, signer: &Signer) -> Level {
        let distrusts = match self.self_hosted_runners {
            SelfHostedRunners::Refuse => ran_elsewhere(signer),
            SelfHostedRunners::Allow => false,
        };
        if distrusts && self.level > SELF_HOSTED_LEVEL {
            Level::short(SELF_HOSTED_LEVEL, Shortfall::SelfHostedRunner)
        } else if is_self_attested(signer) && self.level > SELF_ATTESTED_LEVEL {
            Level::short(SELF_ATTESTED_LEVEL, Shortfall::SelfAttested)
        } else if self.level < Level::HIGHEST {
            Level::short(self.level, Shortfall::Builder)
        } else {
            Level { level: self.level, why_not_higher: None }
        }
    }

    /// Whether `signer` would be it, called by a released version.
    fn is_unreleased(&self, signer: &Signer) -> bool {
        let (Signs::Certificate { issuer, subject: SubjectRule::ReleasedId }, Signer::Certificate(certificate)) =
            (&self.signs, signer)
        else {
            return false;
        };
        let (workflow, _) = self.id.as_str().split_once('@').unwrap_or((self.id.as_str(), ""));
        let (called, _) = certificate.subject.split_once('@').unwrap_or((&*certificate.subject, ""));
        **issuer == *certificate.issuer && workflow == called && !is_release(&certificate.subject)
    }

    /// What weakens it, for the log at start.
    fn weakness(&self) -> Option<&'static str> {
        match self.self_hosted_runners {
            SelfHostedRunners::Allow => {
                Some("self_hosted_runners allow: whoever owns the machine could change a build")
            }
            SelfHostedRunners::Refuse => None,
        }
    }

    fn in_words(&self) -> String {
        let name = &self.name;
        match &self.signs {
            Signs::Key(key) => format!("{name} (key {key})"),
            Signs::Certificate { issuer, subject } => match subject {
                SubjectRule::Glob(subject) => format!("{name} ({subject}, issuer {issuer})"),
                SubjectRule::Id => format!("{name} ({}, issuer {issuer})", self.id),
                SubjectRule::ReleasedId => {
                    format!("{name} ({}, a released version such as v2.1.0, issuer {issuer})", self.id)
                }
            },
        }
    }
}

impl Vouched<'_> {
    /// A generator that is called by a branch is any workflow, at the level of one; the level of its release says why.
    fn unless_a_release_would_do_better(self, builders: &[Arc<Builder>], signer: &Signer) -> Self {
        let better = builders.iter().any(|it| it.level > self.level.level && it.is_unreleased(signer));
        let level = if better { Level::short(self.level.level, Shortfall::UnreleasedBuilder) } else { self.level };
        Self { level, ..self }
    }
}

/// Why nobody vouches for what `signer` signed.
pub(super) fn unknown_builder(builders: &[Arc<Builder>], signer: &Signer) -> Shortfall {
    let unreleased = builders.iter().any(|builder| builder.is_unreleased(signer));
    if unreleased { Shortfall::UnreleasedBuilder } else { Shortfall::UnknownBuilder }
}

/// Whether the certificate says that the build ran on somebody's own machine. Those from before the claim (2023) do not
/// say; a signer cannot leave it out.
fn ran_elsewhere(signer: &Signer) -> bool {
    let Signer::Certificate(certificate) = signer else { return false };
    certificate.runner_environment.as_deref().is_some_and(|it| !HOSTED_RUNNERS.contains(&it))
}

impl Signs {
    fn compile(settings: &BuilderSettings, at: &Place, known: &Known<'_>) -> Result<Self, PolicyError> {
        match (&settings.key, &settings.issuer, &settings.subject) {
            (Some(key), None, None) => {
                known.check_key(key, &at.key("key"))?;
                Ok(Self::Key(key.as_str().into()))
            }
            (None, Some(issuer), subject) if !issuer.is_empty() => {
                let subject = subject.as_deref().map(Glob::new).transpose();
                let subject = subject.map_err(|error| at.key("subject").problem(error))?;
                let subject = subject.map_or(SubjectRule::Id, SubjectRule::Glob);
                Ok(Self::Certificate { issuer: issuer.as_str().into(), subject })
            }
            (None, Some(_), _) => Err(at.key("issuer").problem(PolicyProblem::Empty)),
            (None, None, _) => Err(at.problem(PolicyProblem::HalfIdentity)),
            (Some(_), _, _) => Err(at.key("key").problem(PolicyProblem::Conflict("key and issuer or subject"))),
        }
    }
}

/// A level that SLSA knows.
pub(super) fn check_level(level: u8, at: &Place) -> Result<(), PolicyError> {
    if (1..=3).contains(&level) { Ok(()) } else { Err(at.key("level").problem(PolicyProblem::Level(level))) }
}

/// Who of `builders` vouches for the provenance, and at what level: the highest, if several do.
pub(super) fn vouched<'a>(
    builders: &'a [Arc<Builder>],
    signer: &Signer,
    provenance: &Provenance,
) -> Result<Vouched<'a>, Reason> {
    let signers: Vec<_> = builders.iter().filter(|builder| builder.is(signer)).collect();
    if signers.is_empty() {
        let expected = builders.iter().map(|builder| builder.in_words()).collect::<Vec<_>>().join(", or ");
        let text = format!("provenance signed by {}, expected {expected}", shown_signer_and_issuer(signer));
        return because(ReasonCode::WrongBuilder, text);
    }
    check_build_signer(signer)?;
    let said = &provenance.builder_id;
    let vouching = signers.into_iter().filter(|builder| builder.may_say(said, signer));
    let vouching = vouching.map(|builder| Vouched { builder, level: builder.vouches(signer) });
    let Some(vouched) = vouching.max_by_key(|vouched| vouched.level.level) else {
        let text =
            format!("provenance names {} as its builder, but is signed by {}", shown(said), shown_signer(signer));
        return because(ReasonCode::ClaimsDisagree, text);
    };
    Ok(vouched.unless_a_release_would_do_better(builders, signer))
}

/// The two claims of a certificate that name its holder must name the same.
fn check_build_signer(signer: &Signer) -> Result<(), Reason> {
    let Signer::Certificate(certificate) = signer else { return Ok(()) };
    let Some(other) = certificate.build_signer.as_ref().filter(|other| **other != certificate.subject) else {
        return Ok(());
    };
    let text = format!(
        "the certificate of the signer names {} as its subject, but {} as its build signer",
        shown(&certificate.subject),
        shown(other)
    );
    because(ReasonCode::ClaimsDisagree, text)
}

fn shown_signer_and_issuer(signer: &Signer) -> String {
    match signer {
        Signer::Key { .. } => shown_signer(signer),
        Signer::Certificate(certificate) => {
            format!("{} (issuer {})", shown_signer(signer), shown(&certificate.issuer))
        }
    }
}

/// Whether the signer is a workflow of the repository that it built.
fn is_self_attested(signer: &Signer) -> bool {
    let Signer::Certificate(certificate) = signer else { return false };
    let Certificate { subject, source_repository, build_config, .. } = &**certificate;
    let own = source_repository.as_deref().map(repository_of);
    let below = |own: &str| repository_of(subject).strip_prefix(own).is_some_and(|rest| rest.starts_with('/'));
    own.is_some_and(below) || build_config.as_deref() == Some(subject)
}

/// Whether an id ends in `@refs/tags/vX.Y.Z`.
fn is_release(id: &str) -> bool {
    let version = id.rsplit_once("@refs/tags/v").map_or("", |(_, version)| version);
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    version.split('.').count() == 3 && version.split('.').all(number)
}
