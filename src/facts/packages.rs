//! Which admitted images contain a package. Written behind the requests, since a bill of materials may list a hundred
//! thousand: what waits is bounded, and what finds no room is written with a later request.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::evidence::{Package, Purl, canonical_purl};
use crate::facts::error::FactsError;
use crate::oci::{Digest, Repository};
use crate::remembered::{Remember, Remembered};

/// Most images that wait to be written; each holds no more than its proof does.
const WAITING: usize = 64;
/// Bytes for the images that are known in memory to be written: a hundred thousand.
const MEMORY: u64 = 8 * 1024 * 1024;
/// Most images that are kept in the database: a hundred of them with a thousand packages take some ten megabytes.
pub(super) const IMAGES: u32 = 20_000;
/// Most images that one question is answered with.
const ANSWERS: u32 = 10_000;

/// An image that was admitted, and what is in it.
#[derive(Debug, Clone)]
pub struct Contained {
    /// Where it is.
    pub repository: Repository,
    /// Which one it is.
    pub digest: Digest,
    /// When its evidence was collected.
    pub proven_at: Timestamp,
    /// What its bills of materials list.
    pub packages: Vec<Arc<[Package]>>,
}

/// An admitted image that contains a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Where it is.
    pub repository: Repository,
    /// Which one it is.
    pub digest: Digest,
    /// The package, as its bill of materials has it.
    pub purl: String,
    /// When it was first admitted with these packages.
    pub admitted_at: Timestamp,
}

/// A package in the index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexedPackage {
    /// [`Purl::key`].
    pub name: String,
    /// Its version; empty if it has none.
    pub version: String,
    /// Its package URL.
    pub purl: String,
}

/// Keeps which packages are in which image.
#[async_trait]
pub trait PackageStore: Send + Sync {
    /// Keeps what is in an image, in place of what was kept of it before; nothing happens if that was proven at the same
    /// time. Of more images than are kept, those that were admitted first are forgotten: returned are those.
    async fn keep_packages(
        &self,
        image: &Contained,
        packages: &[IndexedPackage],
        now: Timestamp,
    ) -> Result<Vec<(Repository, Digest)>, FactsError>;

    /// The images with a package of that name, and of that version if there is one, the latest admitted first.
    async fn holders(&self, name: &str, version: Option<&str>, most: u32) -> Result<Vec<Holder>, FactsError>;
}

/// What waits to be written, and what was.
#[derive(Debug, Clone)]
pub(super) struct Index {
    written: Arc<Remembered<Digest, Timestamp>>,
    sender: mpsc::Sender<Contained>,
    /// Until somebody writes.
    receiver: Arc<Mutex<Option<mpsc::Receiver<Contained>>>>,
}

impl Remember for Timestamp {
    fn held_elsewhere(&self) -> u64 {
        0
    }
}

impl Index {
    pub(super) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let written = Arc::new(Remembered::new(MEMORY));
        Self { written, sender, receiver: Arc::new(Mutex::new(Some(receiver))) }
    }

    /// Whether the packages of an image are written already, as far as this process knows.
    pub(super) fn has(&self, repository: &Repository, digest: Digest, proven_at: Timestamp) -> bool {
        self.written.get(repository, &digest) == Some(proven_at)
    }

    /// Lets an image wait to be written, if there is room.
    pub(super) fn add(&self, image: Contained) {
        if let Err(error) = self.sender.try_send(image) {
            tracing::debug!(%error, "the packages of an image are written another time");
        }
    }

    /// Writes what waits, for good; at once the second time, since somebody does already.
    pub(super) async fn write(&self, store: &dyn PackageStore, now: impl Fn() -> Timestamp) {
        let taken = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut waiting) = taken else { return };
        while let Some(image) = waiting.recv().await {
            if self.has(&image.repository, image.digest, image.proven_at) {
                continue;
            }
            let listed = image.packages.clone();
            let Ok(packages) = spawn_blocking(move || indexed(&listed)).await else { return };
            match store.keep_packages(&image, &packages, now()).await {
                Ok(forgotten) => self.note_written(&image, &forgotten),
                Err(error) => tracing::error!(digest = %image.digest, %error, "cannot keep the packages of an image"),
            }
        }
    }

    /// What the database forgot is written with its next request.
    fn note_written(&self, image: &Contained, forgotten: &[(Repository, Digest)]) {
        self.written.set(&image.repository, &image.digest, image.proven_at);
        for (repository, digest) in forgotten {
            self.written.forget(repository, digest);
        }
    }
}

