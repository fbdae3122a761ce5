//! The front door: HTTP in, HTTP out. It parses requests, asks the gate, and sends what the gate admits.
//!
//! It must never send a byte of an image without an `Admitted`, and never decide anything itself.

mod query;
mod route;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::Deserialize;

pub use route::{Asked, Misroute, Reading, Route, TAGS_PER_PAGE, Upstreams, route};

use crate::listen::TlsSettings;

/// The `[server]` table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Certificate and key; plain HTTP without.
    pub tls: Option<TlsSettings>,
}

/// Only this host, unless told otherwise.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5000);

impl Default for Settings {
    fn default() -> Self {
        Self { listen: LISTEN, tls: None }
    }
}
