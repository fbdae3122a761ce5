//! Transparency logs: Rekor v1 (promise, inclusion proof, checkpoint) and Rekor v2 (inclusion proof, checkpoint).

use std::sync::Mutex;

use bonafide::oci::Digest;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::key::Key;
use super::text::{base64, canonical};

/// Which generation of Rekor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generation {
    /// Its entries carry a signed promise with a time.
    V1,
    /// Its entries carry no time; a timestamp authority gives it.
    V2,
}

/// A log: a key and a Merkle tree (RFC 6962) that grows.
pub(crate) struct Log {
    pub(crate) generation: Generation,
    pub(crate) key: Key,
    /// Where it is, without a trailing slash.
    pub(crate) url: String,
    origin: String,
    /// Entries in trees before this one, which the indices of entries count and proofs do not.
    offset: u64,
    leaves: Mutex<Vec<Digest>>,
}

/// An entry, as a log answers with it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) generation: Generation,
    pub(crate) body: Vec<u8>,
    pub(crate) log_id: Vec<u8>,
    /// Over all trees of the log.
    pub(crate) index: u64,
    pub(crate) integrated: Option<Timestamp>,
    /// The signed entry timestamp.
    pub(crate) promise: Option<Vec<u8>>,
    pub(crate) proof: Option<Proof>,
}

/// A proof that an entry is in the tree of a checkpoint.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    pub(crate) index: u64,
    pub(crate) size: u64,
    pub(crate) root: Digest,
    pub(crate) hashes: Vec<Digest>,
    pub(crate) checkpoint: Option<String>,
}

impl Log {
    /// A Rekor v1 log with a P-256 key, some entries, and trees before this one.
    pub(crate) fn v1(name: &str, url: &str) -> Self {
        let key = Key::p256(&format!("{name} log"));
        let tree = u64::from_be_bytes(key.id()[..8].try_into().unwrap()) >> 8;
        let origin = format!("{} - {tree}", host(url));
        Self::grown(Generation::V1, key, url, origin, 4_163_431)
    }

    /// A Rekor v2 log with an Ed25519 key and some entries; its origin is its host name.
    pub(crate) fn v2(name: &str, url: &str) -> Self {
        let key = Key::ed25519(&format!("{name} log v2"));
        Self::grown(Generation::V2, key, url, host(url), 0)
    }

    fn grown(generation: Generation, key: Key, url: &str, origin: String, offset: u64) -> Self {
        let leaves = (0..5_u8).map(|number| leaf_hash(&[number])).collect();
        Self { generation, key, url: url.to_owned(), origin, offset, leaves: Mutex::new(leaves) }
    }

    /// What identifies it: of a v1 log the hash of its key; of a v2 log the identifier of its checkpoints' signatures
    /// (C2SP signed-note: origin, algorithm, key).
    pub(crate) fn id(&self) -> Vec<u8> {
        match self.generation {
            Generation::V1 => self.key.id().to_vec(),
            Generation::V2 => {
                let named = [self.origin.as_bytes(), b"\n\x01", self.key.raw_public()].concat();
                Digest::of(&named).as_bytes().to_vec()
            }
        }
    }

    /// Takes `body` in at the time `at`, and proves it.
    pub(crate) fn append(&self, body: &Value, at: Timestamp) -> Entry {
        let body = canonical(body);
        let mut leaves = self.leaves.lock().unwrap();
        leaves.push(leaf_hash(&body));
        let position = leaves.len() - 1;
        let index = self.offset + position as u64;
        let proof = self.prove(&leaves, position);
        let log_id = self.id();
        match self.generation {
            Generation::V1 => {
                let promise = self.key.sign(&promised(&body, at, &log_id, index));
                let (integrated, promise) = (Some(at), Some(promise));
                Entry { generation: Generation::V1, body, log_id, index, integrated, promise, proof: Some(proof) }
            }
            Generation::V2 => {
                let (integrated, promise) = (None, None);
                Entry { generation: Generation::V2, body, log_id, index, integrated, promise, proof: Some(proof) }
            }
        }
    }

    fn prove(&self, leaves: &[Digest], position: usize) -> Proof {
        Proof {
            index: position as u64,
            size: leaves.len() as u64,
            root: root(leaves),
            hashes: path(position, leaves),
            checkpoint: Some(self.checkpoint(leaves)),
        }
    }

    fn checkpoint(&self, leaves: &[Digest]) -> String {
        let note = format!("{}\n{}\n{}\n", self.origin, leaves.len(), base64(root(leaves).as_bytes()));
        let signature = [&self.id()[..4], &self.key.sign(note.as_bytes())].concat();
        format!("{note}\n\u{2014} {} {}\n", host(&self.url), base64(signature))
    }
}

