//! Rows 3 and 4: a large blob that is kept, and in the memory of the operating system.

use std::time::Instant;

use crate::Effort;
use crate::bed::{Bed, blob_path};
use crate::client::saturate;
use crate::compare::{Figures, alternate, cpu_of};
use crate::systems::{self, System, Transport};

/// As `zb`'s "Pull 1GB", of one blob that is pulled again and again.
const CONNECTIONS: usize = 8;
const GIB: f64 = (1_u64 << 30) as f64;

pub(crate) fn plain(bed: &Bed, effort: Effort) {
    let systems = systems::start(bed, Transport::Plain);
    let title =
        format!("3  warm blob of {} MiB, plain HTTP/1.1, {CONNECTIONS} connections, one core", bed.blob.1 >> 20);
    alternate(&title, &systems, effort, |system| figures(bed, system, effort));
}

pub(crate) fn tls(bed: &Bed, effort: Effort) {
    let systems = systems::start(bed, Transport::Tls);
    let title =
        format!("4  warm blob of {} MiB, TLS 1.3, HTTP/1.1, {CONNECTIONS} connections, one core", bed.blob.1 >> 20);
    alternate(&title, &systems, effort, |system| figures(bed, system, effort));
}

fn figures(bed: &Bed, system: &System, effort: Effort) -> Figures {
    let (client, path, start) = (system.client(bed), blob_path(bed.blob.0), Instant::now());
    let (cpu, bytes) = cpu_of(&system.process, || saturate(&client, &path, CONNECTIONS, start + effort.turn));
    let seconds = start.elapsed().as_secs_f64();
    vec![("GB/s", bytes as f64 / seconds / 1e9), ("CPU s/GiB", cpu / (bytes as f64 / GIB))]
}
