//! `bonafide inspect --record` and `bonafide policy test`: rules held against recorded facts.

mod others;

use std::fs;

use bonafide::policy::RecordedFacts;
use serde_json::Value;

use crate::cli::{IMAGE, Setup, code, run, signed, stderr, stdout, unsigned};

/// Facts about an image that nobody signed.
const NOTHING: &str = r#"{
  "format": "bonafide-recorded-facts/1",
  "repository": "ghcr.io/acme/app",
  "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "tags": ["v1"],
  "collected_at": "2026-11-25T00:00:00Z",
  "coverage": "complete",
  "facts": [],
  "flaws": []
}"#;
const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const RULES: &str = "
[[rule]]
name = 'open'
images = ['ghcr.io/acme/app']
tags = ['v*']
mode = 'allow'

[[rule]]
name = 'signed'
images = ['ghcr.io/acme/*']

[[rule.signature]]
issuer = 'https://accounts.google.com'
subject = 'release@acme.example'
";

/// What `policy test` says of `cases`, beside facts about an image that nobody signed.
fn tried(cases: &str) -> (i32, String) {
    let setup = Setup::new(RULES);
    fs::create_dir_all(setup.path("cases/app")).unwrap();
    fs::write(setup.path("cases/app/facts.json"), NOTHING).unwrap();
    fs::write(setup.path("cases/app/cases.toml"), cases).unwrap();
    let output = setup.run(&["policy", "test", "cases"]);
    (code(&output), format!("{}{}", stdout(&output), stderr(&output)))
}

#[tokio::test]
async fn what_was_recorded_is_decided_again_without_a_network() {
    let (registry, setup) = signed().await;
    let (output, setup) = run(setup, &["inspect", "--record", "cases/apex", IMAGE]).await;
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(stderr(&output).contains("a case that expects admit by fystack"), "{output:?}");
    registry.stop().await;
    fs::remove_dir_all(setup.path("state")).unwrap();
    let (output, setup) = run(setup, &["policy", "test", "cases"]).await;
    assert_eq!(code(&output), 0, "{output:?}");
    assert_eq!(stdout(&output), format!("ok      cases/apex/cases.toml: {IMAGE}\n\n1 passed, 0 failed\n"));
    assert!(!setup.path("state").exists(), "nothing is stored");
}

#[tokio::test]
async fn a_refusal_is_recorded_with_its_reasons() {
    let (_registry, setup) = unsigned().await;
    let (_, setup) = run(setup, &["inspect", "--record", "cases", IMAGE]).await;
    let case = fs::read_to_string(setup.path("cases/cases.toml")).unwrap();
    assert!(case.contains("decision = \"refuse\"\nrule = \"fystack\"\nreasons = [\"missing\"]"), "{case}");
    assert_eq!(code(&run(setup, &["policy", "test", "cases"]).await.0), 0);
}

#[tokio::test]
async fn what_is_recorded_twice_is_the_same_but_for_the_time_and_cases_are_left_as_they_are() {
    let (_registry, setup) = signed().await;
    let (_, setup) = run(setup, &["inspect", "--record", "cases", IMAGE]).await;
    fs::write(setup.path("cases/cases.toml"), "# mine\n").unwrap();
    let (output, setup) = run(setup, &["inspect", "--record", "cases/again.json", IMAGE]).await;
    assert_eq!(code(&output), 0, "{output:?}");
    let (output, setup) = run(setup, &["inspect", "--record", "cases", IMAGE]).await;
    assert!(stderr(&output).contains("left as it is"), "{output:?}");
    assert_eq!(fs::read_to_string(setup.path("cases/cases.toml")).unwrap(), "# mine\n");
    let read = |name: &str| {
        let mut facts: Value = serde_json::from_slice(&fs::read(setup.path(name)).unwrap()).unwrap();
        facts["collected_at"].take();
        facts
    };
    assert_eq!(read("cases/facts.json"), read("cases/again.json"));
    assert_eq!(read("cases/facts.json")["facts"].as_array().unwrap().len(), 3);
}

#[test]
fn a_case_that_is_decided_otherwise_fails_and_says_why() {
    let (code, said) = tried(
        "[[case]]\nname = 'as it should be'\nfacts = 'facts.json'\ndecision = 'admit'\nrule = 'open'\n\
         [[case]]\nname = 'other tag'\nfacts = 'facts.json'\nimage = 'ghcr.io/acme/app:main'\ndecision = 'admit'\n",
    );
    assert_eq!(code, 1);
    for words in [
        "ok      cases/app/cases.toml: as it should be\n",
        "FAILED  cases/app/cases.toml: other tag\n",
        "expected    admit\n",
        "got         refuse by signed: missing\n",
        "no signature is published for it [missing]\n",
        "\n1 passed, 1 failed\n",
    ] {
        assert!(said.contains(words), "no {words:?} in\n{said}");
    }
}

