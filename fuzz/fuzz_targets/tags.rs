//! Lists of tags: a page has no more than was asked for, and none twice over where the registry lists everything each time.
#![no_main]

use bonafide::oci::Tag;
use bonafide::upstream::fuzzing::tags;
use bonafide_fuzz::heap::{Bound, within};
use bonafide_fuzz::{seeds, text};
use libfuzzer_sys::fuzz_target;

const SEEDS: &str = r#"{"name":"library/nginx","tags":["1.27","latest","1.27","v1.2.3-rc.1_x","sha256-e3b0.sig"]}
{"name":"a","tags":null}
{"tags":["b","a","","-","a/b","c"]}
{"name":"a","errors":[]}"#;

/// Of the tag after which to go on, and what is asked for.
fn last(bytes: &[u8]) -> (Option<Tag>, &[u8]) {
    match bytes.iter().position(|byte| *byte == 0).and_then(|at| bytes.split_at_checked(at)) {
        Some((last, rest)) => (text(last).parse().ok(), rest.get(1..).unwrap_or_default()),
        None => (None, bytes),
    }
}

fn lists() -> Vec<Vec<u8>> {
    let lists = seeds::lines(SEEDS);
    let after = lists.iter().map(|list| [b"b\0", &list[..]].concat()).collect::<Vec<_>>();
    lists.into_iter().chain(after).collect()
}

fuzz_target!(init: seeds::plant(lists), |bytes: &[u8]| {
    let (last, body) = last(bytes);
    for limit in [0, 2, 10_000] {
        let most = usize::try_from(limit).expect("a small number");
        let page = |goes_on| within(Bound::PARSER, bytes.len(), || tags(body, goes_on, last.as_ref(), limit));
        let (Some(whole), Some(part)) = (page(false), page(true)) else { return };
        assert!(whole.tags.len() <= most && part.tags.len() <= most && part.more);
        // What is listed as a whole goes on after the last that was seen, or the client would never come to an end.
        let is_listed = || part.tags.contains(last.as_ref().expect("a tag"));
        if last.is_none() || (limit == 10_000 && is_listed()) {
            assert!(whole.tags.is_sorted() && whole.tags.iter().all(|tag| last.as_ref().is_none_or(|last| tag > last)));
        }
    }
});
