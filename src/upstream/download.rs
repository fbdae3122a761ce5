//! The body of a blob, taken up again where it was cut.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use futures_util::{Stream, StreamExt as _, stream};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use http::{HeaderMap, StatusCode};

use crate::oci::{Digest, RepositoryName};
use crate::upstream::exchange::{Answer, Exchange};
use crate::upstream::transport::text_of;
use crate::upstream::trouble::{Retry, Trouble};
use crate::upstream::ways::Ways;
use crate::upstream::{BlobPart, BlobStream, UnavailableKind};

/// How often a body is taken up again that comes no further: enough for a bad line, too few to feed on an upstream that cuts
/// each time. Nobody else takes one up.
const RESUMES: u32 = 5;
/// What is further: a large layer outlasts the patience of many a proxy with one connection, a few times over.
const FURTHER: u64 = 8 * 1024 * 1024;

type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, Trouble>> + Send>>;

/// A blob, wherever it is to be had.
struct Wanted {
    ways: Arc<Ways>,
    repository: RepositoryName,
    digest: Digest,
}

/// A blob on its way.
pub(super) struct Download {
    wanted: Wanted,
    /// How many bytes there are in all, as the upstream says.
    total: Option<u64>,
    /// The same, as whoever asked knows it.
    size: Option<u64>,
    /// The offset of the next byte.
    at: u64,
    /// How many bytes to drop, since the upstream began before them.
    skip: u64,
    pieces: Pieces,
    resumes: Resumes,
}

/// How often a body was taken up.
#[derive(Debug, Clone, Copy)]
struct Resumes {
    /// Without having come further.
    made: u32,
    /// The offset at which it was taken up last.
    at: u64,
}

impl Wanted {
    /// The answer of the first address that has it, from the offset `from` on.
    async fn ask(&self, from: u64) -> Result<Option<(Arc<Exchange>, Answer)>, Trouble> {
        let Self { ways, repository, digest } = self;
        let question = |exchange: Arc<Exchange>| async move {
            let answer = exchange.ask(&exchange.blob(repository, *digest, from)?).await?;
            Ok(answer.map(|answer| (exchange, answer)))
        };
        ways.ask_for_blob(*digest, question).await
    }

    fn unavailable(&self, trouble: Trouble) -> io::Error {
        let name = format!("GET /v2/{}/blobs/{}", self.repository, self.digest);
        io::Error::new(kind_of(&trouble), self.ways.unavailable(trouble.at(&name)))
    }
}

impl Download {
    /// `None`: the upstream does not have it.
    pub(super) async fn start(
        ways: Arc<Ways>,
        repository: RepositoryName,
        digest: Digest,
        BlobPart { from, size }: BlobPart,
    ) -> Result<Option<Self>, Trouble> {
        let wanted = Wanted { ways, repository, digest };
        let Some((exchange, answer)) = wanted.ask(from).await? else { return Ok(None) };
        if from == 0 {
            wanted.ways.begins(&exchange, digest);
        }
        let pieces = Box::pin(stream::empty());
        let mut download =
            Self { wanted, total: None, size, at: from, skip: 0, pieces, resumes: Resumes { made: 0, at: from } };
        download.take_up(&exchange, answer)?;
        Ok(Some(download))
    }

    pub(super) fn into_stream(self) -> BlobStream {
        let total = self.total;
        let bytes = stream::unfold(Some(self), |download| async {
            let mut download = download?;
            match download.next().await {
                Ok(None) => None,
                Ok(Some(piece)) => Some((Ok(piece), Some(download))),
                Err(trouble) => Some((Err(download.wanted.unavailable(trouble)), None)),
            }
        });
        BlobStream { total, bytes: Box::pin(bytes) }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        let end = self.total.or(self.size);
        loop {
            let trouble = match self.pieces.next().await {
                Some(Ok(piece)) => match self.without_skipped(piece) {
                    piece if piece.is_empty() => continue,
                    piece => return self.count(piece).map(Some),
                },
                // However it ends, it is whole.
                None | Some(Err(_)) if end == Some(self.at) => return Ok(None),
                None if end.is_none() => return Ok(None),
                None => Trouble::new(UnavailableKind::Body, "the body ended too early", Retry::Soon),
                Some(Err(trouble)) => trouble,
            };
            self.resume(trouble).await?;
        }
    }

