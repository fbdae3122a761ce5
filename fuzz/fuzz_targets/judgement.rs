//! Statements that a trusted key signed, whatever they say, through all of a rule: packages, licences, resources, findings and
//! conditions over them. Nothing is proven but what was signed, and every image is judged, in bounded time.
#![no_main]

use std::sync::LazyLock;

use bonafide::policy::Decision;
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::world::WORLD;
use bonafide_fuzz::{seeds, time};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::plant(|| WORLD.statements()), |bytes: &[u8]| {
    let world = LazyLock::force(&WORLD);
    let facts = within(Bound::CHECK, bytes.len(), || world.say(bytes));
    let judge = || time::within_seconds(2, || (world.judge(facts.clone()), world.judge_others(facts.clone())));
    let (decision, others) = within(Bound::CHECK, bytes.len(), judge);
    assert_eq!(decision, Decision::Refuse, "one statement is not all of it");
    assert!(!others.contains(&Decision::Undecided), "all that there is was seen");
});
