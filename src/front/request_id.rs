//! Numbers for requests that failed here: all that a client is told, and the way to the line in the log.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts up from a random number, so that the ids of two processes do not meet.
#[derive(Debug)]
pub(in crate::front) struct RequestIds(AtomicU64);

/// The number of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::front) struct RequestId(u64);

impl RequestIds {
    pub(in crate::front) fn new() -> Self {
        Self(AtomicU64::new(RandomState::new().hash_one("request")))
    }

    pub(in crate::front) fn next(&self) -> RequestId {
        RequestId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
