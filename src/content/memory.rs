//! Memory for what arrives: whoever receives waits for room first, so that however many fetches there are, what has arrived and is
//! not yet written and hashed takes no more than this, and where they waited for their origins, one piece for each.

use std::io;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How much for all fetches together: some twenty at full speed, and as many more as the disk and the hash keep up with.
const ALL: usize = 128 * 1024 * 1024;

/// The memory of all fetches.
#[derive(Debug)]
pub(super) struct Memory(Arc<Semaphore>);

/// A part of it, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Room(OwnedSemaphorePermit);

impl Memory {
    /// All of it is free.
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(ALL)))
    }

    /// Waits for room for `bytes`, first come, first served.
    ///
    /// # Errors
    /// There never is any again.
    pub(super) async fn reserve(&self, bytes: u32) -> io::Result<Room> {
        Arc::clone(&self.0).acquire_many_owned(bytes).await.map(Room).map_err(io::Error::other)
    }
}

impl Room {
    /// Makes it as large as `bytes`, as far as there is room, and says whether it is that: what has arrived is not held up.
    pub(super) fn fit(&mut self, bytes: usize) -> bool {
        let surplus = self.0.num_permits().saturating_sub(bytes);
        drop(self.0.split(surplus));
        let lacking = u32::try_from(bytes.saturating_sub(self.0.num_permits())).unwrap_or(u32::MAX);
        let more = Arc::clone(self.0.semaphore()).try_acquire_many_owned(lacking);
        more.map(|more| self.0.merge(more)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn reserve(memory: &Memory, bytes: usize) -> Option<Room> {
        memory.reserve(u32::try_from(bytes).unwrap()).now_or_never()?.ok()
    }

    #[test]
    fn who_finds_no_room_waits_until_there_is() {
        let memory = Memory::new();
        let most = reserve(&memory, ALL - 10).unwrap();
        assert!(reserve(&memory, 11).is_none());
        drop(most);
        assert!(reserve(&memory, 11).is_some());
    }

    #[test]
    fn room_is_as_large_as_what_is_in_it() {
        let memory = Memory::new();
        let (mut first, mut second) = (reserve(&memory, ALL - 10).unwrap(), reserve(&memory, 10).unwrap());
        assert!(!second.fit(20));
        assert!(reserve(&memory, 1).is_none(), "it takes no more than there is");
        assert!(first.fit(0));
        assert!(second.fit(20));
        assert!(reserve(&memory, ALL - 20 + 1).is_none());
        assert!(reserve(&memory, ALL - 20).is_some());
    }
}