/// The images that contain what `purl` names: that version, or any if it has none; none if it is no package URL.
pub(super) async fn holders(store: &dyn PackageStore, purl: &str) -> Result<Option<Vec<Holder>>, FactsError> {
    let Some(canonical) = canonical_purl(purl) else { return Ok(None) };
    let purl = Purl::of(&canonical);
    store.holders(&purl.key(), purl.version().as_deref(), ANSWERS).await.map(Some)
}

/// The packages with a URL, each once.
fn indexed(bills: &[Arc<[Package]>]) -> Vec<IndexedPackage> {
    let listed = bills.iter().flat_map(|packages| packages.iter());
    let all: BTreeSet<_> = listed.filter_map(entry).collect();
    all.into_iter().collect()
}

fn entry(package: &Package) -> Option<IndexedPackage> {
    let text = package.purl.as_deref()?;
    let purl = Purl::of(text);
    let version = purl.version().map(Cow::into_owned);
    let version = version.or_else(|| package.version.as_deref().map(str::to_owned));
    Some(IndexedPackage { name: purl.key().into_owned(), version: version.unwrap_or_default(), purl: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps one image, and says which it was given.
    struct Forgetful {
        kept: Mutex<Option<(Repository, Digest)>>,
        given: mpsc::Sender<Digest>,
    }

    #[async_trait]
    impl PackageStore for Forgetful {
        async fn keep_packages(
            &self,
            image: &Contained,
            _: &[IndexedPackage],
            _: Timestamp,
        ) -> Result<Vec<(Repository, Digest)>, FactsError> {
            self.given.send(image.digest).await.unwrap();
            let before = self.kept.lock().unwrap().replace((image.repository.clone(), image.digest));
            Ok(before.into_iter().collect())
        }

        async fn holders(&self, _: &str, _: Option<&str>, _: u32) -> Result<Vec<Holder>, FactsError> {
            Ok(Vec::new())
        }
    }

    fn image(name: &str) -> Contained {
        Contained {
            repository: "docker.io/acme/app".parse().unwrap(),
            digest: Digest::of(name.as_bytes()),
            proven_at: Timestamp::UNIX_EPOCH,
            packages: Vec::new(),
        }
    }

    /// Those of `names` that the database is given, in order, up to as many as `most`.
    async fn written(names: &[&str], most: usize) -> Vec<Digest> {
        let (given, mut receiver) = mpsc::channel(WAITING);
        let (index, store) = (Index::new(), Forgetful { kept: Mutex::new(None), given });
        for name in names {
            index.add(image(name));
        }
        let mut written = Vec::new();
        let gather = async {
            while written.len() < most {
                written.extend(receiver.recv().await);
            }
        };
        tokio::select! {
            () = index.write(&store, || Timestamp::UNIX_EPOCH) => {}
            () = gather => {}
        }
        written
    }

    #[tokio::test]
    async fn an_image_is_written_once() {
        assert_eq!(written(&["a", "a", "b"], 2).await, [Digest::of(b"a"), Digest::of(b"b")]);
    }

    #[tokio::test]
    async fn an_image_that_the_database_forgot_is_written_again() {
        let expected = [b"a", b"b", b"a"].map(|name| Digest::of(name));
        assert_eq!(written(&["a", "b", "a", "c"], 3).await, expected);
    }
}
