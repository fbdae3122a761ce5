//! The policy: one test for every line that a rule can have, which fails when the line is not looked at.

mod bases;
mod chain;
mod conditions;
mod lists;
mod properties;
mod summaries;

use std::sync::Arc;

use bonafide::config::{Config, Environment};
use bonafide::oci::{Digest, Image, Reference, Repository, Tag};
use bonafide::policy::{
    Decision, Known, Level, Policy, PolicyError, PolicyProblem, Reason, ReasonCode, RecordedFacts, Request,
    RequirementKind, Settings, Shortfall, Verdict, VerdictView,
};
use bonafide::verify::{Coverage, Fact, Proof};
use jiff::Timestamp;
use serde_json::{Value, json};

const ISSUER: &str = "https://token.actions.githubusercontent.com";
const SIGNER: &str =
    "https://github.com/fystack/slsa-workflows/.github/workflows/docker-build-slsa.yml@refs/tags/v1.0.0";
const GENERATOR: &str = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/v2.1.0";
const SOURCE: &str = "https://github.com/fystack/apex";
const COMMIT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// All three requirements, as the seed pipeline can meet them.
const RULE: &str = r#"
    [[rule]]
    name = "fystack"
    images = ["docker.io/fystacklabs/*"]
    tags = ["v*"]
    message = "Ask #platform"

    [[rule.signature]]
    issuer = "https://token.actions.githubusercontent.com"
    subject = "https://github.com/fystack/slsa-workflows/.github/workflows/docker-build-slsa.yml@refs/tags/v*"
    source_repository = "https://github.com/fystack/apex"

    [rule.provenance]
    level = 3
    builders = ["slsa-github-generator"]
    source = "github.com/fystack/apex"
    source_ref = "refs/tags/{tag}"

    [rule.sbom]
    formats = ["spdx"]
    deny_packages = ["pkg:npm/axios@1.14.1", "pkg:npm/event-stream"]
"#;

#[test]
fn an_image_that_meets_all_three_requirements_is_admitted() {
    let verdict = judge(RULE, Some("v1.2.3"), &proof(&all()));
    assert_eq!(verdict.decision, Decision::Admit, "{verdict:#?}");
    assert!(verdict.requirements.iter().all(|requirement| requirement.met && requirement.by.is_some()));
    assert_eq!(verdict.rule.as_deref(), Some("fystack"));
}

#[test]
fn each_requirement_is_looked_at() {
    for (missing, kind) in
        [(0, RequirementKind::Signature), (1, RequirementKind::Provenance), (2, RequirementKind::Sbom)]
    {
        let mut facts = all();
        facts.remove(missing);
        let verdict = judge(RULE, Some("v1.2.3"), &proof(&facts));
        assert_eq!(verdict.decision, Decision::Refuse);
        let unmet: Vec<_> = verdict.requirements.iter().filter(|requirement| !requirement.met).collect();
        assert_eq!((unmet.len(), unmet[0].kind), (1, kind));
        assert_eq!(unmet[0].reasons[0].code, ReasonCode::Missing);
    }
}

#[test]
fn a_signature_counts_only_if_issuer_subject_source_and_trust_are_as_demanded() {
    for (key, value, code) in [
        ("issuer", "https://gitlab.com", ReasonCode::WrongIdentity),
        (
            "subject",
            "https://github.com/evil/w/.github/workflows/docker-build-slsa.yml@refs/tags/v1",
            ReasonCode::WrongIdentity,
        ),
        ("subject", &format!("{SIGNER}/evil"), ReasonCode::WrongIdentity),
        ("source_repository", "https://github.com/evil/apex", ReasonCode::WrongSourceRepository),
        ("trust", "github", ReasonCode::WrongTrust),
    ] {
        let mut facts = all();
        facts[0]["signer"]["certificate"][key] = json!(value);
        assert_reason(RULE, &facts, RequirementKind::Signature, code, value);
    }
}

#[test]
fn what_another_trust_domain_proves_is_refused_with_what_keeps_the_expected_one_from_it() {
    let why = "trust public-good: the transparency log entry does not hold";
    for (at, kind) in [(0, RequirementKind::Signature), (1, RequirementKind::Provenance)] {
        let mut facts = all();
        facts[at]["unproven"] = json!([why]);
        assert_eq!(judge(RULE, Some("v1.2.3"), &proof(&facts)).decision, Decision::Admit);
        facts[at]["signer"]["certificate"]["trust"] = json!("github");
        let text = format!("proved by trust domain github, expected public-good; {why}");
        assert_reason(RULE, &facts, kind, ReasonCode::WrongTrust, &text);
        // Beside any other reason it would tell nothing.
        facts[at]["signer"]["certificate"]["trust"] = json!("public-good");
        facts[at]["signer"]["certificate"]["issuer"] = json!("https://gitlab.com");
        let verdict = judge(RULE, Some("v1.2.3"), &proof(&facts));
        let reasons = verdict.requirements.iter().flat_map(|requirement| &requirement.reasons);
        assert!(reasons.into_iter().all(|reason| !reason.text.contains(why)), "{verdict:#?}");
    }
}

#[test]
fn a_certificate_that_names_no_issuer_is_nobody_even_for_a_pattern_of_stars() {
    let rule = signature_rule("issuer = '**'\nsubject = '**'");
    let mut facts = vec![signature()];
    assert_eq!(judge(&rule, None, &proof(&facts)).decision, Decision::Admit);
    facts[0]["signer"]["certificate"]["issuer"] = json!("");
    assert_eq!(judge(&rule, None, &proof(&facts)).decision, Decision::Refuse);
}

#[test]
fn a_regular_expression_is_anchored_even_where_it_alternates() {
    let rule = signature_rule(&format!("issuer = '{ISSUER}'\nsubject_regex = 'https://a|https://b'"));
    for (subject, decision) in
        [("https://a", Decision::Admit), ("https://ab", Decision::Refuse), ("xhttps://b", Decision::Refuse)]
    {
        let mut facts = vec![signature()];
        facts[0]["signer"]["certificate"]["subject"] = json!(subject);
        assert_eq!(judge(&rule, None, &proof(&facts)).decision, decision, "{subject}");
    }
}

#[test]
fn pitfall_07_no_line_of_a_subject_is_the_whole_of_it() {
    for pattern in ["https://a|https://b", "(?m)https://a", "(?m)^https://a$", "https://a$|x"] {
        let rule = signature_rule(&format!("issuer = '{ISSUER}'\nsubject_regex = '{pattern}'"));
        for (subject, decision) in [
            ("https://a", Decision::Admit),
            ("https://a\n", Decision::Refuse),
            ("https://a\nhttps://evil", Decision::Refuse),
            ("https://evil\nhttps://a", Decision::Refuse),
        ] {
            let fact = signed_by(subject, "a");
            assert_eq!(judge(&rule, None, &proof(&[fact])).decision, decision, "{pattern}: {subject:?}");
        }
    }
}

#[test]
fn a_key_is_that_key_and_no_certificate() {
    let rule = signature_rule("key = 'release'");
    for (signer, decision) in [
        (json!({"key": {"name": "release"}}), Decision::Admit),
        (json!({"key": {"name": "other"}}), Decision::Refuse),
        (signature()["signer"].clone(), Decision::Refuse),
    ] {
        let mut facts = vec![signature()];
        facts[0]["signer"] = signer;
        assert_eq!(judge(&rule, None, &proof(&facts)).decision, decision);
    }
}

