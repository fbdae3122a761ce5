//! How many requests one address is sent at once: more while it answers, half as many when it says that it is too much
//! (additive increase, multiplicative decrease, as TCP does).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many at first.
const FIRST: usize = 32;
/// How many at least: one finds out whether it is better again.
const LEAST: usize = 1;
/// How many at most: connections and memory for them are ours.
const MOST: usize = 256;

/// Room for requests until their answers begin. Whoever comes first gets it first.
#[derive(Debug)]
pub(super) struct Room {
    free: Arc<Semaphore>,
    limit: Mutex<Limit>,
    gauge: IntGauge,
}

#[derive(Debug)]
struct Limit {
    now: usize,
    /// Answers since it last changed.
    answers: usize,
    /// Places to take away as they are given back.
    owed: usize,
    /// Requests up to this number were under way when it was halved: what they meet is the same shortage.
    halved_at: u64,
}

/// A place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    room: &'a Room,
    permit: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(super) fn new(gauge: IntGauge) -> Self {
        gauge.set(i64::try_from(FIRST).unwrap_or(i64::MAX));
        let limit = Limit { now: FIRST, answers: 0, owed: 0, halved_at: 0 };
        Self { free: Arc::new(Semaphore::new(FIRST)), limit: Mutex::new(limit), gauge }
    }

    /// Waits for a place.
    pub(super) async fn place(&self) -> Place<'_> {
        // Nobody closes the semaphore; without a permit there would be one request too many, and no harm.
        Place { room: self, permit: Arc::clone(&self.free).acquire_owned().await.ok() }
    }

    /// There was an answer: one place more once all that there are had one.
    pub(super) fn answered(&self) {
        let mut limit = self.lock();
        limit.answers += 1;
        if limit.answers < limit.now || limit.now == MOST {
            return;
        }
        (limit.now, limit.answers) = (limit.now + 1, 0);
        match limit.owed.checked_sub(1) {
            Some(owed) => limit.owed = owed,
            None => self.free.add_permits(1),
        }
        self.show(&limit);
    }

    /// The request of number `number` was too much, when `started` had started in all: half the places, once for all that
    /// were under way.
    pub(super) fn was_too_much(&self, number: u64, started: u64) {
        let mut limit = self.lock();
        if number <= limit.halved_at {
            return;
        }
        limit.halved_at = started;
        let less = (limit.now / 2).max(LEAST);
        let taken = limit.now - less;
        limit.owed += taken - self.free.forget_permits(taken);
        (limit.now, limit.answers) = (less, 0);
        self.show(&limit);
    }

    /// How many there are now.
    pub(super) fn size(&self) -> usize {
        self.lock().now
    }

    fn show(&self, limit: &Limit) {
        self.gauge.set(i64::try_from(limit.now).unwrap_or(i64::MAX));
    }

    /// Nothing that can panic runs under this lock, and it is never held across an await.
    fn lock(&self) -> MutexGuard<'_, Limit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut limit = self.room.lock();
        if let Some(owed) = limit.owed.checked_sub(1)
            && let Some(permit) = self.permit.take()
        {
            limit.owed = owed;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn room() -> Room {
        Room::new(IntGauge::new("room", "Room").unwrap())
    }

    /// As many places as there are to have at once.
    fn fill(room: &Room) -> Vec<Place<'_>> {
        std::iter::from_fn(|| room.place().now_or_never()).collect()
    }

    #[test]
    fn whoever_finds_no_room_waits_until_a_place_is_given_back() {
        let room = room();
        let mut all = fill(&room);
        assert_eq!(all.len(), FIRST);
        all.pop();
        assert!(room.place().now_or_never().is_some());
    }

    #[test]
    fn answers_make_room_one_by_one_up_to_a_bound() {
        let room = room();
        (0..FIRST).for_each(|_| room.answered());
        assert_eq!((room.size(), fill(&room).len()), (FIRST + 1, FIRST + 1));
        (0..MOST * MOST).for_each(|_| room.answered());
        assert_eq!((room.size(), fill(&room).len()), (MOST, MOST));
    }

    #[test]
    fn too_much_halves_it_down_to_one() {
        let room = room();
        for number in 1..20 {
            room.was_too_much(number, number);
        }
        assert_eq!((room.size(), fill(&room).len(), room.gauge.get()), (1, 1, 1));
    }

    #[test]
    fn what_was_under_way_at_once_halves_it_once() {
        let room = room();
        (1..=20).for_each(|number| room.was_too_much(number, 20));
        assert_eq!(room.size(), FIRST / 2);
        room.was_too_much(21, 21);
        assert_eq!(room.size(), FIRST / 4);
    }

    #[test]
    fn places_that_are_taken_go_as_they_are_given_back() {
        let room = room();
        let all = fill(&room);
        room.was_too_much(1, 1);
        assert!(room.place().now_or_never().is_none());
        drop(all);
        assert_eq!(fill(&room).len(), FIRST / 2);
    }

    #[test]
    fn room_that_is_made_while_places_are_owed_is_not_made_twice() {
        let room = room();
        let all = fill(&room);
        room.was_too_much(1, 1);
        (0..FIRST / 2).for_each(|_| room.answered());
        drop(all);
        assert_eq!((room.size(), fill(&room).len()), (FIRST / 2 + 1, FIRST / 2 + 1));
    }
}
