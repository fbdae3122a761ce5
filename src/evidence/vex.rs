//! `OpenVEX` documents: which vulnerabilities concern a product, and which do not.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::evidence::Malformed;
use crate::evidence::list::AtMost;
use crate::evidence::strict::{read_checked, told};

/// Most statements of one document: publishers of whole distributions list some thousands.
const STATEMENTS: usize = 16_384;
/// Most products, or aliases, of one statement.
const NAMES: usize = 1024;

/// An `OpenVEX` document, of any version up to v0.2.0.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Vex {
    /// Who wrote it, by their own word.
    pub author: Option<String>,
    /// When it was written or last changed, by its own word.
    pub issued_at: Option<Timestamp>,
    /// What it says, in its order.
    pub statements: Vec<VexStatement>,
}

/// What is said of one vulnerability.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VexStatement {
    /// Its name: `CVE-2024-1234`.
    pub vulnerability: String,
    /// Its other names.
    pub aliases: Vec<String>,
    /// Whether it concerns the products.
    pub status: VexStatus,
    /// Why not, where it does not: `vulnerable_code_not_in_execute_path`, as written.
    pub justification: Option<String>,
    /// Which products, as written: package URLs mostly. None: the subject of the attestation.
    pub products: Vec<String>,
}

/// Whether a vulnerability concerns a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VexStatus {
    /// It does not.
    NotAffected,
    /// It does.
    Affected,
    /// It did, and no longer does.
    Fixed,
    /// Nobody knows yet.
    UnderInvestigation,
}

#[derive(Deserialize)]
struct Document {
    author: Option<String>,
    timestamp: Option<Timestamp>,
    last_updated: Option<Timestamp>,
    statements: AtMost<Statement, STATEMENTS>,
}

#[derive(Deserialize)]
struct Statement {
    vulnerability: Vulnerability,
    #[serde(default)]
    products: AtMost<Product, NAMES>,
    status: VexStatus,
    justification: Option<String>,
}