#[test]
fn every_claim_of_the_certificate_that_a_block_names_is_looked_at() {
    for (claim, good, bad) in [
        ("source_ref", "refs/tags/v*", "refs/heads/*"),
        ("source_commit", COMMIT, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"),
        (
            "build_config",
            "https://github.com/fystack/apex/.github/workflows/release.yml@**",
            "https://github.com/evil/**",
        ),
        ("build_trigger", "push", "pull_request_target"),
        ("runner_environment", "github-hosted", "self-hosted"),
    ] {
        let mut facts = vec![signature()];
        let rule = |pattern: &str| signature_rule(&format!("{}\n{claim} = '{pattern}'", identity()));
        assert_eq!(judge(&rule(good), None, &proof(&facts)).decision, Decision::Admit, "{claim}");
        assert_reason(&rule(bad), &facts, RequirementKind::Signature, ReasonCode::WrongClaim, claim);
        // What the certificate does not say fits no pattern.
        facts[0]["signer"]["certificate"][claim] = Value::Null;
        assert_reason(&rule("**"), &facts, RequirementKind::Signature, ReasonCode::WrongClaim, "none");
    }
}

#[test]
fn any_of_several_identities_will_do() {
    let rule =
        signature_rule(&format!("any_of = [{{ key = 'release' }}, {{ issuer = '{ISSUER}', subject = '{SIGNER}' }}]"));
    for fact in [signature(), signed_by_key("release", "a")] {
        assert_eq!(judge(&rule, None, &proof(&[fact])).decision, Decision::Admit);
    }
    let stranger = signed_by("https://github.com/evil/w@refs/tags/v1", "a");
    assert_reason(&rule, &[stranger], RequirementKind::Signature, ReasonCode::WrongIdentity, "evil");
    assert_reason(
        &rule,
        &[signed_by_key("other", "a")],
        RequirementKind::Signature,
        ReasonCode::WrongTrust,
        "key other",
    );
}

#[test]
fn a_threshold_takes_as_many_different_signers() {
    let rule = threshold(2, &["a@acme.com", "b@acme.com", "c@acme.com"]);
    let (a, b, c) = (signed_by("a@acme.com", "a"), signed_by("b@acme.com", "b"), signed_by("c@acme.com", "c"));
    assert_reason(
        &rule,
        std::slice::from_ref(&a),
        RequirementKind::Signature,
        ReasonCode::TooFewSigners,
        "missing is b@acme.com",
    );
    for pair in [[&a, &b], [&b, &c], [&c, &a]] {
        let verdict = judge(&rule, None, &proof(&pair.map(Clone::clone)));
        assert_eq!(verdict.decision, Decision::Admit);
        assert_eq!(verdict.requirements[0].also_by.len(), 1);
    }
    let shown = judge(&rule, None, &proof(&[a, b, c]));
    let shown = serde_json::to_value(VerdictView::from(&shown)).unwrap();
    assert_eq!(shown["requirements"][0]["also_by"].as_array().unwrap().len(), 1);
}

#[test]
fn pitfall_05_nobody_meets_a_threshold_twice() {
    let twice = |one: Value, other: Value| [one, other];
    // Two signatures of one person, be it by two certificates, under two trust domains, or for two sources.
    let rule = threshold(2, &["a@acme.com", "*@acme.com"]);
    let mut elsewhere = signed_by("a@acme.com", "b");
    elsewhere["signer"]["certificate"]["source_repository"] = json!("https://github.com/fystack/other");
    for facts in [
        twice(signed_by("a@acme.com", "a"), signed_by("a@acme.com", "b")),
        twice(signed_by("a@acme.com", "a"), elsewhere),
    ] {
        assert_reason(&rule, &facts, RequirementKind::Signature, ReasonCode::TooFewSigners, "signed by 1 of the 2");
    }
    let domains = format!(
        "[[rule.signature]]\nat_least = 2\nany_of = [{{ trust = 'public-good', issuer = '{ISSUER}', subject = 'a@acme.com' }}, \
         {{ trust = 'github', issuer = '{ISSUER}', subject = 'a@acme.com' }}]"
    );
    let domains = signature_rule("").replace("[[rule.signature]]", &domains);
    let mut by_github = signed_by("a@acme.com", "b");
    by_github["signer"]["certificate"]["trust"] = json!("github");
    let facts = twice(signed_by("a@acme.com", "a"), by_github);
    assert_reason(&domains, &facts, RequirementKind::Signature, ReasonCode::TooFewSigners, "1 of the 2");
    // Two signatures with one key.
    let keys = signature_rule("at_least = 2\nany_of = [{ key = 'release' }, { key = 'backup' }]");
    let facts = twice(signed_by_key("release", "a"), signed_by_key("release", "b"));
    assert_reason(&keys, &facts, RequirementKind::Signature, ReasonCode::TooFewSigners, "missing is key backup");
    // Two people for one identity: the other one has not signed.
    let rule = threshold(2, &["*@acme.com", "ciso@acme.com"]);
    let facts = twice(signed_by("a@acme.com", "a"), signed_by("b@acme.com", "b"));
    assert_reason(&rule, &facts, RequirementKind::Signature, ReasonCode::TooFewSigners, "ciso@acme.com");
}

#[test]
fn one_signer_of_the_notary_project_under_the_anchors_of_two_stores_is_one() {
    let identity =
        |trust: &str, issuer: &str| format!("{{ trust = '{trust}', issuer = '{issuer}', subject = 'CN=signer' }}");
    let identities = [identity("public-good", "CN=root"), identity("github", "CN=issuer")].join(", ");
    let rule = signature_rule(&format!("at_least = 2\nany_of = [{identities}]"));
    let signed = |trust: &str, issuer: &str, evidence: &str| {
        let mut fact = signed_by("CN=signer", evidence);
        fact["form"] = json!("notation-jws");
        fact["signer"]["certificate"]["trust"] = json!(trust);
        fact["signer"]["certificate"]["issuer"] = json!(issuer);
        fact
    };
    for evidence in ["a", "b"] {
        let facts = [signed("public-good", "CN=root", "a"), signed("github", "CN=issuer", evidence)];
        assert_reason(&rule, &facts, RequirementKind::Signature, ReasonCode::TooFewSigners, "signed by 1 of the 2");
    }
}

#[test]
fn who_fits_two_identities_stands_for_the_one_that_nobody_else_can() {
    for identities in [["*@acme.com", "ciso@acme.com"], ["ciso@acme.com", "*@acme.com"]] {
        let rule = threshold(2, &identities);
        let facts = [signed_by("ciso@acme.com", "a"), signed_by("a@acme.com", "b")];
        assert_eq!(judge(&rule, None, &proof(&facts)).decision, Decision::Admit);
    }
}

#[test]
fn one_good_signature_of_several_by_one_person_counts() {
    let rule = signature_rule(&format!("{}\nsource_repository = '{SOURCE}'", identity()));
    for (wrong, right) in [("a", "b"), ("b", "a")] {
        let mut other = signed_by(SIGNER, wrong);
        other["signer"]["certificate"]["source_repository"] = json!("https://github.com/fystack/other");
        let facts = [other, signed_by(SIGNER, right)];
        assert_eq!(judge(&rule, None, &proof(&facts)).decision, Decision::Admit);
    }
}

#[test]
fn a_bill_of_materials_may_be_signed_by_any_of_several() {
    let signed_by =
        format!("signed_by = {{ any_of = [{{ key = 'release' }}, {{ issuer = '{ISSUER}', subject = '{SIGNER}' }}] }}");
    let rule = RULE.replace("formats =", &format!("{signed_by}\nformats ="));
    assert_eq!(judge(&rule, Some("v1.2.3"), &proof(&all())).decision, Decision::Admit);
    let mut facts = all();
    facts[2]["signer"] = json!({"key": {"name": "other"}});
    assert_reason(&rule, &facts, RequirementKind::Sbom, ReasonCode::WrongTrust, "key other");
}

#[test]
fn lines_of_a_requirement_are_never_pieced_together_from_several_facts() {
    let (mut one, mut other) = (signature(), signature());
    one["signer"]["certificate"]["source_repository"] = json!("https://github.com/evil/apex");
    other["signer"]["certificate"]["subject"] = json!("https://github.com/evil/w@refs/tags/v1");
    let mut facts = all();
    facts.splice(0..1, [one, other]);
    assert_reason(RULE, &facts, RequirementKind::Signature, ReasonCode::WrongSourceRepository, "evil/apex");
}

#[test]
fn every_signature_block_must_be_met() {
    let two = format!("{}\n[[rule.signature]]\nkey = 'release'", signature_rule(&identity()));
    assert_eq!(judge(&two, None, &proof(&[signature()])).decision, Decision::Refuse);
    let mut by_key = signature();
    by_key["signer"] = json!({"key": {"name": "release"}});
    assert_eq!(judge(&two, None, &proof(&[signature(), by_key])).decision, Decision::Admit);
}

#[test]
fn an_attestation_is_no_signature_and_a_signature_no_attestation() {
    let rule = signature_rule(&identity());
    let mut facts = vec![signature()];
    facts[0]["claim"] = json!({"other": {"predicate_type": "https://example.com/scan"}});
    assert_reason(&rule, &facts, RequirementKind::Signature, ReasonCode::Missing, "no signature");
}

#[test]
fn a_fact_about_another_digest_counts_for_nothing() {
    let mut facts = all();
    facts[0]["subject"] = json!(Digest::of(b"another"));
    assert_reason(RULE, &facts, RequirementKind::Signature, ReasonCode::Missing, "no signature");
    let another = Proof { subject: Digest::of(b"another"), ..proof(&all()) };
    assert_eq!(judge(RULE, Some("v1.2.3"), &another).decision, Decision::Undecided);
}

#[test]
fn provenance_counts_only_if_every_line_of_it_is_as_demanded() {
    for (pointer, value, code) in [
        ("/signer/certificate/trust", "github", ReasonCode::WrongTrust),
        ("/signer/certificate/issuer", "https://gitlab.com", ReasonCode::WrongBuilder),
        ("/signer/certificate/subject", SIGNER, ReasonCode::WrongBuilder),
        ("/signer/certificate/build_signer", SIGNER, ReasonCode::ClaimsDisagree),
        ("/signer/certificate/source_repository", "https://github.com/evil/apex", ReasonCode::ClaimsDisagree),
        ("/signer/certificate/source_ref", "refs/tags/v9", ReasonCode::ClaimsDisagree),
        ("/signer/certificate/source_commit", "bbbb", ReasonCode::ClaimsDisagree),
        ("/claim/provenance/builder_id", SIGNER, ReasonCode::ClaimsDisagree),
        ("/claim/provenance/source", "https://github.com/evil/apex", ReasonCode::ClaimsDisagree),
        ("/claim/provenance/source_ref", "refs/tags/v9", ReasonCode::ClaimsDisagree),
        ("/claim/provenance/source_commit", "bbbb", ReasonCode::ClaimsDisagree),
        ("/claim/provenance/workflow", ".github/workflows/evil.yml", ReasonCode::ClaimsDisagree),
    ] {
        let mut facts = all();
        *facts[1].pointer_mut(pointer).unwrap() = json!(value);
        assert_reason(RULE, &facts, RequirementKind::Provenance, code, value);
    }
}

#[test]
fn provenance_from_another_source_is_refused_even_if_everybody_agrees_on_it() {
    let mut facts = all();
    facts[1]["signer"]["certificate"]["source_repository"] = json!("https://github.com/evil/apex");
    facts[1]["claim"]["provenance"]["source"] = json!("https://github.com/evil/apex");
    assert_reason(RULE, &facts, RequirementKind::Provenance, ReasonCode::WrongSource, "evil/apex");
    facts[1]["claim"]["provenance"]["source"] = Value::Null;
    assert_reason(RULE, &facts, RequirementKind::Provenance, ReasonCode::WrongSource, "no source repository");
}

#[test]
fn a_source_is_the_same_however_its_url_is_written() {
    for source in
        ["github.com/fystack/apex", "https://github.com/fystack/apex", "git+https://github.com/fystack/apex.git"]
    {
        let rule = RULE.replace("source = \"github.com/fystack/apex\"", &format!("source = \"{source}\""));
        assert_eq!(judge(&rule, Some("v1.2.3"), &proof(&all())).decision, Decision::Admit, "{source}");
    }
    let rule = RULE.replace("source = \"github.com/fystack/apex\"", "source = \"github.com/fystack/ape\"");
    assert_eq!(judge(&rule, Some("v1.2.3"), &proof(&all())).decision, Decision::Refuse);
}

#[test]
fn the_generator_counts_only_at_a_released_version() {
    for version in ["refs/tags/v2.1", "refs/tags/v2.1.0-rc.1", "refs/heads/main", COMMIT, "refs/tags/v1.2.x"] {
        let id = GENERATOR.replace("refs/tags/v2.1.0", version);
        let mut facts = all();
        facts[1]["signer"]["certificate"]["subject"] = json!(id);
        facts[1]["signer"]["certificate"]["build_signer"] = json!(id);
        facts[1]["claim"]["provenance"]["builder_id"] = json!(id);
        assert_reason(RULE, &facts, RequirementKind::Provenance, ReasonCode::WrongBuilder, version);
    }
}

#[test]
fn the_tag_asked_for_must_be_the_tag_that_was_built() {
    assert_reason_for(RULE, Some("v1.2.4"), &all(), RequirementKind::Provenance, ReasonCode::WrongSourceRef, "v1.2.4");
    // By digest there is no tag to compare with.
    let any_tag = RULE.replace("tags = [\"v*\"]", "");
    assert_eq!(judge(&any_tag, None, &proof(&all())).decision, Decision::Admit);
}

#[test]
fn a_reference_without_the_tag_is_demanded_by_digest_too() {
    let rule = RULE.replace("refs/tags/{tag}", "refs/tags/v2*").replace("tags = [\"v*\"]", "");
    assert_reason_for(&rule, None, &all(), RequirementKind::Provenance, ReasonCode::WrongSourceRef, "refs/tags/v2*");
}

#[test]
fn a_version_is_that_of_the_tag_that_was_built() {
    let rule = |version: &str| {
        RULE.replace("source_ref = \"refs/tags/{tag}\"", &format!("source_versioned_tag = '{version}'"))
    };
    for version in ["v1", "v1.2", "v1.2.3"] {
        assert_eq!(judge(&rule(version), Some("v1.2.3"), &proof(&all())).decision, Decision::Admit, "{version}");
    }
    for version in ["v2", "v1.3", "v1.2.4"] {
        assert_reason(&rule(version), &all(), RequirementKind::Provenance, ReasonCode::WrongSourceRef, version);
    }
    let mut facts = all();
    for pointer in ["/signer/certificate/source_ref", "/claim/provenance/source_ref"] {
        *facts[1].pointer_mut(pointer).unwrap() = json!("refs/heads/v1.2.3");
    }
    assert_reason(&rule("v1"), &facts, RequirementKind::Provenance, ReasonCode::WrongSourceRef, "refs/heads/v1.2.3");
}

#[test]
fn provenance_of_another_run_than_that_of_its_certificate_is_refused() {
    let run = format!("{SOURCE}/actions/runs/13531731005/attempts/1");
    for (said, agrees) in [
        (run.as_str(), true),
        ("13531731005-1", true),
        ("another builder's number", true),
        ("-1", true),
        ("13531731005-", true),
        ("run-1", true),
        ("13531731005-first", true),
        ("13531731005-2", false),
        ("3531731005-1", false),
        (&format!("{SOURCE}/actions/runs/1/attempts/1"), false),
    ] {
        let mut facts = all();
        facts[1]["signer"]["certificate"]["run_invocation"] = json!(run);
        facts[1]["claim"]["provenance"]["invocation"] = json!(said);
        if agrees {
            assert_eq!(judge(RULE, Some("v1.2.3"), &proof(&facts)).decision, Decision::Admit, "{said}");
        } else {
            assert_reason(RULE, &facts, RequirementKind::Provenance, ReasonCode::ClaimsDisagree, said);
        }
    }
}

#[test]
fn a_self_hosted_runner_is_level_one_unless_its_builder_vouches_for_it() {
    let mut facts = all();
    facts[1]["signer"]["certificate"]["runner_environment"] = json!("self-hosted");
    assert_reason(RULE, &facts, RequirementKind::Provenance, ReasonCode::LevelTooLow, "self-hosted runner");
    let lower = RULE.replacen("level = 3", "level = 1", 1);
    assert_eq!(judge(&lower, Some("v1.2.3"), &proof(&facts)).decision, Decision::Admit);
    let own = format!(
        "{RULE}\n[[builder]]\nname = 'slsa-github-generator'\nid = '{GENERATOR}'\nissuer = '{ISSUER}'\nlevel = 3\n\
         self_hosted_runners = 'allow'"
    );
    assert_eq!(judge(&own, Some("v1.2.3"), &proof(&facts)).decision, Decision::Admit);
    assert!(policy(&own).unwrap().weakenings()[0].contains("self_hosted_runners"));
}

#[test]
fn the_level_is_told_with_the_reason_why_it_is_not_higher() {
    let own = format!("{SOURCE}/.github/workflows/release.yml@refs/tags/v1.2.3");
    let shared = "https://github.com/fystack/shared/.github/workflows/attest.yml@refs/heads/main";
    let unreleased = GENERATOR.replace("refs/tags/v2.1.0", "refs/heads/main");
    let signed_as = |id: &str| {
        let mut fact = provenance();
        fact["signer"]["certificate"]["subject"] = json!(id);
        fact["signer"]["certificate"]["build_signer"] = json!(id);
        fact["claim"]["provenance"]["builder_id"] = json!(id);
        fact
    };
    let mut by_key = provenance();
    by_key["signer"] = json!({"key": {"name": "release"}});
    let mut self_hosted = provenance();
    self_hosted["signer"]["certificate"]["runner_environment"] = json!("self-hosted");
    let mut contradicts = provenance();
    contradicts["claim"]["provenance"]["source"] = json!("https://github.com/evil/apex");
    for (fact, level, why) in [
        (provenance(), 3, None),
        (signed_as(&own), 2, Some(Shortfall::Builder)),
        (signed_as(shared), 2, Some(Shortfall::Builder)),
        (signed_as(&unreleased), 2, Some(Shortfall::UnreleasedBuilder)),
        (signed_as("https://gitlab.com/x"), 1, Some(Shortfall::UnknownBuilder)),
        (by_key, 1, Some(Shortfall::UnknownBuilder)),
        (self_hosted, 1, Some(Shortfall::SelfHostedRunner)),
        (contradicts, 0, Some(Shortfall::ClaimsDisagree)),
    ] {
        let read: Fact = serde_json::from_value(fact).unwrap();
        assert_eq!(Level::of(&read), Some(Level { level, why_not_higher: why }), "{read:?}");
    }
    assert_eq!(Level::of(&serde_json::from_value(signature()).unwrap()), None);
}

#[test]
fn the_level_of_what_met_a_rule_is_that_of_its_builders() {
    let factory = "[[builder]]\nname = 'factory'\nid = 'https://factory.example/*'\nkey = 'release'\nlevel = 3\n";
    let rule = format!("{}\n{factory}", RULE.replace("slsa-github-generator", "factory"));
    let mut facts = all();
    facts[1]["signer"] = json!({"key": {"name": "release"}});
    facts[1]["claim"]["provenance"]["builder_id"] = json!("https://factory.example/1");
    let verdict = judge(&rule, Some("v1.2.3"), &proof(&facts));
    let shown = serde_json::to_value(VerdictView::from(&verdict)).unwrap();
    assert_eq!(shown["requirements"][1]["by"]["level"], json!({"level": 3}));
    assert_eq!(verdict.requirements[1].level.unwrap().to_string(), "3");
}

#[test]
fn a_level_is_said_to_be_lower_for_no_reason_that_does_not_lower_it() {
    let told = |builders: &str, id: &str, level: u8, facts: &[Value]| {
        let builder = format!("[[builder]]\nname = 'own'\nid = '{id}'\nissuer = '{ISSUER}'\nlevel = {level}\n");
        let rule = RULE.replace("[\"slsa-github-generator\"]", builders).replace("level = 3", "level = 1");
        let verdict = judge(&format!("{rule}\n{builder}"), Some("v1.2.3"), &proof(facts));
        let Level { level, why_not_higher } = verdict.requirements[1].level.unwrap();
        (level, why_not_higher)
    };
    let mut self_hosted = all();
    self_hosted[1]["signer"]["certificate"]["runner_environment"] = json!("self-hosted");
    assert_eq!(told("['own']", GENERATOR, 1, &self_hosted), (1, Some(Shortfall::Builder)));
    let branch = GENERATOR.replace("refs/tags/v2.1.0", "refs/heads/main");
    let mut unreleased = all();
    for pointer in ["/signer/certificate/subject", "/signer/certificate/build_signer", "/claim/provenance/builder_id"] {
        *unreleased[1].pointer_mut(pointer).unwrap() = json!(branch);
    }
    let both = "['own', 'slsa-github-generator']";
    assert_eq!(told(both, &branch, 3, &unreleased), (3, None));
    assert_eq!(told(both, &branch, 2, &unreleased), (2, Some(Shortfall::UnreleasedBuilder)));
}

#[test]
fn branch_commit_workflow_and_inputs_are_looked_at() {
    for (line, met) in [
        ("source_branch = 'main'", true),
        ("source_branch = 'release'", false),
        (&format!("source_commit = '{COMMIT}'"), true),
        ("source_commit = 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'", false),
        ("workflow = '.github/workflows/release.yml'", true),
        ("workflow = '.github/workflows/*-test.yml'", false),
        ("workflow_inputs = { environment = 'production' }", true),
        ("workflow_inputs = { environment = 'test' }", false),
        ("workflow_inputs = { other = '**' }", false),
    ] {
        let rule = RULE.replace("level = 3", &format!("level = 3\n{line}"));
        if met {
            assert_eq!(judge(&rule, Some("v1.2.3"), &proof(&all())).decision, Decision::Admit, "{line}");
        } else {
            assert_reason(&rule, &all(), RequirementKind::Provenance, ReasonCode::WrongBuild, "built from");
        }
    }
}

#[test]
fn a_certificate_for_a_branch_speaks_louder_than_the_provenance() {
    let rule = RULE.replace("source_ref = \"refs/tags/{tag}\"", "source_branch = 'main'");
    let mut facts = all();
    facts[1]["signer"]["certificate"]["source_ref"] = json!("refs/heads/evil");
    facts[1]["claim"]["provenance"]["source_ref"] = json!("refs/heads/evil");
    assert_reason(&rule, &facts, RequirementKind::Provenance, ReasonCode::WrongBuild, "evil");
}

#[test]
fn what_a_repository_attests_of_itself_is_level_two_at_most() {
    let own = format!("{SOURCE}/.github/workflows/release.yml@refs/tags/v1.2.3");
    let builder = format!("[[builder]]\nname = 'own'\nid = '{SOURCE}/**'\nissuer = '{ISSUER}'\nlevel = 3\n");
    let rule = format!("{}\n{builder}", RULE.replace("slsa-github-generator", "own"));
    let mut facts = all();
    facts[1]["signer"]["certificate"]["subject"] = json!(own);
    facts[1]["signer"]["certificate"]["build_signer"] = json!(own);
    facts[1]["claim"]["provenance"]["builder_id"] = json!(own);
    assert_reason(&rule, &facts, RequirementKind::Provenance, ReasonCode::LevelTooLow, "source repository itself");
    let rule = rule.replacen("level = 3", "level = 2", 1);
    assert_eq!(judge(&rule, Some("v1.2.3"), &proof(&facts)).decision, Decision::Admit);
}

#[test]
fn github_attestations_are_level_two_by_either_name_of_their_builder() {
    let shared = "https://github.com/fystack/shared/.github/workflows/attest.yml@refs/heads/main";
    for id in [shared, "https://github.com/actions/runner/github-hosted"] {
        let mut facts = all();
        facts[1]["signer"]["certificate"]["subject"] = json!(shared);
        facts[1]["signer"]["certificate"]["build_signer"] = json!(shared);
        facts[1]["claim"]["provenance"]["builder_id"] = json!(id);
        let rule = RULE.replace("slsa-github-generator", "github-attestations");
        assert_reason(&rule, &facts, RequirementKind::Provenance, ReasonCode::LevelTooLow, "level 2");
        let rule = rule.replace("level = 3", "level = 2");
        assert_eq!(judge(&rule, Some("v1.2.3"), &proof(&facts)).decision, Decision::Admit, "{id}");
    }
}

#[test]
fn a_builder_with_a_key_vouches_for_what_that_key_signed() {
    let builder = "[[builder]]\nname = 'factory'\nid = 'https://factory.example/*'\nkey = 'release'\nlevel = 3\n";
    let rule = format!("{}\n{builder}", RULE.replace("slsa-github-generator", "factory"));
    let mut facts = all();
    facts[1]["signer"] = json!({"key": {"name": "release"}});
    facts[1]["claim"]["provenance"]["builder_id"] = json!("https://factory.example/1");
    assert_eq!(judge(&rule, Some("v1.2.3"), &proof(&facts)).decision, Decision::Admit);
    facts[1]["claim"]["provenance"]["builder_id"] = json!("https://evil.example/1");
    assert_reason(&rule, &facts, RequirementKind::Provenance, ReasonCode::ClaimsDisagree, "evil.example");
    facts[1]["signer"] = json!({"key": {"name": "other"}});
    assert_reason(&rule, &facts, RequirementKind::Provenance, ReasonCode::WrongBuilder, "key other");
}

#[test]
fn a_bill_of_materials_counts_only_from_its_signer_and_in_an_accepted_standard() {
    let mut facts = all();
    facts[2]["signer"]["certificate"]["subject"] = json!("https://github.com/evil/w@refs/tags/v1");
    assert_reason(RULE, &facts, RequirementKind::Sbom, ReasonCode::WrongIdentity, "evil");
    let mut facts = all();
    facts[2]["claim"]["sbom"]["format"] = json!("cyclonedx");
    assert_reason(RULE, &facts, RequirementKind::Sbom, ReasonCode::WrongSbomFormat, "CycloneDX");
    let signed_by = RULE.replace("formats =", "signed_by = { key = 'release' }\nformats =");
    assert_reason(&signed_by, &all(), RequirementKind::Sbom, ReasonCode::WrongTrust, "key release");
    let trust = RULE.replace("formats =", "trust = 'github'\nformats =");
    assert_reason(&trust, &all(), RequirementKind::Sbom, ReasonCode::WrongTrust, "github");
}

#[test]
fn a_denied_package_is_found_with_and_without_version_and_qualifiers() {
    for (purl, version, denied) in [
        ("pkg:npm/axios@1.14.1", None, true),
        ("pkg:npm/axios@1.14.1?arch=x#lib", None, true),
        ("pkg:npm/axios", Some("1.14.1"), true),
        ("pkg:npm/axios@1.14.10", None, false),
        ("pkg:npm/axios@1.14.0", None, false),
        ("pkg:npm/axios-mock@1.14.1", None, false),
        ("pkg:npm/event-stream", None, true),
        ("pkg:npm/event-stream@4.0.1", None, true),
        ("pkg:npm/event-stream-safe@4.0.1", None, false),
        ("pkg:pypi/event-stream@4.0.1", None, false),
    ] {
        let mut facts = all();
        let package = json!({"purl": purl, "name": "p", "version": version, "licenses": []});
        let first = json!({"purl": null, "name": "a", "version": null, "licenses": []});
        let (before, after) = (
            json!({"purl": "pkg:a/a@1", "name": "a", "version": null, "licenses": []}),
            json!({"purl": "pkg:z/z@1", "name": "z", "version": null, "licenses": []}),
        );
        facts[2]["claim"]["sbom"]["packages"] = json!([first, before, package, after]);
        if denied {
            assert_reason(RULE, &facts, RequirementKind::Sbom, ReasonCode::DeniedPackage, purl);
        } else {
            assert_eq!(judge(RULE, Some("v1.2.3"), &proof(&facts)).decision, Decision::Admit, "{purl}");
        }
    }
}

#[test]
fn a_denied_package_in_one_of_several_bills_of_materials_is_enough() {
    let mut facts = all();
    let mut second = sbom();
    second["source"]["layer"] = json!(Digest::of(b"second"));
    second["claim"]["sbom"]["format"] = json!("cyclonedx");
    second["claim"]["sbom"]["packages"] =
        json!([{"purl": "pkg:npm/axios@1.14.1", "name": "axios", "version": null, "licenses": []}]);
    facts.push(second);
    assert_reason(RULE, &facts, RequirementKind::Sbom, ReasonCode::DeniedPackage, "axios");
    // A stranger's has no say: anybody could publish one.
    facts[3]["signer"]["certificate"]["subject"] = json!("https://github.com/evil/w@refs/tags/v1");
    assert_eq!(judge(RULE, Some("v1.2.3"), &proof(&facts)).decision, Decision::Admit);
}

#[test]
fn what_no_rule_is_for_is_refused_with_the_way_to_allow_it() {
    let verdict = judge("", Some("v1.2.3"), &proof(&all()));
    assert_eq!(verdict.decision, Decision::Refuse);
    assert_eq!(verdict.requirements[0].reasons[0].code, ReasonCode::NoRule);
    assert!(verdict.message.unwrap().contains("[[rule]] with images = [\"docker.io/fystacklabs/apex\"]"));
}

#[test]
fn a_rule_with_tags_is_for_no_other_tag_and_for_no_digest() {
    for tag in [Some("latest"), None] {
        let verdict = judge(RULE, tag, &proof(&all()));
        assert_eq!(verdict.decision, Decision::Refuse);
        assert_eq!(verdict.requirements[0].reasons[0].code, ReasonCode::NoRule);
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let deny = "[[rule]]\nname = 'no'\nimages = ['docker.io/fystacklabs/**']\nmode = 'deny'\n";
    let verdict = judge(&format!("{deny}{RULE}"), Some("v1.2.3"), &proof(&all()));
    assert_eq!((verdict.decision, verdict.rule.as_deref()), (Decision::Refuse, Some("no")));
    assert_eq!(verdict.requirements[0].reasons[0].code, ReasonCode::DeniedByRule);
    assert_eq!(judge(&format!("{RULE}{deny}"), Some("v1.2.3"), &proof(&all())).decision, Decision::Admit);
}

#[test]
fn allow_takes_no_proof_and_audit_serves_what_it_reports() {
    let allow = "[[rule]]\nname = 'yes'\nimages = ['**']\nmode = 'allow'\n";
    let policy = policy(allow).unwrap();
    let (image, digest) = (repository(), digest());
    let request = Request { repository: &image, tag: None, digest };
    assert_eq!(policy.judge(&request, None, Timestamp::UNIX_EPOCH).decision, Decision::Admit);
    assert!(!policy.needs_proof(&request, Timestamp::UNIX_EPOCH));
    let audit = RULE.replace("tags = [\"v*\"]", "tags = [\"v*\"]\nmode = \"audit\"");
    let verdict = judge(&audit, Some("v1.2.3"), &proof(&[]));
    assert_eq!(verdict.decision, Decision::Admit);
    assert!(verdict.requirements.iter().all(|requirement| !requirement.met && !requirement.reasons.is_empty()));
}

#[test]
fn what_is_revoked_takes_no_proof() {
    let policy = policy(&format!("{RULE}\n[revoked]\ndigests = ['{}']", digest())).unwrap();
    let (image, tag) = (repository(), "v1".parse().unwrap());
    for (digest, needs) in [(digest(), false), (Digest::of(b"other"), true)] {
        let request = Request { repository: &image, tag: Some(&tag), digest };
        assert_eq!(policy.needs_proof(&request, Timestamp::UNIX_EPOCH), needs, "{digest}");
    }
}

#[test]
fn without_facts_the_answer_is_undecided() {
    let policy = policy(RULE).unwrap();
    let (image, tag) = (repository(), "v1".parse().unwrap());
    let request = Request { repository: &image, tag: Some(&tag), digest: digest() };
    assert!(policy.needs_proof(&request, Timestamp::UNIX_EPOCH));
    let verdict = policy.judge(&request, None, Timestamp::UNIX_EPOCH);
    assert_eq!(verdict.decision, Decision::Undecided);
    assert_eq!(verdict.requirements.len(), 3);
    assert!(verdict.requirements.iter().all(|requirement| requirement.reasons[0].code == ReasonCode::Unavailable));
}

#[test]
fn where_something_is_denied_junk_that_may_hide_it_refuses_and_elsewhere_it_does_not() {
    let bounded = |facts: &[Value]| Proof { coverage: Coverage::Bounded, ..proof(facts) };
    let verdict = judge(RULE, Some("v1.2.3"), &bounded(&all()));
    assert_eq!(verdict.decision, Decision::Refuse, "asking again does not help");
    assert_eq!(verdict.requirements[2].reasons[0].code, ReasonCode::TooMuch);
    let no_deny = RULE.replace("deny_packages", "# deny_packages");
    assert_eq!(judge(&no_deny, Some("v1.2.3"), &bounded(&all())).decision, Decision::Admit);
}

#[test]
fn evidence_that_could_not_be_asked_for_makes_a_refusal_undecided() {
    let partial = |facts: &[Value]| Proof {
        coverage: serde_json::from_value(json!({"partial": {"failure": "timed out"}})).unwrap(),
        ..proof(facts)
    };
    let verdict = judge(RULE, Some("v1.2.3"), &partial(&all()[..2]));
    assert_eq!(verdict.decision, Decision::Undecided);
    assert_eq!(verdict.requirements[2].reasons[0].code, ReasonCode::Unavailable);
    // The bill of materials that was not seen may list a denied package.
    assert_eq!(judge(RULE, Some("v1.2.3"), &partial(&all())).decision, Decision::Undecided);
    let no_deny = RULE.replace("deny_packages", "# deny_packages");
    assert_eq!(judge(&no_deny, Some("v1.2.3"), &partial(&all())).decision, Decision::Admit);
    // What is denied stays denied, whatever else there is.
    let mut denied = all();
    denied[2]["claim"]["sbom"]["packages"][0]["purl"] = json!("pkg:npm/axios@1.14.1");
    assert_eq!(judge(RULE, Some("v1.2.3"), &partial(&denied)).decision, Decision::Refuse);
}

#[test]
fn a_signature_that_is_too_young_is_undecided_while_an_older_one_may_not_have_been_seen() {
    let rule = signature_rule(&identity()).replace("mode =", "min_log_age = '72h'\nmode =");
    let mut fact = signature();
    fact["signed_at"] = json!("2026-01-01T00:00:00Z");
    let at = |coverage| judge_at(&rule, None, &Proof { coverage, ..proof(&[fact.clone()]) }, "2026-01-02T00:00:00Z");
    let partial = serde_json::from_value(json!({"partial": {"failure": "timed out"}})).unwrap();
    assert_eq!(at(partial).decision, Decision::Undecided);
    assert_eq!(at(Coverage::Complete).decision, Decision::Refuse);
}

#[test]
fn denying_licences_alone_or_packages_alone_takes_all_that_there_is() {
    for line in ["deny_licenses = ['MIT']", "deny_packages = ['pkg:npm/evil']"] {
        let rule = RULE.replace("deny_packages", &format!("{line} #"));
        let proof = Proof { coverage: Coverage::Bounded, ..proof(&all()) };
        assert_eq!(judge(&rule, Some("v1.2.3"), &proof).decision, Decision::Refuse, "{line}");
    }
}

#[test]
fn a_flaw_of_evidence_is_told_to_the_requirement_that_it_was_meant_for() {
    let source = signature()["source"].clone();
    let flaw = |form: &str, predicate: Option<&str>, kind: &str| {
        serde_json::from_value(
            json!({"source": source, "form": form, "predicate_type": predicate, "kind": kind, "text": "the flaw"}),
        )
        .unwrap()
    };
    let mut nothing = proof(&[]);
    nothing.flaws = vec![
        flaw("cosign-signature", None, "signature"),
        flaw("cosign-attestation", Some("https://slsa.dev/provenance/v0.2"), "log"),
        flaw("bundle", Some("https://spdx.dev/Document"), "subject"),
        flaw("bundle", Some("https://example.com/other"), "subject"),
    ]
    .into();
    let verdict = judge(RULE, Some("v1.2.3"), &nothing);
    let codes: Vec<Vec<_>> =
        verdict.requirements.iter().map(|it| it.reasons.iter().map(|reason| reason.code).collect()).collect();
    let expected = [ReasonCode::SignatureInvalid, ReasonCode::LogInvalid, ReasonCode::SubjectMismatch];
    assert_eq!(codes, expected.map(|code| vec![code]));
}

#[test]
fn the_most_telling_reason_comes_first_and_names_what_was_expected() {
    let (mut stranger, mut near) = (signature(), signature());
    stranger["signer"]["certificate"]["subject"] = json!("https://github.com/evil/w@refs/tags/v1");
    near["signer"]["certificate"]["source_repository"] = json!("https://github.com/fystack/other");
    let mut facts = all();
    facts.splice(0..1, [stranger, near]);
    let verdict = judge(RULE, Some("v1.2.3"), &proof(&facts));
    let reasons = &verdict.requirements[0].reasons;
    assert_eq!(reasons.len(), 2);
    assert_eq!(reasons[0].text, "signed for https://github.com/fystack/other, expected github.com/fystack/apex");
    assert_eq!(verdict.message.as_deref(), Some("Ask #platform"));
}

#[test]
fn what_is_revoked_is_refused_whatever_the_rules_say() {
    for (revoked, code) in [
        (format!("digests = ['{}']", digest()), ReasonCode::Revoked),
        ("subjects = ['https://github.com/fystack/slsa-workflows/**']".into(), ReasonCode::Revoked),
        (format!("commits = ['{COMMIT}']"), ReasonCode::Revoked),
    ] {
        let verdict = judge(&format!("{RULE}\n[revoked]\n{revoked}"), Some("v1.2.3"), &proof(&all()));
        assert_eq!(verdict.decision, Decision::Refuse, "{revoked}");
        assert!(verdict.requirements.iter().any(|it| it.reasons.iter().any(|reason| reason.code == code)));
    }
    let allow =
        format!("[[rule]]\nname = 'yes'\nimages = ['**']\nmode = 'allow'\n[revoked]\ndigests = ['{}']", digest());
    assert_eq!(judge(&allow, None, &proof(&[])).decision, Decision::Refuse);
}

#[test]
fn a_commit_is_revoked_whether_the_certificate_or_the_provenance_names_it() {
    let revoked = |rule: &str| format!("{rule}\n[revoked]\ncommits = ['{COMMIT}']");
    let (code, text) = (ReasonCode::Revoked, "is revoked");
    let signed = revoked(&signature_rule(&identity()));
    assert_reason(&signed, &[signature()], RequirementKind::Signature, code, text);
    let mut uncommitted = all();
    for fact in &mut uncommitted {
        fact["signer"]["certificate"]["source_commit"] = Value::Null;
    }
    assert_reason(&revoked(RULE), &uncommitted, RequirementKind::Provenance, code, text);
}

#[test]
fn a_signature_must_be_as_old_as_the_rule_demands() {
    let rule = signature_rule(&identity()).replace("mode =", "min_log_age = '72h'\nmode =");
    let mut fact = signature();
    fact["signed_at"] = json!("2026-01-01T00:00:00Z");
    let at = |now: &str, facts: &[Value]| judge_at(&rule, None, &proof(facts), now);
    let verdict = at("2026-01-03T23:59:59Z", &[fact.clone()]);
    assert_eq!(verdict.decision, Decision::Refuse);
    let (kind, reason) = verdict.most_telling().unwrap();
    assert_eq!((kind, reason.code), (RequirementKind::Age, ReasonCode::TooYoung));
    assert_eq!(reason.text, "signed less than 72h ago: not served before 2026-01-04T00:00:00Z");
    assert_eq!(at("2026-01-04T00:00:00Z", &[fact.clone()]).decision, Decision::Admit);
    // Signing it again does not make it younger.
    let mut again = signed_by(SIGNER, "again");
    again["signed_at"] = json!("2026-01-03T00:00:00Z");
    assert_eq!(at("2026-01-04T00:00:00Z", &[again.clone(), fact.clone()]).decision, Decision::Admit);
    assert_eq!(at("2026-01-04T00:00:00Z", &[again]).decision, Decision::Refuse);
    // An older signature by a stranger does not make it older.
    let mut stranger = signed_by("https://github.com/evil/w@refs/tags/v1", "stranger");
    stranger["signed_at"] = json!("2020-01-01T00:00:00Z");
    assert_eq!(at("2026-01-03T00:00:00Z", &[stranger.clone(), fact.clone()]).decision, Decision::Refuse);
    assert_eq!(at("2026-01-05T00:00:00Z", &[stranger]).most_telling().unwrap().0, RequirementKind::Signature);
    fact["signed_at"] = Value::Null;
    assert!(at("2030-01-01T00:00:00Z", &[fact]).most_telling().unwrap().1.text.contains("no proven time"));
}

#[test]
fn each_block_must_be_met_by_signatures_that_are_old_enough() {
    let block = |subject: &str| format!("[[rule.signature]]\nissuer = '{ISSUER}'\nsubject = '{subject}'\n");
    let rule = format!(
        "[[rule]]\nname = 'two'\nimages = ['docker.io/**']\nmin_log_age = '72h'\n{}{}",
        block("https://a"),
        block("https://b")
    );
    let (mut a, mut b) = (signed_by("https://a", "a"), signed_by("https://b", "b"));
    a["signed_at"] = json!("2026-01-01T00:00:00Z");
    b["signed_at"] = json!("2026-01-04T00:00:00Z");
    let facts = [a, b];
    assert_eq!(judge_at(&rule, None, &proof(&facts), "2026-01-05T00:00:00Z").decision, Decision::Refuse);
    assert_eq!(judge_at(&rule, None, &proof(&facts), "2026-01-07T00:00:00Z").decision, Decision::Admit);
}

#[test]
fn a_rule_relies_on_every_domain_that_it_names_and_on_no_other() {
    let (repository, tag) = (repository(), "v1.2.3".parse().unwrap());
    let request = Request { repository: &repository, tag: Some(&tag), digest: digest() };
    let signer = format!("issuer = '{ISSUER}'\nsubject = 'https://a'");
    let verifier = format!("[[verifier]]\nname = 'corp'\nid = 'https://v'\ntrust = 'github'\n{signer}\n");
    for (before, block) in [
        (String::new(), format!("[[rule.signature]]\ntrust = 'github'\n{signer}")),
        (String::new(), "[rule.provenance]\ntrust = 'github'\nbuilders = ['slsa-github-generator']".to_owned()),
        (verifier, "[rule.provenance]\nverifiers = ['corp']".to_owned()),
        (
            String::new(),
            format!("[rule.sbom]\ntrust = 'github'\nsigned_by = {{ issuer = '{ISSUER}', subject = 'https://a' }}"),
        ),
    ] {
        let policy = policy(&format!("{before}[[rule]]\nname = 'r'\nimages = ['docker.io/**']\n{block}")).unwrap();
        assert!(policy.awaits(&request, "github", &proof(&[])), "{block}");
        assert!(!policy.awaits(&request, "nobody", &flawed("log")), "{block}");
    }
}

#[test]
fn a_repository_with_the_longest_name_has_a_rule() {
    let longest: Repository = format!("{}:65535/n/{}", "h".repeat(253), "n".repeat(253)).parse().unwrap();
    assert_eq!(longest.to_string().len(), 259 + 1 + 255);
    let policy = policy("[[rule]]\nname = 'all'\nimages = ['**']\nmode = 'allow'").unwrap();
    assert!(policy.rule(&longest, None).is_some());
}

#[test]
fn a_repository_with_nothing_but_an_exception_is_not_hidden() {
    let image = format!("docker.io/fystacklabs/apex@{}", digest());
    let until = "until = 2026-01-01T00:00:00Z";
    let policy = policy(&format!("[[exception]]\nimage = '{image}'\n{until}\nreason = 'INC-42'")).unwrap();
    assert!(policy.hides(&repository()).is_none());
    assert!(policy.hides(&"docker.io/fystacklabs/other".parse().unwrap()).is_some());
    assert!(policy.weakenings().iter().any(|said| said.contains(&image) && said.contains("2026-01-01")));
}

#[test]
fn a_refusal_for_want_of_a_rule_tells_which_rules_are_nearly_for_it() {
    let said = |tag: Option<&str>, settings: &str| {
        let verdict = judge(settings, tag, &proof(&all()));
        verdict.most_telling().unwrap().1.text.clone()
    };
    let elsewhere = RULE.replace("fystacklabs", "others");
    assert_eq!(said(Some("v1"), &elsewhere), "no rule is for docker.io/fystacklabs/apex");
    assert_eq!(said(Some("latest"), RULE), "no rule is for the tag latest: fystack has other tags");
    assert_eq!(said(None, RULE), "no rule is for a digest without a tag: fystack has tags");
}

#[test]
fn an_attestation_that_cannot_be_read_was_meant_for_no_signature() {
    let mut nothing = proof(&[]);
    let flaw = json!({"source": signature()["source"], "form": "cosign-attestation", "kind": "malformed", "text": "x"});
    nothing.flaws = vec![serde_json::from_value(flaw).unwrap()].into();
    let verdict = judge(RULE, Some("v1.2.3"), &nothing);
    let codes: Vec<_> = verdict.requirements.iter().map(|requirement| requirement.reasons[0].code).collect();
    assert_eq!(codes, [ReasonCode::Missing, ReasonCode::Malformed, ReasonCode::Malformed]);
}

#[test]
fn builders_that_build_anything_are_told_at_start() {
    let rule =
        "[[rule]]\nname = 'r'\nimages = ['docker.io/**']\n[rule.provenance]\nbuilders = ['slsa-github-generator']";
    assert!(policy(rule).unwrap().weakenings()[0].ends_with("no source"));
    let named = format!("{rule}\nsource = 'github.com/fystack/apex'");
    assert!(policy(&named).unwrap().weakenings().is_empty());
}

#[test]
fn who_should_have_built_it_is_told_in_words() {
    let mut facts = all();
    for key in ["subject", "build_signer"] {
        facts[1]["signer"]["certificate"][key] =
            json!("https://github.com/evil/w/.github/workflows/b.yml@refs/tags/v1");
    }
    let words = format!("a released version such as v2.1.0, issuer {ISSUER})");
    assert_reason(RULE, &facts, RequirementKind::Provenance, ReasonCode::WrongBuilder, &words);
}

#[test]
fn a_block_may_name_as_many_identities_as_it_may() {
    let named = |count: usize| {
        let people: Vec<_> = (0..count).map(|number| format!("p{number}@acme.com")).collect();
        policy(&threshold(1, &people.iter().map(String::as_str).collect::<Vec<_>>()))
    };
    assert!(named(32).is_ok());
    let problem = named(33).err().unwrap().problem;
    assert_eq!(problem, PolicyProblem::TooManyAlternatives { found: 33, most: 32 });
}

#[test]
fn what_is_published_instead_is_told() {
    let told = |facts: &[Value], at: usize| {
        judge(RULE, Some("v1.2.3"), &proof(facts)).requirements[at].reasons[0].text.clone()
    };
    assert_eq!(told(&[], 0), "no signature is published for it");
    let only = "no signed SLSA provenance is published for it, only signature";
    assert_eq!(told(&[signature()], 1), only);
}

#[test]
fn recorded_facts_are_of_one_image_and_of_what_its_index_lists() {
    let recorded = RecordedFacts::of(&repository(), &[], &proof(&[signature()]));
    let other = Digest::of(b"another image");
    assert!(recorded.check_is(&repository(), &Reference::Digest(digest())).is_ok());
    assert!(recorded.check_is(&repository(), &Reference::Tag("v9".parse().unwrap())).is_ok());
    assert!(recorded.check_is(&repository(), &Reference::Digest(other)).is_err());
    assert!(recorded.check_is(&"docker.io/a/b".parse().unwrap(), &Reference::Digest(digest())).is_err());
    let reads = |through: bool, is_listed: bool| {
        let mut file = serde_json::to_value(&recorded).unwrap();
        file["facts"][0]["subject"] = json!(other);
        file["facts"][0]["through"] = if through { signature()["source"].clone() } else { Value::Null };
        file["children"] = if is_listed { json!([other]) } else { json!([]) };
        serde_json::from_value::<RecordedFacts>(file).is_ok()
    };
    assert!(reads(true, true) && !reads(true, false) && !reads(false, true) && !reads(false, false));
}

#[test]
fn recorded_facts_say_what_is_known_of_other_images() {
    let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let elsewhere: Repository = "docker.io/a/b".parse().unwrap();
    let [index, base, gone] = [b"index", b"base ", b"gone "].map(|name| Digest::of(name));
    let of = |digest: Digest| RecordedFacts::none(&repository(), digest, at);
    let recorded = of(digest()).in_an_index(vec![index], Vec::new());
    let recorded = recorded.beside(None, vec![of(index), of(base)], vec![(repository(), gone)]);
    let read: RecordedFacts = serde_json::from_value(serde_json::to_value(&recorded).unwrap()).unwrap();
    assert_eq!(read, recorded);
    assert_eq!((read.collected_at(), read.roots(), read.others()), (at, &[index][..], 2));
    for (digest, is_found, is_absent) in [(digest(), true, false), (base, true, false), (gone, false, true)] {
        assert_eq!(
            (read.find(&repository(), digest).is_some(), read.lacks(&repository(), digest)),
            (is_found, is_absent)
        );
        assert!(read.find(&elsewhere, digest).is_none() && !read.lacks(&elsewhere, digest), "{digest}");
    }
}

#[test]
fn a_workflow_of_the_repository_that_it_builds_attests_itself() {
    let builder = format!("[[builder]]\nname = 'own'\nid = 'https://github.com/**'\nlevel = 3\nissuer = '{ISSUER}'\n");
    let rule = "[[rule]]\nname = 'r'\nimages = ['docker.io/**']\n[rule.provenance]\nlevel = 3\nbuilders = ['own']";
    let settings = format!("{builder}{rule}");
    let signed_as = |subject: &str, source: Value, config: Value| {
        let mut fact = provenance();
        let certificate = &mut fact["signer"]["certificate"];
        (certificate["subject"], certificate["build_signer"]) = (json!(subject), json!(subject));
        (certificate["source_repository"], certificate["build_config"]) = (source, config);
        fact["claim"]["provenance"]["builder_id"] = json!(subject);
        fact["claim"]["provenance"]["workflow"] = Value::Null;
        fact
    };
    let own = format!("{SOURCE}/.github/workflows/other.yml@refs/tags/v1.2.3");
    let shared = "https://github.com/fystack/shared/.github/workflows/build.yml@refs/tags/v1.2.3";
    let config = provenance()["signer"]["certificate"]["build_config"].clone();
    let facts = |fact| proof(&[fact]);
    let admitted = judge(&settings, None, &facts(signed_as(shared, json!(SOURCE), config.clone())));
    assert_eq!(admitted.decision, Decision::Admit, "{admitted:?}");
    for fact in [signed_as(&own, json!(SOURCE), config), signed_as(shared, json!(SOURCE), json!(shared))] {
        assert_reason(&settings, &[fact], RequirementKind::Provenance, ReasonCode::LevelTooLow, "");
    }
}

#[test]
fn an_issuer_of_a_builder_is_somebody() {
    let builder = "[[builder]]\nname = 'own'\nid = 'https://own/**'\nlevel = 3\nissuer = ''\n";
    let error = policy(&format!("{builder}{RULE}")).err().unwrap();
    assert_eq!((&*error.at, &error.problem), ("builder.0.issuer", &PolicyProblem::Empty));
}

#[test]
fn a_threshold_is_old_enough_once_enough_signatures_are() {
    let rule = threshold(2, &["a@acme.com", "b@acme.com"]).replace("mode =", "min_log_age = '1d'\nmode =");
    let (mut a, mut b) = (signed_by("a@acme.com", "a"), signed_by("b@acme.com", "b"));
    a["signed_at"] = json!("2026-01-01T00:00:00Z");
    b["signed_at"] = json!("2026-01-05T00:00:00Z");
    let facts = [a, b];
    let early = judge_at(&rule, None, &proof(&facts), "2026-01-05T12:00:00Z");
    assert!(early.most_telling().unwrap().1.text.ends_with("not served before 2026-01-06T00:00:00Z"));
    assert_eq!(judge_at(&rule, None, &proof(&facts), "2026-01-06T00:00:00Z").decision, Decision::Admit);
}

#[test]
fn what_was_signed_while_a_signer_was_compromised_counts_for_nothing() {
    let window = |window: &str| format!("{}\n[revoked]\nlog_before = [{{ {window} }}]", signature_rule(&identity()));
    let subject = "subject = 'https://github.com/fystack/slsa-workflows/**'";
    let of = |lines: &str| window(&format!("{subject}, {lines}"));
    let both = of("from = 2026-01-01T00:00:00Z, until = 2026-01-02T00:00:00Z");
    let instant = of("from = 2026-01-01T00:00:00Z, until = 2026-01-01T00:00:00Z");
    for (rule, time, decision) in [
        (&both, "2025-12-31T23:59:59Z", Decision::Admit),
        (&both, "2026-01-01T00:00:00Z", Decision::Refuse),
        (&both, "2026-01-02T00:00:00Z", Decision::Refuse),
        (&both, "2026-01-02T00:00:01Z", Decision::Admit),
        (&instant, "2026-01-01T00:00:00Z", Decision::Refuse),
        (&instant, "2026-01-01T00:00:01Z", Decision::Admit),
        (&of("from = 2026-01-01T00:00:00Z"), "2036-01-01T00:00:00Z", Decision::Refuse),
        (&of("until = 2026-01-01T00:00:00Z"), "2006-01-01T00:00:00Z", Decision::Refuse),
        (&of(&format!("issuer = '{ISSUER}', from = 2026-01-01T00:00:00Z")), "2026-01-01T00:00:00Z", Decision::Refuse),
        (&of("issuer = 'https://gitlab.com', from = 2026-01-01T00:00:00Z"), "2026-01-01T00:00:00Z", Decision::Admit),
        (&window("subject = 'b@acme.com', from = 2026-01-01T00:00:00Z"), "2026-01-01T00:00:00Z", Decision::Admit),
        (&window("key = 'release', from = 2026-01-01T00:00:00Z"), "2026-01-01T00:00:00Z", Decision::Admit),
    ] {
        let mut fact = signature();
        fact["signed_at"] = json!(time);
        assert_eq!(judge(rule, None, &proof(&[fact])).decision, decision, "{rule} {time}");
    }
    // What was signed at no proven time may have been signed then.
    let mut fact = signature();
    fact["signed_at"] = Value::Null;
    assert_reason(&both, &[fact], RequirementKind::Signature, ReasonCode::Revoked, "at no proven time");
}

#[test]
fn what_a_compromised_key_signed_counts_for_nothing() {
    let rule = format!(
        "{}\n[revoked]\nlog_before = [{{ key = 'release', until = 2026-06-01T00:00:00Z }}]",
        signature_rule("key = 'release'")
    );
    let mut fact = signed_by_key("release", "a");
    fact["signed_at"] = json!("2026-05-01T00:00:00Z");
    assert_reason(
        &rule,
        &[fact.clone()],
        RequirementKind::Signature,
        ReasonCode::Revoked,
        "until 2026-06-01T00:00:00Z",
    );
    fact["signed_at"] = json!("2026-07-01T00:00:00Z");
    assert_eq!(judge(&rule, None, &proof(&[fact])).decision, Decision::Admit);
}

#[test]
fn an_exception_serves_one_digest_of_one_repository_until_it_ends() {
    let image = format!("docker.io/fystacklabs/apex@{}", digest());
    let settings = format!("[[exception]]\nimage = '{image}'\nuntil = 2026-01-01T00:00:00Z\nreason = 'INC-42'");
    let policy = policy(&settings).unwrap();
    let at = |repository: &Repository, digest, now: &str| {
        policy.judge(&Request { repository, tag: None, digest }, None, now.parse().unwrap()).decision
    };
    let here = repository();
    assert_eq!(at(&here, digest(), "2025-12-31T23:59:59Z"), Decision::Admit);
    assert_eq!(at(&here, digest(), "2026-01-01T00:00:00Z"), Decision::Refuse);
    assert_eq!(at(&here, Digest::of(b"another"), "2025-01-01T00:00:00Z"), Decision::Refuse);
    assert_eq!(at(&"ghcr.io/a/b".parse().unwrap(), digest(), "2025-01-01T00:00:00Z"), Decision::Refuse);
    let revoked = format!("{settings}\n[revoked]\ndigests = ['{}']", digest());
    assert_eq!(judge(&revoked, None, &proof(&[])).decision, Decision::Refuse);
}

#[test]
fn a_signature_that_ended_with_its_key_no_longer_counts() {
    let mut fact = signature();
    fact["signer"] = json!({"key": {"name": "release"}});
    fact["holds_until"] = json!("1969-12-31T00:00:00Z");
    let rule = signature_rule("key = 'release'");
    assert_reason(&rule, &[fact.clone()], RequirementKind::Signature, ReasonCode::TimestampInvalid, "not_after");
    fact["holds_until"] = json!("1970-01-01T00:00:00Z");
    assert_eq!(judge(&rule, None, &proof(&[fact])).decision, Decision::Admit);
}

#[test]
fn only_repositories_that_could_be_served_are_named() {
    let settings = format!(
        "[[rule]]\nname = 'no'\nimages = ['docker.io/fystacklabs/secret']\nmode = 'deny'\n\
         [[rule]]\nname = 'some'\nimages = ['docker.io/fystacklabs/cache']\ntags = ['x']\nmode = 'deny'\n{RULE}"
    );
    let policy = policy(&settings).unwrap();
    for (name, named) in [
        ("fystacklabs/apex", true),
        ("fystacklabs/cache", true),
        ("fystacklabs/secret", false),
        ("library/nginx", false),
    ] {
        assert_eq!(policy.names(&name.parse().unwrap()), named, "{name}");
    }
}

#[test]
fn a_verdict_is_shown_as_the_contract_says() {
    let verdict = judge(RULE, Some("v1.2.3"), &proof(&all()));
    let shown = serde_json::to_value(VerdictView::from(&verdict)).unwrap();
    assert_eq!(shown["decision"], "admit");
    assert_eq!((&shown["rule"], &shown["mode"]), (&json!("fystack"), &json!("enforce")));
    let kinds: Vec<_> = shown["requirements"].as_array().unwrap().iter().map(|it| &it["kind"]).collect();
    assert_eq!(kinds, ["signature", "provenance", "sbom"]);
    assert_eq!(shown["requirements"][2]["by"]["claim"]["sbom"]["packages"], 2);
    assert_eq!(shown["requirements"][0]["by"]["signer"]["certificate"]["subject"], SIGNER);
    let refused = judge(RULE, Some("v1.2.3"), &proof(&all()[1..]));
    let shown = serde_json::to_value(VerdictView::from(&refused)).unwrap();
    let requirement = &shown["requirements"][0];
    assert_eq!((&requirement["met"], &requirement["by"]), (&json!(false), &Value::Null));
    assert_eq!(requirement["reasons"][0]["code"], "missing");
}

#[test]
fn rules_that_could_not_mean_what_they_say_are_configuration_errors() {
    use PolicyProblem as P;
    let rule = |body: &str| format!("[[rule]]\nname = 'r'\nimages = ['ghcr.io/a/b']\n{body}");
    let named = |name: &str| name.to_owned();
    let problems: Vec<(String, &str, P)> = vec![
        (rule(""), "rule.0", P::NoRequirement),
        (rule("mode = 'audit'"), "rule.0", P::NoRequirement),
        (rule("mode = 'allow'\n[[rule.signature]]\nkey = 'release'"), "rule.0.mode", P::IdleRequirement("allow")),
        (rule("mode = 'deny'\n[rule.provenance]"), "rule.0.mode", P::IdleRequirement("deny")),
        (rule("[[rule.signature]]\nissuer = 'i'"), "rule.0.signature.0", P::HalfIdentity),
        (rule("[[rule.signature]]\nsubject = 's'"), "rule.0.signature.0", P::HalfIdentity),
        (rule("[[rule.signature]]\nkey = 'none'"), "rule.0.signature.0.key", P::UnknownKey(named("none"))),
        (
            rule("[[rule.signature]]\ntrust = 'x'\nissuer = 'i'\nsubject = 's'"),
            "rule.0.signature.0.trust",
            P::UnknownTrust(named("x")),
        ),
        (
            rule("[[rule.signature]]\nkey = 'release'\nissuer = 'i'"),
            "rule.0.signature.0.key",
            P::Conflict("key and trust, issuer, subject or any other claim of a certificate"),
        ),
        (rule("[rule.provenance]\nlevel = 4"), "rule.0.provenance.level", P::Level(4)),
        (rule("[rule.provenance]\nsource_commit = 'abc'"), "rule.0.provenance.source_commit", P::Commit(named("abc"))),
        (
            rule("[rule.provenance]\nbuilders = ['google-cloud-build']"),
            "rule.0.provenance.builders",
            P::UnknownKey(named("google-cloud-build")),
        ),
        (rule("[rule.sbom]"), "rule.0.sbom", P::NoSigner),
        (format!("{}\n{}", rule("mode = 'deny'"), rule("mode = 'deny'")), "rule.1.name", P::Duplicate(named("r"))),
        ("[[rule]]\nname = 'r'\nmode = 'deny'\nimages = ['nginx']".into(), "rule.0.images.0", P::Image(named("nginx"))),
        (
            "[[rule]]\nname = 'r'\nmode = 'deny'\nimages = ['docker.io/nginx']".into(),
            "rule.0.images.0",
            P::Image(named("docker.io/nginx")),
        ),
        ("[[rule]]\nname = 'r'\nmode = 'deny'\nimages = []".into(), "rule.0.images", P::Empty),
        (
            "[[exception]]\nimage = 'ghcr.io/a/b:v1'\nuntil = 2026-01-01T00:00:00Z\nreason = 'x'".into(),
            "exception.0.image",
            P::ImageDigest(named("ghcr.io/a/b:v1")),
        ),
        ("[[builder]]\nname = 'b'\nid = 'i'\nlevel = 3".into(), "builder.0", P::HalfIdentity),
    ];
    for (settings, at, problem) in problems {
        assert_problem(&settings, at, problem);
    }
}

#[test]
fn thresholds_ages_versions_and_windows_that_could_not_mean_what_they_say_are_configuration_errors() {
    use PolicyProblem as P;
    let rule = |body: &str| format!("[[rule]]\nname = 'r'\nimages = ['ghcr.io/a/b']\n{body}");
    let named = |name: &str| name.to_owned();
    let problems: Vec<(String, &str, P)> = vec![
        (rule("[[rule.signature]]\nkey = 'release'\nat_least = 1"), "rule.0.signature.0.at_least", P::NothingToCount),
        (
            rule("[[rule.signature]]\nany_of = [{ key = 'release' }]\nat_least = 2"),
            "rule.0.signature.0.at_least",
            P::Threshold { at_least: 2, alternatives: 1 },
        ),
        (
            rule("[[rule.signature]]\nany_of = [{ key = 'release' }]\nat_least = 0"),
            "rule.0.signature.0.at_least",
            P::Threshold { at_least: 0, alternatives: 1 },
        ),
        (
            rule("[[rule.signature]]\nany_of = [{ any_of = [{ key = 'release' }] }]"),
            "rule.0.signature.0.any_of.0.any_of",
            P::NestedAnyOf,
        ),
        (
            rule("[[rule.signature]]\nany_of = [{ key = 'release' }]\nissuer = 'i'"),
            "rule.0.signature.0.any_of",
            P::Conflict("any_of and an identity beside it"),
        ),
        (
            rule(&format!("[[rule.signature]]\nany_of = [{}]", "{ key = 'release' },".repeat(33))),
            "rule.0.signature.0.any_of",
            P::TooManyAlternatives { found: 33, most: 32 },
        ),
        (
            rule("[rule.sbom]\nsigned_by = { any_of = [{ key = 'release' }], at_least = 1 }"),
            "rule.0.sbom.signed_by.at_least",
            P::Conflict("signed_by and at_least"),
        ),
        (
            rule("min_log_age = 'a week'\n[[rule.signature]]\nkey = 'release'"),
            "rule.0.min_log_age",
            P::Duration(named("a week")),
        ),
        (
            rule("min_log_age = '0h'\n[[rule.signature]]\nkey = 'release'"),
            "rule.0.min_log_age",
            P::Duration(named("0h")),
        ),
        (rule("min_log_age = '72h'\n[rule.provenance]"), "rule.0.min_log_age", P::AgeOfNothing),
        (
            rule("[rule.provenance]\nsource_versioned_tag = '1.2'"),
            "rule.0.provenance.source_versioned_tag",
            P::Version(named("1.2")),
        ),
        ("[revoked]\nlog_before = [{ subject = 'a' }]".into(), "revoked.log_before.0", P::EndlessWindow),
        ("[revoked]\nlog_before = [{ from = 2026-01-01T00:00:00Z }]".into(), "revoked.log_before.0", P::NobodysWindow),
        (
            "[revoked]\nlog_before = [{ key = 'none', from = 2026-01-01T00:00:00Z }]".into(),
            "revoked.log_before.0.key",
            P::UnknownKey(named("none")),
        ),
        (
            "[revoked]\nlog_before = [{ key = 'release', subject = 'a', from = 2026-01-01T00:00:00Z }]".into(),
            "revoked.log_before.0.key",
            P::Conflict("key and subject or issuer"),
        ),
        (
            "[revoked]\nlog_before = [{ subject = 'a', from = 2026-01-02T00:00:00Z, until = 2026-01-01T00:00:00Z }]"
                .into(),
            "revoked.log_before.0.until",
            P::ReversedWindow,
        ),
    ];
    for (settings, at, problem) in problems {
        assert_problem(&settings, at, problem);
    }
}

#[track_caller]
fn assert_problem(settings: &str, at: &str, problem: PolicyProblem) {
    let error = policy(settings).unwrap_err();
    assert_eq!(error, PolicyError { at: at.to_owned(), problem }, "{settings}");
}

#[test]
fn unknown_keys_are_refused_and_an_exception_has_an_end() {
    for settings in [
        "[[rule]]\nname = 'r'\nimages = ['a.io/b']\nmin_age = '72h'",
        "[[rule]]\nname = 'r'\nimages = ['a.io/b']\n[[rule.signature]]\nany_of = [{ name = 'x' }]",
        "[[exception]]\nimage = 'x'\nreason = 'y'",
        "[revoked]\nkeys = []",
    ] {
        assert!(toml::from_str::<Settings>(settings).is_err(), "{settings}");
    }
}

#[test]
fn the_built_in_rule_for_the_seed_pipeline_admits_it_from_main_and_from_releases_only() {
    for (reference, decision) in [
        ("refs/heads/main", Decision::Admit),
        ("refs/tags/v1.0.0", Decision::Admit),
        ("refs/heads/evil", Decision::Refuse),
        ("refs/heads/main/evil", Decision::Refuse),
        ("refs/tags/v1/evil", Decision::Refuse),
    ] {
        let mut facts = all();
        for signed in [0, 2] {
            facts[signed]["signer"]["certificate"]["subject"] = json!(SIGNER.replace("refs/tags/v1.0.0", reference));
        }
        let tag = "v1.2.3".parse().unwrap();
        let request = Request { repository: &repository(), tag: Some(&tag), digest: digest() };
        let policy = Config::load(None, &Environment::default()).unwrap().policy;
        let verdict = policy.judge(&request, Some(&proof(&facts)), Timestamp::UNIX_EPOCH);
        assert_eq!((verdict.decision, verdict.rule.as_deref()), (decision, Some("fystack")), "{reference}");
    }
}

#[test]
fn what_weakens_a_rule_is_said() {
    let settings = format!(
        "{}\n{}\n[[rule]]\nname = 'open'\nimages = ['**']\nmode = 'allow'",
        RULE,
        signature_rule(&format!("issuer = '{ISSUER}'\nsubject = '**'")).replace("enforce", "audit")
    );
    let said = policy(&settings).unwrap().weakenings();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[..2].iter().all(|line| line.starts_with("rule signed")) && said[2].starts_with("rule open"));
    assert!(policy(RULE).unwrap().weakenings().is_empty());
}

#[test]
fn every_reason_is_documented() {
    let documented = include_str!("../../docs/reasons.md");
    for code in ReasonCode::ALL {
        let rows = documented.lines().filter(|line| line.starts_with(&format!("| `{code}` |"))).count();
        assert_eq!(rows, 1, "{code} in docs/reasons.md");
    }
    let rows = documented.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, ReasonCode::ALL.len(), "docs/reasons.md names codes that do not exist");
}

