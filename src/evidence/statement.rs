//! in-toto statements: whom they are about, and what kind of thing they say.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::evidence::list::AtMost;
use crate::evidence::packages::Bill;
use crate::evidence::quoted::unquoted;
use crate::evidence::strict::{check_strictly, read_strictly};
use crate::evidence::text::Word;
use crate::evidence::{Malformed, Predicate, Sbom, SbomFormat, Statement, cyclonedx, scan, slsa, spdx, summary, vex};
use crate::limits;
use crate::oci::Digest;

const STATEMENT_TYPES: [&str; 2] = ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];
const COSIGN_SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";
const SLSA_V0_2: &str = "https://slsa.dev/provenance/v0.2";
const SLSA_V1: &str = "https://slsa.dev/provenance/v1";
const SPDX: &str = "https://spdx.dev/Document";
const CYCLONEDX: &str = "https://cyclonedx.org/bom";
const SUMMARIES: [&str; 2] = ["https://slsa.dev/verification_summary/v1", "https://slsa.dev/verification_summary/v0.2"];
const OPENVEX: &str = "https://openvex.dev/ns";
/// cosign's, which had no scheme before 2022, and in-toto's.
const SCANS: [&str; 4] = [
    "https://cosign.sigstore.dev/attestation/vuln/v1",
    "cosign.sigstore.dev/attestation/vuln/v1",
    "https://in-toto.io/attestation/vulns/v0.1",
    "https://in-toto.io/attestation/vulns/v0.2",
];
/// Longest predicate type that is kept: they are URIs that people type.
const PREDICATE_TYPE_LENGTH: usize = 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header<'a> {
    #[serde(rename = "_type", borrow)]
    kind: Option<Word<'a>>,
    #[serde(default)]
    subject: AtMost<Subject, { limits::SUBJECTS }>,
    predicate_type: String,
    #[serde(borrow)]
    predicate: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Subject {
    digest: Option<DigestSet>,
}

/// What is known of a predicate type.
enum Kind {
    Signature,
    SlsaV0_2,
    SlsaV1,
    Sbom(SbomFormat),
    Summary,
    Vex,
    Scan,
    Other,
}

impl Statement {
    /// Reads the payload of a DSSE envelope.
    ///
    /// # Errors
    /// [`Malformed`] if it is not strict JSON, not a statement of v0.1 or v1, beyond a bound ([`limits`]), or its
    /// predicate is of a type that is read and not of that type's shape. It is never read as another type instead.
    pub fn parse(payload: &[u8]) -> Result<Self, Malformed> {
        let header: Header<'_> = read_strictly(payload)?;
        let statement_type = header.kind.as_ref().map_or("", |Word(text)| text);
        if !STATEMENT_TYPES.contains(&statement_type) {
            return Err(Malformed::statement_type(statement_type));
        }
        let kind = Kind::of(&header.predicate_type);
        kind.check_size(payload)?;
        Ok(Self {
            subjects: digests(header.subject)?,
            predicate: kind.read(header.predicate.unwrap_or(RawValue::NULL))?,
            predicate_type: bounded(header.predicate_type)?,
        })
    }
}

fn bounded(predicate_type: String) -> Result<String, Malformed> {
    if predicate_type.len() > PREDICATE_TYPE_LENGTH {
        return Err(Malformed::TooMuch { what: "predicate type", limit: PREDICATE_TYPE_LENGTH as u64 });
    }
    Ok(predicate_type)
}

fn digests(subjects: AtMost<Subject, { limits::SUBJECTS }>) -> Result<Vec<Digest>, Malformed> {
    let mut digests = Vec::new();
    for set in subjects.of("subjects")?.into_iter().filter_map(|subject| subject.digest) {
        if set.count > limits::DIGESTS_PER_SUBJECT {
            let limit = limits::DIGESTS_PER_SUBJECT as u64;
            return Err(Malformed::TooMuch { what: "digests of a subject", limit });
        }
        digests.extend(set.sha256);
    }
    Ok(digests)
}

