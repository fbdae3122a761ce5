//! The real program in a process of its own, over a registry in this one, and a client that gives up.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bonafide::oci::Digest;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::support::authority::Authority;
use crate::support::authority::image::Image;
use crate::support::authority::publisher::Publisher;
use crate::support::authority::seed::{self, RULE};
use crate::support::content::Repositories;
use crate::support::mirror::world;
use crate::support::registry::Registry;

/// How long a client waits for the whole of an answer before it goes away.
const PATIENCE: Duration = Duration::from_secs(3);
pub(super) const SIGNED: &str = "fystacklabs/apex";
const TAG: &str = "v1.2.3";
const OPEN: &str = "[[rule]]\nname = \"open\"\nimages = [\"docker.io/open/*\"]\nmode = \"allow\"\n";

/// The program, the registry behind it, and what is there to be pulled.
pub(super) struct Bed {
    folder: tempfile::TempDir,
    pub(super) registry: Registry,
    /// By repository.
    pub(super) images: Vec<(String, Image)>,
    running: Option<Running>,
}

struct Running {
    process: Child,
    front: String,
    admin: String,
}

/// One thing that a client may ask for, and what it must get.
#[derive(Debug, Clone)]
pub(super) struct Thing {
    pub(super) path: String,
    pub(super) bytes: Vec<u8>,
    /// Whether it may be asked for by itself; everything else only once what reaches it was asked for.
    pub(super) is_root: bool,
}

/// What came of asking.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// An answer, to its end.
    Whole { status: StatusCode, body: Bytes },
    /// No connection, or an answer that broke off.
    Cut,
    /// Nothing for so long that the client went away.
    Left,
}

