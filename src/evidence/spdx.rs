//! SPDX 2.x JSON documents (2.2 and 2.3 differ in nothing that is read).

use serde::{Deserialize, Deserializer};

use crate::evidence::list::each;
use crate::evidence::packages::{Listed, Packages, is_license};
use crate::evidence::strict::read_checked;
use crate::evidence::{Malformed, Sbom, SbomFormat};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    spdx_version: String,
    #[serde(default, deserialize_with = "packages")]
    packages: Packages,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    name: Option<String>,
    version_info: Option<String>,
    license_concluded: Option<String>,
    license_declared: Option<String>,
    #[serde(default, deserialize_with = "purls")]
    external_refs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_type: Option<String>,
    reference_locator: Option<String>,
}

/// Reads a document.
///
/// # Errors
/// [`Malformed`] if it is no SPDX 2 document, or lists too many packages.
pub(in crate::evidence) fn read(json: &str) -> Result<Sbom, Malformed> {
    let document: Document = read_checked(json.as_bytes())?;
    let Some(version) = document.spdx_version.strip_prefix("SPDX-").filter(|version| version.starts_with("2.")) else {
        return Err(Malformed::Json("no SPDX 2 document".to_owned()));
    };
    Ok(Sbom { format: SbomFormat::Spdx, version: version.to_owned(), packages: document.packages.finish()? })
}

fn packages<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Packages, D::Error> {
    let mut packages = Packages::default();
    each(deserializer, |package: Package| packages.add(package.into()))?;
    Ok(packages)
}

/// The package URLs among the external references; scanners add dozens of others to each package.
fn purls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let mut purls = Vec::new();
    each(deserializer, |reference: ExternalRef| {
        let is_purl = |kind: &str| kind == "purl" || kind.ends_with("/references/purl");
        if reference.reference_type.as_deref().is_some_and(is_purl) {
            purls.extend(reference.reference_locator);
        }
    })?;
    Ok(purls)
}

impl From<Package> for Listed {
    fn from(package: Package) -> Self {
        let licenses = [package.license_concluded, package.license_declared].into_iter().flatten();
        Self {
            name: package.name.unwrap_or_default(),
            version: package.version_info,
            purls: package.external_refs,
            licenses: licenses.filter(|text| is_license(text)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(rest: &str) -> crate::evidence::Package {
        let json = format!(r#"{{"spdxVersion":"SPDX-2.3","packages":[{{"name":"axios"{rest}}}]}}"#);
        read(&json).unwrap().packages[0].clone()
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
        assert_eq!((read.name.as_str(), read.version.as_deref()), ("axios", Some("1.14.1")));
        assert_eq!(read.licenses, ["Apache-2.0", "MIT"]);
    }

    #[test]
    fn a_licence_that_says_nothing_is_none() {
        assert!(package(r#","licenseConcluded":"NOASSERTION","licenseDeclared":"NONE""#).licenses.is_empty());
        assert_eq!(package(r#","licenseConcluded":"MIT","licenseDeclared":"MIT""#).licenses, ["MIT"]);
    }

    #[test]
    fn every_url_of_a_package_is_listed() {
        let refs = [reference("purl", "pkg:npm/b@1"), reference("cpe23Type", "cpe"), reference("purl", "pkg:npm/a@1")];
        let json = format!(r#"{{"spdxVersion":"SPDX-2.2","packages":[{{"externalRefs":[{}]}}]}}"#, refs.join(","));
        let purls: Vec<_> = read(&json).unwrap().packages.iter().map(|package| package.purl.clone().unwrap()).collect();
        assert_eq!(purls, ["pkg:npm/a@1", "pkg:npm/b@1"]);
    }

    #[test]
    fn further_urls_of_a_package_copy_nothing() {
        let refs = [reference("purl", "pkg:npm/a@1"), reference("purl", "pkg:npm/b@2")].join(",");
        let json = format!(
            r#"{{"spdxVersion":"SPDX-2.3","packages":[{{"name":"long","licenseConcluded":"MIT",
                "externalRefs":[{refs}]}}]}}"#
        );
        let names: Vec<_> = read(&json)
            .unwrap()
            .packages
            .iter()
            .map(|package| (package.name.clone(), package.licenses.len()))
            .collect();
        assert_eq!(names, [("long".to_owned(), 1), ("b".to_owned(), 0)]);
    }

    #[test]
    fn a_package_with_an_invalid_url_is_kept_without() {
        let read = package(&format!(r#","externalRefs":[{}]"#, reference("purl", "axios")));
        assert_eq!((read.purl, read.name.as_str()), (None, "axios"));
    }

    #[test]
    fn what_generators_leave_out_is_absent() {
        let read = package(r#","versionInfo":null,"externalRefs":null,"licenseConcluded":null"#);
        assert_eq!((read.version, read.licenses), (None, vec![]));
        assert!(super::read(r#"{"spdxVersion":"SPDX-2.3"}"#).unwrap().packages.is_empty());
        assert!(super::read(r#"{"spdxVersion":"SPDX-2.3","packages":null}"#).unwrap().packages.is_empty());
    }

    #[test]
    fn what_is_no_spdx_2_document_is_malformed() {
        for json in [
            "null",
            "[]",
            "{}",
            r#"{"spdxVersion":"SPDX-3.0"}"#,
            r#"{"spdxVersion":"2.3"}"#,
            r#"{"bomFormat":"CycloneDX","specVersion":"1.5"}"#,
            r#"{"spdxVersion":"SPDX-2.3","packages":{}}"#,
            r#"{"spdxVersion":"SPDX-2.3","packages":[1]}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn more_packages_than_are_looked_at_are_too_much() {
        let packages = vec![r#"{"name":"a"}"#; crate::limits::PACKAGES + 1].join(",");
        let json = format!(r#"{{"spdxVersion":"SPDX-2.3","packages":[{packages}]}}"#);
        assert!(matches!(read(&json), Err(Malformed::TooMuch { what: "packages", .. })));
    }
}
