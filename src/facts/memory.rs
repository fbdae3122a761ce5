//! The facts that everybody asks: memory first, then the store.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometheus::Registry;

use crate::clock::Clock;
use crate::facts::error::FactsError;
use crate::facts::held::{Grants, Held, TAGS};
use crate::facts::metrics::Metrics;
use crate::facts::packages::{self, Contained, Holder, Index};
use crate::facts::proving::Proofs;
use crate::facts::pulls::{self, Pull, Pulls};
use crate::facts::settings::Settings;
use crate::facts::sqlite::Sqlite;
use crate::facts::store::{FactStore, Grant, GrantKind, ProofKey, Resolution};
use crate::flights::Flights;
use crate::oci::{Digest, Repository, Tag};
use crate::remembered::{Remember, Remembered};
use crate::verify::Proof;

/// Bytes for what tags mean, and what was last admitted for them: some hundred thousand tags.
const TAG_MEMORY: u64 = 24 * 1024 * 1024;
/// What the text of a tag takes.
const TAG_TEXT: u64 = 48;
/// How many proofs of other epochs are deleted in one transaction: other writers wait meanwhile.
const FORGOTTEN_AT_ONCE: u32 = 500;

/// What was found out. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Facts {
    store: Arc<dyn FactStore>,
    clock: Arc<dyn Clock>,
    proofs: Proofs,
    held: Arc<Held>,
    tags: Arc<Remembered<Tag, Tagged>>,
    resolving: Flights<(Repository, Tag)>,
    index: Index,
    pulls: Arc<Pulls>,
    metrics: Metrics,
}

/// What is known of a tag.
#[derive(Debug, Clone, Copy, Default)]
struct Tagged {
    meaning: Option<Resolution>,
    admitted: Option<Digest>,
}

impl Remember for Tagged {
    fn held_elsewhere(&self) -> u64 {
        TAG_TEXT
    }
}

impl Facts {
    /// The facts under `settings.path`.
    ///
    /// # Errors
    /// What keeps the database from being opened, with what to do about it; [`FactsError::Metrics`] if `registry` has
    /// the metrics already.
    pub async fn open(settings: &Settings, clock: Arc<dyn Clock>, registry: &Registry) -> Result<Self, FactsError> {
        let store = Sqlite::open(&settings.path).await?;
        Self::new(Arc::new(store), clock, registry)
    }

    /// The facts in `store`.
    ///
    /// # Errors
    /// [`FactsError::Metrics`] if `registry` has the metrics already.
    pub fn new(store: Arc<dyn FactStore>, clock: Arc<dyn Clock>, registry: &Registry) -> Result<Self, FactsError> {
        let held = Arc::new(Held::new());
        Ok(Self {
            proofs: Proofs::new(Arc::clone(&store), Arc::clone(&clock), Arc::clone(&held)),
            held,
            tags: Arc::new(Remembered::new(TAG_MEMORY)),
            resolving: Flights::new(),
            index: Index::new(),
            pulls: Arc::default(),
            metrics: Metrics::register(registry)?,
            store,
            clock,
        })
    }

    /// What was proved under `key`, if anything was collected. One that cannot be read back is as good as none.
    ///
    /// # Errors
    /// What keeps the database from being read.
    pub async fn proof(&self, key: &ProofKey) -> Result<Option<Arc<Proof>>, FactsError> {
        let proof = self.proofs.get(key).await?;
        self.metrics.proof.count(proof.is_some());
        Ok(proof)
    }

    /// The proof that `make` finds out: one at a time for each key, so whoever asks meanwhile waits for the same and
    /// gets the same, error or not; and whoever asks within a second after it gets it too. Those who wait drive it
    /// together: it ends only when the last of them leaves.
    ///
    /// A complete or bounded proof is kept. A partial one and an error are given to those who wait, and forgotten. A
    /// database that fails is logged: a proof can be made again.
    ///
    /// # Errors
    /// Those of `make`.
    pub async fn prove<F, E>(&self, key: &ProofKey, make: F) -> Result<Arc<Proof>, E>
    where
        F: Future<Output = Result<Proof, E>> + Send + 'static,
        E: Clone + Send + Sync + 'static,
    {
        self.proofs.make(key, make).await
    }

    /// Forgets the proofs of other epochs than `epoch`, in small steps, and says how many. For the background: trust has
    /// changed, and they will not be asked for again.
    ///
    /// # Errors
    /// What keeps the database from being written.
    pub async fn forget_epochs_except(&self, epoch: Digest) -> Result<u64, FactsError> {
        let mut forgotten = 0;
        loop {
            let step = self.store.forget_epochs_except(epoch, FORGOTTEN_AT_ONCE).await?;
            forgotten += step;
            if step < u64::from(FORGOTTEN_AT_ONCE) {
                return Ok(forgotten);
            }
        }
    }

