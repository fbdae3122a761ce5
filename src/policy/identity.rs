//! One identity that a rule demands, and whether a fact was signed by it.

use std::fmt;

use regex::Regex;

use crate::policy::error::{Place, PolicyError, PolicyProblem};
use crate::policy::pattern::Glob;
use crate::policy::reason::{because, shown};
use crate::policy::settings::SignatureSettings;
use crate::policy::{Known, Reason, ReasonCode};
use crate::verify::{Certificate, Signer};

/// The trust domain that is meant where none is named.
pub(super) const DEFAULT_TRUST: &str = "public-good";

/// Who must have signed.
#[derive(Debug, Clone)]
pub(super) enum Identity {
    /// The holder of this configured key.
    Key(Box<str>),
    /// The holder of a certificate that meets every line.
    Certificate(Box<CertificateIdentity>),
}

#[derive(Debug, Clone)]
pub(super) struct CertificateIdentity {
    trust: Box<str>,
    issuer: Glob,
    subject: Subject,
    source_repository: Option<Glob>,
    claims: Vec<(CertificateClaim, Glob)>,
}

/// What else a certificate claims, in the words of Fulcio's `oid-info.md`.
#[derive(Debug, Clone, Copy)]
enum CertificateClaim {
    SourceRef,
    SourceCommit,
    BuildConfig,
    BuildTrigger,
    RunnerEnvironment,
}

#[derive(Debug, Clone)]
enum Subject {
    Glob(Glob),
    Regex { text: Box<str>, rule: Regex },
}

impl Identity {
    /// Reads one block.
    pub(super) fn compile(settings: &SignatureSettings, at: &Place, known: &Known<'_>) -> Result<Self, PolicyError> {
        if !settings.any_of.is_empty() || settings.at_least.is_some() {
            return Err(at.key("any_of").problem(PolicyProblem::NestedAnyOf));
        }
        let Some(key) = &settings.key else {
            return CertificateIdentity::compile(settings, at, known)
                .map(|identity| Self::Certificate(Box::new(identity)));
        };
        let alone = SignatureSettings { key: settings.key.clone(), ..SignatureSettings::default() };
        if *settings != alone {
            let conflict = "key and trust, issuer, subject or any other claim of a certificate";
            return Err(at.key("key").problem(PolicyProblem::Conflict(conflict)));
        }
        known.check_key(key, &at.key("key"))?;
        Ok(Self::Key(key.as_str().into()))
    }

    /// The same identity, proved by another trust domain.
    pub(super) fn under(self, trust: Option<&str>) -> Self {
        match (self, trust) {
            (Self::Certificate(identity), Some(trust)) => {
                Self::Certificate(Box::new(CertificateIdentity { trust: trust.into(), ..*identity }))
            }
            (identity, _) => identity,
        }
    }

    /// The trust domain that proves it; none for a key.
    pub(super) fn trust(&self) -> Option<&str> {
        match self {
            Self::Key(_) => None,
            Self::Certificate(identity) => Some(&identity.trust),
        }
    }

    /// Why `signer` is not it.
    pub(super) fn check(&self, signer: &Signer) -> Result<(), Reason> {
        match (self, signer) {
            (Self::Certificate(identity), Signer::Certificate(certificate)) => identity.check(certificate),
            (Self::Key(key), Signer::Key { name }) if **key == **name => Ok(()),
            (Self::Key(_) | Self::Certificate(_), Signer::Key { .. } | Signer::Certificate(_)) => {
                because(ReasonCode::WrongTrust, format!("signed by {}, expected {self}", shown_signer(signer)))
            }
        }
    }

    /// What of it would let anybody in, for the log at start.
    pub(super) fn weakness(&self) -> Option<&'static str> {
        match self {
            Self::Key(_) => None,
            Self::Certificate(identity) => identity.weakness(),
        }
    }
}

