//! Feeds: read from disk, and again when they change. A new entry bites without anything being proven again.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bonafide::clock::SystemClock;
use bonafide::config::{Config, Environment};
use bonafide::feeds::{FeedsError, Watch, load};
use bonafide::policy::{Decision, Feed, Policy, ReasonCode};
use jiff::Timestamp;
use prometheus::{Registry, TextEncoder};
use serde_json::json;

use super::{assert_admitted, assert_denied, compile, judge, proof, purls};

fn record(id: &str, name: &str, versions: &[&str]) -> String {
    let package = json!({"ecosystem": "npm", "name": name});
    json!({"id": id, "affected": [{"package": package, "versions": versions}]}).to_string()
}

fn policy_with(feed: &Path) -> Arc<Policy> {
    Arc::new(compile(&format!("deny_feed = '{}'", feed.display())).unwrap())
}

async fn watch(policy: &Arc<Policy>) -> (Watch, Registry) {
    let registry = Registry::new();
    let watch = Watch::new(Arc::new(SystemClock), &registry).unwrap();
    watch.fill(policy).await.unwrap();
    (watch, registry)
}

fn metrics(registry: &Registry) -> String {
    TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
}

#[tokio::test]
async fn a_new_entry_in_a_feed_bites_on_the_next_request_with_the_same_proof() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feed.jsonl");
    fs::write(&path, record("MAL-1", "other", &["1.0.0"])).unwrap();
    let (policy, proof) = (policy_with(&path), purls(&["pkg:npm/axios@1.14.1"]));
    let (watch, registry) = watch(&policy).await;
    assert_admitted(&policy, &proof);
    let both = format!("{}\n{}\n", record("MAL-1", "other", &["1.0.0"]), record("MAL-2", "axios", &["1.14.1"]));
    fs::write(&path, both).unwrap();
    watch.look(&policy).await;
    let text = "contains the denied package pkg:npm/axios@1.14.1 (MAL-2)";
    assert_denied(&policy, &proof, ReasonCode::DeniedByFeed, text);
    let metrics = metrics(&registry);
    assert!(metrics.contains("bonafide_feed_reads_total{outcome=\"read\"} 2"), "{metrics}");
    assert!(metrics.contains("bonafide_feed_packages 2"), "{metrics}");
}

#[tokio::test]
async fn files_that_come_into_a_folder_or_leave_it_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (policy, proof) = (policy_with(folder.path()), purls(&["pkg:npm/axios@1.14.1"]));
    fs::write(folder.path().join("MAL-1.json"), record("MAL-1", "other", &["1.0.0"])).unwrap();
    let (watch, _) = watch(&policy).await;
    assert_admitted(&policy, &proof);
    let inner = folder.path().join("npm/axios");
    fs::create_dir_all(&inner).unwrap();
    fs::write(inner.join("MAL-2.json"), record("MAL-2", "axios", &["1.14.1"])).unwrap();
    watch.look(&policy).await;
    assert_eq!(judge(&policy, &proof).0, Decision::Refuse);
    fs::remove_file(inner.join("MAL-2.json")).unwrap();
    watch.look(&policy).await;
    assert_admitted(&policy, &proof);
}

#[tokio::test]
async fn a_feed_that_cannot_be_read_any_more_still_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feed.json");
    fs::write(&path, record("MAL-2", "axios", &["1.14.1"])).unwrap();
    let (policy, proof) = (policy_with(&path), purls(&["pkg:npm/axios@1.14.1"]));
    let (watch, registry) = watch(&policy).await;
    for broken in ["{", ""] {
        if broken.is_empty() {
            fs::remove_file(&path).unwrap();
        } else {
            fs::write(&path, broken).unwrap();
        }
        watch.look(&policy).await;
        watch.look(&policy).await;
        assert_eq!(judge(&policy, &proof).0, Decision::Refuse);
    }
    let metrics = metrics(&registry);
    assert!(metrics.contains("bonafide_feed_reads_total{outcome=\"failed\"} 2"), "once for each change: {metrics}");
    assert!(metrics.contains("bonafide_feed_packages 1"), "{metrics}");
}