fn all() -> Vec<Value> {
    vec![signature(), provenance(), sbom()]
}

fn signature() -> Value {
    fact("signature", SIGNER, &json!("signature"))
}

/// A signature by somebody else, found in another piece of evidence.
fn signed_by(subject: &str, evidence: &str) -> Value {
    let mut fact = signature();
    fact["signer"]["certificate"]["subject"] = json!(subject);
    fact["source"]["layer"] = json!(Digest::of(evidence.as_bytes()));
    fact
}

fn signed_by_key(name: &str, evidence: &str) -> Value {
    let mut fact = signed_by("", evidence);
    fact["signer"] = json!({"key": {"name": name}});
    fact
}

/// Evidence that proves nothing, for such a flaw.
fn flawed(kind: &str) -> Proof {
    let source = json!({"manifest": Digest::of(b"manifest"), "layer": Digest::of(b"layer")});
    let flaw = json!({"source": source, "form": null, "predicate_type": null, "kind": kind, "text": "x"});
    Proof { flaws: vec![serde_json::from_value(flaw).unwrap()].into(), ..proof(&[]) }
}

/// A rule that takes signatures of so many of these people.
fn threshold(at_least: usize, subjects: &[&str]) -> String {
    let identities = subjects.iter().map(|subject| format!("{{ issuer = '{ISSUER}', subject = '{subject}' }}"));
    let identities: Vec<_> = identities.collect();
    signature_rule(&format!("at_least = {at_least}\nany_of = [{}]", identities.join(", ")))
}

