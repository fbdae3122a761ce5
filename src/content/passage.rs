//! Content that passes by the store, which is full, read-only or broken: each reader fetches the rest of it for itself.
//!
//! It is hashed on its way, and the last byte is withheld until the digest holds, as if it were kept.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::content::breakage;
use crate::content::metrics::Metrics;
use crate::content::shelf::chunk;
use crate::content::store::Stored;
use crate::content::supply::{Supply, Wanted};
use crate::oci::Hasher;

/// How far a fetch had come when the store failed: what its readers begin with.
pub(super) struct Handover {
    pub(super) wanted: Wanted,
    /// How many bytes there are in all.
    pub(super) total: u64,
    /// What is in the store: less than all, and not proven.
    pub(super) arrived: Option<Stored>,
    /// Has taken in what arrived.
    pub(super) hasher: Hasher,
    /// The rest of the body, for the first who wants it: where there is one reader, the origin is not asked again.
    pub(super) supply: Mutex<Option<Supply>>,
    /// Where it is counted if it breaks off.
    pub(super) metrics: Metrics,
}

impl Handover {
    fn written(&self) -> u64 {
        self.arrived.as_ref().map_or(0, |arrived| arrived.size)
    }

    /// For one of its readers.
    fn broke_off(&self, error: &io::Error) {
        breakage::report(error, &self.wanted, &self.metrics);
    }

    async fn supply(&self) -> io::Result<Supply> {
        let first = self.supply.lock().unwrap_or_else(PoisonError::into_inner).take();
        match first {
            Some(supply) => Ok(supply),
            None => Supply::open_at(self.wanted.clone(), self.written(), self.total).await,
        }
    }
}

/// One reader on its own.
pub(super) struct Passage {
    handover: Arc<Handover>,
    hasher: Hasher,
    /// The rest of the body, once it is needed.
    supply: Option<Supply>,
    /// The offset up to which all is hashed.
    taken_in: u64,
    /// The bytes that are still to be sent; the last of them is withheld.
    left: Range<u64>,
    /// The last byte, once it has arrived.
    last: Option<Bytes>,
}

impl Passage {
    /// The bytes `left` of what `handover` says.
    pub(super) fn new(handover: Arc<Handover>, left: Range<u64>) -> Self {
        let (hasher, taken_in) = (handover.hasher.clone(), handover.written());
        Self { handover, hasher, supply: None, taken_in, left, last: None }
    }

    /// How many bytes there are in all.
    pub(super) fn total(&self) -> u64 {
        self.handover.total
    }

    /// The next bytes; nothing at the end.
    ///
    /// # Errors
    /// What ended it for good; [`io::ErrorKind::UnexpectedEof`] for what is beyond the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.left.is_empty() {
            return Ok(None);
        }
        if self.left.end > self.total() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(arrived) = self.next_of_arrived().await? {
            return Ok(Some(arrived));
        }
        let fetched = self.next_of_rest().await;
        match fetched.inspect_err(|error| self.handover.broke_off(error))? {
            Some(wanted) => Ok(Some(wanted)),
            None => self.withheld().await.map(Some),
        }
    }

    /// What is in the store and may be sent now.
    async fn next_of_arrived(&mut self) -> io::Result<Option<Bytes>> {
        let Some(arrived) = &self.handover.arrived else { return Ok(None) };
        let until = arrived.size.min(self.left.end.saturating_sub(1));
        if self.left.start >= until {
            return Ok(None);
        }
        let bytes = arrived.bytes.read_at(self.left.start, chunk(until - self.left.start)).await?;
        self.left.start += bytes.len() as u64;
        Ok(Some(bytes))
    }

    /// The next bytes of what is not in the store; nothing once all of it has arrived, and is proven.
    async fn next_of_rest(&mut self) -> io::Result<Option<Bytes>> {
        while let Some(piece) = self.fetch().await? {
            if let Some(wanted) = self.sift(&piece) {
                return Ok(Some(wanted));
            }
        }
        self.handover.wanted.check(self.hasher.clone().finish())?;
        Ok(None)
    }

    async fn fetch(&mut self) -> io::Result<Option<Bytes>> {
        if self.supply.is_none() {
            self.supply = Some(self.handover.supply().await?);
        }
        match &mut self.supply {
            Some(supply) => supply.next().await,
            None => Ok(None),
        }
    }

    /// Hashes all of `piece`; returns what is to be sent of it, and keeps the last byte back.
    fn sift(&mut self, piece: &Bytes) -> Option<Bytes> {
        self.hasher.update(piece);
        let from = self.taken_in;
        self.taken_in += piece.len() as u64;
        let last = self.left.end.saturating_sub(1);
        if (from..self.taken_in).contains(&last) {
            self.last = Some(part(piece, from, last..self.left.end));
        }
        let wanted = part(piece, from, self.left.start..last);
        self.left.start += wanted.len() as u64;
        (!wanted.is_empty()).then_some(wanted)
    }

    /// The last byte, now that all is proven.
    async fn withheld(&mut self) -> io::Result<Bytes> {
        let at = self.left.start;
        self.left.start = self.left.end;
        match (self.last.take(), &self.handover.arrived) {
            (Some(last), _) => Ok(last),
            (None, Some(arrived)) => arrived.bytes.read_at(at, 1).await,
            (None, None) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// What of `wanted` is in `piece`, whose first byte has the offset `from`.
fn part(piece: &Bytes, from: u64, wanted: Range<u64>) -> Bytes {
    let within =
        |offset: u64| usize::try_from(offset.saturating_sub(from)).map_or(piece.len(), |at| at.min(piece.len()));
    let (start, end) = (within(wanted.start), within(wanted.end));
    piece.slice(start.min(end)..end)
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handover").field("arrived", &self.arrived).field("total", &self.total).finish_non_exhaustive()
    }
}

impl fmt::Debug for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passage").field("left", &self.left).finish_non_exhaustive()
    }
}
