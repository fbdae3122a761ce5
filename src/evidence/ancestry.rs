//! Which images a bill of materials says that others are built on: what descends from what, bounded, and then the images
//! among it.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use crate::evidence::{BaseImage, BaseImages};
use crate::limits;

/// Longest text that is kept in place of a package URL: it only tells people what cannot be told.
const NAME_LENGTH: usize = 256;
/// What SPDX writes where there is nothing to name, or nobody says (SPDX 2.3, 11.1; 3.0, `NoneElement`).
const NOBODY: [&str; 4] = ["NONE", "NOASSERTION", "NoneElement", "NoAssertionElement"];

/// Collects what descends from what, and the images: no more than [`limits::SBOM_ANCESTORS`] of either.
#[derive(Debug, Default)]
pub(in crate::evidence) struct Ancestry<'a> {
    images: Vec<Element<'a>>,
    lines: Vec<Line<'a>>,
    more: bool,
}

/// An image, as its bill of materials writes it.
#[derive(Debug)]
pub(in crate::evidence) struct Element<'a> {
    /// How others refer to it.
    pub(in crate::evidence) id: Cow<'a, str>,
    /// What people call it.
    pub(in crate::evidence) name: Cow<'a, str>,
    /// Its package URLs that are of images.
    pub(in crate::evidence) urls: Vec<Cow<'a, str>>,
}

/// That one descends from another.
#[derive(Debug)]
struct Line<'a> {
    descendant: Cow<'a, str>,
    ancestor: Cow<'a, str>,
}

impl<'a> Ancestry<'a> {
    /// Takes in an image.
    pub(in crate::evidence) fn image(&mut self, image: Element<'a>) {
        if self.images.len() < limits::SBOM_ANCESTORS {
            self.images.push(image);
        } else {
            self.more = true;
        }
    }

    /// Takes in that `descendant` was built on `ancestor`; whether there may be room for another.
    pub(in crate::evidence) fn line(&mut self, descendant: Cow<'a, str>, ancestor: Cow<'a, str>) -> bool {
        let has_room = self.lines.len() < limits::SBOM_ANCESTORS;
        if !has_room {
            self.more = true;
        } else if !NOBODY.contains(&ancestor.rsplit(['/', '_']).next().unwrap_or_default()) {
            self.lines.push(Line { descendant, ancestor });
        }
        has_room
    }

    /// Takes in what `other` has too.
    pub(in crate::evidence) fn join(&mut self, other: Self) {
        self.more |= other.more;
        other.images.into_iter().for_each(|image| self.image(image));
        for Line { descendant, ancestor } in other.lines {
            self.line(descendant, ancestor);
        }
    }

    /// The images that others were built on. What an image descends from is one, even if nothing says which: whoever demands
    /// that base images are judged must not be told that there is none.
    pub(in crate::evidence) fn finish(self) -> BaseImages {
        let images: HashSet<&str> = self.images.iter().map(|image| &*image.id).collect();
        let ancestors: HashSet<&str> = self.lines.iter().map(|line| &*line.ancestor).collect();
        let mut found = Found { more: self.more && !self.lines.is_empty(), ..Found::default() };
        for image in self.images.iter().filter(|image| ancestors.contains(&*image.id)) {
            found.image(&image.name, &image.urls);
        }
        for line in &self.lines {
            if images.contains(&*line.descendant) && !images.contains(&*line.ancestor) {
                found.unknown(&line.ancestor);
            }
        }
        found.finish()
    }
}

/// Collects base images: each once, and no more than are judged for one request.
#[derive(Debug, Default)]
pub(in crate::evidence) struct Found {
    images: BTreeSet<BaseImage>,
    more: bool,
}

