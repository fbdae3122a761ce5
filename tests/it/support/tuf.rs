//! A TUF repository of the project's own: every role right unless a test says what is to be wrong.
//!
//! Files are kept by path as a site would serve them; [`Repository::publish`] signs and lays out the next version.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bonafide::oci::Digest;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::authority::key::Key;

/// What the trusted root is called.
pub(crate) const TARGET: &str = "trusted_root.json";

/// A repository, and the keys that sign it.
pub(crate) struct Repository {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Versions of root, timestamp, snapshot and targets.
    pub(crate) versions: Versions,
    pub(crate) keys: Keys,
    pub(crate) targets: BTreeMap<String, Vec<u8>>,
    /// From here on its metadata is valid: a timestamp for a week, all else for a year.
    pub(crate) now: Timestamp,
    root: Vec<u8>,
}

/// The version of each role.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Versions {
    pub(crate) root: u64,
    pub(crate) timestamp: u64,
    pub(crate) snapshot: u64,
    pub(crate) targets: u64,
}

/// Who signs which role: the names of keys.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) root: Vec<&'static str>,
    pub(crate) timestamp: &'static str,
    pub(crate) snapshot: &'static str,
    pub(crate) targets: Vec<&'static str>,
}

impl Keys {
    fn usual() -> Self {
        let root = vec!["root a", "root b", "root c"];
        Self { root, timestamp: "timestamp", snapshot: "snapshot", targets: vec!["targets a", "targets b"] }
    }
}

impl Repository {
    /// The first version of a repository in which the trusted root is `root`.
    pub(crate) fn new(root: &str, now: Timestamp) -> Self {
        let versions = Versions { root: 1, timestamp: 1, snapshot: 1, targets: 1 };
        let targets = BTreeMap::from([(TARGET.to_owned(), root.as_bytes().to_vec())]);
        let (files, keys) = (BTreeMap::new(), Keys::usual());
        let mut repository = Self { files, versions, keys, targets, now, root: Vec::new() };
        repository.root = repository.root_metadata(&repository.keys.root);
        repository.files.insert("1.root.json".to_owned(), repository.root.clone());
        repository.publish();
        repository
    }

    /// The root metadata of its first version: where trust begins.
    pub(crate) fn anchor(&self) -> Vec<u8> {
        self.files["1.root.json"].clone()
    }

    /// Another trusted root, in the next version of everything but the root metadata.
    pub(crate) fn replace(&mut self, root: &str) {
        self.targets.insert(TARGET.to_owned(), root.as_bytes().to_vec());
        self.advance();
        self.publish();
    }

    /// The next version of everything but the root metadata.
    pub(crate) fn advance(&mut self) {
        self.versions.timestamp += 1;
        self.versions.snapshot += 1;
        self.versions.targets += 1;
    }

    /// The next root metadata, with the keys of `change`, signed by the old ones and the new ones.
    pub(crate) fn rotate(&mut self, change: impl FnOnce(&mut Keys)) {
        let old = self.keys.root.clone();
        change(&mut self.keys);
        self.versions.root += 1;
        let signers: Vec<_> =
            old.iter().chain(self.keys.root.iter().filter(|key| !old.contains(key))).copied().collect();
        self.root = self.root_metadata(&signers);
        self.files.insert(format!("{}.root.json", self.versions.root), self.root.clone());
    }

    /// Lays out timestamp, snapshot, targets and files.
    pub(crate) fn publish(&mut self) {
        self.publish_with(self.targets_metadata());
    }

    /// The same, with other metadata of targets.
    pub(crate) fn publish_with(&mut self, targets: Vec<u8>) {
        let snapshot = self.snapshot_metadata(&targets);
        let timestamp = self.timestamp_metadata(&snapshot);
        self.files.insert(format!("{}.targets.json", self.versions.targets), targets);
        self.files.insert(format!("{}.snapshot.json", self.versions.snapshot), snapshot);
        self.files.insert("timestamp.json".to_owned(), timestamp);
        for (name, bytes) in &self.targets {
            self.files.insert(target_path(name, bytes), bytes.clone());
        }
    }

