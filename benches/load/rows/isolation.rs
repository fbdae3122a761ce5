//! Row 5: manifests do not wait behind blobs.

use std::time::{Duration, Instant};

use crate::Effort;
use crate::bed::{Bed, blob_path};
use crate::client::saturate;
use crate::compare::{Figures, alternate};
use crate::loads::wrk;
use crate::systems::{self, System, Transport};

const STREAMS: usize = 8;
const CONNECTIONS: usize = 8;
/// The blobs run a little before the manifests do, and a little longer.
const MARGIN: Duration = Duration::from_millis(300);

pub(crate) fn manifests_behind_blobs(bed: &Bed, effort: Effort) {
    let systems = systems::start(bed, Transport::Plain);
    let title =
        format!("5  manifests on {CONNECTIONS} connections while {STREAMS} clients take blobs, plain, one core");
    alternate(&title, &systems, effort, |system| figures(bed, system, effort));
}

fn figures(bed: &Bed, system: &System, effort: Effort) -> Figures {
    let (client, path, start) = (system.client(bed), blob_path(bed.blob.0), Instant::now());
    let (bytes, seen) = std::thread::scope(|scope| {
        let blobs = scope.spawn(|| saturate(&client, &path, STREAMS, start + effort.turn + 2 * MARGIN));
        std::thread::sleep(MARGIN);
        let seen = wrk(&system.url(&bed.manifest_path()), CONNECTIONS, effort.turn);
        (blobs.join().unwrap(), seen)
    });
    let seconds = start.elapsed().as_secs_f64();
    vec![
        ("manifest p99 ms", seen.p99.as_secs_f64() * 1e3),
        ("manifests/s", seen.per_second),
        ("blob GB/s", bytes as f64 / seconds / 1e9),
    ]
}
