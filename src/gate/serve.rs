//! The bytes behind an [`Admitted`], and what serving them grants.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::content::{Length, Origin, OriginBody, Reader};
use crate::facts::GrantKind;
use crate::gate::Gate;
use crate::gate::admitted::{Admitted, Grants, Refusal};
use crate::gate::served::Head;
use crate::limits::DESCRIPTORS;
use crate::oci::{Digest, ErrorCode, Manifest, Repository, Tag, digest_of, parse_manifest};
use crate::upstream::{BlobPart, TagPage, Upstream};

/// A manifest to send: its bytes hash to `digest`.
#[derive(Debug, Clone)]
pub struct ManifestBody {
    /// The bytes.
    pub bytes: Bytes,
    /// Media type, told from the bytes, and digest, as they are sent.
    pub head: Arc<Head>,
    /// The digest.
    pub digest: Digest,
}

impl Gate {
    /// The bytes of an admitted manifest. What it reaches is granted before they are returned, so that the client's next
    /// request finds the grant, here or at another replica.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if the upstream lost it, [`Refusal::Invalid`] if it is no manifest that can be served,
    /// [`Refusal::Undecided`] if it cannot be fetched now.
    pub async fn manifest(&self, admitted: &Admitted) -> Result<ManifestBody, Refusal> {
        let &Admitted { ref repository, digest, root, grants, .. } = admitted;
        if grants == Grants::Reached
            && let Some(head) = self.served.get(repository, root, digest)
            && let Some(bytes) = self.content.manifest(digest).await?
        {
            return Ok(ManifestBody { bytes, head, digest });
        }
        let (bytes, manifest) = self.fetch_manifest(repository, digest).await?;
        let reached = reached(&manifest)?;
        let head = Arc::new(Head::new(&manifest.media_type(), digest, bytes.len()));
        match grants {
            Grants::Reached => {
                self.facts.grant(repository, root, &reached).await?;
                self.served.add(repository, root, digest, Arc::clone(&head));
            }
            Grants::Nothing => {}
        }
        Ok(ManifestBody { bytes, head, digest })
    }

    /// Notes that `client` is served an admitted manifest, so that it can be told who pulled what turns out to be bad.
    pub fn note_pull(&self, admitted: &Admitted, client: IpAddr) {
        self.facts.pulled(&admitted.repository, admitted.root, client);
    }

    pub(in crate::gate) async fn fetch_blob(
        &self,
        repository: &Repository,
        digest: Digest,
        length: Length,
    ) -> Result<Reader, Refusal> {
        let upstream = self.upstream(&repository.upstream)?;
        let origin = BlobOrigin { upstream, repository: repository.clone(), digest, size: length.known() };
        Ok(self.content.read_through(digest, length, Arc::new(origin)).await?)
    }

    /// One page of the tags of `repository`, if a rule could admit an image of it.
    ///
    /// # Errors
    /// [`Refusal::Denied`] if none could.
    pub async fn tags(&self, repository: &Repository, last: Option<&Tag>, limit: u32) -> Result<TagPage, Refusal> {
        let upstream = self.upstream(&repository.upstream)?;
        if let Some(verdict) = self.policy.snapshot().hides(repository) {
            let refusal = Refusal::denied(repository, None, verdict);
            self.metrics.decision(repository).refused(&refusal);
            return Err(refusal);
        }
        let page = upstream.tags(&repository.name, last, limit).await?;
        page.ok_or_else(|| Refusal::not_found(ErrorCode::NameUnknown, repository))
    }

    /// The manifest `digest` that something admitted leads to.
    pub(in crate::gate) async fn fetch_manifest(
        &self,
        repository: &Repository,
        digest: Digest,
    ) -> Result<(Bytes, Manifest), Refusal> {
        let upstream = self.upstream(&repository.upstream)?;
        let bytes = self.manifests.bytes(&upstream, repository, digest).await?;
        let bytes = bytes.ok_or_else(|| Refusal::no_manifest(repository, digest))?;
        let manifest = parse_manifest(&bytes)
            .map_err(|error| Refusal::Invalid { text: format!("{repository}@{digest} cannot be served: {error}") })?;
        Ok((bytes, manifest))
    }
}

/// What a manifest reaches: one hop, since each child is parsed when it is asked for.
pub(in crate::gate) fn reached(manifest: &Manifest) -> Result<Vec<(Digest, GrantKind, u64)>, Refusal> {
    let children = manifest.children().iter().map(|child| (child, GrantKind::Manifest));
    let blobs = manifest.blobs().map(|blob| (blob, GrantKind::Blob));
    let mut reached = Vec::new();
    for (descriptor, kind) in children.chain(blobs).take(DESCRIPTORS + 1) {
        // A child of another digest algorithm cannot be asked for, so it needs no grant.
        if let Ok(digest) = digest_of(descriptor) {
            reached.push((digest, kind, descriptor.size()));
        }
    }
    if reached.len() > DESCRIPTORS {
        return Err(Refusal::Invalid { text: format!("it reaches more than {DESCRIPTORS} others") });
    }
    Ok(reached)
}

/// A blob at its upstream.
struct BlobOrigin {
    upstream: Arc<dyn Upstream>,
    repository: Repository,
    digest: Digest,
    size: Option<u64>,
}

#[async_trait]
impl Origin for BlobOrigin {
    fn name(&self) -> String {
        self.repository.to_string()
    }

    async fn fetch(&self, from: u64) -> io::Result<OriginBody> {
        let part = BlobPart { from, size: self.size };
        let blob = self.upstream.blob(&self.repository.name, self.digest, part).await.map_err(io::Error::other)?;
        let blob =
            blob.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the upstream does not have the blob"))?;
        Ok(OriginBody { total: blob.total, bytes: blob.bytes })
    }

    fn was_wrong(&self) {
        self.upstream.blob_was_wrong(self.digest);
    }
}
