//! Rules, compiled: which requests they are for, and what they demand.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::duration;
use crate::oci::Tag;
use crate::policy::builder::Catalogue;
use crate::policy::condition::Condition;
use crate::policy::error::{Place, PolicyError, PolicyProblem};
use crate::policy::identity::{DEFAULT_TRUST, Identity};
use crate::policy::pattern::Glob;
use crate::policy::provenance::ProvenanceRule;
use crate::policy::sbom::SbomRule;
use crate::policy::settings::{
    BaseImagesSettings, IndexSettings, OnUnprovenUpdate, ProvenanceSettings, RuleSettings, SbomSettings,
    SignatureSettings,
};
use crate::policy::signature::{SignatureRule, identities};
use crate::policy::{Known, Mode};

/// One rule of the policy.
#[derive(Debug)]
pub struct Rule {
    name: Arc<str>,
    images: Vec<Glob>,
    tags: Option<Vec<Glob>>,
    mode: Mode,
    message: Option<Arc<str>>,
    index: IndexSettings,
    pub(super) base_images: Option<BaseImagesSettings>,
    on_unproven_update: OnUnprovenUpdate,
    pub(super) signatures: Vec<SignatureRule>,
    pub(super) provenance: Option<ProvenanceRule>,
    pub(super) sbom: Option<SbomRule>,
    pub(super) age: Option<Age>,
    pub(super) condition: Option<Condition>,
}

/// How old signatures must be.
#[derive(Debug)]
pub(super) struct Age {
    /// As written.
    pub(super) text: Box<str>,
    pub(super) least: Duration,
}

impl Rule {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does with its requirements.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    pub(super) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    pub(super) fn message(&self) -> Option<Arc<str>> {
        self.message.as_ref().map(Arc::clone)
    }

    /// Whether it is for `repository`, whatever the tag.
    pub(super) fn is_for(&self, repository: &str) -> bool {
        self.images.iter().any(|images| images.matches(repository))
    }

    /// Whether it is for some tags only, and a request without a tag none of its business.
    pub(super) fn has_tags(&self) -> bool {
        self.tags.is_some()
    }

    /// Whether it is for this tag. A digest has no tag that could be believed.
    pub(super) fn is_for_tag(&self, tag: Option<&Tag>) -> bool {
        let Some(tags) = &self.tags else { return true };
        tag.is_some_and(|tag| tags.iter().any(|tags| tags.matches(tag.as_str())))
    }

    /// Whether it judges the images of an index that is not proven each by itself.
    pub(super) fn judges_children(&self) -> bool {
        self.index == IndexSettings::Children
    }

    /// Whether it keeps serving what was admitted while a tag has moved to what is not.
    pub(super) fn keeps_last_admitted(&self) -> bool {
        self.on_unproven_update == OnUnprovenUpdate::LastAdmitted
    }

    /// Whether what meets it may have to be proven under the trust domain `domain`.
    pub(super) fn relies_on(&self, domain: &str) -> bool {
        let mut signers = self.signatures.iter().flat_map(SignatureRule::identities);
        signers.any(|identity| identity.trust() == Some(domain))
            || self.provenance.as_ref().is_some_and(|provenance| provenance.relies_on(domain))
            || self.sbom.as_ref().is_some_and(|sbom| sbom.relies_on(domain))
    }

    /// Whether what meets it may be signed with a key, of which any trust domain may prove when that was.
    pub(super) fn takes_keys(&self) -> bool {
        self.signatures.iter().flat_map(SignatureRule::identities).any(|identity| identity.trust().is_none())
            || self.provenance.as_ref().is_some_and(ProvenanceRule::takes_keys)
            || self.sbom.as_ref().is_some_and(SbomRule::takes_keys)
    }

    /// Reads `[[rule]]`, in order.
    pub(super) fn compile_all(
        settings: &[RuleSettings],
        catalogue: &Catalogue,
        known: &Known<'_>,
    ) -> Result<Vec<Self>, PolicyError> {
        let mut names = BTreeSet::new();
        let mut rules = Vec::with_capacity(settings.len());
        for (index, settings) in settings.iter().enumerate() {
            let at = Place::table("rule", index);
            if !names.insert(&settings.name) {
                return Err(at.key("name").problem(PolicyProblem::Duplicate(settings.name.clone())));
            }
            rules.push(Self::compile(settings, &at, catalogue, known)?);
        }
        Ok(rules)
    }

