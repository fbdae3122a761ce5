//! What serving, verifying and inspecting share: the gate and what it is made of.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::app::StartError;
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
use crate::trust::{Current, Trust};
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
    Upstreams::new(&config.upstreams, &Registry::new())?;
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
        let trust = Trust::load(&config.trust, &config.keys)?;
        trust.warnings().iter().for_each(|warning| warn!("{warning}"));
        let surroundings = Surroundings { clock: Arc::clone(&clock), ..Surroundings::of_process() };
        let upstreams = Upstreams::within(&surroundings, &config.upstreams, &metrics)?;
        let names = names(&config.upstreams, &upstreams);
        let facts = Facts::open(&config.facts, Arc::clone(&clock), &metrics).await.map_err(StartError::Facts)?;
        let content = Library::open(&config.content, Arc::clone(&clock), tasks.clone(), &metrics)
            .await
            .map_err(StartError::Content)?;
        let (facts, content) = (Arc::new(facts), Arc::new(content));
        tasks.spawn(forget_old_epochs(Arc::clone(&facts), trust.epoch().to_string()));
        let feeds = Arc::new(Watch::new(Arc::clone(&clock), &metrics)?);
        feeds.fill(&config.policy).await?;
        let (rules, policy) = current::Current::swappable(config.policy);
        let parts = Parts {
            upstreams: Arc::new(upstreams),
            facts,
            content: Arc::clone(&content),
            policy: policy.clone(),
            trust: Current::fixed(trust),
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
            stop: CancellationToken::new(),
        })
    }

    /// Looks after the stores and the feeds until it is closed: for a program that stays.
    pub fn keep_house(&self) {
        let watching = Arc::clone(&self.feeds).run(self.policy.clone());
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(watching));
        self.content.keep_house(&self.stop);
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

    /// Watches no feed any more, and waits a moment for content that is on its way.
    pub async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(LAST_TASKS, self.tasks.wait()).await.is_err() {
            warn!(cut = self.tasks.len(), "content on its way was given up");
        }
    }
}

/// Deletes what was proven under trust that is no more: it counts for nothing, and only takes room.
async fn forget_old_epochs(facts: Arc<Facts>, epoch: String) {
    match facts.forget_epochs_except(&epoch).await {
        Ok(0) => {}
        Ok(forgotten) => info!(forgotten, "what was proven under other trust is forgotten"),
        Err(error) => warn!(%error, "what was proven under other trust could not be deleted"),
    }
}

/// The names that clients may use, in the order of the configuration.
fn names(settings: &[Settings], upstreams: &Upstreams) -> front::Upstreams {
    let names = settings.iter().map(|upstream| upstream.name.clone()).collect();
    let names = front::Upstreams::new(names, upstreams.default_name().cloned());
    upstreams.aliases().fold(names, |names, (alias, name)| names.with_alias(alias.clone(), name.clone()))
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("upstreams", &self.upstreams).finish_non_exhaustive()
    }
}