    pub(crate) fn root_metadata(&self, signers: &[&str]) -> Vec<u8> {
        let Keys { root, timestamp, snapshot, targets } = &self.keys;
        let all = root.iter().chain([timestamp, snapshot]).chain(targets);
        let keys: serde_json::Map<_, _> = all.map(|name| (key_id(name), public(name))).collect();
        let role = |names: &[&str], threshold: u32| json!({ "keyids": names.iter().map(|name| key_id(name)).collect::<Vec<_>>(), "threshold": threshold });
        let signed = json!({
            "_type": "root", "spec_version": "1.0.31", "version": self.versions.root,
            "expires": self.end(365), "consistent_snapshot": true, "keys": keys,
            "roles": {
                "root": role(root, 2), "timestamp": role(&[timestamp], 1),
                "snapshot": role(&[snapshot], 1), "targets": role(targets, 2),
            },
        });
        sign(&signed, signers)
    }

    pub(crate) fn targets_metadata(&self) -> Vec<u8> {
        let describe =
            |bytes: &Vec<u8>| json!({ "length": bytes.len(), "hashes": { "sha256": Digest::of(bytes).hex() } });
        let targets: serde_json::Map<_, _> =
            self.targets.iter().map(|(name, bytes)| (name.clone(), describe(bytes))).collect();
        let signed = json!({
            "_type": "targets", "spec_version": "1.0.31", "version": self.versions.targets,
            "expires": self.end(365), "targets": targets,
        });
        sign(&signed, &self.keys.targets)
    }

    pub(crate) fn snapshot_metadata(&self, targets: &[u8]) -> Vec<u8> {
        let signed = json!({
            "_type": "snapshot", "spec_version": "1.0.31", "version": self.versions.snapshot,
            "expires": self.end(365), "meta": { "targets.json": meta(self.versions.targets, targets) },
        });
        sign(&signed, &[self.keys.snapshot])
    }

    pub(crate) fn timestamp_metadata(&self, snapshot: &[u8]) -> Vec<u8> {
        let signed = json!({
            "_type": "timestamp", "spec_version": "1.0.31", "version": self.versions.timestamp,
            "expires": self.end(7), "meta": { "snapshot.json": meta(self.versions.snapshot, snapshot) },
        });
        sign(&signed, &[self.keys.timestamp])
    }

    fn end(&self, days: i64) -> String {
        (self.now + SignedDuration::from_hours(24 * days)).to_string()
    }

    /// Writes all of it into `folder`.
    pub(crate) fn write_to(&self, folder: &Path) {
        for (name, bytes) in &self.files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
}

/// Where a file is under consistent snapshots.
pub(crate) fn target_path(name: &str, bytes: &[u8]) -> String {
    format!("targets/{}.{name}", Digest::of(bytes).hex())
}

fn meta(version: u64, bytes: &[u8]) -> Value {
    json!({ "version": version, "length": bytes.len(), "hashes": { "sha256": Digest::of(bytes).hex() } })
}

/// Metadata with the signatures of the keys called `signers`.
pub(crate) fn sign(signed: &Value, signers: &[&str]) -> Vec<u8> {
    let signers: Vec<_> = signers.iter().map(|name| (*name, *name)).collect();
    sign_as(signed, &signers)
}

/// Metadata with signatures that are said to be by one key, and are by another.
pub(crate) fn sign_as(signed: &Value, signers: &[(&str, &str)]) -> Vec<u8> {
    // Canonical JSON as TUF has it: keys sorted, as `serde_json` does by itself, and line ends as they are.
    let message = serde_json::to_string(signed).unwrap().replace("\\n", "\n");
    let sign = |said: &str, name: &str| json!({ "keyid": key_id(said), "sig": hex::encode(key(name).sign(message.as_bytes())) });
    let signatures: Vec<_> = signers.iter().map(|(said, name)| sign(said, name)).collect();
    serde_json::to_vec(&json!({ "signed": signed, "signatures": signatures })).unwrap()
}

/// The key called `name`.
pub(crate) fn key(name: &str) -> Key {
    Key::p256(&format!("tuf {name}"))
}

/// What the key called `name` is referred to by; an opaque text.
pub(crate) fn key_id(name: &str) -> String {
    Digest::of(name.as_bytes()).hex()
}

/// The key called `name`, as metadata has it.
pub(crate) fn public(name: &str) -> Value {
    json!({ "keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": { "public": key(name).public_pem() } })
}