#[test]
fn a_case_fails_by_its_rule_or_its_reasons_too() {
    let case = |more: &str| {
        let head = "[[case]]\nname = 'a'\nfacts = 'facts.json'\nimage = 'ghcr.io/acme/app:main'\n";
        tried(&format!("{head}{more}")).0
    };
    assert_eq!(case("decision = 'refuse'\nrule = 'signed'\nreasons = ['missing']"), 0);
    assert_eq!(case("decision = 'refuse'\nrule = 'open'"), 1);
    assert_eq!(case("decision = 'refuse'\nreasons = ['wrong-identity']"), 1);
    assert_eq!(case("decision = 'undecided'"), 1);
}

#[test]
fn facts_count_for_no_other_image_than_that_which_was_recorded() {
    for (image, words) in [
        ("ghcr.io/acme/other:v1".to_owned(), "recorded of ghcr.io/acme/app, and say nothing of ghcr.io/acme/other"),
        (format!("ghcr.io/acme/app@{}", DIGEST.replace("e3b0", "0000")), "and say nothing of sha256:0000"),
    ] {
        let (code, said) =
            tried(&format!("[[case]]\nname = 'a'\nfacts = 'facts.json'\nimage = '{image}'\ndecision = 'refuse'\n"));
        assert!(code == 1 && said.contains("not tried") && said.contains(words), "{said}");
    }
}

#[test]
fn an_image_by_digest_is_judged_under_the_tags_that_it_had() {
    let case = format!("[[case]]\nname = 'a'\nfacts = 'facts.json'\nimage = 'ghcr.io/acme/app@{DIGEST}'\n");
    let (code, said) = tried(&format!("{case}decision = 'admit'\nrule = 'open'\n"));
    assert_eq!(code, 0, "{said}");
}

#[test]
fn without_facts_nothing_is_published_about_the_image() {
    let case = "[[case]]\nname = 'a'\nimage = 'ghcr.io/acme/new:1'\nnow = 2026-11-25T00:00:00Z\ndecision = 'refuse'\n";
    let (code, said) = tried(&format!("{case}reasons = ['missing']\n"));
    assert_eq!(code, 0, "{said}");
    let (code, said) = tried("[[case]]\nname = 'a'\nimage = 'ghcr.io/acme/new:1'\ndecision = 'refuse'\n");
    assert!(code == 1 && said.contains("it needs image and now"), "{said}");
}

#[test]
fn now_is_when_the_facts_were_recorded_unless_it_is_said() {
    let setup = Setup::new(&format!(
        "[[exception]]\nimage = 'ghcr.io/acme/app@{DIGEST}'\nuntil = 2026-12-01T00:00:00Z\nreason = 'INC-42'\n\
         [[rule]]\nname = 'none'\nimages = ['ghcr.io/**']\nmode = 'deny'\n"
    ));
    fs::write(setup.path("facts.json"), NOTHING).unwrap();
    let cases = "[[case]]\nname = 'while it lasts'\nfacts = 'facts.json'\ndecision = 'admit'\n\
                 [[case]]\nname = 'when it ended'\nfacts = 'facts.json'\nnow = 2026-12-01T00:00:00Z\ndecision = 'refuse'\n";
    fs::write(setup.path("cases.toml"), cases).unwrap();
    let output = setup.run(&["policy", "test", "."]);
    assert_eq!(code(&output), 0, "{output:?}");
}

#[test]
fn a_misspelt_case_is_named_with_its_line() {
    for (text, line, words) in [
        ("[[case]]\nname = 'a'\ndecison = 'admit'\n", 3, "did you mean decision?"),
        ("[[case]]\nname = 'a'\ndecision = 'admitted'\n", 3, "admit"),
        ("[[case]]\nname = 'a'\ndecision = 'refuse'\nreasons = ['lost']\n", 4, "missing"),
        ("[[case]]\nname = 'a'\nimage = 'A'\ndecision = 'refuse'\n", 3, "such as ghcr.io/acme/app:v1"),
        ("\n[[case]]\nname = 'a'\n", 2, "the key decision is missing"),
    ] {
        let (code, said) = tried(text);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(&format!("cases.toml:{line}: ")) && said.contains(words), "{said}");
    }
}

#[test]
fn the_cases_of_the_documentation_can_be_read() {
    let page = include_str!("../../docs/testing-policies.md");
    let part = |kind: &str| page.split(&format!("```{kind}\n")).nth(1).unwrap().split("```").next().unwrap();
    let setup = Setup::new("");
    fs::write(setup.path("cases.toml"), part("toml")).unwrap();
    fs::write(setup.path("facts.json"), part("json").replace("sha256:..", DIGEST)).unwrap();
    let output = setup.run(&["policy", "test", "."]);
    assert!(
        stdout(&output).ends_with("\n0 passed, 3 failed\n") && !stdout(&output).contains("not tried"),
        "{output:?}"
    );
}

