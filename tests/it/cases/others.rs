//! Cases whose verdict depends on other images: base images, images of an index, what was last admitted for a tag.

use std::fs;

use bonafide::oci::Digest;
use http::StatusCode;
use serde_json::{Value, json};

use crate::cli::{Setup, code, run, stderr, stdout};
use crate::gate::bases::{BASE, RULES, material};
use crate::gate::bases_of_sboms::url;
use crate::hostile::{ISSUER, REPOSITORY, RULE, TAG, World};
use crate::support::authority::identity::Identity;
use crate::support::authority::image::Image;
use crate::support::mirror::world;

const ASKED: &str = "acme/app:v1";

/// The configuration of `setup` with `rules`, for the registry of `world`.
fn configure(setup: &Setup, of: &World, rules: &str) {
    let world = world(&of.registry).replace("default = true", "default = true\ntag_ttl = \"0s\"");
    let head = "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[storage]\npath = \"state\"\n";
    fs::write(setup.path("bonafide.toml"), format!("{head}{world}{rules}")).unwrap();
    of.authority.trusted_root().write_to(&setup.path(""));
}

/// What is recorded of the app by `rules`, once the registry and all storage are gone.
async fn recorded(of: World, rules: &str) -> (World, Setup) {
    let setup = Setup::new("");
    configure(&setup, &of, rules);
    recorded_in(of, setup).await
}

async fn recorded_in(of: World, setup: Setup) -> (World, Setup) {
    let (output, setup) = run(setup, &["inspect", "--record", "cases", ASKED]).await;
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(stderr(&output).contains("are recorded in cases"), "{output:?}");
    of.registry.forget_requests();
    fs::remove_dir_all(setup.path("state")).unwrap();
    (of, setup)
}

/// Holds the rules against one case about what was recorded.
async fn decides(of: &World, setup: Setup, rules: &str, expected: &str) -> Setup {
    configure(&setup, of, rules);
    fs::write(setup.path("cases/cases.toml"), format!("[[case]]\nname = 'a'\nfacts = 'facts.json'\n{expected}"))
        .unwrap();
    let (output, setup) = run(setup, &["policy", "test", "cases"]).await;
    assert_eq!(code(&output), 0, "{expected}\n{}{}", stdout(&output), stderr(&output));
    assert!(of.registry.requests().is_empty() && !setup.path("state").exists(), "it asks nobody and keeps nothing");
    setup
}

fn case(setup: &Setup) -> String {
    fs::read_to_string(setup.path("cases/cases.toml")).unwrap()
}

/// Changes what is recorded.
fn edit(setup: &Setup, change: impl FnOnce(&mut Value)) {
    let mut facts: Value = serde_json::from_slice(&fs::read(setup.path("cases/facts.json")).unwrap()).unwrap();
    change(&mut facts);
    fs::write(setup.path("cases/facts.json"), facts.to_string()).unwrap();
}

const BUILT: &str = "decision = 'admit'\nrule = 'built'\n";
const UNPROVEN: &str = "decision = 'refuse'\nrule = 'built'\nreasons = ['base-image-unproven']\n";

#[tokio::test]
async fn base_images_are_recorded_and_decided_by_their_own_rules() {
    let of = World::with_rule(RULES).await;
    let base = of.base().digest();
    let runtime = of.built("platform/runtime", &Image::new("runtime"), &[material("alpine", base)]);
    of.built(REPOSITORY, &Image::new("app"), &[material("platform/runtime", runtime)]);
    assert_eq!(of.manifest(TAG).await.status, StatusCode::OK);
    let (of, setup) = recorded(of, RULES).await;
    assert!(case(&setup).contains("decision = \"admit\"\nrule = \"built\""), "{}", case(&setup));
    let setup = decides(&of, setup, RULES, BUILT).await;
    let setup = decides(&of, setup, &format!("{RULES}\n[revoked]\ndigests = ['{base}']\n"), UNPROVEN).await;
    let stranger = RULES.replace("dev@acme.example", "eve@acme.example");
    let setup = decides(&of, setup, &stranger, UNPROVEN).await;
    // What is not recorded may be admitted or not.
    edit(&setup, |facts| facts["others"].as_array_mut().unwrap().retain(|other| other["digest"] != json!(base)));
    let _ = decides(&of, setup, RULES, "decision = 'undecided'\nreasons = ['unavailable']\n").await;
}

