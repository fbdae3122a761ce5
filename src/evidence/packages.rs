//! What a document that should be an SBOM is, and the packages of one as they come in, bounded, and then in order.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::evidence::{Malformed, Package, Purl, Sbom, canonical_purl};
use crate::limits;

/// Longest text in the place of a package URL that is kept: it only tells people what could not be read.
const UNREAD_LENGTH: usize = 256;

/// Collects packages: [`limits::PACKAGES`], and one more to tell that there are too many.
#[derive(Default)]
pub(in crate::evidence) struct Packages {
    packages: Vec<Package>,
    /// Every licence text once: a thousand packages have one licence.
    licenses: BTreeSet<Arc<str>>,
}

/// What a document was found to be.
#[derive(Debug)]
pub(in crate::evidence) enum Bill<'a> {
    /// A bill of materials.
    Read(Sbom),
    /// An object with a member `Data`, which may be one.
    Wrapped(&'a RawValue),
}

impl Bill<'_> {
    /// # Errors
    /// [`Malformed`] if it is not one by itself.
    pub(in crate::evidence) fn sbom(self) -> Result<Sbom, Malformed> {
        match self {
            Self::Read(sbom) => Ok(sbom),
            Self::Wrapped(_) => Err(Malformed::shape("a bill of materials that is wrapped where none should be")),
        }
    }
}

/// A package as its SBOM writes it, with any number of package URLs.
#[derive(Default)]
pub(in crate::evidence) struct Listed<'a> {
    pub(in crate::evidence) name: Cow<'a, str>,
    pub(in crate::evidence) version: Option<Cow<'a, str>>,
    pub(in crate::evidence) purls: Vec<Cow<'a, str>>,
    pub(in crate::evidence) licenses: Vec<Cow<'a, str>>,
}

impl Packages {
    /// Takes in a package, and once more for each further package URL that it has, so that none hides behind another.
    ///
    /// Those have no licences: copies of long lists would multiply what a document costs.
    pub(in crate::evidence) fn add(&mut self, listed: Listed<'_>) {
        if self.packages.len() > limits::PACKAGES {
            return;
        }
        let mut purls = listed.purls.iter().filter_map(|text| canonical_purl(text).map(String::into_boxed_str));
        let purl = purls.next();
        let licenses = self.interned(listed.licenses);
        self.push(match &purl {
            Some(url) => {
                let version = listed.version.filter(|_| !Purl::of(url).has_version());
                Package { version: said(version.as_deref()), purl, licenses, ..Package::default() }
            }
            None => Package {
                purl: None,
                unread: said(listed.purls.iter().find_map(|text| text.get(..UNREAD_LENGTH).or(Some(&**text)))),
                name: listed.name.into(),
                version: said(listed.version.as_deref()),
                licenses,
            },
        });
        purls.for_each(|purl| self.push(Package { purl: Some(purl), ..Package::default() }));
    }

    /// Takes in those of `others` too.
    pub(in crate::evidence) fn join(&mut self, others: Self) {
        others.packages.into_iter().for_each(|package| self.push(package));
    }

    fn interned(&mut self, mut licenses: Vec<Cow<'_, str>>) -> Box<[Arc<str>]> {
        licenses.sort_unstable();
        licenses.dedup();
        licenses.into_iter().map(|text| self.license(text)).collect()
    }

    fn license(&mut self, text: Cow<'_, str>) -> Arc<str> {
        if let Some(known) = self.licenses.get(&*text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.licenses.insert(Arc::clone(&text));
        text
    }

    fn push(&mut self, package: Package) {
        if self.packages.len() <= limits::PACKAGES {
            self.packages.push(package);
        }
    }

    /// The packages in order of their package URL, each once.
    ///
    /// # Errors
    /// [`Malformed::TooMuch`] for more than [`limits::PACKAGES`].
    pub(in crate::evidence) fn finish(mut self) -> Result<Arc<[Package]>, Malformed> {
        if self.packages.len() > limits::PACKAGES {
            return Err(Malformed::TooMuch { what: "packages", limit: limits::PACKAGES as u64 });
        }
        // Generators write them in order, or in runs of such: what was sorted is not sorted anew.
        self.packages.sort();
        self.packages.dedup();
        Ok(self.packages.into())
    }
}

/// A text that says something.
fn said(text: Option<&str>) -> Option<Box<str>> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(Into::into)
}

/// Whether a licence expression says anything (SPDX 2.3, 7.13: `NOASSERTION` and `NONE` do not).
pub(in crate::evidence) fn is_license(text: &str) -> bool {
    !matches!(text, "" | "NOASSERTION" | "NONE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_of_materials_may_list_as_many_packages_as_it_may() {
        let of = |count| Packages { packages: vec![Package::default(); count], ..Packages::default() }.finish();
        assert!(of(limits::PACKAGES).is_ok());
        assert!(matches!(of(limits::PACKAGES + 1), Err(Malformed::TooMuch { .. })));
    }
}
