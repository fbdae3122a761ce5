//! Row 11: how fast content comes in: received, hashed and written, against the hash alone.

use std::time::Instant;

use bonafide::oci::Hasher;

use crate::Effort;
use crate::bed::{Bed, blob_path};
use crate::compare::{Figures, print};
use crate::process::{BOTH, SERVERS};
use crate::systems::bonafide::{Place, start_at};
use crate::systems::cold::{Rate, Upstream, folder_for};

const MIB: f64 = (1_u64 << 20) as f64;
/// What the hash alone takes, over and over.
const PIECE: usize = 256 * 1024;

/// The hash and Bonafide take turns: on one core, where receiving and writing come on top of hashing, and on two.
pub(crate) fn ingest(bed: &Bed, effort: Effort) {
    let (mut hashed, mut one, mut two) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        hashed.push(hash_alone(bed.cold_blob.1));
        one.push(taken_in(bed, SERVERS));
        two.push(taken_in(bed, BOTH));
    }
    let title =
        format!("11  a blob of {} MiB comes in (ratio: below 1, Bonafide is that much slower)", bed.cold_blob.1 >> 20);
    for (name, turns) in [("on one core", one), ("on two cores", two)] {
        print(&format!("{title}, {name}"), &["bonafide", "SHA-256 alone"], &[turns, hashed.clone()]);
    }
}

fn hash_alone(size: u64) -> Figures {
    let (piece, start, mut hasher, mut left) = (vec![7; PIECE], Instant::now(), Hasher::new(), size);
    while left > 0 {
        hasher.update(&piece);
        left = left.saturating_sub(PIECE as u64);
    }
    std::hint::black_box(hasher.finish());
    speed(size, start)
}

/// The client asks for the last byte: it comes when the digest holds.
fn taken_in(bed: &Bed, cores: &str) -> Figures {
    let (upstream, folder) = (Upstream::start(bed, Rate::Unlimited), folder_for(bed, "ingest"));
    let place = Place { storage: &folder, upstream: &upstream.system, cores };
    let system = start_at(bed, place).unwrap();
    let mut connection = system.client(bed).connect();
    let length = connection.get(&bed.manifest_path()).unwrap();
    connection.skip(length).unwrap();
    let (path, size) = (blob_path(bed.cold_blob.0), bed.cold_blob.1);
    let start = Instant::now();
    let length = connection.get_part(&path, (size - 1, size - 1)).unwrap();
    connection.skip(length).unwrap();
    speed(size, start)
}

fn speed(size: u64, start: Instant) -> Figures {
    vec![("MiB/s", size as f64 / MIB / start.elapsed().as_secs_f64())]
}
