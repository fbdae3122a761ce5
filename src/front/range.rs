//! Which part of a blob is wanted (RFC 9110, section 14), and whether the client has it already (section 13).

use std::ops::Range;

use http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderName};

use crate::oci::Digest;

/// The part of a blob that a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::front) enum Part {
    /// All of it: nothing else is asked for, or what is asked for is not understood or not worth it (several ranges).
    Whole,
    /// These bytes, not an empty range.
    Bytes(Range<u64>),
    /// A part that it does not have.
    Outside,
}

/// The part that `headers` ask for of a blob of `size` bytes.
pub(in crate::front) fn part(headers: &HeaderMap, digest: Digest, size: u64) -> Part {
    let Some(range) = only(headers, &RANGE) else { return Part::Whole };
    // A blob never changes: `If-Range` fails only for a client that means another blob.
    let is_same = match only(headers, &IF_RANGE) {
        Some(tag) => tag == etag(digest),
        None => !headers.contains_key(IF_RANGE),
    };
    if is_same { parse(range, size).unwrap_or(Part::Whole) } else { Part::Whole }
}

/// Reads `bytes=first-last`, `bytes=first-` or `bytes=-suffix`; nothing if it is none of these.
fn parse(range: &str, size: u64) -> Option<Part> {
    let (unit, spec) = range.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = spec.trim().split_once('-')?;
    let part = if first.is_empty() {
        size.saturating_sub(number(last)?)..size
    } else {
        let first = number(first)?;
        let last = if last.is_empty() { u64::MAX } else { number(last)? };
        if last < first {
            return None;
        }
        first..last.saturating_add(1).min(size)
    };
    Some(if part.is_empty() { Part::Outside } else { Part::Bytes(part) })
}

/// A decimal number; one beyond 64 bits is beyond every blob.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// The entity tag of content: its digest.
pub(in crate::front) fn etag(digest: Digest) -> String {
    format!("\"{digest}\"")
}

/// Whether the client says that it has `digest` already. Asked only once it may have it.
pub(in crate::front) fn has_already(headers: &HeaderMap, digest: Digest) -> bool {
    // Few ask so, and most of those that do pull for the first time.
    if !headers.contains_key(IF_NONE_MATCH) {
        return false;
    }
    let wanted = etag(digest);
    let lines = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == wanted)
}

/// The value of `name`, if it is given once and is text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut lines = headers.get_all(name).into_iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => line.to_str().ok(),
        (Some(_) | None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn of_ten(range: &str) -> Part {
        part(&headers(&[(RANGE, range)]), Digest::of(b""), 10)
    }

    #[test]
    fn single_ranges_are_served() {
        for (range, bytes) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-", 0..10),
            ("bytes=3-", 3..10),
            ("bytes=3-4", 3..5),
            ("bytes=3-99", 3..10),
            ("bytes=3-99999999999999999999999", 3..10),
            ("bytes=-3", 7..10),
            ("bytes=-99", 0..10),
            ("BYTES = 1-2", 1..3),
        ] {
            assert_eq!(of_ten(range), Part::Bytes(bytes), "{range}");
        }
    }

    #[test]
    fn ranges_outside_are_said_to_be_outside() {
        for range in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(of_ten(range), Part::Outside, "{range}");
        }
        assert_eq!(part(&headers(&[(RANGE, "bytes=0-")]), Digest::of(b""), 0), Part::Outside);
    }

    #[test]
    fn several_ranges_and_nonsense_get_the_whole() {
        for range in [
            "bytes=0-1,3-4",
            "bytes=",
            "bytes=-",
            "bytes=4-3",
            "bytes=a-b",
            "bytes=+1-2",
            "items=0-1",
            "0-1",
            "bytes=--1",
        ] {
            assert_eq!(of_ten(range), Part::Whole, "{range}");
        }
        let twice = [(RANGE, "bytes=0-1"), (RANGE, "bytes=2-3")];
        let mut headers = HeaderMap::new();
        for (name, value) in twice {
            headers.append(name, value.parse().unwrap());
        }
        assert_eq!(part(&headers, Digest::of(b""), 10), Part::Whole);
    }

    #[test]
    fn a_range_of_another_blob_gets_the_whole() {
        let ours = etag(Digest::of(b""));
        for (tag, wanted) in [(ours.as_str(), Part::Bytes(0..2)), ("\"other\"", Part::Whole)] {
            let headers = headers(&[(RANGE, "bytes=0-1"), (IF_RANGE, tag)]);
            assert_eq!(part(&headers, Digest::of(b""), 10), wanted);
        }
    }

    #[test]
    fn what_the_client_has_is_told_from_any_of_its_tags() {
        let digest = Digest::of(b"");
        let tag = etag(digest);
        for line in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            assert!(has_already(&headers(&[(IF_NONE_MATCH, &line)]), digest), "{line}");
        }
        for line in ["", "\"other\"", &digest.to_string()] {
            assert!(!has_already(&headers(&[(IF_NONE_MATCH, line)]), digest), "{line}");
        }
    }

    proptest! {
        #[test]
        fn a_part_is_never_empty_nor_beyond_the_end(range in "bytes=[0-9]{0,3}-[0-9]{0,3}", size in 0_u64..200) {
            if let Part::Bytes(bytes) = part(&headers(&[(RANGE, &range)]), Digest::of(b""), size) {
                prop_assert!(bytes.start < bytes.end && bytes.end <= size);
            }
        }
    }
}
