//! Verification summaries in place of provenance: a test for each step of SLSA's "How to verify", which fails when the
//! step is left out.

use bonafide::policy::{Decision, PolicyError, PolicyProblem, ReasonCode, Request, RequirementKind};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ISSUER, digest, fact, judge, policy, proof, provenance, repository};

pub(super) const VERIFIER: &str = "https://verifier.acme.test/v1";
pub(super) const SUBJECT: &str = "https://github.com/acme/verifier/.github/workflows/verify.yml@refs/heads/main";

fn settings(verifier: &str, rule: &str) -> String {
    format!(
        "[[verifier]]\nname = 'corp'\nid = '{VERIFIER}'\nissuer = '{ISSUER}'\nsubject = '{SUBJECT}'\n{verifier}\n\
         [[rule]]\nname = 'built'\nimages = ['docker.io/fystacklabs/*']\n[rule.provenance]\n{rule}\n"
    )
}

pub(super) fn demanding() -> String {
    settings("", "level = 2\nverifiers = ['corp']")
}

pub(super) fn summary() -> Value {
    let said = json!({
        "verifier_id": VERIFIER,
        "verified_at": "1970-01-01T00:00:00Z",
        "resource_uri": "docker.io/fystacklabs/apex",
        "policy_uri": "https://policies.acme.test/release/v2",
        "policy_digests": [],
        "result": "PASSED",
        "levels": ["ACME_REVIEWED", "SLSA_BUILD_LEVEL_3"],
        "dependency_levels": {},
        "slsa_version": "1.0",
    });
    fact("summary", SUBJECT, &json!({ "summary": said }))
}

pub(super) fn with(member: &str, value: Value) -> Value {
    let mut fact = summary();
    fact["claim"]["summary"][member] = value;
    fact
}

#[track_caller]
fn refused(settings: &str, fact: Value, code: ReasonCode, text: &str) {
    super::assert_reason(settings, &[fact], RequirementKind::Provenance, code, text);
}

#[test]
fn a_summary_by_a_named_verifier_does_in_place_of_provenance() {
    let verdict = judge(&demanding(), Some("v1.2.3"), &proof(&[summary()]));
    assert_eq!(verdict.decision, Decision::Admit, "{verdict:#?}");
}

#[test]
fn a_summary_is_believed_of_the_verifiers_own_signer_alone() {
    let mut forged = summary();
    forged["signer"]["certificate"]["subject"] =
        json!("https://github.com/evil/w/.github/workflows/verify.yml@refs/heads/main");
    refused(&demanding(), forged, ReasonCode::WrongIdentity, "evil");
    let mut elsewhere = summary();
    elsewhere["signer"]["certificate"]["trust"] = json!("github");
    refused(&demanding(), elsewhere, ReasonCode::WrongTrust, "github");
}

#[test]
fn a_summary_is_believed_under_the_trust_domain_of_its_verifier_alone() {
    let settings = settings("trust = 'github'", "level = 2\nverifiers = ['corp']");
    refused(&settings, summary(), ReasonCode::WrongTrust, "github");
}

#[test]
fn a_summary_is_about_the_digest_that_is_served() {
    let mut other = summary();
    other["subject"] = json!(bonafide::oci::Digest::of(b"another image"));
    refused(&demanding(), other, ReasonCode::Missing, "");
}

#[test]
fn a_signer_speaks_for_its_own_verifier_alone() {
    let fact = with("verifier_id", json!("https://verifier.other.test"));
    refused(&demanding(), fact, ReasonCode::WrongVerifier, "https://verifier.other.test");
}

#[test]
fn a_summary_of_another_resource_does_not_do() {
    for uri in ["docker.io/fystacklabs/other", "docker.io/fystacklabs/apex:v9.9.9", "", "pkg:oci/apex"] {
        refused(&demanding(), with("resource_uri", json!(uri)), ReasonCode::WrongResource, "expected docker.io/");
    }
    let uri = format!("docker.io/fystacklabs/apex@{}", bonafide::oci::Digest::of(b"another image"));
    refused(&demanding(), with("resource_uri", json!(uri)), ReasonCode::WrongResource, "sha256:");
}

#[test]
fn a_summary_that_failed_does_not_do() {
    refused(&demanding(), with("result", json!("FAILED")), ReasonCode::VerificationFailed, VERIFIER);
}

#[test]
fn a_summary_states_a_build_level_that_is_high_enough() {
    for levels in [json!([]), json!(["SLSA_BUILD_LEVEL_1"]), json!(["SLSA_LEVEL_3"]), json!(["SLSA_SOURCE_LEVEL_3"])] {
        refused(&demanding(), with("levels", levels), ReasonCode::LevelTooLow, "SLSA_BUILD_LEVEL_2");
    }
    let no_level = settings("", "verifiers = ['corp']");
    let verdict = judge(&no_level, Some("v1.2.3"), &proof(&[with("levels", json!([]))]));
    assert_eq!(verdict.decision, Decision::Admit, "a rule that asks for none");
}

