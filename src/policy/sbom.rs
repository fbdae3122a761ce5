//! `[rule.sbom]`: what must be known of an image's content, and what must not be in it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use crate::evidence::{Package, Purl, Sbom, SbomFormat, canonical_purl};
use crate::policy::denied::{Certainty, DenyList, Entry, Hit};
use crate::policy::error::{Place, PolicyError, PolicyProblem};
use crate::policy::identity::Identity;
use crate::policy::license::DeniedLicenses;
use crate::policy::memo::Memo;
use crate::policy::osv::Feed;
use crate::policy::reason::{because, shown};
use crate::policy::settings::SbomSettings;
use crate::policy::signature::check_any;
use crate::policy::versions::Versions;
use crate::policy::{Reason, ReasonCode};
use crate::verify::Signer;

/// Most findings in one bill that are told: a reader acts on the first.
const FINDINGS: usize = 16;
/// Most packages that are gone through where requests are answered: a thousand take about a millisecond.
const AT_ONCE: usize = 1000;
/// The qualifier with a range of versions (package-url, "Known qualifiers").
const RANGE: &str = "vers=";

/// The feeds that rules name, as they were read last, by their path.
#[derive(Debug, Clone, Default)]
pub(super) struct Feeds(pub(super) BTreeMap<PathBuf, Arc<Feed>>);

/// What a rule demands of bills of materials.
#[derive(Debug)]
pub(super) struct SbomRule {
    signers: Vec<Identity>,
    formats: Option<Vec<SbomFormat>>,
    packages: DenyList,
    licenses: DeniedLicenses,
    feed: Option<PathBuf>,
    found: Memo,
}

impl SbomRule {
    /// Reads the block. `signers` are the identities of its signers.
    pub(super) fn compile(settings: &SbomSettings, signers: Vec<Identity>, at: &Place) -> Result<Self, PolicyError> {
        if settings.formats.as_ref().is_some_and(Vec::is_empty) {
            return Err(at.key("formats").problem(PolicyProblem::Empty));
        }
        let mut packages = DenyList::default();
        for (index, text) in settings.deny_packages.iter().enumerate() {
            deny(&mut packages, text).map_err(|problem| at.item("deny_packages", index).problem(problem))?;
        }
        let mut licenses = DeniedLicenses::default();
        for (index, text) in settings.deny_licenses.iter().enumerate() {
            licenses.insert(text).map_err(|problem| at.item("deny_licenses", index).problem(problem))?;
        }
        let formats = settings.formats.clone();
        Ok(Self { signers, formats, packages, licenses, feed: settings.deny_feed.clone(), found: Memo::default() })
    }

    /// Whether more evidence could turn an admit into a refusal.
    pub(super) fn denies(&self) -> bool {
        !self.packages.is_empty() || !self.licenses.is_empty() || self.feed.is_some()
    }

    /// The feed that it names.
    pub(super) fn feed(&self) -> Option<&Path> {
        self.feed.as_deref()
    }

    /// Why nothing can be said of its feed: it names one that was never read.
    pub(super) fn check_feed(&self, feeds: &Feeds) -> Result<(), Reason> {
        let Some(path) = self.feed.as_ref().filter(|path| !feeds.0.contains_key(*path)) else { return Ok(()) };
        because(ReasonCode::Unavailable, format!("the feed {} was not read", path.display()))
    }

    /// Whether the trust domain `domain` may prove it.
    pub(super) fn relies_on(&self, domain: &str) -> bool {
        self.signers.iter().any(|signer| signer.trust() == Some(domain))
    }

    /// Whether one may be signed with a key.
    pub(super) fn takes_keys(&self) -> bool {
        self.signers.iter().any(|signer| signer.trust().is_none())
    }

    /// Why the signer's bill of materials does not count.
    pub(super) fn check_signer(&self, signer: &Signer) -> Result<(), Reason> {
        check_any(&self.signers, signer)
    }

    /// Why a bill of materials of such a signer does not do.
    pub(super) fn check_format(&self, sbom: &Sbom) -> Result<(), Reason> {
        let Some(formats) = self.formats.as_ref().filter(|formats| !formats.contains(&sbom.format)) else {
            return Ok(());
        };
        let expected = formats.iter().map(|format| name_of(*format)).collect::<Vec<_>>().join(" or ");
        let text = format!("the bill of materials is {}, expected {expected}", name_of(sbom.format));
        because(ReasonCode::WrongSbomFormat, text)
    }

    /// What is denied and is in it.
    pub(super) fn denied_in(&self, sbom: &Sbom, feeds: &Feeds) -> Arc<[Reason]> {
        let feed = self.feed.as_ref().and_then(|path| feeds.0.get(path));
        self.found.get(&sbom.packages, feed, || self.find(&sbom.packages, feed.map(|feed| &**feed)))
    }

    /// Whether telling that takes a while: the bill is long, and was not gone through before with this feed.
    pub(super) fn takes_long(&self, sbom: &Sbom, feeds: &Feeds) -> bool {
        let feed = self.feed.as_ref().and_then(|path| feeds.0.get(path));
        self.denies() && sbom.packages.len() > AT_ONCE && !self.found.knows(&sbom.packages, feed)
    }

