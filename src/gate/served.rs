//! What was served before, read once: a manifest is the same as long as its digest is, and what it reaches is granted for good.

use std::sync::Arc;

use bytes::Bytes;

use crate::oci::{Digest, Repository};
use crate::remembered::{Remember, Remembered};

/// Bytes for all that is known so: some hundred thousand manifests.
const MEMORY: u64 = 48 * 1024 * 1024;
/// What a head takes: its four texts, the one buffer that they are in, and what counts who holds them.
const HEAD: u64 = 352;

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
pub(in crate::gate) struct Served(Remembered<(Digest, Digest), Arc<Head>>);

impl Remember for Arc<Head> {
    fn held_elsewhere(&self) -> u64 {
        HEAD
    }
}

impl Head {
    /// The head of a manifest.
    pub fn new(media_type: &str, digest: Digest, length: usize) -> Self {
        let (entity_tag, length) = (format!("\"{digest}\""), length.to_string());
        let (of_tag, of_length) = (entity_tag.len(), length.len());
        let all = Bytes::from([&entity_tag, &length, media_type].concat());
        Self {
            media_type: all.slice(of_tag + of_length..),
            digest: all.slice(1..of_tag - 1),
            length: all.slice(of_tag..of_tag + of_length),
            entity_tag: all.slice(..of_tag),
        }
    }
}

impl Served {
    pub(in crate::gate) fn new() -> Self {
        Self(Remembered::new(MEMORY))
    }

    /// The head of `digest`, if it was served under `root` before.
    pub(in crate::gate) fn get(&self, repository: &Repository, root: Digest, digest: Digest) -> Option<Arc<Head>> {
        self.0.get(repository, &(root, digest))
    }

    /// Remembers the head of `digest`, all of which is granted to `root`.
    pub(in crate::gate) fn add(&self, repository: &Repository, root: Digest, digest: Digest, head: Arc<Head>) {
        self.0.set(repository, &(root, digest), head);
    }
}
