//! Whom to believe, while it changes.

mod attacks;
mod built_in;
mod public;
mod refresh;
mod swap;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bonafide::clock::Clock;
use bonafide::trust::{
    Current, DomainSettings, Fetch, FetchError, RefreshNow, Refresher, Requirement, Trust, TrustError,
};
use bytes::Bytes;
use prometheus::{Registry as Metrics, TextEncoder};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::support::authority::Authority;
use crate::support::mirror::HandClock;
use crate::support::tuf::Repository;

/// A place with files that can be changed, which remembers what it was asked for.
#[derive(Debug, Clone, Default)]
struct Place(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    files: BTreeMap<String, Vec<u8>>,
    asked: Vec<String>,
    is_down: bool,
}

#[async_trait]
impl Fetch for Place {
    async fn fetch(&self, path: &str, _: u64) -> Result<Option<Bytes>, FetchError> {
        let mut content = self.0.lock().unwrap();
        content.asked.push(path.to_owned());
        if content.is_down {
            return Err(FetchError("there is no network".to_owned()));
        }
        Ok(content.files.get(path).cloned().map(Bytes::from))
    }
}

impl Place {
    fn set(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.0.lock().unwrap().files.insert(path.to_owned(), bytes.into());
    }

    fn publish(&self, repository: &Repository) {
        self.0.lock().unwrap().files.clone_from(&repository.files);
    }

    fn set_down(&self, is_down: bool) {
        self.0.lock().unwrap().is_down = is_down;
    }

    fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.clone()
    }
}

/// What every refresh happens between: an authority, a repository with its root, and where things are kept.
struct World {
    authority: Authority,
    repository: Repository,
    place: Place,
    clock: Arc<HandClock>,
    folder: TempDir,
    anchor: Vec<u8>,
}

/// Trust that is kept fresh, until dropped.
struct Fresh {
    current: Current,
    now: RefreshNow,
    metrics: Metrics,
    _running: AbortOnDropHandle<()>,
}

impl World {
    fn new() -> Self {
        let authority = Authority::new("corp");
        let repository = Repository::new(&authority.trusted_root().to_json(), authority.time());
        let (place, clock) = (Place::default(), HandClock::at(authority.time()));
        place.publish(&repository);
        let anchor = repository.anchor();
        Self { authority, repository, place, clock, folder: tempfile::tempdir().unwrap(), anchor }
    }

    fn domain(&self, tuf: &str) -> DomainSettings {
        let path = self.folder.path().join("root.json");
        std::fs::write(&path, &self.anchor).unwrap();
        toml::from_str(&format!("name = 'corp'\ntuf = {{ {tuf}, root = '{}' }}", path.display())).unwrap()
    }

    async fn open(&self, domain: DomainSettings) -> Result<Fresh, TrustError> {
        let metrics = Metrics::new();
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let site = |_: &str, _: Option<&Path>| Ok(Arc::new(self.place.clone()) as Arc<dyn Fetch>);
        let remembered = self.folder.path().join("trust");
        let domains = [domain];
        let opening = Refresher::open::<Failed>((&domains, &[]), &remembered, site, clock, &metrics);
        let (refresher, current) = opening.await.map_err(|failed| failed.0)?;
        let now = refresher.now();
        let running = TaskTracker::new().spawn(refresher.run(CancellationToken::new()));
        Ok(Fresh { current, now, metrics, _running: AbortOnDropHandle::new(running) })
    }

    /// Starts, without a look.
    async fn start(&self) -> Fresh {
        self.open(self.domain("url = 'http://tuf.test'")).await.unwrap()
    }

    /// Starts, and has looked.
    async fn started(&self) -> Fresh {
        let fresh = self.start().await;
        fresh.now.ask().await;
        fresh
    }

    fn publish(&self) {
        self.place.publish(&self.repository);
    }

    fn root(&self) -> String {
        self.authority.trusted_root().to_json()
    }

    fn other_root(&self) -> String {
        self.authority.foreign().trusted_root().to_json()
    }

    /// Has the repository say that the root is another one, by a repository that is right in everything but `spoil`.
    async fn refuses(&mut self, spoil: impl FnOnce(&mut Self)) {
        let fresh = self.started().await;
        assert!(fresh.trusts(&self.root()));
        let failures = fresh.count("failed");
        let other = self.other_root();
        self.repository.replace(&other);
        spoil(self);
        self.publish();
        fresh.now.ask().await;
        assert!(fresh.trusts(&self.root()), "the old one stays");
        assert_eq!(fresh.count("failed"), failures + 1);
    }
}

impl Fresh {
    /// Whether `root` is the root of the domain.
    fn trusts(&self, root: &str) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.json");
        std::fs::write(&path, root).unwrap();
        let required = Requirement::Required;
        let same = Trust::load(&[DomainSettings::of_file("corp", path, required, required)], &[]).unwrap();
        self.current.snapshot().epoch() == same.epoch()
    }

    fn awaits(&self) -> bool {
        self.current.snapshot().awaited() == ["corp"]
    }

    fn metric(&self, line: &str) -> Option<f64> {
        let text = TextEncoder::new().encode_to_string(&self.metrics.gather()).unwrap();
        text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok())
    }

    fn count(&self, outcome: &str) -> u64 {
        let line = format!("bonafide_trust_refreshes_total{{domain=\"corp\",outcome=\"{outcome}\"}}");
        self.metric(&line).map_or(0, |count| count.to_string().parse().unwrap())
    }
}

#[derive(Debug)]
struct Failed(TrustError);

impl From<TrustError> for Failed {
    fn from(error: TrustError) -> Self {
        Self(error)
    }
}

impl From<prometheus::Error> for Failed {
    fn from(error: prometheus::Error) -> Self {
        panic!("{error}")
    }
}

const WEEK: Duration = Duration::from_hours(7 * 24);
