//! The port behind which facts lie: SQLite here, PostgreSQL for several replicas.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::facts::error::FactsError;
use crate::facts::packages::PackageStore;
use crate::facts::pulls::PullStore;
use crate::oci::{Digest, Repository, Tag};

/// What a proof is about: the same digest elsewhere, or under another trust, proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProofKey {
    /// The repository that the digest is in, and that evidence was collected in.
    pub repository: Repository,
    /// The digest that it is about.
    pub digest: Digest,
    /// The epoch of the trust that it was checked with.
    pub epoch: Digest,
    /// The other repositories that evidence was collected in. A store need not tell them apart: the proof names them itself.
    pub elsewhere: Vec<Repository>,
}

/// What a granted digest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GrantKind {
    /// A manifest or an index.
    Manifest,
    /// A config, a layer, a piece of evidence.
    Blob,
}

/// One reason to serve a digest: a root that was admitted, and reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Grant {
    /// The root. Judge it again before the digest is served.
    pub root: Digest,
    /// What the digest is.
    pub kind: GrantKind,
    /// How many bytes it has.
    pub size: u64,
}

/// What a tag meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolution {
    /// The digest.
    pub digest: Digest,
    /// When the upstream said so, to the microsecond.
    pub resolved_at: Timestamp,
}

impl Resolution {
    /// How long ago, at `now`, the upstream said so; a clock that went back counts as one that went on.
    pub fn age(&self, now: Timestamp) -> Duration {
        now.duration_since(self.resolved_at).unsigned_abs()
    }
}

/// Keeps facts. Whatever a `keep_` says is durable when it returns.
#[async_trait]
pub trait FactStore: PackageStore + PullStore + Debug + Send + Sync {
    /// The proof kept under `key`, as text.
    async fn proof(&self, key: &ProofKey) -> Result<Option<String>, FactsError>;

    /// Keeps a proof, in place of what was kept under `key`.
    async fn keep_proof(&self, key: &ProofKey, proof: String) -> Result<(), FactsError>;

    /// Forgets at most `most` proofs of other epochs than `epoch`, and says how many.
    async fn forget_epochs_except(&self, epoch: Digest, most: u32) -> Result<u64, FactsError>;

    /// The grants of `digest`, the latest first, at most [`crate::limits::ROOTS_PER_GRANT`].
    async fn grants(&self, repository: &Repository, digest: Digest) -> Result<Vec<Grant>, FactsError>;

    /// The granted manifests of `repository`, each with its root, the latest first, at most `most`.
    async fn granted_manifests(&self, repository: &Repository, most: u32) -> Result<Vec<(Digest, Digest)>, FactsError>;

    /// Keeps that `root` reaches all of `reached`, or nothing of it.
    async fn keep_grants(
        &self,
        repository: &Repository,
        root: Digest,
        reached: &[(Digest, GrantKind, u64)],
        now: Timestamp,
    ) -> Result<(), FactsError>;

    /// What `tag` meant.
    async fn resolution(&self, repository: &Repository, tag: &Tag) -> Result<Option<Resolution>, FactsError>;

    /// Keeps what `tag` means, and that its digest was seen under it.
    async fn keep_resolution(
        &self,
        repository: &Repository,
        tag: &Tag,
        resolution: Resolution,
    ) -> Result<(), FactsError>;

    /// The digest that was last admitted for `tag`.
    async fn last_admitted(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>, FactsError>;

    /// Keeps that `digest` was admitted for `tag`, in place of what was admitted before.
    async fn keep_last_admitted(
        &self,
        repository: &Repository,
        tag: &Tag,
        digest: Digest,
        now: Timestamp,
    ) -> Result<(), FactsError>;

    /// Keeps that all of `digests` were seen under `tag`, or none of them.
    async fn keep_seen(
        &self,
        repository: &Repository,
        tag: &Tag,
        digests: &[Digest],
        now: Timestamp,
    ) -> Result<(), FactsError>;

    /// The tags that `digest` was seen under, the latest first, at most `most`.
    async fn tags_of(&self, repository: &Repository, digest: Digest, most: u32) -> Result<Vec<Tag>, FactsError>;
}
