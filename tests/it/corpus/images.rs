//! Every image of the corpus, pulled: its evidence at an upstream, the demand of each check as a rule, and the mirror
//! between them.

use bonafide::oci::{Digest, Manifest, digest_of, parse_manifest};
use bonafide::trust::{DomainSettings, KeySettings, Requirement, WithoutLog};
use http::StatusCode;

use super::demand::{self, OF_THE_CASE};
use super::index::{Demand, Scope};
use super::layout::Layout;
use super::{Case, Check, Index, Miss, Outcome, conclude, folder};
use crate::support::mirror::{Answer, Mirror};
use crate::support::registry::{Referrers, Registry};

const REPOSITORY: &str = "corpus/image";

#[tokio::test]
async fn every_image_of_the_corpus_is_served_or_refused_as_other_verifiers_judge_it() {
    let Some(folder) = folder() else { return };
    let index = Index::read(&folder);
    let mut outcomes = Vec::new();
    for case in index.cases.iter().filter(|case| case.e2e != Scope::Elsewhere) {
        let upstream = Registry::start().await;
        upstream.set_referrers(Referrers::Served);
        publish(&Layout::of(&index, case), &upstream);
        for check in case.checks.iter().filter(|check| !check.is_alone()) {
            outcomes.push(Outcome::of(case, check, pulled(&index, case, check, &upstream).await));
        }
    }
    assert!(!outcomes.is_empty(), "a corpus without images");
    conclude(&outcomes);
}

/// Whether the mirror serves the image under the rule that `check` demands; why, or why not.
async fn pulled(index: &Index, case: &Case, check: &Check, upstream: &Registry) -> Result<String, Miss> {
    let mirror = Mirror::at(demand::now(), &configuration(index, case, check, upstream)).await;
    let digest: Digest = check.target.as_ref().unwrap().parse().unwrap();
    let answer = mirror.get(&format!("/v2/corpus.test/{REPOSITORY}/manifests/{digest}")).await;
    match answer.status {
        StatusCode::OK => Ok(served(&mirror, &answer, digest).await),
        StatusCode::FORBIDDEN => Err(Miss::new(code(&answer), answer.error().1)),
        other => panic!("{} / {}: {other} {:?}", case.id, check.name, answer.body),
    }
}

/// The code of the most telling reason of a refusal.
fn code(answer: &Answer) -> String {
    let json = answer.json();
    json["errors"][0]["detail"]["requirements"][0]["reasons"][0]["code"].as_str().unwrap_or_default().to_owned()
}

/// What is served is what was judged, and what it reaches is served with it as far as the corpus has it.
async fn served(mirror: &Mirror, answer: &Answer, digest: Digest) -> String {
    assert_eq!(Digest::of(&answer.body), digest);
    let manifest = parse_manifest(&answer.body).unwrap();
    if let Manifest::Image(image) = &manifest {
        let config = image.config().digest();
        let blob = mirror.get(&format!("/v2/corpus.test/{REPOSITORY}/blobs/{config}")).await;
        assert_ne!(blob.status, StatusCode::FORBIDDEN, "what an admitted image reaches is admitted");
    }
    format!("served as {}", manifest.media_type())
}

fn publish(layout: &Layout, upstream: &Registry) {
    for bytes in layout.manifests().into_values() {
        let manifest = parse_manifest(&bytes).unwrap();
        for blob in manifest.blobs().filter_map(|blob| layout.blob(digest_of(blob).ok()?)) {
            upstream.push_blob(REPOSITORY, blob);
        }
        upstream.push_manifest(REPOSITORY, None, bytes);
    }
    for (tag, digest) in layout.tags() {
        if let Some(bytes) = layout.blob(digest) {
            upstream.push_manifest(REPOSITORY, Some(&tag), bytes);
        }
    }
}

/// The configuration in which `check` decides about the image.
fn configuration(index: &Index, case: &Case, check: &Check, upstream: &Registry) -> String {
    let (domains, keys) = demand::trusted(index, case, check);
    let mut text = format!("[[upstream]]\nname = \"corpus.test\"\nurl = \"{}\"\n", upstream.url());
    domains.iter().map(domain_table).chain(keys.iter().map(key_table)).for_each(|table| text.push_str(&table));
    text + &rule(check)
}

