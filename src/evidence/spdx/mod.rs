//! SPDX documents in JSON: 2.x, and 3.x, which is another language (JSON-LD).

mod v2;
mod v3;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::evidence::ancestry::Ancestry;
use crate::evidence::packages::{Bill, Packages};
use crate::evidence::strict::{check_strictly, read_text_strictly};
use crate::evidence::text::Word;
use crate::evidence::{Malformed, Sbom, SbomFormat};

/// The members of both.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(rename = "spdxVersion", borrow)]
    version: Option<Word<'a>>,
    #[serde(default, borrow, deserialize_with = "v2::packages")]
    packages: Listing<'a>,
    #[serde(default, borrow, deserialize_with = "v2::relationships")]
    relationships: Ancestry<'a>,
    #[serde(rename = "@context", borrow)]
    context: Option<&'a RawValue>,
    #[serde(rename = "@graph", borrow)]
    graph: Option<v3::Graph<'a>>,
    #[serde(rename = "Data", borrow)]
    data: Option<&'a RawValue>,
}

/// The packages of a document, and what of it descends from what.
#[derive(Default)]
struct Listing<'a> {
    packages: Packages,
    ancestry: Ancestry<'a>,
}

/// Reads a document, in one pass.
///
/// # Errors
/// [`Malformed`] if it is no SPDX 2 or 3 document, or could be taken for both, or lists too many packages.
pub(in crate::evidence) fn read(json: &str) -> Result<Bill<'_>, Malformed> {
    let document: Document<'_> = read_text_strictly(json)?;
    document.context.map_or(Ok(()), |context| check_strictly(context.get()))?;
    if let Some(data) = document.data {
        return Ok(Bill::Wrapped(data));
    }
    let (version, mut listing) = match (document.version, document.context, document.graph) {
        (Some(Word(version)), None, None) => (v2::version(&version)?, document.packages),
        (None, Some(context), Some(graph)) => (v3::version(context)?, graph.listing()?),
        (None | Some(_), None | Some(_), None | Some(_)) => return Err(neither()),
    };
    listing.ancestry.join(document.relationships);
    let (packages, base_images) = (listing.packages.finish()?, listing.ancestry.finish());
    Ok(Bill::Read(Sbom { format: SbomFormat::Spdx, version, packages, base_images }))
}

fn neither() -> Malformed {
    Malformed::Json("no SPDX 2 and no SPDX 3 document".to_owned())
}

#[cfg(test)]
fn read_sbom(json: &str) -> Result<Sbom, Malformed> {
    read(json)?.sbom()
}

#[cfg(test)]
mod tests {
    use super::read_sbom as read;
    use crate::evidence::Malformed;

    #[test]
    fn what_is_no_spdx_document_is_malformed() {
        for json in [
            "null",
            "[]",
            "{}",
            r#"{"spdxVersion":"SPDX-3.0"}"#,
            r#"{"spdxVersion":"2.3"}"#,
            r#"{"bomFormat":"CycloneDX","specVersion":"1.5"}"#,
            r#"{"spdxVersion":"SPDX-2.3","packages":{}}"#,
            r#"{"spdxVersion":"SPDX-2.3","packages":[1]}"#,
            r#"{"@graph":[]}"#,
            r#"{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}"#,
            r#"{"@context":"https://spdx.org/rdf/2.3/spdx-context.jsonld","@graph":[]}"#,
            r#"{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":1}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_document_in_both_languages_is_in_neither() {
        let json =
            r#"{"spdxVersion":"SPDX-2.3","@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[]}"#;
        assert!(read(json).is_err());
    }

    #[test]
    fn more_packages_than_are_looked_at_are_too_much() {
        let packages = vec![r#"{"name":"a"}"#; crate::limits::PACKAGES + 1].join(",");
        let elements = vec![r#"{"type":"software_Package"}"#; crate::limits::PACKAGES + 1].join(",");
        for json in [
            format!(r#"{{"spdxVersion":"SPDX-2.3","packages":[{packages}]}}"#),
            format!(r#"{{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[{elements}]}}"#),
        ] {
            assert!(matches!(read(&json), Err(Malformed::TooMuch { what: "packages", .. })));
        }
    }
}
