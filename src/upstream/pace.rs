//! How slowly a body may come. One that brings a byte now and then never stands still, and would hold its place for ever.

use std::time::Duration;

use crate::upstream::UnavailableKind;
use crate::upstream::trouble::{Retry, Trouble};

/// Over how much waiting it is reckoned: a line that is bad for a minute is not given up.
const WINDOW: Duration = Duration::from_mins(5);
/// Fewest bytes in that time. A KiB a second is far less than a line brings that anybody pulls images over, shared by many.
const FEWEST: u64 = 300 * 1024;

/// What a body brings, for the time that it is waited for: how much time its reader takes does not count.
#[derive(Debug)]
pub(super) struct Pace {
    window: Duration,
    fewest: u64,
    waited: Duration,
    brought: u64,
}

impl Pace {
    /// That of a body which begins.
    pub(super) const fn new() -> Self {
        Self::at_least(FEWEST, WINDOW)
    }

    /// One that must bring `fewest` bytes in each `window` that it is waited for.
    pub(super) const fn at_least(fewest: u64, window: Duration) -> Self {
        Self { window, fewest, waited: Duration::ZERO, brought: 0 }
    }

    /// Notes that `bytes` came after a wait of `waited`.
    ///
    /// # Errors
    /// A [`Trouble`] if too few have come lately.
    pub(super) fn note(&mut self, bytes: u64, waited: Duration) -> Result<(), Trouble> {
        self.brought = self.brought.saturating_add(bytes);
        self.waited = self.waited.saturating_add(waited);
        if self.waited < self.window {
            return Ok(());
        }
        if self.brought < self.fewest {
            let text = format!("the body brought {} bytes in {:?}", self.brought, self.waited);
            return Err(Trouble::new(UnavailableKind::Timeout, text, Retry::Soon));
        }
        *self = Self::at_least(self.fewest, self.window);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_body_that_trickles_is_given_up_once_it_was_waited_for_long_enough() {
        let mut pace = Pace::new();
        let late = (1..100).find(|_| pace.note(1, 29 * SECOND).is_err());
        assert_eq!(late, Some(11));
    }

    #[test]
    fn a_body_that_brings_enough_goes_on_for_ever() {
        let mut pace = Pace::new();
        assert!((0..10_000).all(|_| pace.note(1024, SECOND).is_ok()));
        assert!((0..600).any(|_| pace.note(1023, SECOND).is_err()));
    }

    #[test]
    fn the_time_of_the_reader_does_not_count() {
        let mut pace = Pace::new();
        assert!((0..10_000).all(|_| pace.note(1, Duration::ZERO).is_ok()));
    }
}
