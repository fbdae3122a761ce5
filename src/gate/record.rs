//! What decisions about one image may ask, written down whatever the rules are: its own evidence, and that of its images, of
//! what it was built from, and of what was last admitted for its tag.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::evidence::BaseImage;
use crate::gate::admitted::Refusal;
use crate::gate::live::Live;
use crate::gate::sources::{Child, Sources};
use crate::gate::{Gate, Inspection};
use crate::limits::{BASE_DEPTH, BASE_IMAGES, INDEX_CHILDREN};
use crate::oci::{Digest, Reference, Repository, Tag};
use crate::verify::{Claim, Proof};

/// Most other images that are recorded with one: its own, those of what was last admitted, and what they are based on.
const OTHERS: usize = 2 * INDEX_CHILDREN + BASE_IMAGES;

/// What is known of one image and of the others that its verdict may depend on.
#[derive(Debug)]
pub struct Record {
    /// The image itself.
    pub image: Known,
    /// The digest that was last admitted for its tag, if it is another.
    pub last_admitted: Option<Digest>,
    /// The other images.
    pub others: Vec<Known>,
    /// Those of them that their upstream does not have.
    pub absent: Vec<(Repository, Digest)>,
}

/// What is known of one digest.
#[derive(Debug)]
pub struct Known {
    /// Where it is.
    pub repository: Repository,
    /// Its tags: the one that was asked for, else those that it was seen under.
    pub tags: Vec<Tag>,
    /// The digests that were judged, and reach it.
    pub roots: Vec<Digest>,
    /// Its images, if it is an index.
    pub images: Vec<Child>,
    /// What is proven about it.
    pub proof: Arc<Proof>,
}

/// An image to look at.
struct Next {
    repository: Repository,
    digest: Digest,
    /// How many images were built on each other down to it.
    depth: usize,
    /// Whether its images are looked at too.
    with_images: bool,
}

impl Gate {
    /// All that a decision about what was inspected may ask, by any rules. What cannot be found out now is left out, and so
    /// is what is beyond the bounds of a decision.
    ///
    /// # Errors
    /// [`Refusal::Undecided`] if a store cannot be read.
    pub async fn record(&self, inspection: &Inspection) -> Result<Record, Refusal> {
        let live = Live { gate: self, trust: self.trust.snapshot() };
        let (of, tag) = (&inspection.image.repository, inspection.image.tag());
        let last_admitted = match tag {
            Some(tag) => live.last_admitted(of, tag).await?.filter(|last| *last != inspection.digest),
            None => None,
        };
        let mut image = live.known(of, inspection.digest, Arc::clone(&inspection.proof)).await?;
        if let Reference::Tag(tag) = &inspection.image.reference {
            image.tags = vec![tag.clone()];
        }
        let itself = Next { repository: of.clone(), digest: inspection.digest, depth: 0, with_images: true };
        let mut waiting = VecDeque::from(live.after(&image, &itself));
        waiting.extend(last_admitted.map(|digest| Next { repository: of.clone(), digest, ..itself }));
        let mut seen = BTreeSet::from([(of.clone(), inspection.digest)]);
        let (mut others, mut absent) = (Vec::new(), Vec::new());
        while let Some(next) = waiting.pop_front().filter(|_| others.len() < OTHERS) {
            if !seen.insert((next.repository.clone(), next.digest)) {
                continue;
            }
            match live.proof(&next.repository, next.digest).await {
                Ok(proof) => {
                    let known = live.known(&next.repository, next.digest, proof).await?;
                    waiting.extend(live.after(&known, &next));
                    others.push(known);
                }
                Err(Refusal::NotFound { .. }) => absent.push((next.repository, next.digest)),
                // Whoever asks for it is told that nothing is recorded of it.
                Err(Refusal::Denied(_) | Refusal::Invalid { .. } | Refusal::Undecided { .. }) => {}
            }
        }
        Ok(Record { image, last_admitted, others, absent })
    }
}

impl Live<'_> {
    async fn known(&self, of: &Repository, digest: Digest, proof: Arc<Proof>) -> Result<Known, Refusal> {
        let images = match self.children(of, digest).await {
            Err(Refusal::Invalid { .. }) => Vec::new(),
            images => images?,
        };
        let (tags, roots) = (self.tags_of(of, digest).await?.to_vec(), self.roots(of, digest).await?);
        Ok(Known { repository: of.clone(), tags, roots, images, proof })
    }

    /// The images that a verdict on `known` may depend on.
    fn after(&self, known: &Known, at: &Next) -> Vec<Next> {
        let here =
            |digest, with_images| Next { repository: known.repository.clone(), digest, depth: at.depth, with_images };
        let images = known.images.iter().filter(|_| at.with_images).map(|child| here(child.digest, false));
        let roots = known.roots.iter().map(|root| here(*root, false));
        let below = at.depth + 1;
        let claims = || known.proof.facts.iter().map(|fact| fact.claim());
        let in_provenances =
            claims().filter_map(Claim::provenance).flat_map(|provenance| provenance.base_images.iter());
        let in_sboms = claims().filter_map(Claim::sbom).flat_map(|sbom| sbom.base_images.images.iter());
        let bases = in_provenances.chain(in_sboms).filter(|_| below <= BASE_DEPTH);
        let bases = bases.filter_map(|base| self.located(base)).map(|(repository, digest)| Next {
            repository,
            digest,
            depth: below,
            with_images: false,
        });
        images.chain(roots).chain(bases).collect()
    }

    fn located(&self, base: &BaseImage) -> Option<(Repository, Digest)> {
        let repository = base.repository.as_ref()?;
        let upstream = self.canonical(&repository.upstream)?;
        Some((Repository::new(upstream.clone(), repository.name.clone()), base.digest?))
    }
}
