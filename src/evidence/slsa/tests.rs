use serde_json::{Value, json};

use super::*;
use crate::evidence::{Malformed, Provenance};

const COMMIT: &str = "4d329c75e7ec1725f7c9ce917a8799d408d06be3";

fn origin(source: &str, reference: Option<&str>) -> Origin {
    Origin { source: Some(source.into()), reference: reference.map(Into::into), commit: None }
}

#[test]
fn a_source_is_named_without_its_decoration() {
    for (uri, source, reference) in [
        ("git+https://github.com/acme/app@refs/tags/v1", "https://github.com/acme/app", Some("refs/tags/v1")),
        (
            "git+https://github.com/acme/app.git@refs/heads/a@b/c",
            "https://github.com/acme/app",
            Some("refs/heads/a@b/c"),
        ),
        ("https://github.com/acme/app", "https://github.com/acme/app", None),
        ("https://github.com/acme/app.git/", "https://github.com/acme/app", None),
        ("https://github.com/acme/app.git#refs/tags/v1:folder", "https://github.com/acme/app", Some("refs/tags/v1")),
        ("https://github.com/acme/app.git#", "https://github.com/acme/app", None),
        ("git+ssh://git@github.com/acme/app@main", "ssh://git@github.com/acme/app", Some("main")),
        ("https://a/b@v1", "https://a/b", Some("v1")),
        ("github.com/acme/app@main", "github.com/acme/app", Some("main")),
        ("git@github.com:acme/app.git", "git@github.com:acme/app", None),
    ] {
        assert_eq!(Origin::of(uri), origin(source, reference), "{uri}");
    }
    assert_eq!(Origin::of(""), Origin::default());
}

#[test]
fn a_user_name_that_looks_like_a_source_stays_a_user_name() {
    let read = Origin::of("git+https://github.com@evil.example/acme/app");
    assert_eq!(read, origin("https://github.com@evil.example/acme/app", None));
}

fn container() -> Value {
    json!({
        "builder": {"id": "https://github.com/acme/builder/.github/workflows/container.yml@refs/tags/v2.1.0"},
        "buildType": "https://github.com/slsa-framework/slsa-github-generator/container@v1",
        "invocation": {
            "configSource": {
                "uri": "git+https://github.com/acme/app@refs/heads/main",
                "digest": {"sha1": COMMIT},
                "entryPoint": ".github/workflows/release.yml",
            },
            "environment": {"github_event_payload": {"inputs": {"level": "info", "dry": true, "none": null}}},
        },
        "metadata": {"buildInvocationID": "13531731005-1", "completeness": {"parameters": true}},
        "materials": [{"uri": "git+https://github.com/acme/app@refs/heads/main", "digest": {"sha1": COMMIT}}, {}],
    })
}

fn v0_2(predicate: &Value) -> Provenance {
    v0_2::read(&predicate.to_string()).unwrap()
}

#[test]
fn provenance_v0_2_says_what_was_built() {
    let read = v0_2(&container());
    assert_eq!(read.builder_id, container()["builder"]["id"]);
    assert_eq!(read.build_type, container()["buildType"]);
    assert_eq!(read.source.as_deref(), Some("https://github.com/acme/app"));
    assert_eq!(read.source_ref.as_deref(), Some("refs/heads/main"));
    assert_eq!(read.source_branch.as_deref(), Some("main"));
    assert_eq!(read.source_commit.as_deref(), Some(COMMIT));
    assert_eq!(read.workflow.as_deref(), Some(".github/workflows/release.yml"));
    assert_eq!(read.workflow_inputs, [("dry".into(), "true".into()), ("level".into(), "info".into())].into());
    assert_eq!(read.invocation.as_deref(), Some("13531731005-1"));
    assert_eq!(read.dependencies.len(), 2);
    assert_eq!(read.dependencies[0].digests, [format!("sha1:{COMMIT}")]);
}

#[test]
fn what_cosign_drops_from_a_v0_2_predicate_is_absent() {
    let read = v0_2(&json!({"builder": {"id": "b"}, "invocation": {"configSource": {}}}));
    assert_eq!((read.builder_id.as_str(), read.build_type.as_str()), ("b", ""));
    assert_eq!((read.source, read.source_ref, read.source_commit, read.workflow), (None, None, None, None));
    assert_eq!((read.source_branch, read.invocation), (None, None));
    assert!(read.workflow_inputs.is_empty() && read.dependencies.is_empty());
}