    fn find(&self, packages: &[Package], feed: Option<&Feed>) -> Vec<Reason> {
        let mut licenses = HashMap::new();
        let found = packages.iter().flat_map(|package| {
            let listed = self.packages.find(package).or_else(|| self.packages.find_by_name(package));
            let listed = listed.map(|hit| told(ReasonCode::DeniedPackage, package, &hit));
            let known = feed.and_then(|feed| in_feed(feed, package));
            let known = known.map(|hit| told(ReasonCode::DeniedByFeed, package, &hit));
            listed.into_iter().chain(known).chain(self.licensed(package, &mut licenses))
        });
        found.take(FINDINGS).collect()
    }

    /// The licence of a package that is denied. Each text is read once.
    fn licensed<'a>(&self, package: &'a Package, known: &mut HashMap<&'a str, bool>) -> Option<Reason> {
        if self.licenses.is_empty() {
            return None;
        }
        let mut denied = package.licenses.iter().filter(|text| {
            let text: &'a str = text;
            *known.entry(text).or_insert_with(|| self.licenses.deny(text))
        });
        let text = format!("contains {} under the denied licence {}", named(package), shown(denied.next()?));
        Some(Reason { code: ReasonCode::DeniedLicense, text })
    }
}

/// What a feed says of a package. A package without URL is of no ecosystem that is known, and any name is malicious in one
/// of them; where something stands in the place of the URL, it is meant to be of one.
fn in_feed<'a>(feed: &'a Feed, package: &Package) -> Option<Hit<'a>> {
    let unread = package.unread.as_ref().and_then(|_| feed.packages.find_by_name(package));
    feed.packages.find(package).or(unread)
}

fn told(code: ReasonCode, package: &Package, hit: &Hit<'_>) -> Reason {
    let by = if hit.by.is_empty() { String::new() } else { format!(" ({})", shown(hit.by)) };
    let what = named(package);
    let text = match hit.certainty {
        Certainty::Sure => format!("contains the denied package {what}{by}"),
        Certainty::Version => {
            format!("contains {what}, whose version is not known or cannot be compared with the denied ones{by}")
        }
        Certainty::Name => format!("contains {what}, which has no package URL and the name of a denied package{by}"),
    };
    Reason { code, text }
}

/// A package, for people.
fn named(package: &Package) -> String {
    let name = package.purl.as_deref().or(package.unread.as_deref().filter(|_| package.name.is_empty()));
    match &package.version {
        Some(version) => format!("{} {}", shown(name.unwrap_or(&package.name)), shown(version)),
        None => shown(name.unwrap_or(&package.name)),
    }
}

/// Reads a line of `deny_packages`: a package URL, with a version, a range of versions (`vers=`) or neither.
fn deny(list: &mut DenyList, text: &str) -> Result<(), PolicyProblem> {
    let (plain, range) = without_range(text);
    let not_a_url = |problem: &str| PolicyProblem::PackageUrl { text: text.to_owned(), problem: problem.to_owned() };
    if !plain.starts_with("pkg:") {
        return Err(not_a_url("it does not begin with pkg:"));
    }
    let canonical = canonical_purl(&plain).ok_or_else(|| not_a_url("type or name is missing"))?;
    let purl = Purl::of(&canonical);
    let version = purl.version().map(Cow::into_owned);
    let versions = match (version, &range) {
        (Some(_), Some(_)) => return Err(PolicyProblem::VersionAndRange(text.to_owned())),
        (None, Some(range)) => Versions::range(purl.kind(), range)
            .map_err(|problem| PolicyProblem::Versions { text: text.to_owned(), problem })?,
        (Some(version), None) => Versions::listed(purl.kind(), [version]),
        (None, None) => Versions::every(purl.kind()),
    };
    let by = if range.is_some() { text } else { "" };
    let qualifiers = purl.qualifiers().map(Into::into).collect();
    list.insert(&purl, Entry { by: by.into(), versions, qualifiers, release: None });
    Ok(())
}

/// The URL without its range, and the range, decoded: people write `>=1.0.0|<2.0.0`, and the standard `%3E%3D1.0.0`.
fn without_range(text: &str) -> (String, Option<String>) {
    let Some((path, qualifiers)) = text.split_once('?') else { return (text.to_owned(), None) };
    let (ranges, others): (Vec<_>, Vec<_>) = qualifiers.split('&').partition(|pair| pair.starts_with(RANGE));
    let range = ranges.first().and_then(|pair| pair.strip_prefix(RANGE));
    let range = range.map(|range| percent_decode_str(range).decode_utf8_lossy().into_owned());
    let rest = if others.is_empty() { path.to_owned() } else { format!("{path}?{}", others.join("&")) };
    (rest, range)
}

fn name_of(format: SbomFormat) -> &'static str {
    match format {
        SbomFormat::Spdx => "SPDX",
        SbomFormat::CycloneDx => "CycloneDX",
    }
}
