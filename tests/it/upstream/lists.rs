//! Referrers and tags: lists of several pages, and the difference between none and no answer.

use std::time::Duration;

use bonafide::oci::Digest;
use bonafide::upstream::{TagPage, UnavailableKind};
use serde_json::json;

use super::{Bed, MANIFEST, app, kind, tag};
use crate::support::registry::{Fault, Referrers, Registry};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// `count` referrers of the digest given back.
fn push_referrers(registry: &Registry, count: usize) -> Digest {
    let subject = registry.push_manifest("lib/app", Some("v1"), MANIFEST);
    for number in 0..count {
        let manifest = json!({"schemaVersion": 2, "artifactType": format!("test/{number}"),
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(b"{}"), "size": 2},
            "layers": [], "subject": {"mediaType": INDEX, "digest": subject, "size": MANIFEST.len()}});
        registry.push_manifest("lib/app", None, manifest.to_string());
    }
    subject
}

/// How many referrers are listed; `None` without the API.
async fn count(bed: &Bed, subject: Digest) -> Result<Option<usize>, UnavailableKind> {
    let referrers = bed.upstream.referrers(&app(), subject).await;
    referrers.map(|list| list.map(|list| list.len())).map_err(|unavailable| unavailable.kind)
}

#[tokio::test]
async fn referrers_of_all_pages_are_listed() {
    for (mode, requests) in [(Referrers::Served, 1), (Referrers::Paged(3), 3), (Referrers::Paged(1), 7)] {
        let bed = Bed::new().await;
        let subject = push_referrers(&bed.registry, 7);
        bed.registry.set_referrers(mode);
        assert_eq!(count(&bed, subject).await, Ok(Some(7)), "{mode:?}");
        assert_eq!(bed.asked("/referrers/"), requests);
    }
    let bed = Bed::new().await;
    let subject = push_referrers(&bed.registry, 0);
    assert_eq!(count(&bed, subject).await, Ok(Some(0)));
}

#[tokio::test]
async fn a_registry_that_says_it_has_no_referrers_api_has_none() {
    let web_page = Fault::Header("content-type", Some("text/html; charset=utf-8".into()));
    for fault in [Fault::Status(404), Fault::Status(405), Fault::Redirect(303, "/web".into()), web_page] {
        let bed = Bed::new().await;
        let subject = push_referrers(&bed.registry, 1);
        bed.registry.fault("/referrers/", fault.clone());
        assert_eq!(count(&bed, subject).await, Ok(None), "{fault:?}");
        assert_eq!(bed.asked(""), 1, "{fault:?}");
    }
    let bed = Bed::new().await;
    bed.registry.set_referrers(Referrers::Absent);
    let subject = push_referrers(&bed.registry, 1);
    assert_eq!(count(&bed, subject).await, Ok(None));
}

#[tokio::test]
async fn an_answer_that_is_no_list_is_not_an_empty_one() {
    let cases = [
        (Fault::Status(500), UnavailableKind::Status),
        (Fault::Status(400), UnavailableKind::Status),
        (Fault::Status(401), UnavailableKind::Unauthorized),
        (Fault::Status(403), UnavailableKind::Unauthorized),
        (Fault::CutAfter(20), UnavailableKind::Body),
        (Fault::Endless, UnavailableKind::Body),
        (Fault::Bytes(b"{}".to_vec()), UnavailableKind::Body),
        (Fault::Bytes(b"[]".to_vec()), UnavailableKind::Body),
        (Fault::Bytes(b"".to_vec()), UnavailableKind::Body),
        (Fault::Stall, UnavailableKind::Timeout),
    ];
    for (fault, expected) in cases {
        let bed = Bed::with(Registry::start().await, |settings| settings.answer_timeout = Duration::from_millis(500));
        let subject = push_referrers(&bed.registry, 1);
        bed.registry.fault("/referrers/", fault.clone());
        assert_eq!(count(&bed, subject).await, Err(expected), "{fault:?}");
    }
}

