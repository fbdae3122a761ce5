//! The packages of an SBOM as they come in, bounded, and then in order.

use std::sync::Arc;

use crate::evidence::purl::parse_purl;
use crate::evidence::{Malformed, Package};
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
    /// Takes in a package, and once more for each further package URL that it has, so that none hides behind another.
    ///
    /// Those are named by their URL and have no licences: copies of long texts would multiply what a document costs.
    pub(in crate::evidence) fn add(&mut self, listed: Listed) {
        let mut purls = listed.purls.iter().filter_map(|purl| parse_purl(purl));
        let mut licenses = listed.licenses;
        licenses.sort_unstable();
        licenses.dedup();
        self.push(Package {
            purl: purls.next().map(|purl| purl.to_string()),
            name: listed.name,
            version: listed.version.filter(|version| !version.is_empty()),
            licenses,
        });
        for purl in purls {
            self.push(Package {
                purl: Some(purl.to_string()),
                name: purl.name().to_owned(),
                version: purl.version().map(str::to_owned),
                licenses: Vec::new(),
            });
        }
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

/// Whether a licence expression says anything (SPDX 2.3, 7.13: `NOASSERTION` and `NONE` do not).
pub(in crate::evidence) fn is_license(text: &str) -> bool {
    !matches!(text, "" | "NOASSERTION" | "NONE")
}
