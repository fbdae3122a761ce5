//! What a connection is doing: whether it idles, and whether its client stopped taking what it asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

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
}

/// What to do about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::listen) enum State {
    /// Nothing; look again then.
    Busy(Instant),
    /// No request for too long.
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
        let (open, ours, moved) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicU64::new(0));
        Arc::new(Self { start: Instant::now(), open, ours, moved })
    }

    /// A request has come.
    pub(in crate::listen) fn begin(self: &Arc<Self>) -> Turn {
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
            (false, _) => (limits.idle, State::Idle),
            (true, 0) => (limits.stall, State::Stalled),
            // What this side takes has deadlines of its own.
            (true, _) => return State::Busy(next_look),
        };
        let moved = self.start + Duration::from_millis(self.moved.load(Ordering::Relaxed));
        let deadline = moved + patience;
        if deadline <= now { verdict } else { State::Busy(deadline.min(next_look)) }
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
        let activity = Self { start, open: AtomicUsize::new(0), ours: AtomicUsize::new(0), moved: AtomicU64::new(0) };
        let activity = Arc::new(activity);
        let mut turn = activity.begin();
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
