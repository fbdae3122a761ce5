//! How fast what was proven is served, beside the servers that people would use otherwise: `benches/load/run [ROW..]`, which is
//! described in `benches/load/README.md`.
//!
//! No times are asserted: machines differ. Systems take turns within each round, so that what else the machine does reaches
//! all of them alike; medians are printed, and the medians of the ratios of each round.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark ends where something is wrong, and talks to whoever started it"
)]

mod bed;
mod client;
mod compare;
mod loads;
mod process;
mod rows;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/it/support/mod.rs"]
mod support;
mod systems;

use std::time::Duration;

use clap::Parser;

use crate::bed::Bed;
use crate::rows::ROWS;

/// What is measured, and for how long.
#[derive(Debug, Parser)]
struct Arguments {
    /// The rows of docs/performance.md, by number or name; all of them without
    rows: Vec<String>,
    /// How often each system has its turn
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long one turn takes
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS")]
    turn: f64,
    /// The size of the large blob
    #[arg(long, default_value_t = 1024, value_name = "MIB")]
    blob: u64,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

/// How much each row measures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// How often each system has its turn.
    pub(crate) rounds: usize,
    /// How long one turn takes.
    pub(crate) turn: Duration,
}

fn main() {
    let arguments = Arguments::parse();
    let asked = |names: &[&str]| arguments.rows.is_empty() || arguments.rows.iter().any(|row| names.contains(&&**row));
    for row in &arguments.rows {
        assert!(ROWS.iter().any(|known| known.names.contains(&&**row)), "there is no row {row}: {ROWS:#?}");
    }
    let effort = Effort { rounds: arguments.rounds, turn: Duration::from_secs_f64(arguments.turn) };
    let bed = Bed::new(arguments.blob << 20);
    for row in ROWS.iter().filter(|row| asked(row.names)) {
        (row.run)(&bed, effort);
    }
}
