//! Where evidence about the digests of a repository is looked for: there, and in what its upstream names besides
//! (`evidence_from`). Only evidence: nothing is served of a repository but what is in it.

use std::sync::Arc;

use crate::gate::Gate;
use crate::gate::admitted::Refusal;
use crate::gate::manifests::Manifests;
use crate::oci::Repository;
use crate::upstream::Upstream;

/// One repository, and how it is asked.
#[derive(Debug)]
pub(in crate::gate) struct Place {
    pub(in crate::gate) manifests: Manifests,
    pub(in crate::gate) upstream: Arc<dyn Upstream>,
    pub(in crate::gate) repository: Repository,
    is_own: bool,
}

/// All places of evidence about one digest.
#[derive(Debug)]
pub(in crate::gate) struct Places {
    /// The repository of the digest itself.
    pub(in crate::gate) own: Arc<Place>,
    elsewhere: Vec<Arc<Place>>,
}

impl Gate {
    /// The repository itself.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if its upstream is not configured.
    pub(in crate::gate) fn place(&self, repository: &Repository) -> Result<Place, Refusal> {
        let upstream = self.upstream(&repository.upstream)?;
        Ok(Place { manifests: self.manifests.clone(), upstream, repository: repository.clone(), is_own: true })
    }

    /// All places of evidence about what is in `repository`.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if the upstream of one is not configured: none is passed over.
    pub(in crate::gate) fn places(&self, repository: &Repository) -> Result<Places, Refusal> {
        let elsewhere = |other: &Repository| Ok(Arc::new(Place { is_own: false, ..self.place(other)? }));
        let elsewhere = self.elsewhere(repository).iter().map(elsewhere).collect::<Result<_, Refusal>>()?;
        Ok(Places { own: Arc::new(self.place(repository)?), elsewhere })
    }

    /// Where else than in `repository` evidence about it is looked for.
    pub(in crate::gate) fn elsewhere(&self, repository: &Repository) -> Vec<Repository> {
        let named = self.upstreams.evidence_from(&repository.upstream);
        named.iter().map(|place| place.of(repository)).filter(|other| other != repository).collect()
    }
}

impl Place {
    /// What is said of a piece that was found here; nothing of the digest's own repository, which goes without saying.
    pub(in crate::gate) fn found_in(&self) -> Option<Repository> {
        (!self.is_own).then(|| self.repository.clone())
    }
}

impl Places {
    /// Each place, the repository of the digest first.
    pub(in crate::gate) fn each(&self) -> impl Iterator<Item = &Arc<Place>> {
        std::iter::once(&self.own).chain(&self.elsewhere)
    }

    /// The names of those beside the repository of the digest.
    pub(in crate::gate) fn elsewhere(&self) -> Vec<Repository> {
        self.elsewhere.iter().map(|place| place.repository.clone()).collect()
    }
}