fn provenance() -> Value {
    let said = json!({
        "version": "v0.2",
        "builder_id": GENERATOR,
        "build_type": "https://github.com/slsa-framework/slsa-github-generator/container@v1",
        "source": SOURCE,
        "source_ref": "refs/tags/v1.2.3",
        "source_branch": "main",
        "source_commit": COMMIT,
        "workflow": ".github/workflows/release.yml",
        "workflow_inputs": {"environment": "production"},
        "invocation": null,
        "dependencies": [],
    });
    fact("provenance", GENERATOR, &json!({"provenance": said}))
}

fn sbom() -> Value {
    let packages = json!([
        {"purl": "pkg:npm/axios@1.0.0", "name": "axios", "version": "1.0.0", "licenses": []},
        {"purl": "pkg:npm/left-pad@1.3.0", "name": "left-pad", "version": "1.3.0", "licenses": []},
    ]);
    fact("sbom", SIGNER, &json!({"sbom": {"format": "spdx", "version": "2.3", "packages": packages}}))
}

fn fact(layer: &str, signer: &str, claim: &Value) -> Value {
    let certificate = json!({
        "trust": "public-good",
        "issuer": ISSUER,
        "subject": signer,
        "build_signer": signer,
        "source_repository": SOURCE,
        "source_commit": COMMIT,
        "source_ref": "refs/tags/v1.2.3",
        "build_config": format!("{SOURCE}/.github/workflows/release.yml@refs/tags/v1.2.3"),
        "build_trigger": "push",
        "runner_environment": "github-hosted",
    });
    json!({
        "subject": digest(),
        "source": {"manifest": Digest::of(b"manifest"), "layer": Digest::of(layer.as_bytes())},
        "form": "bundle",
        "signer": {"certificate": certificate},
        "signed_at": "2026-01-01T00:00:00Z",
        "log": "rekor-v1",
        "claim": claim,
    })
}