impl Bed {
    /// A signed release, and `open` images with two layers of `size` bytes each that a rule admits as they are.
    pub(super) async fn new(open: usize, size: usize) -> Self {
        let (authority, registry) = (Authority::new("corp"), Registry::start().await);
        let mut repositories = Repositories::default();
        let release = seed::era_a(&authority, &mut repositories, SIGNED, TAG);
        let mut images = vec![(SIGNED.to_owned(), release.image)];
        for number in 0..open {
            let (name, layers) = (format!("open/app{number}"), [0, 1].map(|layer| noise(size, number * 2 + layer)));
            let image = Image::index(vec![Image::with_layers(&name, &layers)]);
            Publisher::new(&mut repositories, &name).image(TAG, &image);
            images.push((name, image));
        }
        registry.publish(repositories);
        let folder = tempfile::tempdir().unwrap();
        authority.trusted_root().write_to(folder.path());
        let timeouts = "default = true\ntag_ttl = \"1s\"\nidle_timeout = \"1s\"\nanswer_timeout = \"1s\"";
        let world = world(&registry).replace("default = true", timeouts);
        let places =
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[storage]\npath = \"state\"\n";
        fs::write(folder.path().join("bonafide.toml"), format!("{places}{world}{RULE}{OPEN}")).unwrap();
        let mut bed = Self { folder, registry, images, running: None };
        bed.start();
        bed
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self) -> Command {
        // Files that may not grow are an error, as a full disk is one, and no reason to die. A shell may leave it few files.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; ulimit -Sn 64; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_bonafide")]);
        command.env_clear().env("HOME", self.folder.path()).current_dir(self.folder.path());
        command.args(["--config", "bonafide.toml"]).stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Starts the program, and waits until it listens.
    pub(super) fn start(&mut self) {
        let mut process = self.command().arg("serve").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut address = |label| lines.next().unwrap().unwrap().strip_prefix(label).unwrap().to_owned();
        let (front, admin) = (address("serving on http://"), address("admin on http://"));
        self.running = Some(Running { process, front, admin });
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self) {
        let mut running = self.running.take().unwrap();
        running.process.kill().unwrap();
        running.process.wait().unwrap();
    }

    pub(super) fn process_id(&self) -> u32 {
        self.running.as_ref().unwrap().process.id()
    }

    /// Lets the running program have no more than `most` of `resource`; all that it may have, with `None`.
    pub(super) fn limit(&self, resource: Resource, most: Option<u64>) {
        let pid = Pid::from_raw(i32::try_from(self.process_id()).unwrap());
        let before = prlimit(pid, resource, Rlimit { current: most, maximum: None });
        if before.is_err() {
            // Without the right to raise the hard limit: within it.
            let hard = rustix::process::getrlimit(resource).maximum;
            prlimit(pid, resource, Rlimit { current: most.or(hard), maximum: hard }).unwrap();
        }
    }

    /// How many files the program has open.
    pub(super) fn open_files(&self) -> u64 {
        let folder = format!("/proc/{}/fd", self.process_id());
        fs::read_dir(folder).unwrap().count() as u64
    }

    /// Everything of all images: manifests by tag and by digest, and blobs.
    pub(super) fn things(&self) -> Vec<Thing> {
        self.images.iter().flat_map(|(name, image)| things_of(name, image)).collect()
    }

    pub(super) fn front(&self) -> String {
        self.running.as_ref().unwrap().front.clone()
    }

    /// Asks for all of `things`, one after the other, each of which must come as it is.
    pub(super) async fn pull(&self, things: &[Thing]) {
        for thing in things {
            let Outcome::Whole { status, body } = ask(&self.front(), Method::GET, &thing.path, None).await else {
                panic!("{} was not answered", thing.path)
            };
            assert_eq!(status, StatusCode::OK, "{} {body:?}", thing.path);
            assert!(body == thing.bytes, "{}", thing.path);
        }
    }

    /// The same, as often as it takes.
    pub(super) async fn pull_in_the_end(&self, things: &[Thing]) {
        for thing in things {
            let asking = async {
                while !thing.is_got(&ask(&self.front(), Method::GET, &thing.path, None).await) {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            timeout(Duration::from_mins(1), asking).await.unwrap_or_else(|_| panic!("{} never comes", thing.path));
        }
    }

    /// The value of the metric `name`, which has no labels.
    pub(super) async fn metric(&self, name: &str) -> f64 {
        let admin = self.running.as_ref().unwrap().admin.clone();
        let Outcome::Whole { body, .. } = ask(&admin, Method::GET, "/metrics", None).await else {
            panic!("no metrics")
        };
        let page = String::from_utf8(body.to_vec()).unwrap();
        page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap()
    }

    /// What `bonafide storage check` says and returns.
    pub(super) fn check(&self) -> (Option<i32>, String) {
        let output = self.command().args(["storage", "check"]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    /// All committed content.
    pub(super) fn content_files(&self) -> Vec<PathBuf> {
        let shards = fs::read_dir(self.path("state/content/sha256")).unwrap();
        shards.flat_map(|shard| fs::read_dir(shard.unwrap().path()).unwrap()).map(|file| file.unwrap().path()).collect()
    }

    pub(super) fn partial_files(&self) -> usize {
        fs::read_dir(self.path("state/content/partial")).unwrap().count()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.kill();
        }
    }
}

impl Thing {
    pub(super) fn is_got(&self, outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Whole { status: StatusCode::OK, body } if *body == self.bytes)
    }
}

fn things_of(name: &str, image: &Image) -> Vec<Thing> {
    let manifest = |reference: &str, image: &Image, is_root| {
        let path = format!("/v2/{name}/manifests/{reference}");
        Thing { path, bytes: image.manifest.clone(), is_root }
    };
    let mut things = vec![manifest(TAG, image, true), manifest(&image.digest().to_string(), image, true)];
    for child in &image.children {
        things.push(manifest(&child.digest().to_string(), child, false));
        things.extend(child.blobs.iter().map(|blob| {
            let path = format!("/v2/{name}/blobs/{}", Digest::of(blob));
            Thing { path, bytes: blob.clone(), is_root: false }
        }));
    }
    things
}

/// Bytes that repeat nowhere, and are others for each `seed`.
fn noise(size: usize, seed: usize) -> Vec<u8> {
    let mut random = Random(seed as u64 + 1);
    std::iter::repeat_with(|| random.next().to_le_bytes()).flatten().take(size).collect()
}

/// Numbers that look random, the same for the same seed (xorshift).
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// One of the numbers below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
}

/// Asks, and goes away if it takes too long.
pub(super) async fn ask(address: &str, method: Method, path: &str, range: Option<(usize, usize)>) -> Outcome {
    match timeout(PATIENCE, converse(address, method, path, range)).await {
        Ok(answer) => answer.unwrap_or(Outcome::Cut),
        Err(_) => Outcome::Left,
    }
}

async fn converse(address: &str, method: Method, path: &str, range: Option<(usize, usize)>) -> Option<Outcome> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    TaskTracker::new().spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", "mirror");
    if let Some((first, last)) = range {
        request = request.header("range", format!("bytes={first}-{last}"));
    }
    let answer = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.ok()?;
    let status = answer.status();
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    Some(Outcome::Whole { status, body })
}
