//! Loading of trust: what is built in, what is refused, and what an epoch depends on.

use std::fs;
use std::path::Path;

use sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT;
use tempfile::TempDir;

use super::*;

const PEM: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYI4heOTrNrZO27elFE8ynfrdPMik
ttRkbe+vJKQ50G6bfwQ3WyhLpRwwwohelDAm8xRzJ56nYsIa3VHivVvpmA==
-----END PUBLIC KEY-----
";

const ANOTHER_PEM: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEn6RiaZ1vKLIVBivdEgac3kktheNI
4prERqqNaGiw4TqIF+lD2HG7iMJyhNKMyQbJIR8YH01u3D/sizIaKKcW7Q==
-----END PUBLIC KEY-----
";

type Both = (Vec<DomainSettings>, Vec<KeySettings>);

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("root.json"), SIGSTORE_PRODUCTION_TRUSTED_ROOT).unwrap();
    fs::write(folder.path().join("key.pub"), PEM).unwrap();
    folder
}

fn domain(folder: &Path, name: &str) -> DomainSettings {
    DomainSettings::of_file(name, folder.join("root.json"), Requirement::Required, Requirement::Required)
}

fn key(folder: &Path, name: &str) -> KeySettings {
    KeySettings {
        name: name.into(),
        path: folder.join("key.pub"),
        not_before: None,
        not_after: None,
        without_log: WithoutLog::Refuse,
    }
}

fn write_root(folder: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let mut root = serde_json::from_str(SIGSTORE_PRODUCTION_TRUSTED_ROOT).unwrap();
    change(&mut root);
    fs::write(folder.join("root.json"), root.to_string()).unwrap();
}

#[test]
fn public_good_and_github_are_built_in() {
    let trust = Trust::load(&[], &[]).unwrap();
    assert!(trust.has_domain("public-good") && trust.has_domain("github"));
    assert!(!trust.has_domain("corp") && !trust.has_key("release"));
    assert_eq!(trust.warnings(), Vec::<String>::new());
}

#[test]
fn only_the_github_domain_does_without_log_and_certificate_timestamps() {
    let trust = Trust::load(&[], &[]).unwrap();
    let rules: Vec<_> =
        trust.domains().iter().map(|it| (it.name(), it.transparency_log(), it.certificate_timestamps())).collect();
    let (required, none) = (Requirement::Required, Requirement::NotRequired);
    assert_eq!(rules, [("public-good", required, required), ("github", none, none)]);
}

#[test]
fn domains_and_keys_of_the_settings_are_found_by_name() {
    let folder = folder();
    let trust = Trust::load(&[domain(folder.path(), "corp")], &[key(folder.path(), "release")]).unwrap();
    assert!(trust.has_domain("corp") && trust.has_key("release"));
}

#[test]
fn a_name_that_repeats_a_built_in_domain_is_an_error() {
    let folder = folder();
    let error = Trust::load(&[domain(folder.path(), "public-good")], &[]).unwrap_err();
    assert!(matches!(error, TrustError::Source { name, .. } if name == "public-good"));
}

#[test]
fn names_may_not_repeat_or_be_empty() {
    let folder = folder();
    let path = folder.path();
    let twice = Trust::load(&[domain(path, "corp"), domain(path, "corp")], &[]);
    assert!(matches!(twice.unwrap_err(), TrustError::NameTaken { .. }));
    let twice = Trust::load(&[], &[key(path, "release"), key(path, "release")]);
    assert!(matches!(twice.unwrap_err(), TrustError::NameTaken { .. }));
    assert!(matches!(Trust::load(&[domain(path, "")], &[]).unwrap_err(), TrustError::NoName));
}

