//! `condition`: what it can say, what is refused when it is loaded, and that an error never admits.

use proptest::prelude::*;

use super::*;

fn rule(condition: &str) -> String {
    RULE.replace("message =", &format!("condition = '''{condition}'''\n    message ="))
}

fn decision(condition: &str) -> Decision {
    judge(&rule(condition), Some("v1.2.3"), &proof(&all())).decision
}

fn problem(condition: &str) -> String {
    let error = policy(&rule(condition)).unwrap_err();
    assert_eq!(error.at, "rule.0.condition");
    error.to_string()
}

#[test]
fn a_condition_must_be_true_of_the_facts() {
    for (condition, met) in [
        ("provenance.source_ref.startsWith('refs/tags/')", true),
        ("provenance.source_ref.startsWith('refs/heads/')", false),
        ("provenance.level >= 3 && provenance.builder == 'slsa-github-generator'", true),
        ("provenance.level < 3", false),
        ("provenance.source == 'https://github.com/fystack/apex'", true),
        ("provenance.workflow_inputs['environment'] == 'production'", true),
        ("provenance.workflow_inputs.environment in ['staging', 'test']", false),
        ("'environment' in provenance.workflow_inputs && !('debug' in provenance.workflow_inputs)", true),
        ("size(provenance.dependencies) == 0", true),
        ("signatures.exists(s, s.signer.subject.fits('https://github.com/fystack/**'))", true),
        ("signatures.exists(s, s.signer.subject.fits('https://github.com/*'))", false),
        ("signatures.all(s, s.signed_at - now > 3600)", true),
        ("sboms.filter(s, s.format == 'spdx').size() == 1", true),
        ("sboms.map(s, s.packages) == [2]", true),
        ("sboms.exists_one(s, s.packages == 3)", false),
        ("has(provenance.workflow) && provenance.workflow.endsWith('release.yml')", true),
        ("has(provenance.signer.run_invocation)", false),
        ("tag == 'v1.2.3' ? image.contains('apex') : false", true),
        ("digest == 'sha256:' || now != 0", false),
    ] {
        let expected = if met { Decision::Admit } else { Decision::Refuse };
        assert_eq!(decision(condition), expected, "{condition}");
    }
}

#[test]
fn pitfall_03_what_cannot_be_evaluated_is_not_met() {
    for condition in [
        "provenance.signer.run_invocation == ''",
        "provenance.signer.run_invocation != 'x'",
        "!(provenance.signer.run_invocation == 'x')",
        "signatures[5].log == 'rekor-v1'",
        "provenance.workflow_inputs['none'] != 'x'",
        "provenance.level - 9223372036854775807 - 9223372036854775807 < 0",
    ] {
        assert_reason(
            &rule(condition),
            &all(),
            RequirementKind::Condition,
            ReasonCode::ConditionFailed,
            "cannot be evaluated",
        );
    }
}

