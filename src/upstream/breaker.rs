//! When an upstream that fails is left alone. Pure: it is told what happened, and when.

use std::time::Duration;

use jiff::Timestamp;

/// Failures in a row after which it rests: more than the tries of one request, so that one alone does not do it.
const FAILURES: u32 = 5;
/// What an answer of a registry that does not come in time counts for: each has cost its client many seconds.
const LATE: u32 = 3;
/// How long it rests at first; twice as long after each try that fails then.
const FIRST_REST: Duration = Duration::from_secs(5);
/// How long it rests at most.
const LONGEST_REST: Duration = Duration::from_mins(1);

/// What is known of one address. Requests are numbered as they start.
#[derive(Debug)]
pub(super) struct Breaker {
    /// What an answer that does not come in time counts for.
    late: u32,
    failures: u32,
    /// Requests up to this number failed together: what befalls all that are under way at once is one failure.
    counted: u64,
    rests: u32,
    until: Option<Timestamp>,
    is_tried: bool,
}

/// Whether a request may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    /// It may.
    Open,
    /// It may, to find out whether the address is back; no other one meanwhile.
    Trial,
    /// Not before this time has passed.
    Resting(Duration),
}

/// How a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection, or an answer that says that there is no service.
    Refused,
    /// No answer in time.
    Late,
}

impl Breaker {
    /// That of an address where some questions may take longer than others.
    pub(super) const fn of_registry() -> Self {
        Self::with_late(LATE)
    }

    /// That of an address where all questions are alike: one that is not answered in time is enough.
    pub(super) const fn of_token_service() -> Self {
        Self::with_late(FAILURES)
    }

    const fn with_late(late: u32) -> Self {
        Self { late, failures: 0, counted: 0, rests: 0, until: None, is_tried: false }
    }

    /// How long it rests still at `now`, as far as is known while a request tries it.
    pub(super) fn rest(&self, now: Timestamp) -> Option<Duration> {
        let left = Duration::try_from(self.until?.duration_since(now)).unwrap_or_default();
        // More is left than it ever rests where the clock was put back.
        if !left.is_zero() && left <= LONGEST_REST {
            return Some(left);
        }
        self.is_tried.then_some(FIRST_REST)
    }

    /// Whether a request may be sent at `now`. A trial must end in [`Self::succeeded`], [`Self::failed`] or
    /// [`Self::abandoned`].
    pub(super) fn pass(&mut self, now: Timestamp) -> Passage {
        if let Some(left) = self.rest(now) {
            return Passage::Resting(left);
        }
        self.is_tried = self.until.is_some();
        if self.is_tried { Passage::Trial } else { Passage::Open }
    }

    /// There was an answer. Whether it had been resting.
    pub(super) fn succeeded(&mut self) -> bool {
        let (was_resting, counted) = (self.until.is_some(), self.counted);
        *self = Self { counted, ..Self::with_late(self.late) };
        was_resting
    }

    /// The request of number `number` failed at `now`, when `started` had started in all. How long it rests, if it is
    /// from now on.
    pub(super) fn failed(&mut self, number: u64, started: u64, how: Failure, now: Timestamp) -> Option<Duration> {
        if number <= self.counted {
            return None;
        }
        self.counted = started;
        self.failures += match how {
            Failure::Refused => 1,
            Failure::Late => self.late,
        };
        if self.failures < FAILURES && !self.is_tried {
            return None;
        }
        let rest = FIRST_REST.saturating_mul(1 << self.rests.min(8)).min(LONGEST_REST);
        (self.rests, self.is_tried, self.until) = (self.rests + 1, false, now.checked_add(rest).ok());
        Some(rest)
    }

    /// Whoever tried has left before there was an outcome.
    pub(super) fn abandoned(&mut self) {
        self.is_tried = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn after(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    /// Has one request after the other fail at `START`, until it rests; how many it took.
    fn fail(breaker: &mut Breaker, how: Failure) -> u64 {
        (1..100).find(|&number| breaker.failed(number, number, how, START).is_some()).unwrap()
    }

    #[test]
    fn it_rests_after_failures_in_a_row() {
        let mut breaker = Breaker::of_registry();
        assert_eq!(fail(&mut breaker, Failure::Refused), 5);
        assert_eq!(breaker.pass(START), Passage::Resting(FIRST_REST));
        assert_eq!(fail(&mut Breaker::of_registry(), Failure::Late), 2);
    }

    #[test]
    fn one_answer_that_is_late_is_enough_where_all_are_alike() {
        let mut breaker = Breaker::of_token_service();
        assert_eq!(fail(&mut breaker, Failure::Late), 1);
        assert_eq!(breaker.pass(after(5)), Passage::Trial);
        assert!(breaker.succeeded());
        assert_eq!(breaker.failed(2, 2, Failure::Late, after(5)), Some(FIRST_REST));
        assert_eq!(fail(&mut Breaker::of_token_service(), Failure::Refused), 5);
    }

    #[test]
    fn an_answer_between_them_starts_the_row_anew() {
        let mut breaker = Breaker::of_registry();
        for number in 1..100 {
            assert_eq!(breaker.failed(number, number, Failure::Refused, START), None);
            if number % 4 == 0 {
                assert!(!breaker.succeeded());
            }
        }
        assert_eq!(breaker.pass(START), Passage::Open);
    }

    #[test]
    fn what_fails_together_is_one_failure() {
        let mut breaker = Breaker::of_registry();
        assert!((1..=100).all(|number| breaker.failed(number, 100, Failure::Refused, START).is_none()));
    }

    #[test]
    fn one_request_tries_it_and_each_that_fails_doubles_the_rest() {
        let mut breaker = Breaker::of_registry();
        let mut started = fail(&mut breaker, Failure::Refused);
        let mut now = 0;
        for rest in [5, 10, 20, 40, 60, 60] {
            assert_eq!(breaker.pass(after(now)), Passage::Resting(Duration::from_secs(rest)), "{rest}");
            now += i64::try_from(rest).unwrap();
            assert_eq!(breaker.pass(after(now)), Passage::Trial, "{rest}");
            assert!(matches!(breaker.pass(after(now)), Passage::Resting(_)), "one at a time");
            started += 1;
            assert!(breaker.failed(started, started, Failure::Refused, after(now)).is_some());
        }
    }

    #[test]
    fn a_try_that_succeeds_ends_the_rest() {
        let mut breaker = Breaker::of_registry();
        fail(&mut breaker, Failure::Refused);
        assert_eq!(breaker.pass(after(5)), Passage::Trial);
        assert!(breaker.succeeded());
        assert_eq!(breaker.pass(after(5)), Passage::Open);
        assert_eq!(breaker.failed(7, 7, Failure::Refused, after(5)), None, "the row begins anew");
    }

    #[test]
    fn a_try_that_is_abandoned_leaves_it_to_the_next() {
        let mut breaker = Breaker::of_registry();
        fail(&mut breaker, Failure::Refused);
        assert_eq!(breaker.pass(after(5)), Passage::Trial);
        breaker.abandoned();
        assert_eq!(breaker.pass(after(5)), Passage::Trial);
    }

    #[test]
    fn a_clock_that_is_put_back_does_not_make_it_rest_longer() {
        let mut breaker = Breaker::of_registry();
        fail(&mut breaker, Failure::Refused);
        assert_eq!(breaker.pass(after(-3600)), Passage::Trial);
    }
}
