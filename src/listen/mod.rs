//! Accepts connections and speaks HTTP/1.1 and HTTP/2 on them, with or without TLS, within limits; and drains.
//!
//! It knows nothing of registries: whoever listens gives it an [`Answer`]. It must never spawn a task that a drain does
//! not wait for.

mod activity;
mod body;
mod connection;
mod cork;
mod limits;
mod places;
mod socket;
mod streams;
mod tcp;
mod tls;
mod windows;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response};
use hyper::body::Incoming;
use prometheus::{IntCounter, IntGauge};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, debug_span, warn};

pub use body::{Body, Pieces};
pub use limits::Limits;
pub use tls::{Protocol, TlsError, TlsSettings};

use crate::listen::places::{Phase, Place, Places};

/// Answers requests. A panic or an error of it ends the connection that asked, and no other.
pub trait Answer: fmt::Debug + Send + Sync + 'static {
    /// The response to `request`, which came from the address `client`. Dropped where it stands when the client hangs up.
    fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        client: IpAddr,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// Why nothing can be listened to.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is taken, or not of this host.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address, as configured.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A bound address: it queues connections already, and accepts them once it [serves](Listener::serve).
pub struct Listener {
    sockets: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    counts: Option<Counts>,
}

/// What is counted of connections.
#[derive(Debug, Clone)]
pub struct Counts {
    /// Those that are open.
    pub open: IntGauge,
    /// Those that were cut since their client took nothing of what it had asked for.
    pub stalled: IntCounter,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut, because they did not finish before the deadline.
    pub cut: usize,
}

impl Listener {
    /// Binds `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// [`ListenError`] if the address cannot be bound or the TLS files cannot be used.
    pub async fn bind(address: SocketAddr, tls: Option<&TlsSettings>, limits: Limits) -> Result<Self, ListenError> {
        let tls = tls.map(tls::acceptor).transpose()?;
        let bind = |source| ListenError::Bind { address, source };
        let sockets = TcpListener::bind(address).await.map_err(bind)?;
        let address = sockets.local_addr().map_err(bind)?;
        Ok(Self { sockets, address, tls, limits, counts: None })
    }

    /// The same, with its connections counted.
    #[must_use]
    pub fn counted(self, counts: Counts) -> Self {
        Self { counts: Some(counts), ..self }
    }

    /// The address that is bound, with its real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether clients must speak TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Serves until `stop` is cancelled; then accepts nothing more, lets what runs finish until [`Limits::drain`] is
    /// over, and cuts the rest.
    pub async fn serve<A: Answer>(self, answer: Arc<A>, stop: CancellationToken) -> Drained {
        let serving = Serving {
            answer,
            tls: self.tls,
            limits: self.limits,
            places: Places::new(self.limits.connections, self.counts.as_ref().map(|counts| counts.open.clone())),
            stalled: self.counts.map(|counts| counts.stalled),
            stop,
            phase: watch::Sender::new(Phase::Open),
            tasks: TaskTracker::new(),
            cuts: AtomicUsize::new(0),
        };
        let serving = Arc::new(serving);
        serving.accept_all(self.sockets).await;
        serving.drain().await
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("address", &self.address).field("tls", &self.is_tls()).finish_non_exhaustive()
    }
}

/// What all connections of one listener share.
struct Serving<A> {
    answer: Arc<A>,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    places: Places,
    /// No new connections, and no new requests.
    stop: CancellationToken,
    phase: watch::Sender<Phase>,
    tasks: TaskTracker,
    cuts: AtomicUsize,
    stalled: Option<IntCounter>,
}

impl<A: Answer> Serving<A> {
    async fn accept_all(self: &Arc<Self>, sockets: TcpListener) {
        let accept = async {
            while let Ok(room) = self.places.room(&self.phase).await {
                match sockets.accept().await {
                    Ok((socket, peer)) => self.start(socket, peer, self.places.taken(room)),
                    Err(error) => self.pause(&error).await,
                }
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = accept => {}
        }
        self.phase.send_replace(Phase::Stopping);
    }

    fn start(self: &Arc<Self>, socket: TcpStream, peer: SocketAddr, place: Place) {
        let (serving, phase) = (Arc::clone(self), self.phase.subscribe());
        let connection = async move {
            connection::serve(&serving, socket, peer.ip(), phase).await;
            drop(place);
        };
        self.tasks.spawn(connection.instrument(debug_span!("connection", %peer)));
    }

    /// A failed `accept` is the client's (reset) or the host's (no file descriptors left): the pause keeps the latter
    /// from becoming a busy loop.
    async fn pause(&self, error: &io::Error) {
        if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
            warn!(%error, "cannot accept a connection");
            tokio::time::sleep(self.limits.accept_pause).await;
        }
    }

    async fn drain(&self) -> Drained {
        self.tasks.close();
        if tokio::time::timeout(self.limits.drain, self.tasks.wait()).await.is_err() {
            self.phase.send_replace(Phase::Cut);
            self.tasks.wait().await;
        }
        let cut = self.cuts.load(Ordering::Relaxed);
        debug!(cut, "drained");
        Drained { cut }
    }
}
