//! Content as files: `sha256/<two digits>/<64 digits>` once it is proven, `partial/` until then. Since their bytes never
//! change, their times of modification are free to say when they were last used: as a whole minute, so that another time
//! says that somebody has written to a file. An empty file of the same name under `pinned/` says that it must stay.

use std::collections::HashSet;
use std::fs::{self, DirEntry, File, Metadata, OpenOptions, TryLockError};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use crate::clock::Clock;
use crate::content::file::{FileBytes, blocking};
use crate::content::store::{Committed, ContentStore, Draft, Inventory, Item, ReadAt, Retention, Stored, Version};
use crate::oci::Digest;

/// How exactly the last use is known, in seconds: a file that is read a hundred times a second is marked once a minute.
const MARK: u64 = 60;
/// From how many bytes on room is set aside before they are written: with fewer, that costs more than it spares.
const LARGE: u64 = 1024 * 1024;
/// How far ahead: a length is announced before a byte of it is seen, and must not fill a disk by itself.
const AHEAD: u64 = 64 * 1024 * 1024;

/// Files in one folder. Several processes may share it.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    /// Tells apart the drafts of this process from those of others: a process number does not, as every container has
    /// its own.
    instance: u64,
    /// Tells apart the drafts of this process.
    drafts: AtomicU64,
}

impl Disk {
    /// Uses `folder`, makes it if it is not there, and removes what a killed process left half done.
    pub(super) async fn open(folder: PathBuf, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let (partial, complete) = (folder.join(PARTIAL), folder.join(COMPLETE));
        blocking(move || {
            fs::create_dir_all(&complete)?;
            fs::create_dir_all(&partial)?;
            remove_leftovers(&partial)
        })
        .await?;
        Ok(Self { folder, clock, instance: RandomState::new().build_hasher().finish(), drafts: AtomicU64::new(0) })
    }

    fn now(&self) -> SystemTime {
        self.clock.now().into()
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.path_in(COMPLETE, digest)
    }

    fn path_in(&self, part: &str, digest: Digest) -> PathBuf {
        let hex = digest.hex();
        let shard: String = hex.chars().take(2).collect();
        self.folder.join(part).join(shard).join(hex)
    }

    fn partial_path(&self, digest: Digest) -> PathBuf {
        let number = self.drafts.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{:016x}-{number}", digest.hex(), self.instance);
        self.folder.join(PARTIAL).join(name)
    }
}

const PARTIAL: &str = "partial";
const COMPLETE: &str = "sha256";
const PINNED: &str = "pinned";

#[async_trait]
impl ContentStore for Disk {
    async fn open(&self, digest: Digest) -> io::Result<Option<Committed>> {
        let (path, now) = (self.path(digest), self.now());
        blocking(move || open_committed(&path, |file, used| mark(file, used, now))).await
    }

    async fn inspect(&self, digest: Digest) -> io::Result<Option<Committed>> {
        let path = self.path(digest);
        blocking(move || open_committed(&path, |_, _| {})).await
    }

    async fn confirm(&self, digest: Digest, version: Version) -> io::Result<Version> {
        let Some(written) = version.foreign else { return Ok(version) };
        let path = self.path(digest);
        blocking(move || put_right(&path, version, written)).await
    }

    async fn list(&self, shard: u8) -> Inventory {
        let shard = format!("{shard:02x}");
        let (folder, marks) = (self.folder.join(COMPLETE).join(&shard), self.folder.join(PINNED).join(&shard));
        let listed = blocking(move || Ok(list_files(&folder, &marks))).await;
        listed.unwrap_or_else(|error| Inventory { items: Vec::new(), error: Some(error) })
    }

    async fn begin(&self, digest: Digest, size: Option<u64>) -> io::Result<Box<dyn Draft>> {
        let (path, partial, clock) = (self.path(digest), self.partial_path(digest), Arc::clone(&self.clock));
        let folder = self.folder.clone();
        let creating = move || {
            // What does not fit is not begun: it would fill the disk, and be thrown away.
            if free(&folder).zip(size).is_some_and(|(free, size)| size > free) {
                return Err(no_room());
            }
            DiskDraft::create(path, partial, Room::new(size), clock)
        };
        Ok(Box::new(blocking(creating).await?))
    }

