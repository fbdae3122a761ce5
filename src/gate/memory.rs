//! Memory for evidence: whoever collects some waits for room, so that many digests at once cost no more than this.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What room is counted in: a MiB, which holds all that most images have.
const STEP: u64 = 1024 * 1024;

/// Room for so many bytes.
#[derive(Debug)]
pub(in crate::gate) struct Memory {
    steps: u32,
    free: Arc<Semaphore>,
}

impl Memory {
    /// Room for `bytes`.
    pub(in crate::gate) fn new(bytes: u64) -> Self {
        let steps = steps(bytes);
        Self { steps, free: Arc::new(Semaphore::new(steps as usize)) }
    }

    /// Waits for room for `bytes`, or for all of it where they are more. It is given back when the permit is dropped.
    pub(in crate::gate) async fn reserve(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).acquire_many_owned(steps(bytes).min(self.steps)).await.ok()
    }
}

fn steps(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(STEP)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn who_finds_no_room_waits_until_there_is() {
        let memory = Memory::new(4 * STEP);
        let first = memory.reserve(3 * STEP).now_or_never().flatten().unwrap();
        assert!(memory.reserve(STEP).now_or_never().is_some());
        assert!(memory.reserve(STEP + 1).now_or_never().is_none());
        drop(first);
        assert!(memory.reserve(STEP + 1).now_or_never().is_some());
    }

    #[test]
    fn more_than_all_is_all() {
        let memory = Memory::new(2 * STEP);
        let all = memory.reserve(u64::MAX).now_or_never().flatten().unwrap();
        assert!(memory.reserve(1).now_or_never().is_none());
        drop(all);
    }
}