    fn without_skipped(&mut self, mut piece: Bytes) -> Bytes {
        let dropped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(piece.len());
        piece.advance(dropped);
        self.skip -= u64::try_from(dropped).unwrap_or(self.skip);
        piece
    }

    fn count(&mut self, piece: Bytes) -> Result<Bytes, Trouble> {
        self.at = self.at.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if self.total.is_some_and(|total| self.at > total) {
            return Err(unusable("the body is longer than it says"));
        }
        Ok(piece)
    }

    async fn resume(&mut self, trouble: Trouble) -> Result<(), Trouble> {
        let Some(time) = self.resumes.another(self.at) else { return Err(trouble) };
        self.wanted.ways.patience().rest_after(trouble, time).await?;
        let (exchange, answer) = self.wanted.ask(self.at).await?.ok_or_else(|| unusable("the blob is gone"))?;
        self.take_up(&exchange, answer)
    }

    /// Goes on with the body of `answer`, which must be of the same length as before and begin where it should.
    fn take_up(&mut self, exchange: &Exchange, answer: Answer) -> Result<(), Trouble> {
        let headers = answer.response.headers();
        let (first, total) = if answer.response.status() == StatusCode::PARTIAL_CONTENT {
            content_range(headers).ok_or_else(|| unusable("a part without a usable Content-Range"))?
        } else {
            (0, text_of(headers, CONTENT_LENGTH).and_then(|length| length.parse().ok()))
        };
        let has_changed = total.zip(self.total).is_some_and(|(now, before)| now != before);
        if has_changed || first > self.at {
            return Err(unusable("not the part that was asked for"));
        }
        self.skip = self.at - first;
        self.total = self.total.or(total);
        self.pieces = Box::pin(exchange.transport.pieces(answer.response.into_body()));
        Ok(())
    }
}

impl Resumes {
    /// Notes that the body is taken up at the offset `at`, and says how many times that makes; nothing if it was often enough.
    fn another(&mut self, at: u64) -> Option<u32> {
        let is_further = at.saturating_sub(self.at) >= FURTHER;
        let made = if is_further { 1 } else { self.made + 1 };
        *self = Self { made, at };
        (made <= RESUMES).then_some(made)
    }
}

/// `bytes FIRST-LAST/TOTAL`: the first byte, and how many there are in all unless it says `*`.
pub(super) fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let range = text_of(headers, CONTENT_RANGE)?.strip_prefix("bytes ")?;
    let (part, total) = range.split_once('/')?;
    let (first, _) = part.split_once('-')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    Some((first.parse().ok()?, total))
}

/// The kind of error that `trouble` is for whoever reads the body: late, not what it should be, or cut.
fn kind_of(trouble: &Trouble) -> io::ErrorKind {
    if trouble.kind == UnavailableKind::Timeout {
        io::ErrorKind::TimedOut
    } else if trouble.kind == UnavailableKind::Body && trouble.retry == Retry::Never {
        io::ErrorKind::InvalidData
    } else {
        io::ErrorKind::Other
    }
}

fn unusable(text: &str) -> Trouble {
    Trouble::new(UnavailableKind::Body, text, Retry::Never)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_comes_no_further_is_taken_up_a_few_times() {
        let mut resumes = Resumes { made: 0, at: 10 };
        let times: Vec<_> = (0..7).map(|time| resumes.another(10 + time * (FURTHER - 1))).collect();
        assert_eq!(times, [Some(1), Some(2), Some(3), Some(4), Some(5), None, None]);
    }

    #[test]
    fn a_body_that_comes_further_each_time_is_taken_up_each_time() {
        let mut resumes = Resumes { made: 0, at: 10 };
        assert!((1..100).all(|time| resumes.another(10 + time * FURTHER) == Some(1)));
    }
}
