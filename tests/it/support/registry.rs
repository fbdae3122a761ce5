//! An OCI registry in this process, for tests: it serves what was pushed into it, records what it is asked, and on
//! demand fails, stalls, cuts and lies.
//!
//! ```ignore
//! let registry = Registry::start().await;
//! let digest = registry.push_manifest("lib/app", Some("v1"), br#"{"schemaVersion":2,..}"#);
//! registry.fault("GET /v2/lib/app/blobs/", Fault::CutAfter(10));   // every such request, until `clear_faults`
//! registry.fault_times(1, "HEAD ", Fault::Status(503));            // the next one only
//! assert_eq!(registry.requests_to("GET /v2/lib/app/manifests/").len(), 0);
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonafide::oci::Digest;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::{
    ACCEPT_RANGES, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue, LINK, LOCATION,
    RANGE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::support::content::{Content, Repositories};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// One request, as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
}

impl Recorded {
    /// `GET /v2/..`, what faults and `requests_to` are matched against.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The values of `name`, joined by a comma.
    pub(crate) fn header(&self, name: impl http::header::AsHeaderName) -> Option<String> {
        let values: Vec<_> = self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

/// What may go wrong with an answer.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// This status, with an error body of the specification.
    Status(u16),
    /// This status with `Retry-After`.
    RetryAfter(u16, String),
    /// The header set (`Some`) or left out (`None`).
    Header(&'static str, Option<String>),
    /// No answer, ever.
    Stall,
    /// The body stops after so many bytes, and the connection stays open.
    StallAfter(usize),
    /// The body stops after so many bytes, and goes on once there is a permit.
    HeldAfter(usize, Arc<Semaphore>),
    /// The connection breaks after so many bytes of the body.
    CutAfter(usize),
    /// A `Content-Length` that the body does not have: it is cut off there, or its connection breaks before.
    Length(usize),
    /// Other bytes as body; the other headers stay, `Content-Length` follows.
    Bytes(Vec<u8>),
    /// A body that never ends, without `Content-Length`.
    Endless,
    /// `Range` is not understood: the whole body, from its beginning.
    Unranged,
    /// 307 to the same path and query at another base, such as `http://127.0.0.1:1234`.
    MovedTo(String),
    /// This status with this `Location`.
    Redirect(u16, String),
}

/// How the referrers API behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Referrers {
    /// 404, as on a registry without it.
    Absent,
    /// All in one answer, `artifactType` filtered.
    Served,
    /// So many in each page, with `Link` to the next.
    Paged(usize),
}

/// Whom the registry lets in.
#[derive(Debug, Clone)]
pub(crate) enum Auth {
    /// Everybody.
    Open,
    /// Basic, these credentials.
    Basic { username: String, password: String },
    /// Bearer tokens of `realm` (default: this registry's own `/token`), which asks for these credentials, if any.
    Bearer { realm: Option<String>, credentials: Option<(String, String)>, expires_in: Option<u64> },
}

#[derive(Debug)]
struct FaultRule {
    part: String,
    fault: Fault,
    left: Option<usize>,
}

/// A request that waits for its round.
#[derive(Debug)]
struct Held {
    line: String,
    turn: oneshot::Sender<()>,
}

#[derive(Debug)]
struct State {
    repositories: BTreeMap<String, Content>,
    requests: Vec<Recorded>,
    held: Option<Vec<Held>>,
    faults: Vec<FaultRule>,
    referrers: Referrers,
    auth: Auth,
    tokens: BTreeSet<String>,
    issued: usize,
    tag_page: Option<usize>,
    /// What is served beside the registry's own, by path.
    files: BTreeMap<String, Vec<u8>>,
    url: String,
}

/// The registry. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Registry {
    address: SocketAddr,
    tls: Option<Tls>,
    state: Arc<Mutex<State>>,
    arrived: Arc<Notify>,
    tasks: Mutex<JoinSet<()>>,
}

