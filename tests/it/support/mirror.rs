//! The whole program in this process, as `bonafide serve` runs it: on free ports, with its own storage and a clock that
//! is moved by hand.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bonafide::app::App;
use bonafide::clock::Clock;
use bonafide::config::{Config, Environment};
use bonafide::oci::Digest;
use bonafide::trust::RefreshNow;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper::ext::ReasonPhrase;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::support::authority::Authority;
use crate::support::registry::Registry;

/// Longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program. Dropping it stops it.
pub(crate) struct Mirror {
    address: SocketAddr,
    admin: SocketAddr,
    stop: CancellationToken,
    running: AbortOnDropHandle<()>,
    refresh: RefreshNow,
    folder: TempDir,
    pub(crate) clock: Arc<HandClock>,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What the status line says, where it says something of its own.
    pub(crate) reason: Option<String>,
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub(crate) struct HandClock(Mutex<Timestamp>);

impl HandClock {
    pub(crate) fn at(time: Timestamp) -> Arc<Self> {
        Arc::new(Self(Mutex::new(time)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(by).unwrap();
    }

    pub(crate) fn go_back(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_sub(by).unwrap();
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// What `[[upstream]]` and `[[trust]]` have to say about `registry`, as docker.io, and `corp`, whose root is `authority`.
pub(crate) fn world(registry: &Registry) -> String {
    let url = registry.url();
    format!(
        "[[upstream]]\nname = \"docker.io\"\nurl = \"{url}\"\ndefault = true\n\n\
         [[trust]]\nname = \"corp\"\ntrusted_root = \"trusted_root.json\"\n\n"
    )
}

impl Mirror {
    /// Starts with `config`, in which `trusted_root.json` is the root of `authority`, one minute after the authority
    /// signed.
    pub(crate) async fn start(authority: &Authority, config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        authority.trusted_root().write_to(folder.path());
        let clock = HandClock::at(authority.time().checked_add(Duration::from_mins(1)).unwrap());
        Self::run(folder, clock, config).await
    }

    /// Starts with `config` in `folder`, at the time `now`.
    pub(crate) async fn within(folder: TempDir, now: Timestamp, config: &str) -> Self {
        Self::run(folder, HandClock::at(now), config).await
    }

    /// Starts with `config` at the time `now`.
    pub(crate) async fn at(now: Timestamp, config: &str) -> Self {
        Self::run(tempfile::tempdir().unwrap(), HandClock::at(now), config).await
    }

    async fn run(folder: TempDir, clock: Arc<HandClock>, config: &str) -> Self {
        let config = Config::load(Some(&write(folder.path(), config)), &Environment::default()).unwrap();
        let app = App::build(config, Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let (address, admin, stop) = (app.address(), app.admin_address(), CancellationToken::new());
        let refresh = app.refresh_now();
        let running = TaskTracker::new().spawn(app.run(stop.clone().cancelled_owned()));
        Self { address, admin, stop, refresh, running: AbortOnDropHandle::new(running), folder, clock }
    }

    /// Stops, and starts again with the same storage and `config`.
    pub(crate) async fn restart(self, config: &str) -> Self {
        let clock = Arc::clone(&self.clock);
        Self::run(self.stop().await, clock, config).await
    }

    /// Stops, and leaves the folder with its configuration and storage.
    pub(crate) async fn stop(self) -> TempDir {
        self.stop.cancel();
        self.running.await.unwrap();
        self.folder
    }

    /// Changes the configuration under the running program, and waits until it has read it: what came of that is the
    /// label `outcome` of its metric.
    pub(crate) async fn reconfigure(&self, config: &str, outcome: &str) {
        let line = format!("bonafide_config_reloads_total{{outcome=\"{outcome}\"}}");
        let before = self.metric(&line).await;
        write(self.folder.path(), config);
        let waiting = async {
            while self.metric(&line).await <= before {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    }

    /// The value of the metric `line`, labels included; 0 if it was never counted.
    pub(crate) async fn metric(&self, line: &str) -> f64 {
        let page = self.admin("/metrics").await;
        let page = std::str::from_utf8(&page.body).unwrap();
        page.lines().find_map(|other| other.strip_prefix(line)?.trim().parse().ok()).unwrap_or_default()
    }

    /// Has every trusted root with a repository looked at, and waits until that is done.
    pub(crate) async fn refresh_trust(&self) {
        self.refresh.ask().await;
    }

    /// Where clients connect, for what is no proper request.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder of what it keeps.
    pub(crate) fn storage(&self) -> PathBuf {
        self.folder.path().join("storage")
    }

    /// The file that keeps the content of `digest`, once it is kept.
    pub(crate) fn content_file(&self, digest: Digest) -> PathBuf {
        let hex = digest.hex();
        self.folder.path().join("storage/content/sha256").join(&hex[..2]).join(hex)
    }

    /// The names of all files of content, finished or not.
    pub(crate) fn kept(&self) -> Vec<String> {
        let mut folders = vec![self.folder.path().join("storage").join("content")];
        let mut names = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    names.push(entry.file_name().into_string().unwrap());
                }
            }
        }
        names
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[]).await
    }

    pub(crate) async fn head(&self, path: &str) -> Answer {
        self.ask(Method::HEAD, path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask(Method::GET, path, headers).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        ask(self.address, method, path, headers).await.unwrap()
    }

    /// The response head is there, but its body may break.
    pub(crate) async fn try_get(&self, path: &str) -> hyper::Result<Answer> {
        ask(self.address, Method::GET, path, &[]).await
    }

    pub(crate) async fn admin(&self, path: &str) -> Answer {
        ask(self.admin, Method::GET, path, &[]).await.unwrap()
    }
}

/// Writes `config` where the program that runs in `folder` reads it.
fn write(folder: &Path, config: &str) -> PathBuf {
    let storage = folder.join("storage");
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[storage]\npath = \"{}\"\n\n{config}",
        storage.display()
    );
    let path = folder.join("bonafide.toml");
    fs::write(&path, config).unwrap();
    path
}

async fn ask(address: SocketAddr, method: Method, path: &str, headers: &[(&str, &str)]) -> hyper::Result<Answer> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    TaskTracker::new().spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", "mirror");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, body) = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    let reason = head.extensions.get::<ReasonPhrase>().map(|reason| String::from_utf8_lossy(reason.as_bytes()).into());
    Ok(Answer { status: head.status, headers: head.headers, body, reason })
}

impl Answer {
    /// The value of a header that must be there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).expect(name).to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The code and the message of an error.
    pub(crate) fn error(&self) -> (String, String) {
        let error = &self.json()["errors"][0];
        (error["code"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
    }
}