fn proof(facts: &[Value]) -> Proof {
    let facts: Vec<Arc<_>> = facts.iter().map(|fact| Arc::new(serde_json::from_value(fact.clone()).unwrap())).collect();
    let nothing = json!({
        "subject": digest(), "facts": [], "flaws": [], "coverage": "complete", "collected_at": "2026-01-01T00:00:00Z"
    });
    Proof { facts: facts.into(), ..serde_json::from_value(nothing).unwrap() }
}

fn digest() -> Digest {
    Digest::of(b"the image")
}

fn repository() -> Repository {
    "docker.io/fystacklabs/apex".parse().unwrap()
}

fn identity() -> String {
    format!("issuer = '{ISSUER}'\nsubject = '{SIGNER}'")
}

fn signature_rule(lines: &str) -> String {
    format!("[[rule]]\nname = 'signed'\nimages = ['docker.io/**']\nmode = 'enforce'\n[[rule.signature]]\n{lines}\n")
}

fn policy(settings: &str) -> Result<Policy, PolicyError> {
    let settings: Settings = toml::from_str(settings).unwrap();
    let trust = |name: &str| ["public-good", "github"].contains(&name);
    Policy::new(&settings, &Known { trust: &trust, key: &|name| ["release", "backup"].contains(&name) })
}

