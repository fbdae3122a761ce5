//! Conditions over verification summaries, VEX documents and scans: each list, and whose facts are in it.

use bonafide::policy::{Decision, ReasonCode, RequirementKind};
use bonafide::verify::Proof;
use serde_json::{Value, json};

use super::{ISSUER, SIGNER, assert_reason, fact, judge, policy, proof, signature, summaries};

const STRANGER: &str = "https://github.com/evil/w@refs/tags/v1";

fn rule(condition: &str) -> String {
    format!(
        "[[rule]]\nname = 'signed'\nimages = ['docker.io/**']\ncondition = \"\"\"{condition}\"\"\"\n\
         [[rule.signature]]\nissuer = '{ISSUER}'\nsubject = '{SIGNER}'\n"
    )
}

fn decision(condition: &str, facts: &[Value]) -> Decision {
    let facts: Vec<_> = facts.iter().cloned().chain([signature()]).collect();
    judge(&rule(condition), None, &proof(&facts)).decision
}

fn scan_by(signer: &str, findings: &Value) -> Value {
    let said = json!({
        "scanner": "pkg:github/aquasecurity/trivy@0.50.0",
        "scanner_version": "0.50.0",
        "database": "ghcr.io/aquasecurity/trivy-db",
        "database_version": null,
        "started_at": "2025-12-31T23:59:00Z",
        "finished_at": "2026-01-01T00:00:00Z",
        "findings": findings,
    });
    fact("scan", signer, &json!({ "scan": said }))
}

pub(super) fn scan() -> Value {
    scan_by(SIGNER, &json!([{"id": "CVE-2026-1", "severity": "high"}, {"id": "CVE-2026-2", "severity": "unknown"}]))
}

pub(super) fn critical_by(signer: &str) -> Value {
    scan_by(signer, &json!([{"id": "CVE-2026-9", "severity": "critical"}]))
}

pub(super) fn vex_by(signer: &str, status: &str) -> Value {
    let statement = json!({
        "vulnerability": "CVE-2026-1",
        "aliases": ["GHSA-aaaa-bbbb-cccc"],
        "status": status,
        "justification": null,
        "products": [],
    });
    let said = json!({ "author": "Acme", "issued_at": "2026-01-01T00:00:00Z", "statements": [statement] });
    fact("vex", signer, &json!({ "vex": said }))
}

pub(super) fn summary_by(signer: &str) -> Value {
    let mut fact = summaries::summary();
    fact["signer"]["certificate"]["subject"] = json!(signer);
    fact["claim"]["summary"]["dependency_levels"] = json!({ "SLSA_BUILD_LEVEL_1": 2 });
    fact
}

#[test]
fn a_condition_may_be_about_scans() {
    for (condition, met) in [
        ("scans.all(s, s.counts.critical == 0 && s.counts.high == 1 && s.counts.medium == 0)", true),
        ("scans.all(s, s.counts.low == 0 && s.counts.negligible == 0 && s.counts.unknown == 1)", true),
        ("scans.exists(s, s.findings.exists(f, f.id == 'CVE-2026-1' && f.severity == 'high'))", true),
        ("scans.exists(s, s.findings.exists(f, f.severity == 'critical'))", false),
        ("scans[0].scanner.fits('pkg:github/aquasecurity/trivy@*') && scans[0].scanner_version == '0.50.0'", true),
        ("scans[0].database.endsWith('trivy-db') && !has(scans[0].database_version)", true),
        ("scans[0].finished_at - scans[0].started_at == 60", true),
        ("scans[0].signed_at == 1767225600 && scans[0].log == 'rekor-v1'", true),
        ("scans[0].signer.subject.contains('fystack')", true),
    ] {
        let expected = if met { Decision::Admit } else { Decision::Refuse };
        assert_eq!(decision(condition, &[scan()]), expected, "{condition}");
    }
}

