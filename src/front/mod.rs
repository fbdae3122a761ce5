//! The front door: HTTP in, HTTP out. It reads requests, asks the gate, and sends what the gate admits.
//!
//! It must never send a byte of an image without an [`Admitted`], and never decide anything itself.

#[cfg(fuzzing)]
pub mod fuzzing;
mod metrics;
mod query;
mod range;
mod request_id;
mod respond;
mod route;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;

use futures_util::StreamExt;
use http::request::Parts;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use prometheus::Registry;
use schemars::JsonSchema;
use serde::Deserialize;

pub use route::{Asked, Misroute, Reading, Route, TAGS_PER_PAGE, Upstreams, route};

use crate::content::Reader;
use crate::front::metrics::Metrics;
use crate::front::range::{Part, has_already, part};
use crate::front::request_id::RequestIds;
use crate::gate::{Admitted, Gate, Refusal};
use crate::listen::{Answer, Body, Counts, TlsSettings};
use crate::oci::{Digest, Image, Repository, Tag};

/// The `[server]` table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
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

/// Answers clients.
pub struct Front {
    gate: Arc<Gate>,
    upstreams: Upstreams,
    metrics: Metrics,
    ids: RequestIds,
}

impl Front {
    /// Serves what `gate` admits, of `upstreams`, counting in `registry`.
    ///
    /// # Errors
    /// If `registry` has metrics of these names already.
    pub fn new(gate: Arc<Gate>, upstreams: Upstreams, registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self { gate, upstreams, metrics: Metrics::register(registry)?, ids: RequestIds::new() })
    }

    /// Where its connections are counted.
    pub fn connections(&self) -> Counts {
        self.metrics.connections()
    }

    /// The whole answer to one request.
    async fn respond(&self, head: &Parts, client: IpAddr) -> Response<Body> {
        let asked = route(&head.method, &head.uri, &self.upstreams);
        let mut response = match &asked {
            Ok(asked) => self.serve(&asked.route, head, client).await.unwrap_or_else(|refusal| self.refuse(&refusal)),
            Err(misroute) => respond::misroute(misroute),
        };
        if let Some(namespace) = asked.as_ref().ok().and_then(|asked| asked.namespace.as_ref()) {
            respond::in_namespace(&mut response, namespace);
        }
        self.metrics.answered(asked.as_ref().ok().map(|asked| &asked.route), response.status());
        if head.method == Method::HEAD {
            response.map(|_| Body::empty())
        } else {
            response.map(|body| body.counting(self.metrics.served_bytes()))
        }
    }

    async fn serve(&self, route: &Route, head: &Parts, client: IpAddr) -> Result<Response<Body>, Refusal> {
        match route {
            Route::Base => Ok(respond::base()),
            Route::Manifest(image) => self.manifest(image, head, client).await,
            Route::Blob { repository, digest } => self.blob(repository, *digest, head).await,
            Route::Referrers { repository, subject, artifact_type } => {
                // Rare, and larger than what other requests need.
                let found = Box::pin(self.gate.referrers(repository, *subject)).await?;
                Ok(respond::referrers(found, artifact_type.as_deref()))
            }
            Route::Tags { repository, last, limit } => self.tags(repository, last.as_ref(), *limit, head).await,
        }
    }

    /// A client that has the manifest already still needs what it reaches, so the gate is asked for it in any case.
    async fn manifest(&self, image: &Image, head: &Parts, client: IpAddr) -> Result<Response<Body>, Refusal> {
        let admitted = self.gate.admit(image).await?;
        let manifest = self.gate.manifest(&admitted).await?;
        // By HEAD a client only looks whether a tag has moved.
        if head.method == Method::GET {
            self.gate.note_pull(&admitted, client);
        }
        if has_already(&head.headers, manifest.digest) {
            return Ok(respond::not_modified(manifest.digest));
        }
        Ok(respond::manifest(manifest))
    }

    async fn blob(&self, repository: &Repository, digest: Digest, head: &Parts) -> Result<Response<Body>, Refusal> {
        let admitted = self.gate.admit_blob(repository, digest).await?;
        if has_already(&head.headers, digest) {
            return Ok(respond::not_modified(digest));
        }
        // By HEAD a client only asks how large it is: that is no reason to fetch it.
        if head.method == Method::HEAD
            && let Some(size) = admitted.declared_size()
        {
            return Ok(respond::blob(digest, size, Body::empty()));
        }
        self.blob_part(&admitted, head).await
    }

    async fn blob_part(&self, admitted: &Admitted, head: &Parts) -> Result<Response<Body>, Refusal> {
        let mut reader = self.gate.blob(admitted).await?;
        let size = reader.size().await.map_err(|error| admitted.unreadable(&error))?;
        let digest = admitted.digest();
        // Only GET knows of parts (RFC 9110, section 14.2).
        let wanted = if head.method == Method::GET { part(&head.headers, digest, size) } else { Part::Whole };
        Ok(match wanted {
            Part::Whole => respond::blob(digest, size, body(reader, 0..size)),
            Part::Bytes(part) => respond::blob_part(digest, size, &part, body(reader, part.clone())),
            Part::Outside => respond::outside(digest, size),
        })
    }

    async fn tags(
        &self,
        repository: &Repository,
        last: Option<&Tag>,
        limit: u32,
        head: &Parts,
    ) -> Result<Response<Body>, Refusal> {
        // A page of no tags is empty by definition; whether the repository is there at all still has to be found out.
        let page = self.gate.tags(repository, last, limit.max(1)).await?;
        if limit == 0 {
            return Ok(respond::tags(&repository.name, &[], None));
        }
        let next = page.tags.last().filter(|_| page.more).map(|last| respond::next_page(&head.uri, last, limit));
        Ok(respond::tags(&repository.name, &page.tags, next))
    }

    fn refuse(&self, refusal: &Refusal) -> Response<Body> {
        let id = self.ids.next();
        match refusal {
            Refusal::Undecided { text, .. } => tracing::warn!(request = %id, reason = text, "answered 503"),
            // It may have been admitted first: the log must not end there.
            Refusal::Invalid { text } => tracing::warn!(reason = text, "answered 403"),
            Refusal::Denied(_) | Refusal::NotFound { .. } => {}
        }
        respond::refusal(refusal, id)
    }
}

/// The bytes `range`, in the form that the connection takes.
fn body(reader: Reader, range: Range<u64>) -> Body {
    let length = range.end.saturating_sub(range.start);
    Body::stream(|takes| reader.pieces(range, takes).boxed(), length)
}

impl Answer for Front {
    // No `async fn`, which holds its arguments beside what becomes of them.
    fn answer(self: Arc<Self>, request: Request<Incoming>, client: IpAddr) -> impl Future<Output = Response<Body>> {
        let (head, _) = request.into_parts();
        async move {
            let response = self.respond(&head, client).await;
            tracing::debug!(method = %head.method, uri = %head.uri, status = response.status().as_u16(), "answered");
            response
        }
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").field("upstreams", &self.upstreams).finish_non_exhaustive()
    }
}
