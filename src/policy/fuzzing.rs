//! Ways in for the fuzz targets (`fuzz/`), compiled for nobody else: the order of versions, which only this module asks for.

use std::cmp::Ordering;

use crate::policy::scheme::Scheme;
use crate::policy::versions::{Event, Membership, Versions};

/// Types of package URLs, one for each order that versions have.
pub const KINDS: [&str; 10] = ["npm", "pypi", "maven", "gem", "nuget", "composer", "deb", "rpm", "apk", "hackage"];

/// How `one` stands to `other` among packages of the type `kind`; none if they cannot be compared.
pub fn compare(kind: &str, one: &str, other: &str) -> Option<Ordering> {
    Scheme::of(kind)?.compare(one, other)
}

/// Whether `version` of a package of the type `kind` is in the range `text` (VERS); none if that cannot be told, or is no
/// range.
pub fn is_in_range(kind: &str, text: &str, version: &str) -> Option<bool> {
    answer(Versions::range(kind, text).ok()?.contain(Some(version)))
}

/// Whether `version` is in the range of these events (OSV: 0 for introduced, 1 for fixed, else last affected); none if
/// that cannot be told.
pub fn is_affected(kind: &str, events: &[(u8, &str)], version: &str) -> Option<bool> {
    let mut versions = Versions::listed(kind, []);
    let event = |(what, version): &(u8, &str)| match what {
        0 => Event::Introduced((*version).to_owned()),
        1 => Event::Fixed((*version).to_owned()),
        _ => Event::LastAffected((*version).to_owned()),
    };
    versions.add_events(events.iter().map(event).collect());
    answer(versions.contain(Some(version)))
}

fn answer(membership: Membership) -> Option<bool> {
    match membership {
        Membership::Yes => Some(true),
        Membership::No => Some(false),
        Membership::Unknown => None,
    }
}
