//! What serving, verifying and inspecting share: the gate and what it is made of.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::app::StartError;
use crate::app::site::fetch_from;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::content::Library;
use crate::current;
use crate::facts::Facts;
use crate::feeds::{self, Watch};
use crate::front;
use crate::gate::{Gate, Parts};
use crate::listen::{ListenError, TlsSettings};
use crate::policy::Policy;
use crate::trust::{Current, RefreshNow, Refresher, Trust};
use crate::upstream::{Settings, Surroundings, Upstreams};

/// The gate, and what it is made of.
pub struct Core {
    gate: Arc<Gate>,
    rules: watch::Sender<Arc<Policy>>,
    policy: current::Current<Policy>,
    feeds: Arc<Watch>,
    upstreams: front::Upstreams,
    metrics: Registry,
    content: Arc<Library>,
    tasks: TaskTracker,
    facts: Arc<Facts>,
    trust: Current,
    refresh: RefreshNow,
    /// Until it runs.
    refresher: Option<Refresher>,
    stop: CancellationToken,
}

/// How long content that is on its way is waited for at the end: what is not there by then is fetched again.
const LAST_TASKS: Duration = Duration::from_secs(3);

/// Loads every file that `config` names, opens and binds nothing, and returns what was left out of them.
///
/// # Errors
/// [`StartError`] if one of them cannot be used.
pub fn check(config: &Config, clock: &dyn Clock) -> Result<Vec<String>, StartError> {
    config.server.tls.as_ref().map_or(Ok(()), TlsSettings::check).map_err(ListenError::Tls)?;
    let upstreams = Upstreams::new(&config.upstreams, &Registry::new())?;
    Refresher::check(&config.trust, |url, ca| fetch_from(&upstreams, url, ca))?;
    let mut warnings = Trust::load(&config.trust, &config.keys)?.warnings().to_vec();
    warnings.extend(read_feeds(config, clock)?);
    Ok(warnings)
}

/// Gives the rules of `config` the feeds that they name, for whoever judges without a gate, and returns what was left out of
/// them.
///
/// # Errors
/// [`StartError::Feeds`] if one cannot be used.
pub fn read_feeds(config: &Config, clock: &dyn Clock) -> Result<Vec<String>, StartError> {
    Ok(feeds::give(&config.policy, clock.now())?)
}

/// Opens the store of facts that `config` names, and nothing else.
///
/// # Errors
/// [`StartError::Facts`] if it cannot be used.
pub async fn facts(config: Config) -> Result<Facts, StartError> {
    Facts::open(&config.facts, Arc::new(SystemClock), &Registry::new()).await.map_err(StartError::Facts)
}

/// Opens the store of content that `config` names, and nothing else.
///
/// # Errors
/// [`StartError::Content`] if it cannot be used.
pub async fn content(config: Config) -> Result<Library, StartError> {
    let opened = Library::open(&config.content, Arc::new(SystemClock), TaskTracker::new(), &Registry::new()).await;
    opened.map_err(StartError::Content)
}

impl Core {
    /// Opens the stores that `config` names, and loads what is trusted.
    ///
    /// # Errors
    /// [`StartError`] if any of it cannot be used.
    pub async fn open(config: Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let (metrics, tasks) = (Registry::new(), TaskTracker::new());
        let surroundings = Surroundings { clock: Arc::clone(&clock), ..Surroundings::of_process() };
        let upstreams = Upstreams::within(&surroundings, &config.upstreams, &metrics)?;
        let site = |url: &str, ca: Option<&Path>| fetch_from(&upstreams, url, ca);
        let trusted = (&*config.trust, &*config.keys);
        let opening = Refresher::open(trusted, &config.trust_folder, site, Arc::clone(&clock), &metrics);
        let (refresher, trust): (_, Current) = opening.await?;
        trust.snapshot().warnings().iter().for_each(|warning| warn!("{warning}"));
        let names = names(&config.upstreams, &upstreams);
        let facts = Facts::open(&config.facts, Arc::clone(&clock), &metrics).await.map_err(StartError::Facts)?;
        let content = Library::open(&config.content, Arc::clone(&clock), tasks.clone(), &metrics)
            .await
            .map_err(StartError::Content)?;
        let (facts, content) = (Arc::new(facts), Arc::new(content));
        let feeds = Arc::new(Watch::new(Arc::clone(&clock), &metrics)?);
        feeds.fill(&config.policy).await?;
        let (rules, policy) = current::Current::swappable(config.policy);
        let parts = Parts {
            upstreams: Arc::new(upstreams),
            facts: Arc::clone(&facts),
            content: Arc::clone(&content),
            policy: policy.clone(),
            trust: trust.clone(),
            clock,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        };
        let gate = Arc::new(Gate::new(parts, &metrics)?);
        Ok(Self {
            gate,
            rules,
            policy,
            feeds,
            upstreams: names,
            metrics,
            content,
            tasks,
            facts,
            trust,
            refresh: refresher.now(),
            refresher: Some(refresher),
            stop: CancellationToken::new(),
        })
    }

