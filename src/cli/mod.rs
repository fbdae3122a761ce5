//! The commands: what people type, what they read, and the exit codes that scripts rely on.

mod error;
mod examples;
mod explain;
mod fact;
mod inspect;
mod lines;
mod opened;
mod output;
mod packages;
mod policy_test;
mod record;
mod scratch;
mod storage;
mod verify;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use serde_json::Value;

use crate::app::{self, App, StartError};
use crate::cases::{self, Rules};
use crate::cli::error::{CommandError, chain};
use crate::cli::opened::Opened;
use crate::cli::output::{stderr, stdout};
use crate::cli::packages::PackagesCommand;
use crate::cli::storage::StorageCommand;
use crate::clock::SystemClock;
use crate::config::{self, Config, ConfigError, Environment};
use crate::oci::Image;
use crate::policy::ReasonCode;
use crate::telemetry::{self, Verbosity};

/// Failed to start, or to write what was found out.
const FAILED: u8 = 1;
/// The configuration cannot be used (`EX_USAGE`).
const BAD_CONFIGURATION: u8 = 64;

/// A pull-through OCI registry that serves only images it can prove.
#[derive(Debug, Parser)]
#[command(name = "bonafide", version, arg_required_else_help = true, after_help = examples::ALL)]
pub struct Cli {
    #[arg(long, global = true, value_name = "FILE", help = CONFIG_HELP)]
    config: Option<PathBuf>,
    #[arg(long, global = true, value_name = "FILTER", help = LOG_HELP)]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

const CONFIG_HELP: &str = "The configuration; else BONAFIDE_CONFIG names it; else the built-in one is used";
const RECORD_HELP: &str =
    "Also write what is known as a case for `policy test`: facts.json and cases.toml in DIR, or FILE.json alone";
const LOG_HELP: &str = "What to log, such as debug or bonafide::gate=debug; else RUST_LOG says";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the registry until SIGTERM or SIGINT, then finish what is running
    #[command(after_help = examples::SERVE)]
    Serve,
    /// Judge one image as the registry would, and print every requirement with what met it or why nothing did
    #[command(after_help = examples::VERIFY)]
    Verify(Asked),
    /// Draw the tree of all evidence about one image and what it proves, without a policy
    #[command(after_help = examples::INSPECT)]
    Inspect {
        #[command(flatten)]
        asked: Asked,
        #[arg(long, value_name = "DIR|FILE.json", help = RECORD_HELP)]
        record: Option<PathBuf>,
    },
    /// Say what a reason means, and what to do about it
    #[command(after_help = examples::EXPLAIN)]
    Explain {
        /// A code as verify, a refusal or a metric shows it, such as wrong-identity; all of them without
        #[arg(value_parser = explain::code)]
        code: Option<ReasonCode>,
    },
    /// Work with the rules of the configuration
    #[command(subcommand, after_help = examples::POLICY)]
    Policy(PolicyCommand),
    /// Look after what is kept on disk
    #[command(subcommand, after_help = examples::STORAGE)]
    Storage(StorageCommand),
    /// Ask what is in the images that were admitted
    #[command(subcommand, after_help = examples::PACKAGES)]
    Packages(PackagesCommand),
    /// Work with the configuration
    #[command(subcommand, after_help = examples::CONFIG)]
    Config(ConfigCommand),
}

#[derive(Debug, Args)]
struct Asked {
    /// [upstream/]repository[:tag][@digest], as docker reads it
    image: Image,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Hold the rules against recorded facts: is every case decided as it expects? Asks no network and opens no storage
    #[command(after_help = examples::POLICY)]
    Test {
        /// A folder with cases.toml in it or below it, or one such file
        #[arg(value_name = "DIR")]
        place: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say whether the configuration can be used, and what in it weakens a check
    #[command(after_help = examples::CONFIG)]
    Check,
    /// Print the JSON schema of the configuration, for editors
    #[command(after_help = examples::CONFIG)]
    Schema,
}

impl Cli {
    /// Runs the command. What it finds out goes to standard output, everything else to standard error.
    pub fn run(&self) -> ExitCode {
        self.command().unwrap_or_else(|error| fail(&error))
    }

    fn command(&self) -> Result<ExitCode, CommandError> {
        telemetry::start(self.log.as_deref(), self.command.verbosity())?;
        let runtime = app::runtime().map_err(StartError::System)?;
        match &self.command {
            Command::Serve => runtime.block_on(Box::pin(serve(self.config()?))),
            Command::Verify(asked) => runtime.block_on(Box::pin(verify(self, asked))),
            Command::Inspect { asked, record } => runtime.block_on(Box::pin(inspect(self, asked, record.as_deref()))),
            Command::Explain { code } => print_reason(*code),
            Command::Policy(PolicyCommand::Test { place, json }) => {
                let config = Config::load_rules(self.config.as_deref(), &Environment::of_process())?;
                runtime.block_on(test(config, place, *json))
            }
            Command::Packages(command) => runtime.block_on(Box::pin(packages::run(command, self.config()?))),
            Command::Storage(command) => runtime.block_on(Box::pin(storage::run(command, self.config()?))),
            Command::Config(ConfigCommand::Check) => check(&self.config()?),
            Command::Config(ConfigCommand::Schema) => print_schema(),
        }
    }

