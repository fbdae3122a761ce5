//! Why a command failed, and the exit code that says so.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::app::StartError;
use crate::cases::CaseError;
use crate::cli::{BAD_CONFIGURATION, FAILED};
use crate::config::ConfigError;
use crate::content::ContentError;
use crate::telemetry::TelemetryError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum CommandError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Log(#[from] TelemetryError),
    #[error("{0}")]
    NotInspected(String),
    #[error("{0:?} is not a package URL such as pkg:npm/axios@1.14.1")]
    NoPackage(String),
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error(transparent)]
    Cases(#[from] CaseError),
    #[error("cannot record in {}", place.display())]
    NotRecorded { place: PathBuf, source: io::Error },
    #[error("cannot write the output, or keep anything")]
    Output(#[from] io::Error),
}

impl CommandError {
    pub(in crate::cli) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Config(_) => BAD_CONFIGURATION,
            Self::Start(error) if error.is_about_configuration() => BAD_CONFIGURATION,
            Self::NotInspected(_)
            | Self::NoPackage(_)
            | Self::Content(_)
            | Self::Cases(_)
            | Self::NotRecorded { .. }
            | Self::Start(_)
            | Self::Log(_)
            | Self::Output(_) => FAILED,
        })
    }
}

/// An error and its causes, in one line.
pub(in crate::cli) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
