//! An upstream registry over HTTP: each question of the port, asked of its addresses.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use crate::clock::Clock;
use crate::limits::{EVIDENCE_PIECES, REFERRER_PAGES};
use crate::oci::{Descriptor, Digest, RepositoryName, Tag};
use crate::upstream::answers::Answers;
use crate::upstream::download::Download;
use crate::upstream::exchange::Exchange;
use crate::upstream::trouble::{Retry, Trouble};
use crate::upstream::ways::Ways;
use crate::upstream::{BlobPart, BlobStream, RemoteManifest, TagPage, Unavailable, UnavailableKind, Upstream};

/// One upstream.
#[derive(Debug)]
pub(super) struct Remote {
    ways: Arc<Ways>,
    clock: Arc<dyn Clock>,
    digests: Answers<Digest>,
    manifests: Answers<Bytes>,
    referrers: Answers<Vec<Descriptor>>,
}

impl Remote {
    pub(super) fn new(ways: Ways, clock: Arc<dyn Clock>) -> Self {
        let (ways, digests, manifests, referrers) = (Arc::new(ways), Answers::new(), Answers::new(), Answers::new());
        Self { ways, clock, digests, manifests, referrers }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn unavailable(&self, trouble: Trouble) -> Unavailable {
        self.ways.unavailable(trouble)
    }

    async fn ask_for_digest(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<Digest>, Unavailable> {
        let said = self.ways.ask(|at| async move { at.digest_of(repository, tag).await }).await;
        match said.map_err(|trouble| self.unavailable(trouble))? {
            None => Ok(None),
            Some(Some(digest)) => Ok(Some(digest)),
            Some(None) => Ok(self.tagged(repository, tag).await?.map(|manifest| Digest::of(&manifest.bytes))),
        }
    }

    /// All pages; whichever address begins the list goes on with it.
    async fn all_referrers(
        &self,
        repository: &RepositoryName,
        digest: Digest,
    ) -> Result<Option<Vec<Descriptor>>, Trouble> {
        let first = |at: Arc<Exchange>| async move {
            let call = at.referrers(repository, digest)?;
            let page = at.referrers_page(&call).await?;
            Ok((at, call, page))
        };
        let (at, mut call, page) = self.ways.ask(first).await?;
        let Some(mut page) = page else { return Ok(None) };
        let mut all = Vec::new();
        let mut seen = BTreeSet::new();
        loop {
            all.extend(page.referrers);
            seen.insert(call.uri.to_string());
            let Some(next) = page.next else { return Ok(Some(all)) };
            if seen.contains(&next.uri.to_string()) {
                return Err(unusable("a list of referrers that goes in circles").at(&next.name()));
            }
            if seen.len() == REFERRER_PAGES {
                break;
            }
            call = next;
            let next = self.ways.patience().persist(|| at.referrers_page(&call)).await?;
            page = next.ok_or_else(|| unusable("a list of referrers that breaks off").at(&call.name()))?;
        }
        // More than anybody looks at is as good as all; fewer, on so many pages, is a list made to hide something.
        if all.len() > EVIDENCE_PIECES {
            return Ok(Some(all));
        }
        Err(unusable("a list of referrers of too many pages").at(&call.name()))
    }
}

#[async_trait]
impl Upstream for Remote {
    async fn resolve(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<Digest>, Unavailable> {
        self.digests.to(&format!("{repository}:{tag}"), self.now(), self.ask_for_digest(repository, tag)).await
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: Digest,
    ) -> Result<Option<RemoteManifest>, Unavailable> {
        let asking = async {
            let bytes = self.ways.ask(|at| async move { at.manifest(repository, digest).await }).await;
            bytes.map_err(|trouble| self.unavailable(trouble))
        };
        let bytes = self.manifests.to(&format!("{repository}@{digest}"), self.now(), asking).await?;
        Ok(bytes.map(|bytes| RemoteManifest { bytes }))
    }

    async fn tagged(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<RemoteManifest>, Unavailable> {
        let asking = async {
            let bytes = self.ways.ask(|at| async move { at.tagged(repository, tag).await }).await;
            bytes.map_err(|trouble| self.unavailable(trouble))
        };
        let bytes = self.manifests.to(&format!("{repository}:{tag}"), self.now(), asking).await?;
        Ok(bytes.map(|bytes| RemoteManifest { bytes }))
    }

    async fn blob(
        &self,
        repository: &RepositoryName,
        digest: Digest,
        part: BlobPart,
    ) -> Result<Option<BlobStream>, Unavailable> {
        let download = Download::start(Arc::clone(&self.ways), repository.clone(), digest, part).await;
        Ok(download.map_err(|trouble| self.unavailable(trouble))?.map(Download::into_stream))
    }

    fn blob_was_wrong(&self, digest: Digest) {
        self.ways.blob_was_wrong(digest);
    }

    async fn referrers(
        &self,
        repository: &RepositoryName,
        digest: Digest,
    ) -> Result<Option<Vec<Descriptor>>, Unavailable> {
        let asking =
            async { self.all_referrers(repository, digest).await.map_err(|trouble| self.unavailable(trouble)) };
        self.referrers.to(&format!("{repository}@{digest}"), self.now(), asking).await
    }

    async fn tags(
        &self,
        repository: &RepositoryName,
        last: Option<&Tag>,
        limit: u32,
    ) -> Result<Option<TagPage>, Unavailable> {
        let page = self.ways.ask(|at| async move { at.tag_page(repository, last, limit).await }).await;
        page.map_err(|trouble| self.unavailable(trouble))
    }
}

fn unusable(text: &str) -> Trouble {
    Trouble::new(UnavailableKind::Body, text, Retry::Never)
}