#[tokio::test]
async fn base_images_of_bills_of_materials_are_recorded_too() {
    let of = World::with_rule(RULES).await;
    let base = of.base().digest();
    let app = Image::new("app");
    of.built(REPOSITORY, &app, &[]);
    let ci = of.authority.keyless(&Identity::email("ci@acme.example", ISSUER));
    of.listed(REPOSITORY, &app, &ci, &[url(BASE, base)]);
    assert_eq!(of.manifest(TAG).await.status, StatusCode::OK);
    let (of, setup) = recorded(of, RULES).await;
    let setup = decides(&of, setup, RULES, BUILT).await;
    let setup = decides(&of, setup, &format!("{RULES}\n[revoked]\ndigests = ['{base}']\n"), UNPROVEN).await;
    edit(&setup, |facts| facts["others"].as_array_mut().unwrap().retain(|other| other["digest"] != json!(base)));
    let _ = decides(&of, setup, RULES, "decision = 'undecided'\nreasons = ['unavailable']\n").await;
}

#[tokio::test]
async fn a_base_image_that_is_refused_or_nowhere_is_recorded_as_such() {
    let unsigned = Image::new("unsigned");
    for digest in [unsigned.digest(), Digest::of(b"nowhere")] {
        let of = World::with_rule(RULES).await;
        of.publish_in(BASE, |publisher| publisher.image("3.20", &unsigned));
        of.built(REPOSITORY, &Image::new("app"), &[material("alpine", digest)]);
        assert_eq!(of.manifest(TAG).await.status, StatusCode::FORBIDDEN);
        let (of, setup) = recorded(of, RULES).await;
        assert!(case(&setup).contains("reasons = [\"base-image-unproven\"]"), "{}", case(&setup));
        let setup = decides(&of, setup, RULES, UNPROVEN).await;
        let _ = decides(&of, setup, &RULES.replace("base_images = \"judge\"", ""), BUILT).await;
    }
}

#[tokio::test]
async fn images_of_an_index_are_recorded_and_decided_each_by_itself() {
    let rule = RULE.replace("[[rule.signature]]", "index = \"children\"\n[[rule.signature]]");
    let of = World::with_rule(&rule).await;
    let index = Image::multi_platform("app");
    of.publish(|publisher| publisher.image(TAG, &index));
    of.sign(index.children[0].digest());
    assert_eq!(of.manifest(TAG).await.status, StatusCode::OK);
    let (of, setup) = recorded(of, &rule).await;
    let setup = decides(&of, setup, &rule, "decision = 'admit'\nrule = 'signed'\n").await;
    let setup = decides(&of, setup, RULE, "decision = 'refuse'\nreasons = ['missing']\n").await;
    let revoked = format!("{rule}\n[revoked]\ndigests = ['{}']\n", index.children[0].digest());
    let setup = decides(&of, setup, &revoked, "decision = 'refuse'\nreasons = ['revoked']\n").await;
    edit(&setup, |facts| drop(facts.as_object_mut().unwrap().remove("images")));
    let _ = decides(&of, setup, &rule, "decision = 'undecided'\n").await;
}

#[tokio::test]
async fn what_was_last_admitted_is_recorded_and_decided_again() {
    let rule = RULE.replace("[[rule.signature]]", "on_unproven_update = \"last-admitted\"\n[[rule.signature]]");
    let of = World::with_rule(&rule).await;
    let last = of.signed(&Image::new("proven"));
    let setup = Setup::new("");
    configure(&setup, &of, &rule);
    let (output, setup) = run(setup, &["verify", ASKED]).await;
    assert_eq!(code(&output), 0, "{output:?}");
    of.publish(|publisher| publisher.image(TAG, &Image::new("unproven")));
    let (of, setup) = recorded_in(of, setup).await;
    assert!(case(&setup).contains(&format!("decision = \"admit\"\nrule = \"signed\"\ndigest = \"{last}\"")));
    let kept = format!("decision = 'admit'\nrule = 'signed'\ndigest = '{last}'\n");
    let setup = decides(&of, setup, &rule, &kept).await;
    let setup = decides(&of, setup, RULE, "decision = 'refuse'\nreasons = ['missing']\n").await;
    let revoked = format!("{rule}\n[revoked]\ndigests = ['{last}']\n");
    let setup = decides(&of, setup, &revoked, "decision = 'refuse'\nreasons = ['missing']\n").await;
    // Under another tag nothing was admitted.
    let other = format!("image = 'docker.io/{REPOSITORY}:v2'\ndecision = 'refuse'\n");
    let setup = decides(&of, setup, &rule, &other).await;
    fs::write(
        setup.path("cases/cases.toml"),
        format!(
            "[[case]]\nname = 'a'\nfacts = 'facts.json'\ndecision = 'admit'\ndigest = '{}'\n",
            Digest::of(b"other")
        ),
    )
    .unwrap();
    let (output, _) = run(setup, &["policy", "test", "cases"]).await;
    assert!(code(&output) == 1 && stdout(&output).contains(&format!("admit by signed of {last}")), "{output:?}");
}
