//! Connections: straight or through a proxy, plain or TLS, and standing within a time.

use std::error::Error;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use rustls::ClientConfig;
use tower_service::Service;

use crate::upstream::resolver::Resolver;

type BoxError = Box<dyn Error + Send + Sync>;

/// Which requests go through which proxy.
#[derive(Debug, Clone)]
pub struct Proxy(Arc<Matcher>);

impl Proxy {
    /// What `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    pub fn from_environment() -> Self {
        Self(Arc::new(Matcher::from_env()))
    }

    /// No proxy for anything.
    pub fn none() -> Self {
        Self(Arc::new(Matcher::builder().build()))
    }

    /// `proxy`, an `http://` or `https://` address, for all but the hosts in `no`, which is written as `NO_PROXY` is.
    pub fn of(proxy: &str, no: &str) -> Self {
        Self(Arc::new(Matcher::builder().all(proxy.to_owned()).no(no.to_owned()).build()))
    }

    /// The proxy for `target`, with what it wants to see as `Proxy-Authorization`. This host itself needs none.
    fn between(&self, target: &Uri) -> Option<(Uri, Option<HeaderValue>)> {
        let host = target.host()?.trim_matches(['[', ']']);
        let is_loopback = host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
        if is_loopback || host == "localhost" {
            return None;
        }
        let intercept = self.0.intercept(target)?;
        Some((intercept.uri().clone(), intercept.basic_auth().cloned()))
    }

    /// The credentials that a request for `target` itself must carry: only plain HTTP goes through a proxy as a request,
    /// all else through a tunnel that the connector opens.
    pub(super) fn authorization(&self, target: &Uri) -> Option<HeaderValue> {
        if target.scheme_str() == Some("http") { self.between(target)?.1 } else { None }
    }
}

/// Makes connections for hyper's client.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    tls: ClientConfig,
    direct: HttpsConnector<Tcp>,
    /// To a proxy that speaks TLS itself; HTTP/1.1 alone, for `CONNECT`.
    to_proxy: HttpsConnector<Tcp>,
    proxy: Proxy,
    timeout: Duration,
}

impl Connector {
    /// `tls` must not name protocols (ALPN).
    pub(super) fn new(tls: ClientConfig, proxy: Proxy, timeout: Duration) -> Self {
        let builder = || HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http();
        let direct = builder().enable_all_versions().wrap_connector(tcp());
        let to_proxy = builder().enable_http1().wrap_connector(tcp());
        Self { tls, direct, to_proxy, proxy, timeout }
    }

    fn connect(&mut self, target: Uri) -> Connecting {
        match self.proxy.between(&target) {
            None => boxed(self.direct.call(target), Hop::Direct),
            // A request in absolute form; `Exchange` adds the credentials.
            Some((proxy, _)) if target.scheme_str() == Some("http") => boxed(self.to_proxy.call(proxy), Hop::Proxy),
            Some((proxy, authorization)) => {
                let mut tunnel = Tunnel::new(proxy, self.to_proxy.clone());
                if let Some(authorization) = authorization {
                    tunnel = tunnel.with_auth(authorization);
                }
                let builder = HttpsConnectorBuilder::new().with_tls_config(self.tls.clone()).https_only();
                boxed(builder.enable_all_versions().wrap_connector(tunnel).call(target), Hop::Direct)
            }
        }
    }
}

type Tcp = HttpConnector<Resolver>;

fn tcp() -> Tcp {
    let mut connector = HttpConnector::new_with_resolver(Resolver::new());
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector
}

type Connecting = Pin<Box<dyn Future<Output = Result<Link, BoxError>> + Send>>;

fn boxed<S, E>(connecting: impl Future<Output = Result<S, E>> + Send + 'static, hop: Hop) -> Connecting
where
    S: Stream + 'static,
    E: Into<BoxError>,
{
    Box::pin(async move {
        let stream = connecting.await.map_err(Into::into)?;
        Ok(Link { stream: Box::new(stream), hop })
    })
}

impl Service<Uri> for Connector {
    type Response = Link;
    type Error = BoxError;
    type Future = Connecting;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.direct.poll_ready(cx)
    }

    fn call(&mut self, target: Uri) -> Connecting {
        let connecting = self.connect(target);
        let timeout = self.timeout;
        Box::pin(async move {
            let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {timeout:?}"));
            tokio::time::timeout(timeout, connecting).await.map_err(late)?
        })
    }
}

/// What a connection must be able to do.
trait Stream: Read + Write + Connection + Send + Unpin {}

impl<T: Read + Write + Connection + Send + Unpin> Stream for T {}

/// To whom the requests on a connection are addressed.
#[derive(Clone, Copy)]
enum Hop {
    /// The registry, perhaps at the end of a tunnel.
    Direct,
    /// A proxy, which wants them in absolute form.
    Proxy,
}

/// One connection, of whatever layers.
pub(super) struct Link {
    stream: Box<dyn Stream>,
    hop: Hop,
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        self.stream.connected().proxy(matches!(self.hop, Hop::Proxy))
    }
}

impl Read for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<Result<(), io::Error>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl Write for Link {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, io::Error>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize, io::Error>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(proxy: &Proxy, target: &str) -> Option<String> {
        proxy.between(&target.parse().unwrap()).map(|(proxy, _)| proxy.to_string())
    }

    #[test]
    fn all_but_this_host_and_the_named_ones_go_through_the_proxy() {
        let proxy = Proxy::of("http://u:p@proxy.corp:3128", "corp.io,10.0.0.0/8");
        assert_eq!(between(&proxy, "https://a.io/v2/").as_deref(), Some("http://proxy.corp:3128/"));
        assert_eq!(between(&proxy, "http://a.io/v2/").as_deref(), Some("http://proxy.corp:3128/"));
        for straight in
            ["https://x.corp.io/", "http://10.1.2.3/", "http://127.0.0.1:1/", "https://[::1]/", "http://localhost/"]
        {
            assert_eq!(between(&proxy, straight), None, "{straight}");
        }
        assert_eq!(between(&Proxy::none(), "https://a.io/"), None);
    }

    #[test]
    fn only_plain_requests_carry_the_credentials_of_the_proxy() {
        let proxy = Proxy::of("http://u:p@proxy.corp:3128", "");
        assert_eq!(proxy.authorization(&"http://a.io/".parse().unwrap()).unwrap(), "Basic dTpw");
        assert_eq!(proxy.authorization(&"https://a.io/".parse().unwrap()), None);
    }
}
