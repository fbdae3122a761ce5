//! `[[rule.signature]]`: who must have signed, and how many of them.
//!
//! A threshold counts persons, not signatures: nobody is counted twice, whatever they signed with and however often
//! (GHSA-9vcr-p3rj-q5q6, GHSA-fphv-w9fq-2525).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::evidence::Form;
use crate::policy::error::{Place, PolicyError, PolicyProblem};
use crate::policy::identity::{Identity, shown_signer};
use crate::policy::reason::any_does;
use crate::policy::settings::SignatureSettings;
use crate::policy::{Known, Reason, ReasonCode};
use crate::verify::{Fact, Signer};

/// Most identities in one `any_of`: matching them with signers costs their number times that of the facts.
const ALTERNATIVES: usize = 32;

/// One block, compiled.
#[derive(Debug)]
pub(super) struct SignatureRule {
    alternatives: Vec<Identity>,
    at_least: usize,
}

impl SignatureRule {
    /// Reads one block.
    pub(super) fn compile(settings: &SignatureSettings, at: &Place, known: &Known<'_>) -> Result<Self, PolicyError> {
        let alternatives = identities(settings, at, known)?;
        let at_least = settings.at_least.unwrap_or(1);
        if settings.any_of.is_empty() && settings.at_least.is_some() {
            return Err(at.key("at_least").problem(PolicyProblem::NothingToCount));
        }
        if !(1..=alternatives.len()).contains(&at_least) {
            let alternatives = alternatives.len();
            return Err(at.key("at_least").problem(PolicyProblem::Threshold { at_least, alternatives }));
        }
        Ok(Self { alternatives, at_least })
    }

    /// Everybody who may sign.
    pub(super) fn identities(&self) -> &[Identity] {
        &self.alternatives
    }

    /// How many different ones must have signed.
    pub(super) fn at_least(&self) -> usize {
        self.at_least
    }

    /// What those of `counted` are short of.
    pub(super) fn too_few(&self, counted: &[&Arc<Fact>]) -> Reason {
        let by: Vec<_> = counted.iter().map(|fact| shown_signer(fact.signer())).collect();
        let missing = self.alternatives.iter().filter(|it| counted.iter().all(|fact| it.check(fact.signer()).is_err()));
        let missing: Vec<_> = missing.map(ToString::to_string).collect();
        let text = format!(
            "signed by {} of the {} different signers that it takes: {}; missing is {}",
            counted.len(),
            self.at_least,
            by.join(", "),
            if missing.is_empty() { "another one".to_owned() } else { missing.join(", or ") }
        );
        Reason { code: ReasonCode::TooFewSigners, text }
    }

    /// Why `signer` is none of those who may sign.
    pub(super) fn check(&self, signer: &Signer) -> Result<(), Reason> {
        check_any(&self.alternatives, signer)
    }

    /// Those of `facts` that count: as many as there are different identities of the block with a signer of their own,
    /// but no more than it demands. The same ones whatever the order of the facts.
    pub(super) fn count<'a>(&self, facts: &[&'a Arc<Fact>]) -> Vec<&'a Arc<Fact>> {
        // Nearly always there is one.
        if let [fact] = facts
            && self.check(fact.signer()).is_ok()
        {
            return vec![fact];
        }
        let signers = by_signer(facts);
        let fitting = |identity: &Identity| -> Vec<_> {
            let fits =
                |facts: &Vec<&'a Arc<Fact>>| facts.iter().find(|fact| identity.check(fact.signer()).is_ok()).copied();
            signers.values().enumerate().filter_map(|(signer, facts)| Some((signer, fits(facts)?))).collect()
        };
        let fitting = self.alternatives.iter().map(fitting).collect();
        let mut counted = Matching { fitting, taken: vec![None; signers.len()] }.find();
        counted.sort_unstable();
        counted.truncate(self.at_least);
        counted
    }
}

