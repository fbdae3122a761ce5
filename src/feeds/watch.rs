//! Gives policies their feeds, and looks whether feeds have changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus::Registry;
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::current::Current;
use crate::feeds::fingerprint::Fingerprint;
use crate::feeds::metrics::{Metrics, Outcome};
use crate::feeds::{FeedsError, Reading, in_one_line};
use crate::policy::{Feed, Policy};

/// How often feeds are looked at, at most: an entry bites that much later, and by the looks before and after it.
const INTERVAL: Duration = Duration::from_secs(5);
/// Looking at a folder of many files takes a while: at most one part in so many of a core goes into it.
const REST: u32 = 20;

/// The feeds that were read, each with the state that it was in before.
#[derive(Debug)]
pub struct Watch {
    clock: Arc<dyn Clock>,
    known: Mutex<BTreeMap<PathBuf, Known>>,
    metrics: Metrics,
}

/// One of them.
#[derive(Debug, Clone)]
struct Known {
    seen: Fingerprint,
    feed: Arc<Feed>,
    /// The files that it is made of, in order.
    files: Arc<[PathBuf]>,
}

impl Watch {
    /// Nothing is read yet.
    ///
    /// # Errors
    /// [`FeedsError::Metrics`] if `registry` has metrics of these names already.
    pub fn new(clock: Arc<dyn Clock>, registry: &Registry) -> Result<Self, FeedsError> {
        Ok(Self { clock, known: Mutex::default(), metrics: Metrics::register(registry)? })
    }

    /// Gives `policy` every feed that it names: those that are known, and what is read now of the others.
    ///
    /// # Errors
    /// [`FeedsError`] if one cannot be used.
    pub async fn fill(&self, policy: &Policy) -> Result<(), FeedsError> {
        for path in policy.feeds() {
            let feed = match self.known(path) {
                Some(known) => known.feed,
                None => self.read(path, Arc::default()).await?,
            };
            policy.replace_feed(path, &feed);
        }
        Ok(())
    }

    /// Looks again and again at what the policy of the moment names, for good.
    pub async fn run(self: Arc<Self>, policy: Current<Policy>) {
        loop {
            let begun = Instant::now();
            self.look(&policy.snapshot()).await;
            tokio::time::sleep(INTERVAL.max(begun.elapsed().saturating_mul(REST))).await;
        }
    }

    /// Reads what has changed of the feeds that `policy` names, and gives it to it. What cannot be read stays as it was, and
    /// is tried again once it changes again.
    pub async fn look(&self, policy: &Policy) {
        let named = policy.feeds();
        self.lock().retain(|path, _| named.contains(&**path));
        for path in named {
            let Ok(found) = fingerprint(path).await else { continue };
            let feed = match self.known(path) {
                Some(known) if known.seen == found => known.feed,
                Some(known) => match self.read(path, Arc::clone(&known.files)).await {
                    Ok(feed) => feed,
                    Err(error) => self.keep(path, Known { seen: found, ..known }, &error),
                },
                // Given to a policy that was not yet in use when a look at the one before it forgot what that did not name.
                None => match self.read(path, Arc::default()).await {
                    Ok(feed) => feed,
                    Err(error) => {
                        self.failed(&error);
                        continue;
                    }
                },
            };
            policy.replace_feed(path, &feed);
        }
        self.count();
    }

    /// The old one stands for the new state of the file as well: it is not worth another try.
    fn keep(&self, path: &Path, known: Known, error: &FeedsError) -> Arc<Feed> {
        self.failed(error);
        let feed = Arc::clone(&known.feed);
        self.lock().insert(path.to_owned(), known);
        feed
    }

    fn failed(&self, error: &FeedsError) {
        self.metrics.count(Outcome::Failed);
        warn!("{}; what was read before still counts", in_one_line(error));
    }

    /// Reads a feed, in place of one made of the files `before`. Its state is looked at before: what changes meanwhile is
    /// seen the next time.
    async fn read(&self, path: &Path, before: Arc<[PathBuf]>) -> Result<Arc<Feed>, FeedsError> {
        let (named, now) = (path.to_owned(), self.clock.now());
        let reading = move || {
            let seen = Fingerprint::of(&named);
            let Reading { feed, files, .. } = Reading::of(&named, now)?.in_place_of(&before, &named)?;
            Ok::<_, FeedsError>(Known { seen, feed: Arc::new(feed), files: files.into() })
        };
        let known = spawn_blocking(reading).await.map_err(|_| FeedsError::Stopped)??;
        let feed = Arc::clone(&known.feed);
        self.metrics.count(Outcome::Read);
        feed.warnings().iter().for_each(|warning| warn!("{warning}"));
        info!(feed = %path.display(), records = feed.records(), packages = feed.packages(), "a feed was read");
        self.lock().insert(path.to_owned(), known);
        self.count();
        Ok(feed)
    }

    fn known(&self, path: &Path) -> Option<Known> {
        self.lock().get(path).cloned()
    }

    fn count(&self) {
        let packages = self.lock().values().map(|known| known.feed.packages()).sum::<usize>();
        self.metrics.packages.set(i64::try_from(packages).unwrap_or(i64::MAX));
    }

    /// Nothing that can panic runs under this lock, and it is never held across an await.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fingerprint(path: &Path) -> Result<Fingerprint, FeedsError> {
    let path = path.to_owned();
    spawn_blocking(move || Fingerprint::of(&path)).await.map_err(|_| FeedsError::Stopped)
}
