//! An open file of content: its bytes are had at once where they are in memory, and waited for by threads that serve no
//! connection where they are not.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::task::spawn_blocking;

use crate::content::store::ReadAt;
use crate::piece::{WINDOW_BYTES, Window};

/// How far ahead of a read that has to wait the operating system is asked to read: the next ones then find their bytes
/// in memory, and a disk is given enough to do at once.
#[cfg(target_os = "linux")]
const READ_AHEAD: std::num::NonZeroU64 = std::num::NonZeroU64::new(1024 * 1024).unwrap();

/// Less is read: the operating system sends a file by itself at the cost of some system calls.
const LEAST_WINDOW: usize = 32 * 1024;

/// Of how many bytes the last one is tried to find out whether they are in memory.
const TRIED_AT_ONCE: usize = 64 * 1024;

/// An open file. It may be removed meanwhile: what is open stays.
#[derive(Debug)]
pub(super) struct FileBytes {
    file: Arc<File>,
    /// Whether the operating system can say that a read would wait. Found out by the first that it cannot.
    tells: AtomicBool,
}

impl FileBytes {
    pub(super) fn new(file: Arc<File>) -> Self {
        Self { file, tells: AtomicBool::new(true) }
    }
}

#[async_trait]
impl ReadAt for FileBytes {
    fn read_at_once(&self, offset: u64, most: usize) -> Option<Bytes> {
        if !self.tells.load(Ordering::Relaxed) {
            return None;
        }
        let mut bytes = BytesMut::zeroed(most);
        match read_without_waiting(&self.file, offset, &mut bytes) {
            Attempt::Read(length) => {
                bytes.truncate(length);
                Some(bytes.freeze())
            }
            Attempt::MustWait => None,
            Attempt::CannotTell => {
                self.tells.store(false, Ordering::Relaxed);
                None
            }
        }
    }

    fn window(&self, offset: u64, most: u64) -> Option<Window> {
        let most = usize::try_from(most).map_or(WINDOW_BYTES, |most| most.min(WINDOW_BYTES));
        if most < LEAST_WINDOW || !self.tells.load(Ordering::Relaxed) {
            return None;
        }
        let length = in_memory(&self.file, offset, most);
        if length < LEAST_WINDOW { None } else { Window::new(Arc::clone(&self.file), offset, length) }
    }

    async fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let file = Arc::clone(&self.file);
        blocking(move || {
            read_ahead(&file, offset);
            let mut bytes = BytesMut::zeroed(length);
            file.read_exact_at(&mut bytes, offset)?;
            Ok(bytes.freeze())
        })
        .await
    }
}

/// How many bytes from `offset` on are in memory, of `most`: as many as their samples say. Where they are wrong, because
/// something between them was evicted, who sends the bytes waits for the disk.
fn in_memory(file: &File, offset: u64, most: usize) -> usize {
    let mut length = 0;
    while length < most {
        let next = most.min(length + TRIED_AT_ONCE);
        let last = offset + next as u64 - 1;
        if !matches!(read_without_waiting(file, last, &mut [0]), Attempt::Read(_)) {
            break;
        }
        length = next;
    }
    length
}

/// What came of a read that was not to wait.
enum Attempt {
    /// So many bytes, at least one.
    Read(usize),
    /// They are not in memory, or there are none; or something is wrong, which a read that waits will tell.
    MustWait,
    /// This file system, or this operating system, reads only as long as it takes.
    CannotTell,
}

#[cfg(target_os = "linux")]
fn read_without_waiting(file: &File, offset: u64, bytes: &mut [u8]) -> Attempt {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};

    match preadv2(file, &mut [io::IoSliceMut::new(bytes)], offset, ReadWriteFlags::NOWAIT) {
        Ok(0) => Attempt::MustWait,
        Ok(length) => Attempt::Read(length),
        // The last is what a filter of system calls says that has not heard of this one.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM) => Attempt::CannotTell,
        Err(_) => Attempt::MustWait,
    }
}

#[cfg(not(target_os = "linux"))]
fn read_without_waiting(_: &File, _: u64, _: &mut [u8]) -> Attempt {
    Attempt::CannotTell
}

/// A hint: where it fails, reads are slower, and no less right.
#[cfg(target_os = "linux")]
fn read_ahead(file: &File, offset: u64) {
    use rustix::fs::{Advice, fadvise};

    if let Err(error) = fadvise(file, offset, Some(READ_AHEAD), Advice::WillNeed) {
        tracing::trace!(%error, "no reading ahead");
    }
}

#[cfg(not(target_os = "linux"))]
fn read_ahead(_: &File, _: u64) {}

