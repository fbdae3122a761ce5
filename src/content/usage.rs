//! How much is committed, and the sign that it has become too much.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::IntGauge;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long it takes until a tenth goes again, where nobody can tell how much is missing.
const AGAIN: Duration = Duration::from_mins(10);

/// How many bytes are committed, as far as is known: what a survey found, and what was committed here since.
///
/// Other processes commit and people delete, so between two surveys it is a guess.
#[derive(Debug)]
pub(super) struct Usage {
    most: u64,
    /// Beyond how many bytes the sign is given.
    enough: AtomicU64,
    surveyed: AtomicU64,
    grown: AtomicU64,
    /// The size of the largest content that the disk had no room for since room was made last; 0 if it had.
    wanted: AtomicU64,
    /// When a tenth went.
    tenth: Mutex<Option<Instant>>,
    too_much: Notify,
    gauge: IntGauge,
}

impl Usage {
    /// Nothing is known yet; `most` bytes may be kept.
    pub(super) fn new(most: u64, gauge: IntGauge) -> Self {
        Self {
            most,
            enough: AtomicU64::new(most),
            surveyed: AtomicU64::new(0),
            grown: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
            tenth: Mutex::default(),
            too_much: Notify::new(),
            gauge,
        }
    }

    /// `bytes` more were committed.
    pub(super) fn grew(&self, bytes: u64) {
        self.grown.fetch_add(bytes, Ordering::Relaxed);
        self.show();
        if self.bytes() > self.enough.load(Ordering::Relaxed) {
            self.too_much.notify_one();
        }
    }

    /// How many bytes may be kept.
    pub(super) const fn most(&self) -> u64 {
        self.most
    }

    /// The disk has no room for a content of `size` bytes, whatever the bound says.
    pub(super) fn no_room_for(&self, size: u64) {
        self.wanted.fetch_max(size.max(1), Ordering::Relaxed);
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

    /// After room was made, `bytes` are left. Where they are still too much, because they must not or cannot go, the next sign
    /// is given only when a tenth of what may be kept has come on top: not with each content that comes.
    pub(super) fn left(&self, bytes: u64) {
        let enough = if bytes > self.most { bytes.saturating_add(self.most / 10) } else { self.most };
        self.enough.store(enough, Ordering::Relaxed);
    }

    /// Whether `bytes` that must stay are so much that making room takes all others.
    pub(super) fn is_filled_by(&self, bytes: u64) -> bool {
        bytes > low(self.most)
    }

    /// How much of `bytes` must go: nothing unless there is too much, else a tenth of the bound more than that, so that one pass
    /// over the store makes room for more than one layer.
    pub(super) const fn excess(&self, bytes: u64) -> u64 {
        if bytes <= self.most { 0 } else { bytes.saturating_sub(low(self.most)) }
    }

    /// How much of the `evictable` bytes must go since the disk, which has room for `free` more as far as it can tell, had none
    /// for a content: what is missing, and some more for what is written meanwhile; nothing if all of it would not do, or the
    /// next content that is too large would cost all that is kept. Where nobody can tell, or a quota ends before the disk does,
    /// it is a tenth, and that not for each content.
    pub(super) fn shortage(&self, evictable: u64, free: Option<u64>) -> u64 {
        let wanted = self.wanted.swap(0, Ordering::Relaxed);
        if wanted == 0 {
            return 0;
        }
        let missing = free.map_or(0, |free| wanted.saturating_sub(free));
        if missing > evictable {
            0
        } else if missing > 0 {
            missing.saturating_add(wanted / 10)
        } else if self.may_give_a_tenth() {
            evictable / 10
        } else {
            0
        }
    }

    fn may_give_a_tenth(&self) -> bool {
        let mut last = self.tenth.lock().unwrap_or_else(PoisonError::into_inner);
        let may = last.is_none_or(|last| last.elapsed() >= AGAIN);
        if may {
            *last = Some(Instant::now());
        }
        may
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

/// Down to how many bytes room is made where `most` may be kept.
const fn low(most: u64) -> u64 {
    most - most / 10
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
    fn a_full_disk_frees_what_is_missing_once() {
        let usage = usage(1000);
        usage.no_room_for(100);
        usage.no_room_for(50);
        assert_eq!((usage.shortage(500, Some(30)), usage.shortage(500, Some(30))), (80, 0));
    }

    #[test]
    fn nothing_goes_for_what_would_not_fit_if_all_went() {
        let usage = usage(1000);
        for _ in 0..20 {
            usage.no_room_for(600);
            assert_eq!(usage.shortage(500, Some(99)), 0);
        }
        usage.no_room_for(600);
        assert_eq!(usage.shortage(500, Some(100)), 560);
    }

    #[test]
    fn where_nobody_can_tell_what_is_missing_a_tenth_goes_and_not_for_each_content() {
        for free in [None, Some(1000)] {
            let usage = usage(1000);
            usage.no_room_for(100);
            assert_eq!(usage.shortage(500, free), 50);
            usage.no_room_for(100);
            assert_eq!(usage.shortage(450, free), 0);
        }
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
    fn where_what_is_left_is_too_much_the_sign_is_given_when_a_tenth_has_come_on_top() {
        let usage = usage(1000);
        usage.surveyed(1200, usage.before_survey());
        usage.left(1200);
        usage.grew(100);
        assert!(usage.too_much().now_or_never().is_none());
        usage.grew(1);
        assert!(usage.too_much().now_or_never().is_some());
        usage.left(900);
        usage.surveyed(900, usage.before_survey());
        usage.grew(101);
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
