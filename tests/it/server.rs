//! Listeners over real sockets: protocols, TLS, limits, drain.

mod blobs;
mod together;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bonafide::listen::{Answer, Body, Counts, Drained, Limits, ListenError, Listener, Protocol, TlsSettings};
use bonafide::piece::Piece;
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{FutureExt, stream};
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prometheus::{IntCounter, IntGauge};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// Short enough for a test that waits for it.
const SOON: Duration = Duration::from_millis(100);
/// Longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers by path.
#[derive(Debug)]
struct Echo {
    /// One permit for each request that came to `/hold` and waits for `release`.
    held: Semaphore,
    release: Semaphore,
    now: AtomicUsize,
    most: AtomicUsize,
    /// One permit for each endless body that was given up.
    dropped: Arc<Semaphore>,
}

impl Answer for Echo {
    async fn answer(self: Arc<Self>, request: Request<Incoming>, _: std::net::IpAddr) -> Response<Body> {
        match request.uri().path() {
            "/hold" => {
                self.held.add_permits(1);
                self.release.acquire().await.unwrap().forget();
            }
            "/crowd" => self.crowd().await,
            "/endless" => return Response::new(self.endless()),
            "/cut" => return Response::new(cut_after_a_kilobyte()),
            "/panic" => panic!("as asked"),
            _ => {}
        }
        Response::new(Body::whole(format!("{} {:?}", request.uri().path(), request.version())))
    }
}

impl Echo {
    fn new() -> Arc<Self> {
        let (held, release, dropped) = (Semaphore::new(0), Semaphore::new(0), Arc::new(Semaphore::new(0)));
        Arc::new(Self { held, release, now: AtomicUsize::new(0), most: AtomicUsize::new(0), dropped })
    }

    async fn crowd(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    fn endless(&self) -> Body {
        struct Tell(Arc<Semaphore>);
        impl Drop for Tell {
            fn drop(&mut self) {
                self.0.add_permits(1);
            }
        }
        let tell = Tell(Arc::clone(&self.dropped));
        let pieces = stream::unfold(tell, |tell| async { Some((Ok(Piece::Bytes(vec![0; 65536].into())), tell)) });
        Body::stream(|_| Box::pin(pieces), 1 << 40)
    }
}

fn cut_after_a_kilobyte() -> Body {
    let pieces = [Ok(Piece::Bytes(vec![0; 1024].into())), Err(io::Error::other("digest mismatch"))];
    Body::stream(|_| Box::pin(stream::iter(pieces)), 2048)
}

fn counts() -> Counts {
    let (open, stalled) = (IntGauge::new("open", "open").unwrap(), IntCounter::new("stalled", "stalled").unwrap());
    Counts { open, stalled }
}

/// A server that runs until it is dropped or drained.
struct Server {
    address: SocketAddr,
    echo: Arc<Echo>,
    stop: CancellationToken,
    serving: AbortOnDropHandle<Drained>,
}

impl Server {
    async fn start(limits: Limits, tls: Option<&TlsSettings>) -> Self {
        Self::counted(limits, tls, &counts()).await
    }

    async fn counted(limits: Limits, tls: Option<&TlsSettings>, counts: &Counts) -> Self {
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), tls, limits).await.unwrap();
        let listener = listener.counted(counts.clone());
        let (address, echo, stop) = (listener.address(), Echo::new(), CancellationToken::new());
        let serve = listener.serve(Arc::clone(&echo), stop.clone());
        Self { address, echo, stop, serving: AbortOnDropHandle::new(TaskTracker::new().spawn(serve)) }
    }

    async fn standard() -> Self {
        Self::start(Limits::STANDARD, None).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn drained(self) -> Drained {
        self.stop.cancel();
        self.serving.await.unwrap()
    }
}

/// An authority, with certificates for a server and a client, in files that last as long as it does.
struct Certificates(tempfile::TempDir);

