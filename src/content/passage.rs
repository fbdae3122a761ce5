//! Content that passes by the store, which is full, read-only or broken: each reader fetches the rest of it for itself.
//!
//! It is hashed on its way, and the last byte is withheld until the digest holds, as if it were kept.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::content::breakage;
use crate::content::metrics::Metrics;
use crate::content::shelf::{chunk, hash};
use crate::content::store::Stored;
use crate::content::supply::{Broken, Supply, Wanted};
use crate::oci::Hasher;

/// How much is hashed where it arrives: less than what it costs to have somebody else do it.
const AT_ONCE: usize = 16 * 1024;

/// How far a fetch had come when the store failed: what its readers begin with.
pub(super) struct Handover {
    /// What is in the store: less than all, and not proven.
    pub(super) arrived: Option<Stored>,
    /// Has taken in what arrived.
    pub(super) hasher: Hasher,
    pub(super) rest: Arc<Rest>,
}

/// What is not in the store.
pub(super) struct Rest {
    pub(super) wanted: Wanted,
    /// The offset at which it begins.
    pub(super) from: u64,
    /// How many bytes there are in all.
    pub(super) total: u64,
    /// Its body, for the first who wants it: where there is one reader, the origin is not asked again.
    pub(super) supply: Mutex<Option<Supply>>,
    /// For each who fetches it: as many as there may be fetches.
    pub(super) places: Arc<Semaphore>,
    /// Where it is counted if it breaks off.
    pub(super) metrics: Metrics,
}

impl Handover {
    /// How many bytes there are in all.
    pub(super) fn total(&self) -> u64 {
        self.rest.total
    }
}

impl Rest {
    /// For one of its readers.
    fn broke_off(&self, error: &io::Error) {
        breakage::report(error, &self.wanted, &self.metrics);
    }

    /// Its body for one reader, once there is a place.
    async fn supply(&self) -> io::Result<(Supply, OwnedSemaphorePermit)> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(io::Error::other)?;
        let first = self.supply.lock().unwrap_or_else(PoisonError::into_inner).take();
        let supply = match first {
            Some(supply) => supply,
            None => Supply::open_at(self.wanted.clone(), self.from, self.total).await?,
        };
        Ok((supply, place))
    }
}

/// One reader on its own.
pub(super) struct Passage {
    rest: Arc<Rest>,
    /// What is in the store, as long as it is needed: its room is given back when its last reader has passed by.
    arrived: Option<Stored>,
    hasher: Hasher,
    /// The rest of the body once it is needed, and the place of its fetch.
    supply: Option<(Supply, OwnedSemaphorePermit)>,
    /// The offset up to which all is hashed.
    taken_in: u64,
    /// The bytes that are still to be sent; the last of them is withheld.
    left: Range<u64>,
    /// The last byte, once it has arrived.
    last: Option<Bytes>,
}

impl Passage {
    /// The bytes `left` of what `handover` says.
    pub(super) fn new(handover: &Handover, left: Range<u64>) -> Self {
        let Handover { arrived, hasher, rest } = handover;
        Self {
            rest: Arc::clone(rest),
            arrived: arrived.clone(),
            hasher: hasher.clone(),
            supply: None,
            taken_in: rest.from,
            left,
            last: None,
        }
    }

    /// How many bytes there are in all.
    pub(super) fn total(&self) -> u64 {
        self.rest.total
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
        let next = match self.next_of_arrived().await {
            Ok(None) => self.next_of_rest().await,
            Ok(Some(arrived)) => Ok(arrived),
            Err(error) => Err(Broken::Lost { digest: self.rest.wanted.digest, source: error }.into()),
        };
        next.inspect_err(|error| self.rest.broke_off(error)).map(Some)
    }

    /// What is in the store and may be sent now. What is still in use of it thereafter is at most the last byte.
    async fn next_of_arrived(&mut self) -> io::Result<Option<Bytes>> {
        let Some(arrived) = &self.arrived else { return Ok(None) };
        let last = self.left.end.saturating_sub(1);
        let until = arrived.size.min(last);
        if self.left.start < until {
            let bytes = arrived.bytes.read_at(self.left.start, chunk(until - self.left.start)).await?;
            self.left.start += bytes.len() as u64;
            return Ok(Some(bytes));
        }
        if last < arrived.size {
            self.last = Some(arrived.bytes.read_at(last, 1).await?);
        }
        self.arrived = None;
        Ok(None)
    }