impl Entry {
    /// The entry as annotation `dev.sigstore.cosign/bundle`: the promise, and what it promises.
    pub(crate) fn to_annotation(&self) -> Value {
        json!({
            "SignedEntryTimestamp": base64(self.promise.as_deref().unwrap_or_default()),
            "Payload": {
                "body": base64(&self.body),
                "integratedTime": self.integrated.map_or(0, Timestamp::as_second),
                "logIndex": self.index,
                "logID": hex::encode(&self.log_id),
            },
        })
    }

    /// The entry as in bundles: the JSON of protocol buffers, where 64-bit numbers are strings and zeros are left out.
    pub(crate) fn to_bundle(&self) -> Value {
        let (kind, version) = self.kind();
        let mut entry = json!({
            "logId": { "keyId": base64(&self.log_id) },
            "kindVersion": { "kind": kind, "version": version },
            "canonicalizedBody": base64(&self.body),
        });
        put_number(&mut entry, "logIndex", self.index);
        if let Some(at) = self.integrated {
            entry["integratedTime"] = json!(at.as_second().to_string());
        }
        if let Some(promise) = &self.promise {
            entry["inclusionPromise"] = json!({ "signedEntryTimestamp": base64(promise) });
        }
        if let Some(proof) = &self.proof {
            entry["inclusionProof"] = proof.to_bundle();
        }
        entry
    }

    /// The answer of `POST /api/v1/log/entries`.
    pub(crate) fn to_rekor(&self) -> Value {
        let mut verification = json!({});
        if let Some(promise) = &self.promise {
            verification["signedEntryTimestamp"] = json!(base64(promise));
        }
        if let Some(proof) = &self.proof {
            verification["inclusionProof"] = json!({
                "checkpoint": proof.checkpoint,
                "hashes": proof.hashes.iter().map(Digest::hex).collect::<Vec<_>>(),
                "logIndex": proof.index,
                "rootHash": proof.root.hex(),
                "treeSize": proof.size,
            });
        }
        json!({ self.uuid(): {
            "body": base64(&self.body),
            "integratedTime": self.integrated.map_or(0, Timestamp::as_second),
            "logID": hex::encode(&self.log_id),
            "logIndex": self.index,
            "verification": verification,
        }})
    }

    /// The name of the entry: of its tree, and the hash of its leaf.
    pub(crate) fn uuid(&self) -> String {
        format!("{}{}", hex::encode(&self.log_id[..8]), leaf_hash(&self.body).hex())
    }

    fn kind(&self) -> (String, String) {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        (text("kind"), text("apiVersion"))
    }
}

impl Proof {
    fn to_bundle(&self) -> Value {
        let mut proof = json!({
            "rootHash": base64(self.root.as_bytes()),
            "treeSize": self.size.to_string(),
            "hashes": self.hashes.iter().map(|hash| base64(hash.as_bytes())).collect::<Vec<_>>(),
        });
        put_number(&mut proof, "logIndex", self.index);
        if let Some(checkpoint) = &self.checkpoint {
            proof["checkpoint"] = json!({ "envelope": checkpoint });
        }
        proof
    }
}

fn put_number(object: &mut Value, name: &str, number: u64) {
    if number != 0 {
        object[name] = json!(number.to_string());
    }
}

/// What a promise signs.
fn promised(body: &[u8], at: Timestamp, log_id: &[u8], index: u64) -> Vec<u8> {
    canonical(&json!({
        "body": base64(body),
        "integratedTime": at.as_second(),
        "logID": hex::encode(log_id),
        "logIndex": index,
    }))
}

/// The host of a URL, without the port.
fn host(url: &str) -> String {
    let authority = url.split("//").last().unwrap().split('/').next().unwrap();
    authority.split(':').next().unwrap().to_owned()
}

fn leaf_hash(body: &[u8]) -> Digest {
    Digest::of(&[&[0], body].concat())
}

fn node_hash(left: Digest, right: Digest) -> Digest {
    Digest::of(&[&[1][..], left.as_bytes(), right.as_bytes()].concat())
}

/// The largest power of two below `count` (RFC 6962, 2.1).
fn split(count: usize) -> usize {
    count.next_power_of_two() / 2
}

fn root(leaves: &[Digest]) -> Digest {
    let [only] = leaves else {
        let (left, right) = leaves.split_at(split(leaves.len()));
        return node_hash(root(left), root(right));
    };
    *only
}

fn path(position: usize, leaves: &[Digest]) -> Vec<Digest> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let middle = split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut hashes, sibling) =
        if position < middle { (path(position, left), right) } else { (path(position - middle, right), left) };
    hashes.push(root(sibling));
    hashes
}
