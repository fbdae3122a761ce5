//! What is said and counted where a fetch breaks off after its origin has answered: whoever reads it is cut, and sees no
//! more than that.

use std::io;

use crate::content::metrics::Metrics;
use crate::content::supply::{Broken, Wanted};

/// Why it broke off: what an operator looks into first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Other bytes than asked for.
    Digest,
    /// More bytes than there may be, fewer, or other ones than were announced.
    Length,
    /// The body was cut, however often it was taken up again.
    Cut,
    /// Nothing came for too long.
    Stalled,
    /// The store failed, and it cannot pass by it.
    Store,
}

impl Cause {
    pub(super) const ALL: [Self; 5] = [Self::Digest, Self::Length, Self::Cut, Self::Stalled, Self::Store];

    /// Its name as a label.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::Length => "length",
            Self::Cut => "cut",
            Self::Stalled => "stalled",
            Self::Store => "store",
        }
    }

    fn of(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(Broken::Mismatch { .. }) => Self::Digest,
            Some(Broken::Unkept { .. } | Broken::Damaged { .. } | Broken::Lost { .. }) => Self::Store,
            Some(Broken::Announced { .. } | Broken::TooLong { .. } | Broken::Changed { .. } | Broken::Short { .. }) => {
                Self::Length
            }
            None if error.kind() == io::ErrorKind::InvalidData => Self::Length,
            None if error.kind() == io::ErrorKind::TimedOut => Self::Stalled,
            None => Self::Cut,
        }
    }
}

/// Says and counts that the bytes of `wanted` ended in `error`.
pub(super) fn report(error: &io::Error, wanted: &Wanted, metrics: &Metrics) {
    let cause = Cause::of(error);
    metrics.failed(cause).inc();
    if cause == Cause::Digest {
        metrics.mismatches.inc();
    }
    let (repository, digest) = (wanted.origin.name(), wanted.digest);
    tracing::warn!(%repository, %digest, cause = cause.label(), %error, "a fetch broke off, and who reads it is cut");
}
