//! What a TUF repository answers, in place of one file or several of a good one, through all of an update: nothing but what
//! its keys signed is ever vouched for.
#![no_main]

use std::sync::{Arc, LazyLock};

use bonafide::trust::fuzzing::vouched;
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::repository::{Answers, REPOSITORY, TARGET};
use bonafide_fuzz::{seeds, text};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

/// Names of files, each with what stands in its place, all of it between NULs.
fn answers(bytes: &[u8]) -> Answers {
    let mut parts = bytes.split(|byte| *byte == 0);
    let mut answers = REPOSITORY.answers.clone();
    while let (Some(name), Some(content)) = (parts.next(), parts.next()) {
        answers.insert(text(name), content);
    }
    answers
}

fuzz_target!(init: seeds::plant(|| REPOSITORY.inputs()), |bytes: &[u8]| {
    let repository = LazyLock::force(&REPOSITORY);
    let answers = answers(bytes);
    let length = answers.length();
    let (anchor, folder, now) = (&repository.anchor, repository.folder.path(), repository.now);
    LazyLock::force(&RUNTIME);
    let root = within(Bound::CHECK, length, || RUNTIME.block_on(vouched(anchor, TARGET, Arc::new(answers), folder, now)));
    assert!(root.is_none_or(|root| repository.signed.contains(&root)), "nobody signed it");
});