impl CertificateIdentity {
    fn compile(settings: &SignatureSettings, at: &Place, known: &Known<'_>) -> Result<Self, PolicyError> {
        let trust = settings.trust.as_deref().unwrap_or(DEFAULT_TRUST);
        known.check_trust(trust, &at.key("trust"))?;
        let issuer = settings.issuer.as_deref().ok_or_else(|| at.problem(PolicyProblem::HalfIdentity))?;
        let source = settings.source_repository.as_deref();
        Ok(Self {
            trust: trust.into(),
            issuer: Glob::new(issuer).map_err(|error| at.key("issuer").problem(error))?,
            subject: Subject::compile(settings, at)?,
            source_repository: source.map(|source| source_glob(source, &at.key("source_repository"))).transpose()?,
            claims: claims(settings, at)?,
        })
    }

    fn check(&self, certificate: &Certificate) -> Result<(), Reason> {
        if *certificate.trust != *self.trust {
            let text = format!("proved by trust domain {}, expected {}", shown(&certificate.trust), self.trust);
            return because(ReasonCode::WrongTrust, text);
        }
        // A certificate without an issuer or a subject (GitHub's for releases) identifies nobody, whatever the pattern.
        let named = !certificate.issuer.is_empty() && !certificate.subject.is_empty();
        if !named || !self.issuer.matches(&certificate.issuer) || !self.subject.matches(&certificate.subject) {
            let text = format!(
                "signed by {} (issuer {}), expected {} (issuer {})",
                shown(&certificate.subject),
                shown(&certificate.issuer),
                self.subject,
                self.issuer
            );
            return because(ReasonCode::WrongIdentity, text);
        }
        self.check_source(certificate)?;
        self.claims.iter().try_for_each(|(claim, expected)| claim.check(certificate, expected))
    }

    fn check_source(&self, certificate: &Certificate) -> Result<(), Reason> {
        let Some(expected) = &self.source_repository else { return Ok(()) };
        let found = certificate.source_repository.as_deref();
        if found.is_some_and(|found| expected.matches(repository_of(found))) {
            return Ok(());
        }
        let found = found.map_or_else(|| "no source repository".to_owned(), shown);
        because(ReasonCode::WrongSourceRepository, format!("signed for {found}, expected {expected}"))
    }

    fn weakness(&self) -> Option<&'static str> {
        if self.issuer.is_anything() {
            return Some("any issuer is accepted");
        }
        self.subject.is_anything().then_some("any subject of the issuer is accepted")
    }
}

/// Every line over such a claim that the block has.
fn claims(settings: &SignatureSettings, at: &Place) -> Result<Vec<(CertificateClaim, Glob)>, PolicyError> {
    let lines = CertificateClaim::ALL.into_iter().filter_map(|claim| Some((claim, claim.line(settings)?)));
    let glob = |(claim, text): (CertificateClaim, &str)| match Glob::new(text) {
        Ok(glob) => Ok((claim, glob)),
        Err(error) => Err(at.key(claim.key()).problem(error)),
    };
    lines.map(glob).collect()
}

impl CertificateClaim {
    const ALL: [Self; 5] =
        [Self::SourceRef, Self::SourceCommit, Self::BuildConfig, Self::BuildTrigger, Self::RunnerEnvironment];

    /// A certificate that does not make the claim does not meet a line over it, whatever the pattern.
    fn check(self, certificate: &Certificate, expected: &Glob) -> Result<(), Reason> {
        let found = self.of(certificate);
        if found.is_some_and(|found| expected.matches(found)) {
            return Ok(());
        }
        let found = found.map_or_else(|| "none".to_owned(), shown);
        let text = format!("the certificate of the signer has {} {found}, expected {expected}", self.key());
        because(ReasonCode::WrongClaim, text)
    }

