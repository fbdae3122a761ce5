//! One key is one signer: no threshold is met twice by the same key under two names.
//!
//! A key ID is whatever the repository says (TUF, 4.2), so two of them may mean the same key (GHSA-fphv-w9fq-2525).

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use sigstore_tuf::Key;

/// What of metadata says who may sign: of a root, and of targets that delegate.
#[derive(Deserialize)]
struct Metadata {
    signed: Signed,
}

#[derive(Deserialize)]
struct Signed {
    #[serde(default)]
    keys: BTreeMap<String, Key>,
    #[serde(default)]
    roles: BTreeMap<String, Role>,
    delegations: Option<Delegations>,
}

#[derive(Deserialize)]
struct Delegations {
    #[serde(default)]
    keys: BTreeMap<String, Key>,
    #[serde(default)]
    roles: Vec<Role>,
}

#[derive(Deserialize)]
struct Role {
    #[serde(default)]
    name: String,
    keyids: Vec<String>,
}

/// Nothing if every role in `metadata` has each of its keys once; else which has not. What cannot be read is none of its
/// business: nor can whoever verifies it.
///
/// # Errors
/// The name of a role with one key under two names.
pub(in crate::trust::tuf) fn check_distinct(metadata: &[u8]) -> Result<(), String> {
    let Ok(Metadata { signed }) = serde_json::from_slice(metadata) else { return Ok(()) };
    for (name, role) in &signed.roles {
        check(name, role, &signed.keys)?;
    }
    let Some(delegations) = &signed.delegations else { return Ok(()) };
    delegations.roles.iter().try_for_each(|role| check(&role.name, role, &delegations.keys))
}

fn check(name: &str, role: &Role, keys: &BTreeMap<String, Key>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for id in role.keyids.iter().collect::<BTreeSet<_>>() {
        let Some(key) = keys.get(id) else { continue };
        if !seen.insert(material(key)) {
            return Err(format!("the role {name:?} names one key twice"));
        }
    }
    Ok(())
}

/// The key itself, however it is written; a key that cannot be used as it is written: it verifies nothing.
fn material(key: &Key) -> Vec<u8> {
    match key.verification_key() {
        Ok(usable) => usable.as_bytes().to_vec(),
        Err(_) => key.keyval.public.trim().as_bytes().to_vec(),
    }
}