impl Found {
    /// Takes in the image that has this name, and is at each of `urls`.
    pub(in crate::evidence) fn image(&mut self, name: &str, urls: &[Cow<'_, str>]) {
        urls.iter().filter_map(|url| BaseImage::at(url)).for_each(|image| self.add(image));
        if urls.is_empty() {
            self.unknown(name);
        }
    }

    /// Takes in an image of which nothing says where it is.
    pub(in crate::evidence) fn unknown(&mut self, name: &str) {
        let uri = name.chars().take(NAME_LENGTH).collect();
        self.add(BaseImage { uri, repository: None, tag: None, digest: None });
    }

    /// Takes in those of `other` too.
    pub(in crate::evidence) fn join(&mut self, other: Self) {
        self.more |= other.more;
        other.images.into_iter().for_each(|image| self.add(image));
    }

    fn add(&mut self, image: BaseImage) {
        if self.images.len() < limits::BASE_IMAGES || self.images.contains(&image) {
            self.images.insert(image);
        } else {
            self.more = true;
        }
    }

    pub(in crate::evidence) fn finish(self) -> BaseImages {
        BaseImages { images: self.images.into_iter().collect(), more: self.more }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::evidence::{BaseImages, Predicate, Statement};
    use crate::limits;

    const DIGEST: &str = "sha256:decda8381dbd8765d4827218b79910355cde86a29a8b2bc7357b02a8f77f63dc";
    const IMAGE: &str = "SPDXRef-Package-sha256-f4c0";
    const BASE: &str = "SPDXRef-Package-sha256-decd";

    fn read(predicate_type: &str, predicate: &str) -> BaseImages {
        let statement = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","predicateType":"{predicate_type}","predicate":{predicate}}}"#
        );
        let Predicate::Sbom(sbom) = Statement::parse(statement.as_bytes()).unwrap().predicate else {
            panic!("{predicate_type}");
        };
        sbom.base_images
    }

    /// What a document says, whichever of its lists comes first.
    fn spdx(packages: &[Value], relationships: &[Value]) -> BaseImages {
        let members = [("packages", packages), ("relationships", relationships)];
        let members = members.map(|(name, list)| format!("\"{name}\":{}", json!(list)));
        let [named, turned] = [[0, 1], [1, 0]].map(|order| {
            let members = order.map(|index| members[index].as_str()).join(",");
            read("https://spdx.dev/Document", &format!(r#"{{"spdxVersion":"SPDX-2.3",{members}}}"#))
        });
        assert_eq!(named, turned);
        named
    }

    fn cyclonedx(document: &Value) -> BaseImages {
        let mut document = document.clone();
        document["bomFormat"] = json!("CycloneDX");
        document["specVersion"] = json!("1.6");
        read("https://cyclonedx.org/bom", &document.to_string())
    }

    /// A package as ko writes it.
    fn package(id: &str, locator: &str) -> Value {
        json!({
            "SPDXID": id,
            "name": "cgr.dev/chainguard/static",
            "versionInfo": "cgr.dev/chainguard/static:latest",
            "licenseConcluded": "NOASSERTION",
            "primaryPackagePurpose": "CONTAINER",
            "externalRefs": [{
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": locator,
            }],
        })
    }

    fn image() -> Value {
        package(
            IMAGE,
            "pkg:oci/image@sha256:f4c006c7a5066312dc58f99e0ac3cfbe807e4d9b10395ac947b302f198905ca4?mediaType=a",
        )
    }

    fn base() -> Value {
        package(BASE, &url())
    }

    fn url() -> String {
        format!("pkg:oci/image@{DIGEST}?repository_url=cgr.dev%2Fchainguard%2Fstatic&tag=latest")
    }

    fn related(element: &str, kind: &str, related: &str) -> Value {
        json!({"spdxElementId": element, "relationshipType": kind, "relatedSpdxElement": related})
    }

    #[track_caller]
    fn assert_static(named: &BaseImages) {
        let [base] = &*named.images else { panic!("{named:?}") };
        assert_eq!(base.repository.as_ref().unwrap().to_string(), "cgr.dev/chainguard/static");
        assert_eq!(base.tag.as_ref().unwrap().as_str(), "latest");
        assert_eq!(base.digest.unwrap().to_string(), DIGEST);
        assert!(!named.more && !named.is_empty());
    }

    /// That it names an image, and nothing of it can be told.
    #[track_caller]
    fn assert_unknown(named: &BaseImages, name: &str) {
        let [base] = &*named.images else { panic!("{named:?}") };
        assert_eq!((&*base.uri, &base.repository, &base.tag, &base.digest), (name, &None, &None, &None));
    }

    #[test]
    fn a_document_of_ko_names_the_base_image() {
        let contents = [image(), base(), package("SPDXRef-Package-a", "pkg:golang/github.com/acme/a@v1?type=module")];
        let described = related("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE);
        let contains = related(IMAGE, "CONTAINS", "SPDXRef-Package-a");
        assert_static(&spdx(&contents, &[described.clone(), related(IMAGE, "DESCENDANT_OF", BASE), contains.clone()]));
        assert_static(&spdx(&contents, &[related(BASE, "ANCESTOR_OF", IMAGE)]));
        assert_static(&spdx(&contents, &[related(BASE, "ANCESTOR_OF", IMAGE), related(IMAGE, "DESCENDANT_OF", BASE)]));
        // What is only in it, or beside it, is no base image.
        assert!(spdx(&contents, &[described, contains, related(IMAGE, "VARIANT_OF", BASE)]).is_empty());
        assert!(spdx(&contents, &[related(BASE, "DESCENDANT_OF", "NONE")]).is_empty());
        assert!(spdx(&contents, &[related(BASE, "DESCENDANT_OF", "NOASSERTION")]).is_empty());
        assert!(spdx(&contents, &[]).is_empty());
    }

    #[test]
    fn the_package_url_of_a_base_image_is_one_however_it_is_spelled() {
        for url in [url(), url().replace("pkg:oci", "PKG:OCI"), url().replace("pkg:", "pkg://")] {
            assert_static(&spdx(&[package(BASE, &url)], &[related("SPDXRef-a", "DESCENDANT_OF", BASE)]));
        }
    }

    #[test]
    fn packages_that_descend_from_packages_are_no_images() {
        let packages = ["a", "b"].map(|id| {
            let mut package = package(id, &format!("pkg:npm/{id}@1"));
            package["primaryPackagePurpose"] = json!("LIBRARY");
            package
        });
        assert!(spdx(&packages, &[related("a", "DESCENDANT_OF", "b"), related("c", "ANCESTOR_OF", "a")]).is_empty());
    }

    #[test]
    fn what_an_image_descends_from_is_a_base_image_even_if_nothing_says_which() {
        let line = [related(IMAGE, "DESCENDANT_OF", BASE)];
        let mut nowhere = base();
        nowhere["externalRefs"] = json!([]);
        assert_unknown(&spdx(&[nowhere], &line), "cgr.dev/chainguard/static");
        assert_unknown(&spdx(&[image()], &line), BASE);
        let elsewhere = [related(IMAGE, "DESCENDANT_OF", "DocumentRef-a:SPDXRef-b")];
        assert_unknown(&spdx(&[image()], &elsewhere), "DocumentRef-a:SPDXRef-b");
    }

    #[test]
    fn every_image_under_one_identifier_and_every_url_of_it_is_named() {
        let mut twice = base();
        let other = json!({"referenceType": "purl", "referenceLocator": "pkg:oci/b?repository_url=ghcr.io/a/b"});
        twice["externalRefs"].as_array_mut().unwrap().push(other);
        let named = spdx(&[twice, package(BASE, "pkg:docker/alpine@3.20")], &[related("a", "DESCENDANT_OF", BASE)]);
        assert_eq!((named.images.len(), named.more), (3, false));
    }

    #[test]
    fn more_base_images_than_are_judged_are_cut_and_said_to_be() {
        let ids: Vec<_> = (0..=limits::BASE_IMAGES).map(|number| format!("SPDXRef-{number}")).collect();
        let bases: Vec<_> = ids.iter().map(|id| package(id, &format!("pkg:docker/{}", id.to_lowercase()))).collect();
        let lines: Vec<_> = ids.iter().map(|id| related(IMAGE, "DESCENDANT_OF", id)).collect();
        let named = spdx(&bases[1..], &lines[1..]);
        assert_eq!((named.images.len(), named.more), (limits::BASE_IMAGES, false));
        let named = spdx(&bases[..], &lines[..]);
        assert_eq!((named.images.len(), named.more, named.is_empty()), (limits::BASE_IMAGES, true, false));
    }

    #[test]
    fn lines_and_images_beyond_the_bound_are_not_kept_and_said_not_to_be() {
        let lines = vec![related("a", "DESCENDANT_OF", "b"); limits::SBOM_ANCESTORS];
        assert!(spdx(&[], &lines).is_empty());
        let one_more = [&lines[..], &[related("a", "DESCENDANT_OF", "b")]].concat();
        assert!(spdx(&[], &one_more).more);
        let images = vec![image(); limits::SBOM_ANCESTORS + 1];
        assert!(spdx(&images, &[]).is_empty(), "nothing is said to descend from anything");
        assert!(spdx(&images, &lines[..1]).more);
    }

    #[test]
    fn relationships_of_other_kinds_count_against_no_bound() {
        let others = vec![related(IMAGE, "CONTAINS", "SPDXRef-a"); limits::SBOM_ANCESTORS + 1];
        assert_static(&spdx(&[image(), base()], &[&others[..], &[related(IMAGE, "DESCENDANT_OF", BASE)]].concat()));
    }

    #[test]
    fn spdx_3_says_it_in_either_direction() {
        let graph = |elements: &[Value]| {
            let context = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld";
            read("https://spdx.dev/Document", &json!({"@context": context, "@graph": elements}).to_string())
        };
        let base = json!({"type": "software_Package", "spdxId": "urn:base", "name": "static",
            "software_primaryPurpose": "container", "software_packageUrl": url()});
        let image = json!({"type": "software_Package", "spdxId": "urn:image", "software_primaryPurpose": "container"});
        let line = |from: &str, kind: &str, to: &[&str]| json!({"type": "Relationship", "from": from, "relationshipType": kind, "to": to});
        assert_static(&graph(&[base.clone(), line("urn:image", "descendantOf", &["urn:base"])]));
        assert_static(&graph(&[line("urn:base", "ancestorOf", &["urn:image"]), base.clone(), image.clone()]));
        assert!(graph(&[base.clone(), image.clone(), line("urn:image", "contains", &["urn:base"])]).is_empty());
        let descends = line("urn:image", "descendantOf", &["urn:base"]);
        let mut by_url = base.clone();
        by_url["software_primaryPurpose"] = json!("application");
        assert_static(&graph(&[by_url, descends.clone()]));
        let mut package = base;
        package["software_primaryPurpose"] = json!("library");
        package["software_packageUrl"] = json!("pkg:npm/static@1");
        assert!(graph(&[package, descends]).is_empty());
        assert_unknown(&graph(&[image.clone(), line("urn:image", "descendantOf", &["urn:base"])]), "urn:base");
        let none = "https://spdx.org/rdf/3.0.1/terms/Core/NoneElement";
        assert!(graph(&[image, line("urn:image", "descendantOf", &[none])]).is_empty());
        let many = vec!["urn:base"; limits::SBOM_ANCESTORS + 1];
        assert!(graph(&[line("urn:image", "descendantOf", &many)]).more);
    }

    #[test]
    fn the_ancestors_of_a_cyclonedx_component_are_base_images_if_they_are_images() {
        let about = |component: Value| cyclonedx(&json!({"metadata": {"component": component}}));
        let base = json!({"type": "container", "name": "static", "purl": url()});
        assert_static(&about(json!({"pedigree": {"ancestors": [base]}, "type": "container"})));
        // One of another kind is a package that was changed, and of an unknown one nothing is known.
        let fork = json!({"type": "library", "purl": "pkg:npm/a@1", "pedigree": {"ancestors": [
            {"type": "library", "name": "b", "purl": "pkg:npm/b@1"}]}});
        assert!(about(fork.clone()).is_empty());
        let unknown = |component: Value| assert_unknown(&about(component), "static");
        unknown(json!({"type": "container", "pedigree": {"ancestors": [{"name": "static"}]}}));
        unknown(json!({"purl": url(), "pedigree": {"ancestors": [{"name": "static"}]}}));
        unknown(json!({"pedigree": {"ancestors": [{"name": "static", "type": "container"}]}}));
        for nothing in [json!(null), json!({}), json!({"ancestors": null}), json!({"ancestors": []})] {
            assert!(about(json!({"type": "container", "pedigree": nothing})).is_empty());
        }
        let within = json!({"type": "operating-system", "name": "a", "pedigree": {"ancestors": [base]}});
        assert_static(&cyclonedx(&json!({"components": [fork, {"components": [within]}]})));
        let line = json!({"name": "b", "type": "container", "purl": "pkg:docker/b",
            "pedigree": {"ancestors": [base]}});
        assert_eq!(about(json!({"pedigree": {"ancestors": [line]}})).images.len(), 2);
        let many: Vec<_> =
            (0..=limits::BASE_IMAGES).map(|number| json!({"purl": format!("pkg:docker/b{number}")})).collect();
        assert!(about(json!({"pedigree": {"ancestors": many}})).more);
    }
}
