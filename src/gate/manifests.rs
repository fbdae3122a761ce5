//! Manifests by digest: from the content kept here, else from the upstream and then kept.

use std::sync::Arc;

use bytes::Bytes;

use crate::content::{ContentError, Library};
use crate::flights::Flights;
use crate::gate::admitted::Refusal;
use crate::oci::{Digest, Manifest, Repository, parse_manifest};
use crate::upstream::{Unavailable, Upstream};

/// Manifests, kept where content is kept. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(in crate::gate) struct Manifests {
    content: Arc<Library>,
    flights: Flights<(Repository, Digest)>,
}

impl Manifests {
    pub(in crate::gate) fn new(content: Arc<Library>) -> Self {
        Self { content, flights: Flights::new() }
    }

    /// The bytes of `digest`, which they hash to; nothing if the upstream does not have it. Whoever asks meanwhile waits
    /// for the same, and gets the same, error or not.
    ///
    /// What is kept is looked at in the flight: whoever looked before it, and saw nothing, could come too late for the
    /// flight that fetches, and fetch again.
    pub(in crate::gate) async fn bytes(
        &self,
        upstream: &Arc<dyn Upstream>,
        repository: &Repository,
        digest: Digest,
    ) -> Result<Option<Bytes>, Refusal> {
        let (manifests, upstream, of) = (self.clone(), Arc::clone(upstream), repository.clone());
        let flight = async move {
            match manifests.content.manifest(digest).await? {
                Some(bytes) => Ok(Some(bytes)),
                None => manifests.fetch(&*upstream, &of, digest).await,
            }
        };
        self.flights.join(&(repository.clone(), digest), flight).await
    }

    /// The same, asked of the upstream whatever is kept here: content is shared by all repositories, so that having it says
    /// nothing of whether this one has it.
    pub(in crate::gate) async fn fetch(
        &self,
        upstream: &dyn Upstream,
        repository: &Repository,
        digest: Digest,
    ) -> Result<Option<Bytes>, Refusal> {
        let Some(remote) = upstream.manifest(&repository.name, digest).await? else {
            return Ok(None);
        };
        self.keep(digest, remote.bytes.clone()).await?;
        Ok(Some(remote.bytes))
    }

    /// A full disk is no reason to refuse what was fetched and hashed: it is kept in memory all the same.
    async fn keep(&self, digest: Digest, bytes: Bytes) -> Result<(), ContentError> {
        match self.content.keep_manifest(digest, bytes).await {
            Err(error @ ContentError::Store { .. }) => {
                tracing::warn!(%digest, error = &error as &dyn std::error::Error, "a manifest is not kept on disk");
                Ok(())
            }
            kept => kept,
        }
    }

    /// The manifest `digest` as a possible carrier of evidence: nothing if it is not there, or is junk.
    ///
    /// Strangers may attach evidence, so it is not kept before something admitted needs it.
    pub(in crate::gate) async fn evidence(
        &self,
        upstream: &dyn Upstream,
        repository: &Repository,
        digest: Digest,
    ) -> Result<Option<(Bytes, Manifest)>, Unavailable> {
        let remote = upstream.manifest(&repository.name, digest).await?;
        Ok(remote.and_then(|remote| Some((remote.bytes.clone(), parse_manifest(&remote.bytes).ok()?))))
    }
}
