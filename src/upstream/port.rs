//! What the rest of the program may ask of an upstream registry, and the three answers: there (`Ok(Some)`), not there
//! (`Ok(None)`, a 404), could not be asked (`Err`).

use std::fmt;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;

use crate::oci::{Descriptor, Digest, RepositoryName, Tag};

/// One configured upstream registry.
#[async_trait]
pub trait Upstream: fmt::Debug + Send + Sync {
    /// The digest that `tag` means now.
    async fn resolve(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<Digest>, Unavailable>;

    /// The bytes of the manifest `digest`, at most [`crate::limits::MANIFEST_BYTES`], hashed.
    async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: Digest,
    ) -> Result<Option<RemoteManifest>, Unavailable>;

    /// The bytes of the manifest that `tag` means now, at most [`crate::limits::MANIFEST_BYTES`]: one round trip where
    /// [`Self::resolve`] and [`Self::manifest`] are two, and one that registries may count against a quota.
    async fn tagged(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<RemoteManifest>, Unavailable>;

    /// The bytes of `part` of the blob `digest`. Not hashed: whoever keeps them hashes them. What is cut or comes too slowly is
    /// taken up where it ended, so that nobody else need do so.
    async fn blob(
        &self,
        repository: &RepositoryName,
        digest: Digest,
        part: BlobPart,
    ) -> Result<Option<BlobStream>, Unavailable>;

    /// Hears that the bytes of the blob `digest` which it sent are others, or too few or too many, so that they are asked of
    /// another address for a while, if it has several.
    fn blob_was_wrong(&self, digest: Digest);

    /// All referrers of `digest` that the referrers API lists, over all pages (bounded by
    /// [`crate::limits::REFERRER_PAGES`]). `Ok(None)`: the registry has no referrers API, or says there are none by 404.
    async fn referrers(
        &self,
        repository: &RepositoryName,
        digest: Digest,
    ) -> Result<Option<Vec<Descriptor>>, Unavailable>;

    /// One page of tags after `last`, at most `limit`.
    async fn tags(
        &self,
        repository: &RepositoryName,
        last: Option<&Tag>,
        limit: u32,
    ) -> Result<Option<TagPage>, Unavailable>;
}

/// A manifest as fetched: its bytes hash to the digest asked for, if one was.
#[derive(Debug, Clone)]
pub struct RemoteManifest {
    /// The bytes.
    pub bytes: Bytes,
}

/// What of a blob is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobPart {
    /// The offset of the first byte; all that follow are asked for.
    pub from: u64,
    /// How many bytes the whole blob has, if whoever asks knows it: where the upstream does not say so, a body that ends earlier
    /// is taken up, and one that ends there is whole.
    pub size: Option<u64>,
}

impl BlobPart {
    /// What follows the first `from` bytes of a blob of unknown size.
    pub const fn from_offset(from: u64) -> Self {
        Self { from, size: None }
    }
}

/// The body of a blob.
pub struct BlobStream {
    /// How many bytes the whole blob has, if the upstream said so.
    pub total: Option<u64>,
    /// The bytes. An error ends it for good.
    pub bytes: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
}

impl fmt::Debug for BlobStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobStream").field("total", &self.total).finish_non_exhaustive()
    }
}

/// One page of a list of tags.
#[derive(Debug, Clone)]
pub struct TagPage {
    /// The tags.
    pub tags: Vec<Tag>,
    /// Whether more follow.
    pub more: bool,
}

/// An upstream could not be asked, or its answer could not be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{upstream}: {kind}: {text}")]
pub struct Unavailable {
    /// The upstream, by its configured name.
    pub upstream: String,
    /// What went wrong.
    pub kind: UnavailableKind,
    /// The same in words: which request, which answer.
    pub text: String,
    /// When to try again, if the upstream said so.
    pub retry_after: Option<Duration>,
}

/// Why an upstream could not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnavailableKind {
    /// No connection: route, TLS, or nobody there.
    Connect,
    /// It took too long.
    Timeout,
    /// The credentials were refused, or anonymous access is.
    Unauthorized,
    /// 429.
    RateLimited,
    /// 5xx, or any other status that says neither yes nor no.
    Status,
    /// The body was cut, malformed or larger than the bound.
    Body,
    /// The body has another digest than was asked for.
    Digest,
    /// It is not asked for a while, since requests failed in a row.
    Resting,
    /// There are as many requests to it under way as it takes.
    Busy,
    /// It was not asked, since this host has no file left, or no address for its name.
    ThisHost,
}

impl fmt::Display for UnavailableKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "cannot connect",
            Self::Timeout => "timed out",
            Self::Unauthorized => "not authorized",
            Self::RateLimited => "rate limited",
            Self::Status => "unexpected answer",
            Self::Body => "unusable body",
            Self::Digest => "digest mismatch",
            Self::Resting => "left alone",
            Self::Busy => "too much to ask",
            Self::ThisHost => "a fault of this host",
        })
    }
}
