//! Ways in for the fuzz targets (`fuzz/`), compiled for nobody else: parsers of foreign bytes that only this module calls.

use std::ops::Range;

use http::HeaderMap;

use crate::front::range;
use crate::oci::Digest;

/// The bytes that `headers` ask for of a blob of `size` bytes; none if they are not among them.
pub fn part(headers: &HeaderMap, digest: Digest, size: u64) -> Option<Range<u64>> {
    match range::part(headers, digest, size) {
        range::Part::Whole => Some(0..size),
        range::Part::Bytes(bytes) => Some(bytes),
        range::Part::Outside => None,
    }
}

/// Whether `headers` say that the client has the blob.
pub fn has_already(headers: &HeaderMap, digest: Digest) -> bool {
    range::has_already(headers, digest)
}
