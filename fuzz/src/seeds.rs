//! What a target starts from: what the test authority makes, and the corpus of real evidence where there is one.
//! Written where `fuzz/seed` says, and nowhere otherwise.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bonafide::oci::{Digest, Manifest, digest_of, parse_manifest};
use serde_json::Value;

use crate::evidence::{BUNDLE, input_of_layer};
use crate::world::WORLD;

/// Larger files are no seeds: the fuzzer would spend its time on copying them.
const LARGEST: u64 = 64 * 1024;

/// Writes `seeds` into the folder `BONAFIDE_FUZZ_SEEDS`, if there is one.
pub fn plant(seeds: impl FnOnce() -> Vec<Vec<u8>>) {
    let Some(folder) = env::var_os("BONAFIDE_FUZZ_SEEDS").map(PathBuf::from) else { return };
    fs::create_dir_all(&folder).expect("a folder for seeds");
    for seed in seeds() {
        fs::write(folder.join(Digest::of(&seed).hex()), seed).expect("a seed");
    }
}

/// Lines of a text, each a seed.
pub fn lines(text: &str) -> Vec<Vec<u8>> {
    text.lines().map(|line| line.trim().as_bytes().to_vec()).collect()
}

/// Every small file of the corpus.
pub fn files() -> Vec<Vec<u8>> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let corpus = env::var_os("BONAFIDE_CORPUS").map_or_else(beside, PathBuf::from);
    let mut files = Vec::new();
    collect(&corpus, &mut files);
    if files.is_empty() {
        eprintln!("no seeds of real evidence: there is no corpus at {}; set BONAFIDE_CORPUS", corpus.display());
    }
    files
}

fn collect(folder: &Path, files: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.metadata() {
            Ok(data) if data.is_dir() => collect(&path, files),
            Ok(data) if data.len() <= LARGEST => files.extend(fs::read(path)),
            Ok(_) | Err(_) => {}
        }
    }
}

/// Every JSON text, with what the authority made.
pub fn json() -> Vec<Vec<u8>> {
    let made = WORLD.good.iter().map(|good| good.bytes.clone());
    let all = files().into_iter().chain(made);
    all.filter(|bytes| serde_json::from_slice::<Value>(bytes).is_ok()).collect()
}

fn values() -> Vec<Value> {
    json().iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect()
}

/// Manifests and indices.
pub fn manifests() -> Vec<Vec<u8>> {
    json().into_iter().filter(|bytes| parse_manifest(bytes).is_ok()).collect()
}

/// Bundles.
pub fn bundles() -> Vec<Vec<u8>> {
    let is_bundle = |value: &Value| value["mediaType"].as_str().is_some_and(|text| text.contains("sigstore.bundle"));
    let found = files().into_iter().filter(|bytes| serde_json::from_slice(bytes).is_ok_and(|value| is_bundle(&value)));
    let made = WORLD.good.iter().filter(|good| good.media_type == BUNDLE).map(|good| good.bytes.clone());
    found.chain(made).collect()
}

/// Layers of `media_type` as [`crate::evidence::layer`] reads them.
pub fn layers(media_type: &str) -> Vec<Vec<u8>> {
    let made = WORLD.good.iter().filter(|good| good.media_type == media_type);
    let mut inputs: Vec<_> = made.map(|good| input_of_layer(&good.bytes, &good.annotations)).collect();
    let files: BTreeMap<_, _> = files().into_iter().map(|bytes| (Digest::of(&bytes), bytes)).collect();
    for bytes in files.values() {
        let Ok(Manifest::Image(image)) = parse_manifest(bytes) else { continue };
        for layer in image.layers().iter().filter(|layer| layer.media_type().to_string() == media_type) {
            let Some(blob) = digest_of(layer).ok().and_then(|digest| files.get(&digest)) else { continue };
            let annotations = layer.annotations().clone().unwrap_or_default();
            inputs.push(input_of_layer(blob, &annotations.into_iter().collect()));
        }
    }
    inputs
}

/// Envelopes of the Notary Project of `media_type`.
pub fn envelopes(media_type: &str) -> Vec<Vec<u8>> {
    layers(media_type).into_iter().filter_map(|layer| Some(layer.strip_suffix(&[0; 5])?.to_vec())).collect()
}

/// The payloads of all envelopes.
pub fn payloads() -> Vec<Vec<u8>> {
    let payload = |value: &Value| STANDARD.decode(value["payload"].as_str()?).ok();
    values().iter().filter_map(|value| payload(value).or_else(|| payload(&value["dsseEnvelope"]))).collect()
}

/// The predicates of statements whose type has `word` in it.
pub fn predicates(word: &str) -> Vec<Vec<u8>> {
    let statements = payloads();
    let statements = statements.iter().filter_map(|payload| serde_json::from_slice::<Value>(payload).ok());
    let of_type = statements.filter(|it| it["predicateType"].as_str().is_some_and(|text| text.contains(word)));
    of_type.map(|statement| statement["predicate"].to_string().into_bytes()).collect()
}

/// Every certificate in a bundle, DER.
pub fn certificates() -> Vec<Vec<u8>> {
    raw(&["certificate", "certificates"], "rawBytes")
}

/// Every signed timestamp in a bundle, DER.
pub fn timestamps() -> Vec<Vec<u8>> {
    raw(&["rfc3161Timestamps"], "signedTimestamp")
}

/// The body of every log entry.
pub fn entries() -> Vec<Vec<u8>> {
    raw(&["tlogEntries"], "canonicalizedBody")
}

/// What stands in base64 under `name` in any object, or list of objects, called one of `holders`.
fn raw(holders: &[&str], name: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for value in values() {
        visit(&value, &mut |key, inner| {
            let single = std::slice::from_ref(inner);
            let items = if holders.contains(&key) { inner.as_array().map_or(single, Vec::as_slice) } else { &[] };
            found.extend(items.iter().filter_map(|item| STANDARD.decode(item[name].as_str()?).ok()));
        });
    }
    found
}

fn visit(value: &Value, seen: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(members) => {
            for (key, inner) in members {
                seen(key, inner);
                visit(inner, seen);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| visit(item, seen)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
