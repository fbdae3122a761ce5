//! Rules, and what they say of proven facts: pure, total, in microseconds.

mod bases;
mod builder;
mod candidates;
mod chain;
mod condition;
mod denied;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod identity;
mod judge;
mod level;
mod license;
mod memo;
mod osv;
mod pattern;
mod provenance;
mod reason;
mod recorded;
mod revoked;
mod rule;
mod sbom;
mod scheme;
mod settings;
mod signature;
mod summary;
mod verdict;
mod version;
mod versions;
mod view;

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;

pub use error::{PolicyError, PolicyProblem};
pub use judge::Request;
pub use level::{Level, Shortfall};
pub use osv::{Feed, FeedError};
pub use pattern::GlobError;
pub use recorded::{OtherImage, RecordedFacts, RecordedImage};
pub use rule::Rule;
pub use settings::{
    BaseImagesSettings, BuilderSettings, ExceptionSettings, IndexSettings, OnUnprovenUpdate, ProvenanceSettings,
    RevokedSettings, RuleSettings, SbomSettings, SelfHostedRunners, Settings, SignatureSettings, VerifierSettings,
    WindowSettings,
};
pub use verdict::{BuiltFrom, Decision, Mode, Reason, ReasonCode, Requirement, RequirementKind, Verdict};
pub use versions::RangeError;
pub use view::{FactView, VerdictView};

use crate::oci::{Repository, Tag};
use crate::verify::{Fact, Flaw, FlawKind, Proof};
use builder::Catalogue;
use error::Place;
use revoked::{Exception, Revoked};
use sbom::Feeds;

/// All rules, compiled. Immutable but for its feeds, each of which is swapped as a whole: a changed configuration makes
/// another one.
#[derive(Debug)]
pub struct Policy {
    rules: Vec<Rule>,
    exceptions: Vec<Exception>,
    revoked: Revoked,
    builder_weakenings: Vec<String>,
    feeds: ArcSwap<Feeds>,
}

/// Longest `upstream/repository`: names are bounded, that of an upstream by 259 bytes and that in it by 255.
const REPOSITORY_BYTES: usize = 259 + 1 + 255;

/// What the rest of the configuration has names for.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Whether there is a trust domain of that name.
    pub trust: &'a dyn Fn(&str) -> bool,
    /// Whether there is a key of that name.
    pub key: &'a dyn Fn(&str) -> bool,
}

impl Policy {
    /// Compiles the rules.
    ///
    /// # Errors
    /// [`PolicyError`]: where in the settings, and what to write instead.
    pub fn new(settings: &Settings, known: &Known<'_>) -> Result<Self, PolicyError> {
        let catalogue = Catalogue::compile(&settings.builder, &settings.verifier, known)?;
        Ok(Self {
            builder_weakenings: catalogue.weakenings(),
            rules: Rule::compile_all(&settings.rule, &catalogue, known)?,
            exceptions: Exception::compile_all(&settings.exception)?,
            revoked: Revoked::compile(&settings.revoked, known)?,
            feeds: ArcSwap::default(),
        })
    }

    /// The rule that decides about a request: the first that matches. A rule with `tags` matches no request without a
    /// tag.
    pub fn rule(&self, repository: &Repository, tag: Option<&Tag>) -> Option<&Rule> {
        let mut room = [0; REPOSITORY_BYTES];
        let repository = spelt(repository, &mut room)?;
        self.rules.iter().find(|rule| rule.is_for_tag(tag) && rule.is_for(repository))
    }

    /// Whether judging `request` at `now` takes a proof: not what is revoked or excepted, not where no rule matches, nor
    /// where the rule looks at none.
    pub fn needs_proof(&self, request: &Request<'_>, now: Timestamp) -> bool {
        let rule = self.rule(request.repository, request.tag);
        self.revoked.digest(request.digest).is_none()
            && !self.exceptions.iter().any(|exception| exception.covers(request, now))
            && rule.is_some_and(|rule| match rule.mode() {
                Mode::Enforce | Mode::Audit => true,
                Mode::Allow | Mode::Deny => false,
            })
    }

    /// Whether the images of an index that is not proven are judged each by itself.
    pub fn judges_children(&self, repository: &Repository, tag: Option<&Tag>) -> bool {
        self.rule(repository, tag).is_some_and(Rule::judges_children)
    }