    /// Why `digest` may be served in `repository`: the roots that reach it, the latest granted first, at most
    /// [`crate::limits::ROOTS_PER_GRANT`]. Each is to be judged again.
    ///
    /// # Errors
    /// What keeps the database from being read.
    pub async fn grants(&self, repository: &Repository, digest: Digest) -> Result<Grants, FactsError> {
        let grants = match self.held.grants(repository, digest, || self.clock.now()) {
            Some(grants) => grants,
            None => self.read_grants(repository, digest).await?,
        };
        self.metrics.grant.count(!grants.is_empty());
        Ok(grants)
    }

    async fn read_grants(&self, repository: &Repository, digest: Digest) -> Result<Grants, FactsError> {
        let stored = self.store.grants(repository, digest).await?;
        Ok(self.held.add_grants(repository, digest, &stored, self.clock.now()))
    }

    /// The granted manifests of `repository`, each with its root, the latest first, at most `most`. Not remembered: for
    /// what is rarely asked.
    ///
    /// # Errors
    /// What keeps the database from being read.
    pub async fn granted_manifests(
        &self,
        repository: &Repository,
        most: u32,
    ) -> Result<Vec<(Digest, Digest)>, FactsError> {
        self.store.granted_manifests(repository, most).await
    }

    /// Records that the admitted `root` reaches all of `reached`, durably before it returns. A repeat is a memory lookup.
    ///
    /// If the store cannot be written, it is in memory nevertheless: a full disk must not keep anybody from pulling. After a
    /// restart what is reached is refused until the client asks for `root` again.
    ///
    /// # Errors
    /// What keeps the database from being read.
    pub async fn grant(
        &self,
        repository: &Repository,
        root: Digest,
        reached: &[(Digest, GrantKind, u64)],
    ) -> Result<(), FactsError> {
        let (mut unknown, now) = (Vec::new(), self.clock.now());
        for (digest, kind, size) in reached {
            let grant = Grant { root, kind: *kind, size: *size };
            let known = self.held.grants(repository, *digest, || now);
            if !known.is_some_and(|known| known.contains(&grant)) {
                unknown.push((*digest, *kind, *size));
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.store.keep_grants(repository, root, &unknown, now).await {
            self.not_kept(&error);
            for (digest, kind, size) in unknown {
                self.held.add_grants(repository, digest, &[Grant { root, kind, size }], now);
            }
            return Ok(());
        }
        for (digest, ..) in unknown {
            self.read_grants(repository, digest).await?;
        }
        Ok(())
    }

    /// What `tag` meant when it was last asked for.
    ///
    /// # Errors
    /// What keeps the database from being read.
    pub async fn resolution(&self, repository: &Repository, tag: &Tag) -> Result<Option<Resolution>, FactsError> {
        let mut resolution = self.tags.get(repository, tag).and_then(|known| known.meaning);
        if resolution.is_none() {
            resolution = self.store.resolution(repository, tag).await?;
            if let Some(stored) = resolution {
                // What was found out meanwhile is newer.
                self.tags.change(repository, tag, |known| _ = known.meaning.get_or_insert(stored));
            }
        }
        self.metrics.resolution.count(resolution.is_some());
        Ok(resolution)
    }

    /// What `tag` means: known for less than `ttl`, or as `ask` says, which is remembered. One at a time asks for each tag;
    /// whoever wants to know meanwhile gets the same answer, error or not.
    ///
    /// # Errors
    /// Those of `ask`, and what keeps the database from being read.
    pub async fn resolve<F, E>(
        &self,
        repository: &Repository,
        tag: &Tag,
        ttl: Duration,
        ask: F,
    ) -> Result<Option<Digest>, E>
    where
        F: Future<Output = Result<Option<Digest>, E>> + Send + 'static,
        E: From<FactsError> + Clone + Send + Sync + 'static,
    {
        let (facts, key) = (self.clone(), (repository.clone(), tag.clone()));
        let resolving = async move {
            let known = facts.tags.get(&key.0, &key.1).and_then(|known| known.meaning);
            if let Some(known) = known.filter(|known| known.age(facts.clock.now()) < ttl) {
                return Ok(Some(known.digest));
            }
            let answer = ask.await?;
            if let Some(digest) = answer {
                facts.resolved(&key.0, &key.1, digest).await?;
            }
            Ok(answer)
        };
        self.resolving.join(&(repository.clone(), tag.clone()), resolving).await
    }

    /// Remembers that `tag` means `digest` now, and for good that `digest` was seen under `tag`; if the store cannot be
    /// written, until a restart.
    ///
    /// # Errors
    /// What keeps the database from being read.
    pub async fn resolved(&self, repository: &Repository, tag: &Tag, digest: Digest) -> Result<(), FactsError> {
        let resolution = Resolution { digest, resolved_at: to_microsecond(self.clock.now()) };
        let kept = self.store.keep_resolution(repository, tag, resolution).await;
        self.tags.change(repository, tag, |known| known.meaning = Some(resolution));
        let seen = match kept {
            Ok(()) => self.store.tags_of(repository, digest, TAGS).await?,
            Err(error) => {
                self.not_kept(&error);
                vec![tag.clone()]
            }
        };
        self.held.add_tags(repository, digest, &seen, self.clock.now());
        Ok(())
    }

    /// Remembers for good that `digests` were seen under `tag`, in an index that it means; if the store cannot be written,
    /// until a restart.
    ///
    /// # Errors
    /// What keeps the database from being read.
    pub async fn seen(&self, repository: &Repository, tag: &Tag, digests: &[Digest]) -> Result<(), FactsError> {
        let mut unknown = Vec::new();
        for digest in digests {
            if !self.tags_of(repository, *digest).await?.contains(tag) {
                unknown.push(*digest);
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let kept = self.store.keep_seen(repository, tag, &unknown, self.clock.now()).await;
        let is_kept = kept.inspect_err(|error| self.not_kept(error)).is_ok();
        for digest in unknown {
            let seen = if is_kept { self.store.tags_of(repository, digest, TAGS).await? } else { vec![tag.clone()] };
            self.held.add_tags(repository, digest, &seen, self.clock.now());
        }
        Ok(())
    }

    /// The digest that was last admitted for `tag`. Judge it again before it is served.
    ///
    /// # Errors
    /// What keeps the database from being read.
    pub async fn last_admitted(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>, FactsError> {
        if let Some(digest) = self.tags.get(repository, tag).and_then(|known| known.admitted) {
            return Ok(Some(digest));
        }
        let Some(stored) = self.store.last_admitted(repository, tag).await? else { return Ok(None) };
        Ok(Some(self.tags.change(repository, tag, |known| *known.admitted.get_or_insert(stored))))
    }

    /// Remembers for good that `digest` was admitted for `tag`, in place of what was admitted before; if the store cannot be
    /// written, until a restart.
    ///
    /// # Errors
    /// What keeps the database from being read.
    pub async fn admitted(&self, repository: &Repository, tag: &Tag, digest: Digest) -> Result<(), FactsError> {
        if self.last_admitted(repository, tag).await? == Some(digest) {
            return Ok(());
        }
        let kept = self.store.keep_last_admitted(repository, tag, digest, self.clock.now()).await;
        if let Err(error) = kept {
            self.not_kept(&error);
        }
        self.tags.change(repository, tag, |known| known.admitted = Some(digest));
        Ok(())
    }

    /// What cannot be written is known until a restart, and then found out again.
    fn not_kept(&self, error: &FactsError) {
        self.metrics.unkept.inc();
        tracing::error!(error = error as &dyn std::error::Error, "a fact is not kept on disk, a restart forgets it");
    }

    /// Remembers what is in an admitted image, behind the request: once [somebody writes](Self::write_index).
    pub fn index(&self, image: Contained) {
        if !self.index.has(&image.repository, image.digest, image.proven_at) {
            self.index.add(image);
        }
    }

    /// Writes which packages are in which image, for good. One task is enough.
    pub async fn write_index(self: Arc<Self>) {
        self.index.write(&*self.store, || self.clock.now()).await;
    }

    /// The admitted images that contain what `purl` names, any version if it names none, the latest first; nothing if it is
    /// no package URL.
    ///
    /// # Errors
    /// What keeps the database from being read.
    pub async fn who_has(&self, purl: &str) -> Result<Option<Vec<Holder>>, FactsError> {
        packages::holders(&*self.store, purl).await
    }

    /// Notes that `client` is served what reaches down from the root `digest`, behind the request: once
    /// [somebody writes](Self::write_pulls).
    pub fn pulled(&self, repository: &Repository, digest: Digest, client: IpAddr) {
        self.pulls.note(repository, digest, client, self.clock.now());
    }

    /// Writes who pulled what, for good, again and again. One task is enough.
    pub async fn write_pulls(self: Arc<Self>) {
        self.pulls.write_on(&*self.store).await;
    }

    /// Writes who pulled what until now: once the task that does is gone.
    pub async fn write_last_pulls(&self) {
        self.pulls.write(&*self.store).await;
    }

    /// The clients that were served an image, or what it reaches: the latest first, at most 256, each with its last time to
    /// ten minutes.
    ///
    /// # Errors
    /// What keeps the database from being read.
    pub async fn pulls_of(&self, repository: &Repository, digest: Digest) -> Result<Vec<Pull>, FactsError> {
        pulls::clients(&*self.store, repository, digest).await
    }

    /// The tags that `digest` was ever seen under in `repository`, the latest first, at most 64.
    ///
    /// # Errors
    /// What keeps the database from being read.
    pub async fn tags_of(&self, repository: &Repository, digest: Digest) -> Result<Arc<[Tag]>, FactsError> {
        if let Some(tags) = self.held.tags(repository, digest, || self.clock.now()) {
            return Ok(tags);
        }
        let stored = self.store.tags_of(repository, digest, TAGS).await?;
        Ok(self.held.add_tags(repository, digest, &stored, self.clock.now()))
    }
}

/// As exact as the store keeps it, so that a restart changes nothing.
fn to_microsecond(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}
