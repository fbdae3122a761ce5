//! The names that a condition may use, their types, and their values for one request.
//!
//! Values are made from facts that met the other requirements of the rule, never from a stranger's: whoever publishes
//! evidence beside the rule's signers can neither meet a condition nor break one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::evidence::{
    Dependency, Finding, SbomFormat, Scan, Severity, Summary, SummaryResult, Vex, VexStatement, VexStatus,
};
use crate::policy::provenance::Built;
use crate::verify::{Certificate, Fact, LogProof, Signer};

/// A type of the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Int,
    Text,
    /// `[]`, before anything is in it.
    Anything,
    List(Box<Self>),
    /// Values of one type by names that nobody knows beforehand.
    Table(Box<Self>),
    Record(&'static Record),
}

/// A record: its fields, and which of them are always there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) name: &'static str,
    pub(super) fields: &'static [(&'static str, Field)],
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Int,
    Text,
    Texts,
    /// A table of texts.
    Table,
    /// A table of numbers.
    Numbers,
    Record(&'static Record),
    Records(&'static Record),
}

impl From<Field> for Type {
    fn from(field: Field) -> Self {
        match field {
            Field::Int => Self::Int,
            Field::Text => Self::Text,
            Field::Texts => Self::List(Box::new(Self::Text)),
            Field::Table => Self::Table(Box::new(Self::Text)),
            Field::Numbers => Self::Table(Box::new(Self::Int)),
            Field::Record(record) => Self::Record(record),
            Field::Records(record) => Self::List(Box::new(Self::Record(record))),
        }
    }
}

/// All variables, as if they were the fields of one record.
pub(super) const VARIABLES: Record = Record {
    name: "condition",
    fields: &[
        ("image", Field::Text),
        ("tag", Field::Text),
        ("digest", Field::Text),
        ("now", Field::Int),
        (SIGNATURES, Field::Records(&SIGNATURE)),
        (PROVENANCE, Field::Record(&BUILT)),
        (SBOMS, Field::Records(&DOCUMENT)),
        (SUMMARIES, Field::Records(&SUMMARY)),
        (VEX, Field::Records(&VEX_DOCUMENT)),
        (SCANS, Field::Records(&SCAN)),
    ],
};

/// The variables that are there only where the rule has the requirement.
pub(super) const SIGNATURES: &str = "signatures";
pub(super) const PROVENANCE: &str = "provenance";
pub(super) const SBOMS: &str = "sboms";
pub(super) const SUMMARIES: &str = "summaries";
pub(super) const VEX: &str = "vex";
pub(super) const SCANS: &str = "scans";

const SIGNATURE: Record = Record {
    name: "signature",
    fields: &[("signer", Field::Record(&SIGNER)), ("signed_at", Field::Int), ("log", Field::Text)],
};

const SIGNER: Record = Record {
    name: "signer",
    fields: &[
        ("key", Field::Text),
        ("trust", Field::Text),
        ("issuer", Field::Text),
        ("subject", Field::Text),
        ("build_signer", Field::Text),
        ("runner_environment", Field::Text),
        ("source_repository", Field::Text),
        ("source_commit", Field::Text),
        ("source_ref", Field::Text),
        ("build_config", Field::Text),
        ("build_trigger", Field::Text),
        ("run_invocation", Field::Text),
    ],
};

const BUILT: Record = Record {
    name: "provenance",
    fields: &[
        ("signer", Field::Record(&SIGNER)),
        ("signed_at", Field::Int),
        ("log", Field::Text),
        ("level", Field::Int),
        ("builder", Field::Text),
        ("builder_id", Field::Text),
        ("build_type", Field::Text),
        ("source", Field::Text),
        ("source_ref", Field::Text),
        ("source_branch", Field::Text),
        ("source_commit", Field::Text),
        ("workflow", Field::Text),
        ("workflow_inputs", Field::Table),
        ("invocation", Field::Text),
        ("dependencies", Field::Texts),
    ],
};

const DOCUMENT: Record = Record {
    name: "sbom",
    fields: &[
        ("signer", Field::Record(&SIGNER)),
        ("signed_at", Field::Int),
        ("log", Field::Text),
        ("format", Field::Text),
        ("version", Field::Text),
        ("packages", Field::Int),
    ],
};

const SUMMARY: Record = Record {
    name: "summary",
    fields: &[
        ("signer", Field::Record(&SIGNER)),
        ("signed_at", Field::Int),
        ("log", Field::Text),
        ("verifier_id", Field::Text),
        ("verified_at", Field::Int),
        ("resource_uri", Field::Text),
        ("policy_uri", Field::Text),
        ("policy_digests", Field::Texts),
        ("result", Field::Text),
        ("levels", Field::Texts),
        ("dependency_levels", Field::Numbers),
        ("slsa_version", Field::Text),
    ],
};

const VEX_DOCUMENT: Record = Record {
    name: "VEX document",
    fields: &[
        ("signer", Field::Record(&SIGNER)),
        ("signed_at", Field::Int),
        ("log", Field::Text),
        ("author", Field::Text),
        ("issued_at", Field::Int),
        ("statements", Field::Records(&STATEMENT)),
    ],
};

const STATEMENT: Record = Record {
    name: "VEX statement",
    fields: &[
        ("vulnerability", Field::Text),
        ("aliases", Field::Texts),
        ("status", Field::Text),
        ("justification", Field::Text),
        ("products", Field::Texts),
    ],
};

const SCAN: Record = Record {
    name: "scan",
    fields: &[
        ("signer", Field::Record(&SIGNER)),
        ("signed_at", Field::Int),
        ("log", Field::Text),
        ("scanner", Field::Text),
        ("scanner_version", Field::Text),
        ("database", Field::Text),
        ("database_version", Field::Text),
        ("started_at", Field::Int),
        ("finished_at", Field::Int),
        ("counts", Field::Record(&COUNTS)),
        ("findings", Field::Records(&FINDING)),
    ],
};

const COUNTS: Record = Record {
    name: "count",
    fields: &[
        ("critical", Field::Int),
        ("high", Field::Int),
        ("medium", Field::Int),
        ("low", Field::Int),
        ("negligible", Field::Int),
        ("unknown", Field::Int),
    ],
};

const FINDING: Record = Record { name: "finding", fields: &[("id", Field::Text), ("severity", Field::Text)] };

/// Most entries of a list or table that a condition looks at: it may go through one list within another.
pub(super) const ENTRIES: usize = 1024;

/// What is left out is not there: a condition that needs it is not met.
#[derive(Serialize)]
pub(super) struct SignatureValue<'a> {
    signer: SignerValue<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_at: Option<i64>,
    log: LogProof,
}

