//! Indexes whose attestation manifests are signed, rather than the index: what is proven of everything that an index
//! lists is proven of the index.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::oci::Digest;
use crate::policy::{Reason, ReasonCode};
use crate::verify::{Fact, Proof};

/// The facts about what the index of `proof` lists.
pub(super) fn of_children(proof: &Proof) -> impl Iterator<Item = &Arc<Fact>> {
    let is_child = |fact: &&Arc<Fact>| fact.through().is_some() && proof.children.contains(&fact.subject());
    proof.facts.iter().filter(is_child)
}

/// One of `fit` for each image that the index of `proof` lists, in its order; none unless all are covered.
///
/// Everything that the index lists must be an image of which some fact fits, or an attestation manifest by which one of
/// these is proven. Whatever else is listed, whatever it calls itself, would be served with the index and run by whoever
/// its platform suits.
pub(super) fn covering<'a>(proof: &Proof, fit: &[&'a Arc<Fact>]) -> Vec<&'a Arc<Fact>> {
    let mut images: BTreeMap<Digest, &'a Arc<Fact>> = BTreeMap::new();
    for fact in fit {
        let first = images.entry(fact.subject()).or_insert(fact);
        *first = (*fact).min(*first);
    }
    let attests = |child: &Digest| fit.iter().any(|fact| fact.source().manifest == *child);
    let is_covered = |child: &Digest| images.contains_key(child) || attests(child);
    if !proof.children.iter().all(is_covered) {
        return Vec::new();
    }
    proof.children.iter().filter_map(|child| images.get(child).copied()).collect()
}

/// What of the index is not covered where something is, for whoever was refused.
pub(super) fn uncovered(proof: &Proof, fit: &[&Arc<Fact>]) -> Option<Reason> {
    let covers = |child: &Digest| fit.iter().any(|fact| fact.subject() == *child || fact.source().manifest == *child);
    let child = proof.children.iter().find(|child| !covers(child)).filter(|_| !fit.is_empty())?;
    let text = format!("the index lists {child} too, of which nothing of the kind is proven");
    Some(Reason { code: ReasonCode::Missing, text })
}
