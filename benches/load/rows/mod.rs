//! The rows of the table in `docs/performance.md`: a file for each kind of work.

mod blobs;
mod fanout;
mod ingest;
mod isolation;
mod known;
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
    Row { names: &["6", "amplification"], run: fanout::amplification },
    Row { names: &["7", "fanout"], run: fanout::last_of_many },
    Row { names: &["8", "memory"], run: memory::connections },
    Row { names: &["9", "known"], run: known::million },
    Row { names: &["11", "ingest"], run: ingest::ingest },
];
