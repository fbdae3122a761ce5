//! The rows of the table in `docs/performance.md`: a file for each kind of work.

mod blobs;
mod isolation;
mod manifests;
mod memory;

use crate::Effort;
use crate::bed::Bed;

/// A row: what it is called, and what prints its figures.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) names: &'static [&'static str],
    pub(crate) run: fn(&Bed, Effort),
}

/// All that are measured here.
pub(crate) const ROWS: &[Row] = &[
    Row { names: &["1", "manifest"], run: manifests::plain },
    Row { names: &["2", "manifest-tls"], run: manifests::tls },
    Row { names: &["3", "blob"], run: blobs::plain },
    Row { names: &["4", "blob-tls"], run: blobs::tls },
    Row { names: &["5", "isolation"], run: isolation::manifests_behind_blobs },
    Row { names: &["8", "memory"], run: memory::connections },
];
