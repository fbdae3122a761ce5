//! Row 8: what a connection weighs, and the program without any.

use std::time::Duration;

use bonafide::oci::Digest;

use crate::Effort;
use crate::bed::{Bed, blob_path};
use crate::client::Connection;
use crate::compare::{Figures, alternate};
use crate::systems::{self, System, Systems, Transport};

const SLOW_READERS: usize = 200;
const IDLE: usize = 500;
/// Within it, a server has filled all that it fills for a client that takes nothing.
const SETTLING: Duration = Duration::from_millis(1500);

/// After it, nothing is left of what was done before: what an allocator keeps for what comes next it gives back by then.
const REST: Duration = Duration::from_secs(12);

/// Memory grows and rarely shrinks: each figure is of a fresh program, so there is one round.
pub(crate) fn connections(bed: &Bed, effort: Effort) {
    let effort = Effort { rounds: 1, ..effort };
    for transport in [Transport::Plain, Transport::Tls] {
        let fresh = || systems::start(bed, transport);
        let print = |what: &str, systems: Systems, figures: &dyn Fn(&System) -> Figures| {
            alternate(&format!("8  {what}, {transport:?}"), &systems, effort, figures);
        };
        print("the program after one pull", fresh(), &|system| {
            let at_once = system.process.anonymous_memory() / 1024.0;
            std::thread::sleep(REST);
            vec![("MiB at once", at_once), ("MiB at rest", system.process.anonymous_memory() / 1024.0)]
        });
        print(&format!("{IDLE} idle connections"), fresh(), &|system| idle(bed, system));
        for (what, blob) in [("a small blob", bed.small_blob), ("a large blob", bed.blob)] {
            let title = format!("{SLOW_READERS} clients that take nothing of {what} ({} MiB)", blob.1 >> 20);
            print(&title, fresh(), &|system| slow(bed, system, blob.0));
        }
    }
}

fn idle(bed: &Bed, system: &System) -> Figures {
    let open = |connection: &mut Connection| {
        let length = connection.get(&bed.manifest_path()).unwrap();
        connection.skip(length).unwrap();
    };
    vec![("KiB/connection", grown_by(bed, system, IDLE, open))]
}

fn slow(bed: &Bed, system: &System, blob: Digest) -> Figures {
    let open = |connection: &mut Connection| {
        connection.get(&blob_path(blob)).unwrap();
    };
    vec![("KiB/connection", grown_by(bed, system, SLOW_READERS, open))]
}

/// How much memory `count` connections take that were opened by `open`, for each of them.
fn grown_by(bed: &Bed, system: &System, count: usize, open: impl Fn(&mut Connection)) -> f64 {
    let client = system.client(bed);
    let before = system.process.anonymous_memory();
    let connections: Vec<_> = (0..count)
        .map(|_| {
            let mut connection = client.connect();
            open(&mut connection);
            connection
        })
        .collect();
    std::thread::sleep(SETTLING);
    let after = system.process.anonymous_memory();
    drop(connections);
    (after - before) / count as f64
}
