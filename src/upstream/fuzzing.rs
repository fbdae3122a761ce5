//! Ways in for the fuzz targets (`fuzz/`), compiled for nobody else: parsers of foreign bytes that only this module calls.

use crate::upstream::address::next_link;
use crate::upstream::challenge::challenges;

/// The schemes and parameters of a `WWW-Authenticate` header.
pub fn challenge(header: &str) -> Vec<(String, Vec<(String, String)>)> {
    challenges(header).into_iter().map(|one| (one.scheme, one.parameters.into_iter().collect())).collect()
}

/// Where a `Link` header says that a list goes on.
pub fn link(header: &str) -> Option<&str> {
    next_link(header)
}
