//! What a decision asks, and what it tells: the gate finds it out, and whoever tries rules on recorded facts reads it.

use std::sync::Arc;

use crate::gate::admitted::Refusal;
use crate::oci::{Descriptor, Digest, Repository, Tag, UpstreamName, digest_of};
use crate::policy::{Policy, Request, Verdict};

/// Where the answers for one decision come from: one snapshot of whom to believe.
///
/// What can be found out is never left out: an answer that cannot be had is a [`Refusal::Undecided`].
pub trait Sources: Sync {
    /// All that is known of one digest. What it holds is nobody's business but of these sources.
    type Proof: Send + Sync;

    /// The time that is judged by.
    fn now(&self) -> jiff::Timestamp;

    /// The name under which rules know an upstream; nothing if it is not configured.
    fn canonical(&self, upstream: &UpstreamName) -> Option<&UpstreamName>;

    /// What rules say of `request` by what is known of its digest.
    fn verdict(
        &self,
        policy: &Arc<Policy>,
        request: &Request<'_>,
        proof: Option<&Self::Proof>,
    ) -> impl Future<Output = Result<Verdict, Refusal>> + Send;

    /// What is known of `digest`, found out first if nothing is.
    fn proof(&self, of: &Repository, digest: Digest) -> impl Future<Output = Result<Self::Proof, Refusal>> + Send;

    /// The same found out anew, if evidence may have been published since `known` was.
    fn newer(
        &self,
        of: &Repository,
        digest: Digest,
        known: &Self::Proof,
    ) -> impl Future<Output = Result<Option<Self::Proof>, Refusal>> + Send;

    /// The other digests that were judged, and reach the manifest `digest`.
    fn roots(&self, of: &Repository, digest: Digest) -> impl Future<Output = Result<Vec<Digest>, Refusal>> + Send;

    /// The tags that `digest` was seen under.
    fn tags_of(&self, of: &Repository, digest: Digest) -> impl Future<Output = Result<Arc<[Tag]>, Refusal>> + Send;

    /// The images of an index; none of what is no index.
    fn children(&self, of: &Repository, digest: Digest) -> impl Future<Output = Result<Vec<Child>, Refusal>> + Send;

    /// The digest that was last admitted for `tag`.
    fn last_admitted(&self, of: &Repository, tag: &Tag)
    -> impl Future<Output = Result<Option<Digest>, Refusal>> + Send;

    /// That the repository has `digest`, where that was not seen already.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if it has not.
    fn check_presence(&self, of: &Repository, digest: Digest) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Hears that `tag` means an index of these images.
    fn note_seen(
        &self,
        of: &Repository,
        tag: &Tag,
        children: &[Child],
    ) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Hears that one image of an index is admitted by itself.
    fn note_child(&self, of: &Repository, child: &Child) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Hears what was decided about a root, by what.
    fn note_judged(
        &self,
        of: (&Repository, Digest),
        verdict: &Verdict,
        proof: &Self::Proof,
    ) -> impl Future<Output = ()> + Send;

    /// Hears that `digest` was proven for `tag`.
    fn note_admitted(
        &self,
        of: &Repository,
        tag: &Tag,
        digest: Digest,
    ) -> impl Future<Output = Result<(), Refusal>> + Send;
}

/// One image of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// Which one it is.
    pub digest: Digest,
    /// How many bytes its manifest has.
    pub size: u64,
    /// What it is for, such as `linux/amd64`; empty if the index does not say.
    pub platform: String,
}

/// What `BuildKit` writes on the descriptors of attestations, and on no image's.
const ATTESTATION: &str = "vnd.docker.reference.type";

impl Child {
    /// An image. Attestations are none, and are not judged: no client runs them.
    pub(in crate::gate) fn of(descriptor: &Descriptor) -> Option<Self> {
        let is_attestation = descriptor.annotations().as_ref().is_some_and(|all| all.contains_key(ATTESTATION));
        let digest = digest_of(descriptor).ok().filter(|_| !is_attestation)?;
        let platform = descriptor.platform().as_ref();
        let platform = platform.map(|platform| format!("{}/{}", platform.os(), platform.architecture()));
        Some(Self { digest, size: descriptor.size(), platform: platform.unwrap_or_default() })
    }
}
