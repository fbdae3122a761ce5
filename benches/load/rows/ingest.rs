//! Row 11: how fast content comes in: received, hashed and written, against the hash alone.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use bonafide::oci::{Digest, Hasher};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use crate::Effort;
use crate::bed::{Bed, blob_path};
use crate::compare::{Figures, cpu_of, print};
use crate::process::{BOTH, CLIENTS, SERVERS};
use crate::systems::bonafide::{Place, start_at};
use crate::systems::cold::{Rate, Upstream, folder_for};

const MIB: f64 = (1_u64 << 20) as f64;
const GIB: f64 = (1_u64 << 30) as f64;
/// What the hash alone takes, over and over.
const PIECE: usize = 256 * 1024;

/// What is left free of memory that is touched.
const SPARED: usize = 2 << 30;
const PAGE: usize = 4096;

/// The hash, a bare loop and Bonafide take turns: on one core, where receiving and writing come on top of hashing, and on two,
/// which the upstream shares; with one blob, and with the layers of an image at once, as clients ask for them.
pub(crate) fn ingest(bed: &Bed, effort: Effort) {
    let [mut hashed, mut bare, mut one, mut two, mut all] = [const { Vec::new() }; 5];
    let (blob, layers) = ([bed.blob], bed.layers());
    touch_free_memory();
    for _ in 0..effort.rounds {
        hashed.push(hash_alone(bed.blob.1));
        bare.push(in_a_bare_loop(bed));
        one.push(taken_in(bed, &blob, SERVERS));
        two.push(taken_in(bed, &blob, BOTH));
        all.push(taken_in(bed, &layers, BOTH));
    }
    let title = |what: &str, blobs: &[(Digest, u64)], cores: &str| {
        let size = size_of(blobs) >> 20;
        format!("11  {what} of {size} MiB comes in (ratio: below 1, Bonafide is that much slower), on {cores}")
    };
    print(
        &title("a blob", &blob, "one core"),
        &["bonafide", "SHA-256 alone", "a bare loop"],
        &[one, hashed.clone(), bare],
    );
    print(&title("a blob", &blob, "two cores"), &["bonafide", "SHA-256 alone"], &[two, hashed.clone()]);
    print(&title("an image of three layers", &layers, "two cores"), &["bonafide", "SHA-256 alone"], &[all, hashed]);
}

fn size_of(blobs: &[(Digest, u64)]) -> u64 {
    blobs.iter().map(|(_, size)| size).sum()
}

fn hash_alone(size: u64) -> Figures {
    let (piece, mut hasher, mut left) = (vec![7; PIECE], Hasher::new(), size);
    measured(size, || {
        while left > 0 {
            hasher.update(&piece);
            left = left.saturating_sub(PIECE as u64);
        }
        std::hint::black_box(hasher.finish());
    })
}

/// The same work without a server around it, on the core of servers: what one core can do.
fn in_a_bare_loop(bed: &Bed) -> Figures {
    let (upstream, folder) = (Upstream::start(bed, Rate::Unlimited, CLIENTS), folder_for(bed, "bare"));
    let (path, (digest, size)) = (blob_path(bed.blob.0), bed.blob);
    touch_memory(&folder, size);
    let client = upstream.system.client(bed);
    let work = || {
        stay_on(SERVERS);
        let file = File::create(folder.join("blob")).unwrap();
        let mut connection = client.connect();
        let (mut piece, mut hasher, mut at) = (vec![0; PIECE], Hasher::new(), 0);
        measured(size, || {
            assert_eq!(connection.get(&path).unwrap(), size);
            fallocate(&file, FallocateFlags::KEEP_SIZE, 0, size).unwrap();
            while at < size {
                let received = connection.receive(&mut piece).unwrap();
                hasher.update(&piece[..received]);
                file.write_all_at(&piece[..received], at).unwrap();
                at += received as u64;
            }
            assert_eq!(hasher.finish(), digest);
        })
    };
    std::thread::scope(|scope| scope.spawn(work).join().unwrap())
}

/// Has this thread run on `core` alone.
fn stay_on(core: &str) {
    let mut cores = CpuSet::new();
    cores.set(core.parse().unwrap());
    sched_setaffinity(None, &cores).unwrap();
}

/// Writes to all memory that is free, and forgets it. A virtual machine is given memory when that is written to first, which
/// takes longer than to receive, hash and write what comes to lie in it, and is no work of whoever writes.
fn touch_free_memory() {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("MemFree:")).unwrap();
    let free: usize = line.split_whitespace().next().unwrap().parse().unwrap();
    let mut memory = vec![0_u8; (free * 1024).saturating_sub(SPARED)];
    memory.chunks_mut(PAGE).for_each(|page| page[0] = 1);
    std::hint::black_box(memory);
}

/// Writes twice `size` bytes, and forgets them: what comes next lies where they lay.
fn touch_memory(folder: &Path, size: u64) {
    let (path, piece) = (folder.join("touched"), vec![1; PIECE]);
    let mut file = File::create(&path).unwrap();
    for _ in 0..2 * size / PIECE as u64 {
        file.write_all(&piece).unwrap();
    }
    fs::remove_file(path).unwrap();
}

/// For each blob, a client asks for the last byte: it comes when the digest holds. What the upstream takes is no work of whoever
/// receives: it has the core that is spared, or whichever is idle.
fn taken_in(bed: &Bed, blobs: &[(Digest, u64)], cores: &str) -> Figures {
    let spared = if cores == SERVERS { CLIENTS } else { BOTH };
    let (upstream, folder) = (Upstream::start(bed, Rate::Unlimited, spared), folder_for(bed, "ingest"));
    let place = Place { storage: &folder, upstream: &upstream.system, cores };
    let system = start_at(bed, place).unwrap();
    let client = system.client(bed);
    let mut connection = client.connect();
    let length = connection.get(&bed.manifest_path()).unwrap();
    connection.skip(length).unwrap();
    let size = size_of(blobs);
    touch_memory(&folder, size);
    let start = Instant::now();
    let (cpu, ()) = cpu_of(&system.process, || {
        let ask = |&(digest, size)| {
            let mut connection = client.connect();
            let length = connection.get_part(&blob_path(digest), (size - 1, size - 1)).unwrap();
            (connection, length)
        };
        let asked: Vec<_> = blobs.iter().map(ask).collect();
        for (mut connection, length) in asked {
            connection.skip(length).unwrap();
        }
    });
    figures(size, start.elapsed(), cpu)
}

/// The figures of `work`, which this thread does and which takes in `size` bytes.
fn measured(size: u64, work: impl FnOnce()) -> Figures {
    let (start, cpu) = (Instant::now(), thread_cpu());
    work();
    figures(size, start.elapsed(), thread_cpu().saturating_sub(cpu).as_secs_f64())
}

fn thread_cpu() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

fn figures(size: u64, elapsed: Duration, cpu: f64) -> Figures {
    let size = size as f64;
    vec![("MiB/s", size / MIB / elapsed.as_secs_f64()), ("CPU s/GiB", cpu * GIB / size)]
}
