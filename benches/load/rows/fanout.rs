//! Rows 6 and 7: many clients ask for what nobody has yet.

use std::time::{Duration, Instant};

use crate::Effort;
use crate::bed::{Bed, blob_path};
use crate::client::Client;
use crate::compare::{Figures, print};
use crate::process::CLIENTS;
use crate::systems::System;
use crate::systems::cold::{Rate, SYSTEMS, Start, Upstream, folder_for};

const CROWDS: [usize; 3] = [1, 16, 64];
/// Longest until the upstream has written down what it sent.
const ACCOUNTING: Duration = Duration::from_secs(20);

/// How clients ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// For the whole.
    Whole,
    /// For two parts, the second first.
    Parts,
    /// First how long it is.
    HeadFirst,
    /// For the whole, and the first of them goes away once it has some of it.
    LeaderLeaves,
}

/// Row 6. Exact, so there is one round.
pub(crate) fn amplification(bed: &Bed, _: Effort) {
    for manner in [Manner::Whole, Manner::Parts, Manner::HeadFirst, Manner::LeaderLeaves] {
        let (mut names, mut turns, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for (name, start) in SYSTEMS {
            match CROWDS.iter().map(|clients| amplified(bed, start, manner, *clients)).collect::<Result<Vec<_>, _>>() {
                Ok(figures) => {
                    names.push(name);
                    turns.push(vec![figures]);
                }
                Err(why) => missing.push((name, why)),
            }
        }
        let title = format!("6  upstream bytes for one cold blob of {} MiB, {manner:?}", bed.small_blob.1 >> 20);
        print(&title, &names, &turns);
        for (name, why) in missing {
            println!("  {name:<16} NOT COMPARED: {why}");
        }
    }
}

fn amplified(bed: &Bed, start: Start, manner: Manner, clients: usize) -> Result<(&'static str, f64), String> {
    let upstream = Upstream::start(bed, Rate::Limited, CLIENTS);
    let system = start(bed, &folder_for(bed, "cold"), &upstream.system)?;
    let (path, size) = (blob_path(bed.small_blob.0), bed.small_blob.1);
    crowd(&system.client(bed), &path, clients, manner)?;
    // Who goes away early has the upstream write late, or never before it is told to end.
    let deadline = Instant::now() + ACCOUNTING;
    while upstream.sent(&path) < size && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(system);
    std::thread::sleep(Duration::from_millis(200));
    let name = match clients {
        1 => "1 client",
        16 => "16 clients",
        _ => "64 clients",
    };
    Ok((name, upstream.sent(&path) as f64 / size as f64))
}

/// When the first byte came, and the last.
struct Times {
    first: Duration,
    last: Duration,
}

/// `clients` at once.
fn crowd(client: &Client, path: &str, clients: usize, manner: Manner) -> Result<Vec<Times>, String> {
    std::thread::scope(|scope| {
        let running: Vec<_> =
            (0..clients).map(|number| scope.spawn(move || pull(client, path, manner, number == 0))).collect();
        running.into_iter().map(|client| client.join().unwrap()).collect()
    })
}

fn pull(client: &Client, path: &str, manner: Manner, is_first: bool) -> Result<Times, String> {
    let (mut connection, start) = (client.connect(), Instant::now());
    let mut first = None;
    let mut take = |connection: &mut crate::client::Connection, length: u64| {
        let mut left = length;
        while left > 0 {
            left -= connection.take(left).map_err(|error| error.to_string())?;
            first.get_or_insert_with(|| start.elapsed());
        }
        Ok::<_, String>(())
    };
    match manner {
        Manner::Parts => {
            let size = connection.head_of(path)?;
            for part in [(size / 2, size - 1), (0, size / 2 - 1)] {
                let length = connection.get_part(path, part)?;
                take(&mut connection, length)?;
            }
        }
        Manner::HeadFirst => {
            connection.head_of(path)?;
            let length = connection.get(path)?;
            take(&mut connection, length)?;
        }
        Manner::LeaderLeaves if is_first => {
            connection.get(path)?;
            take(&mut connection, 1 << 20)?;
        }
        Manner::Whole | Manner::LeaderLeaves => {
            let length = connection.get(path)?;
            take(&mut connection, length)?;
        }
    }
    Ok(Times { first: first.unwrap_or_default(), last: start.elapsed() })
}

/// Row 7.
pub(crate) fn last_of_many(bed: &Bed, effort: Effort) {
    let mut turns = SYSTEMS.map(|(name, start)| (name, start, Ok(Vec::new())));
    for _ in 0..effort.rounds {
        for (_, start, seen) in &mut turns {
            take_turn(seen, || fanned_out(bed, *start));
        }
    }
    let (mut names, mut figures, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for (name, _, seen) in turns {
        match seen {
            Ok(seen) => {
                names.push(name);
                figures.push(seen);
            }
            Err(why) => missing.push((name, why)),
        }
    }
    let title = format!("7  a cold blob of {} MiB, upstream at 100 MB/s", bed.cold_blob.1 >> 20);
    print(&title, &names, &figures);
    for (name, why) in missing {
        println!("  {name:<16} NOT COMPARED: {why}");
    }
}

/// Adds the figures of one more turn; who failed once has no more turns.
fn take_turn(seen: &mut Result<Vec<Figures>, String>, turn: impl FnOnce() -> Result<Figures, String>) {
    if let Ok(figures) = seen {
        match turn() {
            Ok(more) => figures.push(more),
            Err(why) => *seen = Err(why),
        }
    }
}

fn fanned_out(bed: &Bed, start: Start) -> Result<Figures, String> {
    let upstream = Upstream::start(bed, Rate::Limited, CLIENTS);
    let path = blob_path(bed.cold_blob.0);
    let of = |clients| -> Result<Vec<Times>, String> {
        let system: System = start(bed, &folder_for(bed, "cold"), &upstream.system)?;
        crowd(&system.client(bed), &path, clients, Manner::Whole)
    };
    let (alone, many) = (of(1)?, of(64)?);
    let slowest = |times: &[Times], of: fn(&Times) -> Duration| times.iter().map(of).max().unwrap().as_secs_f64();
    let (alone, last) = (slowest(&alone, |times| times.last), slowest(&many, |times| times.last));
    let first = slowest(&many, |times| times.first);
    Ok(vec![("alone s", alone), ("last of 64 s", last), ("last/alone", last / alone), ("first byte ms", first * 1e3)])
}
