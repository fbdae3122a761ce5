//! SLSA verification summaries (VSA): a verifier's word that it has looked at the evidence, and what it found.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::evidence::Malformed;
use crate::evidence::list::AtMost;
use crate::evidence::strict::{read_checked, told};

/// Most levels of one summary: SLSA has a handful in each track, verifiers add a few of their own.
const LEVELS: usize = 256;

/// That a verifier looked at an artifact, by `https://slsa.dev/verification_summary/v1` or `/v0.2`, in the words of v1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Summary {
    /// `verifier.id`
    pub verifier_id: String,
    /// `timeVerified`
    pub verified_at: Option<Timestamp>,
    /// `resourceUri`: under which name the verifier was asked about the artifact, as written.
    pub resource_uri: String,
    /// `policy.uri`
    pub policy_uri: Option<String>,
    /// `policy.digest`, `algorithm:hex`, as written.
    pub policy_digests: Vec<String>,
    /// `verificationResult`
    pub result: SummaryResult,
    /// `verifiedLevels`, or the one `policyLevel` of v0.2, as written: `SLSA_BUILD_LEVEL_3`.
    pub levels: Vec<String>,
    /// `dependencyLevels`: how many dependencies are of which level.
    pub dependency_levels: BTreeMap<String, u64>,
    /// `slsaVersion`: by which version of SLSA.
    pub slsa_version: Option<String>,
}

/// What a verifier found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SummaryResult {
    /// The policy is met.
    Passed,
    /// It is not.
    Failed,
}

/// Both versions. Some tools write the names of v0.2 with underscores, as its protocol buffers do.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate {
    verifier: Verifier,
    #[serde(alias = "time_verified")]
    time_verified: Option<Timestamp>,
    #[serde(alias = "resource_uri")]
    resource_uri: String,
    policy: Option<Policy>,
    #[serde(alias = "verification_result")]
    verification_result: SummaryResult,
    #[serde(alias = "verified_levels", default)]
    verified_levels: AtMost<String, LEVELS>,
    #[serde(alias = "policy_level")]
    policy_level: Option<String>,
    #[serde(alias = "dependency_levels")]
    dependency_levels: Option<BTreeMap<String, Count>>,
    #[serde(alias = "slsa_version")]
    slsa_version: Option<String>,
}

