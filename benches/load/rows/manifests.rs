//! Rows 1 and 2: a manifest that is proven and judged on every request, from memory.

use std::time::Instant;

use crate::Effort;
use crate::bed::Bed;
use crate::compare::{Figures, alternate, cpu_of};
use crate::loads::{Seen, h2load, wrk};
use crate::systems::{self, System, Transport};

const CONNECTIONS: usize = 64;
const STREAMS: usize = 4;
/// New connections in one turn.
const HANDSHAKES: usize = 400;

/// zot's `zb` has no such workload: it pulls manifests together with their blobs.
pub(crate) fn plain(bed: &Bed, effort: Effort) {
    let systems = systems::start(bed, Transport::Plain);
    let title = format!("1  warm manifest, plain HTTP/1.1, {CONNECTIONS} connections, one core");
    alternate(&title, &systems, effort, |system| {
        figures(system, || wrk(&system.url(&bed.manifest_path()), CONNECTIONS, effort.turn))
    });
}

pub(crate) fn tls(bed: &Bed, effort: Effort) {
    let systems = systems::start(bed, Transport::Tls);
    let title = format!("2  warm manifest, TLS 1.3, HTTP/1.1, {CONNECTIONS} connections, one core");
    alternate(&title, &systems, effort, |system| {
        figures(system, || wrk(&system.url(&bed.manifest_path()), CONNECTIONS, effort.turn))
    });
    let title = format!("2  warm manifest, TLS 1.3, HTTP/2, {CONNECTIONS} connections of {STREAMS} streams, one core");
    alternate(&title, &systems, effort, |system| {
        figures(system, || h2load(&system.url(&bed.manifest_path()), CONNECTIONS, STREAMS, effort.turn))
    });
    alternate("2  a new TLS connection with one request", &systems, effort, |system| handshakes(bed, system));
}

fn figures(system: &System, load: impl FnOnce() -> Seen) -> Figures {
    let (cpu, seen) = cpu_of(&system.process, load);
    vec![("requests/s", seen.per_second), ("CPU µs/request", cpu * 1e6 / seen.requests)]
}

fn handshakes(bed: &Bed, system: &System) -> Figures {
    let (client, path, start) = (system.client(bed), bed.manifest_path(), Instant::now());
    let (cpu, ()) = cpu_of(&system.process, || {
        for _ in 0..HANDSHAKES {
            let mut connection = client.connect();
            let length = connection.get(&path).unwrap();
            connection.skip(length).unwrap();
        }
    });
    let count = HANDSHAKES as f64;
    vec![("connections/s", count / start.elapsed().as_secs_f64()), ("CPU µs/connection", cpu * 1e6 / count)]
}
