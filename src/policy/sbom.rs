//! `[rule.sbom]`: what must be known of an image's content, and what must not be in it.

use std::str::{FromStr, Split};

use packageurl::PackageUrl;

use crate::evidence::{Package, Sbom, SbomFormat};
use crate::policy::error::{Place, PolicyError, PolicyProblem};
use crate::policy::identity::Identity;
use crate::policy::reason::{because, shown};
use crate::policy::settings::SbomSettings;
use crate::policy::signature::check_any;
use crate::policy::{Reason, ReasonCode};
use crate::verify::Signer;

/// What a rule demands of bills of materials.
#[derive(Debug)]
pub(super) struct SbomRule {
    signers: Vec<Identity>,
    formats: Option<Vec<SbomFormat>>,
    denied: Vec<DeniedPackage>,
}

/// A package that must not be there, in the canonical form of its URL.
#[derive(Debug)]
struct DeniedPackage {
    /// Up to the name: `pkg:npm/axios`.
    name: String,
    /// As written in a URL, and as itself. None: every version.
    version: Option<(String, String)>,
    /// `key=value`, each of which must be there.
    qualifiers: Vec<String>,
}

impl SbomRule {
    /// Reads the block. `signers` are the identities of its signers.
    pub(super) fn compile(settings: &SbomSettings, signers: Vec<Identity>, at: &Place) -> Result<Self, PolicyError> {
        let denied = settings.deny_packages.iter().enumerate();
        if settings.formats.as_ref().is_some_and(Vec::is_empty) {
            return Err(at.key("formats").problem(PolicyProblem::Empty));
        }
        Ok(Self {
            signers,
            formats: settings.formats.clone(),
            denied: denied
                .map(|(index, text)| DeniedPackage::read(text, &at.item("deny_packages", index)))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Whether more evidence could turn an admit into a refusal.
    pub(super) fn denies(&self) -> bool {
        !self.denied.is_empty()
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

    /// The denied packages that are in it.
    pub(super) fn denied_in(&self, sbom: &Sbom) -> impl Iterator<Item = Reason> {
        let found = self.denied.iter().filter_map(|denied| denied.find(&sbom.packages));
        found.map(|package| Reason {
            code: ReasonCode::DeniedPackage,
            text: format!("contains the denied package {}", shown(package)),
        })
    }
}

impl DeniedPackage {
    fn read(text: &str, at: &Place) -> Result<Self, PolicyError> {
        let problem = |error: packageurl::Error| {
            at.problem(PolicyProblem::PackageUrl { text: text.to_owned(), problem: error.to_string() })
        };
        let url = PackageUrl::from_str(text).map_err(problem)?;
        let canonical = url.to_string();
        let Parts { name, version, qualifiers } = Parts::of(&canonical);
        Ok(Self {
            name: name.to_owned(),
            version: version.map(str::to_owned).zip(url.version().map(str::to_owned)),
            qualifiers: qualifiers.filter(|qualifier| !qualifier.is_empty()).map(str::to_owned).collect(),
        })
    }

    /// The first package that it denies. `packages` are in order of their URL, so that this costs microseconds where
    /// there are a hundred thousand of them: it is asked on every request.
    fn find<'a>(&self, packages: &'a [Package]) -> Option<&'a str> {
        let start = packages.partition_point(|package| package.purl.as_deref().is_none_or(|purl| *purl < *self.name));
        let from_start = packages.iter().skip(start).map_while(|package| Some((package, package.purl.as_deref()?)));
        let mut named = from_start.take_while(|(_, purl)| purl.starts_with(&self.name));
        named.find(|(package, purl)| self.is(package, purl)).map(|(_, purl)| purl)
    }

    fn is(&self, package: &Package, purl: &str) -> bool {
        let found = Parts::of(purl);
        // Some tools write the version beside the URL only.
        let same_version = |(written, plain): &(String, String)| match found.version {
            Some(version) => version == written,
            None => package.version.as_deref() == Some(plain.as_str()),
        };
        let qualifiers: Vec<_> = found.qualifiers.collect();
        found.name == self.name
            && self.version.as_ref().is_none_or(same_version)
            && self.qualifiers.iter().all(|wanted| qualifiers.contains(&wanted.as_str()))
    }
}

/// The parts of a package URL in canonical form, in which `@`, `?` and `#` are separators wherever they stand.
struct Parts<'a> {
    name: &'a str,
    version: Option<&'a str>,
    qualifiers: Split<'a, char>,
}

impl<'a> Parts<'a> {
    fn of(purl: &'a str) -> Self {
        let purl = purl.split_once('#').map_or(purl, |(purl, _)| purl);
        let (purl, qualifiers) = purl.split_once('?').unwrap_or((purl, ""));
        let (name, version) = purl.split_once('@').map_or((purl, None), |(name, version)| (name, Some(version)));
        Self { name, version, qualifiers: qualifiers.split('&') }
    }
}

fn name_of(format: SbomFormat) -> &'static str {
    match format {
        SbomFormat::Spdx => "SPDX",
        SbomFormat::CycloneDx => "CycloneDX",
    }
}
