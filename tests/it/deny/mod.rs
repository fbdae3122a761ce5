//! What must not be in an image: packages, feeds, licences. One test for each way in which a line is written or missed.

mod corpus;
mod feed;
mod index;

use std::sync::Arc;

use bonafide::evidence::{Predicate, Statement};
use bonafide::oci::{Digest, Repository};
use bonafide::policy::{
    Decision, Feed, Known, Policy, PolicyError, PolicyProblem, RangeError, Reason, ReasonCode, Request, Settings,
};
use bonafide::verify::Proof;
use jiff::Timestamp;
use serde_json::{Value, json};

/// A rule over bills that the key signs, with `lines`.
fn rule(lines: &str) -> String {
    format!(
        "[[rule]]\nname = 'r'\nimages = ['docker.io/acme/*']\n[[rule.signature]]\nkey = 'release'\n[rule.sbom]\n{lines}\n"
    )
}

fn compile(lines: &str) -> Result<Policy, PolicyError> {
    let settings: Settings = toml::from_str(&rule(lines)).unwrap();
    Policy::new(&settings, &Known { trust: &|_| false, key: &|name| name == "release" })
}

/// A signature, and a bill of these components, as its generator wrote them.
fn proof(components: &Value) -> Proof {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://cyclonedx.org/bom",
        "predicate": {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components},
    });
    let Predicate::Sbom(sbom) = Statement::parse(statement.to_string().as_bytes()).unwrap().predicate else {
        panic!("no bill")
    };
    let facts = ["signature", "sbom"].map(|layer| {
        json!({
            "subject": digest(),
            "source": {"manifest": Digest::of(b"manifest"), "layer": Digest::of(layer.as_bytes())},
            "form": "bundle",
            "signer": {"key": {"name": "release"}},
            "signed_at": "2026-01-01T00:00:00Z",
            "log": "rekor-v1",
            "claim": if layer == "sbom" { json!({"sbom": sbom}) } else { json!("signature") },
        })
    });
    serde_json::from_value(json!({
        "subject": digest(), "facts": facts, "flaws": [], "coverage": "complete", "collected_at": "2026-01-01T00:00:00Z"
    }))
    .unwrap()
}

fn purls(purls: &[&str]) -> Proof {
    proof(&purls.iter().map(|purl| json!({"name": "p", "purl": purl})).collect())
}

fn digest() -> Digest {
    Digest::of(b"the image")
}

/// The decision, and the first reason if it is not to admit.
fn judge(policy: &Policy, proof: &Proof) -> (Decision, Option<Reason>) {
    let repository: Repository = "docker.io/acme/app".parse().unwrap();
    let request = Request { repository: &repository, tag: None, digest: digest() };
    let verdict = policy.judge(&request, Some(proof), Timestamp::UNIX_EPOCH);
    (verdict.decision, verdict.most_telling().map(|(_, reason)| reason.clone()))
}

fn assert_denied(policy: &Policy, proof: &Proof, code: ReasonCode, text: &str) {
    let (decision, reason) = judge(policy, proof);
    let reason = reason.unwrap_or_else(|| panic!("{text} is admitted"));
    assert_eq!((decision, reason.code, reason.text.as_str()), (Decision::Refuse, code, text));
}

fn assert_admitted(policy: &Policy, proof: &Proof) {
    assert_eq!(judge(policy, proof), (Decision::Admit, None));
}

/// Whether judging goes through a long bill for the first time.
fn takes_long(policy: &Policy, proof: &Proof) -> bool {
    let repository: Repository = "docker.io/acme/app".parse().unwrap();
    policy.takes_long(&Request { repository: &repository, tag: None, digest: digest() }, proof, Timestamp::UNIX_EPOCH)
}

#[test]
fn a_long_bill_takes_long_once() {
    let purls: Vec<_> = (0..=1000).map(|number| format!("pkg:npm/package-{number}@1.0.0")).collect();
    let components: Vec<_> = purls.iter().map(|purl| json!({"name": "p", "purl": purl})).collect();
    let (long, short) = (proof(&json!(components)), proof(&json!(components[..1000])));
    let policy = compile("deny_packages = ['pkg:npm/axios@1.14.1']\ndeny_feed = 'feed.json'").unwrap();
    let path = std::path::Path::new("feed.json");
    for feed in [Arc::new(Feed::default()), Arc::new(Feed::default())] {
        policy.replace_feed(path, &feed);
        assert!(takes_long(&policy, &long) && !takes_long(&policy, &short));
        assert_admitted(&policy, &long);
        assert!(!takes_long(&policy, &long));
    }
    assert!(!takes_long(&compile("signed_by = { key = 'release' }").unwrap(), &long), "nothing is denied");
}