    /// The gate.
    pub fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    /// Where to send other rules to: they count from the next request on.
    pub fn rules(&self) -> watch::Sender<Arc<Policy>> {
        self.rules.clone()
    }

    /// What gives other rules the feeds that they name.
    pub fn feeds(&self) -> Arc<Watch> {
        Arc::clone(&self.feeds)
    }

    /// The upstreams that clients may name.
    pub const fn upstreams(&self) -> &front::Upstreams {
        &self.upstreams
    }

    /// What is counted.
    pub const fn metrics(&self) -> &Registry {
        &self.metrics
    }

    /// Fetches the trusted roots that are not there at all, for whoever decides once and [keeps no house](Self::keep_house).
    pub async fn fetch_awaited_trust(&mut self) {
        if let Some(refresher) = &mut self.refresher {
            refresher.fetch_awaited().await;
        }
    }

    /// Looks after the stores and the feeds, keeps trust fresh, and forgets what was proven under trust that is no more, until it is
    /// [closed](Self::close): for a program that stays.
    pub fn keep_house(&mut self) {
        let watching = Arc::clone(&self.feeds).run(self.policy.clone());
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(watching));
        let writing = Arc::clone(&self.facts).write_index();
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(writing));
        let noting = Arc::clone(&self.facts).write_pulls();
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(noting));
        self.content.keep_house(&self.stop);
        if let Some(refresher) = self.refresher.take() {
            self.tasks.spawn(refresher.run(self.stop.clone()));
        }
        let forgetting = forget_old_epochs(Arc::clone(&self.facts), self.trust.clone());
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(forgetting));
    }

    /// To ask for a look at all trusted roots with, while [house is kept](Self::keep_house).
    pub fn refresh_now(&self) -> RefreshNow {
        self.refresh.clone()
    }

    /// Keeps house no more, and waits a moment for content that is on its way.
    pub async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(LAST_TASKS, self.tasks.wait()).await.is_err() {
            warn!(cut = self.tasks.len(), "content on its way was given up");
        }
        self.facts.write_last_pulls().await;
    }
}

/// Deletes what was proven under trust that is no more, now and after each swap: it counts for nothing, and only takes
/// room. If such trust came back, its facts would be proven again: that costs time, and no verdict.
async fn forget_old_epochs(facts: Arc<Facts>, mut trust: Current) {
    let mut snapshot = Some(trust.snapshot());
    while let Some(current) = snapshot {
        // While a root is awaited, what was proven under all of them may count again in a moment.
        if current.awaited().is_empty() {
            forget_epochs_except(&facts, &current).await;
        }
        snapshot = trust.next().await;
    }
}

async fn forget_epochs_except(facts: &Facts, trust: &Trust) {
    match facts.forget_epochs_except(trust.epoch().digest()).await {
        Ok(0) => {}
        Ok(forgotten) => info!(forgotten, "what was proven under other trust is forgotten"),
        Err(error) => warn!(%error, "what was proven under other trust could not be deleted"),
    }
}

/// The names that clients may use, in the order of the configuration.
fn names(settings: &[Settings], upstreams: &Upstreams) -> front::Upstreams {
    let names = settings.iter().map(|upstream| upstream.name.clone()).collect();
    let names = front::Upstreams::new(names, upstreams.names().default_name().cloned());
    upstreams.names().aliases().fold(names, |names, (alias, name)| names.with_alias(alias.clone(), name.clone()))
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("upstreams", &self.upstreams).finish_non_exhaustive()
    }
}
