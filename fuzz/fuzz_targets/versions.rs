//! Versions and ranges of them (VERS, OSV), in the order of each type of package: an order is one, and ranges agree with it.
#![no_main]

use std::cmp::Ordering;

use bonafide::policy::fuzzing::{KINDS, compare, is_affected, is_in_range};
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::{seeds, text};
use libfuzzer_sys::fuzz_target;

const SEEDS: &str = "1.2.3 1.2.4-rc.1 >=1.2.0|<1.2.7|>=1.3.0|!=1.3.1 v1\n1.0a1.dev3+local 1!2.0.post1 >1.0|<=2.0 0\n\
    1:2.3~rc1-4 2.3+dfsg-1ubuntu2 * 1\n1.0-SNAPSHOT 1.0.Final vers:maven/>=1.0 1-alpha\n1.2.3_rc1-r4 1.2.3_p1 <2 1.2b\n\
    1.0.0.pre 1.0.0.1 =1.0 1.0\n1.2.3.4 1.2.3-Beta >=1|<2 01.2\n1.0.0-dev 1.0pl1 !=1 #";

/// An order of two is the other way round the other way round, and goes on over a third. Two versions of Maven may have none
/// though there is one between them; what is not known is denied.
fn check_order(kind: &str, [one, two, three]: [&str; 3]) {
    let order = compare(kind, one, two);
    assert_eq!(order, compare(kind, two, one).map(Ordering::reverse), "{kind}: {one:?}, {two:?}");
    assert!(compare(kind, one, one).is_none_or(Ordering::is_eq), "{kind}: {one:?}");
    if let (Some(order), Some(next)) = (order, compare(kind, two, three)) {
        let whole = compare(kind, one, three);
        let is_unknown = kind == "maven" && whole.is_none();
        let agrees = is_unknown
            || order != next && order.is_ne() && next.is_ne()
            || whole == Some(if order.is_eq() { next } else { order });
        assert!(agrees, "{kind}: {one:?}, {two:?}, {three:?}: {order:?}, {next:?}, {whole:?}");
    }
}

/// A range of OSV and the same one in VERS hold the same versions, where these can be written without the signs of VERS.
fn check_range(kind: &str, [from, to, version]: [&str; 3]) {
    let affected = is_affected(kind, &[(0, from), (1, to)], version);
    let is_plain =
        |version: &str| !version.contains(|sign: char| !sign.is_ascii_graphic() || "|,<>=!*%".contains(sign));
    if from != "0" && is_plain(from) && is_plain(to) && compare(kind, from, to) == Some(Ordering::Less) {
        let range = is_in_range(kind, &format!(">={from}|<{to}"), version);
        assert!(
            range.is_none() || affected == range,
            "{kind}: {version:?} in {from:?} to {to:?}: {affected:?}, {range:?}"
        );
    }
}

fuzz_target!(init: seeds::plant(|| seeds::lines(SEEDS)), |bytes: &[u8]| {
    let mut texts = text(bytes).splitn(4, ' ');
    let [one, two, range, three] = [(); 4].map(|()| texts.next().unwrap_or_default());
    within(Bound::PARSER, 4 * bytes.len(), || {
        for kind in KINDS {
            check_order(kind, [one, two, three]);
            check_range(kind, [one, two, three]);
            is_in_range(kind, range, one);
            let events: Vec<_> = range.split('|').zip((0..=2).cycle()).map(|(version, what)| (what, version)).collect();
            is_affected(kind, &events, two);
        }
    });
});
