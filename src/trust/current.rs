//! The snapshot of the moment: swapped as a whole, and read without waiting for whoever swaps it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::trust::Trust;

/// Where to find the snapshot of the moment. Cheap to clone; all clones find the same.
///
/// Whoever decides takes [`Self::snapshot`] once, and uses that to the end: a decision under two snapshots would be one
/// under none.
#[derive(Debug, Clone)]
pub struct Current(watch::Receiver<Arc<Trust>>);

impl Current {
    /// `trust`, for good.
    pub fn fixed(trust: Trust) -> Self {
        Self::swappable(trust).1
    }

    /// `trust`, until the sender sends another one.
    pub fn swappable(trust: Trust) -> (watch::Sender<Arc<Trust>>, Self) {
        let (sender, receiver) = watch::channel(Arc::new(trust));
        (sender, Self(receiver))
    }

    /// The snapshot of the moment.
    pub fn snapshot(&self) -> Arc<Trust> {
        Arc::clone(&self.0.borrow())
    }

    /// The next snapshot, once there is one; none once nobody can swap it any more.
    pub async fn next(&mut self) -> Option<Arc<Trust>> {
        self.0.changed().await.ok()?;
        Some(Arc::clone(&self.0.borrow_and_update()))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::trust::{KeySettings, WithoutLog};

    fn trust(keys: &[KeySettings]) -> Trust {
        Trust::load(&[], keys).unwrap()
    }

    fn other() -> Trust {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pub");
        let pem = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYI4heOTrNrZO27elFE8ynfrdPMik\n\
                   ttRkbe+vJKQ50G6bfwQ3WyhLpRwwwohelDAm8xRzJ56nYsIa3VHivVvpmA==\n-----END PUBLIC KEY-----\n";
        std::fs::write(&path, pem).unwrap();
        let without_log = WithoutLog::Refuse;
        trust(&[KeySettings { name: "release".into(), path, not_before: None, not_after: None, without_log }])
    }

    #[test]
    fn a_snapshot_that_was_taken_stays_what_it_is() {
        let (sender, current) = Current::swappable(trust(&[]));
        let before = current.snapshot();
        sender.send_replace(Arc::new(other()));
        assert!(!before.has_key("release"));
        assert!(current.snapshot().has_key("release"));
        assert_ne!(current.snapshot().epoch(), before.epoch());
    }

    #[test]
    fn who_waits_is_told_of_each_swap_and_of_the_end() {
        let (sender, mut current) = Current::swappable(trust(&[]));
        assert!(current.next().now_or_never().is_none());
        sender.send_replace(Arc::new(other()));
        assert!(current.next().now_or_never().flatten().unwrap().has_key("release"));
        drop(sender);
        assert!(current.next().now_or_never().unwrap().is_none());
    }
}
