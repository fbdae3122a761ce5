//! Everything at once: an upstream that lies, cuts, stalls, reorders and goes down, kills, limits and vandals, while clients
//! pull. `BONAFIDE_CHAOS_SECONDS` says for how long, `BONAFIDE_CHAOS_SEED` in which order.

use std::env;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use rustix::process::Resource;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bed::{Bed, Outcome, Random, SIGNED, Thing, ask};
use crate::support::registry::Fault;

const SECONDS: u64 = 6;
const CLIENTS: u64 = 4;
/// It goes on until clients have got so much.
const GOOD_ANSWERS: usize = 1000;
const LAYER: usize = 700_000;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap())
}

/// A client that asks for anything, in any way, and believes what it got to its end.
struct Client {
    front: watch::Receiver<String>,
    things: Arc<[Thing]>,
    random: Random,
    got: Arc<AtomicUsize>,
}

impl Client {
    async fn run(mut self) {
        loop {
            self.ask_for_something().await;
        }
    }

    async fn ask_for_something(&mut self) {
        let thing = self.things[self.random.below(self.things.len())].clone();
        let front = self.front.borrow().clone();
        let is_blob = thing.path.contains("/blobs/");
        let (method, part) = match self.random.below(4) {
            0 => (Method::HEAD, 0..0),
            1 if is_blob => (Method::GET, self.part(thing.bytes.len())),
            _ => (Method::GET, 0..thing.bytes.len()),
        };
        let range = (is_blob && method == Method::GET).then(|| (part.start, part.end - 1));
        match ask(&front, method, &thing.path, range).await {
            Outcome::Whole { status: StatusCode::OK | StatusCode::PARTIAL_CONTENT, body } => {
                assert!(body == thing.bytes[part.clone()], "wrong bytes of {} in {part:?}", thing.path);
                self.got.fetch_add(1, Ordering::Relaxed);
            }
            // Nobody has asked for what reaches it, or what it reaches could not be written down before a kill.
            Outcome::Whole { status: StatusCode::FORBIDDEN, .. } if !thing.is_root => {}
            // Its evidence was withheld: what cannot be proven is refused.
            Outcome::Whole { status: StatusCode::FORBIDDEN, .. } if thing.path.contains(SIGNED) => {}
            // Its tag is said to be of a digest that is not there.
            Outcome::Whole { status: StatusCode::NOT_FOUND, .. } if !thing.path.contains("sha256:") => {}
            Outcome::Whole { status, body } => {
                assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{} {body:?}", thing.path);
            }
            Outcome::Cut | Outcome::Left => sleep(Duration::from_millis(20)).await,
        }
    }

    fn part(&mut self, length: usize) -> std::ops::Range<usize> {
        let first = self.random.below(length);
        first..first + 1 + self.random.below(length - first)
    }
}

/// What the upstream does next.
fn lie(random: &mut Random, things: &[Thing]) -> Fault {
    let at = random.below(LAYER);
    match random.below(13) {
        0 => Fault::Status(500),
        1 => Fault::Stall,
        2 => Fault::StallAfter(at),
        3 | 4 => Fault::CutAfter(at),
        5 => Fault::Endless,
        6 => Fault::Unranged,
        7 => lying_digest(),
        8 => Fault::Header("content-type", Some("text/html".into())),
        // Too long, or too short.
        11 | 12 => Fault::Length(2 * at),
        // The bytes of something else, and those of something in another order.
        9 => Fault::Bytes(things[random.below(things.len())].bytes.clone()),
        _ => {
            let mut bytes = things[random.below(things.len())].bytes.clone();
            let middle = bytes.len() / 2;
            bytes.rotate_left(middle);
            Fault::Bytes(bytes)
        }
    }
}

fn lying_digest() -> Fault {
    Fault::Header("docker-content-digest", Some(format!("sha256:{}", "0".repeat(64))))
}

