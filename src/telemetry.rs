//! The log: what goes to standard error, and how it is written. Tokens, credentials and bodies never go there.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// How much is logged where nobody says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// What goes wrong, and each decision: for a server.
    Decisions,
    /// What goes wrong: for a command that prints its result.
    Problems,
}

impl Verbosity {
    const fn filter(self) -> &'static str {
        match self {
            Self::Decisions => "warn,bonafide=info",
            Self::Problems => "error",
        }
    }
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is misspelt.
    #[error("the log filter {filter:?} is not understood")]
    Filter {
        /// The filter, as given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Somebody else logs in this process already.
    #[error("a log is set up already")]
    Taken(#[from] TryInitError),
}

/// Starts the log, for the whole process: JSON, one object a line, unless standard error is a terminal.
///
/// `filter` is what `RUST_LOG` would be, such as `debug` or `bonafide::gate=debug`; without it, `RUST_LOG` counts, and without that
/// `verbosity`.
///
/// # Errors
/// [`TelemetryError`] if the filter is misspelt, or if the process has a log already.
pub fn start(filter: Option<&str>, verbosity: Verbosity) -> Result<(), TelemetryError> {
    let environment = std::env::var(EnvFilter::DEFAULT_ENV).ok();
    let filter = filter.or(environment.as_deref()).filter(|filter| !filter.is_empty()).unwrap_or(verbosity.filter());
    let parsed =
        EnvFilter::try_new(filter).map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(io::stderr);
    // A line that cannot be written would be reported by one that cannot be written either, which panics.
    let subscriber = subscriber.log_internal_errors(false);
    if io::stderr().is_terminal() {
        subscriber.finish().try_init()?;
    } else {
        subscriber.json().flatten_event(true).with_current_span(false).finish().try_init()?;
    }
    Ok(())
}
