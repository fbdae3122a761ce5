//! The heap of the program under test, counted by its allocator: what an input may take is bounded by its length.
//!
//! `tests/memory.rs` counts by it, too.
//!
//! What C code allocates (aws-lc, for the keys and hashes of one check) is not counted; `-rss_limit_mb` bounds it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Most that may be in use at any time, whatever the bound of a target: a single allocation of a length that the input
/// merely claims ends the run where it is made, with the stack of its caller.
const CEILING: usize = 512 * 1024 * 1024;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// The most that any input took so far.
static MOST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTED: Counted = Counted;

struct Counted;

// SAFETY: everything is asked of the system's allocator; beyond the ceiling the answer is null, as if it had no more.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !take(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !take(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise about `pointer` and `layout` is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn take(size: usize) -> bool {
    let in_use = IN_USE.fetch_add(size, Relaxed) + size;
    PEAK.fetch_max(in_use, Relaxed);
    if in_use > CEILING {
        IN_USE.fetch_sub(size, Relaxed);
        return false;
    }
    true
}

/// How much heap an input may take while it is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// Whatever its length.
    pub base: usize,
    /// For each of its bytes.
    pub per_byte: usize,
}

impl Bound {
    /// Parsers that keep what they read as it is written, and errors that quote a little of it. A key of an object that
    /// is still open costs 24 bytes in a vector that doubles, so up to 72 for the six bytes of `"a":1,`.
    pub const PARSER: Self = Self { base: 64 * 1024, per_byte: 48 };
    /// Documents that are kept as trees of values: 650 bytes for an object (`limits::JSON_OBJECTS`), which is written in
    /// nine bytes and more: `{"a":{}},`.
    pub const TREE: Self = Self { base: 256 * 1024, per_byte: 128 };
    /// Rules: each pattern becomes an automaton, which has a limit of its own (`regex`: 10 MiB each).
    pub const RULES: Self = Self { base: 16 * 1024 * 1024, per_byte: 4096 };
    /// A check: the trees of a bundle and of its statement, base64 decoded, certificates, and the trusted roots that are
    /// looked through (which are the same whatever the input).
    pub const CHECK: Self = Self { base: 1024 * 1024, per_byte: 256 };
}

/// Runs `run` on an input of `length` bytes.
///
/// # Panics
/// If it takes more heap than `bound`. Prints what it takes where no input took as much before.
pub fn within<T>(bound: Bound, length: usize, run: impl FnOnce() -> T) -> T {
    let (result, taken) = peak_of(run);
    let most = bound.base + bound.per_byte * length;
    assert!(taken <= most, "{taken} bytes of heap for an input of {length} bytes, {most} are allowed");
    if taken > MOST.fetch_max(taken, Relaxed) {
        eprintln!("heap: {taken} bytes for {length}");
    }
    result
}

/// The most heap that was in use at once while `run` ran, beside what was in use before. All threads count.
pub fn peak_of<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = IN_USE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = run();
    (result, PEAK.load(Relaxed).saturating_sub(before))
}