#[test]
fn a_condition_is_checked_when_it_is_loaded() {
    for (condition, said) in [
        (
            "provenance.sauce == 'x'",
            "a provenance has no field \"sauce\"; did you mean source? (known are signer, signed_at",
        ),
        ("signature.exists(s, true)", "no name \"signature\"; did you mean signatures? (known are image, tag"),
        ("signatures.exists(s, s.subject == 'x')", "a signature has no field \"subject\""),
        ("tag == 1", "there is no == for a text and a number"),
        ("provenance.level.startsWith('3')", "no startsWith for a number"),
        ("tag", "true or false, but is a text"),
        ("tag.matches('v.*')", "no matches"),
        ("tag + 'x' == image", "there is no + for a text and a text"),
        ("tag.fits(image)", "a glob between quotes"),
        ("tag.fits('v***')", "three or more *"),
        ("signatures[0] == signatures[0]", "there is no =="),
        ("[1, 'a'].size() == 2", "of one type"),
        ("{'a': 1}.a == 1", "no { }"),
        ("now == 1.5", "whole numbers"),
        ("tag.?x == tag", "x"),
        ("tag ==", "no condition"),
        ("", "no condition"),
        ("provenance.signer.subject.all(c, true)", "no list"),
        ("signatures.all(s, s.log)", "true or false"),
        (
            "scans.all(s, s.counts.critcal == 0)",
            "no field \"critcal\"; did you mean critical? (known are critical, high",
        ),
        ("scans.all(s, s.findings.all(f, f.severity == 1))", "there is no == for a text and a number"),
        ("summaries.all(s, s.dependency_levels['L1'] == 'a')", "there is no == for a number and a text"),
        ("vex.exists(v, v.statements == 'x')", "there is no =="),
        ("(tag == 'a').contains('x', 'x')", "no contains for true or false and a text and a text"),
        ("size(true, 1, 1) == 1", "no size for true or false and a number and a number"),
        ("now - tag == 1", "there is no - for a number and a text"),
        ("tag - now == 1", "there is no - for a text and a number"),
        ("tag && true", "there is no && for a text and true or false"),
        ("true && tag", "there is no && for true or false and a text"),
        ("signatures.all(a, signatures.all(b, signatures.all(c, true)))", "2 deep at most"),
    ] {
        let text = problem(condition);
        assert!(text.contains(said), "{condition}: {text}");
    }
}

#[test]
fn a_condition_is_bounded() {
    let long = vec!["tag == 'x'"; 400].join(" || ");
    assert!(problem(&long).contains("longer than"));
    let many = vec!["true"; 300].join("||");
    assert!(problem(&many).contains("too long or too deeply nested"));
    let deep = format!("size({}{}) == 1", "[".repeat(49), "]".repeat(49));
    assert!(problem(&deep).contains("too long or too deeply nested"));
}

#[test]
fn no_condition_takes_more_stack_than_there_is() {
    for unit in ["[", "(", "{", "!", "-", "1+", "a.", "a[", "true?", "true?true:", "true||", "size(", "'a'+", "{'a':"] {
        let text = unit.repeat(4096 / unit.len());
        for text in [text.clone(), format!("{text}1")] {
            problem(&text);
        }
    }
}

#[test]
fn a_condition_speaks_of_nothing_that_its_rule_does_not_demand() {
    for (condition, needs) in [("provenance.level > 1", "[rule.provenance]"), ("sboms.all(s, true)", "[rule.sbom]")] {
        let settings = signature_rule(&identity()).replace("mode =", &format!("condition = '''{condition}'''\nmode ="));
        assert!(policy(&settings).unwrap_err().to_string().contains(needs), "{condition}");
    }
}

#[test]
fn a_stranger_can_neither_meet_a_condition_nor_break_one() {
    let mut facts = all();
    facts.push(signed_by("https://github.com/evil/w@refs/tags/v1", "stranger"));
    let fystack = "signatures.all(s, s.signer.subject.startsWith('https://github.com/fystack/'))";
    assert_eq!(judge(&rule(fystack), Some("v1.2.3"), &proof(&facts)).decision, Decision::Admit);
    let evil = rule("signatures.exists(s, s.signer.subject.contains('evil'))");
    assert_reason(&evil, &facts, RequirementKind::Condition, ReasonCode::ConditionFailed, "is not true");
}

#[test]
fn one_provenance_that_meets_rule_and_condition_is_enough() {
    for (one, other) in [("a", "b"), ("b", "a")] {
        let (mut first, mut second) = (provenance(), provenance());
        first["source"]["layer"] = json!(Digest::of(one.as_bytes()));
        second["source"]["layer"] = json!(Digest::of(other.as_bytes()));
        second["claim"]["provenance"]["workflow_inputs"]["environment"] = json!("test");
        let facts = [signature(), first, second, sbom()];
        let rule = rule("provenance.workflow_inputs['environment'] == 'production'");
        assert_eq!(judge(&rule, Some("v1.2.3"), &proof(&facts)).decision, Decision::Admit);
    }
}