#[tokio::test]
async fn an_empty_list_may_be_written_as_null() {
    let bed = Bed::new().await;
    let subject = push_referrers(&bed.registry, 1);
    bed.registry.fault("/referrers/", Fault::Bytes(br#"{"schemaVersion":2,"manifests":null}"#.to_vec()));
    assert_eq!(count(&bed, subject).await, Ok(Some(0)));
}

#[tokio::test]
async fn one_entry_of_junk_does_not_hide_the_others() {
    let bed = Bed::new().await;
    let subject = push_referrers(&bed.registry, 0);
    let good = json!({"mediaType": INDEX, "digest": subject, "size": 2});
    let list = json!({"schemaVersion": 2, "manifests": [{"digest": "junk"}, 7, good]});
    bed.registry.fault("/referrers/", Fault::Bytes(list.to_string().into_bytes()));
    assert_eq!(count(&bed, subject).await, Ok(Some(1)));
}

#[tokio::test]
async fn a_list_that_goes_in_circles_ends() {
    let bed = Bed::new().await;
    let subject = push_referrers(&bed.registry, 2);
    let link = format!("</v2/lib/app/referrers/{subject}>; rel=\"next\"");
    bed.registry.fault("/referrers/", Fault::Header("link", Some(link)));
    assert_eq!(count(&bed, subject).await, Err(UnavailableKind::Body));
    assert_eq!(bed.asked("/referrers/"), 1);
}

#[tokio::test]
async fn a_list_of_too_many_pages_ends() {
    let bed = Bed::new().await;
    let subject = push_referrers(&bed.registry, 65);
    bed.registry.set_referrers(Referrers::Paged(1));
    assert_eq!(count(&bed, subject).await, Err(UnavailableKind::Body), "some may be hidden");
    assert_eq!(bed.asked("/referrers/"), 64);
}

#[tokio::test]
async fn of_a_list_longer_than_anybody_reads_the_beginning_is_taken() {
    let bed = Bed::new().await;
    let subject = push_referrers(&bed.registry, 1100);
    bed.registry.set_referrers(Referrers::Paged(17));
    assert_eq!(count(&bed, subject).await, Ok(Some(64 * 17)));
}

#[tokio::test]
async fn a_list_does_not_go_on_at_another_host() {
    let other = Registry::start().await;
    for link in [format!("<{}/v2/x>; rel=next", other.url()), format!("<//{}/v2/x>; rel=next", other.host())] {
        let bed = Bed::new().await;
        let subject = push_referrers(&bed.registry, 1);
        bed.registry.fault("/referrers/", Fault::Header("link", Some(link)));
        assert_eq!(count(&bed, subject).await, Err(UnavailableKind::Body));
    }
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn a_list_that_breaks_off_is_no_list() {
    let bed = Bed::new().await;
    let subject = push_referrers(&bed.registry, 2);
    bed.registry.set_referrers(Referrers::Paged(1));
    bed.registry.fault("from=1", Fault::Status(404));
    assert_eq!(count(&bed, subject).await, Err(UnavailableKind::Body));
}

#[tokio::test]
async fn tags_are_listed_page_by_page() {
    let bed = Bed::new().await;
    for name in ["v1", "v2", "v3"] {
        bed.registry.push_manifest("lib/app", Some(name), MANIFEST);
    }
    let TagPage { tags, more } = bed.upstream.tags(&app(), None, 2).await.unwrap().unwrap();
    assert_eq!((tags, more), (vec![tag("v1"), tag("v2")], true));
    let TagPage { tags, more } = bed.upstream.tags(&app(), Some(&tag("v2")), 2).await.unwrap().unwrap();
    assert_eq!((tags, more), (vec![tag("v3")], false));
    assert_eq!(bed.asked("/tags/list?n=2&last=v2"), 1);
}

#[tokio::test]
async fn a_registry_that_pages_shorter_has_more() {
    let bed = Bed::new().await;
    bed.registry.set_tag_page(1);
    bed.registry.push_manifest("lib/app", Some("v1"), MANIFEST);
    bed.registry.push_manifest("lib/app", Some("v2"), MANIFEST);
    let TagPage { tags, more } = bed.upstream.tags(&app(), None, 10).await.unwrap().unwrap();
    assert_eq!((tags, more), (vec![tag("v1")], true));
}

#[tokio::test]
async fn a_registry_that_ignores_paging_is_sorted_and_paged_here() {
    let bed = Bed::new().await;
    bed.registry.push_manifest("lib/app", Some("v1"), MANIFEST);
    let all = br#"{"name":"lib/app","tags":["b","a","not a tag","d","c"]}"#;
    bed.registry.fault("/tags/list", Fault::Bytes(all.to_vec()));
    let TagPage { tags, more } = bed.upstream.tags(&app(), None, 2).await.unwrap().unwrap();
    assert_eq!((tags, more), (vec![tag("a"), tag("b")], true));
    let TagPage { tags, more } = bed.upstream.tags(&app(), Some(&tag("b")), 2).await.unwrap().unwrap();
    assert_eq!((tags, more), (vec![tag("c"), tag("d")], false));
}

#[tokio::test]
async fn the_last_page_keeps_the_order_of_its_registry() {
    let bed = Bed::new().await;
    bed.registry.push_manifest("lib/app", Some("v1"), MANIFEST);
    // "C" is before "b" in ASCII, and after it in the order that ignores case: both are lexical to the specification.
    bed.registry.fault("/tags/list", Fault::Bytes(br#"{"name":"lib/app","tags":["C","d"]}"#.to_vec()));
    let TagPage { tags, more } = bed.upstream.tags(&app(), Some(&tag("b")), 2).await.unwrap().unwrap();
    assert_eq!((tags, more), (vec![tag("C"), tag("d")], false));
}

#[tokio::test]
async fn what_is_no_list_of_tags_is_an_error() {
    for fault in [Fault::Bytes(b"[]".to_vec()), Fault::Endless, Fault::CutAfter(3)] {
        let bed = Bed::new().await;
        bed.registry.push_manifest("lib/app", Some("v1"), MANIFEST);
        bed.registry.fault("/tags/list", fault);
        assert_eq!(kind(bed.upstream.tags(&app(), None, 2).await), UnavailableKind::Body);
    }
}
