//! `source_versioned_tag`: a version, or the start of one, in the sense of Semantic Versioning 2.0.

use std::fmt;

/// `v1`, `v1.2` or `v1.2.3`, and which tags it means: those that say the same as far as it goes. A pre-release is that of
/// a version said in full; build metadata says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VersionPrefix {
    text: Box<str>,
    version: Version<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Version<T> {
    major: T,
    minor: Option<T>,
    /// With the pre-release: `3-rc.1`.
    patch: Option<T>,
}

impl VersionPrefix {
    /// Reads one.
    pub(super) fn read(text: &str) -> Option<Self> {
        let Version { major, minor, patch } = parse(text)?;
        let version = Version { major: major.into(), minor: minor.map(Into::into), patch: patch.map(Into::into) };
        Some(Self { text: text.into(), version })
    }

    /// Whether `tag` is a version of it. A tag that is not written in full means the rest to be zero.
    pub(super) fn matches(&self, tag: &str) -> bool {
        let Some(found) = parse(tag) else { return false };
        let same = |expected: &Option<Box<str>>, found: Option<&str>| {
            expected.as_deref().is_none_or(|expected| expected == found.unwrap_or("0"))
        };
        *self.version.major == *found.major
            && same(&self.version.minor, found.minor)
            && same(&self.version.patch, found.patch)
    }
}

fn parse(text: &str) -> Option<Version<&str>> {
    let text = text.strip_prefix('v')?;
    let (text, metadata) = text.split_once('+').map_or((text, None), |(text, metadata)| (text, Some(metadata)));
    let mut parts = text.splitn(3, '.');
    let (major, minor, patch) = (parts.next()?, parts.next(), parts.next());
    let whole = is_number(major) && minor.is_none_or(is_number) && patch.is_none_or(is_patch);
    // Only a version in full has build metadata.
    let described = metadata.is_none_or(|metadata| patch.is_some() && identifiers(metadata, |_| true));
    (whole && described).then_some(Version { major, minor, patch })
}

fn is_patch(text: &str) -> bool {
    let (number, pre_release) = text.split_once('-').map_or((text, None), |(number, pre)| (number, Some(pre)));
    // A number with leading zeros would be another version to other readers.
    let is_whole = |part: &str| !part.bytes().all(|byte| byte.is_ascii_digit()) || is_number(part);
    is_number(number) && pre_release.is_none_or(|pre_release| identifiers(pre_release, is_whole))
}

fn identifiers(text: &str, fits: impl Fn(&str) -> bool) -> bool {
    let named = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    text.split('.').all(|part| named(part) && fits(part))
}

fn is_number(text: &str) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits && (text == "0" || !text.starts_with('0'))
}

impl fmt::Display for VersionPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(version: &str, tag: &str) -> bool {
        VersionPrefix::read(version).unwrap().matches(tag)
    }

    #[test]
    fn a_version_means_the_tags_that_say_the_same_as_far_as_it_goes() {
        for (version, tag, fits) in [
            ("v13", "v13.0.30", true),
            ("v13.0", "v13.0.30", true),
            ("v13.0.30", "v13.0.30", true),
            ("v2", "v13.0.30", false),
            ("v0", "v13.0.30", false),
            ("v1", "v13.0.30", false),
            ("v13.1", "v13.0.30", false),
            ("v13.0.29", "v13.0.30", false),
            ("v13.0.3", "v13.0.30", false),
            ("v1.2.3", "v1.2.3-rc.1", false),
            ("v1.2.3-rc.1", "v1.2.3-rc.1", true),
            ("v1.2", "v1.2.3-rc.1", true),
            ("v1.2.3", "v1.2.3+linux.5", true),
            ("v1.2.3+mac", "v1.2.3+linux", true),
            ("v1.0.0", "v1", true),
            ("v1.2", "v1", false),
        ] {
            assert_eq!(matches(version, tag), fits, "{version} {tag}");
        }
    }

    #[test]
    fn what_is_no_version_matches_nothing_and_is_not_read() {
        for text in [
            "",
            "v",
            "1.2.3",
            "v1.",
            "v1.2.",
            "v1.2.3.4",
            "v01",
            "v1.02",
            "v1.2.3-",
            "v1.2.3-01",
            "v1.2+x",
            "v1.2.3+",
            "vx",
        ] {
            assert_eq!(VersionPrefix::read(text), None, "{text}");
            assert!(!matches("v1", text), "{text}");
        }
    }

    #[test]
    fn identifiers_are_letters_digits_and_hyphens() {
        assert!(VersionPrefix::read("v1.2.3-rc-1+linux-2").is_some());
        for text in ["v1.2.3-rc_1", "v1.2.3-rc 1", "v1.2.3+linux_2", "v1.2.3-rc..1"] {
            assert_eq!(VersionPrefix::read(text), None, "{text}");
        }
    }
}
