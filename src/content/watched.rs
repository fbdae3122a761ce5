//! The bytes of what is committed: that they cannot be read does not stay between a client and the disk.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::content::soundness::Soundness;
use crate::content::store::{Committed, ReadAt, Stored, Version};
use crate::oci::Digest;
use crate::piece::{Watch, Window};

/// Bytes of which it is counted, said and remembered that they cannot be read, so that whoever asks next has them fetched.
#[derive(Debug)]
struct Watched {
    bytes: Arc<dyn ReadAt>,
    doubt: Arc<Doubt>,
}

/// Where it is remembered, and of what.
#[derive(Debug)]
struct Doubt {
    soundness: Soundness,
    digest: Digest,
    version: Version,
}

/// What is `committed` under `digest`, watched by `soundness` from now on.
pub(super) fn watched(committed: Committed, digest: Digest, soundness: &Soundness) -> Committed {
    let Committed { stored: Stored { size, bytes }, version } = committed;
    let doubt = Arc::new(Doubt { soundness: soundness.clone(), digest, version });
    Committed { stored: Stored { size, bytes: Arc::new(Watched { bytes, doubt }) }, version }
}

#[async_trait]
impl ReadAt for Watched {
    fn read_at_once(&self, offset: u64, most: usize) -> Option<Bytes> {
        self.bytes.read_at_once(offset, most)
    }

    fn window(&self, offset: u64, most: u64) -> Option<Window> {
        Some(self.bytes.window(offset, most)?.watched(Arc::clone(&self.doubt) as _))
    }

    async fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        self.bytes.read_at(offset, length).await.inspect_err(|error| self.doubt.cannot_be_read(error))
    }
}

impl Watch for Doubt {
    fn cannot_be_read(&self, error: &io::Error) {
        self.soundness.found_unreadable(self.digest, self.version, error);
    }
}

#[cfg(test)]
mod tests {
    use prometheus::IntCounter;

    use super::*;

    /// Content of which windows are sent, and nothing can be read.
    #[derive(Debug)]
    struct Broken;

    #[async_trait]
    impl ReadAt for Broken {
        fn window(&self, offset: u64, _: u64) -> Option<Window> {
            Window::new(Arc::new(tempfile::tempfile().unwrap()), offset, 10)
        }

        async fn read_at(&self, _: u64, _: usize) -> io::Result<Bytes> {
            Err(io::ErrorKind::Other.into())
        }
    }

    const VERSION: Version = Version { object: 7, size: 10, foreign: None };

    fn broken() -> (Soundness, Digest, Stored) {
        let soundness = Soundness::new(IntCounter::new("unreadable", "unreadable").unwrap());
        let digest = Digest::of(b"content");
        let stored = Stored { size: 10, bytes: Arc::new(Broken) };
        let committed = watched(Committed { stored, version: VERSION }, digest, &soundness);
        (soundness, digest, committed.stored)
    }

    #[tokio::test]
    async fn a_read_that_fails_is_remembered_of_that_version() {
        let (soundness, digest, stored) = broken();
        assert!(!soundness.is_unfit(digest, VERSION));
        stored.bytes.read_at(0, 1).await.unwrap_err();
        assert!(soundness.is_unfit(digest, VERSION));
        assert!(!soundness.is_unfit(digest, Version { object: 8, ..VERSION }));
    }

    #[test]
    fn a_window_that_cannot_be_sent_is_remembered_also_of_what_is_left_of_it() {
        let (soundness, digest, stored) = broken();
        let window = stored.bytes.window(0, 10).unwrap().after(3).unwrap();
        window.cannot_be_read(&io::ErrorKind::Other.into());
        assert!(soundness.is_unfit(digest, VERSION));
    }
}
