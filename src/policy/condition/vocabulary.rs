//! The names that a condition may use, their types, and their values for one request.
//!
//! Values are made from facts that met the other requirements of the rule, never from a stranger's: whoever publishes
//! evidence beside the rule's signers can neither meet a condition nor break one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::evidence::SbomFormat;
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
    List(Box<Type>),
    /// Texts by names that nobody knows beforehand.
    Table,
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
    Table,
    Record(&'static Record),
    Records(&'static Record),
}

impl From<Field> for Type {
    fn from(field: Field) -> Self {
        match field {
            Field::Int => Self::Int,
            Field::Text => Self::Text,
            Field::Texts => Self::List(Box::new(Self::Text)),
            Field::Table => Self::Table,
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
    ],
};

/// The variables that are there only where the rule has the requirement.
pub(super) const SIGNATURES: &str = "signatures";
pub(super) const PROVENANCE: &str = "provenance";
pub(super) const SBOMS: &str = "sboms";

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
        let dependencies = || said.dependencies.iter().map(|dependency| dependency.uri.as_str()).collect();
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
            // A part of a list would answer for the whole.
            workflow_inputs: Some(&said.workflow_inputs).filter(|inputs| inputs.len() <= ENTRIES),
            invocation: said.invocation.as_deref(),
            dependencies: (said.dependencies.len() <= ENTRIES).then(dependencies),
        }
    }
}

impl<'a> DocumentValue<'a> {
    pub(super) fn of(fact: &'a Fact, format: SbomFormat, version: &'a str, packages: usize) -> Self {
        let packages = i64::try_from(packages).unwrap_or(i64::MAX);
        Self { signature: SignatureValue::of(fact), format, version, packages }
    }
}
