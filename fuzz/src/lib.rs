//! What the fuzz targets share: the heap is counted and bounded, evidence is made of raw bytes, and seeds are written.

pub mod certificate;
pub mod evidence;
pub mod heap;
pub mod predicate;
pub mod repository;
pub mod seeds;
pub mod time;
pub mod world;

#[expect(dead_code, reason = "the targets use some of it")]
mod support;

/// An input as text; one that is none is as good as empty.
pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
