//! Records of malicious packages as they were published, with the verdicts that they are known to mean. Not run where the
//! corpus is not.

use bonafide::feeds;
use bonafide::policy::{Decision, ReasonCode};
use jiff::Timestamp;
use serde_json::Value;

use super::{compile, fed, judge, purls};
use crate::corpus;

#[test]
fn every_expected_verdict_on_a_package_url_is_reached() {
    let Some(corpus) = corpus::folder() else { return };
    let index: Value = serde_json::from_slice(&std::fs::read(corpus.join("osv/index.json")).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for record in index["records"].as_array().unwrap() {
        let path = corpus.join(record["file"].as_str().unwrap());
        std::os::unix::fs::symlink(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let policy = compile("deny_feed = 'feed'").unwrap();
    let now: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
    let feed = feeds::load(folder.path(), now).unwrap();
    assert_eq!((feed.records(), feed.warnings()), (6, &[][..]), "one of the seven is withdrawn");
    fed(&policy, feed);
    let mut seen = 0;
    for expectation in index["purl_expectations"].as_array().unwrap() {
        let (purl, expect) = (expectation["purl"].as_str().unwrap(), expectation["expect"].as_str().unwrap());
        let (decision, reason) = judge(&policy, &purls(&[purl]));
        // One that may be malicious is refused as well, and says why.
        let expected = if expect == "allow" { Decision::Admit } else { Decision::Refuse };
        assert_eq!(decision, expected, "{purl}: {} {reason:?}", expectation["why"]);
        assert!(reason.is_none_or(|reason| reason.code == ReasonCode::DeniedByFeed), "{purl}");
        seen += 1;
    }
    assert!(seen > 10, "only {seen} seen");
}