fn judge(settings: &str, tag: Option<&str>, proof: &Proof) -> Verdict {
    let tag: Option<Tag> = tag.map(|tag| tag.parse().unwrap());
    let repository = repository();
    let request = Request { repository: &repository, tag: tag.as_ref(), digest: digest() };
    policy(settings).unwrap().judge(&request, Some(proof), Timestamp::UNIX_EPOCH)
}

/// A fact about one image of an index, proven by its attestation manifest.
fn of_child(fact: &Value, child: &str) -> Value {
    let mut fact = fact.clone();
    fact["subject"] = json!(Digest::of(child.as_bytes()));
    fact["source"]["manifest"] = json!(Digest::of(format!("attestation of {child}").as_bytes()));
    fact["through"] = json!({"manifest": Digest::of(b"signature"), "layer": Digest::of(b"signature layer")});
    fact
}

/// A signed index of two images, each with what is proven of it by its attestation manifest.
fn index_of(amd64: [Value; 2], arm64: [Value; 2]) -> Proof {
    let children = ["amd64", "arm64"].map(|child| [child.to_owned(), format!("attestation of {child}")]);
    let children = children.iter().flatten().map(|child| Digest::of(child.as_bytes())).collect();
    let of_children = [("amd64", amd64), ("arm64", arm64)].into_iter();
    let of_children = of_children.flat_map(|(child, facts)| facts.map(|fact| of_child(&fact, child)));
    let facts: Vec<_> = [signature()].into_iter().chain(of_children).collect();
    Proof { children, ..proof(&facts) }
}