#[tokio::test]
async fn a_folder_in_which_a_file_breaks_stays_as_it_was_until_it_is_whole_again() {
    let folder = tempfile::tempdir().unwrap();
    let (axios, other) = (folder.path().join("axios.json"), folder.path().join("other.json"));
    fs::write(&axios, record("MAL-2", "axios", &["1.14.1"])).unwrap();
    fs::write(&other, record("MAL-1", "other", &["1.0.0"])).unwrap();
    let (policy, proof) = (policy_with(folder.path()), purls(&["pkg:npm/axios@1.14.1"]));
    let (watch, registry) = watch(&policy).await;
    fs::write(&axios, "{").unwrap();
    watch.look(&policy).await;
    assert_eq!(judge(&policy, &proof).0, Decision::Refuse);
    let metrics = metrics(&registry);
    assert!(metrics.contains("bonafide_feed_reads_total{outcome=\"failed\"} 1"), "{metrics}");
    fs::write(&axios, record("MAL-2", "axios", &["0.0.1"])).unwrap();
    watch.look(&policy).await;
    assert_admitted(&policy, &proof);
}

#[tokio::test]
async fn a_folder_that_is_suddenly_empty_lifts_no_denial() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("axios.json");
    fs::write(&path, record("MAL-2", "axios", &["1.14.1"])).unwrap();
    let (policy, proof) = (policy_with(folder.path()), purls(&["pkg:npm/axios@1.14.1"]));
    let (watch, registry) = watch(&policy).await;
    fs::remove_file(&path).unwrap();
    watch.look(&policy).await;
    assert_eq!(judge(&policy, &proof).0, Decision::Refuse);
    let metrics = metrics(&registry);
    assert!(metrics.contains("bonafide_feed_reads_total{outcome=\"failed\"} 1"), "{metrics}");
}

#[tokio::test]
async fn a_file_that_never_could_be_read_keeps_no_other_from_being_read_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("other.json"), record("MAL-1", "other", &["1.0.0"])).unwrap();
    fs::write(folder.path().join("broken.json"), "{").unwrap();
    let (policy, proof) = (policy_with(folder.path()), purls(&["pkg:npm/axios@1.14.1"]));
    let (watch, _) = watch(&policy).await;
    fs::write(folder.path().join("axios.json"), record("MAL-2", "axios", &["1.14.1"])).unwrap();
    watch.look(&policy).await;
    assert_eq!(judge(&policy, &proof).0, Decision::Refuse);
}

#[tokio::test]
async fn a_feed_that_has_not_changed_is_not_read_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json"), record("MAL-2", "axios", &["1.14.1"])).unwrap();
    let policy = policy_with(folder.path());
    let (watch, registry) = watch(&policy).await;
    watch.look(&policy).await;
    assert!(metrics(&registry).contains("bonafide_feed_reads_total{outcome=\"read\"} 1"));
}

#[test]
fn a_rule_whose_feed_was_not_read_decides_nothing() {
    let policy = policy_with(Path::new("/nowhere/feed.json"));
    let (decision, reason) = judge(&policy, &purls(&["pkg:npm/axios@1.14.1"]));
    assert_eq!((decision, reason.unwrap().code), (Decision::Undecided, ReasonCode::Unavailable));
}

#[test]
fn what_a_line_denies_is_denied_whether_the_feed_was_read_or_not() {
    let policy = compile("deny_packages = ['pkg:npm/axios']\ndeny_feed = '/nowhere/feed.json'").unwrap();
    assert_eq!(judge(&policy, &purls(&["pkg:npm/axios@1.14.1"])).0, Decision::Refuse);
}

#[test]
fn in_a_folder_the_broken_file_is_told_and_the_others_count() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json"), record("MAL-1", "a", &["1.0.0"])).unwrap();
    fs::write(folder.path().join("b.json"), "{").unwrap();
    fs::write(folder.path().join("README.md"), "no record").unwrap();
    fs::create_dir(folder.path().join("..2026_hidden")).unwrap();
    fs::write(folder.path().join("..2026_hidden/c.json"), "{").unwrap();
    let feed = load(folder.path(), Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!((feed.records(), feed.warnings().len()), (1, 1));
    assert!(feed.warnings()[0].contains("b.json"), "{:?}", feed.warnings());
    fs::remove_file(folder.path().join("a.json")).unwrap();
    assert!(matches!(load(folder.path(), Timestamp::UNIX_EPOCH), Err(FeedsError::Malformed { .. })));
}

