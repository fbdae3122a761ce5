//! Keeps trusted roots fresh: looks at each repository on its schedule, and swaps the snapshot as a whole when a root has
//! changed. What cannot be fetched or does not hold changes nothing: the old root stays.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use prometheus::Registry;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::clock::{Clock, jittered};
use crate::trust::Current;
use crate::trust::metrics::{Ending, Metrics, Outcome};
use crate::trust::root_source::{Anchor, Place, RootSource, TufSource};
use crate::trust::settings::{DomainSettings, KeySettings};
use crate::trust::snapshot::{Trust, TrustError};
use crate::trust::sources::Sources;
use crate::trust::tuf::{Fetch, Folder, Tuf, Vouched};

/// The pause after the first failure; it doubles with each further one, up to the ordinary schedule.
const PAUSE: Duration = Duration::from_mins(1);
/// How often ends are looked at where nothing is fetched.
const DAILY: Duration = Duration::from_hours(24);
/// Most who wait for a look that they asked for; more than that wait for their turn to ask.
const ASKED: usize = 8;

/// What looks at the repositories.
#[derive(Debug)]
pub struct Refresher {
    sources: Sources,
    watched: Vec<Watched>,
    sender: watch::Sender<Arc<Trust>>,
    asked: (mpsc::Sender<oneshot::Sender<()>>, mpsc::Receiver<oneshot::Sender<()>>),
    warned: BTreeSet<(String, Ending, Timestamp)>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

/// Asks for a look at all repositories. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RefreshNow(mpsc::Sender<oneshot::Sender<()>>);

/// One domain with a repository.
#[derive(Debug)]
struct Watched {
    name: String,
    tuf: Tuf,
    refresh: Duration,
    due: Instant,
    failures: u32,
    expires: Option<Timestamp>,
}

impl Refresher {
    /// Reads the files of `domains` and `keys`, and what `folder` remembers of repositories. Nothing is fetched: a root
    /// that is neither built in nor remembered is [awaited](Trust::awaited). `site` makes what fetches from an address,
    /// with further authorities for TLS.
    ///
    /// # Errors
    /// [`TrustError`] if a file cannot be read or used, and what `site` says.
    pub async fn open<E: From<TrustError> + From<prometheus::Error>>(
        (domains, keys): (&[DomainSettings], &[KeySettings]),
        folder: &Path,
        site: impl Fn(&str, Option<&Path>) -> Result<Arc<dyn Fetch>, E>,
        clock: Arc<dyn Clock>,
        registry: &Registry,
    ) -> Result<(Self, Current), E> {
        let sources = Sources::read(domains, keys)?;
        let (sender, current) = Current::swappable(sources.snapshot()?);
        let (metrics, asked) = (Metrics::register(registry)?, mpsc::channel(ASKED));
        let mut refresher =
            Self { sources, watched: Vec::new(), sender, asked, warned: BTreeSet::new(), clock, metrics };
        for (name, source) in repositories(domains) {
            let fetch = fetch_from(source.place, &site)?;
            let tuf = Tuf::new(name, anchor(source.anchor)?, source.target, fetch, folder);
            let tuf = tuf.map_err(|reason| TrustError::Anchor { name: name.to_owned(), reason })?;
            refresher.watch(name, tuf, source.refresh).await;
        }
        refresher.note_roots(&refresher.sender.borrow());
        refresher.warn_of_ends();
        Ok((refresher, current))
    }

    /// Whether each repository of `domains` could be asked, and trust in it has a beginning. Nothing is fetched.
    ///
    /// # Errors
    /// [`TrustError::File`], [`TrustError::Anchor`], and what `site` says.
    pub fn check<E: From<TrustError>>(
        domains: &[DomainSettings],
        site: impl Fn(&str, Option<&Path>) -> Result<Arc<dyn Fetch>, E>,
    ) -> Result<(), E> {
        for (name, source) in repositories(domains) {
            fetch_from(source.place, &site)?;
            let found = Tuf::check_anchor(&anchor(source.anchor)?);
            found.map_err(|reason| TrustError::Anchor { name: name.to_owned(), reason })?;
        }
        Ok(())
    }

    /// To ask for a look with, while this [runs](Self::run).
    pub fn now(&self) -> RefreshNow {
        RefreshNow(self.asked.0.clone())
    }

