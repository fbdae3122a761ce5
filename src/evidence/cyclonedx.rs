//! CycloneDX JSON documents, 1.2 (the first in JSON) to 1.7: they differ in nothing that is read.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::evidence::ancestry::Found;
use crate::evidence::base_image::is_image_url;
use crate::evidence::list::each;
use crate::evidence::packages::{Bill, Listed, Packages, is_license};
use crate::evidence::strict::read_text_strictly;
use crate::evidence::text::{Text, Word};
use crate::evidence::{Malformed, Sbom, SbomFormat};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(default)]
    bom_format: String,
    #[serde(default)]
    spec_version: String,
    metadata: Option<Metadata>,
    #[serde(default, deserialize_with = "listing")]
    components: Listing,
    #[serde(rename = "Data", borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default, deserialize_with = "listing")]
    component: Listing,
}

/// Components, and the images that they were built on.
#[derive(Default)]
struct Listing {
    packages: Packages,
    bases: Found,
}

/// Reads a document in one pass: all its components at any depth, and the one that it is about.
///
/// # Errors
/// [`Malformed`] if it is no CycloneDX 1 document, or lists too many components.
pub(in crate::evidence) fn read(json: &str) -> Result<Bill<'_>, Malformed> {
    let document: Document<'_> = read_text_strictly(json)?;
    if let Some(data) = document.data {
        return Ok(Bill::Wrapped(data));
    }
    if document.bom_format != "CycloneDX" || !document.spec_version.starts_with("1.") {
        return Err(Malformed::Json("no CycloneDX 1 document".to_owned()));
    }
    let Listing { mut packages, mut bases } = document.components;
    if let Some(about) = document.metadata {
        packages.join(about.component.packages);
        bases.join(about.component.bases);
    }
    let (packages, base_images) = (packages.finish()?, bases.finish());
    Ok(Bill::Read(Sbom { format: SbomFormat::CycloneDx, version: document.spec_version, packages, base_images }))
}

fn listing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Listing, D::Error> {
    let mut listing = Listing::default();
    Components(&mut listing).deserialize(deserializer)?;
    Ok(listing)
}

/// A component or a list of components, to be added to the packages together with those inside of them, and what they were
/// built on to the base images.
struct Components<'a>(&'a mut Listing);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Member {
    Type,
    Pedigree,
    Group,
    Name,
    Version,
    Purl,
    Licenses,
    Components,
    #[serde(other)]
    Other,
}

impl<'de> DeserializeSeed<'de> for Components<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Components<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("components")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element_seed(Components(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let (mut listed, mut group) = (Listed::default(), None);
        let (mut kind, mut ancestors) = (Text::default(), Ancestors::default());
        while let Some(member) = members.next_key()? {
            match member {
                Member::Type => kind = members.next_value()?,
                Member::Pedigree => ancestors = members.next_value::<Option<Pedigree>>()?.unwrap_or_default().ancestors,
                Member::Group => group = members.next_value::<Text<'_>>()?.0,
                Member::Name => listed.name = members.next_value::<Text<'_>>()?.0.unwrap_or_default(),
                Member::Version => listed.version = members.next_value::<Text<'_>>()?.0,
                Member::Purl => listed.purls.extend(members.next_value::<Option<Word<'_>>>()?.map(|Word(purl)| purl)),
                Member::Licenses => listed.licenses = members.next_value::<Licenses<'_>>()?.0,
                Member::Components => members.next_value_seed(Components(self.0))?,
                Member::Other => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        if let Some(group) = group.filter(|group| !group.is_empty()) {
            listed.name = format!("{group}/{}", listed.name).into();
        }
        self.0.bases.join(ancestors.of(is_image(&kind, &listed.purls)));
        self.0.packages.add(listed);
        Ok(())
    }
}

/// The type of a component that is an image.
const IMAGE: &str = "container";

fn is_image(kind: &Text<'_>, purls: &[Cow<'_, str>]) -> bool {
    kind.0.as_deref() == Some(IMAGE) || purls.iter().any(|purl| is_image_url(purl))
}

/// What a component was made from (CycloneDX 1.7, `pedigree`).
#[derive(Deserialize, Default)]
struct Pedigree {
    #[serde(default)]
    ancestors: Ancestors,
}

/// The ancestors of a component at any depth: the images, and those of which nothing says what they are.
#[derive(Default)]
struct Ancestors {
    images: Found,
    others: Found,
}

#[derive(Deserialize)]
struct Ancestor<'a> {
    #[serde(rename = "type", default, borrow)]
    kind: Text<'a>,
    #[serde(default, borrow)]
    name: Text<'a>,
    #[serde(default, borrow)]
    purl: Text<'a>,
    pedigree: Option<Pedigree>,
}

impl Ancestors {
    /// The images among them; all of them, where it is an image that was made from them.
    fn of(self, is_image: bool) -> Found {
        let Self { mut images, others } = self;
        if is_image {
            images.join(others);
        }
        images
    }

    fn add(&mut self, ancestor: Ancestor<'_>) {
        let (name, urls) = (ancestor.name.0.unwrap_or_default(), Vec::from_iter(ancestor.purl.0));
        let is_image = is_image(&ancestor.kind, &urls);
        let urls: Vec<_> = urls.into_iter().filter(|url| is_image_url(url)).collect();
        if is_image {
            self.images.image(&name, &urls);
        } else {
            self.others.unknown(&name);
        }
        self.images.join(ancestor.pedigree.unwrap_or_default().ancestors.of(is_image));
    }
}

impl<'de> Deserialize<'de> for Ancestors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut ancestors = Self::default();
        each(deserializer, |ancestor: Ancestor<'de>| ancestors.add(ancestor))?;
        Ok(ancestors)
    }
}

