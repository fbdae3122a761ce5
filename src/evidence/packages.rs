//! The packages of an SBOM as they come in, bounded, and then in order.

use std::sync::Arc;

use crate::evidence::{Malformed, Package, canonical_purl};
use crate::limits;

/// Collects packages: [`limits::PACKAGES`], and one more to tell that there are too many.
#[derive(Default)]
pub(in crate::evidence) struct Packages(Vec<Package>);

/// A package as its SBOM writes it, with any number of package URLs.
#[derive(Default)]
pub(in crate::evidence) struct Listed {
    pub(in crate::evidence) name: String,
    pub(in crate::evidence) version: Option<String>,
    pub(in crate::evidence) purls: Vec<String>,
    pub(in crate::evidence) licenses: Vec<String>,
}

impl Packages {
    /// Takes in a package: once for each of its package URLs, so that none hides behind another, and once without if
    /// it has none that is valid.
    pub(in crate::evidence) fn add(&mut self, listed: Listed) {
        let mut purls: Vec<_> = listed.purls.iter().filter_map(|purl| canonical_purl(purl)).collect();
        let last = purls.pop();
        for purl in purls {
            self.push(Package {
                purl: Some(purl),
                name: listed.name.clone(),
                version: listed.version.clone(),
                licenses: listed.licenses.clone(),
            });
        }
        self.push(Package {
            purl: last,
            name: listed.name,
            version: listed.version.filter(|version| !version.is_empty()),
            licenses: listed.licenses,
        });
    }

    fn push(&mut self, package: Package) {
        if self.0.len() <= limits::PACKAGES {
            self.0.push(package);
        }
    }

    /// The packages in order of their package URL, each once.
    ///
    /// # Errors
    /// [`Malformed::TooMuch`] for more than [`limits::PACKAGES`].
    pub(in crate::evidence) fn finish(mut self) -> Result<Arc<[Package]>, Malformed> {
        if self.0.len() > limits::PACKAGES {
            return Err(Malformed::TooMuch { what: "packages", limit: limits::PACKAGES as u64 });
        }
        self.0.sort_unstable();
        self.0.dedup();
        Ok(self.0.into())
    }
}

/// Adds a licence expression, unless it says nothing (SPDX: `NOASSERTION`, `NONE`) or is there already.
pub(in crate::evidence) fn add_license(licenses: &mut Vec<String>, license: Option<String>) {
    let says_something = |text: &String| !matches!(text.as_str(), "" | "NOASSERTION" | "NONE");
    if let Some(license) = license.filter(says_something).filter(|license| !licenses.contains(license)) {
        licenses.push(license);
    }
}