#[test]
fn a_summary_by_another_policy_does_not_do_where_one_is_named() {
    let strict = settings("policy = 'https://policies.acme.test/release/*'", "level = 2\nverifiers = ['corp']");
    assert_eq!(judge(&strict, Some("v1.2.3"), &proof(&[summary()])).decision, Decision::Admit);
    for policy in [json!("https://policies.acme.test/lax"), json!(null)] {
        refused(&strict, with("policy_uri", policy), ReasonCode::WrongVerificationPolicy, "expected");
    }
}

#[test]
fn a_summary_counts_for_as_long_as_its_verifier_may_be_believed() {
    let fresh = settings("max_age = '1h'", "level = 2\nverifiers = ['corp']");
    let at = |seconds: i64, fact: Value| {
        let repository = repository();
        let request = Request { repository: &repository, tag: None, digest: digest() };
        let now = Timestamp::from_second(seconds).unwrap();
        policy(&fresh).unwrap().judge(&request, Some(&proof(&[fact])), now).decision
    };
    assert_eq!(at(0, summary()), Decision::Admit);
    assert_eq!(at(3600, summary()), Decision::Admit);
    assert_eq!(at(3601, summary()), Decision::Refuse);
    assert_eq!(at(-1, summary()), Decision::Refuse, "verified in the future");
    assert_eq!(at(0, with("verified_at", json!(null))), Decision::Refuse, "verified at no time");
}

#[test]
fn verifiers_alone_take_no_provenance_and_builders_alone_no_summary() {
    refused(&demanding(), provenance(), ReasonCode::Missing, "asks for a verification summary");
    let builders = "[[rule]]\nname = 'built'\nimages = ['docker.io/**']\n[rule.provenance]\nlevel = 2\n";
    refused(builders, summary(), ReasonCode::Missing, "names no verifiers");
}

#[test]
fn a_rule_may_take_either() {
    let either = settings("", "level = 3\nverifiers = ['corp']\nbuilders = ['slsa-github-generator']");
    for fact in [summary(), provenance()] {
        assert_eq!(judge(&either, Some("v1.2.3"), &proof(&[fact])).decision, Decision::Admit);
    }
}

#[test]
fn a_verifier_may_sign_with_a_key() {
    let settings = settings("", "verifiers = ['corp']")
        .replace(&format!("issuer = '{ISSUER}'\nsubject = '{SUBJECT}'"), "key = 'release'");
    let mut fact = summary();
    fact["signer"] = json!({ "key": { "name": "release" } });
    assert_eq!(judge(&settings, None, &proof(&[fact])).decision, Decision::Admit);
    assert_eq!(judge(&settings, None, &proof(&[summary()])).decision, Decision::Refuse);
}

#[test]
fn what_no_summary_could_meet_is_a_mistake_of_the_configuration() {
    use PolicyProblem as P;
    let unknown = P::UnknownVerifier { name: "corp2".into(), known: "corp".into() };
    assert!(unknown.to_string().ends_with("with that name, or write one of corp"));
    let alone = P::UnknownVerifier { name: "corp2".into(), known: String::new() };
    assert!(alone.to_string().ends_with("with that name"));
    for (settings, at, problem) in [
        (settings("", "verifiers = []"), "rule.0.provenance.verifiers", P::Empty),
        (settings("", "verifiers = ['corp2']"), "rule.0.provenance.verifiers.0", unknown),
        (settings("", "verifiers = ['corp']\nsource = 'a'"), "rule.0.provenance.source", P::NotInSummaries("source")),
        (
            settings("", "verifiers = ['corp']\nbuilders = ['slsa-github-generator']\nsource_ref = 'a'"),
            "rule.0.provenance.source_ref",
            P::NotInSummaries("source_ref"),
        ),
        (
            settings("", "verifiers = ['corp']\nworkflow_inputs = { a = 'b' }"),
            "rule.0.provenance.workflow_inputs",
            P::NotInSummaries("workflow_inputs"),
        ),
        (
            settings("", "verifiers = ['corp']\ntrust = 'github'"),
            "rule.0.provenance.trust",
            P::Conflict("trust and verifiers, which name their own,"),
        ),
        ("[[verifier]]\nname = ''\nid = 'i'\nkey = 'release'".into(), "verifier.0.name", P::Empty),
        ("[[verifier]]\nname = 'v'\nid = 'i'".into(), "verifier.0", P::HalfIdentity),
        ("[[verifier]]\nname = 'v'\nid = 'i'\nkey = 'x'".into(), "verifier.0.key", P::UnknownKey("x".into())),
        (
            "[[verifier]]\nname = 'v'\nid = 'i'\nkey = 'release'\n".repeat(2),
            "verifier.1.name",
            P::Duplicate("v".into()),
        ),
    ] {
        let error = policy(&settings).unwrap_err();
        assert_eq!(error, PolicyError { at: at.to_owned(), problem }, "{settings}");
    }
}

#[test]
fn a_verifier_that_could_be_anybody_is_said_at_start() {
    let open = settings("", "verifiers = ['corp']").replace(&format!("subject = '{SUBJECT}'"), "subject = '**'");
    let said = policy(&open).unwrap().weakenings();
    assert_eq!(said, ["rule built: provenance: verifier corp: any subject of the issuer is accepted"]);
}