#[test]
fn a_tag_was_pushed_from_the_branch_that_the_event_names() {
    let mut predicate = container();
    predicate["invocation"]["configSource"]["uri"] = json!("git+https://github.com/acme/app@refs/tags/v1");
    assert_eq!(v0_2(&predicate).source_branch, None);
    predicate["invocation"]["environment"]["github_event_payload"]["base_ref"] = json!("refs/heads/release");
    assert_eq!(v0_2(&predicate).source_branch.as_deref(), Some("release"));
    assert_eq!(v0_2(&predicate).source_ref.as_deref(), Some("refs/tags/v1"));
}

#[test]
fn the_event_does_not_say_which_branch_a_branch_is() {
    let mut predicate = container();
    predicate["invocation"]["environment"]["github_event_payload"]["base_ref"] = json!("refs/heads/release");
    assert_eq!(v0_2(&predicate).source_branch.as_deref(), Some("main"));
}

#[test]
fn an_environment_of_unknown_shape_is_absent() {
    for environment in [json!("text"), json!([1]), json!({"github_event_payload": "text"})] {
        let mut predicate = container();
        predicate["invocation"]["environment"] = environment;
        assert!(v0_2(&predicate).workflow_inputs.is_empty());
    }
}

#[test]
fn a_commit_is_a_git_object_name() {
    for (commit, read) in
        [(COMMIT.to_uppercase(), Some(COMMIT.to_owned())), ("main".into(), None), ("0".repeat(41), None)]
    {
        let mut predicate = container();
        predicate["invocation"]["configSource"]["digest"]["sha1"] = json!(commit);
        assert_eq!(v0_2(&predicate).source_commit, read);
    }
}

fn workflow() -> Value {
    json!({
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {"workflow": {
                "ref": "refs/heads/main",
                "repository": "https://github.com/acme/app",
                "path": ".github/workflows/release.yml",
            }},
            "internalParameters": {"github": {"event_name": "push"}},
            "resolvedDependencies": [
                {"uri": "git+https://github.com/other/thing@refs/heads/main", "digest": {"gitCommit": "0".repeat(40)}},
                {"uri": "git+https://github.com/acme/app@refs/heads/main", "digest": {"gitCommit": COMMIT}},
            ],
        },
        "runDetails": {
            "builder": {"id": "https://github.com/actions/runner/github-hosted"},
            "metadata": {"invocationId": "https://github.com/acme/app/actions/runs/1/attempts/1"},
        },
    })
}

fn v1(predicate: &Value) -> Provenance {
    v1::read(&predicate.to_string()).unwrap()
}

#[test]
fn provenance_v1_of_a_github_workflow_says_what_was_built() {
    let read = v1(&workflow());
    assert_eq!(read.builder_id, "https://github.com/actions/runner/github-hosted");
    assert_eq!(read.build_type, "https://actions.github.io/buildtypes/workflow/v1");
    assert_eq!(read.source.as_deref(), Some("https://github.com/acme/app"));
    assert_eq!(read.source_ref.as_deref(), Some("refs/heads/main"));
    assert_eq!(read.source_branch.as_deref(), Some("main"));
    assert_eq!(read.workflow.as_deref(), Some(".github/workflows/release.yml"));
    assert_eq!(read.invocation.as_deref(), Some("https://github.com/acme/app/actions/runs/1/attempts/1"));
    assert_eq!(read.dependencies.len(), 2);
}

#[test]
fn the_commit_is_that_of_the_source_and_of_no_other_dependency() {
    assert_eq!(v1(&workflow()).source_commit.as_deref(), Some(COMMIT));
    for uri in ["git+https://github.com/acme/app@refs/heads/other", "git+https://github.com/acme/fork@refs/heads/main"]
    {
        let mut predicate = workflow();
        predicate["buildDefinition"]["resolvedDependencies"][1]["uri"] = json!(uri);
        assert_eq!(v1(&predicate).source_commit, None);
    }
}

#[test]
fn both_spellings_of_the_invocation_are_read() {
    let mut predicate = workflow();
    predicate["runDetails"]["metadata"] = json!({"invocationID": "run", "startedOn": "2025-01-01T00:00:00Z"});
    assert_eq!(v1(&predicate).invocation.as_deref(), Some("run"));
    predicate["runDetails"].as_object_mut().unwrap().remove("metadata");
    assert_eq!(v1(&predicate).invocation, None);
}