#[test]
fn a_condition_may_be_about_vex_documents() {
    for (condition, met) in [
        ("vex.exists(v, v.statements.exists(s, s.vulnerability == 'CVE-2026-1' && s.status == 'fixed'))", true),
        ("vex.exists(v, v.statements.exists(s, s.status == 'affected'))", false),
        ("vex[0].statements[0].aliases == ['GHSA-aaaa-bbbb-cccc'] && size(vex[0].statements[0].products) == 0", true),
        ("vex[0].author == 'Acme' && vex[0].issued_at == vex[0].signed_at", true),
        ("has(vex[0].statements[0].justification)", false),
        ("vex[0].signer.subject.contains('fystack') && vex[0].log == 'rekor-v1'", true),
    ] {
        let expected = if met { Decision::Admit } else { Decision::Refuse };
        assert_eq!(decision(condition, &[vex_by(SIGNER, "fixed")]), expected, "{condition}");
    }
}

#[test]
fn a_condition_may_be_about_verification_summaries() {
    for (condition, met) in [
        ("summaries.exists(s, s.result == 'PASSED' && 'SLSA_BUILD_LEVEL_3' in s.levels)", true),
        ("summaries.exists(s, s.result == 'FAILED')", false),
        ("summaries[0].verifier_id.fits('https://verifier.acme.test/*') && summaries[0].verified_at == 0", true),
        ("summaries[0].resource_uri == 'docker.io/fystacklabs/apex' && summaries[0].slsa_version == '1.0'", true),
        ("summaries[0].policy_uri.endsWith('/v2') && size(summaries[0].policy_digests) == 0", true),
        ("summaries[0].dependency_levels['SLSA_BUILD_LEVEL_1'] == 2", true),
        ("summaries[0].dependency_levels.SLSA_BUILD_LEVEL_1 > 2", false),
        ("summaries[0].signer.subject.contains('fystack') && summaries[0].log == 'rekor-v1'", true),
    ] {
        let expected = if met { Decision::Admit } else { Decision::Refuse };
        assert_eq!(decision(condition, &[summary_by(SIGNER)]), expected, "{condition}");
    }
}

#[test]
fn what_strangers_scanned_excused_or_verified_is_not_seen() {
    let strangers = [critical_by(STRANGER), vex_by(STRANGER, "affected"), summary_by(STRANGER)];
    for (list, bad) in [
        ("scans", "s.counts.critical > 0"),
        ("vex", "s.statements.exists(it, it.status == 'affected')"),
        ("summaries", "true"),
    ] {
        assert_eq!(decision(&format!("{list}.exists(s, {bad})"), &strangers), Decision::Refuse, "{list}: cannot meet");
        assert_eq!(decision(&format!("!{list}.exists(s, {bad})"), &strangers), Decision::Admit, "{list}: cannot break");
    }
    let signers = [critical_by(SIGNER), vex_by(SIGNER, "affected"), summary_by(SIGNER)];
    for list in ["scans", "vex", "summaries"] {
        assert_eq!(decision(&format!("size({list}) == 1"), &signers), Decision::Admit, "{list}");
    }
}

#[test]
fn what_is_revoked_or_about_another_digest_is_not_seen() {
    let mut elsewhere = scan();
    elsewhere["subject"] = json!(bonafide::oci::Digest::of(b"another image"));
    assert_eq!(decision("size(scans) > 0", &[elsewhere]), Decision::Refuse);
    let revoked = format!("{}\n[revoked]\nsubjects = ['{STRANGER}']", rule("size(scans) > 0"));
    let revoked = revoked.replace(
        &format!("issuer = '{ISSUER}'\nsubject = '{SIGNER}'"),
        &format!("any_of = [{{ issuer = '{ISSUER}', subject = '{SIGNER}' }}, {{ issuer = '{ISSUER}', subject = '{STRANGER}' }}]"),
    );
    let by = |signer| judge(&revoked, None, &proof(&[signature(), critical_by(signer)])).decision;
    assert_eq!((by(SIGNER), by(STRANGER)), (Decision::Admit, Decision::Refuse));
}

