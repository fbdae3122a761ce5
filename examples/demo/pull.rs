//! A client that pulls as a runtime does: manifest, children, config and layers, each held against its digest.

use std::collections::VecDeque;
use std::fmt;

use bonafide::oci::{Digest, Manifest, digest_of, parse_manifest};
use bytes::Bytes;
use http::header::ACCEPT;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// Pulls through the proxy at `url`.
pub(crate) struct Client {
    url: String,
    http: hyper_util::client::legacy::Client<HttpConnector, Empty<Bytes>>,
}

/// What is asked for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// `upstream/repository:tag` or `upstream/repository@digest`, with everything that it reaches.
    Image(String),
    /// A blob by its digest, and nothing else.
    Blob { repository: String, digest: Digest },
}

/// What came of asking for it.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Everything that the manifest reaches arrived, and is what it says it is.
    Served { manifests: usize, blobs: usize, bytes: usize },
    /// Refused, with the message that users read.
    Refused { message: String },
    /// Something that was let through did not arrive whole.
    Cut { what: String },
    /// Anything else.
    Unexpected { what: String },
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(image) => f.write_str(&short(image)),
            Self::Blob { repository, digest } => write!(f, "{repository}, blob {}", short(&digest.to_string())),
        }
    }
}

impl Outcome {
    /// What was decided, in a word.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Served { .. } => "served",
            Self::Refused { .. } => "refused",
            Self::Cut { .. } => "cut",
            Self::Unexpected { .. } => "ERROR",
        }
    }

    /// Why, in a line.
    pub(crate) fn why(&self) -> String {
        match self {
            Self::Served { manifests, blobs, bytes } => {
                format!("{manifests} manifests, {blobs} blobs, {bytes} bytes, every digest right")
            }
            Self::Refused { message } => short(message),
            Self::Cut { what } | Self::Unexpected { what } => what.clone(),
        }
    }
}

impl Client {
    pub(crate) fn new(url: &str) -> Self {
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
        Self { url: url.to_owned(), http }
    }

    /// Asks for it, and holds what arrives against its digests.
    pub(crate) async fn ask(&self, asked: &Asked) -> Outcome {
        let outcome = match asked {
            Asked::Image(image) => self.pull(image).await,
            Asked::Blob { repository, digest } => {
                let served = |bytes: Bytes| Outcome::Served { manifests: 0, blobs: 1, bytes: bytes.len() };
                self.get(&format!("{repository}/blobs/{digest}")).await.map(served)
            }
        };
        outcome.unwrap_or_else(|outcome| outcome)
    }

    async fn pull(&self, image: &str) -> Result<Outcome, Outcome> {
        let (repository, reference) = image.split_once('@').or(image.rsplit_once(':')).unwrap();
        let (mut manifests, mut blobs, mut bytes) = (0, Vec::new(), 0);
        let mut wanted = VecDeque::from([reference.to_owned()]);
        while let Some(reference) = wanted.pop_front() {
            let body = self.get(&format!("{repository}/manifests/{reference}")).await?;
            hold(&reference, &body)?;
            manifests += 1;
            bytes += body.len();
            let (children, content) = reached(&body);
            wanted.extend(children.iter().map(Digest::to_string));
            blobs.extend(content);
        }
        for digest in &blobs {
            let body = self.get(&format!("{repository}/blobs/{digest}")).await?;
            hold(&digest.to_string(), &body)?;
            bytes += body.len();
        }
        Ok(Outcome::Served { manifests, blobs: blobs.len(), bytes })
    }

    async fn get(&self, path: &str) -> Result<Bytes, Outcome> {
        let request = Request::get(format!("{}/v2/{path}", self.url)).header(ACCEPT, MANIFESTS);
        let response = self.http.request(request.body(Empty::new()).unwrap()).await.unwrap();
        let status = response.status();
        let Ok(body) = response.into_body().collect().await else {
            return Err(Outcome::Cut { what: format!("the connection breaks off within {}", short(path)) });
        };
        let body = body.to_bytes();
        match status {
            StatusCode::OK => Ok(body),
            StatusCode::FORBIDDEN => Err(Outcome::Refused { message: message(&body) }),
            _ => Err(Outcome::Unexpected { what: format!("{status} {}", message(&body)) }),
        }
    }
}

/// What a client checks of everything it receives.
fn hold(reference: &str, body: &[u8]) -> Result<(), Outcome> {
    match reference.parse::<Digest>() {
        Ok(digest) if digest != Digest::of(body) => {
            Err(Outcome::Unexpected { what: format!("wrong bytes arrived for {}", short(reference)) })
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// What a manifest reaches: manifests, and blobs.
fn reached(body: &[u8]) -> (Vec<Digest>, Vec<Digest>) {
    match parse_manifest(body).unwrap() {
        Manifest::Index(index) => (index.manifests().iter().map(|one| digest_of(one).unwrap()).collect(), Vec::new()),
        Manifest::Image(image) => {
            let all = std::iter::once(image.config()).chain(image.layers());
            (Vec::new(), all.map(|one| digest_of(one).unwrap()).collect())
        }
    }
}

/// The message of an error of the distribution specification.
fn message(body: &[u8]) -> String {
    let error: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    error["errors"][0]["message"].as_str().unwrap_or("(no message)").to_owned()
}

/// The text with its digests cut short, to be read.
fn short(text: &str) -> String {
    let mut parts = text.split("sha256:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |read, part| {
        let digits = part.chars().take_while(char::is_ascii_hexdigit).count();
        format!("{read}sha256:{}..{}", &part[..digits.min(8)], &part[digits..])
    })
}