/// Damages content behind the back of the program. Who has it open reads on: files are replaced.
fn vandalise(bed: &Bed, random: &mut Random) {
    let files = bed.content_files();
    if files.is_empty() {
        return;
    }
    let file = &files[random.below(files.len())];
    let bytes = fs::read(file);
    // It may be found out, or mended, at this moment.
    let Some(mut bytes) = bytes.ok().filter(|bytes| !bytes.is_empty()) else { return };
    let at = random.below(bytes.len());
    match random.below(3) {
        0 => drop(fs::remove_file(file)),
        1 => replace(bed, file, &bytes[..at]),
        _ => {
            bytes[at] ^= 1;
            replace(bed, file, &bytes);
        }
    }
}

fn replace(bed: &Bed, file: &Path, bytes: &[u8]) {
    let aside = bed.path("aside");
    fs::write(&aside, bytes).unwrap();
    fs::rename(aside, file).unwrap();
}

async fn trouble(bed: &mut Bed, random: &mut Random, front: &watch::Sender<String>) {
    let things = bed.things();
    match random.below(13) {
        0 => {
            bed.kill();
            vandalise(bed, random);
            vandalise(bed, random);
            bed.start();
            assert_eq!(bed.partial_files(), 0, "what a killed process left is gone");
            front.send_replace(bed.front());
        }
        1 => vandalise(bed, random),
        2 => limit_for_a_while(bed, Resource::Fsize, 100_000 + random.below(LAYER) as u64).await,
        3 => limit_for_a_while(bed, Resource::Nofile, bed.open_files() + random.below(4) as u64).await,
        4 => {
            bed.registry.stop().await;
            sleep(Duration::from_millis(100)).await;
            bed.registry.restart().await;
        }
        5 => bed.registry.clear_faults(),
        // The only answer whose digest is believed, since it has no bytes.
        6 => bed.registry.fault_times(1 + random.below(3), "HEAD /v2/", lying_digest()),
        7 => bed.registry.fault_times(1 + random.below(3), &format!("GET /v2/{SIGNED}/"), lie(random, &things)),
        _ => bed.registry.fault_times(1 + random.below(3), "GET /v2/open/", lie(random, &things)),
    }
}

async fn limit_for_a_while(bed: &Bed, resource: Resource, most: u64) {
    bed.limit(resource, Some(most));
    sleep(Duration::from_millis(200)).await;
    bed.limit(resource, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_no_client_gets_a_wrong_byte_and_the_store_is_whole_in_the_end() {
    let seed = number("BONAFIDE_CHAOS_SEED").unwrap_or(4);
    let until = Instant::now() + Duration::from_secs(number("BONAFIDE_CHAOS_SECONDS").unwrap_or(SECONDS));
    let (mut bed, mut random) = (Bed::new(4, LAYER).await, Random(seed | 1));
    let (front, watching) = watch::channel(bed.front());
    let (things, got): (Arc<[Thing]>, _) = (bed.things().into(), Arc::new(AtomicUsize::new(0)));
    let (clients, stop) = (TaskTracker::new(), CancellationToken::new());
    let mut running = Vec::new();
    for number in 1..=CLIENTS {
        let client = Client {
            front: watching.clone(),
            things: Arc::clone(&things),
            random: Random(seed + number),
            got: Arc::clone(&got),
        };
        running.push(clients.spawn(stop.clone().run_until_cancelled_owned(client.run())));
    }
    let too_long = until + Duration::from_mins(2);
    while Instant::now() < until || got.load(Ordering::Relaxed) < GOOD_ANSWERS {
        assert!(Instant::now() < too_long, "only {} good answers", got.load(Ordering::Relaxed));
        trouble(&mut bed, &mut random, &front).await;
        sleep(Duration::from_millis(20 + random.below(150) as u64)).await;
    }
    stop.cancel();
    for client in running {
        client.await.expect("no client got a wrong byte");
    }
    bed.registry.clear_faults();
    bed.kill();
    bed.start();
    // What was bent is found out by whoever reads it first after a start, and mended.
    bed.pull_in_the_end(&things).await;
    bed.registry.stop().await;
    bed.pull_in_the_end(&things).await;
    bed.kill();
    let (code, text) = bed.check();
    assert_eq!(code, Some(0), "seed {seed}: {text}");
}