#[test]
fn a_condition_is_asked_of_all_that_covers_an_index_which_its_attestation_manifests_prove() {
    let decided = |condition: &str, arm64: [Value; 2]| {
        let rule = RULE.replace("deny_packages", "# deny_packages");
        let rule = rule.replace("message =", &format!("condition = \"{condition}\"\n    message ="));
        judge(&rule, Some("v1.2.3"), &index_of([provenance(), sbom()], arm64)).decision
    };
    let mut staged = provenance();
    staged["claim"]["provenance"]["workflow_inputs"]["environment"] = json!("staging");
    let mut small = sbom();
    small["claim"]["sbom"]["packages"].as_array_mut().unwrap().pop();
    let production = "provenance.workflow_inputs['environment'] == 'production'";
    let packages = "sboms.all(s, s.packages == 2)";
    for condition in [production, packages, "size(sboms) == 2"] {
        assert_eq!(decided(condition, [provenance(), sbom()]), Decision::Admit, "{condition}");
    }
    assert_eq!(decided(production, [staged, sbom()]), Decision::Refuse);
    assert_eq!(decided(packages, [provenance(), small]), Decision::Refuse);
}

#[test]
fn a_condition_hears_nothing_of_some_of_what_an_index_lists() {
    let rule = signature_rule(&identity());
    let rule = rule.replace("images =", "condition = 'size(summaries) > 0'\nimages =");
    let summary = |signer: &str| {
        let mut summary = summaries::summary();
        summary["signer"]["certificate"]["subject"] = json!(signer);
        summary
    };
    let decided = |signer: &str| {
        let proof = index_of([summary(SIGNER), provenance()], [summary(signer), provenance()]);
        judge(&rule, None, &proof).decision
    };
    assert_eq!(decided(SIGNER), Decision::Admit);
    assert_eq!(decided("https://github.com/evil/w/.github/workflows/x.yml@refs/tags/v1"), Decision::Refuse);
}

