//! Predicates by themselves, in a statement that is always the same.

use bonafide::evidence::{Predicate, Statement};
use serde_json::Value;

use crate::heap::{Bound, within};

/// Reads `predicate` as one of type `kind`: as it is, and as text (`cosign attest --type`).
///
/// # Panics
/// If the two are not read alike, or take too much heap.
pub fn read(kind: &str, predicate: &[u8]) {
    let Ok(text) = std::str::from_utf8(predicate) else { return };
    let plain = parsed(kind, text);
    let wrapped = parsed(kind, &Value::from(text).to_string());
    // What is no JSON by itself is none in a statement, but may be one in a string.
    if let (Some(plain), Some(wrapped)) = (&plain, &wrapped) {
        assert_eq!(plain, wrapped);
    }
}

fn parsed(kind: &str, predicate: &str) -> Option<Predicate> {
    let statement = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"{kind}","predicate":{predicate}}}"#
    );
    within(Bound::TREE, statement.len(), || Statement::parse(statement.as_bytes()).ok()).map(|it| it.predicate)
}
