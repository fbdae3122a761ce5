//! Whose turn it is: the address that sent wrong bytes of a blob is the last to be asked for it, for a while.
//!
//! A blob is hashed by whoever keeps it, long after this module has handed it over. So it is remembered who began to send it; who goes
//! on with a body that is cut does not count, since each address gets its turn to begin.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::oci::Digest;

/// Most blobs that are remembered, the latest: more than are fetched at once.
const BLOBS: usize = 1024;
/// How long wrong bytes count. Somebody may repair the address; and once another has sent the right ones, they are kept.
const REMEMBERED: Duration = Duration::from_hours(1);

/// Who began to send which blob, and who sent wrong bytes of it. Addresses are numbers.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<VecDeque<Turn>>);

#[derive(Debug)]
struct Turn {
    digest: Digest,
    /// Who began to send it last, unless it is known that this was wrong.
    begun_by: Option<usize>,
    /// Who sent wrong bytes of it, the latest last.
    wrong: Vec<usize>,
    at: Timestamp,
}

impl Turns {
    /// The numbers of `addresses` addresses, in the order in which they are asked for the blob `digest` at `now`.
    pub(super) fn order(&self, digest: Digest, addresses: usize, now: Timestamp) -> Vec<usize> {
        let mut order: Vec<_> = (0..addresses).collect();
        let turns = self.lock();
        let turn = turns.iter().find(|turn| turn.digest == digest && turn.counts(now));
        if let Some(Turn { wrong, .. }) = turn {
            order.sort_by_key(|address| wrong.iter().position(|one| one == address).map_or(0, |position| position + 1));
        }
        order
    }

    /// `address` begins to send `digest` at `now`.
    pub(super) fn begun(&self, digest: Digest, address: usize, now: Timestamp) {
        let mut turns = self.lock();
        let known = turns.iter().position(|turn| turn.digest == digest).and_then(|position| turns.remove(position));
        let known = known.filter(|turn| turn.counts(now));
        let (wrong, at) = known.map_or_else(|| (Vec::new(), now), |turn| (turn.wrong, turn.at));
        if turns.len() == BLOBS {
            turns.pop_front();
        }
        turns.push_back(Turn { digest, begun_by: Some(address), wrong, at });
    }

    /// The bytes of `digest` that were sent last are found to be wrong at `now`. That counts once, however many find it.
    pub(super) fn was_wrong(&self, digest: Digest, now: Timestamp) {
        let mut turns = self.lock();
        let Some(turn) = turns.iter_mut().find(|turn| turn.digest == digest) else { return };
        let Some(address) = turn.begun_by.take() else { return };
        turn.wrong.retain(|one| *one != address);
        turn.wrong.push(address);
        turn.at = now;
    }

    /// Nothing that can panic runs under this lock, and it is never held across an await.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Turn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    fn counts(&self, now: Timestamp) -> bool {
        now.duration_since(self.at).unsigned_abs() < REMEMBERED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn blob(number: usize) -> Digest {
        Digest::of(&number.to_be_bytes())
    }

    /// What becomes of the order of three addresses when the first of it sends wrong bytes.
    fn after_wrong_bytes(turns: &Turns, now: Timestamp) -> Vec<usize> {
        turns.begun(blob(0), turns.order(blob(0), 3, now)[0], now);
        turns.was_wrong(blob(0), now);
        turns.order(blob(0), 3, now)
    }

    #[test]
    fn whoever_sends_wrong_bytes_is_asked_last_so_that_each_gets_its_turn() {
        let turns = Turns::default();
        assert_eq!(turns.order(blob(0), 3, START), [0, 1, 2]);
        for order in [[1, 2, 0], [2, 0, 1], [0, 1, 2], [1, 2, 0]] {
            assert_eq!(after_wrong_bytes(&turns, START), order);
        }
        assert_eq!(turns.order(blob(1), 3, START), [0, 1, 2], "this says nothing of other blobs");
    }

    #[test]
    fn however_many_find_the_same_bytes_wrong_it_counts_once() {
        let turns = Turns::default();
        turns.begun(blob(0), 1, START);
        (0..4).for_each(|_| turns.was_wrong(blob(0), START));
        turns.begun(blob(0), 0, START);
        assert_eq!(turns.order(blob(0), 2, START), [0, 1]);
    }

    #[test]
    fn it_is_forgotten_after_a_while() {
        let (turns, later) = (Turns::default(), |seconds| Timestamp::from_second(seconds).unwrap());
        assert_eq!(after_wrong_bytes(&turns, START), [1, 2, 0]);
        assert_eq!(turns.order(blob(0), 3, later(3599)), [1, 2, 0]);
        assert_eq!(turns.order(blob(0), 3, later(3600)), [0, 1, 2]);
        turns.begun(blob(0), 0, later(3600));
        assert_eq!(turns.order(blob(0), 3, later(3600)), [0, 1, 2], "what begins then begins anew");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let turns = Turns::default();
        after_wrong_bytes(&turns, START);
        (1..=BLOBS).for_each(|number| turns.begun(blob(number), 0, START));
        assert_eq!(turns.lock().len(), BLOBS);
        assert_eq!(turns.order(blob(0), 3, START), [0, 1, 2]);
    }
}