impl Kind {
    fn of(predicate_type: &str) -> Self {
        match predicate_type {
            COSIGN_SIGNATURE => Self::Signature,
            SLSA_V0_2 => Self::SlsaV0_2,
            SLSA_V1 => Self::SlsaV1,
            _ if SUMMARIES.contains(&predicate_type) => Self::Summary,
            _ if SCANS.contains(&predicate_type) => Self::Scan,
            _ if is_version_of(OPENVEX, predicate_type) => Self::Vex,
            _ if is_version_of(SPDX, predicate_type) => Self::Sbom(SbomFormat::Spdx),
            _ if is_version_of(CYCLONEDX, predicate_type) => Self::Sbom(SbomFormat::CycloneDx),
            _ => Self::Other,
        }
    }

    /// Only an SBOM has a reason to be large.
    fn check_size(&self, payload: &[u8]) -> Result<(), Malformed> {
        let limit = match self {
            Self::Sbom(_) => limits::SBOM_BYTES,
            Self::Signature | Self::SlsaV0_2 | Self::SlsaV1 | Self::Summary | Self::Vex | Self::Scan | Self::Other => {
                limits::EVIDENCE_BYTES
            }
        };
        if payload.len() as u64 > limit {
            return Err(Malformed::TooMuch { what: "bytes of a statement", limit });
        }
        Ok(())
    }

    /// A bill of materials is strict as it is read. What else there is is small: it is gone through before.
    fn read(&self, written: &RawValue) -> Result<Predicate, Malformed> {
        let predicate = written.get();
        if !matches!(self, Self::Sbom(_)) {
            check_strictly(predicate)?;
        }
        Ok(match self {
            Self::Signature => Predicate::Signature,
            Self::SlsaV0_2 => Predicate::Provenance(Box::new(slsa::v0_2::read(predicate)?)),
            Self::SlsaV1 => Predicate::Provenance(Box::new(slsa::v1::read(predicate)?)),
            Self::Sbom(SbomFormat::Spdx) => Predicate::Sbom(bill(written, spdx::read)?),
            Self::Sbom(SbomFormat::CycloneDx) => Predicate::Sbom(bill(written, cyclonedx::read)?),
            Self::Summary => Predicate::Summary(Box::new(summary::read(predicate)?)),
            Self::Vex => Predicate::Vex(Box::new(vex::read(predicate)?)),
            Self::Scan => Predicate::Scan(Box::new(scan::read(predicate)?)),
            Self::Other => Predicate::Other,
        })
    }
}

/// Whether `predicate_type` is `base`, or `base` with a version: `/v2.3`.
fn is_version_of(base: &str, predicate_type: &str) -> bool {
    let Some(rest) = predicate_type.strip_prefix(base) else { return false };
    rest.is_empty()
        || rest.strip_prefix("/v").is_some_and(|version| {
            !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        })
}

/// A bill of materials: the predicate itself, or what `cosign attest` made of a file whose format it did not read, a JSON
/// string with the document inside; cosign 1 put either into a member `Data`.
fn bill(predicate: &RawValue, read: fn(&str) -> Result<Bill<'_>, Malformed>) -> Result<Sbom, Malformed> {
    if !predicate.get().starts_with('{') {
        return read(&document(predicate)?)?.sbom();
    }
    match read(predicate.get())? {
        Bill::Wrapped(data) => read(&document(data)?)?.sbom(),
        bill @ Bill::Read(_) => bill.sbom(),
    }
}

fn document(written: &RawValue) -> Result<Cow<'_, str>, Malformed> {
    if written.get().starts_with('"') { unquoted(written) } else { Ok(Cow::Borrowed(written.get())) }
}

/// The digests of a subject: how many, and the SHA-256.
struct DigestSet {
    count: usize,
    sha256: Option<Digest>,
}

impl<'de> Deserialize<'de> for DigestSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DigestSetVisitor)
    }
}

struct DigestSetVisitor;

impl<'de> Visitor<'de> for DigestSetVisitor {
    type Value = DigestSet;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("digests by algorithm")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<DigestSet, A::Error> {
        let mut set = DigestSet { count: 0, sha256: None };
        while let Some(Word(algorithm)) = members.next_key()? {
            set.count += 1;
            if algorithm == "sha256" {
                let Word(hex) = members.next_value()?;
                set.sha256 = Some(Digest::from_hex(&hex).map_err(A::Error::custom)?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests;