    /// The next bytes of what is not in the store; the last byte once all has arrived, and is proven.
    async fn next_of_rest(&mut self) -> io::Result<Bytes> {
        while let Some(piece) = self.fetch().await? {
            if let Some(wanted) = self.sift(&piece).await? {
                return Ok(wanted);
            }
        }
        self.rest.wanted.check(self.hasher.clone().finish())?;
        self.left.start = self.left.end;
        self.last.take().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    async fn fetch(&mut self) -> io::Result<Option<Bytes>> {
        if self.supply.is_none() {
            self.supply = Some(self.rest.supply().await?);
        }
        match &mut self.supply {
            Some((supply, _)) => supply.next().await,
            None => Ok(None),
        }
    }

    /// Hashes all of `piece`; returns what is to be sent of it, and keeps the last byte back.
    async fn sift(&mut self, piece: &Bytes) -> io::Result<Option<Bytes>> {
        if piece.len() > AT_ONCE {
            self.hasher = hash(self.hasher.clone(), vec![piece.clone()]).await?;
        } else {
            self.hasher.update(piece);
        }
        let from = self.taken_in;
        self.taken_in += piece.len() as u64;
        let last = self.left.end.saturating_sub(1);
        if (from..self.taken_in).contains(&last) {
            self.last = Some(part(piece, from, last..self.left.end));
        }
        let wanted = part(piece, from, self.left.start..last);
        self.left.start += wanted.len() as u64;
        Ok((!wanted.is_empty()).then_some(wanted))
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
        f.debug_struct("Handover").field("arrived", &self.arrived).field("total", &self.total()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passage").field("left", &self.left).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use async_trait::async_trait;
    use futures_util::{FutureExt, StreamExt, stream};
    use prometheus::Registry;

    use super::*;
    use crate::content::breakage::Cause;
    use crate::content::length::Length;
    use crate::content::origin::{Origin, OriginBody};
    use crate::content::store::ReadAt;
    use crate::oci::Digest;

    /// More than is hashed where it arrives.
    const PIECE: usize = 2 * AT_ONCE;

    #[derive(Debug)]
    struct Written(Vec<u8>);

    struct Whole(Vec<u8>);

    #[async_trait]
    impl ReadAt for Written {
        async fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
            let offset = usize::try_from(offset).unwrap();
            Ok(Bytes::copy_from_slice(&self.0[offset..offset + length]))
        }
    }

    #[async_trait]
    impl Origin for Whole {
        fn name(&self) -> String {
            String::new()
        }

        async fn fetch(&self, from: u64) -> io::Result<OriginBody> {
            let rest = &self.0[usize::try_from(from).unwrap()..];
            let pieces: Vec<_> = rest.chunks(PIECE).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
            Ok(OriginBody { total: Some(self.0.len() as u64), bytes: stream::iter(pieces).boxed() })
        }

        fn was_wrong(&self) {}
    }

    /// What its readers begin with where the store failed after `written` bytes of `content`.
    fn handover(content: &[u8], written: usize) -> Handover {
        let (digest, length) = (Digest::of(content), Length::Exactly(content.len() as u64));
        let mut hasher = Hasher::new();
        hasher.update(&content[..written]);
        let rest = Rest {
            wanted: Wanted { digest, length, origin: Arc::new(Whole(content.to_vec())) },
            from: written as u64,
            total: content.len() as u64,
            supply: Mutex::default(),
            places: Arc::new(Semaphore::new(1)),
            metrics: Metrics::register(&Registry::new()).unwrap(),
        };
        let bytes = Arc::new(Written(content[..written].to_vec()));
        Handover { arrived: Some(Stored { size: written as u64, bytes }), hasher, rest: Arc::new(rest) }
    }

    #[tokio::test]
    async fn what_was_written_is_let_go_once_it_is_passed_by() {
        let content: Vec<u8> = (0..=250).cycle().take(5 * PIECE).collect();
        let (written, size) = (PIECE + 10, content.len());
        for range in [0..size, 7..100, written - 1..written, written - 1..written + 1, written..size, size - 1..size] {
            let handover = handover(&content, written);
            let held = Arc::downgrade(&handover.arrived.as_ref().unwrap().bytes);
            let mut passage = Passage::new(&handover, range.start as u64..range.end as u64);
            drop(handover);
            let mut read = Vec::new();
            while let Some(piece) = passage.next().await.unwrap() {
                read.extend_from_slice(&piece);
                let is_passed_by = range.start + read.len() >= range.end.min(written + 1);
                assert!(held.upgrade().is_none() || !is_passed_by, "{range:?}");
            }
            assert!(read == content[range.clone()], "{range:?}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_of_what_arrived_is_counted() {
        #[derive(Debug)]
        struct Unreadable;

        #[async_trait]
        impl ReadAt for Unreadable {
            async fn read_at(&self, _: u64, _: usize) -> io::Result<Bytes> {
                Err(io::ErrorKind::NotFound.into())
            }
        }

        let mut handover = handover(&[7; 100], 50);
        handover.arrived = Some(Stored { size: 50, bytes: Arc::new(Unreadable) });
        let error = Passage::new(&handover, 0..100).next().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Other, "it is not the upstream that has nothing: {error}");
        assert_eq!(handover.rest.metrics.failed(Cause::Store).get(), 1);
    }

    #[tokio::test]
    async fn who_finds_no_place_waits_until_another_has_left() {
        let content: Vec<u8> = (0..=250).cycle().take(5 * PIECE).collect();
        let handover = handover(&content, 10);
        let places = Arc::clone(&handover.rest.places);
        let mut first = Passage::new(&handover, 10..20);
        let mut second = Passage::new(&handover, 10..20);
        assert_eq!(first.next().await.unwrap().unwrap(), content[10..19]);
        assert_eq!(places.available_permits(), 0);
        let mut late = pin!(second.next());
        assert!(late.as_mut().now_or_never().is_none());
        drop(first);
        assert_eq!(late.await.unwrap().unwrap(), content[10..19]);
    }
}