/// A name until v0.1.0, more than that since.
#[derive(Deserialize)]
#[serde(untagged)]
enum Vulnerability {
    Name(String),
    Named {
        #[serde(rename = "@id")]
        id: Option<String>,
        name: Option<String>,
        #[serde(default)]
        aliases: AtMost<String, NAMES>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Product {
    Id(String),
    Identified {
        #[serde(rename = "@id")]
        id: Option<String>,
        identifiers: Option<Identifiers>,
    },
}

#[derive(Deserialize)]
struct Identifiers {
    purl: Option<String>,
}

/// Reads a document.
///
/// # Errors
/// [`Malformed`] if it is not of that shape: each statement names a vulnerability, and a status that is known.
pub(in crate::evidence) fn read(json: &str) -> Result<Vex, Malformed> {
    let document: Document = read_checked(json.as_bytes())?;
    let statements = document.statements.of("statements")?;
    Ok(Vex {
        author: document.author,
        issued_at: told(document.last_updated).or(told(document.timestamp)),
        statements: statements.into_iter().map(Statement::read).collect::<Result<_, _>>()?,
    })
}

impl Statement {
    fn read(self) -> Result<VexStatement, Malformed> {
        let (vulnerability, aliases) = self.vulnerability.read()?;
        let products = self.products.of("products of a statement")?;
        Ok(VexStatement {
            vulnerability,
            aliases,
            status: self.status,
            justification: self.justification.filter(|text| !text.is_empty()),
            products: products.into_iter().map(Product::read).collect::<Result<_, _>>()?,
        })
    }
}

impl Vulnerability {
    fn read(self) -> Result<(String, Vec<String>), Malformed> {
        let (name, aliases) = match self {
            Self::Name(name) => (Some(name), Vec::new()),
            Self::Named { id, name, aliases } => (name.or(id), aliases.of("aliases of a vulnerability")?),
        };
        let name = name.filter(|name| !name.is_empty());
        Ok((name.ok_or(Malformed::shape("a statement about no vulnerability"))?, aliases))
    }
}

impl Product {
    fn read(self) -> Result<String, Malformed> {
        let id = match self {
            Self::Id(id) => Some(id),
            Self::Identified { id, identifiers } => id.or(identifiers.and_then(|it| it.purl)),
        };
        id.filter(|id| !id.is_empty()).ok_or(Malformed::shape("a product without a name"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read_json(json: &Value) -> Result<Vex, Malformed> {
        read(&json.to_string())
    }

    fn document(statements: &Value) -> Value {
        json!({ "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.com/vex-1", "author": "acme",
            "timestamp": "2026-01-02T03:04:05Z", "version": 1, "statements": statements })
    }

    #[test]
    fn a_statement_names_vulnerability_status_reason_and_products() {
        let vex = read_json(&document(&json!([{
            "vulnerability": { "@id": "https://nvd.example.com/CVE-2024-1", "name": "CVE-2024-1",
                "aliases": ["GHSA-xxxx-xxxx-xxxx"] },
            "products": [{ "@id": "pkg:oci/app@sha256%3Aab", "subcomponents": [{ "@id": "pkg:apk/zlib@1" }] },
                { "identifiers": { "purl": "pkg:oci/other" } }],
            "status": "not_affected",
            "justification": "vulnerable_code_not_in_execute_path"
        }])));
        let vex = vex.unwrap();
        assert_eq!(vex.author.as_deref(), Some("acme"));
        assert_eq!(vex.issued_at, Some("2026-01-02T03:04:05Z".parse().unwrap()));
        assert_eq!(
            vex.statements,
            [VexStatement {
                vulnerability: "CVE-2024-1".into(),
                aliases: vec!["GHSA-xxxx-xxxx-xxxx".into()],
                status: VexStatus::NotAffected,
                justification: Some("vulnerable_code_not_in_execute_path".into()),
                products: vec!["pkg:oci/app@sha256%3Aab".into(), "pkg:oci/other".into()],
            }]
        );
    }

    #[test]
    fn the_first_version_named_vulnerabilities_and_products_by_text() {
        let vex = read_json(&document(&json!([{ "vulnerability": "CVE-2023-1", "products": ["pkg:oci/app"],
            "status": "fixed" }])))
        .unwrap();
        assert_eq!(vex.statements[0].vulnerability, "CVE-2023-1");
        assert_eq!(vex.statements[0].products, ["pkg:oci/app"]);
    }

    #[test]
    fn the_time_of_the_last_change_counts() {
        let mut changed = document(&json!([]));
        changed["last_updated"] = json!("2026-02-02T00:00:00Z");
        assert_eq!(read_json(&changed).unwrap().issued_at, Some("2026-02-02T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn a_statement_without_vulnerability_or_known_status_is_malformed() {
        for statement in [
            json!({ "status": "fixed" }),
            json!({ "vulnerability": "", "status": "fixed" }),
            json!({ "vulnerability": {}, "status": "fixed" }),
            json!({ "vulnerability": "CVE-1" }),
            json!({ "vulnerability": "CVE-1", "status": "harmless" }),
            json!({ "vulnerability": "CVE-1", "status": "fixed", "products": [{}] }),
            json!({ "vulnerability": "CVE-1", "status": "fixed", "products": [1] }),
        ] {
            assert!(read_json(&document(&json!([statement]))).is_err(), "{statement}");
        }
    }

    #[test]
    fn statements_are_bounded() {
        let statement = json!({ "vulnerability": "CVE-1", "status": "fixed" });
        let many = document(&json!(vec![statement; STATEMENTS + 1]));
        assert_eq!(read_json(&many), Err(Malformed::TooMuch { what: "statements", limit: STATEMENTS as u64 }));
    }

    #[test]
    fn what_is_no_document_is_malformed() {
        for json in ["null", "[]", "{}", r#"{"statements":{}}"#, r#"{"statements":[],"timestamp":"yesterday"}"#] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
