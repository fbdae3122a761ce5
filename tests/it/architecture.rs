//! The layering of `src`, checked. Change the table only together with `docs/architecture.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may import. A module names only modules of earlier rows, so there is no cycle.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("oci", &[]),
    ("clock", &[]),
    ("current", &[]),
    ("flights", &[]),
    ("lengths", &[]),
    ("limits", &[]),
    ("piece", &[]),
    ("listen", &["piece"]),
    ("lookups", &[]),
    ("misspelt", &[]),
    ("remembered", &["oci"]),
    ("shortage", &[]),
    ("evidence", &["oci", "limits"]),
    ("trust", &["oci", "clock", "current", "lengths", "limits"]),
    ("verify", &["oci", "lengths", "limits", "remembered", "evidence", "trust"]),
    ("policy", &["oci", "clock", "limits", "misspelt", "evidence", "verify"]),
    ("facts", &["oci", "clock", "flights", "limits", "lookups", "remembered", "evidence", "verify"]),
    ("feeds", &["clock", "current", "policy"]),
    ("upstream", &["oci", "clock", "limits", "shortage"]),
    ("content", &["oci", "clock", "limits", "piece", "lookups", "remembered", "shortage"]),
    (
        "gate",
        &[
            "oci",
            "clock",
            "current",
            "flights",
            "limits",
            "remembered",
            "evidence",
            "trust",
            "verify",
            "policy",
            "facts",
            "upstream",
            "content",
        ],
    ),
    ("front", &["oci", "clock", "limits", "listen", "gate", "content"]),
    ("admin", &["oci", "clock", "limits", "listen", "gate", "facts", "content"]),
    ("config", &["oci", "misspelt", "trust", "policy", "facts", "upstream", "content", "gate", "front", "admin"]),
    ("cases", &["oci", "clock", "policy", "upstream", "gate", "config"]),
    ("telemetry", &["oci"]),
    (
        "app",
        &[
            "oci",
            "clock",
            "current",
            "limits",
            "listen",
            "trust",
            "policy",
            "facts",
            "feeds",
            "upstream",
            "content",
            "gate",
            "front",
            "admin",
            "config",
            "telemetry",
        ],
    ),
    (
        "cli",
        &[
            "oci",
            "clock",
            "content",
            "evidence",
            "verify",
            "policy",
            "facts",
            "gate",
            "config",
            "cases",
            "telemetry",
            "app",
        ],
    ),
];

/// Crates that only some modules may name, so that replacing one touches one folder.
const OWNERS: &[(&str, &[&str])] = &[
    ("sigstore_verify", &["verify", "trust"]),
    ("sigstore_crypto", &["verify", "trust"]),
    ("sigstore_merkle", &["verify"]),
    ("sigstore_types", &["verify", "trust"]),
    ("aws_lc_rs", &["oci", "verify", "trust"]),
    ("ed25519_dalek", &["trust"]),
    ("sigstore_trust_root", &["verify", "trust"]),
    ("webpki", &["verify", "trust"]),
    ("x509_cert", &["verify", "trust"]),
    ("cms", &["verify"]),
    ("coset", &["verify"]),
    ("hyper", &["upstream", "listen", "front", "admin"]),
    ("http", &["upstream", "listen", "front", "admin"]),
    ("moka", &["content", "upstream"]),
    ("quick_cache", &["remembered"]),
    ("ahash", &["remembered", "facts"]),
    ("sqlx", &["facts"]),
    ("semver", &["policy"]),
    ("pep440_rs", &["policy"]),
    ("toml", &["config"]),
    ("oci_spec", &["oci"]),
    ("cel", &["policy"]),
    ("clap", &["cli", "main"]),
];

/// Longest source file, its unit tests aside, that one reads in a sitting.
const SITTING: usize = 500;

#[test]
fn modules_import_only_what_the_table_allows() {
    let broken: Vec<String> = sources()
        .flat_map(|(module, path, code)| {
            let allowed = may_import(&module);
            named_after("crate::", &code)
                .filter(|name| *name != module && !allowed.contains(&name.as_str()))
                .map(|name| format!("{}: {module} imports {name}", path.display()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(broken.is_empty(), "layering broken:\n{}", broken.join("\n"));
}

#[test]
fn the_table_has_no_cycle() {
    let mut earlier = BTreeSet::new();
    for (module, allowed) in MAY_IMPORT {
        for name in *allowed {
            assert!(earlier.contains(name), "{module} names {name}, which is not below it");
        }
        earlier.insert(*module);
    }
}

#[test]
fn each_third_party_seam_has_its_owners() {
    let broken: Vec<String> = sources()
        .flat_map(|(module, path, code)| {
            OWNERS
                .iter()
                .filter(|(name, owners)| names_crate(name, &code) && !owners.contains(&module.as_str()))
                .map(|(name, _)| format!("{}: {module} names {name}", path.display()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(broken.is_empty(), "seam broken:\n{}", broken.join("\n"));
}

#[test]
fn recorded_facts_reach_nothing_that_serves() {
    let serving = |module: &str| !["policy", "cases", "cli"].contains(&module);
    let named: Vec<_> =
        sources().filter(|(module, _, code)| serving(module) && code.contains("RecordedFacts")).collect();
    assert!(named.is_empty(), "a file is no proof:\n{named:?}");
}

#[test]
fn no_file_outgrows_a_sitting() {
    let long: Vec<String> = sources()
        .filter(|(_, _, code)| code.lines().count() > SITTING)
        .map(|(_, path, code)| format!("{}: {} lines", path.display(), code.lines().count()))
        .collect();
    assert!(long.is_empty(), "split these:\n{}", long.join("\n"));
}

fn may_import(module: &str) -> &'static [&'static str] {
    let row = MAY_IMPORT.iter().find(|(name, _)| *name == module);
    row.unwrap_or_else(|| panic!("{module} is not in the table")).1
}

/// Every module file: its top-level module, its path, its code without comments and unit tests.
fn sources() -> impl Iterator<Item = (String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.into_iter().filter_map(move |path| {
        let first = path.strip_prefix(&root).unwrap().iter().next().unwrap();
        let module = first.to_str().unwrap().trim_end_matches(".rs").to_owned();
        let is_test = path.file_name().is_some_and(|name| name == "tests.rs");
        let text = fs::read_to_string(&path).expect("a readable source file");
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        (module != "main" && module != "lib" && !is_test).then(|| (module, path, code.join("\n")))
    })
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
}

/// The identifiers that directly follow `prefix`.
fn named_after(prefix: &str, code: &str) -> impl Iterator<Item = String> {
    let identifier = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    code.split(prefix).skip(1).map(identifier)
}

/// Whether `code` names the crate `name`, as `name::` not preceded by another part of a path or identifier.
fn names_crate(name: &str, code: &str) -> bool {
    let path = format!("{name}::");
    code.match_indices(&path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}