#[test]
fn an_empty_root_is_refused() {
    let folder = folder();
    fs::write(folder.path().join("root.json"), r#"{"mediaType": "m"}"#).unwrap();
    let error = Trust::load(&[domain(folder.path(), "corp")], &[]).unwrap_err();
    assert!(matches!(error, TrustError::Lacks { .. }), "{error}");
}

#[test]
fn a_root_that_cannot_meet_its_own_rules_is_refused() {
    for (list, what) in [("tlogs", "transparency log"), ("ctlogs", "certificate log")] {
        let folder = folder();
        write_root(folder.path(), |root| root[list] = serde_json::json!([]));
        let error = Trust::load(&[domain(folder.path(), "corp")], &[]).unwrap_err();
        assert!(matches!(error, TrustError::Lacks { what: lacks, .. } if lacks == what));
    }
}

#[test]
fn a_domain_without_log_needs_a_timestamp_authority() {
    let folder = folder();
    write_root(folder.path(), |root| root["timestampAuthorities"] = serde_json::json!([]));
    let settings = DomainSettings { transparency_log: Some(Requirement::NotRequired), ..domain(folder.path(), "corp") };
    assert!(matches!(Trust::load(&[settings], &[]).unwrap_err(), TrustError::Lacks { .. }));
}

#[test]
fn an_unsupported_key_in_a_root_is_left_out_loudly() {
    let folder = folder();
    write_root(folder.path(), |root| root["tlogs"][0]["publicKey"]["rawBytes"] = "AQID".into());
    let trust = Trust::load(&[domain(folder.path(), "corp")], &[]).unwrap();
    assert_eq!(trust.warnings().len(), 1);
    assert!(trust.warnings()[0].starts_with("trust \"corp\": transparency log "), "{:?}", trust.warnings());
}

#[test]
fn settings_that_weaken_are_listed_as_warnings() {
    let folder = folder();
    let none = Some(Requirement::NotRequired);
    let domain =
        DomainSettings { transparency_log: none, certificate_timestamps: none, ..domain(folder.path(), "corp") };
    let key = KeySettings { without_log: WithoutLog::Allow, ..key(folder.path(), "release") };
    assert_eq!(Trust::load(&[domain], &[key]).unwrap().warnings().len(), 3);
}

#[test]
fn what_is_no_key_or_root_is_refused_by_name() {
    let folder = folder();
    for pem in ["", "no key", "-----BEGIN PUBLIC KEY-----\nAQID\n-----END PUBLIC KEY-----\n"] {
        fs::write(folder.path().join("key.pub"), pem).unwrap();
        let error = Trust::load(&[], &[key(folder.path(), "release")]).unwrap_err();
        assert!(matches!(error, TrustError::Key { ref name, .. } if name == "release"), "{error}");
    }
    fs::write(folder.path().join("root.json"), "{").unwrap();
    let error = Trust::load(&[domain(folder.path(), "corp")], &[]).unwrap_err();
    assert!(matches!(error, TrustError::Root { .. }), "{error}");
    fs::remove_file(folder.path().join("root.json")).unwrap();
    assert!(matches!(Trust::load(&[domain(folder.path(), "corp")], &[]).unwrap_err(), TrustError::File { .. }));
}

#[test]
fn one_key_under_two_names_is_refused() {
    let folder = folder();
    let error = Trust::load(&[], &[key(folder.path(), "release"), key(folder.path(), "backup")]).unwrap_err();
    assert_eq!(error.to_string(), "the keys \"release\" and \"backup\" are the same key: keep one of them");
}

#[test]
fn a_window_that_ends_before_it_starts_is_refused() {
    let folder = folder();
    let settings = KeySettings {
        not_before: "2027-01-01T00:00:00Z".parse().ok(),
        not_after: "2026-01-01T00:00:00Z".parse().ok(),
        ..key(folder.path(), "release")
    };
    assert!(matches!(Trust::load(&[], &[settings]).unwrap_err(), TrustError::Key { .. }));
}

#[test]
fn the_epoch_changes_with_every_root_rule_key_and_window_and_with_nothing_else() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("backup.pub"), ANOTHER_PEM).unwrap();
    let backup = KeySettings { path: path.join("backup.pub"), ..key(path, "backup") };
    let base = (vec![domain(path, "corp")], vec![key(path, "release"), backup]);
    let epoch = |(domains, keys): &(Vec<_>, Vec<_>)| Trust::load(domains, keys).unwrap().epoch();
    let first = epoch(&base);
    let mut reordered = base.clone();
    reordered.1.reverse();
    assert_eq!(epoch(&reordered), first);

    let changes: [fn(&mut Both); 7] = [
        |it| it.0[0].name = "other".into(),
        |it| it.0[0].transparency_log = Some(Requirement::NotRequired),
        |it| it.0[0].certificate_timestamps = Some(Requirement::NotRequired),
        |it| it.1[0].name = "other".into(),
        |it| it.1[0].not_after = "2027-01-01T00:00:00Z".parse().ok(),
        |it| it.1[0].not_before = "2027-01-01T00:00:00Z".parse().ok(),
        |it| it.1[0].without_log = WithoutLog::Allow,
    ];
    let mut seen = vec![first];
    for change in changes {
        let mut other = base.clone();
        change(&mut other);
        seen.push(epoch(&other));
    }
    write_root(path, |root| root["tlogs"][0]["baseUrl"] = "https://log.example".into());
    seen.push(epoch(&base));
    let distinct: std::collections::HashSet<_> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len());
}
