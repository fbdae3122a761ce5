//! SPDX 3.x: a graph of elements, of which packages, licences and the relationships between the two are read, and those that
//! say what descends from what.
//!
//! Elements may stand in the graph or inside of other elements; each is looked at wherever it is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::evidence::Malformed;
use crate::evidence::ancestry::{Ancestry, Element as Image};
use crate::evidence::base_image::is_image_url;
use crate::evidence::packages::{Listed, Packages, is_license};
use crate::evidence::spdx::{Listing, neither};
use crate::evidence::text::Word;
use crate::limits;

/// Where the contexts of all versions are.
const CONTEXT: &str = "https://spdx.org/rdf/3.";
/// The purpose of a package that is an image.
const IMAGE: &str = "container";
/// Deepest that licences are put together out of others.
const LICENSE_DEPTH: usize = 8;
/// Longest licence expression that is put together: the longest of real packages have some hundred characters.
const LICENSE_LENGTH: usize = 4096;
/// Most licences, and most relationships to them: two for each package, and the licences themselves.
const LICENSE_ELEMENTS: usize = 2 * limits::PACKAGES;
/// Most bytes of expressions that packages are given in all: a document of some megabytes can give each of its packages the
/// longest of them over and over.
const LICENSE_TEXT: usize = 64 * 1024 * 1024;

/// The version of the context, such as `3.0.1`.
///
/// # Errors
/// [`Malformed`] if it is none of SPDX 3.
pub(super) fn version(context: &RawValue) -> Result<String, Malformed> {
    let (_, rest) = context.get().split_once(CONTEXT).ok_or_else(neither)?;
    let minor: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    Ok(format!("3.{}", minor.trim_end_matches('.')))
}

type Id<'de> = Cow<'de, str>;

/// What was found in a graph.
#[derive(Default)]
pub(super) struct Graph<'de> {
    packages: Vec<(Id<'de>, Listed<'de>)>,
    licenses: HashMap<Id<'de>, License<'de>>,
    /// From a package to its licence.
    licensed: Vec<(Id<'de>, Id<'de>)>,
    ancestry: Ancestry<'de>,
}

