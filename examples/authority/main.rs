//! The test authority as a server, for real clients: `cargo run --example authority -- FOLDER [PORT [PORT]]`.
//!
//! Serves Fulcio, Rekor v1 and the timestamp authority on one port of 127.0.0.1 and Rekor v2 on another, prints their
//! addresses, and writes what clients need into FOLDER: trusted root, signing configurations, keys, certificates and
//! tokens. A third address is a registry with releases of every era of the seed pipeline, signed by the authority in
//! memory, so that real clients can be held against what the tests are made of. `cargo run --example authority -- token '{"iss": ..}'` prints a token of other claims.
//!
//! For tests only: it believes every token.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a tool for tests ends where something is wrong, and talks to whoever started it"
)]

mod folder;
mod fulcio;
mod rekor;
#[path = "../../tests/it/support/mod.rs"]
mod support;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use bonafide::clock::{Clock, SystemClock};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use support::authority::{Authority, seed};
use support::content::Repositories;
use support::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::rekor::Rekor;

/// Everything that answers requests.
struct Services {
    authority: Authority,
    rekor: Rekor,
}

/// An answer: a status, a media type, a body, and an `ETag`, by which clients find their entry in what Rekor says.
struct Answer {
    status: StatusCode,
    media_type: &'static str,
    body: Vec<u8>,
    tag: Option<String>,
}

impl Answer {
    fn new(status: StatusCode, media_type: &'static str, body: Vec<u8>) -> Self {
        Self { status, media_type, body, tag: None }
    }

    fn json(status: StatusCode, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json", body.to_string().into_bytes())
    }

    fn pem(status: StatusCode, body: String) -> Self {
        Self::new(status, "application/pem-certificate-chain", body.into_bytes())
    }

    fn error(status: StatusCode, message: &str) -> Self {
        Self::json(status, &serde_json::json!({ "code": status.as_u16(), "message": message }))
    }
}

/// What is asked for.
struct Asked {
    method: Method,
    path: String,
    query: Option<String>,
    token: Option<String>,
    body: Bytes,
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, claims] = &arguments[..]
        && command == "token"
    {
        print!("{}", folder::token(&serde_json::from_str(claims).unwrap()));
        return;
    }
    let port = |position: usize| arguments.get(position).map_or(0, |port| port.parse().unwrap());
    let one = TcpListener::bind(("127.0.0.1", port(1))).await.unwrap();
    let two = TcpListener::bind(("127.0.0.1", port(2))).await.unwrap();
    let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let authority = Authority::at("example", &url(&one), &url(&two));
    folder::write(&PathBuf::from(&arguments[0]), &authority);
    println!("fulcio, rekor v1, timestamps: {}\nrekor v2: {}", url(&one), url(&two));
    let registry = Registry::start().await;
    registry.publish(releases(&authority));
    println!("registry: {}", registry.host());
    let services = Arc::new(Services { authority, rekor: Rekor::default() });
    tokio::join!(serve(one, Arc::clone(&services)), serve(two, services));
}

/// A release of every era, and one that nobody signed.
fn releases(authority: &Authority) -> Repositories {
    let mut repositories = Repositories::default();
    seed::era_a(authority, &mut repositories, "fystack/apex", "a");
    seed::era_a_buildkit(authority, &mut repositories, "fystack/apex", "buildkit");
    seed::era_b(authority, &mut repositories, "fystack/apex", "b");
    seed::unsigned(&mut repositories, "fystack/apex", "unsigned");
    repositories
}

async fn serve(listener: TcpListener, services: Arc<Services>) {
    let connections = TaskTracker::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let services = Arc::clone(&services);
        connections.spawn(async move {
            let answer = service_fn(|request| answer(&services, request));
            // A client that goes away is no concern of ours.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await);
        });
    }
}

async fn answer(services: &Services, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let bearer = head.headers.get("authorization").and_then(|value| value.to_str().ok());
    let asked = Asked {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        token: bearer.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned),
        body: body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default(),
    };
    let answer = route(services, &asked);
    println!("{} {} -> {}", asked.method, asked.path, answer.status);
    let mut response = Response::builder().status(answer.status).header("content-type", answer.media_type);
    if let Some(tag) = answer.tag {
        response = response.header("etag", tag);
    }
    Ok(response.body(Full::new(Bytes::from(answer.body))).unwrap())
}

fn route(services: &Services, asked: &Asked) -> Answer {
    let (authority, rekor) = (&services.authority, &services.rekor);
    let now = SystemClock.now();
    let answer = match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", "/api/v2/signingCert") => fulcio::sign_v2(authority, asked, now),
        ("POST", "/api/v1/signingCert") => fulcio::sign_v1(authority, asked, now),
        ("GET", "/api/v1/rootCert") => Some(Answer::pem(StatusCode::OK, fulcio::chain(authority))),
        ("GET", "/api/v2/trustBundle") => Some(fulcio::trust_bundle(authority)),
        ("POST", "/api/v1/log/entries") => rekor.add_v1(authority, asked, now),
        ("POST", "/api/v2/log/entries") => rekor::add_v2(authority, asked, now),
        ("POST", "/api/v1/log/entries/retrieve" | "/api/v1/index/retrieve") => {
            Some(Answer::json(StatusCode::OK, &serde_json::json!([])))
        }
        ("GET", "/api/v1/log/publicKey") => {
            Some(Answer::new(StatusCode::OK, "application/x-pem-file", authority.log.key.public_pem().into_bytes()))
        }
        ("GET", path) if path.starts_with("/api/v1/log/entries") => rekor.find(asked),
        ("POST", "/api/v1/timestamp") => authority
            .timestamps
            .answer(&asked.body, now)
            .map(|token| Answer::new(StatusCode::CREATED, "application/timestamp-reply", token)),
        ("GET", "/api/v1/timestamp/certchain") => Some(Answer::pem(StatusCode::OK, folder::timestamp_chain(authority))),
        _ => Some(Answer::error(StatusCode::NOT_FOUND, "no such service here")),
    };
    answer.unwrap_or_else(|| Answer::error(StatusCode::BAD_REQUEST, "not understood"))
}