    fn compile(
        settings: &RuleSettings,
        at: &Place,
        catalogue: &Catalogue,
        known: &Known<'_>,
    ) -> Result<Self, PolicyError> {
        check_shape(settings, at)?;
        let signatures = settings.signature.iter().enumerate();
        let signatures =
            signatures.map(|(index, block)| SignatureRule::compile(block, &at.item("signature", index), known));
        let signatures: Vec<_> = signatures.collect::<Result<_, _>>()?;
        let provenance = settings.provenance.as_ref();
        let sbom = settings.sbom.as_ref();
        let condition = settings.condition.as_deref();
        Ok(Self {
            name: settings.name.as_str().into(),
            images: images(&settings.images, at)?,
            tags: settings.tags.as_ref().map(|tags| globs(tags, "tags", at)).transpose()?,
            mode: settings.mode,
            message: settings.message.as_deref().map(Into::into),
            index: settings.index,
            base_images: settings.base_images,
            on_unproven_update: settings.on_unproven_update,
            provenance: provenance
                .map(|block| provenance_rule(block, &signatures, catalogue, at, known))
                .transpose()?,
            sbom: sbom.map(|block| sbom_rule(block, &signatures, at, known)).transpose()?,
            age: settings.min_log_age.as_deref().map(|text| age(text, &signatures, at)).transpose()?,
            condition: condition.map(|text| Condition::compile(text, settings, &at.key("condition"))).transpose()?,
            signatures,
        })
    }

    /// What it leaves open that a reader may not expect, for the log at start.
    pub(super) fn weakenings(&self) -> Vec<String> {
        let name = &self.name;
        match self.mode {
            Mode::Deny => return Vec::new(),
            Mode::Allow => return vec![format!("rule {name}: mode allow serves its images without any proof")],
            Mode::Enforce | Mode::Audit => {}
        }
        let audit = (self.mode == Mode::Audit)
            .then(|| format!("rule {name}: mode audit serves its images whether they are proven or not"));
        let loose = self.signatures.iter().flat_map(SignatureRule::identities).filter_map(Identity::weakness);
        let loose = loose.map(|weakness| format!("rule {name}: signature: {weakness}"));
        // A builder that anybody can call says nothing of the source, and nor does anything else in this rule.
        let sourceless =
            self.signatures.is_empty() && self.provenance.as_ref().is_some_and(ProvenanceRule::names_no_source);
        let sourceless = sourceless
            .then(|| format!("rule {name}: provenance: anything that its builders built is accepted: no source"));
        let unnamed = self.provenance.iter().flat_map(ProvenanceRule::weaknesses);
        let unnamed = unnamed.map(|weakness| format!("rule {name}: provenance: verifier {weakness}"));
        audit.into_iter().chain(loose).chain(sourceless).chain(unnamed).collect()
    }
}

/// A rule must say what it is for, and demand something exactly if its mode looks at it.
fn check_shape(settings: &RuleSettings, at: &Place) -> Result<(), PolicyError> {
    let demands = !settings.signature.is_empty() || settings.provenance.is_some() || settings.sbom.is_some();
    if settings.name.is_empty() {
        return Err(at.key("name").problem(PolicyProblem::Empty));
    }
    if settings.on_unproven_update == OnUnprovenUpdate::LastAdmitted && settings.mode != Mode::Enforce {
        return Err(at.key("on_unproven_update").problem(PolicyProblem::NothingToKeep));
    }
    let looks = demands || settings.index == IndexSettings::Children || settings.base_images.is_some();
    if settings.base_images.is_some() && settings.provenance.is_none() && settings.sbom.is_none() && demands {
        return Err(at.key("base_images").problem(PolicyProblem::NobodyNamesBases));
    }
    match (settings.mode, demands) {
        (Mode::Enforce | Mode::Audit, false) => Err(at.problem(PolicyProblem::NoRequirement)),
        (Mode::Allow, _) if looks => Err(at.key("mode").problem(PolicyProblem::IdleRequirement("allow"))),
        (Mode::Deny, _) if looks => Err(at.key("mode").problem(PolicyProblem::IdleRequirement("deny"))),
        (Mode::Enforce | Mode::Audit, true) | (Mode::Allow | Mode::Deny, _) => Ok(()),
    }
}