    fn of(self, certificate: &Certificate) -> Option<&str> {
        let claim = match self {
            Self::SourceRef => &certificate.source_ref,
            Self::SourceCommit => &certificate.source_commit,
            Self::BuildConfig => &certificate.build_config,
            Self::BuildTrigger => &certificate.build_trigger,
            Self::RunnerEnvironment => &certificate.runner_environment,
        };
        claim.as_deref()
    }

    fn line(self, settings: &SignatureSettings) -> Option<&str> {
        let line = match self {
            Self::SourceRef => &settings.source_ref,
            Self::SourceCommit => &settings.source_commit,
            Self::BuildConfig => &settings.build_config,
            Self::BuildTrigger => &settings.build_trigger,
            Self::RunnerEnvironment => &settings.runner_environment,
        };
        line.as_deref()
    }

    /// Its key in the configuration.
    const fn key(self) -> &'static str {
        match self {
            Self::SourceRef => "source_ref",
            Self::SourceCommit => "source_commit",
            Self::BuildConfig => "build_config",
            Self::BuildTrigger => "build_trigger",
            Self::RunnerEnvironment => "runner_environment",
        }
    }
}

impl Subject {
    fn compile(settings: &SignatureSettings, at: &Place) -> Result<Self, PolicyError> {
        match (&settings.subject, &settings.subject_regex) {
            (Some(glob), None) => Glob::new(glob).map(Self::Glob).map_err(|error| at.key("subject").problem(error)),
            (None, Some(text)) => Self::regex(text, &at.key("subject_regex")),
            (None, None) => Err(at.problem(PolicyProblem::HalfIdentity)),
            (Some(_), Some(_)) => {
                Err(at.key("subject_regex").problem(PolicyProblem::Conflict("subject and subject_regex")))
            }
        }
    }

    /// Anchored here, since an unanchored pattern lets in whoever has it as a part of their name (GHSA-46mp-8w32-6g94).
    fn regex(text: &str, at: &Place) -> Result<Self, PolicyError> {
        if text.is_empty() {
            return Err(at.problem(PolicyProblem::Empty));
        }
        // Alone first: `a)|(b` must not slip through the group.
        Regex::new(text)
            .and_then(|_| Regex::new(&format!(r"\A(?:{text})\z")))
            .map(|rule| Self::Regex { text: text.into(), rule })
            .map_err(|error| at.problem(PolicyProblem::Regex(error.to_string())))
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Glob(glob) => glob.matches(text),
            Self::Regex { rule, .. } => rule.is_match(text),
        }
    }

    fn is_anything(&self) -> bool {
        match self {
            Self::Glob(glob) => glob.is_anything(),
            Self::Regex { text, .. } => matches!(&**text, ".*" | ".+" | "^.*$" | "^.+$"),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "key {key}"),
            Self::Certificate(identity) => write!(f, "{} (issuer {})", identity.subject, identity.issuer),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Glob(glob) => glob.fmt(f),
            Self::Regex { text, .. } => f.write_str(text),
        }
    }
}

/// Who signed, in words.
pub(super) fn shown_signer(signer: &Signer) -> String {
    match signer {
        Signer::Key { name } => format!("key {}", shown(name)),
        Signer::Certificate(certificate) => shown(&certificate.subject),
    }
}

/// A glob over source repositories, however their URL is written.
pub(super) fn source_glob(text: &str, at: &Place) -> Result<Glob, PolicyError> {
    Glob::new(repository_of(text)).map_err(|error| at.problem(error))
}

/// The source repository that a URL means: `github.com/acme/app` for each of `https://github.com/acme/app`,
/// `git+https://github.com/acme/app.git` and `github.com/acme/app/`.
pub(super) fn repository_of(url: &str) -> &str {
    let url = url.strip_prefix("git+").unwrap_or(url);
    let url = url.strip_prefix("https://").unwrap_or(url);
    let url = url.strip_suffix('/').unwrap_or(url);
    url.strip_suffix(".git").unwrap_or(url)
}
