//! The `bonafide` binary: see `bonafide --help`.

use std::process::ExitCode;

use bonafide::cli::Cli;
use clap::Parser;

fn main() -> ExitCode {
    Cli::parse().run()
}
