//! What beats every rule: revocations, and exceptions that end.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::oci::{Digest, Image, Reference, Repository};
use crate::policy::error::{Place, PolicyError, PolicyProblem};
use crate::policy::identity::shown_signer;
use crate::policy::judge::Request;
use crate::policy::pattern::Glob;
use crate::policy::provenance::read_commit;
use crate::policy::reason::{because, shown};
use crate::policy::settings::{ExceptionSettings, RevokedSettings, WindowSettings};
use crate::policy::{Decision, Known, Mode, Reason, ReasonCode, Verdict};
use crate::verify::{Claim, Fact, Signer};

/// What is refused whatever the rules say.
#[derive(Debug)]
pub(super) struct Revoked {
    digests: BTreeSet<Digest>,
    subjects: Vec<Glob>,
    commits: BTreeSet<Box<str>>,
    windows: Vec<Window>,
}

/// A time in which somebody else could sign as this signer: what was signed then may be theirs.
#[derive(Debug)]
struct Window {
    signer: Compromised,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

#[derive(Debug)]
enum Compromised {
    Certificate { subject: Glob, issuer: Option<Glob> },
    Key(Box<str>),
}

/// One image that is served unproven for a while.
#[derive(Debug)]
pub(super) struct Exception {
    repository: Repository,
    digest: Digest,
    until: Timestamp,
    name: Arc<str>,
}

impl Revoked {
    pub(super) fn compile(settings: &RevokedSettings, known: &Known<'_>) -> Result<Self, PolicyError> {
        let at = Place::of("revoked");
        let subjects = settings.subjects.iter().enumerate();
        let commits = settings.commits.iter().enumerate();
        let windows = settings.log_before.iter().enumerate();
        Ok(Self {
            digests: settings.digests.iter().copied().collect(),
            subjects: subjects
                .map(|(index, text)| Glob::new(text).map_err(|error| at.item("subjects", index).problem(error)))
                .collect::<Result<_, _>>()?,
            commits: commits
                .map(|(index, text)| read_commit(text).map_err(|error| at.item("commits", index).problem(error)))
                .collect::<Result<_, _>>()?,
            windows: windows
                .map(|(index, window)| Window::compile(window, &at.item("log_before", index), known))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Why nothing of this digest is served.
    pub(super) fn digest(&self, digest: Digest) -> Option<Reason> {
        let revoked = self.digests.contains(&digest);
        revoked.then(|| Reason { code: ReasonCode::Revoked, text: format!("{digest} is revoked") })
    }

    /// Why a fact no longer counts.
    pub(super) fn fact(&self, fact: &Fact) -> Result<(), Reason> {
        self.windows.iter().try_for_each(|window| window.check(fact))?;
        if let Signer::Certificate(certificate) = fact.signer() {
            if self.subjects.iter().any(|subject| subject.matches(&certificate.subject)) {
                return because(ReasonCode::Revoked, format!("signer {} is revoked", shown(&certificate.subject)));
            }
            self.commit(certificate.source_commit.as_deref())?;
        }
        match fact.claim() {
            Claim::Provenance(provenance) => self.commit(provenance.source_commit.as_deref()),
            Claim::Signature
            | Claim::Sbom(_)
            | Claim::Summary(_)
            | Claim::Vex(_)
            | Claim::Scan(_)
            | Claim::Other { .. } => Ok(()),
        }
    }

    fn commit(&self, commit: Option<&str>) -> Result<(), Reason> {
        let Some(commit) = commit.filter(|_| !self.commits.is_empty()) else { return Ok(()) };
        let commit = commit.to_ascii_lowercase();
        if self.commits.contains(commit.as_str()) {
            return because(ReasonCode::Revoked, format!("commit {commit} is revoked"));
        }
        Ok(())
    }
}

impl Window {
    fn compile(settings: &WindowSettings, at: &Place, known: &Known<'_>) -> Result<Self, PolicyError> {
        match (settings.from, settings.until) {
            (None, None) => return Err(at.problem(PolicyProblem::EndlessWindow)),
            (Some(from), Some(until)) if until < from => {
                return Err(at.key("until").problem(PolicyProblem::ReversedWindow));
            }
            (Some(_) | None, Some(_) | None) => {}
        }
        let signer = Compromised::compile(settings, at, known)?;
        Ok(Self { signer, from: settings.from, until: settings.until })
    }

    /// What was signed in that time does not count, and what was signed at no proven time may have been.
    fn check(&self, fact: &Fact) -> Result<(), Reason> {
        let time = fact.signed_at();
        let within = |time| self.from.is_none_or(|from| from <= time) && self.until.is_none_or(|until| time <= until);
        if !self.signer.is(fact.signer()) || !time.is_none_or(within) {
            return Ok(());
        }
        let when = time.map_or_else(|| "at no proven time".to_owned(), |time| format!("at {time}"));
        let signer = shown_signer(fact.signer());
        let text = format!("signed by {signer} {when}, and what it signed {self} is revoked");
        because(ReasonCode::Revoked, text)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.until) {
            (Some(from), Some(until)) => write!(f, "from {from} until {until}"),
            (Some(from), None) => write!(f, "from {from} on"),
            (None, Some(until)) => write!(f, "until {until}"),
            (None, None) => f.write_str("at any time"),
        }
    }
}

impl Compromised {
    fn compile(settings: &WindowSettings, at: &Place, known: &Known<'_>) -> Result<Self, PolicyError> {
        let glob = |key: &str, text: &str| Glob::new(text).map_err(|error| at.key(key).problem(error));
        match (&settings.subject, &settings.issuer, &settings.key) {
            (Some(subject), issuer, None) => {
                let issuer = issuer.as_deref().map(|issuer| glob("issuer", issuer)).transpose()?;
                Ok(Self::Certificate { subject: glob("subject", subject)?, issuer })
            }
            (None, None, Some(key)) => {
                known.check_key(key, &at.key("key"))?;
                Ok(Self::Key(key.as_str().into()))
            }
            (_, _, Some(_)) => Err(at.key("key").problem(PolicyProblem::Conflict("key and subject or issuer"))),
            (None, _, None) => Err(at.problem(PolicyProblem::NobodysWindow)),
        }
    }

    fn is(&self, signer: &Signer) -> bool {
        match (self, signer) {
            (Self::Key(key), Signer::Key { name }) => **key == **name,
            (Self::Certificate { subject, issuer }, Signer::Certificate(certificate)) => {
                subject.matches(&certificate.subject)
                    && issuer.as_ref().is_none_or(|issuer| issuer.matches(&certificate.issuer))
            }
            (Self::Key(_), Signer::Certificate(_)) | (Self::Certificate { .. }, Signer::Key { .. }) => false,
        }
    }
}

impl Exception {
    pub(super) fn compile_all(settings: &[ExceptionSettings]) -> Result<Vec<Self>, PolicyError> {
        let compile = |(index, settings)| Self::compile(settings, &Place::table("exception", index));
        settings.iter().enumerate().map(compile).collect()
    }

    fn compile(settings: &ExceptionSettings, at: &Place) -> Result<Self, PolicyError> {
        let malformed = || at.key("image").problem(PolicyProblem::ImageDigest(settings.image.clone()));
        let image: Image = settings.image.parse().map_err(|_| malformed())?;
        let Reference::Digest(digest) = image.reference else { return Err(malformed()) };
        if settings.reason.trim().is_empty() {
            return Err(at.key("reason").problem(PolicyProblem::Empty));
        }
        let name = format!("exception: {}", settings.reason);
        Ok(Self { repository: image.repository, digest, until: settings.until, name: name.into() })
    }

    /// Whether it is about the image, and still holds.
    pub(super) fn covers(&self, request: &Request<'_>, now: Timestamp) -> bool {
        self.digest == request.digest && self.repository == *request.repository && now < self.until
    }

    pub(super) fn is_for(&self, repository: &Repository) -> bool {
        self.repository == *repository
    }

    pub(super) fn verdict(&self) -> Verdict {
        Verdict {
            decision: Decision::Admit,
            rule: Some(Arc::clone(&self.name)),
            mode: Some(Mode::Allow),
            requirements: Vec::new(),
            message: None,
            built_from: None,
        }
    }

    /// What to say of it in the log at start.
    pub(super) fn weakening(&self) -> String {
        format!("{}: {}@{} is served without any proof until {}", self.name, self.repository, self.digest, self.until)
    }
}
