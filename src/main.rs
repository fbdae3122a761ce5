//! The `bonafide` binary: see `bonafide --help`.

use std::process::ExitCode;

use bonafide::cli::Cli;
use clap::Parser;
use mimalloc::MiMalloc;

/// Of the program alone: whoever uses the library has an allocator of their own.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