/// Longest that a round is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// An authority of its own and a certificate for 127.0.0.1 and localhost.
#[derive(Clone)]
struct Tls {
    acceptor: TlsAcceptor,
    authority_pem: String,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Registry {
    /// An empty registry over plain HTTP.
    pub(crate) async fn start() -> Self {
        Self::launch(None).await
    }

    /// An empty registry over TLS, certified by [`Registry::authority_pem`].
    pub(crate) async fn start_with_tls() -> Self {
        Self::launch(Some(Tls::new())).await
    }

    async fn launch(tls: Option<Tls>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let state = State {
            repositories: BTreeMap::new(),
            requests: Vec::new(),
            held: None,
            faults: Vec::new(),
            referrers: Referrers::Served,
            auth: Auth::Open,
            tokens: BTreeSet::new(),
            issued: 0,
            tag_page: None,
            files: BTreeMap::new(),
            url: format!("{scheme}://{address}"),
        };
        let state = Arc::new(Mutex::new(state));
        let registry = Self { address, tls, state, arrived: Arc::default(), tasks: Mutex::new(JoinSet::new()) };
        registry.accept_on(listener);
        registry
    }

    /// `http://127.0.0.1:PORT` or `https://..`.
    pub(crate) fn url(&self) -> String {
        self.lock().url.clone()
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// The certificate of the authority, if this registry speaks TLS.
    pub(crate) fn authority_pem(&self) -> &str {
        &self.tls.as_ref().expect("a registry with TLS").authority_pem
    }

    /// Puts a manifest into `repository`, under its digest and the tag.
    pub(crate) fn push_manifest(&self, repository: &str, tag: Option<&str>, bytes: impl Into<Vec<u8>>) -> Digest {
        let bytes = bytes.into();
        let digest = Digest::of(&bytes);
        let mut state = self.lock();
        let content = state.repositories.entry(repository.to_owned()).or_default();
        if let Some(tag) = tag {
            content.manifests.insert(tag.to_owned(), bytes.clone());
        }
        content.manifests.insert(digest.to_string(), bytes);
        digest
    }

    /// Puts a blob into `repository`.
    pub(crate) fn push_blob(&self, repository: &str, bytes: impl Into<Vec<u8>>) -> Digest {
        let bytes = bytes.into();
        let digest = Digest::of(&bytes);
        self.lock().repositories.entry(repository.to_owned()).or_default().blobs.insert(digest, bytes);
        digest
    }

    /// Puts everything that was published into `repositories` beside what is there.
    pub(crate) fn publish(&self, repositories: Repositories) {
        let mut state = self.lock();
        for (name, content) in repositories.0 {
            let held = state.repositories.entry(name).or_default();
            held.manifests.extend(content.manifests);
            held.blobs.extend(content.blobs);
        }
    }

    /// Changes what `repository` holds in any other way.
    pub(crate) fn edit(&self, repository: &str, change: impl FnOnce(&mut Content)) {
        change(self.lock().repositories.entry(repository.to_owned()).or_default());
    }

    /// Every request whose line (`GET /v2/..`) contains `part` meets `fault`. Faults add up, in the order given.
    pub(crate) fn fault(&self, part: &str, fault: Fault) {
        self.lock().faults.push(FaultRule { part: part.to_owned(), fault, left: None });
    }

    /// The same for the next `times` such requests.
    pub(crate) fn fault_times(&self, times: usize, part: &str, fault: Fault) {
        self.lock().faults.push(FaultRule { part: part.to_owned(), fault, left: Some(times) });
    }

    /// Ends all faults.
    pub(crate) fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// How the referrers API behaves from now on; at first [`Referrers::Served`].
    pub(crate) fn set_referrers(&self, referrers: Referrers) {
        self.lock().referrers = referrers;
    }

    /// Whom the registry lets in from now on; at first everybody.
    pub(crate) fn set_auth(&self, auth: Auth) {
        self.lock().auth = auth;
    }

    /// Makes all tokens issued so far worthless.
    pub(crate) fn revoke_tokens(&self) {
        self.lock().tokens.clear();
    }

    /// Serves `bytes` at `path`, beside what a registry has.
    pub(crate) fn set_file(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.lock().files.insert(path.to_owned(), bytes.into());
    }

    /// The most tags in one page of a list.
    pub(crate) fn set_tag_page(&self, most: usize) {
        self.lock().tag_page = Some(most);
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.lock().requests.clone()
    }

    /// Those whose line contains `part`.
    pub(crate) fn requests_to(&self, part: &str) -> Vec<Recorded> {
        self.requests().into_iter().filter(|request| request.line().contains(part)).collect()
    }

    /// Forgets the requests so far.
    pub(crate) fn forget_requests(&self) {
        self.lock().requests.clear();
    }

    /// From now on no request is answered before [`Self::answer_round`] does.
    pub(crate) fn hold(&self) {
        self.lock().held = Some(Vec::new());
    }

    /// Waits until just these requests are held, one whose line contains each of `parts` (as many as it is given times),
    /// and answers them. What is asked for only after one of these answers is in a later round: so many rounds, so many
    /// round trips.
    pub(crate) async fn answer_round(&self, parts: &[&str]) {
        let mut waited = std::pin::pin!(tokio::time::timeout(PATIENCE, std::future::pending::<()>()));
        loop {
            let arrived = self.arrived.notified();
            let lines = self.held();
            let unexpected: Vec<_> =
                lines.iter().filter(|line| !parts.iter().any(|part| line.contains(part))).collect();
            assert!(unexpected.is_empty(), "asked for too early: {unexpected:?}");
            let times = |part: &&str| parts.iter().filter(|other| *other == part).count();
            let asked = |part: &&str| lines.iter().filter(|line| line.contains(part)).count();
            if parts.iter().all(|part| asked(part) >= times(part)) {
                assert_eq!(lines.len(), parts.len(), "{lines:?}");
                break;
            }
            tokio::select! {
                () = arrived => {}
                _ = &mut waited => panic!("of {parts:?} only these were asked for: {lines:?}"),
            }
        }
        for held in self.lock().held.replace(Vec::new()).into_iter().flatten() {
            held.turn.send(()).unwrap();
        }
    }

    fn held(&self) -> Vec<String> {
        self.lock().held.iter().flatten().map(|held| held.line.clone()).collect()
    }

    /// Goes down: breaks all connections and refuses new ones.
    pub(crate) async fn stop(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap());
        tasks.shutdown().await;
    }

    /// Comes back, on the same port.
    pub(crate) async fn restart(&self) {
        self.accept_on(TcpListener::bind(self.address).await.unwrap());
    }

    fn accept_on(&self, listener: TcpListener) {
        let at = Counter { state: Arc::clone(&self.state), arrived: Arc::clone(&self.arrived) };
        self.tasks.lock().unwrap().spawn(accept(listener, at, self.tls.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// Where requests arrive.
#[derive(Clone)]
struct Counter {
    state: Arc<Mutex<State>>,
    arrived: Arc<Notify>,
}

impl Counter {
    /// Waits for the round of a request.
    async fn wait_for_turn(&self, request: &Recorded) {
        let (turn, waiting) = oneshot::channel();
        match &mut self.state.lock().unwrap().held {
            Some(held) => held.push(Held { line: request.line(), turn }),
            None => return,
        }
        self.arrived.notify_one();
        drop(waiting.await);
    }
}

/// Accepts until aborted; its connections end with it.
async fn accept(listener: TcpListener, at: Counter, tls: Option<Tls>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        connections.spawn(serve(socket, at.clone(), tls.clone()));
    }
}

async fn serve(socket: TcpStream, at: Counter, tls: Option<Tls>) {
    let service = service_fn(move |request| answer(at.clone(), request));
    let builder = auto::Builder::new(TokioExecutor::new());
    // A client that goes away is no failure of the registry.
    match tls {
        None => drop(builder.serve_connection(TokioIo::new(socket), service).await),
        Some(tls) => {
            let Ok(stream) = tls.acceptor.accept(socket).await else { return };
            drop(builder.serve_connection(TokioIo::new(stream), service).await);
        }
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

async fn answer(at: Counter, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let recorded = Recorded {
        method: request.method().clone(),
        path: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
        headers: request.headers().clone(),
    };
    at.wait_for_turn(&recorded).await;
    let reply = at.state.lock().unwrap().reply(&recorded, request.uri());
    if matches!(reply.end, End::Never) {
        std::future::pending::<()>().await;
    }
    Ok(reply.into_response())
}

/// An answer before it is sent.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    end: End,
}

/// How the sending ends.
enum End {
    Whole,
    Never,
    StalledAfter(usize),
    HeldAfter(usize, Arc<Semaphore>),
    CutAfter(usize),
    Endless,
}

impl Reply {
    fn new(status: StatusCode, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut reply = Self { status, headers: HeaderMap::new(), body: Vec::new(), end: End::Whole };
        reply.set(CONTENT_TYPE, content_type);
        reply.set_body(body.into());
        reply
    }

    fn error(status: StatusCode, code: &str) -> Self {
        let body = json!({"errors": [{"code": code, "message": "as the test wants it"}]});
        Self::new(status, "application/json", body.to_string())
    }

    fn not_found(code: &str) -> Self {
        Self::error(StatusCode::NOT_FOUND, code)
    }

    fn set(&mut self, name: HeaderName, value: &str) {
        self.headers.insert(name, HeaderValue::from_str(value).unwrap());
    }

    fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.set(name, value);
        self
    }

    fn set_body(&mut self, body: Vec<u8>) {
        self.set(CONTENT_LENGTH, &body.len().to_string());
        self.body = body;
    }

    fn suffer(&mut self, fault: &Fault, request: &Recorded) {
        match fault {
            Fault::Status(status) => *self = Self::error(StatusCode::from_u16(*status).unwrap(), "FAULT"),
            Fault::RetryAfter(status, after) => {
                *self = Self::error(StatusCode::from_u16(*status).unwrap(), "FAULT").with(RETRY_AFTER, after);
            }
            Fault::Header(name, Some(value)) => self.set(HeaderName::from_static(name), value),
            Fault::Header(name, None) => {
                self.headers.remove(*name);
            }
            Fault::Unranged => {}
            Fault::Stall => self.end = End::Never,
            Fault::StallAfter(bytes) => self.end = End::StalledAfter(*bytes),
            Fault::HeldAfter(bytes, go_on) => self.end = End::HeldAfter(*bytes, Arc::clone(go_on)),
            Fault::Length(length) => self.set(CONTENT_LENGTH, &length.to_string()),
            Fault::CutAfter(bytes) => self.end = End::CutAfter(*bytes),
            Fault::Bytes(bytes) => self.set_body(bytes.clone()),
            Fault::Endless => {
                self.headers.remove(CONTENT_LENGTH);
                self.end = End::Endless;
            }
            Fault::MovedTo(base) => self.redirect(307, &format!("{base}{}", request.path)),
            Fault::Redirect(status, location) => self.redirect(*status, location),
        }
    }

    fn redirect(&mut self, status: u16, location: &str) {
        *self = Self::new(StatusCode::from_u16(status).unwrap(), "text/html", "moved").with(LOCATION, location);
    }

    fn into_response(self) -> Answer {
        let start = |length: usize| Bytes::copy_from_slice(&self.body[..length.min(self.body.len())]);
        let once = |bytes: Bytes| stream::iter([Ok(bytes)]);
        let chunks = match self.end {
            End::Whole | End::Never => once(Bytes::from(self.body.clone())).boxed(),
            End::StalledAfter(length) => once(start(length)).chain(stream::pending()).boxed(),
            End::HeldAfter(length, go_on) => {
                let rest = Bytes::copy_from_slice(self.body.get(length..).unwrap_or_default());
                let rest = async move {
                    go_on.acquire().await.expect("nobody closes it").forget();
                    Ok(rest)
                };
                once(start(length)).chain(stream::once(rest)).boxed()
            }
            End::CutAfter(length) => once(start(length)).chain(stream::once(cut())).boxed(),
            End::Endless => stream::repeat_with(|| Ok(Bytes::from_static(&[b' '; 16 * 1024]))).boxed(),
        };
        let body = StreamBody::new(chunks.map(|chunk: io::Result<Bytes>| chunk.map(Frame::data))).boxed_unsync();
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// An error that comes after what was sent before has left.
async fn cut() -> io::Result<Bytes> {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    Err(io::Error::other("cut by the test"))
}

impl State {
    fn reply(&mut self, request: &Recorded, uri: &Uri) -> Reply {
        self.requests.push(request.clone());
        let faults = self.faults_of(&request.line());
        let mut understood = request.clone();
        if faults.iter().any(|fault| matches!(fault, Fault::Unranged)) {
            understood.headers.remove(RANGE);
        }
        let mut reply = match uri.path() {
            "/token" => self.token(request),
            path if self.files.contains_key(path) => {
                Reply::new(StatusCode::OK, "application/octet-stream", self.files[path].clone())
            }
            path if self.lets_in(request) => self.content(&understood, path, uri.query().unwrap_or_default()),
            _ => self.challenge(request),
        };
        for fault in &faults {
            reply.suffer(fault, request);
        }
        reply
    }

    fn faults_of(&mut self, line: &str) -> Vec<Fault> {
        let mut met = Vec::new();
        for rule in self.faults.iter_mut().filter(|rule| line.contains(&rule.part)) {
            if rule.left != Some(0) {
                met.push(rule.fault.clone());
                rule.left = rule.left.map(|left| left - 1);
            }
        }
        met
    }

    fn lets_in(&self, request: &Recorded) -> bool {
        let given = request.header(AUTHORIZATION).unwrap_or_default();
        match &self.auth {
            Auth::Open => true,
            Auth::Basic { username, password } => given == basic(username, password),
            Auth::Bearer { .. } => given.strip_prefix("Bearer ").is_some_and(|token| self.tokens.contains(token)),
        }
    }

    fn challenge(&self, request: &Recorded) -> Reply {
        let scope = repository_of(&request.path).map_or_else(String::new, |name| format!("repository:{name}:pull"));
        let challenge = match &self.auth {
            Auth::Open | Auth::Basic { .. } => "Basic realm=\"test\"".to_owned(),
            Auth::Bearer { realm, .. } => {
                let realm = realm.clone().unwrap_or_else(|| format!("{}/token", self.url));
                format!("Bearer realm=\"{realm}\",service=\"registry, of \\\"test\\\"\",scope=\"{scope}\"")
            }
        };
        Reply::error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED").with(WWW_AUTHENTICATE, &challenge)
    }

    fn token(&mut self, request: &Recorded) -> Reply {
        let Auth::Bearer { credentials, expires_in, .. } = self.auth.clone() else {
            return Reply::not_found("UNSUPPORTED");
        };
        if let Some((username, password)) = credentials
            && request.header(AUTHORIZATION) != Some(basic(&username, &password))
        {
            return Reply::error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
        }
        self.issued += 1;
        let token = format!("token-{}", self.issued);
        let mut body = json!({"token": token});
        if let Some(seconds) = expires_in {
            body["expires_in"] = seconds.into();
        }
        self.tokens.insert(token);
        Reply::new(StatusCode::OK, "application/json", body.to_string())
    }

    fn content(&self, request: &Recorded, path: &str, query: &str) -> Reply {
        if path == "/v2/" {
            return Reply::new(StatusCode::OK, "application/json", "{}");
        }
        let Some((name, kind, rest)) = parts(path) else { return Reply::not_found("UNSUPPORTED") };
        let Some(content) = self.repositories.get(name) else { return Reply::not_found("NAME_UNKNOWN") };
        match kind {
            "manifests" => manifest(content, rest),
            "blobs" => blob(content, rest, request),
            "referrers" => self.referrers(content, name, rest, query),
            _ => self.tags(content, name, query),
        }
    }

    fn referrers(&self, content: &Content, name: &str, subject: &str, query: &str) -> Reply {
        let page = match self.referrers {
            Referrers::Absent => return Reply::new(StatusCode::NOT_FOUND, "text/plain", "404 page not found\n"),
            Referrers::Served => usize::MAX,
            Referrers::Paged(page) => page,
        };
        let wanted = parameter(query, "artifactType");
        let all: Vec<Value> = referrers_of(content, subject)
            .into_iter()
            .filter(|descriptor| wanted.is_none_or(|wanted| descriptor["artifactType"] == wanted))
            .collect();
        let from = parameter(query, "from").map_or(0, |from| from.parse().unwrap());
        let shown: Vec<_> = all.iter().skip(from).take(page).collect();
        let body = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": shown});
        let mut reply = Reply::new(StatusCode::OK, INDEX, body.to_string());
        if wanted.is_some() {
            reply.set(FILTERS_APPLIED, "artifactType");
        }
        let next = from + shown.len();
        if next < all.len() {
            reply.set(LINK, &format!("</v2/{name}/referrers/{subject}?from={next}>; rel=\"next\""));
        }
        reply
    }

    fn tags(&self, content: &Content, name: &str, query: &str) -> Reply {
        let last = parameter(query, "last").unwrap_or_default();
        let asked = parameter(query, "n").map_or(usize::MAX, |n| n.parse().unwrap());
        let page = asked.min(self.tag_page.unwrap_or(usize::MAX));
        let all: Vec<_> = content.manifests.keys().filter(|key| !key.contains(':') && key.as_str() > last).collect();
        let shown: Vec<_> = all.iter().take(page).collect();
        let reply = Reply::new(StatusCode::OK, "application/json", json!({"name": name, "tags": shown}).to_string());
        match shown.last() {
            Some(end) if shown.len() < all.len() => {
                reply.with(LINK, &format!("</v2/{name}/tags/list?n={page}&last={end}>; rel=\"next\""))
            }
            _ => reply,
        }
    }
}

fn manifest(content: &Content, reference: &str) -> Reply {
    let Some(bytes) = content.manifests.get(reference) else { return Reply::not_found("MANIFEST_UNKNOWN") };
    let parsed: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let by_shape = if parsed["manifests"].is_array() { INDEX } else { "application/vnd.oci.image.manifest.v1+json" };
    let media_type = parsed["mediaType"].as_str().unwrap_or(by_shape);
    let digest = Digest::of(bytes).to_string();
    Reply::new(StatusCode::OK, media_type, bytes.clone()).with(CONTENT_DIGEST, &digest)
}

fn blob(content: &Content, digest: &str, request: &Recorded) -> Reply {
    let bytes = digest.parse().ok().and_then(|digest: Digest| content.blobs.get(&digest));
    let Some(bytes) = bytes else { return Reply::not_found("BLOB_UNKNOWN") };
    let octets = "application/octet-stream";
    let reply = match request.header(RANGE).as_deref().and_then(range) {
        None => Reply::new(StatusCode::OK, octets, bytes.clone()),
        Some((first, _)) if first >= bytes.len() => {
            let reply = Reply::error(StatusCode::RANGE_NOT_SATISFIABLE, "RANGE");
            return reply.with(CONTENT_RANGE, &format!("bytes */{}", bytes.len()));
        }
        Some((first, last)) => {
            let last = last.unwrap_or(usize::MAX).min(bytes.len() - 1);
            let reply = Reply::new(StatusCode::PARTIAL_CONTENT, octets, bytes[first..=last].to_vec());
            reply.with(CONTENT_RANGE, &format!("bytes {first}-{last}/{}", bytes.len()))
        }
    };
    reply.with(CONTENT_DIGEST, digest).with(ACCEPT_RANGES, "bytes")
}

/// `bytes=first-[last]`.
fn range(text: &str) -> Option<(usize, Option<usize>)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()))
}

/// The manifests whose `subject` is `subject`, as a referrers list describes them.
fn referrers_of(content: &Content, subject: &str) -> Vec<Value> {
    let by_digest = content.manifests.iter().filter(|(key, _)| key.contains(':'));
    by_digest
        .filter_map(|(digest, bytes)| {
            let manifest: Value = serde_json::from_slice(bytes).ok()?;
            (manifest["subject"]["digest"] == subject).then(|| describe(digest, bytes, &manifest))
        })
        .collect()
}

fn describe(digest: &str, bytes: &[u8], manifest: &Value) -> Value {
    let media_type = manifest["mediaType"].as_str().unwrap_or("application/vnd.oci.image.manifest.v1+json");
    let mut descriptor = json!({"mediaType": media_type, "digest": digest, "size": bytes.len()});
    let artifact_type = [&manifest["artifactType"], &manifest["config"]["mediaType"]];
    if let Some(artifact_type) = artifact_type.into_iter().find(|value| value.is_string()) {
        descriptor["artifactType"] = artifact_type.clone();
    }
    if manifest["annotations"].is_object() {
        descriptor["annotations"] = manifest["annotations"].clone();
    }
    descriptor
}

/// `/v2/<name>/<kind>/<rest>`; the name may have slashes.
fn parts(path: &str) -> Option<(&str, &str, &str)> {
    let path = path.strip_prefix("/v2/")?;
    let (front, rest) = path.rsplit_once('/')?;
    let (name, kind) = front.rsplit_once('/')?;
    let known = matches!(kind, "manifests" | "blobs" | "referrers") || (kind == "tags" && rest == "list");
    known.then_some((name, kind, rest))
}

fn repository_of(path: &str) -> Option<&str> {
    parts(path.split('?').next().unwrap_or_default()).map(|(name, ..)| name)
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

impl Tls {
    fn new() -> Self {
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned(), "registry.test".to_owned()];
        let certificate = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let key = rustls_pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self { acceptor: TlsAcceptor::from(Arc::new(config)), authority_pem }
    }
}