    /// Looks at each repository at once, and then on its schedule, until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(self.turn()).await.is_some() {}
    }

    /// Looks at the repositories whose root is not there yet, once.
    pub async fn fetch_awaited(&mut self) {
        let awaited = self.sender.borrow().awaited().to_vec();
        self.look_at(|watched| awaited.contains(&watched.name)).await;
    }

    /// Waits for what is due, or for somebody to ask, and looks.
    async fn turn(&mut self) {
        let due = self.watched.iter().map(|watched| watched.due).min();
        let due = due.unwrap_or_else(|| Instant::now() + DAILY);
        tokio::select! {
            () = sleep_until(due) => {
                let now = Instant::now();
                self.look_at(|watched| watched.due <= now).await;
            }
            Some(done) = self.asked.1.recv() => {
                self.look_at(|_| true).await;
                // Whoever asked may be gone.
                done.send(()).unwrap_or_default();
            }
        }
        self.warn_of_ends();
    }

    async fn look_at(&mut self, is_due: impl Fn(&Watched) -> bool) {
        let now = self.clock.now();
        for index in 0..self.watched.len() {
            let Some(watched) = self.watched.get(index).filter(|watched| is_due(watched)) else { continue };
            let outcome = match watched.tuf.fetch(now).await {
                Ok(vouched) => self.take(index, vouched).await,
                Err(error) => Err(error.to_string()),
            };
            self.note(index, outcome, now);
        }
    }

    /// Takes a root that its repository vouches for, if all that is trusted comes to a snapshot with it.
    async fn take(&mut self, index: usize, vouched: Vouched) -> Result<Outcome, String> {
        let Some(watched) = self.watched.get_mut(index) else { return Ok(Outcome::Unchanged) };
        let trust = self.sources.replace(&watched.name, &vouched.root).map_err(|error| error.to_string())?;
        watched.expires = Some(vouched.expires);
        self.metrics.expires(&watched.name, Ending::Metadata, vouched.expires);
        if let Err(error) = watched.tuf.remember(&vouched).await {
            warn!(domain = watched.name, %error, "a trusted root cannot be remembered over a restart");
        }
        Ok(self.swap(trust))
    }

    fn swap(&self, trust: Trust) -> Outcome {
        let before = self.sender.borrow().epoch();
        if trust.epoch() == before {
            return Outcome::Unchanged;
        }
        trust.warnings().iter().for_each(|warning| warn!("{warning}"));
        self.note_roots(&trust);
        self.sender.send_replace(Arc::new(trust));
        Outcome::Changed
    }

    /// Says what a look came to, and when to look again. Only the first of several failures is a warning: where there is
    /// no network, all of them say the same.
    fn note(&mut self, index: usize, outcome: Result<Outcome, String>, now: Timestamp) {
        let Some(watched) = self.watched.get_mut(index) else { return };
        let domain = &watched.name;
        self.metrics.count(domain, *outcome.as_ref().unwrap_or(&Outcome::Failed));
        match outcome {
            Ok(outcome) => {
                watched.failures = 0;
                self.metrics.refreshed(domain, now);
                info!(domain, ?outcome, "the trusted root is the newest");
            }
            Err(error) => {
                watched.failures = watched.failures.saturating_add(1);
                if watched.failures == 1 {
                    warn!(domain, error, "the trusted root cannot be refreshed, the old one stays");
                } else {
                    debug!(domain, error, failures = watched.failures, "the trusted root cannot be refreshed");
                }
            }
        }
        watched.due = Instant::now() + wait(watched.refresh, watched.failures);
    }

    async fn watch(&mut self, name: &str, tuf: Tuf, refresh: Duration) {
        let mut expires = None;
        match tuf.remembered().await.map_err(|error| error.to_string()) {
            Ok(None) => {}
            Ok(Some(vouched)) => match self.sources.replace(name, &vouched.root) {
                Ok(trust) => {
                    self.sender.send_replace(Arc::new(trust));
                    self.metrics.expires(name, Ending::Metadata, vouched.expires);
                    expires = Some(vouched.expires);
                }
                Err(error) => warn!(domain = name, %error, "the trusted root that was fetched last cannot be used"),
            },
            Err(error) => warn!(domain = name, error, "the trusted root that was fetched last does not hold"),
        }
        let (due, name) = (Instant::now(), name.to_owned());
        self.watched.push(Watched { name, tuf, refresh, due, failures: 0, expires });
    }

