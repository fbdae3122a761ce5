//! Evidence that other people's pipelines made, read: `BONAFIDE_CORPUS`, or `../shared/corpus`. What is expected of it
//! was written down by other tools (`index.json`).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use bonafide::evidence::{
    Malformed, Predicate, Provenance, SbomFormat, SimpleSigning, Statement, Via, canonical_purl, is_evidence_blob,
    is_evidence_manifest, layers, subject_of_tag,
};
use bonafide::oci::{Digest, Manifest, parse_manifest};

/// The corpus, if this machine has it.
fn corpus() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let corpus = std::env::var_os("BONAFIDE_CORPUS").map_or_else(beside, PathBuf::from);
    let found = corpus.join("index.json").is_file();
    if !found {
        report_missing(&corpus);
    }
    found.then_some(corpus)
}

#[expect(clippy::print_stderr, reason = "a test that did not run must say so")]
fn report_missing(corpus: &Path) {
    eprintln!("NOT RUN: there is no corpus at {}; set BONAFIDE_CORPUS", corpus.display());
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// A case, with the folders that its files are in: its own, and for a derived one that of its base.
struct Case {
    entry: Value,
    folders: Vec<PathBuf>,
}

fn cases(corpus: &Path) -> Vec<Case> {
    let folder = |id: &Value| corpus.join("cases").join(id.as_str().unwrap());
    let index = json(&corpus.join("index.json"));
    let folders =
        |entry: &Value| [&entry["id"], &entry["base"]].into_iter().filter(|id| id.is_string()).map(folder).collect();
    list(&index, "cases").iter().map(|entry| Case { folders: folders(entry), entry: entry.clone() }).collect()
}

impl Case {
    fn id(&self) -> &str {
        self.entry["id"].as_str().unwrap()
    }

    fn files(&self) -> Vec<Vec<u8>> {
        let mut files = Vec::new();
        self.folders.iter().for_each(|folder| collect(folder, &mut files));
        files
    }

    /// The payloads of all DSSE envelopes, bare, in layers or in bundles.
    fn payloads(&self) -> Vec<Vec<u8>> {
        let values = self.files().into_iter().filter_map(|file| serde_json::from_slice::<Value>(&file).ok());
        values.filter_map(|value| payload(&value).or_else(|| payload(&value["dsseEnvelope"]))).collect()
    }

    fn blob(&self, digest: Digest) -> Option<Vec<u8>> {
        self.files().into_iter().find(|file| Digest::of(file) == digest)
    }
}

fn collect(folder: &Path, files: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(fs::read(path).unwrap());
        }
    }
}

fn payload(envelope: &Value) -> Option<Vec<u8>> {
    envelope["payloadType"].as_str()?;
    STANDARD.decode(envelope["payload"].as_str()?).ok()
}

/// Whether the index says of the evidence `entry` what the provenance says.
fn is_described(entry: &Value, provenance: &Provenance) -> bool {
    let (source, reference) = match entry["source_uri"].as_str().map(|uri| uri.trim_start_matches("git+")) {
        Some(uri) => uri.split_once('@').map_or((Some(uri), None), |(uri, at)| (Some(uri), Some(at))),
        None => (None, None),
    };
    let digest = &entry["source_digest"];
    let commit = digest["sha1"].as_str().or(digest["gitCommit"].as_str());
    let workflow = entry["entry_point"].as_str().or(entry["workflow"]["path"].as_str());
    entry["builder_id"] == provenance.builder_id
        && entry["build_type"] == provenance.build_type
        && source == provenance.source.as_deref()
        && reference == provenance.source_ref.as_deref()
        && commit == provenance.source_commit.as_deref()
        && workflow == provenance.workflow.as_deref()
}

#[test]
fn every_provenance_of_the_corpus_says_what_was_built() {
    let Some(corpus) = corpus() else { return };
    let mut seen = 0;
    for case in cases(&corpus) {
        let payloads = case.payloads();
        let statements = payloads.iter().filter_map(|payload| Statement::parse(payload).ok());
        let read: Vec<_> = statements
            .filter_map(|statement| match statement.predicate {
                Predicate::Provenance(provenance) => Some(provenance),
                Predicate::Signature
                | Predicate::Sbom(_)
                | Predicate::Summary(_)
                | Predicate::Vex(_)
                | Predicate::Scan(_)
                | Predicate::Other => None,
            })
            .collect();
        for entry in list(&case.entry, "evidence").iter().filter(|entry| entry["builder_id"].is_string()) {
            let found = read.iter().any(|provenance| is_described(entry, provenance));
            assert!(found, "{}: {entry:#} is not among {read:#?}", case.id());
            seen += 1;
        }
    }
    assert!(seen > 50, "only {seen} seen");
}

/// A scan that names no scanner and has no report.
const SCAN_BY_NOBODY: &str = "dsse-cosign-vuln-malformed";

#[test]
fn every_statement_of_the_corpus_is_read_or_refused_for_a_reason() {
    let Some(corpus) = corpus() else { return };
    let mut seen = 0;
    for case in cases(&corpus) {
        for payload in case.payloads() {
            let Ok(value) = serde_json::from_slice::<Value>(&payload) else {
                assert!(Statement::parse(&payload).is_err(), "{}", case.id());
                continue;
            };
            let read = Statement::parse(&payload);
            if value["_type"].is_null() {
                assert!(matches!(read, Err(Malformed::StatementType(_))), "{}: {read:?}", case.id());
                continue;
            }
            if case.id() == SCAN_BY_NOBODY {
                assert!(matches!(read, Err(Malformed::Json(_))), "{read:?}");
                continue;
            }
            let statement = read.unwrap_or_else(|error| panic!("{}: {error}", case.id()));
            let subjects: Vec<_> =
                list(&value, "subject").iter().filter_map(|s| s["digest"]["sha256"].as_str()).collect();
            assert_eq!(statement.subjects.iter().map(Digest::hex).collect::<Vec<_>>(), subjects, "{}", case.id());
            assert_eq!(statement.predicate_type, value["predicateType"].as_str().unwrap(), "{}", case.id());
            seen += 1;
        }
    }
    assert!(seen > 60, "only {seen} seen");
}

