//! One fetch of one content, whoever asks for it: from the origin through the hash to the store, with readers behind.
//!
//! A fetch belongs to no client: it goes on when the one that started it leaves. Its readers follow a watermark, and
//! the last byte of each is withheld until the digest holds. Where the store takes no more, its readers go on without it.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::sync::{Semaphore, watch};

use crate::content::breakage;
use crate::content::error::FlightError;
use crate::content::flights::Listing;
use crate::content::intake::{Intake, receive};
use crate::content::origin::OriginBody;
use crate::content::passage::{Handover, Rest};
use crate::content::shelf::{Shelf, chunk, hash};
use crate::content::store::{Committed, Draft, ReadAt, Stored};
use crate::content::supply::{Broken, Supply, Wanted};
use crate::oci::Hasher;

/// How far a fetch has come.
#[derive(Debug, Clone)]
pub(super) enum Progress {
    /// The origin has not answered yet.
    Asking,
    /// Bytes arrive. None of them is proven.
    Growing {
        /// What has arrived.
        bytes: Arc<dyn ReadAt>,
        /// How much will have arrived in the end, as far as is known.
        total: Option<u64>,
        /// How much has arrived.
        written: u64,
    },
    /// The store takes no more of it: who reads it fetches the rest.
    Passing(Arc<Handover>),
    /// All bytes have arrived and hash to the digest.
    Proven(Stored),
    /// It ended otherwise.
    Failed(FlightError),
}

/// What a fetch needs.
pub(super) struct Flight {
    pub(super) shelf: Arc<Shelf>,
    pub(super) wanted: Wanted,
    pub(super) progress: watch::Sender<Progress>,
    /// Where there is room for the fetches of its readers, should each have to go on alone.
    pub(super) places: Arc<Semaphore>,
}

/// How a fetch ended.
enum Arrival {
    /// It was committed before it was fetched.
    Kept(Stored),
    /// It is proven, and can be committed.
    Whole(Box<dyn Draft>, Stored),
    /// The store failed.
    Passing(Arc<Handover>),
}

impl Flight {
    /// Fetches, proves and commits. It is off the list before a failure is told, so that who asks afterwards tries anew,
    /// and not before what is proven is committed, so that who asks meanwhile need not look for it.
    ///
    /// Readers do not wait for the disk: they have all bytes once the digest holds.
    pub(super) async fn run(self, listed: Listing) {
        let last = match self.fetch().await {
            Ok(Arrival::Whole(draft, stored)) => {
                let size = stored.size;
                self.progress.send_replace(Progress::Proven(stored));
                self.commit(draft, size).await;
                return drop(listed);
            }
            Ok(Arrival::Kept(stored)) => Progress::Proven(stored),
            Ok(Arrival::Passing(handover)) => Progress::Passing(handover),
            Err(error) => Progress::Failed(FlightError::new(error)),
        };
        drop(listed);
        self.progress.send_replace(last);
    }

    async fn fetch(&self) -> io::Result<Arrival> {
        if let Some(committed) = self.committed().await?
            && let Some(sound) = self.recheck(committed).await?
        {
            return Ok(Arrival::Kept(sound));
        }
        // What keeps the origin from answering is told to each who asks: nobody has got anything yet.
        let body = self.wanted.origin.fetch(0).await?;
        let arrival = self.receive(body).await;
        arrival.inspect_err(|error| breakage::report(error, &self.wanted, &self.shelf.metrics))
    }

    async fn receive(&self, body: OriginBody) -> io::Result<Arrival> {
        let mut supply = Supply::of_all(self.wanted.clone(), body)?;
        let draft = match self.shelf.begin(self.wanted.digest, supply.total()).await {
            Ok(draft) => draft,
            Err(error) => return self.hand_over(supply, None, error).await,
        };
        let mut intake = Intake::new(draft);
        self.publish(&intake, &supply);
        loop {
            let room = intake.room(&self.shelf.memory).await?;
            let Some(batch) = receive(&mut supply, room).await? else { break };
            if let Err(error) = intake.write(&batch.pieces).await {
                supply.give_back(batch.pieces);
                return self.hand_over(supply, Some(intake), error).await;
            }
            self.publish(&intake, &supply);
            intake.hash(batch).await?;
        }
        self.prove(intake).await
    }