#[test]
fn a_folder_without_cases_and_facts_that_are_not_there_fail() {
    let setup = Setup::new("");
    let output = setup.run(&["policy", "test", "."]);
    assert!(code(&output) == 1 && stderr(&output).contains("there is no cases.toml in ."), "{output:?}");
    let output = setup.run(&["policy", "test", "missing"]);
    assert_eq!((code(&output), stderr(&output).matches("No such file").count()), (1, 1), "{output:?}");
    assert!(stderr(&output).contains("cannot read missing: "), "{output:?}");
    let (code, said) = tried("[[case]]\nname = 'a'\nfacts = 'lost.json'\ndecision = 'refuse'\n");
    assert!(code == 1 && said.contains("cannot read cases/app/lost.json: No such file"), "{said}");
}

#[test]
fn the_outcome_is_told_to_programs_too() {
    let setup = Setup::new(RULES);
    fs::write(setup.path("facts.json"), NOTHING).unwrap();
    let cases = "[[case]]\nname = 'a'\nfacts = 'facts.json'\nimage = 'ghcr.io/acme/app:main'\ndecision = 'admit'\n";
    fs::write(setup.path("cases.toml"), cases).unwrap();
    let output = setup.run(&["policy", "test", "--json", "cases.toml"]);
    assert_eq!(code(&output), 1, "{output:?}");
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&outcome["passed"], &outcome["failed"]), (&0.into(), &1.into()));
    let case = &outcome["cases"][0];
    assert_eq!((&case["name"], &case["passed"], &case["error"]), (&"a".into(), &false.into(), &Value::Null));
    assert_eq!((&case["expected"]["decision"], &case["got"]["decision"]), (&"admit".into(), &"refuse".into()));
    assert_eq!(case["got"]["requirements"][0]["reasons"][0]["code"], "missing");
}

#[test]
fn recorded_facts_of_another_form_are_refused() {
    let read = |text: &str| serde_json::from_str::<RecordedFacts>(text).map_err(|error| error.to_string());
    assert!(read(NOTHING).is_ok());
    let nested = NOTHING.replace("\"flaws\"", &format!("\"others\": [{NOTHING}], \"flaws\""));
    assert!(read(&nested).is_ok());
    for (from, to, words) in [
        ("facts/1", "facts/2", "record the facts again"),
        ("\"flaws\"", "\"flawz\"", "unknown field"),
        ("ghcr.io/acme/app", "ghcr.io/Acme", "repository: "),
        ("\"flaws\"", "\"absent\": [\"ghcr.io/acme/base\"], \"flaws\"", "is not of the form repository@sha256:.."),
        ("\"flaws\"", &format!("\"others\": [{nested}], \"flaws\""), "others of its own"),
    ] {
        let error = read(&NOTHING.replacen(from, to, 1)).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

/// A configuration whose files are elsewhere: recorded facts name keys and signers, and do not need them.
const FILES_ELSEWHERE: &str = "
[server.tls]
cert = 'server.pem'
key = 'server.key'

[[upstream]]
name = 'ghcr.io'
url = 'https://ghcr.io'
auth = { docker_config = 'docker-config.json' }
ca = 'house-ca.pem'

[[trust]]
name = 'house'
trusted_root = 'trusted_root.json'

[[trust]]
name = 'notary'
notation = { ca = ['root.pem'], tsa = ['tsa.pem'] }

[[key]]
name = 'release'
path = 'release.pub'

[[rule]]
name = 'signed'
images = ['ghcr.io/acme/*']

[[rule.signature]]
key = 'release'
";

#[test]
fn rules_are_tested_without_the_keys_and_credentials_of_those_who_serve() {
    let case = "[[case]]\nname = 'a'\nimage = 'ghcr.io/acme/app:v1'\nnow = 2026-11-25T00:00:00Z\ndecision = 'refuse'\n";
    let tried = |rules: &str| {
        let setup = Setup::new(&format!("{FILES_ELSEWHERE}{rules}"));
        fs::write(setup.path("cases.toml"), case).unwrap();
        let checked = setup.run(&["config", "check"]);
        assert_eq!(code(&checked), 64, "who serves needs them: {checked:?}");
        let output = setup.run(&["policy", "test", "cases.toml"]);
        (code(&output), format!("{}{}", stdout(&output), stderr(&output)))
    };
    assert_eq!(tried("").0, 0);
    for (wrong, words) in [
        ("[[rule]]\nname = 'b'\nimages = ['**']\n[[rule.signature]]\nkey = 'releas'", "releas"),
        ("[[rule]]\nname = 'b'\nimages = ['**']\n[rule.sbom]\ndeny_feed = 'feed.json'", "feed.json"),
        ("[[trust]]\nname = 'house'\ntrusted_root = 'r'", "house"),
        ("surprise = 1", "surprise"),
    ] {
        let (code, text) = tried(wrong);
        assert!(code == 64 && text.contains(words), "{code} {text}");
    }
}
