//! Which of two versions is the later one: every ecosystem has an answer of its own.
//!
//! Versions are written by strangers. Nothing here panics on any text, and what an ecosystem does not understand as a
//! version is compared with nothing: whoever asks must take that for the worse of the two answers.

mod apk;
mod gem;
mod maven;
mod parts;
mod system;

use std::cmp::Ordering;

use parts::{natural, prerelease};

/// Longest version that is compared: those of real packages have some dozen characters.
const LENGTH: usize = 256;

/// How versions of a type of package are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Scheme {
    /// Semantic Versioning 2.0.0, with a leading `v` and missing parts allowed.
    Semver,
    /// `PyPI`: PEP 440.
    Pep440,
    /// Maven's version order.
    Maven,
    /// `RubyGems`: `Gem::Version`.
    Gem,
    /// `NuGet`: four numbers, labels without regard to case.
    Nuget,
    /// Composer: `version_compare` of PHP.
    Php,
    /// dpkg.
    Deb,
    /// RPM: epoch, version, release.
    Rpm,
    /// apk-tools.
    Apk,
    /// Numbers between dots and hyphens: Hackage, CRAN.
    Numbers,
}

impl Scheme {
    /// The scheme of a type of package URL, if versions of that type have an order.
    pub(super) fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            "npm" | "cargo" | "golang" | "hex" | "pub" | "swift" | "github" | "githubactions" | "bitnami"
            | "cocoapods" | "julia" | "conan" | "vscode-extension" => Self::Semver,
            "pypi" => Self::Pep440,
            "maven" => Self::Maven,
            "gem" => Self::Gem,
            "nuget" => Self::Nuget,
            "composer" => Self::Php,
            "deb" => Self::Deb,
            "rpm" | "alpm" => Self::Rpm,
            "apk" | "alpine" => Self::Apk,
            "hackage" | "cran" => Self::Numbers,
            _ => return None,
        })
    }

    /// How `one` stands to `other`; none if either is no version.
    pub(super) fn compare(self, one: &str, other: &str) -> Option<Ordering> {
        let (one, other) = (one.trim(), other.trim());
        if one.len().max(other.len()) > LENGTH {
            return None;
        }
        match self {
            Self::Semver => Some(semver(one)?.cmp_precedence(&semver(other)?)),
            Self::Pep440 => Some(pep440(one)?.cmp(&pep440(other)?)),
            Self::Maven => maven::compare(one, other),
            Self::Gem => gem::compare(one, other),
            Self::Nuget => nuget(one, other),
            Self::Php => parts::php(one, other),
            Self::Deb => system::deb(one, other),
            Self::Rpm => system::rpm(one, other),
            Self::Apk => apk::compare(one, other),
            Self::Numbers => numbers(one, other, &['.', '-']),
        }
    }

    /// Whether `text` is a version.
    pub(super) fn reads(self, text: &str) -> bool {
        self.compare(text, text).is_some()
    }
}

/// `v1.2` is read as `1.2.0`, as the tools of npm, Go and GitHub do.
fn semver(text: &str) -> Option<semver::Version> {
    let text = text.trim_start_matches(['v', 'V', '=']);
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at_checked(end)?;
    let missing = 3_usize.checked_sub(numbers.split('.').count())?;
    semver::Version::parse(&format!("{numbers}{}{rest}", ".0".repeat(missing))).ok()
}

fn pep440(text: &str) -> Option<pep440_rs::Version> {
    text.parse().ok()
}

/// `NuGet`'s `VersionComparer`: up to four numbers, then labels as in Semantic Versioning, without regard to case.
fn nuget(one: &str, other: &str) -> Option<Ordering> {
    let split = |text: &str| {
        let text = text.split('+').next().unwrap_or_default().to_lowercase();
        let (numbers, label) = text.split_once('-').unwrap_or((&text, ""));
        (numbers.to_owned(), label.to_owned())
    };
    let ((one, one_label), (other, other_label)) = (split(one), split(other));
    let order = numbers(&one, &other, &['.'])?;
    Some(order.then_with(|| prerelease(&one_label, &other_label)))
}

/// Numbers between separators; those that are missing are 0.
fn numbers(one: &str, other: &str, separators: &[char]) -> Option<Ordering> {
    let read = |text: &str| {
        let parts: Vec<_> = text.split(separators).map(str::to_owned).collect();
        parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())).then_some(parts)
    };
    let (one, other) = (read(one)?, read(other)?);
    let at = |parts: &[String], index: usize| parts.get(index).cloned().unwrap_or_default();
    let length = one.len().max(other.len());
    let mut orders = (0..length).map(|index| natural(&at(&one, index), &at(&other, index)));
    Some(orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal))
}

#[cfg(test)]
mod tests;
