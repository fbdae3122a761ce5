//! The bounds on what clients may take: connections, heads, and time without progress.

use std::time::Duration;

/// Bounds on connections. The standard ones are [`Limits::STANDARD`]; tests shorten them.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most connections at a time; more wait in the kernel's queue until others end.
    pub connections: usize,
    /// Longest that a TLS handshake may take.
    pub handshake: Duration,
    /// Longest that the head of an HTTP/1.1 request may take, counted from the moment it is waited for: it bounds idle
    /// keep-alive as well. Longest that an HTTP/2 connection that idles may take to close.
    pub head: Duration,
    /// Longest that a connection may be open without any request.
    pub idle: Duration,
    /// The same while no place is free.
    pub idle_when_full: Duration,
    /// Longest that a client may leave the bytes of a response untaken.
    pub stall: Duration,
    /// How long a drain waits for running requests.
    pub drain: Duration,
    /// The pause after the host refused a new connection.
    pub accept_pause: Duration,
}

impl Limits {
    /// The bounds of production.
    pub const STANDARD: Self = Self {
        // A runtime opens 4 to 7 connections a pull; at 24 KiB each when idle, 4096 weigh 100 MiB at most.
        connections: 4096,
        // Two round trips over the worst link that a pull would survive.
        handshake: Duration::from_secs(10),
        // The heads of all clients fit one packet; hyper's own default.
        head: Duration::from_secs(30),
        // Clients of Go keep connections for 90 s: closing a little later than they do spares those of HTTP/2 a retry. Over
        // HTTP/1.1 the wait for a head ends it before.
        idle: Duration::from_secs(100),
        // Between two requests of a pull lies less; a client that asks later connects again.
        idle_when_full: Duration::from_secs(5),
        // A runtime that unpacks a layer while it pulls stops reading for seconds, not for minutes.
        stall: Duration::from_mins(2),
        // Shorter than the 30 s that Kubernetes and systemd give before they kill.
        drain: Duration::from_secs(25),
        // Long enough to spare the processor, short enough not to be noticed.
        accept_pause: Duration::from_millis(100),
    };

    /// How long nobody needs to look at what a connection does.
    pub(in crate::listen) fn between_looks(&self) -> Duration {
        self.idle.min(self.stall).min(self.head)
    }

    /// The same while no place is free.
    pub(in crate::listen) fn when_full(self) -> Self {
        Self { idle: self.idle.min(self.idle_when_full), ..self }
    }
}

/// Most bytes of an HTTP/1.1 head, and of a response buffered per connection of HTTP/1.1: with more, each slow reader costs more
/// memory and gains no throughput.
pub(in crate::listen) const BUFFER_BYTES: usize = 64 * 1024;
/// While so many bytes of an HTTP/2 response wait to be sent, no more are added: the next piece is at hand, and a part of a
/// piece takes as much memory as the whole. So a stream holds two pieces, and with more is not sent any faster.
pub(in crate::listen) const SEND_BYTES: usize = 1;
/// Most headers of a request: clients send about ten.
pub(in crate::listen) const HEADERS: usize = 64;
/// Most bytes of an HTTP/2 header list: a long token fits.
pub(in crate::listen) const HEADER_LIST_BYTES: u32 = 32 * 1024;
/// Most streams on one HTTP/2 connection, each of which may hold two pieces that its client does not take: 4 MiB for all.
/// Clients pull a handful of layers at a time, and open another connection for more.
pub(in crate::listen) const STREAMS: u32 = 32;
/// Most bytes that one response may write before it lets others have their turn, or one piece if that is longer: without
/// it, a few saturating layers multiply the latency of every manifest by a hundred.
pub(in crate::listen) const QUANTUM_BYTES: usize = 128 * 1024;
