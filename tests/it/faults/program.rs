//! One trouble at a time, against the real program.

use std::fs;
use std::time::Duration;

use bonafide::oci::Digest;
use http::{Method, StatusCode};
use rustix::process::Resource;

use super::bed::{Bed, Outcome, SIGNED, Thing, ask};
use crate::support::registry::Fault;

const LAYER: usize = 1_000_000;
const UNKEPT: &str = "bonafide_content_unkept_total";

fn layers(bed: &Bed) -> Vec<Thing> {
    bed.things().into_iter().filter(|thing| thing.bytes.len() == LAYER).collect()
}

async fn is_kept(bed: &Bed, thing: &Thing) -> bool {
    while bed.metric("bonafide_content_fetches").await > 0.0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bed.content_files().iter().any(|file| file.ends_with(Digest::of(&thing.bytes).hex()))
}

/// What is left when the trouble is over is whole.
fn assert_whole(bed: &mut Bed) {
    bed.kill();
    let (code, text) = bed.check();
    assert_eq!(code, Some(0), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_disk_that_takes_no_more_all_is_pulled_and_with_room_again_it_is_kept() {
    let mut bed = Bed::new(2, LAYER).await;
    bed.limit(Resource::Fsize, Some(200_000));
    bed.pull(&bed.things()).await;
    bed.pull(&bed.things()).await;
    assert!(bed.metric(UNKEPT).await >= 4.0);
    for layer in layers(&bed) {
        assert!(!is_kept(&bed, &layer).await);
    }
    bed.limit(Resource::Fsize, None);
    bed.pull(&bed.things()).await;
    for layer in layers(&bed) {
        assert!(is_kept(&bed, &layer).await);
    }
    assert_whole(&mut bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_disk_that_takes_nothing_all_is_pulled() {
    let mut bed = Bed::new(1, LAYER).await;
    let (partial, aside) = (bed.path("state/content/partial"), bed.path("aside"));
    fs::rename(&partial, &aside).unwrap();
    fs::write(&partial, "no folder").unwrap();
    bed.pull(&bed.things()).await;
    assert!(bed.metric(UNKEPT).await > 0.0);
    fs::remove_file(&partial).unwrap();
    fs::rename(&aside, &partial).unwrap();
    bed.pull(&bed.things()).await;
    assert!(is_kept(&bed, &layers(&bed)[0]).await);
    assert_whole(&mut bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_may_have_all_files_open_that_the_host_lets_it_have() {
    let bed = Bed::new(0, 0).await;
    let limits = fs::read_to_string(format!("/proc/{}/limits", bed.process_id())).unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let [soft, hard] = [0, 1].map(|column| files.split_whitespace().nth(column).unwrap());
    assert_eq!(soft, hard);
}

#[tokio::test(flavor = "multi_thread")]
async fn out_of_files_an_answer_is_right_or_a_503_and_with_files_again_all_is_pulled() {
    let mut bed = Bed::new(2, LAYER).await;
    bed.pull(&bed.things()[..2]).await;
    for more in [0, 1, 2, 3, 5] {
        bed.limit(Resource::Nofile, Some(bed.open_files() + more));
        for thing in bed.things() {
            match ask(&bed.front(), Method::GET, &thing.path, None).await {
                Outcome::Whole { status: StatusCode::OK, body } => assert!(body == thing.bytes, "{}", thing.path),
                Outcome::Whole { status, body } => {
                    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{} {body:?}", thing.path);
                }
                // With no file for its connection, it waits for one.
                Outcome::Left if more == 0 => {}
                unanswered @ (Outcome::Cut | Outcome::Left) => {
                    panic!("{unanswered:?}: {} with {more} files", thing.path)
                }
            }
        }
        bed.limit(Resource::Nofile, None);
    }
    bed.pull_in_the_end(&bed.things()).await;
    assert_whole(&mut bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_vanishes_or_shrinks_while_it_runs_is_fetched_again() {
    let mut bed = Bed::new(1, LAYER).await;
    bed.pull(&bed.things()).await;
    for layer in layers(&bed) {
        assert!(is_kept(&bed, &layer).await);
    }
    let file = |bytes: &[u8]| {
        let hex = Digest::of(bytes).hex();
        bed.path("state/content/sha256").join(&hex[..2]).join(hex)
    };
    let [first, second] = [&layers(&bed)[0], &layers(&bed)[1]];
    fs::remove_file(file(&first.bytes)).unwrap();
    fs::File::options().write(true).open(file(&second.bytes)).unwrap().set_len(7).unwrap();
    bed.pull(&layers(&bed)).await;
    assert!(bed.metric("bonafide_digest_mismatches_total").await > 0.0);
    assert!(is_kept(&bed, &layers(&bed)[0]).await && is_kept(&bed, &layers(&bed)[1]).await);
    assert_whole(&mut bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_a_fetch_or_of_a_proof_leaves_nothing_half_done() {
    let mut bed = Bed::new(1, LAYER).await;
    let open: Vec<_> = bed.things().into_iter().filter(|thing| !thing.path.contains(SIGNED)).collect();
    bed.pull(&open).await;
    let layer = layers(&bed).remove(1);
    assert!(is_kept(&bed, &layer).await);
    for file in bed.content_files() {
        fs::remove_file(file).unwrap();
    }
    let signed = bed.things().into_iter().find(|thing| thing.path.contains(SIGNED)).unwrap();
    for (thing, part, fault) in [
        (&layer, "GET /v2/open/app0/blobs/", Fault::StallAfter(LAYER / 2)),
        (&layer, "GET /v2/open/app0/blobs/", Fault::StallAfter(LAYER - 1)),
        (&signed, "GET /v2/fystacklabs/apex/blobs/", Fault::Stall),
    ] {
        bed.registry.fault(part, fault);
        let front = bed.front();
        let asking = tokio::time::timeout(Duration::from_millis(500), ask(&front, Method::GET, &thing.path, None));
        let early = asking.await;
        assert!(early.is_err(), "{part}: {early:?}");
        bed.kill();
        bed.registry.clear_faults();
        bed.start();
        assert_eq!(bed.partial_files(), 0);
    }
    bed.pull(&bed.things()).await;
    assert_whole(&mut bed);
}