#[test]
fn a_range_of_versions_is_denied_and_no_other_version() {
    let line = "pkg:npm/axios?vers=>=1.14.0|<1.14.2";
    let policy = compile(&format!("deny_packages = ['{line}']")).unwrap();
    for version in ["1.14.0", "1.14.1"] {
        let text = format!("contains the denied package pkg:npm/axios@{version} ({line})");
        assert_denied(&policy, &purls(&[&format!("pkg:npm/axios@{version}")]), ReasonCode::DeniedPackage, &text);
    }
    for version in ["1.13.9", "1.14.2", "1.14.10"] {
        assert_admitted(&policy, &purls(&[&format!("pkg:npm/axios@{version}")]));
    }
}

#[test]
fn a_range_may_be_written_as_the_standard_says() {
    let policy = compile("deny_packages = ['pkg:npm/axios?vers=vers%3Anpm%2F%3E%3D1.14.0%7C%3C1.14.2']").unwrap();
    assert_eq!(judge(&policy, &purls(&["pkg:npm/axios@1.14.1"])).0, Decision::Refuse);
    assert_admitted(&policy, &purls(&["pkg:npm/axios@1.14.2"]));
}

#[test]
fn what_cannot_be_compared_with_a_range_is_denied() {
    let policy = compile("deny_packages = ['pkg:npm/axios?vers=<1.14.2']").unwrap();
    for purl in ["pkg:npm/axios@latest", "pkg:npm/axios"] {
        let text = format!(
            "contains {purl}, whose version is not known or cannot be compared with the denied ones \
             (pkg:npm/axios?vers=<1.14.2)"
        );
        assert_denied(&policy, &purls(&[purl]), ReasonCode::DeniedPackage, &text);
    }
}

#[test]
fn however_a_generator_spells_a_package_it_is_denied() {
    let policy =
        compile("deny_packages = ['pkg:npm/%40acme/core@1.0.0', 'pkg:pypi/foo-bar', 'pkg:cargo/evil']").unwrap();
    for purl in [
        "pkg:npm/%40acme/core@1.0.0",
        "pkg:npm/@acme/core@1.0.0",
        "pkg:NPM/@Acme/Core@1.0.0",
        "PKG:npm/@acme/core@v1.0.0",
        "pkg://npm/%40acme%2Fcore@1.0.0",
        "pkg:npm/@acme/core@1.0.0?repository_url=https://npm.example#lib/x",
        "pkg:pypi/Foo_Bar@2.0",
        "pkg:pypi/foo.bar@2.0",
        "pkg:cargo/crates.io/evil@1.0.0",
    ] {
        assert_eq!(judge(&policy, &purls(&[purl])).0, Decision::Refuse, "{purl}");
    }
    for purl in ["pkg:npm/core@1.0.0", "pkg:npm/@acme/core@1.0.1", "pkg:npm/@acme/core-js@1.0.0", "pkg:gem/evil@1.0.0"]
    {
        assert_admitted(&policy, &purls(&[purl]));
    }
}

#[test]
fn a_package_without_a_url_is_told_by_its_name_and_version() {
    let policy = compile("deny_packages = ['pkg:npm/@acme/core@1.0.0']").unwrap();
    let text = "contains @acme/core 1.0.0, which has no package URL and the name of a denied package";
    for component in [
        json!({"group": "@acme", "name": "core", "version": "1.0.0"}),
        json!({"name": "@acme/core", "version": "1.0.0"}),
        json!({"name": "@acme/core", "version": "1.0.0", "purl": "acme core 1.0.0"}),
    ] {
        assert_denied(&policy, &proof(&json!([component])), ReasonCode::DeniedPackage, text);
    }
    assert_admitted(&policy, &proof(&json!([{"name": "@acme/core", "version": "1.0.1"}])));
    assert_admitted(&policy, &proof(&json!([{"name": "core", "version": "1.0.0"}])));
}

