//! What clients cost of memory that ask for a large blob and take nothing of it, over each protocol; and what the program
//! takes before anybody asks. A binary of its own, since it counts what the threads that serve allocate.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use bonafide::clock::SystemClock;
use bonafide::content::{ByteSize, Library, Settings};
use bonafide::listen::{Answer, Body, Limits, Listener, Protocol, TlsSettings};
use bonafide::oci::Digest;
use futures_util::StreamExt;
use http::{Request, Response};
use hyper::body::Incoming;
use prometheus::{IntCounter, Registry};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const KIB: usize = 1024;
/// More than all buffers of the operating system between two programs take.
const SMALL: usize = 32 * 1024 * KIB;
const LARGE: usize = 4 * SMALL;
/// Clients of each kind.
const CLIENTS: usize = 8;
/// More streams of one HTTP/2 connection than are answered at a time.
const MANY: usize = 128;
const ANSWERED: usize = 32;

/// Most KiB that a client holds, by protocol: two pieces of 64 KiB for each answer, and what the connection takes.
const MOST: [(Speaks, usize); 6] = [
    (Speaks { tls: false, streams: None }, 64),
    (Speaks { tls: true, streams: None }, 200),
    (Speaks { tls: false, streams: Some(1) }, 200),
    (Speaks { tls: true, streams: Some(1) }, 280),
    (Speaks { tls: false, streams: Some(MANY) }, ANSWERED * 128 + 512),
    (Speaks { tls: true, streams: Some(MANY) }, ANSWERED * 128 + 512),
];

/// The system's allocator, counted on the threads that serve.
struct Counting;

thread_local! {
    static SERVES: Cell<bool> = const { Cell::new(false) };
}
/// Below zero where these threads free what others made.
static NOW: AtomicIsize = AtomicIsize::new(0);
static MOST_AT_A_TIME: AtomicIsize = AtomicIsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe to write; this one only counts, and leaves the rest to the system's"
)]
// SAFETY: each call is handed on as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if SERVES.get() {
            let size = layout.size().cast_signed();
            let now = NOW.fetch_add(size, Ordering::Relaxed) + size;
            MOST_AT_A_TIME.fetch_max(now, Ordering::Relaxed);
        }
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if SERVES.get() {
            NOW.fetch_sub(layout.size().cast_signed(), Ordering::Relaxed);
        }
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// How a client asks.
#[derive(Debug, Clone, Copy)]
struct Speaks {
    tls: bool,
    /// So many times at once over HTTP/2; once over HTTP/1.1 without.
    streams: Option<usize>,
}

/// Answers everything with the one content of a library.
#[derive(Debug)]
struct OneBlob {
    library: Library,
    digest: Digest,
    size: u64,
    /// Bytes that were handed over, and answers that were begun.
    handed_over: IntCounter,
    begun: AtomicUsize,
}

impl Answer for OneBlob {
    async fn answer(self: Arc<Self>, _: Request<Incoming>, _: IpAddr) -> Response<Body> {
        let reader = self.library.blob(self.digest, self.size).await.unwrap().unwrap();
        self.begun.fetch_add(1, Ordering::Relaxed);
        let size = self.size;
        let body = Body::stream(move |takes| reader.pieces(0..size, takes).boxed(), size);
        Response::new(body.counting(self.handed_over.clone()))
    }
}

/// A server of one blob, with and without TLS.
struct Bed {
    blob: Arc<OneBlob>,
    plain: SocketAddr,
    tls: SocketAddr,
    client: Arc<ClientConfig>,
    _folder: tempfile::TempDir,
    _runtime: Runtime,
}

impl Bed {
    fn new(size: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let digest = Digest::of(&vec![0; size]);
        let hex = digest.hex();
        // Where a library finds it: it came in some time before. It takes no room.
        let shard = folder.path().join("content/sha256").join(&hex[..2]);
        fs::create_dir_all(&shard).unwrap();
        File::create(shard.join(hex)).unwrap().set_len(size as u64).unwrap();
        let (tls, client) = certificate(folder.path());
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().on_thread_start(|| SERVES.set(true)).build().unwrap();
        let start = serve(folder.path().to_owned(), digest, size as u64, tls);
        // On a thread that is counted.
        let start = runtime.block_on(async { TaskTracker::new().spawn(start).await });
        let (blob, plain, tls) = start.unwrap();
        Self { blob, plain, tls, client, _folder: folder, _runtime: runtime }
    }

