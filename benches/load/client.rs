//! A client that costs next to nothing, so that it is the server that is measured: over plain TCP it has the kernel throw
//! away what it receives.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv};
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::authority::image::OCI_MANIFEST;

/// How much is received at once.
const PIECE: usize = 1 << 20;
/// Longest that the server may say nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// TLS for HTTP/1.1, with full handshakes.
#[derive(Debug, Clone)]
pub(crate) struct Http(Arc<ClientConfig>);

impl Http {
    pub(crate) fn trusting(authority: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self(Arc::new(config))
    }
}

/// Connects to one server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    tls: Option<Http>,
}

/// One connection, on which requests follow each other.
pub(crate) struct Connection {
    stream: Stream,
    host: String,
    /// What was received with the last head, and belongs to what follows it.
    ahead: Vec<u8>,
    piece: Vec<u8>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Client {
    pub(crate) const fn new(address: SocketAddr, tls: Option<Http>) -> Self {
        Self { address, tls }
    }

    /// Connects, and shakes hands.
    pub(crate) fn connect(&self) -> Connection {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let stream = match &self.tls {
            None => Stream::Plain(socket),
            Some(Http(config)) => {
                let name = ServerName::from(self.address.ip());
                let session = ClientConnection::new(Arc::clone(config), name).unwrap();
                Stream::Tls(Box::new(StreamOwned::new(session, socket)))
            }
        };
        Connection { stream, host: self.address.to_string(), ahead: Vec::new(), piece: Vec::new() }
    }
}

impl Connection {
    /// Asks for `path`, and returns how long the answer is; an error if that is not a 200.
    pub(crate) fn get(&mut self, path: &str) -> Result<u64, String> {
        self.ask("GET", path, "")
    }

    /// The same for the bytes `range`, both ends included.
    pub(crate) fn get_part(&mut self, path: &str, range: (u64, u64)) -> Result<u64, String> {
        self.ask("GET", path, &format!("Range: bytes={}-{}\r\n", range.0, range.1))
    }

    /// How long the answer would be.
    pub(crate) fn head_of(&mut self, path: &str) -> Result<u64, String> {
        self.ask("HEAD", path, "")
    }

    fn ask(&mut self, method: &str, path: &str, headers: &str) -> Result<u64, String> {
        let (host, headers) = (&self.host, format!("Accept: {OCI_MANIFEST}\r\n{headers}"));
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");
        self.write(request.as_bytes()).map_err(|error| error.to_string())?;
        let head = self.head().map_err(|error| error.to_string())?;
        if !head.starts_with("HTTP/1.1 200") && !head.starts_with("HTTP/1.1 206") {
            return Err(format!("{path} is answered with {}", head.lines().next().unwrap_or_default()));
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        length.ok_or_else(|| format!("no length: {head}"))
    }

    /// Asks for what is not there.
    pub(crate) fn miss(&mut self, path: &str) {
        let refused = self.ask("HEAD", path, "");
        assert!(refused.is_err(), "{path} is there");
    }

    /// Takes `length` bytes, and forgets them.
    pub(crate) fn skip(&mut self, length: u64) -> Result<(), String> {
        let mut left = length;
        while left > 0 {
            left -= self.take(left).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Takes some of the next `most` bytes, and says how many.
    pub(crate) fn take(&mut self, most: u64) -> io::Result<u64> {
        let most = usize::try_from(most).unwrap_or(PIECE).min(PIECE);
        if !self.ahead.is_empty() {
            let taken = most.min(self.ahead.len());
            self.ahead.drain(..taken);
            return Ok(taken as u64);
        }
        self.piece.resize(PIECE, 0);
        let taken = match &mut self.stream {
            // Over TCP, the flag has the kernel drop the bytes where they are.
            Stream::Plain(socket) => recv(socket, &mut self.piece[..most], RecvFlags::TRUNC)?.1,
            Stream::Tls(stream) => stream.read(&mut self.piece[..most])?,
        };
        if taken == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(taken as u64) }
    }

    /// Receives some of what comes next into `piece`, and says how much.
    pub(crate) fn receive(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        let ahead = self.ahead.len().min(piece.len());
        if ahead > 0 {
            piece[..ahead].copy_from_slice(&self.ahead[..ahead]);
            self.ahead.drain(..ahead);
            return Ok(ahead);
        }
        match &mut self.stream {
            Stream::Plain(socket) => socket.read(piece),
            Stream::Tls(stream) => stream.read(piece),
        }
    }

    fn head(&mut self) -> io::Result<String> {
        let mut piece = [0; 4096];
        loop {
            if let Some(end) = self.ahead.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = self.ahead.drain(..end + 4).collect();
                return String::from_utf8(head).map_err(io::Error::other);
            }
            let taken = match &mut self.stream {
                Stream::Plain(socket) => socket.read(&mut piece)?,
                Stream::Tls(stream) => stream.read(&mut piece)?,
            };
            if taken == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.ahead.extend_from_slice(&piece[..taken]);
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(socket) => socket.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes),
        }
    }
}

/// Reads `path` over and over on `connections` connections until `deadline`, and says how many bytes came.
pub(crate) fn saturate(client: &Client, path: &str, connections: usize, deadline: Instant) -> u64 {
    let read = || {
        let mut connection = client.connect();
        let mut total = 0;
        while Instant::now() < deadline {
            let mut left = connection.get(path).unwrap();
            while left > 0 && Instant::now() < deadline {
                let taken = connection.take(left).unwrap();
                left -= taken;
                total += taken;
            }
        }
        total
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..connections).map(|_| scope.spawn(read)).collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).sum()
    })
}
