//! What packages say of their licences: whatever is denied stays denied where more is, and beside anything else.
#![no_main]

use std::sync::LazyLock;

use bonafide::policy::fuzzing::Licenses;
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::{seeds, text, time};
use libfuzzer_sys::fuzz_target;

const SEEDS: &str = "MIT OR AGPL-3.0-only\n(mit AND agpl-3.0+) OR GPL-2.0-only WITH Classpath-exception-2.0\n\
    LicenseRef-Acme AND DocumentRef-x:LicenseRef-acme\nMIT, AGPL-3.0-only; see COPYING\nGPL-2.0-or-later/Apache-2.0\n\
    GPL-2.0-with-GCC-exception\nNOASSERTION\nNONE\nBSD-3-Clause AND (ISC OR (Zlib AND LGPL-2.1+))\nAGPLv3";
/// Each with one more.
static DENIED: LazyLock<[Licenses; 4]> = LazyLock::new(|| {
    let all = ["AGPL-3.0-only", "GPL-2.0-or-later", "LicenseRef-Acme"];
    [0, 1, 2, 3].map(|count| Licenses::new(&all[..count]).expect("licences"))
});

fuzz_target!(init: seeds::plant(|| seeds::lines(SEEDS)), |bytes: &[u8]| {
    let (text, licenses) = (text(bytes), LazyLock::force(&DENIED));
    let ask = || time::within_seconds(2, || licenses.each_ref().map(|denied| denied.deny(text)));
    let denied = within(Bound::TREE, bytes.len(), ask);
    assert!(denied.is_sorted() && !denied[0], "{text:?}: {denied:?}");
    // Whoever writes a list of words does not lose one of them.
    let beside = format!("{text}, AGPL-3.0-only");
    assert!(licenses[1].deny(&beside), "{beside:?}");
});
