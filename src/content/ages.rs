//! Which content goes first: what was used least recently, counted by the minute so that a million contents weigh
//! nothing while they are surveyed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::content::store::{Item, Retention};

/// How many bytes were last used in each minute.
#[derive(Debug, Default)]
pub(super) struct Ages {
    bytes: BTreeMap<i64, u64>,
    /// The bytes of all, pinned ones included.
    total: u64,
}

/// What is to go: all that was last used before a minute, and some of what was last used in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    minute: i64,
    left: u64,
}

impl Ages {
    pub(super) fn add(&mut self, item: &Item) {
        self.total += item.size;
        match item.retention {
            Retention::Pinned => {}
            Retention::Free => *self.bytes.entry(minute(item.used)).or_default() += item.size,
        }
    }

    /// The bytes of all.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    /// The bytes of what may go.
    pub(super) fn evictable(&self) -> u64 {
        self.bytes.values().sum()
    }

    /// The cut that takes `excess` bytes, or a little more, of what is not pinned; none if nothing must go.
    pub(super) fn cut(&self, excess: u64) -> Option<Cut> {
        if excess == 0 {
            return None;
        }
        let mut left = excess;
        for (minute, bytes) in &self.bytes {
            if *bytes >= left {
                return Some(Cut { minute: *minute, left });
            }
            left -= bytes;
        }
        Some(Cut { minute: i64::MAX, left: 0 })
    }
}

impl Cut {
    /// Whether `item` goes; never if it is pinned. Ask once for each.
    pub(super) fn takes(&mut self, item: &Item) -> bool {
        if item.retention == Retention::Pinned {
            return false;
        }
        let used = minute(item.used);
        if used != self.minute {
            return used < self.minute;
        }
        let takes = self.left > 0;
        self.left = self.left.saturating_sub(item.size);
        takes
    }
}

fn minute(time: Timestamp) -> i64 {
    time.as_second().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;

    fn item(minute: i64, size: u64) -> Item {
        Item {
            digest: Digest::of(&[]),
            size,
            used: Timestamp::from_second(minute * 60 + 7).unwrap(),
            retention: Retention::Free,
        }
    }

    fn taken(items: &[Item], excess: u64) -> Vec<bool> {
        let mut ages = Ages::default();
        for item in items {
            ages.add(item);
        }
        let Some(mut cut) = ages.cut(excess) else { return vec![false; items.len()] };
        items.iter().map(|item| cut.takes(item)).collect()
    }

    #[test]
    fn what_was_used_least_recently_goes_first() {
        let items = [item(3, 10), item(1, 10), item(2, 10)];
        assert_eq!(taken(&items, 10), [false, true, false]);
        assert_eq!(taken(&items, 11), [false, true, true]);
    }

    #[test]
    fn of_what_was_used_in_the_same_minute_no_more_goes_than_must() {
        let items = [item(1, 10), item(1, 10), item(1, 10)];
        assert_eq!(taken(&items, 15), [true, true, false]);
    }

    #[test]
    fn what_is_pinned_stays_and_younger_ones_go_in_its_place() {
        let old = Item { retention: Retention::Pinned, ..item(1, 10) };
        assert_eq!(taken(&[old, item(2, 10), item(3, 10)], 10), [false, true, false]);
        assert_eq!(taken(&[old, item(2, 10)], 20), [false, true]);
    }

    #[test]
    fn nothing_goes_for_nothing_and_all_for_more_than_all() {
        let items = [item(1, 10), item(2, 10)];
        assert_eq!(taken(&items, 0), [false, false]);
        assert_eq!(taken(&items, 21), [true, true]);
    }
}
