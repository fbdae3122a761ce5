//! SPDX 2.x (2.2 and 2.3 differ in nothing that is read).

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use crate::evidence::Malformed;
use crate::evidence::ancestry::{Ancestry, Element};
use crate::evidence::base_image::is_image_url;
use crate::evidence::list::each;
use crate::evidence::packages::{Listed, is_license};
use crate::evidence::spdx::{Listing, neither};
use crate::evidence::text::{Text, Word};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Package<'a> {
    #[serde(rename = "SPDXID", borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    primary_package_purpose: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    version_info: Text<'a>,
    #[serde(borrow)]
    license_concluded: Text<'a>,
    #[serde(borrow)]
    license_declared: Text<'a>,
    #[serde(borrow, deserialize_with = "purls")]
    external_refs: Vec<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef<'a> {
    #[serde(borrow)]
    reference_type: Option<Word<'a>>,
    #[serde(borrow)]
    reference_locator: Option<Word<'a>>,
}

/// The purpose of a package that is an image (SPDX 2.3, 7.24).
const IMAGE: &str = "CONTAINER";

#[derive(Deserialize, Default)]
#[serde(default)]
struct Relationship<'a> {
    #[serde(rename = "spdxElementId", borrow)]
    element: Text<'a>,
    #[serde(rename = "relationshipType", borrow)]
    kind: Text<'a>,
    #[serde(rename = "relatedSpdxElement", borrow)]
    related: Text<'a>,
}

/// The version, such as `2.3`.
///
/// # Errors
/// [`Malformed`] if it is none of SPDX 2.
pub(super) fn version(text: &str) -> Result<String, Malformed> {
    let version = text.strip_prefix("SPDX-").filter(|version| version.starts_with("2."));
    version.map(str::to_owned).ok_or_else(neither)
}

pub(super) fn packages<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Listing<'de>, D::Error> {
    let mut listing = Listing::default();
    each(deserializer, |package: Package<'de>| {
        if let Some(image) = package.image() {
            listing.ancestry.image(image);
        }
        listing.packages.add(package.into());
    })?;
    Ok(listing)
}

/// Those that say what descends from what, out of hundreds of thousands (SPDX 2.3, 11.1): ko says so of the base image.
pub(super) fn relationships<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ancestry<'de>, D::Error> {
    let mut ancestry = Ancestry::default();
    each(deserializer, |relationship: Relationship<'de>| {
        if let Some((descendant, ancestor)) = relationship.line() {
            ancestry.line(descendant, ancestor);
        }
    })?;
    Ok(ancestry)
}

impl<'a> Relationship<'a> {
    /// What descends from what.
    fn line(self) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
        let (element, related) = (self.element.0?, self.related.0?);
        match self.kind.0.as_deref()? {
            "DESCENDANT_OF" => Some((element, related)),
            "ANCESTOR_OF" => Some((related, element)),
            _ => None,
        }
    }
}

impl<'a> Package<'a> {
    /// The image that it is, if it is one.
    fn image(&self) -> Option<Element<'a>> {
        let urls: Vec<_> = self.external_refs.iter().filter(|url| is_image_url(url)).cloned().collect();
        let is_image = !urls.is_empty() || self.primary_package_purpose.0.as_deref() == Some(IMAGE);
        let text = |text: &Text<'a>| text.0.clone().unwrap_or_default();
        is_image.then(|| Element { id: text(&self.id), name: text(&self.name), urls })
    }
}

/// The package URLs among the external references; scanners add dozens of others to each package. What a generator calls
/// the type and the category of one differs, the scheme of the URL does not.
fn purls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Cow<'de, str>>, D::Error> {
    let mut purls = Vec::new();
    each(deserializer, |reference: ExternalRef<'de>| {
        let is_purl = |kind: &str| kind.eq_ignore_ascii_case("purl") || kind.ends_with("/references/purl");
        let named = reference.reference_type.is_some_and(|Word(kind)| is_purl(&kind));
        let locator = reference.reference_locator.map(|Word(locator)| locator);
        purls.extend(locator.filter(|locator| named || locator.starts_with("pkg:")));
    })?;
    Ok(purls)
}

