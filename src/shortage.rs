//! What this host runs short of: an error that says so says nothing of whom, or of what, it was met at.

use std::io;

/// `EMFILE` and `ENFILE`, the same on every Unix: no file descriptor is left, to this process or to the system.
const OUT_OF_FILES: [i32; 2] = [24, 23];

/// Whether `error` is that no file, nor connection, can be opened for now.
pub(crate) fn is_out_of_files(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|number| OUT_OF_FILES.contains(&number))
}