    fn connect(&self, speaks: Speaks) -> Box<dyn Connection> {
        let stream = TcpStream::connect(if speaks.tls { self.tls } else { self.plain }).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        if !speaks.tls {
            return Box::new(stream);
        }
        let mut config = ClientConfig::clone(&self.client);
        config.alpn_protocols = vec![if speaks.streams.is_some() { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        let name = ServerName::try_from("localhost").unwrap();
        Box::new(StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream))
    }

    /// The bytes that each of many clients costs at most that ask as `speaks` says, and take the first bytes alone.
    fn cost(&self, speaks: Speaks) -> usize {
        // What is made once, for all.
        drop(self.asked(speaks));
        let (before, begun) = (NOW.load(Ordering::Relaxed), self.blob.begun.load(Ordering::Relaxed));
        MOST_AT_A_TIME.store(before, Ordering::Relaxed);
        let clients: Vec<_> = (0..CLIENTS).map(|_| self.asked(speaks)).collect();
        while self.blob.begun.load(Ordering::Relaxed) < begun + CLIENTS * speaks.streams.unwrap_or(1).min(ANSWERED) {
            sleep(Duration::from_millis(1));
        }
        self.wait_until_nothing_moves();
        drop(clients);
        (MOST_AT_A_TIME.load(Ordering::Relaxed) - before).unsigned_abs() / CLIENTS
    }

    fn asked(&self, speaks: Speaks) -> Box<dyn Connection> {
        let mut connection = self.connect(speaks);
        connection.write_all(&speaks.request()).unwrap();
        connection.flush().unwrap();
        connection.read_exact(&mut [0; 9]).unwrap();
        connection
    }

    /// What moves too slowly to be seen here costs no less: the most at a time is what counts.
    fn wait_until_nothing_moves(&self) {
        let mut seen = u64::MAX;
        loop {
            let now = self.blob.handed_over.get();
            if now == seen {
                return;
            }
            seen = now;
            sleep(Duration::from_millis(200));
        }
    }
}

trait Connection: std::io::Read + std::io::Write {}

impl<S: std::io::Read + std::io::Write> Connection for S {}

impl Speaks {
    fn request(self) -> Vec<u8> {
        let Some(streams) = self.streams else { return b"GET / HTTP/1.1\r\nhost: m\r\n\r\n".to_vec() };
        // RFC 9113, with windows as large as they may be: nothing but the connection says what is taken.
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(4, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]));
        bytes.extend(frame(8, 0, 0, &(0x7fff_ffff_u32 - 65_535).to_be_bytes()));
        for number in 0..u32::try_from(streams).unwrap() {
            // GET, http, / and an authority (RFC 7541, appendix A), and the end of the stream.
            bytes.extend(frame(1, 5, 2 * number + 1, b"\x82\x86\x84\x01\x01m"));
        }
        bytes
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

async fn serve(
    folder: std::path::PathBuf,
    digest: Digest,
    size: u64,
    tls: TlsSettings,
) -> (Arc<OneBlob>, SocketAddr, SocketAddr) {
    let settings = Settings { path: folder, max_size: ByteSize::new(1 << 30), scrub_rate: ByteSize::new(0) };
    let library = Library::open(&settings, Arc::new(SystemClock), TaskTracker::new(), &Registry::new()).await.unwrap();
    let handed_over = IntCounter::new("handed_over", "Bytes that were handed over").unwrap();
    let blob = OneBlob { library, digest, size, handed_over, begun: AtomicUsize::new(0) };
    let blob = Arc::new(blob);
    let mut addresses = Vec::new();
    for tls in [None, Some(&tls)] {
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let listener = Listener::bind(address, tls, Limits::STANDARD).await.unwrap();
        addresses.push(listener.address());
        drop(TaskTracker::new().spawn(listener.serve(Arc::clone(&blob), CancellationToken::new())));
    }
    (blob, *addresses.first().unwrap(), *addresses.last().unwrap())
}

/// A certificate for `localhost` in `folder`, and a client that trusts it.
fn certificate(folder: &Path) -> (TlsSettings, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.join("server.crt"), folder.join("server.key"));
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&cert).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    (TlsSettings { cert, key, client_ca: None, alpn: Protocol::standard() }, Arc::new(client))
}

/// Both beds one after the other: what is counted is of all threads that serve.
#[test]
fn a_client_that_takes_nothing_costs_a_bounded_piece_of_memory_whatever_the_size_of_the_blob() {
    for size in [SMALL, LARGE] {
        let bed = Bed::new(size);
        for (speaks, most) in MOST {
            let cost = bed.cost(speaks) / KIB;
            println!("{speaks:?}, of {} MiB: {cost} KiB", size / KIB / KIB);
            assert!(cost <= most, "{speaks:?}: {cost} KiB, of {size} bytes");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_program_takes_less_than_20_mib_at_rest() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[storage]\npath = \"state\"\n\
                  [[upstream]]\nname = \"docker.io\"\nurl = \"http://127.0.0.1:1\"\ndefault = true\n";
    fs::write(folder.path().join("bonafide.toml"), config).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_bonafide"));
    program.args(["--config", "bonafide.toml", "serve"]).current_dir(folder.path()).env_clear();
    let mut program = program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let listens = lines.next().expect("it serves").unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    program.kill().unwrap();
    program.wait().unwrap();
    let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.split_whitespace().next()).unwrap();
    println!("{listens}, {anonymous} KiB");
    assert!(anonymous.parse::<usize>().unwrap() < 20 * KIB, "{anonymous} KiB");
}
