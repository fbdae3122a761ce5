//! One connection: handshake, protocol, requests, until it ends, idles, stalls, or is drained.

use std::convert::Infallible;
use std::error::Error;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulConnection;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use crate::listen::activity::{Activity, State};
use crate::listen::cork::Cork;
use crate::listen::limits::{BUFFER_BYTES, HEADER_LIST_BYTES, HEADERS, SEND_BYTES, STREAMS};
use crate::listen::places::Phase;
use crate::listen::socket::Socket;
use crate::listen::streams::{Opened, WithStreams};
use crate::listen::tcp::Tcp;
use crate::listen::windows::Windows;
use crate::listen::{Answer, Body, Protocol, Serving};

type Builder = auto::Builder<Opened>;

/// Of a connection that is written to as hyper does.
type Uncorked = Cork<TokioIo<Tcp>>;

/// What the requests of a connection share.
#[derive(Clone)]
struct Channel {
    activity: Arc<Activity>,
    /// If its [`Socket`] takes them.
    windows: Option<Windows>,
    client: IpAddr,
}

pub(in crate::listen) async fn serve<A: Answer>(
    serving: &Serving<A>,
    socket: TcpStream,
    client: IpAddr,
    phase: watch::Receiver<Phase>,
) {
    // Heads and small bodies leave at once. It fails only where the client is gone already, as the first read will show.
    if let Err(error) = socket.set_nodelay(true) {
        debug!(%error, "cannot set TCP_NODELAY");
    }
    let activity = Activity::new();
    let Some(tls) = &serving.tls else {
        let windows = Windows::new(Arc::clone(&activity));
        let socket = Socket::new(socket, windows.clone());
        let channel = Channel { activity, windows: Some(windows), client };
        return requests(serving, None, socket, None::<Uncorked>, channel, phase).await;
    };
    let Some(socket) = handshake(serving, tls, socket).await else { return };
    let agreed = match socket.get_ref().1.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        Some(_) | None => Protocol::Http1,
    };
    let (stream, channel) = (TokioIo::new(socket), Channel { activity, windows: None, client });
    match agreed {
        Protocol::Http1 => requests(serving, Some(agreed), stream, None::<Uncorked>, channel, phase).await,
        Protocol::Http2 => {
            let cork = Cork::new(stream);
            requests(serving, Some(agreed), cork.clone(), Some(cork), channel, phase).await;
        }
    }
}

async fn handshake<A>(serving: &Serving<A>, tls: &TlsAcceptor, socket: TcpStream) -> Option<TlsStream<Tcp>> {
    let handshake = timeout(serving.limits.handshake, tls.accept(Tcp::new(socket)));
    let outcome = tokio::select! {
        () = serving.stop.cancelled() => return None,
        outcome = Box::pin(handshake) => outcome,
    };
    match outcome {
        Ok(Ok(socket)) => Some(socket),
        Ok(Err(error)) => {
            debug!(%error, "no tls session");
            None
        }
        Err(_) => {
            debug!("the tls handshake took too long");
            None
        }
    }
}

/// For a connection of the protocol that was agreed on; where none was, the first bytes of the client tell.
fn builder(agreed: Option<Protocol>, opened: Opened) -> Builder {
    let mut builder = auto::Builder::new(opened);
    // Without hyper's own timer, which is one on the heap and in the runtime's wheel for each request: `watch` keeps the time.
    builder.http1().header_read_timeout(None).max_headers(HEADERS).max_buf_size(BUFFER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_LIST_BYTES)
        .max_send_buf_size(SEND_BYTES);
    match agreed {
        Some(Protocol::Http2) => builder.http2_only(),
        Some(Protocol::Http1) => builder.http1_only(),
        None => builder,
    }
}

/// Answers requests until the connection ends. It lies on the heap by itself, and so does each answer in the making: what an
/// idle connection holds is then no more than it needs.
fn requests<A: Answer, S, T>(
    serving: &Serving<A>,
    agreed: Option<Protocol>,
    stream: S,
    cork: Option<Cork<T>>,
    channel: Channel,
    phase: watch::Receiver<Phase>,
) -> impl Future<Output = ()> + Send
where
    S: Read + Write + Unpin + Send + 'static,
    T: Write + Unpin + Send + 'static,
{
    let (answer, activity) = (Arc::clone(&serving.answer), Arc::clone(&channel.activity));
    let service = service_fn(move |request| Box::pin(respond(Arc::clone(&answer), channel.clone(), request)));
    let opened = Opened::default();
    let connection = builder(agreed, opened.clone()).serve_connection(stream, service).into_owned();
    watch(serving, activity, WithStreams::new(connection, opened, cork), phase)
}

/// Runs `connection` until it ends, is cut, or its client stays away.
async fn watch<A, C, T>(
    serving: &Serving<A>,
    activity: Arc<Activity>,
    mut connection: WithStreams<C, T>,
    mut phase: watch::Receiver<Phase>,
) where
    C: GracefulConnection<Error = Box<dyn Error + Send + Sync>>,
    T: Write + Unpin,
{
    let limits = |phase: Phase| if phase == Phase::Full { serving.limits.when_full() } else { serving.limits };
    let mut is_closing = false;
    let mut look = pin!(sleep_until(Instant::now() + limits(*phase.borrow()).between_looks()));
    loop {
        tokio::select! {
            biased;
            end = &mut connection => return report(end),
            // One look for all that may be said: it is a part of what a small answer costs.
            Ok(()) = phase.changed() => match *phase.borrow_and_update() {
                Phase::Open => {}
                Phase::Full => look.as_mut().reset(Instant::now()),
                Phase::Stopping => {
                    is_closing = true;
                    connection.graceful_shutdown();
                }
                Phase::Cut => {
                    serving.cuts.fetch_add(1, Ordering::Relaxed);
                    return;
                }
            },
            () = look.as_mut() => match activity.state(&limits(*phase.borrow())) {
                State::Busy(until) => look.as_mut().reset(until),
                State::Idle if !is_closing => {
                    is_closing = true;
                    connection.graceful_shutdown();
                    look.as_mut().reset(Instant::now() + activity.farewell(&serving.limits));
                }
                State::Idle => return debug!("idle, or the head of a request took too long"),
                State::Stalled => {
                    if let Some(stalled) = &serving.stalled {
                        stalled.inc();
                    }
                    return debug!("the client takes nothing of what it asked for");
                }
            }
        }
    }
}

// No `async fn`, which holds its arguments beside what becomes of them.
fn respond<A: Answer>(
    answer: Arc<A>,
    channel: Channel,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Body>, Infallible>> {
    let turn = channel.activity.begin(request.version());
    // HTTP/2 cuts bodies into frames of its own, and copies for that what it is given.
    let windows = channel.windows.filter(|_| request.version() != Version::HTTP_2);
    let response = answer.answer(request, channel.client);
    response.map(|response| Ok(response.map(|body| body.reporting(turn).through(windows))))
}

fn report(end: Result<(), Box<dyn Error + Send + Sync>>) {
    if let Err(error) = end {
        debug!(%error, "the connection broke");
    }
}