#[test]
fn a_trust_domain_is_awaited_where_it_could_prove_more() {
    let awaits = |rule: &str, domain: &str, proof: &Proof| {
        let (repository, tag) = (repository(), "v1.2.3".parse().unwrap());
        let request = Request { repository: &repository, tag: Some(&tag), digest: digest() };
        policy(rule).unwrap().awaits(&request, domain, proof)
    };
    let (named, keyed) = (signature_rule(&identity()), signature_rule("key = 'release'"));
    assert!(awaits(&named, "public-good", &proof(&[])) && !awaits(&named, "github", &flawed("log")));
    // Of a key, any domain may prove when it signed; where nothing lacks such a proof, none proves more.
    for (kind, expected) in [("log", true), ("timestamp", true), ("signature", false), ("unknown-key", false)] {
        assert_eq!(awaits(&keyed, "github", &flawed(kind)), expected, "{kind}");
    }
    assert!(!awaits(&keyed, "github", &proof(&[signed_by_key("release", "a")])));
    let mut untimed = signed_by_key("release", "a");
    untimed["signed_at"] = Value::Null;
    let (aged, untimed) = (keyed.replace("mode =", "min_log_age = '1h'\nmode ="), proof(&[untimed]));
    assert!(awaits(&aged, "github", &untimed) && !awaits(&keyed, "github", &untimed));
    let provenance = "[[builder]]\nname = 'ci'\nid = 'https://ci/*'\nkey = 'backup'\nlevel = 2\n[[rule]]\nname = 'r'\n\
         images = ['docker.io/**']\n[rule.provenance]\nbuilders = ['ci']\n";
    assert!(awaits(provenance, "github", &flawed("log")));
    let sbom = format!("{named}[rule.sbom]\nsigned_by = {{ key = 'backup' }}\n");
    assert!(awaits(&sbom, "github", &flawed("log")));
    let summary = "[[verifier]]\nname = 'corp'\nid = 'https://v'\nkey = 'backup'\n[[rule]]\nname = 'r'\n\
         images = ['docker.io/**']\n[rule.provenance]\nverifiers = ['corp']\n";
    assert!(awaits(summary, "github", &flawed("log")));
}

fn judge_at(settings: &str, tag: Option<&str>, proof: &Proof, now: &str) -> Verdict {
    let tag: Option<Tag> = tag.map(|tag| tag.parse().unwrap());
    let repository = repository();
    let request = Request { repository: &repository, tag: tag.as_ref(), digest: digest() };
    policy(settings).unwrap().judge(&request, Some(proof), now.parse().unwrap())
}

#[track_caller]
fn assert_reason(settings: &str, facts: &[Value], kind: RequirementKind, code: ReasonCode, text: &str) {
    assert_reason_for(settings, Some("v1.2.3"), facts, kind, code, text);
}

#[track_caller]
fn assert_reason_for(
    settings: &str,
    tag: Option<&str>,
    facts: &[Value],
    kind: RequirementKind,
    code: ReasonCode,
    text: &str,
) {
    let verdict = judge(settings, tag, &proof(facts));
    assert_eq!(verdict.decision, Decision::Refuse, "{verdict:#?}");
    for requirement in &verdict.requirements {
        assert_eq!(requirement.met, requirement.kind != kind, "{requirement:#?}");
    }
    let requirement = verdict.requirements.iter().find(|requirement| !requirement.met).unwrap();
    let Reason { code: found, text: words } = &requirement.reasons[0];
    assert_eq!(*found, code, "{words}");
    assert!(words.contains(text), "{words:?} does not name {text:?}");
}

#[test]
fn the_tests_above_name_images_as_requests_do() {
    let image: Image = format!("docker.io/fystacklabs/apex@{}", digest()).parse().unwrap();
    assert_eq!((image.repository, image.reference), (repository(), Reference::Digest(digest())));
}
