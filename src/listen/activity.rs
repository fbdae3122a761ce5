//! What a connection is doing: whether it idles, and whether its client stopped taking what it asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::Version;
use tokio::time::Instant;

use crate::listen::Limits;

/// The requests of one connection, counted.
#[derive(Debug)]
pub(in crate::listen) struct Activity {
    start: Instant,
    /// Requests whose response is not written yet.
    open: AtomicUsize,
    /// Of these, the ones that wait for this side: for an answer, or for more of its body.
    ours: AtomicUsize,
    /// When bytes were last handed over to the client, or taken by it, in milliseconds since `start`.
    moved: AtomicU64,
    /// Whether a request came over HTTP/2.
    is_http_2: AtomicBool,
}

/// What to do about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::listen) enum State {
    /// Nothing; look again then.
    Busy(Instant),
    /// No request for too long, or none of which the head has ended.
    Idle,
    /// The client takes nothing of what it asked for.
    Stalled,
}

/// One request of a connection, from its head to the end of its response.
#[derive(Debug)]
pub(in crate::listen) struct Turn {
    activity: Arc<Activity>,
    ours: bool,
}

impl Activity {
    pub(in crate::listen) fn new() -> Arc<Self> {
        Arc::new(Self::since(Instant::now()))
    }

    const fn since(start: Instant) -> Self {
        let (open, ours, moved) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicU64::new(0));
        Self { start, open, ours, moved, is_http_2: AtomicBool::new(false) }
    }

    /// A request has come.
    pub(in crate::listen) fn begin(self: &Arc<Self>, version: Version) -> Turn {
        if version == Version::HTTP_2 {
            self.is_http_2.store(true, Ordering::Relaxed);
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        // It is this side's turn, for which no patience is needed: when that began is not asked.
        self.ours.fetch_add(1, Ordering::Relaxed);
        Turn { activity: Arc::clone(self), ours: true }
    }

    pub(in crate::listen) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    pub(in crate::listen) fn state(&self, limits: &Limits) -> State {
        let now = Instant::now();
        // Whatever it does now, it may do something else by then.
        let next_look = now + limits.between_looks();
        let (patience, verdict) = match (self.is_open(), self.ours.load(Ordering::Relaxed)) {
            (false, _) => (self.patience(limits), State::Idle),
            (true, 0) => (limits.stall, State::Stalled),
            // What this side takes has deadlines of its own.
            (true, _) => return State::Busy(next_look),
        };
        let moved = self.start + Duration::from_millis(self.moved.load(Ordering::Relaxed));
        let deadline = moved + patience;
        if deadline <= now { verdict } else { State::Busy(deadline.min(next_look)) }
    }

    /// How long no request may come. Over HTTP/1.1, and until the first one tells, that is the wait for the end of a head.
    fn patience(&self, limits: &Limits) -> Duration {
        if self.is_http_2() { limits.idle } else { limits.idle.min(limits.head) }
    }

    /// How long a connection that idles may take to close once it is told to: over HTTP/2, the client has to hear of it.
    pub(in crate::listen) fn farewell(&self, limits: &Limits) -> Duration {
        if self.is_http_2() { limits.head } else { Duration::ZERO }
    }

    fn is_http_2(&self) -> bool {
        self.is_http_2.load(Ordering::Relaxed)
    }

    /// Bytes moved.
    pub(in crate::listen) fn touch(&self) {
        let millis = self.start.elapsed().as_millis();
        self.moved.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

#[cfg(test)]
impl Activity {
    /// A connection whose client has taken nothing of its only response for an hour.
    pub(in crate::listen) fn stalled() -> (Arc<Self>, Turn) {
        let start = Instant::now().checked_sub(Duration::from_hours(1)).unwrap();
        let activity = Arc::new(Self::since(start));
        let mut turn = activity.begin(Version::HTTP_11);
        turn.theirs();
        activity.moved.store(0, Ordering::Relaxed);
        (activity, turn)
    }
}

impl Turn {
    /// The client wants more: this side is to move.
    pub(in crate::listen) fn ours(&mut self) {
        if !self.ours {
            self.ours = true;
            self.activity.ours.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Bytes were handed over: the client is to take them.
    pub(in crate::listen) fn theirs(&mut self) {
        if self.ours {
            self.ours = false;
            self.activity.ours.fetch_sub(1, Ordering::Relaxed);
            self.activity.touch();
        }
    }
}

impl Drop for Turn {
    /// A response ends as its last bytes are handed over, or without any.
    fn drop(&mut self) {
        self.theirs();
        self.activity.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { head: Duration::from_secs(30), idle: Duration::from_secs(100), ..Limits::STANDARD };

    /// A connection that did nothing for so many seconds; before that came a request of `version`, if any.
    fn idle_for(seconds: u64, version: Option<Version>) -> Activity {
        let start = Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        let activity = Arc::new(Activity::since(start));
        if let Some(version) = version {
            drop(activity.begin(version));
            activity.moved.store(0, Ordering::Relaxed);
        }
        Arc::into_inner(activity).unwrap()
    }

    #[test]
    fn a_head_is_waited_for_and_over_http_2_a_request() {
        let is_idle = |seconds, version| idle_for(seconds, version).state(&LIMITS) == State::Idle;
        for version in [None, Some(Version::HTTP_11)] {
            assert!(!is_idle(29, version) && is_idle(31, version), "{version:?}");
        }
        assert!(!is_idle(99, Some(Version::HTTP_2)) && is_idle(101, Some(Version::HTTP_2)));
    }

    #[test]
    fn the_shorter_wait_counts() {
        let full = LIMITS.when_full();
        assert_eq!(idle_for(6, Some(Version::HTTP_11)).state(&full), State::Idle);
        assert_eq!(idle_for(6, Some(Version::HTTP_2)).state(&full), State::Idle);
    }

    #[test]
    fn only_over_http_2_is_there_a_farewell() {
        let farewell = |version| idle_for(0, version).farewell(&LIMITS);
        assert_eq!([farewell(None), farewell(Some(Version::HTTP_11))], [Duration::ZERO; 2]);
        assert_eq!(farewell(Some(Version::HTTP_2)), LIMITS.head);
    }
}
