//! How much is committed, and the sign that it has become too much.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use prometheus::IntGauge;
use tokio::sync::Notify;

/// How many bytes are committed, as far as is known: what a survey found, and what was committed here since.
///
/// Other processes commit and people delete, so between two surveys it is a guess.
#[derive(Debug)]
pub(super) struct Usage {
    most: u64,
    surveyed: AtomicU64,
    grown: AtomicU64,
    is_disk_full: AtomicBool,
    too_much: Notify,
    gauge: IntGauge,
}

impl Usage {
    /// Nothing is known yet; `most` bytes may be kept.
    pub(super) fn new(most: u64, gauge: IntGauge) -> Self {
        Self {
            most,
            surveyed: AtomicU64::new(0),
            grown: AtomicU64::new(0),
            is_disk_full: AtomicBool::new(false),
            too_much: Notify::new(),
            gauge,
        }
    }

    /// `bytes` more were committed.
    pub(super) fn grew(&self, bytes: u64) {
        self.grown.fetch_add(bytes, Ordering::Relaxed);
        self.show();
        if self.bytes() > self.most {
            self.too_much.notify_one();
        }
    }

    /// The disk has no room left, whatever the bound says.
    pub(super) fn disk_is_full(&self) {
        self.is_disk_full.store(true, Ordering::Relaxed);
        self.too_much.notify_one();
    }

    /// What was committed here before a survey begins; to be given to [`Self::surveyed`].
    pub(super) fn before_survey(&self) -> u64 {
        self.grown.load(Ordering::Relaxed)
    }

    /// A survey that began at `before` found `bytes`. What was committed meanwhile counts twice at worst.
    pub(super) fn surveyed(&self, bytes: u64, before: u64) {
        self.surveyed.store(bytes, Ordering::Relaxed);
        self.grown.fetch_sub(before, Ordering::Relaxed);
        self.show();
    }

    /// `bytes` fewer are committed.
    pub(super) fn shrank(&self, bytes: u64) {
        let less = |surveyed: u64| Some(surveyed.saturating_sub(bytes));
        if self.surveyed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok() {
            self.show();
        }
    }

    /// How much of `bytes` must go: nothing unless there is too much or the disk is full, else a tenth more than that, so
    /// that one pass over the store makes room for more than one layer.
    pub(super) fn excess(&self, bytes: u64) -> u64 {
        let is_disk_full = self.is_disk_full.swap(false, Ordering::Relaxed);
        if bytes <= self.most && !is_disk_full {
            return 0;
        }
        let most = self.most.min(bytes);
        bytes.saturating_sub(most.saturating_sub(most / 10))
    }

    /// Waits until there is too much.
    pub(super) async fn too_much(&self) {
        self.too_much.notified().await;
    }

    fn bytes(&self) -> u64 {
        self.surveyed.load(Ordering::Relaxed).saturating_add(self.grown.load(Ordering::Relaxed))
    }

    fn show(&self) {
        self.gauge.set(i64::try_from(self.bytes()).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn usage(most: u64) -> Usage {
        Usage::new(most, IntGauge::new("bytes", "bytes").unwrap())
    }

    #[test]
    fn nothing_must_go_up_to_the_bound_and_a_tenth_more_beyond_it() {
        let usage = usage(1000);
        assert_eq!((usage.excess(1000), usage.excess(1001), usage.excess(1500)), (0, 101, 600));
    }

    #[test]
    fn a_full_disk_frees_a_tenth_once() {
        let usage = usage(1000);
        usage.disk_is_full();
        assert_eq!((usage.excess(500), usage.excess(500)), (50, 0));
    }

    #[test]
    fn the_sign_is_given_when_the_bound_is_crossed() {
        let usage = usage(1000);
        usage.surveyed(900, usage.before_survey());
        usage.grew(100);
        assert!(usage.too_much().now_or_never().is_none());
        usage.grew(1);
        assert!(usage.too_much().now_or_never().is_some());
    }

    #[test]
    fn what_is_committed_during_a_survey_is_not_forgotten() {
        let usage = usage(1000);
        usage.grew(100);
        let before = usage.before_survey();
        usage.grew(10);
        usage.surveyed(100, before);
        assert_eq!(usage.gauge.get(), 110);
    }
}
