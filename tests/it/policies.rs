//! `config/policies`: every example can be used, and decides its recorded cases as they expect.

use std::fs;
use std::path::{Path, PathBuf};

use bonafide::cases::{self, Outcome};
use bonafide::config::{Config, Environment};
use bonafide::policy::Decision;
use toml::Value;

use crate::cli::{bonafide, code, stderr, stdout};

/// The examples of which nothing is recorded, and why.
const WITHOUT_CASES: &[&str] = &[];

#[test]
fn every_example_is_a_whole_configuration() {
    for file in examples() {
        let config = read(&file);
        assert_eq!(config.warnings, Vec::<String>::new(), "{}", file.display());
        assert_eq!(config.origin, file.display().to_string());
    }
}

#[tokio::test]
async fn every_example_decides_its_cases_as_they_expect() {
    for file in examples() {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let folder = cases_of(&file);
        assert_ne!(folder.is_dir(), WITHOUT_CASES.contains(&name), "{name}");
        if folder.is_dir() {
            let outcomes = cases::run(&folder, &cases::Rules::of(read(&file)).unwrap()).await.unwrap();
            let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.is_as_expected()).map(said).collect();
            assert!(failed.is_empty(), "{name}:\n{}", failed.join("\n"));
            assert!(outcomes.iter().any(|outcome| outcome.expected.decision == Decision::Refuse));
        }
    }
}

/// As shipped: keys, authorities, trust stores and credentials are whoever uses an example to bring, and no test needs them.
#[test]
fn every_example_is_tested_as_it_is_shipped() {
    let home = tempfile::tempdir().unwrap();
    for file in examples() {
        let cases = cases_of(&file);
        let arguments = ["--config".as_ref(), file.as_os_str(), "policy".as_ref(), "test".as_ref(), cases.as_os_str()];
        let output = bonafide(home.path()).args(arguments).output().unwrap();
        assert_eq!(code(&output), 0, "{}: {output:?}", file.display());
        assert!(stdout(&output).ends_with(" passed, 0 failed\n"), "{output:?}");
        assert_eq!(stderr(&output), "");
    }
}

/// Pitfall 11: whoever holds a branch of any repository of an organisation must not stand for each of its images.
#[test]
fn an_example_that_names_a_source_binds_one_image_to_one_repository() {
    let mut bound = 0;
    for file in examples() {
        let text: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
        for rule in text["rule"].as_array().unwrap() {
            let Some(source) = rule.get("provenance").and_then(|provenance| provenance.get("source")) else { continue };
            let images = rule["images"].as_array().unwrap();
            assert_eq!(images.len(), 1, "{rule}");
            assert!([source, &images[0]].iter().all(|text| !text.as_str().unwrap().contains('*')), "{rule}");
            let signers = rule.get("signature").and_then(Value::as_array).into_iter().flatten();
            let sources = signers.filter_map(|signer| signer.get("source_repository")?.as_str());
            assert!(sources.into_iter().all(|source| !source.contains('*')), "{rule}");
            bound += 1;
        }
    }
    assert!(bound >= 9, "{bound}");
}

#[test]
fn only_keys_without_a_log_weaken_an_example() {
    for file in examples() {
        let weakened = read(&file).weakenings();
        let strange: Vec<_> = weakened.iter().filter(|weakening| !weakening.contains("without_log allow")).collect();
        assert!(strange.is_empty(), "{}: {strange:?}", file.display());
    }
}

/// The configurations in `config/policies`.
pub(crate) fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/policies");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect();
    files.sort();
    assert!(files.len() >= 10, "there are examples");
    files
}

fn cases_of(example: &Path) -> PathBuf {
    example.parent().unwrap().join("cases").join(example.file_stem().unwrap())
}

/// The files that it names, such as keys, are whoever uses it to bring.
fn read(file: &Path) -> Config {
    let text = fs::read_to_string(file).unwrap();
    let environment = Environment { home: Some("/home/u".into()), ..Environment::default() };
    let origin = file.display().to_string();
    Config::parse(&text, &origin, file.parent().unwrap(), &environment).unwrap_or_else(|error| panic!("{error}"))
}

fn said(outcome: &Outcome) -> String {
    format!("{}: expected {}, got {:?}", outcome.name, outcome.expected, outcome.got)
}