#[test]
fn a_container_based_build_names_its_source_as_an_object_or_as_text() {
    let uri = "git+https://github.com/acme/app@refs/heads/main";
    let mut predicate = workflow();
    for source in [json!({"uri": uri, "digest": {"sha1": COMMIT}}), json!({"uri": uri}), json!(uri)] {
        predicate["buildDefinition"]["externalParameters"] = json!({"source": source, "configPath": "build.toml"});
        let read = v1(&predicate);
        assert_eq!(read.source.as_deref(), Some("https://github.com/acme/app"));
        assert_eq!(read.source_ref.as_deref(), Some("refs/heads/main"));
        assert_eq!(read.source_commit.as_deref(), Some(COMMIT));
        assert_eq!(read.workflow, None);
    }
}

#[test]
fn a_delegated_build_has_its_source_as_first_dependency() {
    let mut predicate = workflow();
    predicate["buildDefinition"]["externalParameters"] = json!({"inputs": {"artifact": "app"}, "vars": {}});
    predicate["buildDefinition"]["internalParameters"] =
        json!({"GITHUB_EVENT_PAYLOAD": {"base_ref": "refs/heads/main"}, "GITHUB_RUN_ID": 7});
    let dependencies =
        json!([{"uri": "git+https://github.com/acme/app@refs/tags/v1", "digest": {"gitCommit": COMMIT}}]);
    predicate["buildDefinition"]["resolvedDependencies"] = dependencies;
    let read = v1(&predicate);
    assert_eq!(read.source.as_deref(), Some("https://github.com/acme/app"));
    assert_eq!(read.source_ref.as_deref(), Some("refs/tags/v1"));
    assert_eq!(read.source_branch.as_deref(), Some("main"));
    assert_eq!(read.source_commit.as_deref(), Some(COMMIT));
    assert_eq!(read.workflow_inputs, [("artifact".into(), "app".into())].into());
}

#[test]
fn google_cloud_build_and_buildkit_name_their_source() {
    let mut predicate = workflow();
    let source =
        json!({"ref": "refs/heads/main", "repository": "git+https://github.com/acme/app", "path": "cloudbuild.yaml"});
    predicate["buildDefinition"]["externalParameters"] = json!({"buildConfigSource": source});
    let read = v1(&predicate);
    assert_eq!(
        (read.source.as_deref(), read.workflow.as_deref()),
        (Some("https://github.com/acme/app"), Some("cloudbuild.yaml"))
    );
    let source = json!({"uri": "https://github.com/acme/app.git#refs/tags/v1", "digest": {"sha1": COMMIT}});
    predicate["buildDefinition"]["externalParameters"] = json!({"configSource": source});
    let read = v1(&predicate);
    assert_eq!(read.source.as_deref(), Some("https://github.com/acme/app"));
    assert_eq!(read.source_ref.as_deref(), Some("refs/tags/v1"));
    assert_eq!(read.source_commit.as_deref(), Some(COMMIT));
}

#[test]
fn a_first_dependency_that_is_no_repository_is_no_source() {
    let mut predicate = workflow();
    predicate["buildDefinition"]["externalParameters"] = json!({});
    predicate["buildDefinition"]["resolvedDependencies"] = json!([{"uri": "pkg:npm/axios@1.14.1"}]);
    assert_eq!(v1(&predicate).source, None);
}

#[test]
fn a_provenance_without_a_builder_is_malformed() {
    for json in ["{}", "null", r#"{"builder":{}}"#, r#"{"builder":{"id":1}}"#] {
        assert!(matches!(v0_2::read(json), Err(Malformed::Json(_))), "{json}");
    }
    for json in ["{}", r#"{"buildDefinition":{}}"#, r#"{"buildDefinition":{},"runDetails":{}}"#] {
        assert!(matches!(v1::read(json), Err(Malformed::Json(_))), "{json}");
    }
}

#[test]
fn dependencies_are_bounded() {
    let many = json!(vec![json!({}); DEPENDENCIES + 1]);
    let mut predicate = container();
    predicate["materials"] = many.clone();
    assert!(matches!(v0_2::read(&predicate.to_string()), Err(Malformed::TooMuch { what: "materials", .. })));
    let mut predicate = workflow();
    predicate["buildDefinition"]["resolvedDependencies"] = many;
    assert!(matches!(v1::read(&predicate.to_string()), Err(Malformed::TooMuch { .. })));
}