    async fn free(&self) -> Option<u64> {
        let folder = self.folder.clone();
        blocking(move || Ok(free(&folder))).await.ok().flatten()
    }

    async fn remove(&self, digest: Digest) -> io::Result<()> {
        let path = self.path(digest);
        blocking(move || ignore_absent(fs::remove_file(path))).await
    }

    async fn set_retention(&self, digest: Digest, retention: Retention) -> io::Result<()> {
        let path = self.path_in(PINNED, digest);
        blocking(move || match retention {
            Retention::Pinned => put_mark(&path),
            Retention::Free => ignore_absent(fs::remove_file(path)),
        })
        .await
    }
}

fn open_committed(path: &Path, note_use: impl FnOnce(&File, SystemTime)) -> io::Result<Option<Committed>> {
    let Some(file) = if_present(File::open(path))? else { return Ok(None) };
    let metadata = file.metadata()?;
    let version = version_of(&metadata)?;
    note_use(&file, metadata.modified()?);
    let stored = Stored { size: metadata.len(), bytes: Arc::new(FileBytes::new(Arc::new(file))) };
    Ok(Some(Committed { stored, version }))
}

/// Not the time of the last change of the inode, which each mark moves, as do links and changes of owners.
fn version_of(metadata: &Metadata) -> io::Result<Version> {
    let modified = metadata.modified()?;
    let foreign = (modified != mark_at(modified)).then_some(modified);
    Ok(Version { object: metadata.ino(), size: metadata.len(), foreign })
}

/// Marks `file`, last used at `used`, as used at `now`, also where the clock was ahead when it was used. What a stranger has
/// written to keeps its time until it is hashed: it is all that tells of that. On a disk that is not writable nothing is ever
/// evicted, so nothing is lost if that fails.
fn mark(file: &File, used: SystemTime, now: SystemTime) {
    let mark = mark_at(now);
    if used != mark
        && used == mark_at(used)
        && let Err(error) = file.set_modified(mark)
    {
        tracing::debug!(%error, "cannot mark content as used");
    }
}

/// The mark for `time`: the minute that it is in. The operating system writes down fractions of seconds.
fn mark_at(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    UNIX_EPOCH + Duration::from_secs(since - since % MARK)
}

/// Gives back a mark to what has this `version`, which a stranger has `written` to, unless that was again.
fn put_right(path: &Path, version: Version, written: SystemTime) -> io::Result<Version> {
    let file = File::open(path)?;
    if version_of(&file.metadata()?)? != version {
        return Ok(version);
    }
    file.set_modified(mark_at(written))?;
    Ok(Version { foreign: None, ..version })
}

/// The contents in `folder`, of which those are pinned that have a mark in the folder `marks`. Nothing, where these cannot be
/// read: what is pinned must not pass for what is not.
fn list_files(folder: &Path, marks: &Path) -> Inventory {
    let mut inventory = Inventory::default();
    let found = list_marks(marks).and_then(|pinned| Ok((pinned, entries_of(folder)?)));
    match found {
        Ok((pinned, entries)) => entries.for_each(|entry| match entry.and_then(|entry| item_of(&entry, &pinned)) {
            Ok(item) => inventory.items.extend(item),
            Err(error) => drop(inventory.error.get_or_insert(error)),
        }),
        Err(error) => inventory.error = Some(error),
    }
    inventory
}

/// The content that `entry` is. What has no digest for a name is none of ours, and what is there no more was removed by
/// another process since.
fn item_of(entry: &DirEntry, pinned: &HashSet<Digest>) -> io::Result<Option<Item>> {
    let Some(digest) = named_after(entry) else { return Ok(None) };
    let Some(metadata) = if_present(entry.metadata()).map_err(at(&entry.path()))? else { return Ok(None) };
    if !metadata.is_file() {
        return Ok(None);
    }
    let used = Timestamp::try_from(metadata.modified()?).unwrap_or(Timestamp::UNIX_EPOCH);
    let retention = if pinned.contains(&digest) { Retention::Pinned } else { Retention::Free };
    Ok(Some(Item { digest, size: metadata.len(), used, retention }))
}

fn list_marks(folder: &Path) -> io::Result<HashSet<Digest>> {
    let digests = entries_of(folder)?.map(|entry| Ok(named_after(&entry?)));
    digests.filter_map(Result::transpose).collect()
}

