//! What a warm request for a manifest costs in allocations, judged each time: through the front door and the gate, over a
//! real connection. A binary of its own, since it counts what all threads of the process allocate.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "the integration tests use more of it")]
#[path = "it/support/mod.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

use bonafide::oci::Digest;

use crate::support::authority::Authority;
use crate::support::authority::seed::{self, RULE};
use crate::support::content::Repositories;
use crate::support::mirror::{Mirror, world};
use crate::support::registry::Registry;

const REPOSITORY: &str = "fystacklabs/apex";
const TAG: &str = "v1.2.3";
/// How many allocations each request may take, hyper's own included. They are the same each time, so that one more `String`
/// on the way breaks this.
const MOST: [(&str, Reference, f64); 4] = [
    ("GET", Reference::Tag, 14.5),
    ("GET", Reference::Digest, 13.5),
    ("HEAD", Reference::Tag, 14.5),
    ("HEAD", Reference::Digest, 13.5),
];
/// Timers and caches allocate now and then, for nobody in particular: the cheapest of many batches is without them.
const BATCHES: usize = 50;
const BATCH: u32 = 20;

#[derive(Debug, Clone, Copy)]
enum Reference {
    Tag,
    Digest,
}

/// The system's allocator, counted.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe to write; this one only counts, and leaves the rest to the system's"
)]
// SAFETY: each call is handed on as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// A client that allocates nothing: one connection, one request, and room for its answer.
struct Client {
    connection: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Client {
    fn new(address: SocketAddr, method: &str, reference: &str) -> Self {
        let request = format!("{method} /v2/{REPOSITORY}/manifests/{reference} HTTP/1.1\r\nhost: mirror\r\n\r\n");
        let connection = TcpStream::connect(address).unwrap();
        let mut client = Self { connection, request: request.into_bytes(), answer: vec![0; 64 * 1024] };
        // The answer is always as long as the first one, which is all there is once nothing more comes for a request.
        client.connection.write_all(&client.request).unwrap();
        let mut length = client.connection.read(&mut client.answer).unwrap();
        let text = String::from_utf8_lossy(&client.answer[..length]).into_owned();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        let body = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok()).unwrap();
        let whole = head.len() + 4 + if method == "HEAD" { 0 } else { body };
        while length < whole {
            length += client.connection.read(&mut client.answer[length..]).unwrap();
        }
        client.answer.truncate(whole);
        client
    }

    fn ask(&mut self) {
        self.connection.write_all(&self.request).unwrap();
        self.connection.read_exact(&mut self.answer).unwrap();
    }

    /// The allocations of one request.
    fn cost(&mut self) -> f64 {
        let costs = (0..BATCHES).map(|_| {
            let before = ALLOCATIONS.load(Ordering::Relaxed);
            (0..BATCH).for_each(|_| self.ask());
            let made = ALLOCATIONS.load(Ordering::Relaxed) - before;
            f64::from(u32::try_from(made).unwrap()) / f64::from(BATCH)
        });
        costs.fold(f64::INFINITY, f64::min)
    }
}

/// A mirror of a registry with one release, which was pulled before.
async fn pulled() -> (Registry, Mirror, Digest) {
    let (authority, registry) = (Authority::new("corp"), Registry::start().await);
    let mut repositories = Repositories::default();
    let release = seed::era_a(&authority, &mut repositories, REPOSITORY, TAG);
    registry.publish(repositories);
    let mirror = Mirror::start(&authority, &format!("{}{RULE}", world(&registry))).await;
    mirror.get(&format!("/v2/{REPOSITORY}/manifests/{TAG}")).await;
    // Without its registry: out of memory, or not at all.
    registry.stop().await;
    (registry, mirror, release.image.digest())
}

#[test]
fn a_warm_manifest_costs_few_allocations() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (_registry, mirror, digest) = runtime.block_on(pulled());
    for (method, reference, most) in MOST {
        let reference = match reference {
            Reference::Tag => TAG.to_owned(),
            Reference::Digest => digest.to_string(),
        };
        let cost = Client::new(mirror.address(), method, &reference).cost();
        assert!(cost <= most, "{method} {reference}: {cost} allocations");
    }
}
