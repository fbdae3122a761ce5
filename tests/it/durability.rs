//! A process that is killed: what it promised is there, what it had half done is not.
//!
//! Nothing here is closed or flushed before it is opened again: the next process finds what a killed one leaves.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bonafide::clock::SystemClock;
use bonafide::content::{ByteSize, Length, Library, Settings};
use bonafide::facts::{Facts, GrantKind, Settings as FactsSettings};
use bonafide::oci::{Digest, Repository};
use bytes::Bytes;
use futures_util::TryStreamExt;
use prometheus::Registry;
use tokio_util::task::TaskTracker;

use crate::origin::FakeOrigin;

async fn library(folder: &Path) -> Library {
    library_with(folder, &TaskTracker::new()).await
}

async fn library_with(folder: &Path, tasks: &TaskTracker) -> Library {
    let settings = Settings { path: folder.into(), max_size: ByteSize::new(1 << 30), scrub_rate: ByteSize::new(0) };
    Library::open(&settings, Arc::new(SystemClock), tasks.clone(), &Registry::new()).await.unwrap()
}

async fn facts(folder: &Path) -> Facts {
    let settings = FactsSettings { path: folder.into() };
    Facts::open(&settings, Arc::new(SystemClock), &Registry::new()).await.unwrap()
}

/// Waits until what was fetched is committed: the last byte does not wait for the disk.
async fn settle(tasks: &TaskTracker) {
    tasks.close();
    tasks.wait().await;
}

/// Copies what is on the disk now, as a kill would leave it, into a folder of its own.
fn as_killed(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_into(folder, copy.path());
    copy
}

fn copy_into(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, copy) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy_into(&path, &copy);
        } else {
            fs::copy(&path, &copy).unwrap();
        }
    }
}

async fn fetch(library: &Library, content: &'static [u8]) -> Vec<u8> {
    let origin = FakeOrigin::whole(content);
    let reader = library.read_through(Digest::of(content), content.len() as u64, origin).await.unwrap();
    let pieces: Vec<Bytes> = reader.stream(0..content.len() as u64).try_collect().await.unwrap();
    pieces.concat()
}

#[tokio::test]
async fn what_was_granted_is_granted_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let repository: Repository = "example.com/app".parse().unwrap();
    let facts_before = facts(folder.path()).await;
    for number in 0..20_u8 {
        let blob = [(Digest::of(&[number]), GrantKind::Blob, 1)];
        facts_before.grant(&repository, Digest::of(b"root"), &blob).await.unwrap();
        let killed = as_killed(folder.path());
        let grants = facts(killed.path()).await.grants(&repository, Digest::of(&[number])).await.unwrap();
        assert_eq!(grants.len(), 1, "grant {number}");
    }
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_kill() {
    let (folder, tasks) = (tempfile::tempdir().unwrap(), TaskTracker::new());
    let before = library_with(folder.path(), &tasks).await;
    assert_eq!(fetch(&before, b"a layer").await, b"a layer");
    settle(&tasks).await;
    let killed = as_killed(folder.path());
    let after = library(killed.path()).await;
    assert!(after.blob(Digest::of(b"a layer"), Length::Exactly(7)).await.unwrap().is_some());
}

#[tokio::test]
async fn half_a_fetch_is_gone_after_a_kill_and_is_fetched_whole() {
    let folder = tempfile::tempdir().unwrap();
    let before = library(folder.path()).await;
    let (origin, tap) = FakeOrigin::tapped(Some(7));
    let reader = before.read_through(Digest::of(b"a layer"), 7, origin).await.unwrap();
    tap.send(Ok(Bytes::from_static(b"a la"))).await.unwrap();
    let mut stream = Box::pin(reader.stream(0..7));
    assert_eq!(stream.try_next().await.unwrap().unwrap(), "a l");
    let killed = as_killed(folder.path());
    let partial = killed.path().join("content/partial");
    assert_eq!(fs::read_dir(&partial).unwrap().count(), 1);
    let after = library(killed.path()).await;
    assert_eq!(fs::read_dir(&partial).unwrap().count(), 0);
    assert_eq!(fetch(&after, b"a layer").await, b"a layer");
}

#[tokio::test]
async fn what_cannot_be_removed_of_it_does_not_stop_the_start_nor_the_removal_of_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let partial = folder.path().join("content/partial");
    let (stuck, leftovers) = (["a", "m", "z"], ["b", "n", "y"]);
    for name in stuck {
        fs::create_dir_all(partial.join(name)).unwrap();
    }
    for name in leftovers {
        fs::write(partial.join(name), "half a layer").unwrap();
    }
    let after = library(folder.path()).await;
    assert!(stuck.iter().all(|name| partial.join(name).is_dir()));
    assert!(leftovers.iter().all(|name| !partial.join(name).exists()));
    assert_eq!(fetch(&after, b"a layer").await, b"a layer");
}

#[tokio::test]
async fn a_second_process_leaves_the_fetches_of_the_first_alone() {
    let (folder, tasks) = (tempfile::tempdir().unwrap(), TaskTracker::new());
    let first = library_with(folder.path(), &tasks).await;
    let (origin, tap) = FakeOrigin::tapped(Some(7));
    let reader = first.read_through(Digest::of(b"a layer"), 7, origin).await.unwrap();
    tap.send(Ok(Bytes::from_static(b"a la"))).await.unwrap();
    let mut stream = Box::pin(reader.stream(0..7));
    assert_eq!(stream.try_next().await.unwrap().unwrap(), "a l");
    let second = library(folder.path()).await;
    tap.send(Ok(Bytes::from_static(b"yer"))).await.unwrap();
    drop(tap);
    let rest: Vec<Bytes> = stream.try_collect().await.unwrap();
    assert_eq!(rest.concat(), b"ayer");
    settle(&tasks).await;
    assert!(second.blob(Digest::of(b"a layer"), Length::Exactly(7)).await.unwrap().is_some());
}
