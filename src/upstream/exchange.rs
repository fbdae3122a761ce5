//! One question to an upstream: credentials where they belong, redirects by hand, and the status read as one of three
//! answers.

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, LOCATION, RANGE, USER_AGENT as AGENT};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use std::sync::Arc;

use crate::clock::Clock;
use crate::oci::RepositoryName;
use crate::upstream::UnavailableKind;
use crate::upstream::address::{Base, Origin, resolve};
use crate::upstream::login::{Login, USER_AGENT};
use crate::upstream::transport::{Transport, text_of, unwanted};
use crate::upstream::trouble::{Retry, Trouble};
use crate::upstream::weather::{Purpose, Weather};

/// Most redirects followed for one request; registries need one or two.
const REDIRECTS: usize = 5;

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) accept: &'static str,
    /// Where the wanted bytes begin.
    pub(super) from: u64,
    pub(super) scope: String,
    pub(super) redirects: Redirects,
    pub(super) purpose: Purpose,
}

/// What becomes of a redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redirects {
    /// It is followed.
    Followed,
    /// All but 303 are, which says that there is something else to see.
    FollowedUnlessOther,
}

/// An answer of any status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    /// Where it came from, after redirects.
    pub(super) uri: Uri,
    /// Whether it came from the upstream itself, never from a host that it sent us to.
    is_from_home: bool,
}

/// Asks one address of an upstream.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) base: Base,
    pub(super) transport: Transport,
    pub(super) weather: Weather,
    pub(super) login: Login,
    pub(super) clock: Arc<dyn Clock>,
}

impl Call {
    pub(super) fn get(uri: Uri, accept: &'static str, repository: &RepositoryName, purpose: Purpose) -> Self {
        let scope = format!("repository:{repository}:pull");
        Self { method: Method::GET, uri, accept, from: 0, scope, redirects: Redirects::Followed, purpose }
    }

    /// The request in words; without the query, which may hold secrets.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method, self.uri.path())
    }

    fn request(&self, uri: &Uri, authorization: Option<&HeaderValue>) -> Result<Request<Empty<Bytes>>, Trouble> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(uri.clone())
            .header(AGENT, USER_AGENT)
            .header(ACCEPT, self.accept)
            .header(ACCEPT_ENCODING, "identity");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if self.from > 0 {
            request = request.header(RANGE, format!("bytes={}-", self.from));
        }
        request.body(Empty::new()).map_err(|error| status_trouble(&error.to_string()))
    }
}

impl Exchange {
    /// The answer if it is a good one (2xx), `None` if the upstream says that there is nothing (404).
    pub(super) async fn ask(&self, call: &Call) -> Result<Option<Answer>, Trouble> {
        let answer = self.answer(call).await?;
        self.read_status(answer).map_err(|trouble| trouble.at(&call.name()))
    }

    /// The answer of whatever status, after redirects and challenges.
    pub(super) async fn answer(&self, call: &Call) -> Result<Answer, Trouble> {
        self.logged_in(call).await.map_err(|trouble| trouble.at(&call.name()))
    }

    pub(super) fn read_status(&self, answer: Answer) -> Result<Option<Answer>, Trouble> {
        match answer.response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(Some(answer)),
            StatusCode::NOT_FOUND if answer.is_from_home => Ok(None),
            // The registry says that there is something, and its storage that there is not: neither yes nor no.
            StatusCode::NOT_FOUND => Err(status_trouble("404 from where the upstream sent us")),
            _ => Err(unwanted(&answer.response, self.clock.now())),
        }
    }

    async fn logged_in(&self, call: &Call) -> Result<Answer, Trouble> {
        let authorization = self.login.known(&call.scope).await;
        let answer = self.follow(call, authorization.as_ref()).await?;
        // Another host may not ask for credentials: those are for the upstream.
        if answer.response.status() != StatusCode::UNAUTHORIZED || !answer.is_from_home {
            return Ok(answer);
        }
        match self.login.renew(&call.scope, answer.response.headers(), authorization.as_ref()).await? {
            Some(renewed) => self.follow(call, Some(&renewed)).await,
            None => Ok(answer),
        }
    }

    async fn follow(&self, call: &Call, authorization: Option<&HeaderValue>) -> Result<Answer, Trouble> {
        let mut uri = call.uri.clone();
        let mut is_from_home = true;
        for _ in 0..=REDIRECTS {
            // Once away, there is no way back: another host may not choose what is asked in our name.
            is_from_home = is_from_home && Origin::of(&uri).as_ref() == Some(&self.base.origin);
            let request = call.request(&uri, authorization.filter(|_| is_from_home))?;
            let response = if is_from_home {
                self.send_home(request, call.purpose).await?
            } else {
                self.transport.send(request).await?
            };
            if !call.redirects.follows(response.status()) {
                return Ok(Answer { response, uri, is_from_home });
            }
            uri = target(&uri, &response)?;
        }
        Err(status_trouble(&format!("more than {REDIRECTS} redirects")))
    }

    /// Sends a request to the upstream itself, as the weather there allows.
    async fn send_home(&self, request: Request<Empty<Bytes>>, purpose: Purpose) -> Result<Response<Incoming>, Trouble> {
        self.weather.send(purpose, self.transport.send(request)).await
    }
}

impl Redirects {
    fn follows(self, status: StatusCode) -> bool {
        match status.as_u16() {
            301 | 302 | 307 | 308 => true,
            303 => self == Self::Followed,
            _ => false,
        }
    }
}

/// Where a redirect leads.
fn target(from: &Uri, response: &Response<Incoming>) -> Result<Uri, Trouble> {
    let location = text_of(response.headers(), LOCATION);
    let target = location.and_then(|location| resolve(from, location));
    let origin = target.as_ref().and_then(Origin::of);
    let (Some(target), Some(origin)) = (target, origin) else {
        return Err(status_trouble("a redirect that leads nowhere"));
    };
    if !origin.tls && from.scheme_str() == Some("https") {
        return Err(status_trouble(&format!("a redirect from TLS to {origin}")));
    }
    Ok(target)
}

fn status_trouble(text: &str) -> Trouble {
    Trouble::new(UnavailableKind::Status, text, Retry::Never)
}