/// A licence, or what others are made of.
enum License<'de> {
    Expression(Id<'de>),
    All(Vec<Id<'de>>),
    Any(Vec<Id<'de>>),
    OrLater(Id<'de>),
    With(Id<'de>, Id<'de>),
}

/// What an element says of itself, in whatever order.
#[derive(Default)]
struct Element<'de> {
    kind: Id<'de>,
    id: Id<'de>,
    name: Id<'de>,
    version: Id<'de>,
    purl: Id<'de>,
    purpose: Id<'de>,
    identifier_kind: Id<'de>,
    identifier: Id<'de>,
    purls: Vec<Id<'de>>,
    relationship: Id<'de>,
    from: Vec<Id<'de>>,
    to: Vec<Id<'de>>,
    expression: Id<'de>,
    members: Vec<Id<'de>>,
    subject: Vec<Id<'de>>,
    addition: Vec<Id<'de>>,
}

impl<'de> Graph<'de> {
    /// Takes in an element, and says how others refer to it; a package URL, if it is an external identifier of that kind.
    fn take(&mut self, element: Element<'de>) -> Taken<'de> {
        // The name of a class may be a term of the context, or written out: `.../Software/Package`.
        let kind = element.kind.rsplit(['/', '_', ':']).next().unwrap_or_default();
        match kind {
            "ExternalIdentifier" if element.identifier_kind.to_ascii_lowercase().ends_with("packageurl") => {
                return Taken { id: element.id, purl: Some(element.identifier) };
            }
            "Relationship" | "LifecycleScopedRelationship" if is_licensing(&element.relationship) => {
                self.relate(&element);
                return Taken::default();
            }
            "Relationship" | "LifecycleScopedRelationship" => self.descend(&element),
            _ if kind.ends_with("Package") => self.list(&element),
            "File" if !(element.purls.is_empty() && element.purl.is_empty()) => self.list(&element),
            _ => self.license(kind, &element),
        }
        Taken { id: element.id, purl: None }
    }

    fn list(&mut self, element: &Element<'de>) {
        if self.packages.len() <= limits::PACKAGES {
            let purls = [&element.purl].into_iter().chain(&element.purls).filter(|purl| !purl.is_empty());
            let mut purls: Vec<_> = purls.cloned().collect();
            purls.dedup();
            self.image(element, &purls);
            let listed = Listed {
                name: element.name.clone(),
                version: Some(element.version.clone()),
                purls,
                licenses: Vec::new(),
            };
            self.packages.push((element.id.clone(), listed));
        }
    }

    fn image(&mut self, element: &Element<'de>, purls: &[Id<'de>]) {
        let urls: Vec<_> = purls.iter().filter(|url| is_image_url(url)).cloned().collect();
        if !urls.is_empty() || element.purpose.ends_with(IMAGE) {
            self.ancestry.image(Image { id: element.id.clone(), name: element.name.clone(), urls });
        }
    }

    /// What a relationship says of what descends from what, if it does.
    fn descend(&mut self, element: &Element<'de>) {
        let is_descendant = element.relationship.ends_with("descendantOf");
        if !is_descendant && !element.relationship.ends_with("ancestorOf") {
            return;
        }
        for (from, to) in element.from.iter().flat_map(|from| element.to.iter().map(move |to| (from, to))) {
            let (descendant, ancestor) = if is_descendant { (from, to) } else { (to, from) };
            if !self.ancestry.line(descendant.clone(), ancestor.clone()) {
                return;
            }
        }
    }

    fn relate(&mut self, element: &Element<'de>) {
        let pairs = element.from.iter().flat_map(|from| element.to.iter().map(move |to| (from.clone(), to.clone())));
        // One more tells that there are too many.
        let room = (LICENSE_ELEMENTS + 1).saturating_sub(self.licensed.len());
        self.licensed.extend(pairs.take(room));
    }

    fn license(&mut self, kind: &str, element: &Element<'de>) {
        let subject = || element.subject.first().cloned().unwrap_or_default();
        let license = match kind {
            "LicenseExpression" => License::Expression(element.expression.clone()),
            "ConjunctiveLicenseSet" => License::All(element.members.clone()),
            "DisjunctiveLicenseSet" => License::Any(element.members.clone()),
            "OrLaterOperator" => License::OrLater(subject()),
            "WithAdditionOperator" => License::With(subject(), element.addition.first().cloned().unwrap_or_default()),
            "CustomLicense" | "CustomLicenseAddition" | "SimpleLicensingText" => {
                License::Expression(element.name.clone())
            }
            // The identifier of one that is listed says which one it is.
            _ => return,
        };
        self.licenses.insert(element.id.clone(), license);
    }

    /// Its packages with their licences, and what of it descends from what.
    ///
    /// # Errors
    /// [`Malformed`] if it has too many packages or licences.
    pub(super) fn listing(self) -> Result<Listing<'de>, Malformed> {
        let Self { packages, licenses, licensed, ancestry } = self;
        let mut of: HashMap<Id<'_>, Vec<Id<'_>>> = HashMap::new();
        let mut licenses = Licenses { elements: licenses, known: HashMap::new(), looked_at: licensed.len(), given: 0 };
        for (package, license) in licensed {
            of.entry(package).or_default().push(license);
        }
        let mut found = Packages::default();
        for (id, mut listed) in packages {
            for license in of.get(&id).into_iter().flatten().filter(|_| !id.is_empty()) {
                listed
                    .licenses
                    .extend(Some(licenses.expression(license)?).filter(|text| is_license(text)).map(Cow::Owned));
            }
            found.add(listed);
        }
        Ok(Listing { packages: found, ancestry })
    }
}

fn is_licensing(relationship: &str) -> bool {
    ["hasDeclaredLicense", "hasConcludedLicense"].iter().any(|kind| relationship.ends_with(kind))
}

/// The licences of a graph, and the expressions that they were found to be.
struct Licenses<'de> {
    elements: HashMap<Id<'de>, License<'de>>,
    known: HashMap<Id<'de>, String>,
    looked_at: usize,
    /// Bytes of expressions that packages were given.
    given: usize,
}