/// Runs file operations where they may block: never on a thread that serves connections.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|stopped| Err(io::Error::other(stopped)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::mpsc;

    use futures_util::{FutureExt, TryStreamExt};
    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::content::reader::Reader;
    use crate::content::store::Stored;

    fn file(content: &[u8]) -> FileBytes {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        FileBytes::new(Arc::new(file))
    }

    /// Whether the place of these files can say that a read would wait: ext4, XFS and btrfs can, tmpfs cannot. The operating
    /// system is asked, and not what is tested here.
    #[cfg(target_os = "linux")]
    fn can_tell(bytes: &FileBytes) -> bool {
        use rustix::io::{Errno, ReadWriteFlags, preadv2};

        let mut byte = [0];
        let read = preadv2(&bytes.file, &mut [io::IoSliceMut::new(&mut byte)], 0, ReadWriteFlags::NOWAIT);
        !matches!(read, Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM))
    }

    #[cfg(not(target_os = "linux"))]
    fn can_tell(_: &FileBytes) -> bool {
        false
    }

    /// What was just written is in memory.
    #[test]
    fn what_is_in_memory_is_had_at_once_as_the_file_has_it() {
        let content: Vec<u8> = (0..=255).cycle().take(300_000).collect();
        let bytes = file(&content);
        for (offset, most, length) in
            [(0, 10, 10), (1, 65_536, 65_536), (4095, 2, 2), (299_990, 10, 10), (299_990, 4096, 10)]
        {
            let had = bytes.read_at_once(offset, most);
            let offset = usize::try_from(offset).unwrap();
            let there = can_tell(&bytes).then(|| &content[offset..offset + length]);
            assert_eq!(had.as_deref(), there, "{most} bytes from {offset} on");
        }
    }

    #[test]
    fn a_window_is_what_is_in_memory_and_no_longer_than_asked_for() {
        let bytes = file(&vec![1; 2 * WINDOW_BYTES]);
        let most = 2 * WINDOW_BYTES as u64;
        for (offset, most, length) in [
            (0, most, WINDOW_BYTES),
            (4097, 100_000, 100_000),
            (most - LEAST_WINDOW as u64, LEAST_WINDOW as u64, LEAST_WINDOW),
        ] {
            let window = bytes.window(offset, most).map(|window| (window.offset(), window.length()));
            assert_eq!(window, can_tell(&bytes).then_some((offset, length)));
        }
    }

    #[test]
    fn there_is_no_window_of_little_nor_of_what_is_not_there() {
        let bytes = file(&vec![1; LEAST_WINDOW]);
        assert!(bytes.window(0, LEAST_WINDOW as u64 - 1).is_none());
        assert!(bytes.window(1, LEAST_WINDOW as u64).is_none());
        assert!(bytes.window(1 << 40, u64::MAX >> 1).is_none());
        assert!(bytes.window(0, 0).is_none());
    }

    #[test]
    fn a_window_ends_where_the_file_was_cut_off() {
        let bytes = file(&vec![1; 2 * TRIED_AT_ONCE]);
        bytes.file.set_len(TRIED_AT_ONCE as u64 + 10).unwrap();
        let length = bytes.window(0, 2 * TRIED_AT_ONCE as u64).map(|window| window.length());
        assert_eq!(length, can_tell(&bytes).then_some(TRIED_AT_ONCE));
    }

    #[test]
    fn beyond_the_end_there_is_nothing_at_once() {
        assert_eq!(file(b"abc").read_at_once(3, 10), None);
        assert_eq!(file(b"").read_at_once(0, 10), None);
    }

    /// The only thread that may wait for a disk, kept from it as long as this lives.
    struct Occupied {
        // Before the runtime, which waits for its threads when it is dropped.
        _release: mpsc::Sender<()>,
        runtime: Runtime,
    }

    impl Occupied {
        fn new() -> Self {
            let runtime = Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
            let (release, released) = mpsc::channel::<()>();
            let (tell, begun) = mpsc::channel();
            drop(runtime.spawn_blocking(move || {
                tell.send(()).unwrap();
                released.recv()
            }));
            begun.recv().unwrap();
            Self { _release: release, runtime }
        }

        /// All of `bytes`, which are `size`, as far as they are had without that thread.
        fn read(&self, bytes: FileBytes, size: u64) -> Option<Vec<u8>> {
            let _within = self.runtime.enter();
            let reader = Reader::committed(Stored { size, bytes: Arc::new(bytes) });
            let pieces = reader.stream(0..size).try_collect::<Vec<_>>().now_or_never()?;
            Some(pieces.unwrap().concat())
        }
    }

    #[test]
    fn what_is_in_memory_is_read_while_all_threads_wait_for_disks() {
        let content: Vec<u8> = (0..=250).cycle().take(1_000_003).collect();
        let (occupied, bytes) = (Occupied::new(), file(&content));
        if can_tell(&bytes) {
            assert!(occupied.read(bytes, content.len() as u64).is_some_and(|read| read == content));
        }
    }

    #[test]
    fn what_may_have_to_wait_is_read_by_a_thread_that_serves_no_connection() {
        let bytes = file(&[1; 1000]);
        bytes.tells.store(false, Ordering::Relaxed);
        assert_eq!(Occupied::new().read(bytes, 1000), None);
    }

    #[tokio::test]
    async fn beyond_the_end_a_read_that_waits_is_an_error() {
        let error = file(b"abc").read_at(1, 3).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(file(b"abc").read_at(1, 2).await.unwrap(), "bc");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_cannot_tell_is_asked_once() {
        // A pipe has no offsets, and the kernel refuses before it looks.
        let bytes = FileBytes::new(Arc::new(File::open("/proc/self/status").unwrap()));
        assert_eq!(bytes.read_at_once(0, 10), None);
        assert!(!bytes.tells.load(Ordering::Relaxed));
        assert!(bytes.window(0, u64::MAX >> 1).is_none());
    }
}