    fn config(&self) -> Result<Config, ConfigError> {
        Config::load(self.config.as_deref(), &Environment::of_process())
    }
}

impl Command {
    const fn verbosity(&self) -> Verbosity {
        match self {
            Self::Serve => Verbosity::Decisions,
            Self::Verify(_)
            | Self::Inspect { .. }
            | Self::Explain { .. }
            | Self::Policy(_)
            | Self::Packages(_)
            | Self::Storage(_)
            | Self::Config(_) => Verbosity::Problems,
        }
    }
}

async fn serve(config: Config) -> Result<ExitCode, CommandError> {
    // Before anything is bound: a signal that comes while the stores open must not be lost.
    let stop = app::stop_signal().map_err(StartError::System)?;
    app::raise_file_limit();
    let app = App::build(config, Arc::new(SystemClock)).await?;
    writeln!(stdout(), "serving on {}\nadmin on http://{}", app.url(), app.admin_address())?;
    app.run(stop).await;
    Ok(ExitCode::SUCCESS)
}

fn check(config: &Config) -> Result<ExitCode, CommandError> {
    let warnings = app::check(config, &SystemClock)?;
    let mut out = stdout();
    writeln!(out, "{} can be used", config.origin)?;
    warnings.iter().try_for_each(|warning| writeln!(out, "{warning}"))?;
    config.warnings.iter().try_for_each(|warning| writeln!(out, "probably not meant: {warning}"))?;
    config.weakenings().iter().try_for_each(|weakening| writeln!(out, "weakened: {weakening}"))?;
    Ok(ExitCode::SUCCESS)
}

fn print_reason(code: Option<ReasonCode>) -> Result<ExitCode, CommandError> {
    explain::write(&mut stdout(), code)?;
    Ok(ExitCode::SUCCESS)
}

fn print_schema() -> Result<ExitCode, CommandError> {
    write_json(&mut stdout(), &config::schema())?;
    Ok(ExitCode::SUCCESS)
}

async fn test(config: Config, place: &Path, json: bool) -> Result<ExitCode, CommandError> {
    app::read_feeds(&config, &SystemClock)?;
    let outcomes = cases::run(place, &Rules::of(config).map_err(StartError::Upstream)?).await?;
    let mut out = stdout();
    if json {
        write_json(&mut out, &policy_test::to_json(&outcomes))?;
    } else {
        policy_test::write(&mut out, &outcomes)?;
    }
    Ok(policy_test::exit_code(&outcomes))
}

async fn verify(cli: &Cli, asked: &Asked) -> Result<ExitCode, CommandError> {
    let opened = Opened::new(cli).await?;
    let explanation = opened.core.gate().explain(&asked.image).await;
    let mut out = stdout();
    if asked.json {
        write_json(&mut out, &explanation.to_json())?;
    } else {
        verify::write(&mut out, &explanation)?;
    }
    Ok(verify::exit_code(explanation.decision))
}

async fn inspect(cli: &Cli, asked: &Asked, record: Option<&Path>) -> Result<ExitCode, CommandError> {
    let opened = Opened::new(cli).await?;
    let inspection = match opened.core.gate().inspect(&asked.image).await {
        Ok(inspection) => inspection,
        Err(refusal) => return Err(CommandError::NotInspected(refusal.text())),
    };
    let mut out = stdout();
    if asked.json {
        write_json(&mut out, &inspect::to_json(&inspection))?;
    } else {
        inspect::write(&mut out, &inspection)?;
    }
    if let Some(place) = record {
        let gate = opened.core.gate();
        let record = gate.record(&inspection).await.map_err(|refusal| CommandError::NotInspected(refusal.text()))?;
        let config = cli.config()?;
        app::read_feeds(&config, &SystemClock)?;
        let rules = Rules::of(config).map_err(StartError::Upstream)?;
        let recorded = record::write(place, (&inspection.image, &record), &rules).await;
        note(&recorded.map_err(|source| CommandError::NotRecorded { place: place.to_owned(), source })?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write_json(out: &mut dyn Write, value: &Value) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

fn fail(error: &CommandError) -> ExitCode {
    // Where standard error is closed, the exit code still tells.
    match note(&chain(error)) {
        Ok(()) | Err(_) => error.exit_code(),
    }
}

fn note(text: &str) -> io::Result<()> {
    writeln!(stderr(), "bonafide: {text}")
}
