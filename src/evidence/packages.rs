//! The packages of an SBOM as they come in, bounded, and then in order.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::evidence::{Malformed, Package, Purl, canonical_purl};
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

/// A package as its SBOM writes it, with any number of package URLs.
#[derive(Default)]
pub(in crate::evidence) struct Listed {
    pub(in crate::evidence) name: String,
    pub(in crate::evidence) version: Option<String>,
    pub(in crate::evidence) purls: Vec<String>,
    pub(in crate::evidence) licenses: Vec<String>,
}

impl Packages {
    /// Takes in a package, and once more for each further package URL that it has, so that none hides behind another.
    ///
    /// Those have no licences: copies of long lists would multiply what a document costs.
    pub(in crate::evidence) fn add(&mut self, listed: Listed) {
        if self.packages.len() > limits::PACKAGES {
            return;
        }
        let mut purls = listed.purls.iter().filter_map(|text| canonical_purl(text).map(String::into_boxed_str));
        let purl = purls.next();
        let licenses = self.interned(listed.licenses);
        self.push(match &purl {
            Some(url) => {
                let version = listed.version.filter(|_| Purl::of(url).version().is_none());
                Package { version: said(version.as_deref()), purl, licenses, ..Package::default() }
            }
            None => Package {
                purl: None,
                unread: said(listed.purls.iter().find_map(|text| text.get(..UNREAD_LENGTH).or(Some(text)))),
                name: listed.name.into(),
                version: said(listed.version.as_deref()),
                licenses,
            },
        });
        purls.for_each(|purl| self.push(Package { purl: Some(purl), ..Package::default() }));
    }

    fn interned(&mut self, mut licenses: Vec<String>) -> Box<[Arc<str>]> {
        licenses.sort_unstable();
        licenses.dedup();
        licenses.into_iter().map(|text| self.license(text)).collect()
    }

    fn license(&mut self, text: String) -> Arc<str> {
        if let Some(known) = self.licenses.get(text.as_str()) {
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
        self.packages.sort_unstable();
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