#[test]
fn a_denied_licence_is_told_with_the_package() {
    let policy = compile("deny_licenses = ['AGPL-3.0-only']").unwrap();
    let licensed = |licenses: Value| {
        proof(&json!([{"name": "a", "purl": "pkg:npm/a@1.0.0", "licenses": [{"license": {"id": "MIT"}}]},
            {"name": "b", "purl": "pkg:npm/b@1.0.0", "licenses": licenses}]))
    };
    let denied = licensed(json!([{"expression": "MIT AND AGPL-3.0-or-later"}]));
    let text = "contains pkg:npm/b@1.0.0 under the denied licence MIT AND AGPL-3.0-or-later";
    assert_denied(&policy, &denied, ReasonCode::DeniedLicense, text);
    assert_eq!(judge(&policy, &licensed(json!([{"license": {"id": "AGPL-3.0"}}]))).0, Decision::Refuse);
    for licenses in
        [json!([{"expression": "MIT OR AGPL-3.0-only"}]), json!([{"license": {"id": "GPL-3.0-only"}}]), json!([])]
    {
        assert_admitted(&policy, &licensed(licenses));
    }
}

#[test]
fn all_that_is_denied_is_told_up_to_a_bound() {
    let policy = compile("deny_packages = ['pkg:npm/a', 'pkg:npm/b']").unwrap();
    let repository: Repository = "docker.io/acme/app".parse().unwrap();
    let request = Request { repository: &repository, tag: None, digest: digest() };
    let told = |proof: &Proof| policy.judge(&request, Some(proof), Timestamp::UNIX_EPOCH).requirements[1].reasons.len();
    assert_eq!(told(&purls(&["pkg:npm/a@1.0.0", "pkg:npm/b@1.0.0", "pkg:npm/c@1.0.0"])), 2);
    let many: Vec<_> = (0..100).map(|number| format!("pkg:npm/a@{number}.0.0")).collect();
    assert_eq!(told(&purls(&many.iter().map(String::as_str).collect::<Vec<_>>())), 16);
}

#[test]
fn lines_that_deny_nothing_are_configuration_errors() {
    use PolicyProblem as P;
    let text = |text: &str| text.to_owned();
    for (lines, at, problem) in [
        (
            "deny_packages = ['axios']",
            "rule.0.sbom.deny_packages.0",
            P::PackageUrl { text: text("axios"), problem: text("it does not begin with pkg:") },
        ),
        (
            "deny_packages = ['pkg:npm/a', 'pkg:npm']",
            "rule.0.sbom.deny_packages.1",
            P::PackageUrl { text: text("pkg:npm"), problem: text("type or name is missing") },
        ),
        (
            "deny_packages = ['pkg:npm/a@1?vers=<2.0.0']",
            "rule.0.sbom.deny_packages.0",
            P::VersionAndRange(text("pkg:npm/a@1?vers=<2.0.0")),
        ),
        (
            "deny_packages = ['pkg:generic/a?vers=<2']",
            "rule.0.sbom.deny_packages.0",
            P::Versions { text: text("pkg:generic/a?vers=<2"), problem: RangeError::Type(text("generic")) },
        ),
        (
            "deny_licenses = ['MIT', 'AGPL']",
            "rule.0.sbom.deny_licenses.1",
            P::License { text: text("AGPL"), meant: text("AGPL-3.0-only, AGPL-1.0-only, AGPL-1.0-or-later") },
        ),
    ] {
        let error = compile(lines).unwrap_err();
        assert_eq!(error, PolicyError { at: text(at), problem }, "{lines}");
    }
    let error = compile("deny_licenses = ['AGPL']").unwrap_err().to_string();
    assert!(error.ends_with("did you mean AGPL-3.0-only, AGPL-1.0-only, AGPL-1.0-or-later?"), "{error}");
}

#[test]
fn what_was_found_once_is_found_again_and_nothing_else() {
    let policy = compile("deny_packages = ['pkg:npm/a']").unwrap();
    let (denied, other) = (purls(&["pkg:npm/a@1.0.0"]), purls(&["pkg:npm/b@1.0.0"]));
    for _ in 0..3 {
        assert_eq!(judge(&policy, &denied).0, Decision::Refuse);
        assert_admitted(&policy, &other);
        assert_eq!(judge(&policy, &purls(&["pkg:npm/a@2.0.0"])).0, Decision::Refuse);
    }
}

fn fed(policy: &Policy, feed: Feed) {
    let path = policy.feeds().into_iter().next().unwrap().to_owned();
    policy.replace_feed(&path, &Arc::new(feed));
}
