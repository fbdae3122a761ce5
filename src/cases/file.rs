//! `cases.toml`: which facts, asked for how and when, and what the policy should say.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::cases::CaseError;
use crate::clock::read_timestamp;
use crate::config;
use crate::oci::{Digest, Image};
use crate::policy::{Decision, ReasonCode};

/// What a file of cases is called.
pub const CASES: &str = "cases.toml";
/// What the file of recorded facts beside it is called, unless somebody calls it otherwise.
pub const FACTS: &str = "facts.json";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    case: Vec<Case>,
}

/// `[[case]]`
#[derive(Debug, Deserialize)]
#[serde(from = "Table")]
pub(super) struct Case {
    pub(super) name: String,
    /// Nothing is published about the image without.
    pub(super) facts: Option<PathBuf>,
    /// The one that was recorded, by its tag, unless said.
    pub(super) image: Option<Image>,
    /// When the facts were recorded, unless said.
    pub(super) now: Option<Timestamp>,
    pub(super) expected: Expected,
}

/// What a case expects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// What is decided.
    pub decision: Decision,
    /// Which rule decides; any, unless said.
    pub rule: Option<String>,
    /// Codes that must be among the reasons.
    pub reasons: Vec<ReasonCode>,
    /// The digest that is decided about, where it matters: which one is served while a tag is unproven.
    pub digest: Option<Digest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    facts: Option<PathBuf>,
    #[serde(default, deserialize_with = "image")]
    image: Option<Image>,
    #[serde(default, deserialize_with = "time")]
    now: Option<Timestamp>,
    decision: Decision,
    rule: Option<String>,
    #[serde(default)]
    reasons: Vec<ReasonCode>,
    digest: Option<Digest>,
}

impl Case {
    pub(super) fn read_all(file: &Path) -> Result<Vec<Self>, CaseError> {
        let text = fs::read_to_string(file).map_err(|source| CaseError::Read { path: file.to_owned(), source })?;
        Ok(config::read::<File>(&text, &file.display().to_string())?.case)
    }
}

impl From<Table> for Case {
    fn from(table: Table) -> Self {
        let Table { name, facts, image, now, decision, rule, reasons, digest } = table;
        Self { name, facts, image, now, expected: Expected { decision, rule, reasons, digest } }
    }
}

/// A file of one case, which expects of the facts beside it what is decided now.
pub fn written(image: &Image, expected: &Expected) -> String {
    // What JSON puts between quotation marks, TOML reads as the same text.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let rule = expected.rule.as_deref().map(|rule| format!("rule = {}\n", quoted(rule))).unwrap_or_default();
    let codes: Vec<_> = expected.reasons.iter().map(|code| quoted(&code.to_string())).collect();
    let reasons = if codes.is_empty() { String::new() } else { format!("reasons = [{}]\n", codes.join(", ")) };
    let digest = expected.digest.map(|digest| format!("digest = \"{digest}\"\n")).unwrap_or_default();
    let image = quoted(&image.to_string());
    format!(
        "# Held against the rules by `bonafide policy test`. What is expected is what was decided when the facts were recorded:\n\
         # make it what you want.\n\n\
         [[case]]\nname = {image}\nfacts = \"{FACTS}\"\nimage = {image}\ndecision = \"{}\"\n{rule}{reasons}{digest}",
        expected.decision
    )
}

fn image<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Image>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let remedy = "write it as docker does, such as ghcr.io/acme/app:v1";
    text.parse().map(Some).map_err(|error| serde::de::Error::custom(format!("{text:?} is no image: {error}; {remedy}")))
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    read_timestamp(deserializer).map(Some)
}
