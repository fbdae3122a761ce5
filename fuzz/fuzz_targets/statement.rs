//! Statements, as they stand in an envelope: what is read is JSON, and has no more subjects than are looked at.
#![no_main]

use bonafide::evidence::Statement;
use bonafide::limits::{DIGESTS_PER_SUBJECT, SUBJECTS};
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::seeds;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(seeds::payloads), |bytes: &[u8]| {
    if let Ok(statement) = within(Bound::TREE, bytes.len(), || Statement::parse(bytes)) {
        assert!(statement.subjects.len() <= SUBJECTS * DIGESTS_PER_SUBJECT);
        assert!(serde_json::from_slice::<serde_json::Value>(bytes).is_ok());
    }
});