#[test]
fn where_verifiers_are_named_only_their_summaries_that_do_are_seen() {
    let condition = "condition = \"\"\"summaries.exists(s, 'ACME_REVIEWED' in s.levels)\"\"\"";
    let verified = summaries::demanding().replace("[rule.provenance]", &format!("{condition}\n[rule.provenance]"));
    assert_eq!(judge(&verified, None, &proof(&[summaries::summary()])).decision, Decision::Admit);
    // One does in place of provenance, and another one, which does not, says more.
    let plain = summaries::with("levels", json!(["SLSA_BUILD_LEVEL_3"]));
    for other in
        [summaries::with("result", json!("FAILED")), summaries::with("verifier_id", json!("x")), summary_by(SIGNER)]
    {
        assert_reason(
            &verified,
            &[plain.clone(), other],
            RequirementKind::Condition,
            ReasonCode::ConditionFailed,
            "not true",
        );
    }
    // Nor do the signers of the rule speak for its verifiers.
    let signed = format!("{verified}\n[[rule.signature]]\nissuer = '{ISSUER}'\nsubject = '{SIGNER}'\n");
    let facts = [plain, signature(), summary_by(SIGNER)];
    assert_reason(&signed, &facts, RequirementKind::Condition, ReasonCode::ConditionFailed, "not true");
}

#[test]
fn no_scan_has_critical_findings_is_true_of_what_nobody_scanned_unless_the_rule_says_otherwise() {
    let clean = "scans.all(s, s.counts.critical == 0)";
    assert_eq!(decision(clean, &[]), Decision::Admit);
    let scanned = format!("size(scans) > 0 && {clean}");
    assert_eq!(decision(&scanned, &[]), Decision::Refuse);
    assert_eq!(decision(&scanned, &[scan()]), Decision::Admit);
    assert_eq!(decision(&scanned, &[critical_by(SIGNER)]), Decision::Refuse);
}

#[test]
fn a_report_that_is_not_understood_is_not_a_clean_one() {
    let unread = [scan_by(SIGNER, &Value::Null)];
    for condition in ["scans.all(s, s.counts.critical == 0)", "!scans.exists(s, s.findings.exists(f, true))"] {
        assert_eq!(decision(condition, &unread), Decision::Refuse, "{condition}");
    }
}

#[test]
fn a_part_of_a_list_never_answers_for_the_whole() {
    let findings: Vec<_> = (0..1025).map(|n| json!({"id": format!("CVE-{n}"), "severity": "low"})).collect();
    let long = [scan_by(SIGNER, &json!(findings))];
    assert_eq!(decision("scans.all(s, s.findings.all(f, f.severity == 'low'))", &long), Decision::Refuse);
    assert_eq!(decision("scans.all(s, s.counts.low == 1025)", &long), Decision::Admit);
    let mut document = vex_by(SIGNER, "fixed");
    let statement = document["claim"]["vex"]["statements"][0].clone();
    document["claim"]["vex"]["statements"] = json!(vec![statement; 1025]);
    assert_eq!(decision("vex.all(v, v.statements.all(s, s.status == 'fixed'))", &[document]), Decision::Refuse);
    let many = vec![scan(); 65];
    assert_eq!(decision("scans.all(s, s.counts.critical == 0)", &many), Decision::Refuse);
    assert_eq!(decision("signatures.all(s, s.log == 'rekor-v1')", &many), Decision::Admit, "which are few");
}

#[test]
fn a_condition_over_a_list_takes_all_of_the_evidence() {
    let facts = [signature(), scan(), vex_by(SIGNER, "fixed"), summary_by(SIGNER)];
    let partial = serde_json::from_value(json!({"partial": {"failure": "timed out"}})).unwrap();
    let bounded = serde_json::from_value(json!("bounded")).unwrap();
    for (coverage, expected) in [(partial, Decision::Undecided), (bounded, Decision::Refuse)] {
        let proof = Proof { coverage, ..proof(&facts) };
        for list in ["scans", "vex", "summaries", "signatures"] {
            let verdict = judge(&rule(&format!("size({list}) > 0")), None, &proof);
            assert_eq!(verdict.decision, expected, "{list}");
        }
        assert_eq!(judge(&rule("tag == ''"), None, &proof).decision, Decision::Admit);
    }
}

#[test]
fn a_list_is_there_only_where_the_rule_says_whose_facts_are_in_it() {
    let built = "[[rule]]\nname = 'built'\nimages = ['docker.io/**']\ncondition = 'size(LIST) > 0'\n[rule.provenance]\nlevel = 2\n";
    for (list, needs) in [
        ("scans", "[[rule.signature]]"),
        ("vex", "[[rule.signature]]"),
        ("summaries", "verifiers in [rule.provenance]"),
    ] {
        let error = policy(&built.replace("LIST", list)).unwrap_err().to_string();
        assert!(error.contains(needs), "{error}");
    }
}