/// What is in `folder`; nothing if it is not there.
fn entries_of(folder: &Path) -> io::Result<impl Iterator<Item = io::Result<DirEntry>>> {
    let entries = if_present(fs::read_dir(folder)).map_err(at(folder))?;
    Ok(entries.into_iter().flatten().map(|entry| entry.map_err(at(folder))))
}

/// Says where an error was.
fn at(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn named_after(entry: &DirEntry) -> Option<Digest> {
    Digest::from_hex(entry.file_name().to_str()?).ok()
}

/// Makes an empty file that a loss of power does not take away.
fn put_mark(path: &Path) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    create_folder(folder)?;
    File::create(path)?.sync_all()?;
    File::open(folder)?.sync_all()
}

/// Makes a folder within one that is there, so that a loss of power does not take it away.
fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    let parents = folder.ancestors().skip(1).take(2);
    parents.filter(|parent| parent.is_dir()).try_for_each(|parent| File::open(parent)?.sync_all())
}

/// A file under `partial/`, locked as long as this process lives, so that another one that starts leaves it alone.
#[derive(Debug)]
struct DiskDraft {
    file: Arc<File>,
    written: u64,
    room: Room,
    partial: Leftover,
    path: PathBuf,
    clock: Arc<dyn Clock>,
}

/// The room on the disk that is set aside for one file before it is written to: that takes a tenth off the cost of taking
/// content in, and what has no room is known before it has taken the last of it.
#[derive(Debug, Clone, Copy)]
struct Room {
    /// How large the file will be, where room is to be set aside at all.
    size: u64,
    /// Up to where it is set aside.
    reserved: u64,
}

/// A file that is removed unless it is kept.
#[derive(Debug)]
struct Leftover(Option<PathBuf>);

impl Room {
    /// None yet, for a file of `size` bytes, as far as is known.
    fn new(size: Option<u64>) -> Self {
        Self { size: size.filter(|size| *size >= LARGE).unwrap_or(0), reserved: 0 }
    }

    /// Enough to write up to the offset `until`, and some more.
    fn for_bytes_up_to(self, until: u64, file: &File) -> io::Result<Self> {
        let reserved = self.size.min(until.saturating_add(AHEAD));
        if until <= self.reserved || reserved <= self.reserved {
            return Ok(self);
        }
        set_aside(file, self.reserved..reserved)?;
        Ok(Self { reserved, ..self })
    }
}

impl DiskDraft {
    fn create(path: PathBuf, partial: PathBuf, room: Room, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&partial)?;
        let partial = Leftover(Some(partial));
        lock(&file)?;
        Ok(Self { file: Arc::new(file), written: 0, room, partial, path, clock })
    }

    /// The bytes are on the disk before the name is, and the name before the commit returns: what is found under its
    /// digest after a loss of power is whole.
    fn publish(mut self) -> io::Result<Version> {
        self.file.set_modified(mark_at(self.clock.now().into()))?;
        self.file.sync_all()?;
        let folder = self.path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        create_folder(folder)?;
        if let Some(partial) = &self.partial.0 {
            fs::rename(partial, &self.path)?;
            self.partial.0 = None;
        }
        File::open(folder)?.sync_all()?;
        version_of(&self.file.metadata()?)
    }
}

#[async_trait]
impl Draft for DiskDraft {
    async fn append(&mut self, pieces: Vec<Bytes>) -> io::Result<()> {
        let (file, from, room) = (Arc::clone(&self.file), self.written, self.room);
        let writing = move || {
            let until = from + pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
            let room = room.for_bytes_up_to(until, &file)?;
            write_pieces(&file, from, &pieces)?;
            Ok((until, room))
        };
        (self.written, self.room) = blocking(writing).await?;
        Ok(())
    }

    fn bytes(&self) -> Arc<dyn ReadAt> {
        Arc::new(FileBytes::new(Arc::clone(&self.file)))
    }

    async fn commit(self: Box<Self>) -> io::Result<Version> {
        blocking(move || self.publish()).await
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        if let Some(path) = self.0.take()
            && let Err(error) = ignore_absent(fs::remove_file(&path))
        {
            tracing::warn!(path = %path.display(), %error, "cannot remove a partial file; the next start tries again");
        }
    }
}