/// The licences of a component: expressions, identifiers, or names where there is no identifier.
struct Licenses<'a>(Vec<Cow<'a, str>>);

#[derive(Deserialize)]
struct LicenseChoice<'a> {
    #[serde(borrow)]
    license: Option<License<'a>>,
    #[serde(borrow)]
    expression: Option<Word<'a>>,
}

#[derive(Deserialize)]
struct License<'a> {
    #[serde(borrow)]
    id: Option<Word<'a>>,
    #[serde(borrow)]
    name: Option<Word<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Licenses<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut licenses = Vec::new();
        each(deserializer, |choice: LicenseChoice<'de>| {
            let license = choice.license.and_then(|license| license.id.or(license.name));
            let said = [choice.expression, license].into_iter().flatten().map(|Word(text)| text);
            licenses.extend(said.filter(|text| is_license(text)));
        })?;
        Ok(Self(licenses))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Sbom, Malformed> {
        super::read(json)?.sbom()
    }

    fn purls(rest: &str) -> Vec<Option<String>> {
        let json = format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.5"{rest}}}"#);
        read(&json).unwrap().packages.iter().map(|package| package.purl.as_deref().map(str::to_owned)).collect()
    }

    #[test]
    fn a_component_has_its_url_name_version_and_licences() {
        let json = r#"{"bomFormat":"CycloneDX","specVersion":"1.4","components":[{"type":"library","name":"axios",
            "version":"1.14.1","purl":"pkg:NPM/axios@1.14.1","licenses":[{"license":{"id":"MIT"}},
            {"license":{"name":"Own licence"}},{"expression":"MIT OR Apache-2.0"},{"license":{"id":"MIT"}}]}]}"#;
        let sbom = read(json).unwrap();
        assert_eq!((sbom.format, sbom.version.as_str()), (SbomFormat::CycloneDx, "1.4"));
        let package = &sbom.packages[0];
        assert_eq!(package.purl.as_deref(), Some("pkg:npm/axios@1.14.1"));
        let licenses: Vec<_> = package.licenses.iter().map(|text| &**text).collect();
        assert_eq!(licenses, ["MIT", "MIT OR Apache-2.0", "Own licence"]);
    }

    #[test]
    fn a_component_without_a_url_is_named_with_its_group() {
        let json = r#"{"bomFormat":"CycloneDX","specVersion":"1.7","components":[{"name":"core","group":"@babel",
            "version":7}]}"#;
        let package = &read(json).unwrap().packages[0];
        assert_eq!((&*package.name, package.version.as_deref()), ("@babel/core", Some("7")));
    }

    #[test]
    fn licences_of_version_1_7_are_expressions_beside_licences_with_details() {
        let json = r#"{"bomFormat":"CycloneDX","specVersion":"1.7","components":[{"purl":"pkg:npm/a@1","licenses":[
            {"license":{"id":"MIT","acknowledgement":"declared"}},
            {"expression":"LicenseRef-x OR ISC","expressionDetails":[{"licenseIdentifier":"LicenseRef-x",
                "text":{"content":"do what you like"}}],"bom-ref":"e"}]}]}"#;
        let package = &read(json).unwrap().packages[0];
        let licenses: Vec<_> = package.licenses.iter().map(|text| &**text).collect();
        assert_eq!(licenses, ["LicenseRef-x OR ISC", "MIT"]);
    }

    #[test]
    fn components_inside_components_and_the_one_described_are_found() {
        let found = purls(
            r#","components":[{"components":[{"purl":"pkg:npm/c@1","components":[{"purl":"pkg:npm/d@1"}]}],
                "purl":"pkg:npm/b@1"}],"metadata":{"component":{"purl":"pkg:npm/a@1",
                "components":[{"purl":"pkg:npm/e@1"}]}}"#,
        );
        let expected = ["a", "b", "c", "d", "e"].map(|name| Some(format!("pkg:npm/{name}@1")));
        assert_eq!(found, expected);
    }

    #[test]
    fn components_come_in_the_order_of_their_urls_each_once() {
        let found = purls(
            r#","components":[{"purl":"pkg:npm/b@1"},{"name":"x"},{"purl":"pkg:npm/a@1"},{"purl":"pkg:npm/b@1"}]"#,
        );
        assert_eq!(found, [None, Some("pkg:npm/a@1".into()), Some("pkg:npm/b@1".into())]);
    }

    #[test]
    fn what_generators_leave_out_is_absent() {
        let rest = r#","metadata":{"component":null},"components":[{"name":null,"version":null,"purl":null,
            "licenses":null,"components":null}]"#;
        assert_eq!(purls(rest), [None]);
        assert!(purls("").is_empty());
        assert!(purls(r#","metadata":null,"components":null"#).is_empty());
    }

    #[test]
    fn what_is_no_cyclonedx_1_document_is_malformed() {
        for json in [
            "null",
            "[]",
            "{}",
            r#"{"bomFormat":"CycloneDX"}"#,
            r#"{"bomFormat":"SPDX","specVersion":"1.5"}"#,
            r#"{"bomFormat":"CycloneDX","specVersion":"2.0"}"#,
            r#"{"bomFormat":"CycloneDX","specVersion":"1.5","components":[1]}"#,
            r#"{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"purl":1}]}"#,
            r#"{"spdxVersion":"SPDX-2.3"}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn more_components_than_are_looked_at_are_too_much() {
        let half = vec!["{}"; crate::limits::PACKAGES / 2].join(",");
        let json = format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{half},{{"components":[{half}]}}]}}"#
        );
        assert!(matches!(read(&json), Err(Malformed::TooMuch { what: "packages", .. })));
    }
}