    fn note_roots(&self, trust: &Trust) {
        for domain in trust.domains() {
            if let Some(end) = domain.ends() {
                self.metrics.expires(domain.name(), Ending::Root, end);
            }
        }
    }

    /// Warns of each end once. What rests on it goes on: an end says nothing against what was trusted before.
    fn warn_of_ends(&mut self) {
        let now = self.clock.now();
        let trust = Arc::clone(&self.sender.borrow());
        let metadata = self.watched.iter().filter_map(|it| Some((it.name.clone(), Ending::Metadata, it.expires?)));
        let roots = trust.domains().iter().filter_map(|it| Some((it.name().to_owned(), Ending::Root, it.ends()?)));
        for (domain, what, end) in metadata.chain(roots) {
            let is_near = end.duration_since(now) < what.notice();
            if is_near && self.warned.insert((domain.clone(), what, end)) {
                warn!(domain, %end, "{}", what.warning());
            }
        }
    }
}

impl Ending {
    /// How long before it somebody is told. Metadata is renewed at the last moment everywhere; a new root takes people.
    const fn notice(self) -> SignedDuration {
        match self {
            Self::Metadata => SignedDuration::ZERO,
            Self::Root => SignedDuration::from_hours(30 * 24),
        }
    }

    const fn warning(self) -> &'static str {
        match self {
            Self::Metadata => "the metadata of the trusted root has ended, and no newer one could be fetched",
            Self::Root => "after this end, nothing that is signed can be proven under this trusted root",
        }
    }
}

impl RefreshNow {
    /// Looks at all repositories, and returns when that is done; at once if nothing looks any more.
    pub async fn ask(&self) {
        let (done, looked) = oneshot::channel();
        if self.0.send(done).await.is_ok() {
            // No answer: it ended meanwhile.
            drop(looked.await);
        }
    }
}

/// The domains with a repository. Settings that make no sense are somebody else's to refuse.
fn repositories(domains: &[DomainSettings]) -> impl Iterator<Item = (&str, TufSource<'_>)> {
    domains.iter().filter_map(|domain| match domain.source() {
        Ok(RootSource::Tuf(source)) => Some((domain.name.as_str(), source)),
        Ok(RootSource::File(_) | RootSource::Notation(_)) | Err(_) => None,
    })
}

fn fetch_from<E>(
    place: Place<'_>,
    site: impl Fn(&str, Option<&Path>) -> Result<Arc<dyn Fetch>, E>,
) -> Result<Arc<dyn Fetch>, E> {
    match place {
        Place::Url(url, ca) => site(url, ca),
        Place::Folder(path) => Ok(Arc::new(Folder::new(path))),
    }
}

fn anchor(anchor: Anchor<'_>) -> Result<Vec<u8>, TrustError> {
    match anchor {
        Anchor::BuiltIn(domain) => Ok(domain.anchor().to_vec()),
        Anchor::File(path) => fs::read(path).map_err(|source| TrustError::File { path: path.to_owned(), source }),
    }
}

/// How long to wait after so many failures in a row: never longer than the schedule says.
fn wait(refresh: Duration, failures: u32) -> Duration {
    let wait = match failures {
        0 => refresh,
        failures => PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(refresh),
    };
    jittered(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_followed_by_longer_and_longer_waits_up_to_the_schedule() {
        let day = Duration::from_hours(24);
        for (failures, longest) in [(0, day), (1, PAUSE), (2, PAUSE * 2), (3, PAUSE * 4), (12, day), (u32::MAX, day)] {
            let wait = wait(day, failures);
            assert!(longest / 2 <= wait && wait <= longest, "{failures}: {wait:?}");
        }
        assert!(wait(PAUSE, 9) <= PAUSE);
    }

    #[test]
    fn those_who_start_together_do_not_look_together() {
        let waits: BTreeSet<_> = (0..20).map(|_| wait(DAILY, 0)).collect();
        assert!(waits.len() > 1, "{waits:?}");
    }
}