impl<'a> From<Package<'a>> for Listed<'a> {
    fn from(package: Package<'a>) -> Self {
        let licenses = [package.license_concluded.0, package.license_declared.0].into_iter().flatten();
        Self {
            name: package.name.0.unwrap_or_default(),
            version: package.version_info.0,
            purls: package.external_refs,
            licenses: licenses.filter(|text| is_license(text)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::evidence::spdx::read_sbom as read_document;

    fn package(rest: &str) -> crate::evidence::Package {
        let json = format!(r#"{{"spdxVersion":"SPDX-2.3","packages":[{{"name":"axios"{rest}}}]}}"#);
        read_document(&json).unwrap().packages[0].clone()
    }

    fn licenses(package: &crate::evidence::Package) -> Vec<&str> {
        package.licenses.iter().map(|text| &**text).collect()
    }

    fn reference(kind: &str, locator: &str) -> String {
        format!(r#"{{"referenceCategory":"PACKAGE-MANAGER","referenceType":"{kind}","referenceLocator":"{locator}"}}"#)
    }

    #[test]
    fn a_package_has_its_url_name_version_and_licences() {
        let purl = reference("purl", "pkg:NPM/axios@1.14.1");
        let rest = format!(
            r#","versionInfo":"1.14.1","licenseConcluded":"MIT","licenseDeclared":"Apache-2.0","externalRefs":[{purl}]"#
        );
        let read = package(&rest);
        assert_eq!(read.purl.as_deref(), Some("pkg:npm/axios@1.14.1"));
        // The URL says it all.
        assert_eq!((&*read.name, read.version.as_deref()), ("", None));
        assert_eq!(licenses(&read), ["Apache-2.0", "MIT"]);
    }

    #[test]
    fn a_licence_that_says_nothing_is_none() {
        assert!(package(r#","licenseConcluded":"NOASSERTION","licenseDeclared":"NONE""#).licenses.is_empty());
        assert_eq!(licenses(&package(r#","licenseConcluded":"MIT","licenseDeclared":"MIT""#)), ["MIT"]);
    }

    #[test]
    fn every_url_of_a_package_is_listed() {
        let refs = [reference("purl", "pkg:npm/b@1"), reference("cpe23Type", "cpe"), reference("purl", "pkg:npm/a@1")];
        let json = format!(r#"{{"spdxVersion":"SPDX-2.2","packages":[{{"externalRefs":[{}]}}]}}"#, refs.join(","));
        let purls: Vec<_> = read_document(&json)
            .unwrap()
            .packages
            .iter()
            .map(|package| package.purl.as_deref().unwrap().to_owned())
            .collect();
        assert_eq!(purls, ["pkg:npm/a@1", "pkg:npm/b@1"]);
    }

    #[test]
    fn further_urls_of_a_package_copy_nothing() {
        let refs = [reference("purl", "pkg:npm/a@1"), reference("purl", "pkg:npm/b@2")].join(",");
        let json = format!(
            r#"{{"spdxVersion":"SPDX-2.3","packages":[{{"name":"long","licenseConcluded":"MIT",
                "externalRefs":[{refs}]}}]}}"#
        );
        let read = read_document(&json).unwrap();
        let found: Vec<_> =
            read.packages.iter().map(|package| (package.purl.as_deref().unwrap(), package.licenses.len())).collect();
        assert_eq!(found, [("pkg:npm/a@1", 1), ("pkg:npm/b@2", 0)]);
    }

    #[test]
    fn what_is_no_package_url_is_kept_as_it_is_beside_the_name() {
        let read = package(&format!(r#","versionInfo":"1.14.1","externalRefs":[{}]"#, reference("purl", "axios")));
        assert_eq!((read.purl, read.unread.as_deref()), (None, Some("axios")));
        assert_eq!((&*read.name, read.version.as_deref()), ("axios", Some("1.14.1")));
    }

    #[test]
    fn a_version_beside_a_url_without_one_is_kept() {
        let read =
            package(&format!(r#","versionInfo":"1.14.1","externalRefs":[{}]"#, reference("purl", "pkg:npm/axios")));
        assert_eq!((read.purl.as_deref(), read.version.as_deref()), (Some("pkg:npm/axios"), Some("1.14.1")));
    }

    #[test]
    fn a_package_url_is_found_whatever_its_reference_is_called() {
        for kind in ["purl", "PURL", "http://spdx.org/rdf/references/purl", "package-url"] {
            let read = package(&format!(r#","externalRefs":[{}]"#, reference(kind, "pkg:npm/axios@1.14.1")));
            assert_eq!(read.purl.as_deref(), Some("pkg:npm/axios@1.14.1"), "{kind}");
        }
    }

    #[test]
    fn a_version_may_be_written_as_a_number() {
        assert_eq!(package(r#","versionInfo":2"#).version.as_deref(), Some("2"));
    }

    #[test]
    fn what_generators_leave_out_is_absent() {
        let read = package(r#","versionInfo":null,"externalRefs":null,"licenseConcluded":null"#);
        assert_eq!((read.version.as_deref(), read.licenses.len()), (None, 0));
        assert!(read_document(r#"{"spdxVersion":"SPDX-2.3"}"#).unwrap().packages.is_empty());
        assert!(read_document(r#"{"spdxVersion":"SPDX-2.3","packages":null}"#).unwrap().packages.is_empty());
    }
}