impl<'de> Licenses<'de> {
    /// The licence that an identifier stands for, as an expression.
    fn expression(&mut self, id: &Id<'de>) -> Result<String, Malformed> {
        if let Some(known) = self.known.get(id).cloned() {
            return self.give(known);
        }
        let text = Self::put_together(id, &self.elements, LICENSE_DEPTH, &mut self.looked_at);
        if self.looked_at > LICENSE_ELEMENTS {
            return Err(Malformed::TooMuch { what: "licences", limit: LICENSE_ELEMENTS as u64 });
        }
        self.known.insert(id.clone(), text.clone());
        self.give(text)
    }

    fn give(&mut self, text: String) -> Result<String, Malformed> {
        self.given = self.given.saturating_add(text.len());
        if self.given > LICENSE_TEXT {
            return Err(Malformed::TooMuch { what: "bytes of licences", limit: LICENSE_TEXT as u64 });
        }
        Ok(text)
    }

    /// Counts every licence that it looks at, and looks at no more than there may be. One that is nested too deeply counts
    /// as too many: left out, it would escape those who deny it.
    fn put_together(id: &str, all: &HashMap<Id<'_>, License<'_>>, depth: usize, looked_at: &mut usize) -> String {
        *looked_at += 1;
        let Some(depth) = depth.checked_sub(1).filter(|_| *looked_at <= LICENSE_ELEMENTS) else {
            *looked_at = LICENSE_ELEMENTS + 1;
            return String::new();
        };
        let mut inner = |id: &Id<'_>| Self::put_together(id, all, depth, looked_at);
        let text = match all.get(id) {
            None => listed(id).to_owned(),
            Some(License::Expression(text)) if text.is_empty() => listed(id).to_owned(),
            Some(License::Expression(text)) => text.clone().into_owned(),
            Some(License::All(members)) => joined(members.iter().map(inner), " AND "),
            Some(License::Any(members)) => joined(members.iter().map(inner), " OR "),
            Some(License::OrLater(license)) => format!("{}+", inner(license)),
            Some(License::With(license, addition)) => format!("{} WITH {}", inner(license), inner(addition)),
        };
        text.chars().take(LICENSE_LENGTH).collect()
    }
}

fn joined(texts: impl Iterator<Item = String>, operator: &str) -> String {
    let mut all = String::new();
    for text in texts.filter(|text| !text.is_empty()) {
        if all.len() > LICENSE_LENGTH {
            break;
        }
        let text = if text.contains(' ') { format!("({text})") } else { text };
        all = if all.is_empty() { text } else { format!("{all}{operator}{text}") };
    }
    all
}

/// The licence of SPDX's own list that an IRI names: `https://spdx.org/licenses/MIT`, or that there is none.
fn listed(iri: &str) -> &str {
    let name = iri.rsplit(['/', '#', ':']).next().unwrap_or(iri);
    match name.trim_start_matches("expandedlicensing_") {
        "NoAssertionLicense" => "NOASSERTION",
        "NoneLicense" => "NONE",
        _ => name,
    }
}

/// What an element was to the one around it.
#[derive(Default)]
struct Taken<'de> {
    id: Id<'de>,
    purl: Option<Id<'de>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Graph<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Elements)
    }
}

/// The list of all elements.
struct Elements;

impl<'de> Visitor<'de> for Elements {
    type Value = Graph<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Graph<'de>, A::Error> {
        let mut graph = Graph::default();
        while elements.next_element_seed(Value(&mut graph))?.is_some() {}
        Ok(graph)
    }
}

/// Any value, with the elements in it: gives the texts that it is, or that refer to the elements.
struct Value<'a, 'de>(&'a mut Graph<'de>);

/// The texts of a value, and the package URLs among its elements.
#[derive(Default)]
struct Texts<'de> {
    ids: Vec<Id<'de>>,
    purls: Vec<Id<'de>>,
}

impl<'de> Texts<'de> {
    fn one(text: Id<'de>) -> Self {
        Self { ids: vec![text], purls: Vec::new() }
    }