#[derive(Serialize, Default)]
struct SignerValue<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_signer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runner_environment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_repository: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_commit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ref: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_config: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_trigger: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_invocation: Option<&'a str>,
}

/// A provenance, as far as its signer proves it.
#[derive(Serialize)]
pub(super) struct BuiltValue<'a> {
    #[serde(flatten)]
    signature: SignatureValue<'a>,
    level: i64,
    builder: &'a str,
    builder_id: &'a str,
    build_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ref: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_branch: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_commit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_inputs: Option<&'a BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invocation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dependencies: Option<Vec<&'a str>>,
}

/// A bill of materials; its packages are for `deny_packages`.
#[derive(Serialize)]
pub(super) struct DocumentValue<'a> {
    #[serde(flatten)]
    signature: SignatureValue<'a>,
    format: SbomFormat,
    version: &'a str,
    packages: i64,
}

/// What a verifier found.
#[derive(Serialize)]
pub(super) struct SummaryValue<'a> {
    #[serde(flatten)]
    signature: SignatureValue<'a>,
    verifier_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_at: Option<i64>,
    resource_uri: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_digests: Option<&'a [String]>,
    result: SummaryResult,
    levels: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    dependency_levels: Option<BTreeMap<&'a str, i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slsa_version: Option<&'a str>,
}

/// Which vulnerabilities concern the image, and which do not.
#[derive(Serialize)]
pub(super) struct VexValue<'a> {
    #[serde(flatten)]
    signature: SignatureValue<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statements: Option<Vec<StatementValue<'a>>>,
}

#[derive(Serialize)]
struct StatementValue<'a> {
    vulnerability: &'a str,
    aliases: &'a [String],
    status: VexStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    justification: Option<&'a str>,
    products: &'a [String],
}

/// What a scanner found. Its counts are whole where its findings are too many to be gone through.
#[derive(Serialize)]
pub(super) struct ScanValue<'a> {
    #[serde(flatten)]
    signature: SignatureValue<'a>,
    scanner: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scanner_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<CountsValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<&'a [Finding]>,
}

/// How many findings there are of each severity.
#[derive(Serialize)]
struct CountsValue {
    critical: i64,
    high: i64,
    medium: i64,
    low: i64,
    negligible: i64,
    unknown: i64,
}

impl<'a> SignatureValue<'a> {
    pub(super) fn of(fact: &'a Fact) -> Self {
        let signed_at = fact.signed_at().map(Timestamp::as_second);
        Self { signer: SignerValue::of(fact.signer()), signed_at, log: fact.log() }
    }
}

impl<'a> SignerValue<'a> {
    fn of(signer: &'a Signer) -> Self {
        match signer {
            Signer::Key { name } => Self { key: Some(name), ..Self::default() },
            Signer::Certificate(certificate) => Self::of_certificate(certificate),
        }
    }