#[test]
fn a_condition_over_all_that_there_is_waits_until_all_was_seen() {
    let partial = |condition: &str| {
        let coverage = serde_json::from_value(json!({"partial": {"failure": "timed out"}})).unwrap();
        let rule = rule(condition).replace("deny_packages", "# deny_packages");
        judge(&rule, Some("v1.2.3"), &Proof { coverage, ..proof(&all()) }).decision
    };
    assert_eq!(partial("sboms.all(s, s.packages < 100)"), Decision::Undecided);
    assert_eq!(partial("provenance.level == 3"), Decision::Admit);
    // Junk that crowds out what a signer says does not make the condition true.
    let bounded = |condition: &str| {
        let rule = rule(condition).replace("deny_packages", "# deny_packages");
        judge(&rule, Some("v1.2.3"), &Proof { coverage: Coverage::Bounded, ..proof(&all()) }).decision
    };
    assert_eq!(bounded("signatures.all(s, s.log == 'rekor-v1')"), Decision::Refuse);
    assert_eq!(bounded("provenance.level == 3"), Decision::Admit);
}

#[test]
fn what_is_missing_tells_more_than_a_condition_that_is_not_asked() {
    let verdict = judge(&rule("tag == 'x'"), Some("v1.2.3"), &proof(&all()[1..]));
    assert_eq!(verdict.most_telling().unwrap().0, RequirementKind::Signature);
}

#[test]
fn every_name_of_the_vocabulary_is_documented() {
    let page = include_str!("../../../docs/policy.md");
    let section = page.split("## `condition`").nth(1).unwrap().split("\n## ").next().unwrap();
    for unknown in [
        "zzz == 1",
        "provenance.zzz == 1",
        "signatures[0].zzz == 1",
        "sboms[0].zzz == 1",
        "provenance.signer.zzz == 1",
        "summaries[0].zzz == 1",
        "vex[0].zzz == 1",
        "vex[0].statements[0].zzz == 1",
        "scans[0].zzz == 1",
        "scans[0].counts.zzz == 1",
        "scans[0].findings[0].zzz == 1",
    ] {
        let text = problem(unknown);
        for name in text.split("known are ").nth(1).unwrap().trim_end_matches(')').split(", ") {
            assert!(section.contains(&format!("`{name}`")), "{name} in docs/policy.md");
        }
    }
}

#[test]
fn a_condition_is_not_asked_about_provenance_that_does_not_meet_the_rule() {
    let (mut stranger, mut own) = (provenance(), provenance());
    stranger["source"]["layer"] = json!(Digest::of(b"stranger"));
    for pointer in ["/signer/certificate/source_repository", "/claim/provenance/source"] {
        *stranger.pointer_mut(pointer).unwrap() = json!("https://github.com/evil/apex");
    }
    own["claim"]["provenance"]["workflow_inputs"]["environment"] = json!("test");
    let facts = [signature(), own, stranger, sbom()];
    let rule = rule("provenance.workflow_inputs['environment'] == 'production'");
    assert_eq!(judge(&rule, Some("v1.2.3"), &proof(&facts)).decision, Decision::Refuse);
}

#[test]
fn the_signatures_of_a_condition_are_those_that_meet_the_rule() {
    let mut facts = all();
    facts.push(signed_by("https://github.com/evil/w@refs/tags/v1", "stranger"));
    let rule = rule("signatures.size() == 1");
    assert_eq!(judge(&rule, Some("v1.2.3"), &proof(&facts)).decision, Decision::Admit);
}

#[test]
fn the_bills_of_materials_of_a_condition_are_those_of_the_signers_that_the_rule_names() {
    let mut foreign = sbom();
    foreign["signer"]["certificate"]["subject"] = json!("https://github.com/evil/w@refs/tags/v1");
    foreign["source"]["layer"] = json!(Digest::of(b"stranger"));
    let signed = "[rule.sbom]\n    signed_by = { issuer = 'ISSUER', subject = 'SUBJECT' }";
    let signed = signed.replace("ISSUER", ISSUER).replace("SUBJECT", SIGNER);
    let rule = rule("sboms.size() == 1").replace("[rule.sbom]", &signed);
    let facts = [&all()[..], &[foreign]].concat();
    assert_eq!(judge(&rule, Some("v1.2.3"), &proof(&facts)).decision, Decision::Admit);
}