/// Has the file system set aside `range` of `file`, whose length that does not change. Not every file system can do that,
/// and none must.
#[cfg(target_os = "linux")]
fn set_aside(file: &File, range: Range<u64>) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    match fallocate(file, FallocateFlags::KEEP_SIZE, range.start, range.end - range.start) {
        Err(full @ (Errno::NOSPC | Errno::DQUOT)) => Err(full.into()),
        Err(error) => {
            tracing::trace!(%error, "no room is set aside");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn set_aside(_: &File, _: Range<u64>) -> io::Result<()> {
    Ok(())
}

/// How much may be written to the file system of `folder`; not every one says so.
fn free(folder: &Path) -> Option<u64> {
    let room = rustix::fs::statvfs(folder).ok()?;
    (room.f_blocks > 0).then(|| room.f_bavail.saturating_mul(room.f_frsize))
}

fn no_room() -> io::Error {
    rustix::io::Errno::NOSPC.into()
}

fn write_pieces(file: &File, from: u64, pieces: &[Bytes]) -> io::Result<()> {
    let mut offset = from;
    for piece in pieces {
        file.write_all_at(piece, offset)?;
        offset += piece.len() as u64;
    }
    Ok(())
}

/// Removes the partial files that no living process holds. What cannot be removed takes room, and is in nobody's way: a
/// disk on which nothing can be removed is no reason not to serve what is on it.
fn remove_leftovers(partial: &Path) -> io::Result<()> {
    for entry in fs::read_dir(partial)? {
        let path = entry?.path();
        if let Err(error) = remove_if_abandoned(&path) {
            tracing::warn!(path = %path.display(), %error, "cannot remove a partial file of a process that is gone");
        }
    }
    Ok(())
}

fn remove_if_abandoned(path: &Path) -> io::Result<()> {
    if is_abandoned(path)? { ignore_absent(fs::remove_file(path)) } else { Ok(()) }
}

fn is_abandoned(path: &Path) -> io::Result<bool> {
    let file = if_present(File::open(path))?;
    Ok(file.is_some_and(|file| !matches!(file.try_lock(), Err(TryLockError::WouldBlock))))
}

/// Marks a draft as in use. A file system without locks is one that processes do not share.
fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn ignore_absent(result: io::Result<()>) -> io::Result<()> {
    if_present(result).map(drop)
}

fn if_present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    /// The length of the file of a draft that was announced with `size` bytes, and the room that it takes, once a byte of it is
    /// written.
    async fn length_and_room(size: Option<u64>) -> (u64, u64) {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path().to_owned(), Arc::new(SystemClock)).await.unwrap();
        let mut draft = disk.begin(Digest::of(b"x"), size).await.unwrap();
        draft.append(vec![Bytes::from_static(b"x")]).await.unwrap();
        let partial = fs::read_dir(folder.path().join(PARTIAL)).unwrap().next().unwrap().unwrap();
        let metadata = partial.metadata().unwrap();
        (metadata.len(), metadata.blocks() * 512)
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn room_is_set_aside_for_what_is_large_and_never_much_more_than_is_written() {
        use rustix::fs::{FallocateFlags, fallocate};

        let file = tempfile::tempfile().unwrap();
        if fallocate(&file, FallocateFlags::KEEP_SIZE, 0, 1).is_err() {
            return;
        }
        let (length, room) = length_and_room(Some(3 * LARGE)).await;
        assert!(length == 1 && (3 * LARGE..4 * LARGE).contains(&room), "{length} {room}");
        let (length, room) = length_and_room(Some(4 * AHEAD)).await;
        assert!(length == 1 && (AHEAD..AHEAD + LARGE).contains(&room), "{length} {room}");
        for size in [None, Some(LARGE - 1)] {
            assert!(length_and_room(size).await.1 < LARGE - 1);
        }
    }

    #[tokio::test]
    async fn what_the_disk_has_no_room_for_is_not_begun() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path().to_owned(), Arc::new(SystemClock)).await.unwrap();
        let free = disk.free().await.unwrap();
        let error = disk.begin(Digest::of(b"x"), Some(free.saturating_mul(2))).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_dir(folder.path().join(PARTIAL)).unwrap().count(), 0);
    }
}