    fn first(self) -> Id<'de> {
        self.ids.into_iter().next().unwrap_or_default()
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_, 'de> {
    type Value = Texts<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Texts<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, 'de> {
    type Value = Texts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Texts<'de>, E> {
        Ok(Texts::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Texts<'de>, E> {
        Ok(Texts::default())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Texts<'de>, E> {
        Ok(Texts::one(number.to_string().into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Texts<'de>, E> {
        Ok(Texts::one(number.to_string().into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Texts<'de>, E> {
        Ok(Texts::one(number.to_string().into()))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Texts<'de>, E> {
        Ok(Texts::one(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Texts<'de>, E> {
        Ok(Texts::one(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Texts<'de>, A::Error> {
        let mut texts = Texts::default();
        while let Some(next) = elements.next_element_seed(Value(&mut *self.0))? {
            texts.ids.extend(next.ids);
            texts.purls.extend(next.purls);
        }
        Ok(texts)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Texts<'de>, A::Error> {
        let mut element = Element::default();
        while let Some(Word(key)) = members.next_key()? {
            let value = members.next_value_seed(Value(&mut *self.0))?;
            element.set(&key, value).map_err(A::Error::custom)?;
        }
        let Taken { id, purl } = self.0.take(element);
        Ok(Texts { ids: vec![id], purls: purl.into_iter().collect() })
    }
}

impl<'de> Element<'de> {
    /// # Errors
    /// If the member says twice what the element is: under the name of JSON-LD, and under the one of SPDX.
    fn set(&mut self, key: &str, value: Texts<'de>) -> Result<(), &'static str> {
        match key {
            "type" | "@type" if self.kind.is_empty() => self.kind = value.first(),
            "spdxId" | "@id" if self.id.is_empty() => self.id = value.first(),
            "type" | "@type" | "spdxId" | "@id" => return Err("an element with two types or two identifiers"),
            "name" => self.name = value.first(),
            "software_packageVersion" => self.version = value.first(),
            "software_packageUrl" => self.purl = value.first(),
            "software_primaryPurpose" => self.purpose = value.first(),
            "externalIdentifierType" => self.identifier_kind = value.first(),
            "identifier" => self.identifier = value.first(),
            "externalIdentifier" => self.purls = value.purls,
            "relationshipType" => self.relationship = value.first(),
            "from" => self.from = value.ids,
            "to" => self.to = value.ids,
            "simplelicensing_licenseExpression" => self.expression = value.first(),
            "expandedlicensing_member" => self.members = value.ids,
            "expandedlicensing_subjectLicense" | "expandedlicensing_subjectExtendableLicense" => {
                self.subject = value.ids;
            }
            "expandedlicensing_subjectAddition" => self.addition = value.ids,
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::evidence::{Package, Sbom, SbomFormat};

    fn read(elements: &Json) -> Result<Sbom, Malformed> {
        let context = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld";
        crate::evidence::spdx::read_sbom(&json!({"@context": context, "@graph": elements}).to_string())
    }

    fn sbom(elements: &Json) -> Sbom {
        read(elements).unwrap()
    }

    fn package(elements: &Json) -> Package {
        sbom(elements).packages[0].clone()
    }

    fn licenses(elements: &[Json]) -> Vec<String> {
        let axios = json!({"type": "software_Package", "spdxId": "urn:axios", "name": "axios"});
        let all: Vec<_> = elements.iter().cloned().chain([axios]).collect();
        package(&json!(all)).licenses.iter().map(ToString::to_string).collect()
    }

    fn relationship(kind: &str, to: &str) -> Json {
        json!({"type": "Relationship", "spdxId": "urn:r", "from": "urn:axios", "relationshipType": kind, "to": [to]})
    }

    #[test]
    fn a_package_has_its_url_its_version_and_its_licences() {
        let sbom = sbom(&json!([
            {"type": "CreationInfo", "@id": "_:c", "specVersion": "3.0.1", "created": "2026-01-01T00:00:00Z"},
            {"type": "SpdxDocument", "spdxId": "urn:d", "creationInfo": "_:c", "rootElement": ["urn:axios"],
                "element": ["urn:axios", "urn:mit"]},
            {"type": "software_Package", "spdxId": "urn:axios", "name": "axios", "software_packageVersion": "1.14.1",
                "software_packageUrl": "pkg:NPM/axios@1.14.1", "creationInfo": "_:c"},
            {"type": "simplelicensing_LicenseExpression", "spdxId": "urn:mit",
                "simplelicensing_licenseExpression": "MIT"},
            relationship("hasDeclaredLicense", "urn:mit"),
            relationship("hasConcludedLicense", "https://spdx.org/licenses/ISC"),
            relationship("contains", "https://spdx.org/licenses/GPL-2.0-only"),
        ]));
        assert_eq!((sbom.format, sbom.version.as_str(), sbom.packages.len()), (SbomFormat::Spdx, "3.0.1", 1));
        let package = &sbom.packages[0];
        assert_eq!(package.purl.as_deref(), Some("pkg:npm/axios@1.14.1"));
        assert_eq!(package.licenses.iter().map(|text| &**text).collect::<Vec<_>>(), ["ISC", "MIT"]);
    }

    #[test]
    fn a_licence_that_is_nested_too_deeply_does_not_vanish() {
        let nested = |depth: usize| {
            let set = |at: usize| {
                json!({"type": "expandedlicensing_ConjunctiveLicenseSet", "spdxId": format!("urn:{at}"),
                    "expandedlicensing_member": [format!("urn:{}", at + 1)]})
            };
            let leaf = json!({"type": "simplelicensing_LicenseExpression", "spdxId": format!("urn:{depth}"),
                "simplelicensing_licenseExpression": "AGPL-3.0-only"});
            let axios = json!({"type": "software_Package", "spdxId": "urn:axios", "name": "axios"});
            let head = [axios, relationship("hasDeclaredLicense", "urn:1"), leaf];
            let graph: Vec<_> = (1..depth).map(set).chain(head).collect();
            let context = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld";
            crate::evidence::spdx::read_sbom(&json!({"@context": context, "@graph": graph}).to_string())
        };
        assert_eq!(&*nested(LICENSE_DEPTH).unwrap().packages[0].licenses[0], "AGPL-3.0-only");
        assert!(matches!(nested(LICENSE_DEPTH + 1), Err(Malformed::TooMuch { .. })));
    }

    #[test]
    fn a_package_url_may_be_an_external_identifier() {
        for kind in ["packageUrl", "packageURL", "spdx:Core/ExternalIdentifierType/packageUrl"] {
            let identifiers = json!([
                {"type": "ExternalIdentifier", "externalIdentifierType": "cpe23", "identifier": "cpe:2.3:a:x"},
                {"type": "ExternalIdentifier", "externalIdentifierType": "other", "identifier": "pkg:npm/other@1"},
                {"type": "ExternalIdentifier", "externalIdentifierType": kind, "identifier": "pkg:npm/axios@1.14.1"},
            ]);
            let element = json!([{"type": "software_Package", "name": "axios", "externalIdentifier": identifiers}]);
            let found: Vec<_> = sbom(&element).packages.iter().map(|package| package.purl.clone()).collect();
            assert_eq!(found, [Some("pkg:npm/axios@1.14.1".into())], "{kind}");
        }
    }

    #[test]
    fn every_url_of_a_package_is_listed_once() {
        let identifier = |purl| {
            json!({"type": "ExternalIdentifier", "externalIdentifierType": "packageUrl",
            "identifier": purl})
        };
        let sbom = sbom(&json!([{"type": "software_Package", "software_packageUrl": "pkg:npm/a@1",
            "externalIdentifier": [identifier("pkg:npm/a@1"), identifier("pkg:npm/b@1")]}]));
        let purls: Vec<_> = sbom.packages.iter().map(|package| package.purl.as_deref().unwrap()).collect();
        assert_eq!(purls, ["pkg:npm/a@1", "pkg:npm/b@1"]);
    }

    #[test]
    fn a_package_inside_of_another_element_is_found_and_a_tool_is_none() {
        let inner = json!({"type": "software_Package", "spdxId": "urn:a", "software_packageUrl": "pkg:npm/a@1"});
        let tool = json!({"type": "Tool", "externalIdentifier": [{"type": "ExternalIdentifier",
            "externalIdentifierType": "packageUrl", "identifier": "pkg:npm/tool@1"}]});
        let sbom = sbom(&json!([{"type": "Relationship", "relationshipType": "contains", "from": "urn:d",
            "to": [inner]}, tool]));
        let purls: Vec<_> = sbom.packages.iter().map(|package| package.purl.as_deref()).collect();
        assert_eq!(purls, [Some("pkg:npm/a@1")]);
    }

    #[test]
    fn other_packages_and_files_with_a_url_are_packages() {
        let sbom = sbom(&json!([
            {"type": "ai_AIPackage", "software_packageUrl": "pkg:huggingface/a/b@1"},
            {"@type": "https://spdx.org/rdf/3.0.1/terms/Software/Package", "@id": "urn:b", "name": "b"},
            {"type": "software_File", "name": "f", "software_packageUrl": "pkg:generic/f@1"},
            {"type": "software_File", "name": "g"},
        ]));
        let found: Vec<_> =
            sbom.packages.iter().map(|package| package.purl.as_deref().unwrap_or(&package.name)).collect();
        assert_eq!(found, ["b", "pkg:generic/f@1", "pkg:huggingface/a/b@1"]);
    }

    #[test]
    fn licences_are_put_together_out_of_their_parts() {
        let part = |kind: &str, id: &str, rest: Json| {
            let mut element = json!({"type": format!("expandedlicensing_{kind}"), "spdxId": id});
            element.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            element
        };
        let found = licenses(&[
            relationship("hasConcludedLicense", "urn:all"),
            part("ConjunctiveLicenseSet", "urn:all", json!({"expandedlicensing_member": ["urn:any", "urn:with"]})),
            part(
                "DisjunctiveLicenseSet",
                "urn:any",
                json!({"expandedlicensing_member": ["https://spdx.org/licenses/MIT", "urn:later"]}),
            ),
            part(
                "OrLaterOperator",
                "urn:later",
                json!({"expandedlicensing_subjectLicense": "https://spdx.org/licenses/LGPL-2.1-only"}),
            ),
            part(
                "WithAdditionOperator",
                "urn:with",
                json!({
                "expandedlicensing_subjectExtendableLicense": "https://spdx.org/licenses/GPL-2.0-only",
                "expandedlicensing_subjectAddition": "https://spdx.org/licenses/Classpath-exception-2.0"}),
            ),
        ]);
        assert_eq!(found, ["(MIT OR LGPL-2.1-only+) AND (GPL-2.0-only WITH Classpath-exception-2.0)"]);
    }

    #[test]
    fn a_licence_that_says_nothing_is_none() {
        for none in [
            "https://spdx.org/rdf/3.0.1/terms/ExpandedLicensing/NoAssertionLicense",
            "expandedlicensing_NoneLicense",
            "urn:e",
        ] {
            let expression = json!({"type": "simplelicensing_LicenseExpression", "spdxId": "urn:e",
                "simplelicensing_licenseExpression": "NOASSERTION"});
            assert!(licenses(&[relationship("hasDeclaredLicense", none), expression]).is_empty(), "{none}");
        }
    }

    #[test]
    fn licences_made_of_themselves_come_to_an_end() {
        let set = |id: &str| {
            json!({"type": "expandedlicensing_ConjunctiveLicenseSet", "spdxId": id,
            "expandedlicensing_member": ["urn:a", "urn:b", "https://spdx.org/licenses/MIT"]})
        };
        let axios = json!({"type": "software_Package", "spdxId": "urn:axios"});
        let graph = [relationship("hasDeclaredLicense", "urn:a"), set("urn:a"), set("urn:b"), axios];
        let json = json!({"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": graph});
        let refused = crate::evidence::spdx::read_sbom(&json.to_string());
        assert!(matches!(refused, Err(Malformed::TooMuch { what: "licences", .. })));
    }

    #[test]
    fn licences_that_take_too_long_to_put_together_are_too_much() {
        let ids: Vec<_> = (0..100).map(|number| format!("urn:{number}")).collect();
        let set = |id: &String| {
            json!({"type": "expandedlicensing_ConjunctiveLicenseSet", "spdxId": id,
            "expandedlicensing_member": ids})
        };
        let mut elements: Vec<_> = ids.iter().map(set).collect();
        elements.push(json!({"type": "software_Package", "spdxId": "urn:axios"}));
        elements.push(relationship("hasDeclaredLicense", "urn:0"));
        let json = json!({"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": elements});
        let refused = crate::evidence::spdx::read_sbom(&json.to_string());
        assert!(matches!(refused, Err(Malformed::TooMuch { what: "licences", .. })));
    }

    #[test]
    fn one_long_licence_given_over_and_over_is_too_much() {
        let expression = json!({"type": "simplelicensing_LicenseExpression", "spdxId": "urn:e",
            "simplelicensing_licenseExpression": "x".repeat(LICENSE_LENGTH)});
        let again = vec!["urn:e"; LICENSE_TEXT / LICENSE_LENGTH + 1];
        let relationship = json!({"type": "Relationship", "from": "urn:axios", "to": again,
            "relationshipType": "hasDeclaredLicense"});
        let axios = json!({"type": "software_Package", "spdxId": "urn:axios"});
        let json = json!({"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
            "@graph": [axios, expression, relationship]});
        let refused = crate::evidence::spdx::read_sbom(&json.to_string());
        assert!(matches!(refused, Err(Malformed::TooMuch { what: "bytes of licences", .. })));
    }

    #[test]
    fn an_element_that_is_two_things_is_refused() {
        let json = json!({"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
            "@graph": [{"type": "software_File", "@type": "software_Package"}]});
        assert!(crate::evidence::spdx::read_sbom(&json.to_string()).is_err());
    }

    #[test]
    fn a_licence_of_ones_own_has_its_name_and_one_without_is_its_identifier() {
        let custom =
            |id: &str, name: Json| json!({"type": "expandedlicensing_CustomLicense", "spdxId": id, "name": name});
        let found = licenses(&[
            relationship("hasDeclaredLicense", "urn:acme"),
            custom("urn:acme", json!("LicenseRef-Acme")),
            relationship("hasConcludedLicense", "https://spdx.org/licenses/MIT"),
            custom("https://spdx.org/licenses/MIT", Json::Null),
        ]);
        assert_eq!(found, ["LicenseRef-Acme", "MIT"]);
    }

    #[test]
    fn an_element_has_one_identifier_and_values_are_texts_however_they_are_written() {
        let twice = json!([{"type": "software_Package", "spdxId": "urn:a", "@id": "urn:b", "name": "a"}]);
        assert!(read(&twice).unwrap_err().to_string().contains("two identifiers"));
        for (written, text) in [(json!(7), "7"), (json!(-7), "-7"), (json!(1.5), "1.5"), (json!("1\"0"), "1\"0")] {
            let element = json!([{"type": "software_Package", "name": "a", "software_packageVersion": written}]);
            assert_eq!(package(&element).version.as_deref(), Some(text));
        }
    }

    #[test]
    fn no_more_licences_are_put_together_than_are_kept() {
        let looked_at = |length: usize| {
            let mut count = 0;
            joined((0..9).map(|_| "x".repeat(length)).inspect(|_| count += 1), " OR ");
            count
        };
        // The one after what is enough tells that it is.
        assert_eq!((looked_at(LICENSE_LENGTH), looked_at(LICENSE_LENGTH + 1)), (3, 2));
    }

    #[test]
    fn licences_are_bounded_in_number_and_in_length() {
        let mut looked_at = 0;
        assert_eq!(Licenses::put_together("urn:a", &HashMap::new(), 2, &mut looked_at), "a");
        assert_eq!(looked_at, 1);
        let licenses =
            |looked_at, given| Licenses { elements: HashMap::new(), known: HashMap::new(), looked_at, given };
        let (most, longest) = (limits::PACKAGES << 1, 64 << 20);
        assert!(licenses(most - 1, 0).expression(&"urn:a".into()).is_ok());
        assert!(licenses(most, 0).expression(&"urn:a".into()).is_err());
        assert!(licenses(0, longest - 3).give("MIT".to_owned()).is_ok());
        assert!(licenses(0, longest - 2).give("MIT".to_owned()).is_err());
    }
}