#[derive(Deserialize)]
struct Verifier {
    id: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Policy {
    uri: Option<String>,
    digest: Option<BTreeMap<String, String>>,
}

/// A number, or the text of one: so does the JSON of protocol buffers write those of 64 bits.
#[derive(Deserialize)]
#[serde(untagged)]
enum Count {
    Number(u64),
    Text(String),
}

/// Reads a predicate of either version.
///
/// # Errors
/// [`Malformed`] if it is not of that shape: verifier, resource and result must be there, and the result a known one.
pub(in crate::evidence) fn read(json: &str) -> Result<Summary, Malformed> {
    let predicate: Predicate = read_checked(json.as_bytes())?;
    let policy = predicate.policy.unwrap_or_default();
    let dependency_levels = predicate.dependency_levels.unwrap_or_default().into_iter();
    let dependency_levels = dependency_levels.map(|(level, count)| Ok((level, count.read()?)));
    let levels = predicate.verified_levels.of("verified levels")?;
    Ok(Summary {
        verifier_id: predicate.verifier.id,
        verified_at: told(predicate.time_verified),
        resource_uri: predicate.resource_uri,
        policy_uri: policy.uri.filter(|uri| !uri.is_empty()),
        policy_digests: digests(policy.digest.unwrap_or_default()),
        result: predicate.verification_result,
        levels: levels.into_iter().chain(predicate.policy_level).collect(),
        dependency_levels: dependency_levels.collect::<Result<_, Malformed>>()?,
        slsa_version: predicate.slsa_version,
    })
}

fn digests(digests: BTreeMap<String, String>) -> Vec<String> {
    digests.into_iter().map(|(algorithm, value)| format!("{algorithm}:{value}")).collect()
}

impl Count {
    fn read(self) -> Result<u64, Malformed> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Text(text) => text.parse().map_err(|_| Malformed::shape("a count of dependencies that is none")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read_json(json: &Value) -> Result<Summary, Malformed> {
        read(&json.to_string())
    }

    fn whole() -> Value {
        json!({
            "verifier": { "id": "https://verifier.example.com/v1", "version": { "tool": "1.2" } },
            "timeVerified": "2026-01-02T03:04:05Z",
            "resourceUri": "pkg:oci/app@sha256%3Aabcd?repository_url=registry.test/app",
            "policy": { "uri": "https://example.com/policy", "digest": { "sha256": "12ab" } },
            "inputAttestations": [{ "uri": "https://example.com/a", "digest": { "sha256": "34cd" } }],
            "verificationResult": "PASSED",
            "verifiedLevels": ["SLSA_BUILD_LEVEL_3", "ACME_REVIEWED"],
            "dependencyLevels": { "SLSA_BUILD_LEVEL_1": 2, "SLSA_BUILD_LEVEL_3": "5" },
            "slsaVersion": "1.1"
        })
    }

    #[test]
    fn a_summary_says_who_found_what_of_which_resource_by_which_policy() {
        let summary = read_json(&whole()).unwrap();
        assert_eq!(summary.verifier_id, "https://verifier.example.com/v1");
        assert_eq!(summary.verified_at, Some("2026-01-02T03:04:05Z".parse().unwrap()));
        assert_eq!(summary.resource_uri, "pkg:oci/app@sha256%3Aabcd?repository_url=registry.test/app");
        assert_eq!(summary.policy_uri.as_deref(), Some("https://example.com/policy"));
        assert_eq!(summary.policy_digests, ["sha256:12ab"]);
        assert_eq!(summary.result, SummaryResult::Passed);
        assert_eq!(summary.levels, ["SLSA_BUILD_LEVEL_3", "ACME_REVIEWED"]);
        assert_eq!(summary.dependency_levels["SLSA_BUILD_LEVEL_3"], 5);
        assert_eq!(summary.slsa_version.as_deref(), Some("1.1"));
    }

    #[test]
    fn the_older_version_is_read_in_both_of_its_spellings() {
        let camel = json!({ "verifier": { "id": "v" }, "timeVerified": "2026-01-02T03:04:05Z", "resourceUri": "r",
            "policy": { "uri": "p" }, "verificationResult": "FAILED", "policyLevel": "SLSA_LEVEL_3" });
        let snake = json!({ "verifier": { "id": "v" }, "time_verified": "2026-01-02T03:04:05Z", "resource_uri": "r",
            "policy": { "uri": "p" }, "verification_result": "FAILED", "policy_level": "SLSA_LEVEL_3" });
        let summary = read_json(&camel).unwrap();
        assert_eq!((summary.result, &*summary.levels), (SummaryResult::Failed, &["SLSA_LEVEL_3".to_owned()][..]));
        assert_eq!(read_json(&snake), Ok(summary));
    }

    #[test]
    fn a_summary_without_verifier_resource_or_result_is_malformed() {
        for member in ["verifier", "resourceUri", "verificationResult"] {
            let mut summary = whole();
            summary.as_object_mut().unwrap().remove(member);
            assert!(read_json(&summary).is_err(), "{member}");
        }
    }

    #[test]
    fn a_result_that_is_neither_passed_nor_failed_is_malformed() {
        for result in [json!("passed"), json!("PASSED "), json!(""), json!(true), json!(null)] {
            let mut summary = whole();
            summary["verificationResult"] = result.clone();
            assert!(read_json(&summary).is_err(), "{result}");
        }
    }

    #[test]
    fn one_thing_said_in_two_spellings_is_malformed() {
        let mut summary = whole();
        summary["verification_result"] = json!("FAILED");
        assert!(read_json(&summary).is_err());
    }

    #[test]
    fn levels_are_bounded() {
        let mut summary = whole();
        summary["verifiedLevels"] = json!(vec!["SLSA_BUILD_LEVEL_1"; LEVELS + 1]);
        assert!(matches!(read_json(&summary), Err(Malformed::TooMuch { .. })));
    }

    #[test]
    fn what_is_no_summary_is_malformed() {
        for json in
            ["null", "[]", "{}", "\"PASSED\"", r#"{"verifier":"v","resourceUri":"r","verificationResult":"PASSED"}"#]
        {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