    /// What is committed: before this process began, by somebody else, or between the moment that the first reader
    /// looked and the moment that it asked for a fetch.
    async fn committed(&self) -> io::Result<Option<Committed>> {
        let committed = self.shelf.committed(self.wanted.digest, self.wanted.length).await;
        Ok(committed?)
    }

    /// The same once it is hashed, with readers behind, as if it arrived. Nothing if it is damaged and nobody has seen a byte
    /// of it: then it is fetched.
    async fn recheck(&self, Committed { stored, version }: Committed) -> io::Result<Option<Stored>> {
        let digest = self.wanted.digest;
        if self.shelf.soundness.is_sound(digest, version) {
            return Ok(Some(stored));
        }
        let (mut hasher, mut written) = (Hasher::new(), 0);
        while written < stored.size {
            let read = stored.bytes.read_at(written, chunk(stored.size - written)).await;
            let piece = match read {
                Ok(piece) => piece,
                // Fetched instead: now if nobody has seen a byte of it, else when it is asked for next.
                Err(error) => return if written == 0 { Ok(None) } else { Err(error) },
            };
            written += piece.len() as u64;
            hasher = hash(hasher, vec![piece]).await?;
            if written < stored.size {
                let (bytes, total) = (Arc::clone(&stored.bytes), Some(stored.size));
                self.progress.send_replace(Progress::Growing { bytes, total, written });
            }
        }
        let found = hasher.finish();
        if found == digest {
            self.shelf.found_sound(digest, version).await;
            return Ok(Some(stored));
        }
        self.shelf.discard_if_possible(digest, version, found).await;
        let is_unseen = chunk(stored.size) as u64 == stored.size;
        if is_unseen { Ok(None) } else { Err(Broken::Damaged { digest, found }.into()) }
    }

    fn publish(&self, intake: &Intake, supply: &Supply) {
        let (Stored { size: written, bytes }, total) = (intake.stored(), supply.total());
        self.progress.send_replace(Progress::Growing { bytes, total, written });
    }

    async fn hand_over(&self, supply: Supply, intake: Option<Intake>, failure: io::Error) -> io::Result<Arrival> {
        let digest = self.wanted.digest;
        tracing::warn!(%digest, error = %failure, "content cannot be kept, it passes through");
        self.shelf.failed_to_keep(supply.total().unwrap_or(0), &failure);
        let (hasher, arrived) = match intake {
            None => (Hasher::new(), None),
            Some(intake) => {
                let arrived = intake.stored();
                (intake.finish().await?.1, Some(arrived))
            }
        };
        let Some(total) = supply.total() else { return Err(Broken::Unkept { digest, source: failure }.into()) };
        let rest = Rest {
            wanted: self.wanted.clone(),
            from: arrived.as_ref().map_or(0, |arrived| arrived.size),
            total,
            supply: Mutex::new(Some(supply)),
            places: Arc::clone(&self.places),
            metrics: self.shelf.metrics.clone(),
        };
        Ok(Arrival::Passing(Arc::new(Handover { arrived, hasher, rest: Arc::new(rest) })))
    }

    async fn prove(&self, intake: Intake) -> io::Result<Arrival> {
        let stored = intake.stored();
        let (draft, hasher) = intake.finish().await?;
        self.wanted.check(hasher.finish())?;
        Ok(Arrival::Whole(draft, stored))
    }

    /// What is proven is served, kept or not.
    async fn commit(&self, draft: Box<dyn Draft>, size: u64) {
        match draft.commit().await {
            Ok(version) => {
                self.shelf.soundness.found_sound(self.wanted.digest, version);
                self.shelf.usage.grew(size);
            }
            Err(error) => {
                tracing::warn!(digest = %self.wanted.digest, %error, "content cannot be kept, it is fetched again");
                self.shelf.failed_to_keep(size, &error);
            }
        }
    }
}
