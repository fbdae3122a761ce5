//! Indexes that are proven by what is proven of each image in them.

use bonafide::oci::Digest;
use bonafide::policy::Decision;
use serde_json::{Value, json};

use super::{judge, proof, provenance};

const RULE: &str = "
    [[rule]]
    name = 'built'
    images = ['docker.io/**']
    [rule.provenance]
    level = 3
    builders = ['slsa-github-generator']
";

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

/// The provenance of `image`, by a statement in the attestation manifest `manifest`, which somebody signed.
fn relayed(image: &str, manifest: &str) -> Value {
    let mut fact = provenance();
    fact["subject"] = json!(digest(image));
    fact["source"] = json!({ "manifest": digest(manifest), "layer": digest("statement") });
    fact["through"] = json!({ "manifest": digest("signature"), "layer": digest("bundle") });
    fact
}

fn decided(children: &[&str], facts: &[Value]) -> Decision {
    let children = children.iter().map(|child| digest(child)).collect();
    judge(RULE, None, &bonafide::verify::Proof { children, ..proof(facts) }).decision
}

#[test]
fn an_index_is_proven_by_what_is_proven_of_all_that_it_lists() {
    let facts = [relayed("amd64", "about amd64"), relayed("arm64", "about arm64")];
    assert_eq!(decided(&["amd64", "arm64", "about amd64", "about arm64"], &facts), Decision::Admit);
    assert_eq!(decided(&["amd64", "about amd64"], &facts[..1]), Decision::Admit);
    assert_eq!(decided(&["amd64", "arm64", "about amd64"], &facts[..1]), Decision::Refuse);
    assert_eq!(decided(&[], &facts), Decision::Refuse);
}

#[test]
fn what_is_proven_of_images_that_an_index_does_not_list_is_not_proven_of_it() {
    let facts = [relayed("amd64", "about amd64"), relayed("stray", "about stray")];
    assert_eq!(decided(&["amd64", "about amd64", "about stray"], &facts), Decision::Refuse);
}

#[test]
fn what_a_signer_says_of_a_listed_image_itself_is_no_word_for_the_index() {
    let mut direct = relayed("amd64", "about amd64");
    direct["through"] = Value::Null;
    assert_eq!(decided(&["amd64", "about amd64"], &[direct]), Decision::Refuse);
}
