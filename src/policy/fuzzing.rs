//! Ways in for the fuzz targets (`fuzz/`), compiled for nobody else: what only this module reads, of strangers' versions,
//! licences and resources.

use std::cmp::Ordering;

use crate::policy::Request;
use crate::policy::license::DeniedLicenses;
use crate::policy::scheme::Scheme;
use crate::policy::summary;
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

/// Licences that are denied.
#[derive(Debug)]
pub struct Licenses(DeniedLicenses);

impl Licenses {
    /// All of `denied`; none if one of those is no licence.
    pub fn new(denied: &[&str]) -> Option<Self> {
        let mut licenses = DeniedLicenses::default();
        denied.iter().try_for_each(|license| licenses.insert(license)).ok()?;
        Some(Self(licenses))
    }

    /// Whether `text`, what a package says of its licence, is denied.
    pub fn deny(&self, text: &str) -> bool {
        self.0.deny(text)
    }
}

/// Whether the `resourceUri` of a verification summary names what is asked for.
pub fn names(uri: &str, request: &Request<'_>) -> bool {
    summary::names(uri, request)
}

fn answer(membership: Membership) -> Option<bool> {
    match membership {
        Membership::Yes => Some(true),
        Membership::No => Some(false),
        Membership::Unknown => None,
    }
}
