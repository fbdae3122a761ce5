//! What commands about one image work with.

use std::sync::Arc;

use crate::app::Core;
use crate::cli::error::{CommandError, chain};
use crate::cli::scratch::Scratch;
use crate::cli::{Cli, note};
use crate::clock::SystemClock;
use crate::config::Config;

/// A gate and its stores, for as long as the command runs.
pub(in crate::cli) struct Opened {
    pub(in crate::cli) core: Core,
    /// Kept until the command is done.
    _scratch: Option<Scratch>,
}

impl Opened {
    /// Opens the configured storage; where it cannot be used, by this user for instance, a temporary one. Trusted roots that
    /// are not there yet are fetched.
    pub(in crate::cli) async fn new(cli: &Cli) -> Result<Self, CommandError> {
        let mut opened = Self::open(cli).await?;
        opened.core.fetch_awaited_trust().await;
        Ok(opened)
    }

    async fn open(cli: &Cli) -> Result<Self, CommandError> {
        match Core::open(cli.config()?, Arc::new(SystemClock)).await {
            Ok(core) => Ok(Self { core, _scratch: None }),
            Err(error) if error.is_about_storage() => {
                note(&format!("{}; using temporary storage instead", chain(&error)))?;
                Self::temporary(cli.config()?).await
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn temporary(mut config: Config) -> Result<Self, CommandError> {
        let scratch = Scratch::new()?;
        scratch.path().clone_into(&mut config.content.path);
        scratch.path().clone_into(&mut config.facts.path);
        config.trust_folder = scratch.path().join("trust");
        let core = Core::open(config, Arc::new(SystemClock)).await?;
        Ok(Self { core, _scratch: Some(scratch) })
    }
}