    /// Whether the digest that was last admitted for `tag` is served while a newer one is unproven.
    pub fn keeps_last_admitted(&self, repository: &Repository, tag: &Tag) -> bool {
        self.rule(repository, Some(tag)).is_some_and(Rule::keeps_last_admitted)
    }

    /// Whether the trust domain `domain` may prove more than `proof` says, as far as the rule that decides about `request` asks:
    /// what is signed under it where the rule names it; and when a key signed, whichever domain vouches for that, where
    /// the rule takes keys and no domain that is there could.
    pub fn awaits(&self, request: &Request<'_>, domain: &str, proof: &Proof) -> bool {
        let Some(rule) = self.rule(request.repository, request.tag) else { return false };
        rule.relies_on(domain) || (rule.takes_keys() && is_time_unproven(proof, rule))
    }

    /// Whether anything of `repository` could be served: some rule other than `deny`, or an exception, is for it.
    pub fn names(&self, repository: &Repository) -> bool {
        let name = repository.to_string();
        let mut rules = self.rules.iter().filter(|rule| rule.is_for(&name));
        // A `deny` for all tags hides what comes after it.
        let first = rules.find(|rule| rule.mode() != Mode::Deny || !rule.has_tags());
        first.is_some_and(|rule| rule.mode() != Mode::Deny)
            || self.exceptions.iter().any(|exception| exception.is_for(repository))
    }

    /// The feeds that its rules name (`deny_feed`), each once. A rule whose feed was not given to it decides nothing.
    pub fn feeds(&self) -> BTreeSet<&Path> {
        self.rules.iter().filter_map(|rule| rule.sbom.as_ref()?.feed()).collect()
    }

    /// Judges by `feed` from now on, in place of what was read from `path` before.
    pub fn replace_feed(&self, path: &Path, feed: &Arc<Feed>) {
        if self.feeds.load().0.get(path).is_some_and(|known| Arc::ptr_eq(known, feed)) {
            return;
        }
        self.feeds.rcu(|feeds| {
            let mut feeds = Feeds::clone(feeds);
            feeds.0.insert(path.to_owned(), Arc::clone(feed));
            feeds
        });
    }

    /// What weakens its checks, in words, for the log at start.
    pub fn weakenings(&self) -> Vec<String> {
        let exceptions = self.exceptions.iter().map(Exception::weakening);
        let builders = self.builder_weakenings.iter().cloned();
        self.rules.iter().flat_map(Rule::weakenings).chain(exceptions).chain(builders).collect()
    }
}

/// Whether something may be signed with a key, at a time that nobody proves: that is a flaw, or the key does without, and then
/// it counts only where no age is asked.
fn is_time_unproven(proof: &Proof, rule: &Rule) -> bool {
    let is_flawed = |flaw: &Flaw| matches!(flaw.kind, FlawKind::Log | FlawKind::Timestamp);
    let is_untimed = |fact: &Arc<Fact>| fact.signed_at().is_none();
    proof.flaws.iter().any(is_flawed) || (rule.age.is_some() && proof.facts.iter().any(is_untimed))
}

/// `upstream/repository` in `room`, since every request asks for a rule several times. Nothing if there is no room for it,
/// which no name comes to: then there is no rule for it.
fn spelt<'a>(repository: &Repository, room: &'a mut [u8; REPOSITORY_BYTES]) -> Option<&'a str> {
    let mut rest = &mut room[..];
    write!(rest, "{repository}").ok()?;
    let length = REPOSITORY_BYTES - rest.len();
    std::str::from_utf8(room.get(..length)?).ok()
}

impl Known<'_> {
    fn check_trust(&self, name: &str, at: &Place) -> Result<(), PolicyError> {
        if (self.trust)(name) { Ok(()) } else { Err(at.problem(PolicyProblem::UnknownTrust(name.to_owned()))) }
    }

    fn check_key(&self, name: &str, at: &Place) -> Result<(), PolicyError> {
        if (self.key)(name) { Ok(()) } else { Err(at.problem(PolicyProblem::UnknownKey(name.to_owned()))) }
    }
}

impl fmt::Debug for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").finish_non_exhaustive()
    }
}