    fn of_certificate(certificate: &'a Certificate) -> Self {
        Self {
            key: None,
            trust: Some(&certificate.trust),
            issuer: Some(&certificate.issuer),
            subject: Some(&certificate.subject),
            build_signer: certificate.build_signer.as_deref(),
            runner_environment: certificate.runner_environment.as_deref(),
            source_repository: certificate.source_repository.as_deref(),
            source_commit: certificate.source_commit.as_deref(),
            source_ref: certificate.source_ref.as_deref(),
            build_config: certificate.build_config.as_deref(),
            build_trigger: certificate.build_trigger.as_deref(),
            run_invocation: certificate.run_invocation.as_deref(),
        }
    }
}

impl<'a> BuiltValue<'a> {
    pub(super) fn of(fact: &'a Fact, built: &Built<'a>) -> Self {
        let said = built.provenance;
        let uris = |all: &'a [Dependency]| all.iter().map(|dependency| dependency.uri.as_str()).collect();
        Self {
            signature: SignatureValue::of(fact),
            level: built.level.level.into(),
            builder: built.builder,
            builder_id: &said.builder_id,
            build_type: &said.build_type,
            source: built.origin.source,
            source_ref: built.origin.source_ref,
            source_branch: built.origin.branch,
            source_commit: built.origin.commit,
            workflow: built.origin.workflow,
            workflow_inputs: Some(&said.workflow_inputs).filter(|inputs| inputs.len() <= ENTRIES),
            invocation: said.invocation.as_deref(),
            dependencies: whole(&said.dependencies).map(uris),
        }
    }
}

impl<'a> DocumentValue<'a> {
    pub(super) fn of(fact: &'a Fact, format: SbomFormat, version: &'a str, packages: usize) -> Self {
        Self { signature: SignatureValue::of(fact), format, version, packages: number(packages) }
    }
}

impl<'a> SummaryValue<'a> {
    pub(super) fn of(fact: &'a Fact, said: &'a Summary) -> Self {
        let of_dependencies = said.dependency_levels.iter().map(|(level, count)| (level.as_str(), number(*count)));
        Self {
            signature: SignatureValue::of(fact),
            verifier_id: &said.verifier_id,
            verified_at: said.verified_at.map(Timestamp::as_second),
            resource_uri: &said.resource_uri,
            policy_uri: said.policy_uri.as_deref(),
            policy_digests: whole(&said.policy_digests),
            result: said.result,
            levels: &said.levels,
            dependency_levels: (said.dependency_levels.len() <= ENTRIES).then(|| of_dependencies.collect()),
            slsa_version: said.slsa_version.as_deref(),
        }
    }
}

impl<'a> VexValue<'a> {
    pub(super) fn of(fact: &'a Fact, said: &'a Vex) -> Self {
        Self {
            signature: SignatureValue::of(fact),
            author: said.author.as_deref(),
            issued_at: said.issued_at.map(Timestamp::as_second),
            statements: whole(&said.statements).map(|all| all.iter().map(StatementValue::of).collect()),
        }
    }
}

impl<'a> StatementValue<'a> {
    fn of(said: &'a VexStatement) -> Self {
        Self {
            vulnerability: &said.vulnerability,
            aliases: &said.aliases,
            status: said.status,
            justification: said.justification.as_deref(),
            products: &said.products,
        }
    }
}

impl<'a> ScanValue<'a> {
    pub(super) fn of(fact: &'a Fact, said: &'a Scan) -> Self {
        Self {
            signature: SignatureValue::of(fact),
            scanner: &said.scanner,
            scanner_version: said.scanner_version.as_deref(),
            database: said.database.as_deref(),
            database_version: said.database_version.as_deref(),
            started_at: said.started_at.map(Timestamp::as_second),
            finished_at: said.finished_at.map(Timestamp::as_second),
            counts: said.counts().as_ref().map(CountsValue::of),
            findings: said.findings.as_deref().and_then(whole),
        }
    }
}

impl CountsValue {
    fn of(counts: &BTreeMap<Severity, usize>) -> Self {
        let of = |severity| number(counts.get(&severity).copied().unwrap_or(0));
        Self {
            critical: of(Severity::Critical),
            high: of(Severity::High),
            medium: of(Severity::Medium),
            low: of(Severity::Low),
            negligible: of(Severity::Negligible),
            unknown: of(Severity::Unknown),
        }
    }
}

/// All of a list, or nothing: a part of it would answer for the whole.
fn whole<T>(all: &[T]) -> Option<&[T]> {
    (all.len() <= ENTRIES).then_some(all)
}

/// The numbers of conditions have a sign.
fn number(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