#[test]
fn the_summaries_of_a_condition_are_those_of_its_signers_where_the_rule_names_no_verifiers() {
    let decided = |signer: &str| {
        let mut summary = summaries::summary();
        summary["signer"]["certificate"]["subject"] = json!(signer);
        let facts = [&all()[..], &[summary]].concat();
        judge(&rule("size(summaries) == 1"), Some("v1.2.3"), &proof(&facts)).decision
    };
    assert_eq!(decided(SIGNER), Decision::Admit);
    assert_eq!(decided("https://github.com/evil/w/.github/workflows/x.yml@refs/tags/v1"), Decision::Refuse);
}

#[test]
fn a_condition_may_ask_for_the_key_of_a_signer() {
    let rule = signature_rule("key = 'release'")
        .replace("mode =", "condition = \"signatures.all(s, s.signer.key == 'release')\"\nmode =");
    let mut fact = signature();
    fact["signer"] = json!({"key": {"name": "release"}});
    assert_eq!(judge(&rule, None, &proof(&[fact])).decision, Decision::Admit);
}

#[test]
fn a_condition_may_be_as_long_and_as_deep_as_its_bounds() {
    let padded = |length: usize| format!("{:<length$}", "tag != ''");
    let listed = |length: usize| format!("1 in [{}]", vec!["1"; length].join(","));
    let added = |length: usize| format!("{} > 0", vec!["1"; length].join("+"));
    for (accepted, refused) in [(padded(4096), padded(4097)), (listed(509), listed(510)), (added(48), added(49))] {
        assert_eq!(decision(&accepted), Decision::Admit, "{accepted}");
        problem(&refused);
    }
}

#[test]
fn a_condition_is_asked_about_as_many_facts_as_it_may_be() {
    let signed = |count: usize| {
        let facts: Vec<_> = (0..count).map(|number| signed_by(SIGNER, &number.to_string())).collect();
        judge(&rule("signatures.size() > 0"), Some("v1.2.3"), &proof(&[facts, all()].concat()))
    };
    assert_eq!(signed(63).decision, Decision::Admit);
    assert!(signed(64).most_telling().unwrap().1.text.contains("more than 64 signatures"));
}

proptest! {
    #[test]
    fn no_text_makes_a_condition_panic(words in prop::collection::vec(prop::sample::select(vec![
        "tag", "now", "provenance", "signatures", "sboms", ".", "level", "source", "(", ")", "[", "]", "'a'", "1", "==", "&&", "!",
        "exists", "s", ",", "+", "-", "size", "has", "workflow_inputs", "?", ":", "in", "fits", "true", "é", "{", "}",
    ]), 0..12)) {
        if let Ok(policy) = policy(&rule(&words.concat())) {
            let (repository, tag) = (repository(), "v1.2.3".parse().unwrap());
            let request = Request { repository: &repository, tag: Some(&tag), digest: digest() };
            let verdict = policy.judge(&request, Some(&proof(&all())), Timestamp::UNIX_EPOCH);
            prop_assert_ne!(verdict.decision, Decision::Undecided);
        }
    }

    #[test]
    fn a_threshold_is_met_exactly_by_as_many_different_people(signers in prop::collection::vec(0..5usize, 0..8), least in 1..4usize) {
        let people = ["a@acme.com", "b@acme.com", "c@acme.com", "d@evil.com", "e@evil.com"];
        let facts: Vec<_> =
            signers.iter().enumerate().map(|(index, who)| signed_by(people[*who], &index.to_string())).collect();
        let different: std::collections::BTreeSet<_> = signers.iter().filter(|who| **who < 3).collect();
        let verdict = judge(&threshold(least, &people[..3]), None, &proof(&facts));
        prop_assert_eq!(verdict.decision == Decision::Admit, different.len() >= least);
        let mut turned = facts;
        turned.reverse();
        prop_assert_eq!(verdict, judge(&threshold(least, &people[..3]), None, &proof(&turned)));
    }
}
