//! Bytes that are remembered by their digest.

use std::fmt;
use std::sync::Arc;

use ahash::RandomState;
use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::oci::Digest;
use crate::remembered::options;

/// What an entry costs beside its bytes, rounded up.
const BESIDE: u64 = 128;

/// Bytes by digest, in a room of so many of them; what is more than a fifth of the room may not be remembered. What is asked for
/// again stays, what was asked for once goes first. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct RememberedBytes(Arc<Cache<Digest, Bytes, Weights, RandomState>>);

#[derive(Clone)]
struct Weights;

impl Weighter<Digest, Bytes> for Weights {
    fn weight(&self, _: &Digest, bytes: &Bytes) -> u64 {
        bytes.len() as u64 + BESIDE
    }
}

impl RememberedBytes {
    /// With room for `bytes`.
    pub(crate) fn new(bytes: u64) -> Self {
        // Digests are chosen by strangers: they are hashed with a secret of this process.
        let (options, hasher) = (options(bytes, BESIDE), RandomState::new());
        Self(Arc::new(Cache::with_options(options, Weights, hasher, DefaultLifecycle::default())))
    }

    /// The bytes of `digest`, if they are remembered.
    pub(crate) fn get(&self, digest: Digest) -> Option<Bytes> {
        self.0.get(&digest)
    }

    /// Whether those of `digest` are. This does not count as asking for them.
    pub(crate) fn has(&self, digest: Digest) -> bool {
        self.0.peek(&digest).is_some()
    }

    /// Remembers `bytes`, whose digest it is.
    pub(crate) fn add(&self, digest: Digest, bytes: Bytes) {
        self.0.insert(digest, bytes);
    }
}

impl fmt::Debug for RememberedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RememberedBytes").field("entries", &self.0.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: u64 = 64 * 1024 * 1024;

    fn zeros(length: u64) -> Bytes {
        vec![0; usize::try_from(length).unwrap()].into()
    }

    #[test]
    fn what_is_a_fifth_of_the_room_is_remembered() {
        let (remembered, digest) = (RememberedBytes::new(ROOM), Digest::of(b"large"));
        let large = zeros(ROOM / 5);
        remembered.add(digest, large.clone());
        assert!(remembered.has(digest));
        assert_eq!(remembered.get(digest), Some(large));
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let (remembered, large) = (RememberedBytes::new(ROOM), zeros(1024 * 1024));
        let digests: Vec<_> = (0..200_u32).map(|number| Digest::of(&number.to_be_bytes())).collect();
        for digest in &digests {
            remembered.add(*digest, large.clone());
        }
        let held = digests.iter().filter(|digest| remembered.has(**digest)).count() as u64;
        assert!((1..=ROOM / large.len() as u64).contains(&held), "{held}");
    }
}