impl Certificates {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let write = |name: &str, pem: String| std::fs::write(folder.path().join(name), pem).unwrap();
        write("ca.pem", authority.self_signed(&key).unwrap().pem());
        let issuer = Issuer::new(authority, key);
        for (name, usage) in
            [("server", ExtendedKeyUsagePurpose::ServerAuth), ("client", ExtendedKeyUsagePurpose::ClientAuth)]
        {
            let key = KeyPair::generate().unwrap();
            let mut certificate = CertificateParams::new(vec!["localhost".into()]).unwrap();
            certificate.extended_key_usages = vec![usage];
            write(&format!("{name}.crt"), certificate.signed_by(&key, &issuer).unwrap().pem());
            write(&format!("{name}.key"), key.serialize_pem());
        }
        Self(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn settings(&self, client_ca: Option<&str>) -> TlsSettings {
        let client_ca = client_ca.map(|name| self.file(name));
        TlsSettings {
            cert: self.file("server.crt"),
            key: self.file("server.key"),
            client_ca,
            alpn: Protocol::standard(),
        }
    }

    async fn connect(
        &self,
        address: SocketAddr,
        protocols: &[&[u8]],
        shows: Shows,
    ) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.file("ca.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match shows {
            Shows::Nothing => builder.with_no_client_auth(),
            Shows::Certificate => {
                let chain = vec![CertificateDer::from_pem_file(self.file("client.crt")).unwrap()];
                let key = PrivateKeyDer::from_pem_file(self.file("client.key")).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await?).await
    }
}

/// What a client shows in the handshake.
enum Shows {
    Nothing,
    Certificate,
}

/// One request over HTTP/1.1 on `stream`.
async fn get_h1<S>(stream: S, path: &str) -> hyper::Result<Response<Incoming>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    TaskTracker::new().spawn(connection);
    let request = Request::builder().uri(path).header("host", "mirror").body(Empty::<Bytes>::new()).unwrap();
    sender.send_request(request).await
}

/// One request over HTTP/2 on `stream`, with `header` beside the usual ones.
async fn get_h2<S>(stream: S, path: &str) -> hyper::Result<Response<Incoming>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    send_h2(stream, Request::builder().uri(format!("http://mirror{path}"))).await
}

async fn send_h2<S>(stream: S, request: http::request::Builder) -> hyper::Result<Response<Incoming>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    TaskTracker::new().spawn(connection);
    sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await
}

async fn text(response: hyper::Result<Response<Incoming>>) -> String {
    let bytes = response.unwrap().into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What the server says to `bytes`, until it closes.
async fn raw(mut stream: TcpStream, bytes: &[u8]) -> String {
    let mut answer = Vec::new();
    // A server that has heard enough may reset the rest: what it said before counts.
    if stream.write_all(bytes).await.is_ok() {
        let end = stream.read_to_end(&mut answer).await;
        assert!(end.as_ref().err().is_none_or(|error| error.kind() == io::ErrorKind::ConnectionReset), "{end:?}");
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn plain_connections_speak_http_1_and_http_2() {
    let server = Server::standard().await;
    assert_eq!(text(get_h1(server.connect().await, "/a").await).await, "/a HTTP/1.1");
    assert_eq!(text(get_h2(server.connect().await, "/a").await).await, "/a HTTP/2.0");
}

#[tokio::test]
async fn tls_connections_speak_what_the_handshake_agreed_on() {
    let certificates = Certificates::new();
    let server = Server::start(Limits::STANDARD, Some(&certificates.settings(None))).await;
    let stream = certificates.connect(server.address, &[b"h2"], Shows::Nothing).await.unwrap();
    assert_eq!(get_h2(stream, "/a").await.unwrap().version(), Version::HTTP_2);
    let stream = certificates.connect(server.address, &[b"http/1.1"], Shows::Nothing).await.unwrap();
    assert_eq!(get_h1(stream, "/a").await.unwrap().version(), Version::HTTP_11);
}

#[tokio::test]
async fn the_first_protocol_of_the_settings_that_the_client_speaks_is_agreed_on() {
    let certificates = Certificates::new();
    for (offered, agreed) in [
        (vec![Protocol::Http2, Protocol::Http1], Some("h2")),
        (vec![Protocol::Http1, Protocol::Http2], Some("http/1.1")),
        (vec![Protocol::Http1], Some("http/1.1")),
    ] {
        let settings = TlsSettings { alpn: offered, ..certificates.settings(None) };
        let server = Server::start(Limits::STANDARD, Some(&settings)).await;
        let stream = certificates.connect(server.address, &[b"h2", b"http/1.1"], Shows::Nothing).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed.map(str::as_bytes), "{:?}", settings.alpn);
    }
}

#[tokio::test]
async fn a_client_that_names_no_protocol_speaks_http_1() {
    let certificates = Certificates::new();
    let server = Server::start(Limits::STANDARD, Some(&certificates.settings(None))).await;
    let stream = certificates.connect(server.address, &[], Shows::Nothing).await.unwrap();
    assert_eq!(text(get_h1(stream, "/a").await).await, "/a HTTP/1.1");
}

#[tokio::test]
async fn a_client_without_a_certificate_is_turned_away_where_one_is_demanded() {
    let certificates = Certificates::new();
    let server = Server::start(Limits::STANDARD, Some(&certificates.settings(Some("ca.pem")))).await;
    let stream = certificates.connect(server.address, &[b"http/1.1"], Shows::Certificate).await.unwrap();
    assert_eq!(text(get_h1(stream, "/a").await).await, "/a HTTP/1.1");
    // In TLS 1.3 the client is done before the server has looked: the refusal shows at the first request.
    if let Ok(stream) = certificates.connect(server.address, &[b"http/1.1"], Shows::Nothing).await {
        assert!(get_h1(stream, "/a").await.is_err());
    }
}

#[tokio::test]
async fn unusable_tls_files_are_errors() {
    let certificates = Certificates::new();
    let good = certificates.settings(None);
    good.check().unwrap();
    let (cert, key) = (good.key.clone(), good.cert.clone());
    let missing = certificates.file("missing.key");
    let mismatched = certificates.file("client.key");
    for settings in [
        TlsSettings { cert, key, ..good.clone() },
        TlsSettings { alpn: Vec::new(), ..good.clone() },
        TlsSettings { key: missing, ..good.clone() },
        TlsSettings { key: mismatched, ..good },
        certificates.settings(Some("server.key")),
    ] {
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), Some(&settings), Limits::STANDARD).await;
        assert!(matches!(listener, Err(ListenError::Tls(_))), "{settings:?}");
    }
}

