//! Large content from a library to a client, over every protocol: each byte is the right one, wherever it was kept, whatever
//! part is asked for, and whoever leaves in the middle.

use std::fs::{self, File};
use std::ops::Range;

use bonafide::clock::SystemClock;
use bonafide::content::{ByteSize, Library, Settings};
use bonafide::oci::Digest;
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use prometheus::Registry;
use rustix::fs::{Advice, fadvise};
use tokio::net::TcpSocket;

use super::*;

/// Not a multiple of anything that is read or sent at once.
const SIZE: u64 = (5 << 20) + 4321;

/// Answers with a part of the one content of a library: the bytes from `start` to before `end` of `/start-end`.
#[derive(Debug)]
struct Parts {
    library: Library,
    digest: Digest,
}

impl Answer for Parts {
    async fn answer(self: Arc<Self>, request: Request<Incoming>, _: std::net::IpAddr) -> Response<Body> {
        if request.uri().path() == "/takes" {
            let answer =
                |takes| stream::iter([Ok(Piece::Bytes(format!("{takes:?}  ")[..7].to_owned().into()))]).boxed();
            return Response::new(Body::stream(answer, 7));
        }
        let (start, end) = request.uri().path()[1..].split_once('-').unwrap();
        let (start, end) = (start.parse::<u64>().unwrap(), end.parse().unwrap());
        let reader = self.library.blob(self.digest, SIZE).await.unwrap().unwrap();
        Response::new(Body::stream(move |takes| reader.pieces(start..end, takes).boxed(), end - start))
    }
}

/// A library with one large content, served with and without TLS.
struct Bed {
    content: Vec<u8>,
    folder: tempfile::TempDir,
    certificates: Certificates,
    plain: SocketAddr,
    tls: SocketAddr,
    stop: CancellationToken,
    serving: TaskTracker,
}

impl Bed {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings =
            Settings { path: folder.path().into(), max_size: ByteSize::new(1 << 30), scrub_rate: ByteSize::new(0) };
        let library =
            Library::open(&settings, Arc::new(SystemClock), TaskTracker::new(), &Registry::new()).await.unwrap();
        let content: Vec<u8> = (0..SIZE).map(|at| u8::try_from((at * at / 7 + at / 4096) % 251).unwrap()).collect();
        let digest = Digest::of(&content);
        // Where a library finds it: it came in some time before.
        let file = content_file(folder.path(), digest);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, &content).unwrap();
        let (certificates, stop, serving) = (Certificates::new(), CancellationToken::new(), TaskTracker::new());
        let parts = Arc::new(Parts { library, digest });
        let mut addresses = Vec::new();
        for tls in [None, Some(certificates.settings(None))] {
            let address = (Ipv4Addr::LOCALHOST, 0).into();
            let listener = Listener::bind(address, tls.as_ref(), Limits::STANDARD).await.unwrap();
            addresses.push(listener.address());
            serving.spawn(listener.serve(Arc::clone(&parts), stop.clone()));
        }
        Self { content, folder, certificates, plain: addresses[0], tls: addresses[1], stop, serving }
    }

    /// Has the operating system forget what it keeps of the file in memory, where it does as it is told.
    fn forget(&self) {
        let file = File::open(content_file(self.folder.path(), Digest::of(&self.content))).unwrap();
        file.sync_all().unwrap();
        fadvise(file, 0, None, Advice::DontNeed).unwrap();
    }

    async fn tls(&self, protocol: &[u8]) -> TlsStream<TcpStream> {
        self.certificates.connect(self.tls, &[protocol], Shows::Nothing).await.unwrap()
    }

    async fn plain(&self) -> TcpStream {
        TcpStream::connect(self.plain).await.unwrap()
    }

    fn part(&self, range: Range<u64>) -> &[u8] {
        &self.content[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
    }

    async fn drained(self) {
        self.stop.cancel();
        self.serving.close();
        self.serving.wait().await;
    }
}

fn content_file(folder: &std::path::Path, digest: Digest) -> PathBuf {
    let hex = digest.hex();
    folder.join("content/sha256").join(&hex[..2]).join(hex)
}

fn path(range: Range<u64>) -> String {
    format!("/{}-{}", range.start, range.end)
}

