//! What is in an admitted image, for the index of packages.

use std::sync::Arc;

use crate::evidence::Package;
use crate::facts::Contained;
use crate::gate::Gate;
use crate::oci::{Digest, Repository};
use crate::policy::{Decision, Verdict};
use crate::verify::{Claim, Fact, Proof};

impl Gate {
    /// Lets the packages of an admitted image be written down, behind the request.
    pub(in crate::gate) fn note_contents(&self, of: (&Repository, Digest), verdict: &Verdict, proof: &Proof) {
        let packages: Vec<_> = proof.facts.iter().filter_map(|fact| packages(fact, verdict)).collect();
        if verdict.decision == Decision::Admit && !packages.is_empty() {
            let (repository, digest) = (of.0.clone(), of.1);
            self.facts.index(Contained { repository, digest, proven_at: proof.collected_at, packages });
        }
    }
}

/// The packages of a bill that somebody signed who met a requirement: what strangers attest has no say.
fn packages(fact: &Fact, verdict: &Verdict) -> Option<Arc<[Package]>> {
    let mut trusted = verdict.requirements.iter().filter_map(|requirement| requirement.by.as_ref());
    let Claim::Sbom(sbom) = fact.claim() else { return None };
    trusted.any(|by| by.signer() == fact.signer()).then(|| Arc::clone(&sbom.packages))
}