fn domain_table(domain: &DomainSettings) -> String {
    let needs = |requirement| match requirement {
        Requirement::Required => "required",
        Requirement::NotRequired => "none",
    };
    let (log, sct) = (needs(domain.transparency_log()), needs(domain.certificate_timestamps()));
    let (name, root) = (&domain.name, domain.trusted_root.as_deref().unwrap().display());
    format!(
        "[[trust]]\nname = \"{name}\"\ntrusted_root = \"{root}\"\n\
         transparency_log = \"{log}\"\ncertificate_timestamps = \"{sct}\"\n"
    )
}

fn key_table(key: &KeySettings) -> String {
    let without_log = match key.without_log {
        WithoutLog::Allow => "allow",
        WithoutLog::Refuse => "refuse",
    };
    let (name, path) = (&key.name, key.path.display());
    format!("[[key]]\nname = \"{name}\"\npath = \"{path}\"\nwithout_log = \"{without_log}\"\n")
}

/// The rule that demands what `check` demands.
fn rule(check: &Check) -> String {
    let demand = &check.policy;
    let head = "[[rule]]\nname = \"check\"\nimages = [\"corpus.test/**\"]\n";
    match demand.predicate.as_deref() {
        None => format!("{head}[[rule.signature]]\n{}", signer(demand)),
        Some("spdxjson") => {
            format!("{head}[rule.sbom]\nformats = [\"spdx\"]\n[rule.sbom.signed_by]\n{}", signer(demand))
        }
        Some("slsaprovenance" | "slsaprovenance1") => {
            let builder = builder(demand);
            format!(
                "{builder}{head}[rule.provenance]\ntrust = {:?}\nbuilders = [\"of-the-case\"]\n{}",
                domain_of(demand),
                source(demand)
            )
        }
        Some(other) => panic!("no requirement asks for {other}"),
    }
}

/// A block that names a signer.
fn signer(demand: &Demand) -> String {
    match &demand.key {
        Some(_) => format!("key = {OF_THE_CASE:?}\n"),
        None => format!("trust = {:?}\n{}", domain_of(demand), identity(demand)),
    }
}

fn domain_of(demand: &Demand) -> &'static str {
    if demand.key.is_some() { "public-good" } else { OF_THE_CASE }
}

fn identity(demand: &Demand) -> String {
    format!("issuer = {:?}\nsubject = {:?}\n", demand.issuer.as_deref().unwrap_or_default(), subject(demand))
}

/// The subject as a glob: the regular expressions of the corpus are few.
fn subject(demand: &Demand) -> String {
    let exact = demand.identity.clone();
    exact.unwrap_or_else(|| {
        let regexp = demand.identity_regexp.as_deref().unwrap_or_default();
        let regexp = regexp.trim_start_matches('^').trim_end_matches('$');
        regexp.replace("[0-9]+.[0-9]+.[0-9]+", "*").replace(".*", "**")
    })
}

/// A builder of any id: the checks of the corpus name the signer alone.
fn builder(demand: &Demand) -> String {
    let by = match &demand.key {
        Some(_) => format!("key = {OF_THE_CASE:?}\n"),
        None => identity(demand),
    };
    format!("[[builder]]\nname = \"of-the-case\"\nid = \"**\"\nlevel = 3\n{by}")
}

fn source(demand: &Demand) -> String {
    let (source, reference) = match demand.rego.as_deref() {
        None => (demand.gh_repository.as_deref(), demand.gh_ref.as_deref()),
        Some("builder") => (Some("slsa-framework/example-package"), Some("refs/heads/main")),
        Some("builder-tag") => (Some("slsa-framework/example-package"), Some("refs/tags/v13.0.30")),
        Some("wrongsource") => (Some("slsa-framework/example-packageA"), None),
        Some(other) => panic!("the policy {other} is not known"),
    };
    let source = source.map(|source| format!("source = \"github.com/{source}\"\n"));
    let reference = reference.map(|reference| format!("source_ref = {reference:?}\n"));
    source.unwrap_or_default() + &reference.unwrap_or_default()
}