/// The identities of a block: those of `any_of`, or the one that it is itself.
pub(super) fn identities(
    settings: &SignatureSettings,
    at: &Place,
    known: &Known<'_>,
) -> Result<Vec<Identity>, PolicyError> {
    if settings.any_of.is_empty() {
        let one = SignatureSettings { at_least: None, ..settings.clone() };
        return Ok(vec![Identity::compile(&one, at, known)?]);
    }
    let (any_of, at_least) = (settings.any_of.clone(), settings.at_least);
    if *settings != (SignatureSettings { any_of, at_least, ..SignatureSettings::default() }) {
        let conflict = "any_of and an identity beside it";
        return Err(at.key("any_of").problem(PolicyProblem::Conflict(conflict)));
    }
    let found = settings.any_of.len();
    if found > ALTERNATIVES {
        return Err(at.key("any_of").problem(PolicyProblem::TooManyAlternatives { found, most: ALTERNATIVES }));
    }
    let alternatives = settings.any_of.iter().enumerate();
    alternatives.map(|(index, block)| Identity::compile(block, &at.item("any_of", index), known)).collect()
}

/// Why `signer` is none of `identities`: what it misses of the one that it comes nearest to.
pub(super) fn check_any(identities: &[Identity], signer: &Signer) -> Result<(), Reason> {
    any_does(identities, |identity| identity.check(signer))
}

/// Who somebody is, whatever proves it: one person under two trust domains is one person. Keys are told apart by name,
/// since no two names have the same key ([`crate::trust::Trust::load`]).
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Person<'a> {
    Key(&'a str),
    Certificate {
        issuer: &'a str,
        subject: &'a str,
    },
    /// A signer of the Notary Project, told by the subject alone: its issuer is whichever certificate of its chain the store
    /// anchors, so that one signature has several.
    Notation {
        subject: &'a str,
    },
}

impl<'a> Person<'a> {
    fn of(fact: &'a Fact) -> Self {
        match (fact.signer(), fact.form()) {
            (Signer::Key { name }, _) => Self::Key(name),
            (Signer::Certificate(it), Form::NotationJws | Form::NotationCose) => {
                Self::Notation { subject: &it.subject }
            }
            (Signer::Certificate(it), Form::CosignSignature | Form::CosignAttestation | Form::Bundle) => {
                Self::Certificate { issuer: &it.issuer, subject: &it.subject }
            }
        }
    }
}

/// The facts of each person, in order of their evidence.
fn by_signer<'a>(facts: &[&'a Arc<Fact>]) -> BTreeMap<Person<'a>, Vec<&'a Arc<Fact>>> {
    let mut signers = BTreeMap::<_, Vec<_>>::new();
    for fact in facts {
        signers.entry(Person::of(fact)).or_default().push(*fact);
    }
    for facts in signers.values_mut() {
        facts.sort_unstable();
    }
    signers
}

/// Identities matched with signers, one with one (Kuhn's augmenting paths): an identity that two people fit counts once,
/// and so does a person who fits two identities.
struct Matching<'a> {
    /// For each identity the signers that fit it, each with the fact that shows it.
    fitting: Vec<Vec<(usize, &'a Arc<Fact>)>>,
    /// For each signer the identity that it stands for, and that fact.
    taken: Vec<Option<(usize, &'a Arc<Fact>)>>,
}

impl<'a> Matching<'a> {
    fn find(mut self) -> Vec<&'a Arc<Fact>> {
        for identity in 0..self.fitting.len() {
            let mut seen = vec![false; self.taken.len()];
            self.assign(identity, &mut seen);
        }
        self.taken.into_iter().flatten().map(|(_, fact)| fact).collect()
    }

    /// Finds a signer for one more identity, if need be by giving others another one. Looks at each signer once, so its
    /// depth is bounded by their number.
    fn assign(&mut self, identity: usize, seen: &mut [bool]) -> bool {
        let fitting = self.fitting.get(identity).cloned().unwrap_or_default();
        for (signer, fact) in fitting {
            let Some(unseen) = seen.get_mut(signer).filter(|seen| !**seen) else { continue };
            *unseen = true;
            let other = self.taken.get(signer).copied().flatten();
            if other.is_none_or(|(other, _)| self.assign(other, seen)) {
                self.taken.iter_mut().skip(signer).take(1).for_each(|taken| *taken = Some((identity, fact)));
                return true;
            }
        }
        false
    }
}
