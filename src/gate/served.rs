//! What was served before, read once: a manifest is the same as long as its digest is, and what it reaches is granted for good.

use std::sync::Arc;

use bytes::Bytes;
use moka::future::Cache;

use crate::oci::{Digest, Repository};

/// Most manifests that are known so, some hundred bytes each.
const MANIFESTS: u64 = 100_000;

/// A manifest as the head of an answer names it: texts that are ready to be sent, and shared by all answers.
#[derive(Debug, Clone)]
pub struct Head {
    /// Its media type.
    pub media_type: Bytes,
    /// Its digest.
    pub digest: Bytes,
    /// Its number of bytes.
    pub length: Bytes,
    /// Its entity tag (RFC 9110, section 8.8.3): the digest in quotes.
    pub entity_tag: Bytes,
}

/// The manifests of which all is granted that they reach: under which root, in which repository.
#[derive(Debug)]
pub(in crate::gate) struct Served(Cache<Key, Arc<Head>>);

type Key = (Repository, Digest, Digest);

impl Head {
    /// The head of a manifest.
    pub fn new(media_type: String, digest: Digest, length: usize) -> Self {
        let (digest, entity_tag) = (digest.to_string(), format!("\"{digest}\""));
        Self {
            media_type: media_type.into(),
            digest: digest.into(),
            entity_tag: entity_tag.into(),
            length: length.to_string().into(),
        }
    }
}

impl Served {
    pub(in crate::gate) fn new() -> Self {
        Self(Cache::new(MANIFESTS))
    }

    /// The head of `digest`, if it was served under `root` before.
    pub(in crate::gate) async fn get(
        &self,
        repository: &Repository,
        root: Digest,
        digest: Digest,
    ) -> Option<Arc<Head>> {
        self.0.get(&(repository.clone(), root, digest)).await
    }

    /// Remembers the head of `digest`, all of which is granted to `root`.
    pub(in crate::gate) async fn add(&self, repository: &Repository, root: Digest, digest: Digest, head: Arc<Head>) {
        self.0.insert((repository.clone(), root, digest), head).await;
    }
}