#[test]
fn a_feed_of_one_file_is_read_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feed.json");
    fs::write(&path, format!("{}\n{{", record("MAL-1", "a", &["1.0.0"]))).unwrap();
    assert!(matches!(load(&path, Timestamp::UNIX_EPOCH), Err(FeedsError::Malformed { .. })));
    assert!(matches!(load(&folder.path().join("none"), Timestamp::UNIX_EPOCH), Err(FeedsError::Read { .. })));
}

#[test]
fn a_package_without_a_url_is_in_no_feed_unless_something_stands_in_its_place() {
    let policy = compile("deny_feed = 'feed'").unwrap();
    let mut feed = Feed::default();
    feed.read(record("MAL-1", "app", &["1.0.0"]).as_bytes(), Timestamp::UNIX_EPOCH).unwrap();
    super::fed(&policy, feed);
    assert_admitted(&policy, &proof(&json!([{"name": "app", "version": "1.0.0"}])));
    let unread = proof(&json!([{"name": "app", "version": "1.0.0", "purl": "npm/app@1.0.0"}]));
    assert_eq!(judge(&policy, &unread).0, Decision::Refuse);
}

#[test]
fn a_feed_that_is_not_there_is_an_error_of_the_configuration_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bonafide.toml");
    let feed = |name: &str| {
        let lines = "issuer = 'i'\nsubject = 's'";
        format!(
            "[[rule]]\nname = 'r'\nimages = ['ghcr.io/**']\n[[rule.signature]]\n{lines}\n[rule.sbom]\ndeny_feed = '{name}'\n"
        )
    };
    fs::write(&path, feed("none.json")).unwrap();
    let error = Config::load(Some(&path), &Environment::default()).unwrap_err().to_string();
    assert!(error.contains("bonafide.toml:8") && error.contains("none.json"), "{error}");
    fs::create_dir(folder.path().join("feed")).unwrap();
    fs::write(&path, feed("feed")).unwrap();
    let config = Config::load(Some(&path), &Environment::default()).unwrap();
    assert_eq!(config.policy.feeds().into_iter().collect::<Vec<_>>(), [folder.path().join("feed")]);
}

#[tokio::test]
async fn rules_that_take_the_place_of_others_have_their_feeds_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feed.json");
    fs::write(&path, record("MAL-2", "axios", &["1.14.1"])).unwrap();
    let (watch, registry) = watch(&policy_with(&path)).await;
    let (policy, proof) = (policy_with(&path), purls(&["pkg:npm/axios@1.14.1"]));
    watch.fill(&policy).await.unwrap();
    assert_eq!(judge(&policy, &proof).0, Decision::Refuse);
    assert!(
        metrics(&registry).contains("bonafide_feed_reads_total{outcome=\"read\"} 1"),
        "what is known is not read again"
    );
    let broken = policy_with(&folder.path().join("none.json"));
    assert!(watch.fill(&broken).await.is_err());
}

#[tokio::test]
async fn a_look_by_the_rules_before_does_not_keep_the_feeds_of_the_new_ones_from_being_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feed.json");
    fs::write(&path, record("MAL-1", "other", &["1.0.0"])).unwrap();
    let before = Arc::new(compile("deny_packages = ['pkg:npm/none']").unwrap());
    let (watch, _) = watch(&before).await;
    let (policy, proof) = (policy_with(&path), purls(&["pkg:npm/axios@1.14.1"]));
    watch.fill(&policy).await.unwrap();
    // The new rules do not count yet.
    watch.look(&before).await;
    assert_admitted(&policy, &proof);
    fs::write(&path, record("MAL-2", "axios", &["1.14.1"])).unwrap();
    watch.look(&policy).await;
    assert_eq!(judge(&policy, &proof).0, Decision::Refuse);
}