async fn body(response: hyper::Result<Response<Incoming>>) -> Bytes {
    response.unwrap().into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn a_large_blob_is_whole_over_every_protocol_from_memory_and_from_disk() {
    let bed = Bed::new().await;
    let whole = path(0..SIZE);
    for forget in [false, true] {
        let again = || {
            if forget {
                bed.forget();
            }
        };
        again();
        assert!(body(get_h1(bed.plain().await, &whole).await).await == bed.content, "plain HTTP/1.1");
        again();
        assert!(body(get_h2(bed.plain().await, &whole).await).await == bed.content, "plain HTTP/2");
        again();
        assert!(body(get_h1(bed.tls(b"http/1.1").await, &whole).await).await == bed.content, "HTTP/1.1 over TLS");
        again();
        assert!(body(get_h2(bed.tls(b"h2").await, &whole).await).await == bed.content, "HTTP/2 over TLS");
    }
    bed.drained().await;
}

#[tokio::test]
async fn parts_that_are_asked_for_side_by_side_are_the_right_ones() {
    let bed = Bed::new().await;
    bed.forget();
    let ranges = [0..1, 1..2, 4095..4097, 0..65_536, 65_535..131_073, SIZE - 1..SIZE, 1 << 20..SIZE, 3..SIZE - 3];
    let parts = ranges.iter().map(async |range| {
        let plain = body(get_h1(bed.plain().await, &path(range.clone())).await).await;
        let tls = body(get_h2(bed.tls(b"h2").await, &path(range.clone())).await).await;
        if plain == bed.part(range.clone()) && tls == plain { Ok(()) } else { Err(range) }
    });
    try_join_all(parts).await.unwrap();
    bed.drained().await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_harms_no_other() {
    let bed = Bed::new().await;
    let other = get_h1(bed.plain().await, &path(0..SIZE)).await;
    for start in [0, 100_000, SIZE / 2] {
        let mut leaving = bed.plain().await;
        leaving.write_all(format!("GET /{start}-{SIZE} HTTP/1.1\r\nhost: m\r\n\r\n").as_bytes()).await.unwrap();
        leaving.read_exact(&mut [0; 1000]).await.unwrap();
    }
    assert!(body(other).await == bed.content);
    bed.drained().await;
}

#[tokio::test]
async fn a_request_follows_a_blob_on_the_same_connection() {
    let bed = Bed::new().await;
    let (mut sender, connection) = http1::handshake(TokioIo::new(bed.plain().await)).await.unwrap();
    let connection = TaskTracker::new().spawn(connection);
    for range in [0..SIZE, 5..70_000, 0..SIZE] {
        let request = Request::builder().uri(path(range.clone())).header("host", "mirror").body(Empty::<Bytes>::new());
        assert!(body(sender.send_request(request.unwrap()).await).await == bed.part(range));
    }
    drop(sender);
    connection.await.unwrap().unwrap();
    bed.drained().await;
}

#[tokio::test]
async fn only_plain_http_1_takes_windows_of_files() {
    let bed = Bed::new().await;
    assert_eq!(body(get_h1(bed.plain().await, "/takes").await).await, "Windows");
    assert_eq!(body(get_h2(bed.plain().await, "/takes").await).await, "Bytes  ");
    assert_eq!(body(get_h1(bed.tls(b"http/1.1").await, "/takes").await).await, "Bytes  ");
    assert_eq!(body(get_h2(bed.tls(b"h2").await, "/takes").await).await, "Bytes  ");
    bed.drained().await;
}

#[tokio::test]
async fn requests_that_come_before_their_answers_are_answered_in_turn() {
    let bed = Bed::new().await;
    let mut client = bed.plain().await;
    let ranges = [0..SIZE, 3..200_000, 77..78, 0..SIZE];
    let ask =
        |method: &str, range: &Range<u64>| format!("{method} {} HTTP/1.1\r\nhost: m\r\n\r\n", path(range.clone()));
    // A part that is only looked at leaves nothing of its body to the next one.
    let asked: String = ranges.iter().map(|range| ask("HEAD", range) + &ask("GET", range)).collect();
    client.write_all(asked.as_bytes()).await.unwrap();
    for range in ranges {
        assert_eq!(answer_head(&mut client).await, range.end - range.start, "HEAD");
        assert_eq!(answer_head(&mut client).await, range.end - range.start, "GET");
        let mut taken = vec![0; usize::try_from(range.end - range.start).unwrap()];
        client.read_exact(&mut taken).await.unwrap();
        assert!(taken == bed.part(range));
    }
    drop(client);
    bed.drained().await;
}

/// Reads the head of an answer, and returns the length that it announces.
async fn answer_head(client: &mut TcpStream) -> u64 {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    length.parse().unwrap()
}

#[tokio::test]
async fn a_client_that_takes_little_at_a_time_gets_the_whole() {
    let bed = Bed::new().await;
    let client = TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(4096).unwrap();
    let mut client = client.connect(bed.plain).await.unwrap();
    client.write_all(format!("GET {} HTTP/1.1\r\nhost: m\r\n\r\n", path(1..SIZE)).as_bytes()).await.unwrap();
    assert_eq!(answer_head(&mut client).await, SIZE - 1);
    let mut taken = vec![0; usize::try_from(SIZE - 1).unwrap()];
    for part in taken.chunks_mut(1777) {
        client.read_exact(part).await.unwrap();
    }
    assert!(taken == bed.part(1..SIZE));
    drop(client);
    bed.drained().await;
}
