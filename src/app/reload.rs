//! A configuration that changes while it is in use: it is read again, and its rules count from the next request on.
//!
//! A file that cannot be used changes nothing: whoever edits a running policy must not open or close it by a slip.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prometheus::{IntCounterVec, Opts, Registry};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::app::StartError;
use crate::config::{Config, ConfigFile, Fixed};
use crate::feeds::Watch;
use crate::policy::Policy;

/// How often the file is looked at: a revocation must bite at once, and a file of some kilobytes costs nothing to read.
const LOOK: Duration = Duration::from_secs(1);
/// The values of the label `outcome`.
const APPLIED: &str = "applied";
const PARTLY: &str = "partly";
const REFUSED: &str = "refused";

/// Reads the configuration again whenever its file changes, or on SIGHUP.
#[derive(Debug)]
pub(in crate::app) struct Reload {
    file: Option<ConfigFile>,
    /// What the process was started with.
    fixed: Fixed,
    rules: watch::Sender<Arc<Policy>>,
    feeds: Arc<Watch>,
    hangup: Signal,
    reloads: IntCounterVec,
}

impl Reload {
    /// Of `file`, if there is one, in a process that was started with `fixed`; its rules go to `rules`, with
    /// the feeds that they name.
    ///
    /// # Errors
    /// [`StartError::System`] without signals, [`StartError::Metrics`] if `registry` has the metric already.
    pub(in crate::app) fn new(
        (file, fixed): (Option<ConfigFile>, Fixed),
        rules: watch::Sender<Arc<Policy>>,
        feeds: Arc<Watch>,
        registry: &Registry,
    ) -> Result<Self, StartError> {
        let reloads =
            Opts::new("bonafide_config_reloads_total", "Changed configurations, by whether they could be used");
        let reloads = IntCounterVec::new(reloads, &["outcome"])?;
        registry.register(Box::new(reloads.clone()))?;
        for outcome in [APPLIED, PARTLY, REFUSED] {
            // There from the beginning, so that its first increase is one.
            reloads.with_label_values(&[outcome]).reset();
        }
        let hangup = signal(SignalKind::hangup())?;
        Ok(Self { file, fixed, rules, feeds, hangup, reloads })
    }

    /// Looks at the file until `stop`.
    pub(in crate::app) async fn run(mut self, stop: CancellationToken) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What the file says now may be another thing than what it said at start; so the first look is at once.
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                _ = looks.tick() => self.look().await,
                _ = self.hangup.recv() => self.reread().await,
            }
        }
    }

    async fn look(&mut self) {
        let Some(file) = &self.file else { return };
        let text = read(&file.path).await;
        if text != file.text {
            self.apply(text).await;
        }
    }

    /// The same whether it has changed or not: what it names may have.
    async fn reread(&mut self) {
        let Some(file) = &self.file else { return info!("the configuration is of no file that could be read again") };
        let text = read(&file.path).await;
        self.apply(text).await;
    }

    async fn apply(&mut self, text: Result<String, String>) {
        let Some(file) = &mut self.file else { return };
        file.text = text;
        let file = file.clone();
        match spawn_blocking(move || file.read()).await {
            Ok(Ok(config)) => match self.feeds.fill(&config.policy).await {
                Ok(()) => self.swap(config),
                Err(error) => self.refuse(&error),
            },
            Ok(Err(error)) => self.refuse(&error),
            Err(error) => self.refuse(&error),
        }
    }

    fn swap(&self, config: Config) {
        let origin = &*config.origin;
        config.warnings.iter().for_each(|warning| warn!(origin, "{warning}"));
        config.weakenings().iter().for_each(|weakening| warn!(origin, "weakened: {weakening}"));
        let waiting: Vec<_> = self.fixed.differences(&config.fixed()).collect();
        self.rules.send_replace(Arc::new(config.policy));
        if waiting.is_empty() {
            info!(origin, "the configuration was read again: its rules count from now on");
            self.reloads.with_label_values(&[APPLIED]).inc();
        } else {
            let tables = waiting.join(", ");
            warn!(
                origin,
                tables, "the configuration was read again: its rules count from now on, these tables after a restart"
            );
            self.reloads.with_label_values(&[PARTLY]).inc();
        }
    }

    fn refuse(&self, error: &dyn Error) {
        let cause = error.source().map(ToString::to_string);
        error!(%error, cause, "the changed configuration cannot be used: what was in use stays in use");
        self.reloads.with_label_values(&[REFUSED]).inc();
    }
}

async fn read(path: &Path) -> Result<String, String> {
    tokio::fs::read_to_string(path).await.map_err(|error| error.to_string())
}
