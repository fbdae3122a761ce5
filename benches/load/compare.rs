//! Systems take turns, and are held against the first of them: medians, and the medians of the ratios of each round.

use crate::Effort;
use crate::process::Process;
use crate::systems::{System, Systems};

/// What one system showed in one turn: names with units, and values. The same names for every system and turn.
pub(crate) type Figures = Vec<(&'static str, f64)>;

/// Lets each system have `effort.rounds` turns, and prints what came of them under `title`.
pub(crate) fn alternate(title: &str, systems: &Systems, effort: Effort, turn: impl Fn(&System) -> Figures) {
    let running = &systems.running;
    let mut turns: Vec<Vec<Figures>> = vec![Vec::new(); running.len()];
    for round in 0..effort.rounds {
        // Another one begins each round.
        for position in 0..running.len() {
            let index = (round + position) % running.len();
            turns[index].push(turn(&running[index]));
        }
    }
    let names: Vec<_> = running.iter().map(|system| system.name).collect();
    print(title, &names, &turns);
    for (name, why) in &systems.missing {
        println!("  {name:<16} NOT COMPARED: {why}");
    }
}

/// CPU time that `process` takes while `run` runs, in seconds, and what `run` returns.
pub(crate) fn cpu_of<T>(process: &Process, run: impl FnOnce() -> T) -> (f64, T) {
    let before = process.cpu();
    let outcome = run();
    (process.cpu().saturating_sub(before).as_secs_f64(), outcome)
}

/// Prints `turns`, of the systems called `names`. Each ratio is that of the first system to the one of its line.
pub(crate) fn print(title: &str, names: &[&str], turns: &[Vec<Figures>]) {
    println!("\n{title}");
    let Some(first) = turns.first().and_then(|turns| turns.first()) else { return };
    print!("  {:<16}", "");
    for (figure, _) in first {
        print!(" {figure:>18} {:>8}", "ratio");
    }
    println!();
    for (name, own) in names.iter().zip(turns) {
        print!("  {name:<16}");
        for index in 0..first.len() {
            let values = own.iter().map(|figures| figures[index].1);
            let ratios = turns[0].iter().zip(own).map(|(first, own)| first[index].1 / own[index].1);
            print!(" {:>18} {:>8.2}", number(median(values)), median(ratios));
        }
        println!();
    }
}

/// With as many digits as tell something.
fn number(value: f64) -> String {
    match value.abs() {
        value if value >= 1000.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
