//! What an input may take of the processor, whatever else the machine does.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Runs `run`.
///
/// # Panics
/// If all threads of this process together took more than `seconds` of the processor meanwhile.
pub fn within_seconds<T>(seconds: u64, run: impl FnOnce() -> T) -> T {
    let before = taken();
    let result = run();
    let taken = taken().saturating_sub(before);
    assert!(taken <= Duration::from_secs(seconds), "{taken:?} of the processor");
    result
}

fn taken() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).expect("time of the processor does not go back")
}