#[test]
fn the_manifests_of_the_corpus_are_told_apart() {
    let Some(corpus) = corpus() else { return };
    let (mut evidence, mut images) = (0, 0);
    for case in cases(&corpus) {
        for file in case.files() {
            let Ok(Manifest::Image(image)) = parse_manifest(&file) else { continue };
            let is_image = image.layers().iter().any(|layer| layer.media_type().to_string().contains("tar"));
            let manifest = Manifest::Image(image);
            let is_evidence = is_evidence_manifest(&manifest);
            let is_empty = manifest.blobs().count() == 1;
            assert_eq!(is_evidence, !is_image && !is_empty, "{}: {}", case.id(), Digest::of(&file));
            evidence += usize::from(is_evidence);
            images += usize::from(is_image);
        }
    }
    assert!(evidence > 30 && images > 10, "only {evidence} and {images} seen");
}

#[test]
fn every_layer_of_evidence_in_the_corpus_is_found() {
    let Some(corpus) = corpus() else { return };
    let mut seen = 0;
    for case in cases(&corpus) {
        for entry in list(&case.entry, "evidence").iter().filter(|entry| entry["manifest"].is_string()) {
            let digest: Digest = entry["manifest"].as_str().unwrap().parse().unwrap();
            let Some(media_type) = entry["media_type"].as_str() else { continue };
            let manifest = parse_manifest(&case.blob(digest).unwrap()).unwrap();
            let tag = entry["tag"].as_str().map(|tag| tag.parse().unwrap());
            let (subject, via) = match (tag, entry["tag"].as_str().and_then(|tag| tag.rsplit_once('.'))) {
                (Some(tag), Some((_, "sig"))) => (subject_of_tag(&tag), Via::SignatureTag),
                (Some(tag), Some((_, "att"))) => (subject_of_tag(&tag), Via::AttestationTag),
                _ => (entry["subject"].as_str().and_then(|subject| subject.parse().ok()), Via::Referrer),
            };
            let Some(subject) = subject else { continue };
            let found = layers(&manifest, digest, subject, via).unwrap();
            assert!(!found.is_empty(), "{}: no layer of {media_type} in {digest}", case.id());
            for descriptor in manifest.blobs() {
                let Some(blob) = case.blob(descriptor.digest().as_ref().parse().unwrap()) else { continue };
                assert!(is_evidence_blob(descriptor, &blob), "{}: {}", case.id(), descriptor.digest());
            }
            seen += 1;
        }
    }
    assert!(seen > 30, "only {seen} seen");
}

#[test]
fn every_file_of_the_corpus_is_read_without_a_panic() {
    let Some(corpus) = corpus() else { return };
    let mut signatures = 0;
    let mut files = Vec::new();
    collect(&corpus.join("cases"), &mut files);
    for file in files {
        drop(Statement::parse(&file));
        drop(parse_manifest(&file).map(|manifest| is_evidence_manifest(&manifest)));
        signatures += usize::from(SimpleSigning::parse(&file).is_ok());
    }
    assert!(signatures > 10, "only {signatures} simple signing payloads seen");
}

/// The SBOM in `file`, as the predicate of a statement.
fn sbom(predicate_type: &str, predicate: &str) -> bonafide::evidence::Sbom {
    let statement = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"{predicate_type}","predicate":{predicate}}}"#
    );
    match Statement::parse(statement.as_bytes()).unwrap().predicate {
        Predicate::Sbom(sbom) => sbom,
        Predicate::Signature
        | Predicate::Provenance(_)
        | Predicate::Summary(_)
        | Predicate::Vex(_)
        | Predicate::Scan(_)
        | Predicate::Other => panic!("not read as an SBOM"),
    }
}

#[test]
fn every_sbom_of_the_corpus_lists_its_packages() {
    let Some(corpus) = corpus() else { return };
    let index = json(&corpus.join("sbom/index.json"));
    assert!(index.as_array().unwrap().len() > 5);
    for entry in index.as_array().unwrap() {
        let text = fs::read_to_string(corpus.join(entry["file"].as_str().unwrap())).unwrap();
        let format = entry["format"].as_str().unwrap();
        let (predicate_type, expected) = match format.split([' ', '-']).next().unwrap() {
            "SPDX" => ("https://spdx.dev/Document", SbomFormat::Spdx),
            _ => ("https://cyclonedx.org/bom", SbomFormat::CycloneDx),
        };
        let read = sbom(predicate_type, &text);
        assert_eq!((read.format, format.split([' ', '-']).nth(1).unwrap()), (expected, read.version.as_str()));
        let purls: BTreeSet<_> = read.packages.iter().filter_map(|package| package.purl.as_deref()).collect();
        assert_eq!(purls.len() as u64, entry["distinct_purls"].as_u64().unwrap(), "{}", entry["file"]);
        for sample in list(entry, "sample_purls") {
            let sample = canonical_purl(sample.as_str().unwrap()).unwrap();
            assert!(purls.contains(sample.as_str()), "{}: {sample}", entry["file"]);
        }
        let as_text = sbom(predicate_type, &Value::from(text).to_string());
        assert_eq!(as_text, read, "{} as a string", entry["file"]);
    }
}
