//! `config/policies`: every example can be used, and decides its recorded cases as they expect.

use std::fs;
use std::path::{Path, PathBuf};

use bonafide::cases::{self, Outcome};
use bonafide::config::{Config, Environment};

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
        let folder = file.parent().unwrap().join("cases").join(name);
        assert_ne!(folder.is_dir(), WITHOUT_CASES.contains(&name), "{name}");
        if folder.is_dir() {
            let outcomes = cases::run(&folder, &cases::Rules::of(read(&file)).unwrap()).await.unwrap();
            let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.is_as_expected()).map(said).collect();
            assert!(failed.is_empty(), "{name}:\n{}", failed.join("\n"));
            assert!(outcomes.iter().any(|outcome| outcome.expected.decision == bonafide::policy::Decision::Refuse));
        }
    }
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