#[tokio::test]
async fn a_taken_address_is_an_error() {
    let server = Server::standard().await;
    let second = Listener::bind(server.address, None, Limits::STANDARD).await;
    assert!(matches!(second, Err(ListenError::Bind { address, .. }) if address == server.address));
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut() {
    let server = Server::start(Limits { head: SOON, ..Limits::STANDARD }, None).await;
    let unended = "GET /a HTTP/1.1\r\nhost: mirror\r\nx: ";
    let answer = raw(server.connect().await, unended.as_bytes()).await;
    assert!(!answer.contains("200"), "{answer}");
    let second = format!("GET /a HTTP/1.1\r\nhost: mirror\r\n\r\n{unended}");
    let answer = raw(server.connect().await, second.as_bytes()).await;
    assert_eq!(answer.matches("200").count(), 1, "{answer}");
}

#[tokio::test]
async fn an_idle_http_1_connection_is_closed_and_one_of_http_2_waits_longer() {
    let server = Server::start(Limits { head: SOON, idle: Duration::from_hours(1), ..Limits::STANDARD }, None).await;
    let mut second = idle_h2(server.connect().await).await;
    let mut first = idle_h1(server.connect().await).await;
    let closed = async {
        while first.ready().await.is_ok() {
            tokio::time::sleep(SOON / 10).await;
        }
    };
    timeout(PATIENCE, closed).await.expect("it is closed");
    let request = Request::builder().uri("http://mirror/b").body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(text(second.send_request(request).await).await, "/b HTTP/2.0");
}

#[tokio::test]
async fn a_client_that_says_nothing_is_cut() {
    let server = Server::start(Limits { idle: SOON, ..Limits::STANDARD }, None).await;
    assert_eq!(raw(server.connect().await, b"").await, "");
    assert_eq!(raw(server.connect().await, b"PRI * HT").await, "");
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_cut() {
    let limits = Limits { handshake: SOON, ..Limits::STANDARD };
    let server = Server::start(limits, Some(&Certificates::new().settings(None))).await;
    assert_eq!(raw(server.connect().await, b"\x16\x03\x01").await, "");
}

#[tokio::test]
async fn an_idle_http_2_connection_is_closed() {
    let server = Server::start(Limits { idle: SOON, ..Limits::STANDARD }, None).await;
    let stream = TokioIo::new(server.connect().await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let closed = TaskTracker::new().spawn(connection);
    let request = Request::builder().uri("http://mirror/a").body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(text(sender.send_request(request).await).await, "/a HTTP/2.0");
    closed.await.unwrap().unwrap();
}

#[tokio::test]
async fn heads_beyond_the_bounds_are_refused() {
    let server = Server::standard().await;
    let many = format!("GET /a HTTP/1.1\r\nhost: m\r\n{}\r\n", "x: y\r\n".repeat(100));
    let long = format!("GET /a HTTP/1.1\r\nx: {}", "y".repeat(65536));
    for head in [many, long] {
        let answer = raw(server.connect().await, head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    let request = Request::builder().uri("http://mirror/a").header("x", "y".repeat(40_000));
    let answer = send_h2(server.connect().await, request).await;
    assert!(answer.is_ok_and(|response| response.status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
}

#[tokio::test]
async fn connections_beyond_the_bound_wait() {
    let server = Server::start(Limits { connections: 2, ..Limits::STANDARD }, None).await;
    let request = b"GET /crowd HTTP/1.1\r\nhost: m\r\nconnection: close\r\n\r\n";
    let crowd = (0..8).map(|_| async { raw(server.connect().await, request).await });
    let answers = join_all(crowd).await;
    assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 200")), "{answers:?}");
    assert_eq!(server.echo.most.load(Ordering::SeqCst), 2);
}

/// Asks on a connection of `stream` that then stays open, as long as what is returned.
async fn idle_h1(stream: TcpStream) -> http1::SendRequest<Empty<Bytes>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    TaskTracker::new().spawn(connection);
    let request = Request::builder().uri("/a").header("host", "mirror").body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(text(sender.send_request(request).await).await, "/a HTTP/1.1");
    sender
}

async fn idle_h2(stream: TcpStream) -> http2::SendRequest<Empty<Bytes>> {
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    TaskTracker::new().spawn(connection);
    let request = Request::builder().uri("http://mirror/a").body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(text(sender.send_request(request).await).await, "/a HTTP/2.0");
    sender
}

#[tokio::test]
async fn where_no_place_is_left_connections_that_idle_make_room_and_no_others() {
    let hour = Duration::from_hours(1);
    let limits = Limits { connections: 2, idle: hour, head: hour, idle_when_full: SOON, ..Limits::STANDARD };
    for idles in ["before a request", "HTTP/1.1", "HTTP/2"] {
        let server = Server::start(limits, None).await;
        let busy = TaskTracker::new().spawn(get_h1(server.connect().await, "/hold"));
        server.echo.held.acquire().await.unwrap().forget();
        let idle = server.connect().await;
        let _open: Box<dyn Send> = match idles {
            "HTTP/1.1" => Box::new(idle_h1(idle).await),
            "HTTP/2" => Box::new(idle_h2(idle).await),
            _ => Box::new(idle),
        };
        let next = timeout(PATIENCE, get_h1(server.connect().await, "/a")).await;
        assert_eq!(text(next.expect(idles)).await, "/a HTTP/1.1");
        server.echo.release.add_permits(1);
        assert_eq!(text(busy.await.unwrap()).await, "/hold HTTP/1.1");
    }
}

#[tokio::test]
async fn connections_are_counted_while_they_are_open() {
    let counts = counts();
    let server = Server::counted(Limits::STANDARD, None, &counts).await;
    let (first, second) = (idle_h1(server.connect().await).await, idle_h2(server.connect().await).await);
    assert_eq!(counts.open.get(), 2);
    drop((first, second));
    assert!(get_h1(server.connect().await, "/panic").await.is_err());
    let none = async {
        while counts.open.get() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, none).await.expect("all have ended");
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_what_it_asked_for_is_cut() {
    let counts = counts();
    let server = Server::counted(Limits { stall: SOON, ..Limits::STANDARD }, None, &counts).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /endless HTTP/1.1\r\nhost: m\r\n\r\n").await.unwrap();
    server.echo.dropped.acquire().await.unwrap().forget();
    let response = get_h2(server.connect().await, "/endless").await.unwrap();
    server.echo.dropped.acquire().await.unwrap().forget();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(counts.stalled.get(), 2);
}

#[tokio::test]
async fn a_body_that_breaks_is_never_a_clean_end() {
    let server = Server::standard().await;
    // The head may be lost with the connection, so either the response or its body is the error.
    let whole = async |response: hyper::Result<Response<Incoming>>| response?.into_body().collect().await;
    assert!(whole(get_h1(server.connect().await, "/cut").await).await.is_err());
    assert!(whole(get_h2(server.connect().await, "/cut").await).await.is_err());
}

#[tokio::test]
async fn a_request_that_breaks_harms_no_other() {
    let server = Server::standard().await;
    assert!(get_h1(server.connect().await, "/panic").await.is_err());
    assert!(get_h2(server.connect().await, "/panic").await.is_err());
    assert_eq!(text(get_h1(server.connect().await, "/a").await).await, "/a HTTP/1.1");
}

#[tokio::test]
async fn a_drain_lets_running_requests_finish_and_accepts_no_more() {
    let server = Server::standard().await;
    let (address, echo) = (server.address, Arc::clone(&server.echo));
    let idle = server.connect().await;
    let requests = [get_h1(server.connect().await, "/hold").boxed(), get_h2(server.connect().await, "/hold").boxed()];
    let running = TaskTracker::new().spawn(join_all(requests));
    echo.held.acquire_many(2).await.unwrap().forget();
    server.stop.cancel();
    assert_eq!(raw(idle, b"").await, "");
    assert!(TcpStream::connect(address).await.is_err());
    echo.release.add_permits(2);
    for response in running.await.unwrap() {
        assert!(text(response).await.starts_with("/hold"));
    }
    assert_eq!(server.drained().await, Drained { cut: 0 });
}

#[tokio::test]
async fn a_drain_cuts_what_does_not_finish_in_time() {
    let server = Server::start(Limits { drain: SOON, ..Limits::STANDARD }, None).await;
    let requests = [get_h1(server.connect().await, "/hold").boxed(), get_h2(server.connect().await, "/hold").boxed()];
    let running = TaskTracker::new().spawn(join_all(requests));
    server.echo.held.acquire_many(2).await.unwrap().forget();
    assert_eq!(server.drained().await, Drained { cut: 2 });
    assert!(running.await.unwrap().iter().all(Result::is_err));
}
