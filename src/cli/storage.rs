//! `bonafide storage`: what is kept on disk, making room, and finding damage.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::app;
use crate::cli::lines::Lines;
use crate::cli::output::stdout;
use crate::cli::{CommandError, FAILED, examples, note};
use crate::config::Config;
use crate::content::{Amount, ByteSize, Condition, Library, Pruned, Retention, Seen};
use crate::oci::Digest;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum StorageCommand {
    /// Say how much content is kept, and how much may be
    #[command(after_help = examples::STORAGE)]
    Status,
    /// Delete what was not used for longest, until no more than the bound is kept
    #[command(after_help = examples::STORAGE)]
    Prune(Prune),
    /// Keep contents, however long they are not used and however little room there is
    #[command(after_help = examples::STORAGE)]
    Pin(Contents),
    /// Let contents go again when room is needed
    #[command(after_help = examples::STORAGE)]
    Unpin(Contents),
    /// Hash all content again, and delete what is damaged: it is fetched again when it is asked for
    #[command(after_help = examples::STORAGE)]
    Check,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Prune {
    #[arg(long, value_name = "SIZE", help = TO_HELP)]
    to: Option<ByteSize>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Contents {
    /// Digests of manifests, configs or layers, whether they are kept yet or not
    #[arg(required = true, value_name = "DIGEST")]
    digests: Vec<Digest>,
}

const TO_HELP: &str = "Keep at most so much, such as 20GiB; else storage.max_size";

/// How many contents lie between two signs of life.
const PROGRESS: u64 = 1000;

pub(in crate::cli) async fn run(command: &StorageCommand, config: Config) -> Result<ExitCode, CommandError> {
    let bound = config.content.max_size;
    let path = config.content.path.display().to_string();
    let content = app::content(config).await?;
    let mut out = stdout();
    match command {
        StorageCommand::Status => {
            let mut out = Lines::new(&mut out);
            out.field("folder", path)?;
            let kept = content.kept().await?;
            out.field("content", kept.all)?;
            out.field("pinned", kept.pinned)?;
            out.field("bound", bound)?;
            Ok(ExitCode::SUCCESS)
        }
        StorageCommand::Prune(Prune { to }) => {
            let goal = to.unwrap_or(bound);
            let Pruned { deleted, left, failure } = content.prune(goal).await;
            writeln!(out, "deleted {deleted}")?;
            if left.all.bytes > goal.bytes() && left.pinned.bytes > 0 {
                writeln!(out, "left {}, which is more than {goal}: pinned are {}", left.all, left.pinned)?;
            }
            failure.map_or(Ok(ExitCode::SUCCESS), |failure| Err(failure.into()))
        }
        StorageCommand::Pin(Contents { digests }) => pin(&content, digests, Retention::Pinned).await,
        StorageCommand::Unpin(Contents { digests }) => pin(&content, digests, Retention::Free).await,
        StorageCommand::Check => check(&content, &mut out).await,
    }
}

async fn pin(content: &Library, digests: &[Digest], retention: Retention) -> Result<ExitCode, CommandError> {
    for digest in digests {
        content.set_retention(*digest, retention).await?;
        if retention == Retention::Pinned && content.kept_size(*digest).await?.is_none() {
            note(&format!("{digest} is not kept yet: it is pinned from when it is fetched on"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Names what is damaged as it is found, and says at the end how much was looked at.
async fn check(content: &Library, out: &mut dyn Write) -> Result<ExitCode, CommandError> {
    let (mut looked_at, mut wrong) = (Amount::default(), 0_u64);
    let mut written = Ok(());
    let mut tell = |seen: &Seen| -> io::Result<()> {
        looked_at.add(&seen.item);
        if looked_at.contents.is_multiple_of(PROGRESS) {
            note(&format!("{looked_at} so far"))?;
        }
        let digest = seen.item.digest;
        match &seen.condition {
            Condition::Whole => return Ok(()),
            Condition::Damaged { found, removed: Ok(()) } => {
                writeln!(out, "{digest} is damaged, its bytes have {found}: deleted")?;
            }
            Condition::Damaged { found, removed: Err(error) } => {
                writeln!(out, "{digest} is damaged, its bytes have {found}: cannot be deleted: {error}")?;
            }
            Condition::Unreadable(error) => writeln!(out, "{digest} cannot be read: {error}")?,
        }
        wrong += 1;
        Ok(())
    };
    let remember = |seen: &Seen| {
        if written.is_ok() {
            written = tell(seen);
        }
    };
    content.check(remember).await?;
    written?;
    writeln!(out, "{looked_at} looked at, {wrong} damaged or not readable")?;
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}