fn age(text: &str, signatures: &[SignatureRule], at: &Place) -> Result<Age, PolicyError> {
    let at = at.key("min_log_age");
    let least = duration(text).filter(|least| !least.is_zero());
    let least = least.ok_or_else(|| at.problem(PolicyProblem::Duration(text.to_owned())))?;
    if signatures.is_empty() {
        return Err(at.problem(PolicyProblem::AgeOfNothing));
    }
    Ok(Age { text: text.into(), least })
}

fn images(texts: &[String], at: &Place) -> Result<Vec<Glob>, PolicyError> {
    for (index, text) in texts.iter().enumerate() {
        if !can_match(text) {
            return Err(at.item("images", index).problem(PolicyProblem::Image(text.clone())));
        }
    }
    globs(texts, "images", at)
}

/// Whether a glob over `upstream/repository` can match anything: names on Docker Hub have two components and more.
fn can_match(text: &str) -> bool {
    let components = text.split('/').count();
    let deep = text.contains("**") || components >= if text.starts_with("docker.io/") { 3 } else { 2 };
    deep && !text.contains(['@', ' ']) && !text.starts_with("https:") && !text.starts_with("http:")
}

fn globs(texts: &[String], key: &str, at: &Place) -> Result<Vec<Glob>, PolicyError> {
    if texts.is_empty() {
        return Err(at.key(key).problem(PolicyProblem::Empty));
    }
    let glob = |(index, text): (usize, &String)| Glob::new(text).map_err(|error| at.item(key, index).problem(error));
    texts.iter().enumerate().map(glob).collect()
}

fn provenance_rule(
    settings: &ProvenanceSettings,
    signatures: &[SignatureRule],
    catalogue: &Catalogue,
    at: &Place,
    known: &Known<'_>,
) -> Result<ProvenanceRule, PolicyError> {
    let at = at.key("provenance");
    let trust = match &settings.trust {
        Some(trust) => vec![trust.as_str().into()],
        None => domains_of(signatures),
    };
    for trust in &trust {
        known.check_trust(trust, &at.key("trust"))?;
    }
    let rule = ProvenanceRule::compile(settings, trust, catalogue, &at)?;
    if settings.builders.is_some() {
        // A builder of the catalogue may sign with a key that every installation has to bring.
        for (_, key) in rule.keys() {
            known.check_key(key, &at.key("builders"))?;
        }
    }
    Ok(rule)
}

fn domains_of(signatures: &[SignatureRule]) -> Vec<Box<str>> {
    let named: BTreeSet<&str> =
        signatures.iter().flat_map(SignatureRule::identities).filter_map(Identity::trust).collect();
    if named.is_empty() { vec![DEFAULT_TRUST.into()] } else { named.into_iter().map(Into::into).collect() }
}

fn sbom_rule(
    settings: &SbomSettings,
    signatures: &[SignatureRule],
    at: &Place,
    known: &Known<'_>,
) -> Result<SbomRule, PolicyError> {
    let at = at.key("sbom");
    if let Some(trust) = &settings.trust {
        known.check_trust(trust, &at.key("trust"))?;
    }
    let signers = match &settings.signed_by {
        Some(block) => signed_by(block, &at.key("signed_by"), known)?,
        None if signatures.is_empty() => return Err(at.problem(PolicyProblem::NoSigner)),
        None => signatures.iter().flat_map(SignatureRule::identities).cloned().collect(),
    };
    let signers = signers.into_iter().map(|identity| identity.under(settings.trust.as_deref())).collect();
    SbomRule::compile(settings, signers, &at)
}

/// Whoever may have signed a document: one of them, since a document is signed by one.
fn signed_by(block: &SignatureSettings, at: &Place, known: &Known<'_>) -> Result<Vec<Identity>, PolicyError> {
    if block.at_least.is_some() {
        return Err(at.key("at_least").problem(PolicyProblem::Conflict("signed_by and at_least")));
    }
    identities(block, at, known)
}
