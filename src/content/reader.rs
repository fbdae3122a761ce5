//! Reads content, committed or still arriving, and lets the last byte go only when all of it is proven.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::try_unfold;
use futures_util::{Stream, StreamExt};
use tokio::sync::watch;

use crate::content::flight::Progress;
use crate::content::passage::{Handover, Passage};
use crate::content::store::{ReadAt, Stored};
use crate::piece::{Piece, Takes};

/// How much is handed over at once: a client that takes nothing holds that much memory, and with more, those who do take
/// something are hardly served faster.
const PIECE: usize = 64 * 1024;

/// The bytes of one digest.
#[derive(Debug)]
pub struct Reader(Source);

#[derive(Debug)]
enum Source {
    Committed(Stored),
    Arriving(watch::Receiver<Progress>),
    Passing(Box<Passage>),
}

impl Reader {
    pub(super) fn committed(stored: Stored) -> Self {
        Self(Source::Committed(stored))
    }

    pub(super) fn arriving(progress: watch::Receiver<Progress>) -> Self {
        Self(Source::Arriving(progress))
    }

    /// How many bytes there are. Waits until the origin has said so, or until all has arrived; so this is where an
    /// origin that has nothing, or cannot be asked, is found out before any byte is sent.
    ///
    /// # Errors
    /// What ended the fetch: a [`crate::content::FlightError`], with what the origin said as its source.
    pub async fn size(&mut self) -> io::Result<u64> {
        match &mut self.0 {
            Source::Committed(stored) => Ok(stored.size),
            Source::Arriving(progress) => announced(progress).await,
            Source::Passing(passage) => Ok(passage.total()),
        }
    }

    /// The bytes of `range`, as they arrive. The last of them is sent only when the digest of the whole content holds;
    /// otherwise the stream ends in an error.
    ///
    /// # Errors
    /// In the stream: what ended the fetch; [`io::ErrorKind::UnexpectedEof`] for a range beyond the end; what the store
    /// says.
    pub fn stream(self, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        self.pieces(range, Takes::Bytes).map(|piece| match piece? {
            Piece::Bytes(bytes) => Ok(bytes),
            Piece::Window(_) => Err(io::Error::other("a window, where bytes are taken")),
        })
    }

    /// The same for a connection that `takes` windows of files as well, or does not.
    ///
    /// # Errors
    /// Those of [`Self::stream`].
    pub fn pieces(self, range: Range<u64>, takes: Takes) -> impl Stream<Item = io::Result<Piece>> + Send + 'static {
        let walk = Walk { source: self.0, at: range.start, end: range.end };
        try_unfold(walk, move |mut walk| async move { Ok(walk.next(takes).await?.map(|piece| (piece, walk))) })
    }
}

/// An empty content is announced only once it is proven: whoever answers with nothing has no byte left to withhold.
async fn announced(progress: &mut watch::Receiver<Progress>) -> io::Result<u64> {
    let seen = progress.wait_for(|progress| match progress {
        Progress::Asking | Progress::Growing { total: None | Some(0), .. } => false,
        Progress::Growing { .. } | Progress::Passing(_) | Progress::Proven(_) | Progress::Failed(_) => true,
    });
    let seen = seen.await.map_err(abandoned)?.clone();
    match seen {
        Progress::Growing { total: Some(total), .. } => Ok(total),
        Progress::Passing(handover) => Ok(handover.total()),
        Progress::Proven(stored) => Ok(stored.size),
        Progress::Failed(error) => Err(error.to_io()),
        Progress::Asking | Progress::Growing { total: None, .. } => Err(io::ErrorKind::Interrupted.into()),
    }
}

/// A stream on its way through a range.
struct Walk {
    source: Source,
    at: u64,
    end: u64,
}

/// What may be read now.
struct Reach {
    bytes: Arc<dyn ReadAt>,
    /// Up to where.
    until: u64,
}

/// How to go on.
enum Ahead {
    Here(Reach),
    Alone(Arc<Handover>),
}

impl Walk {
    async fn next(&mut self, takes: Takes) -> io::Result<Option<Piece>> {
        let ahead = match &mut self.source {
            Source::Committed(stored) => Ahead::Here(proven(stored, self.end)),
            Source::Arriving(progress) => ahead(progress, self.at, self.end).await?,
            Source::Passing(passage) => return Ok(passage.next().await?.map(Piece::Bytes)),
        };
        match ahead {
            Ahead::Here(reach) => self.read(reach, takes).await,
            Ahead::Alone(handover) => {
                let mut passage = Box::new(Passage::new(&handover, self.at..self.end));
                let first = passage.next().await;
                self.source = Source::Passing(passage);
                Ok(first?.map(Piece::Bytes))
            }
        }
    }

    async fn read(&mut self, reach: Reach, takes: Takes) -> io::Result<Option<Piece>> {
        if self.at >= reach.until {
            return if self.at >= self.end { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        let left = reach.until - self.at;
        if takes == Takes::Windows
            && let Some(window) = reach.bytes.window(self.at, left)
        {
            self.at += window.length() as u64;
            return Ok(Some(Piece::Window(window)));
        }
        let length = piece(left);
        let bytes = match reach.bytes.read_at_once(self.at, length) {
            Some(bytes) => bytes,
            None => reach.bytes.read_at(self.at, length).await?,
        };
        self.at += bytes.len() as u64;
        Ok(Some(Piece::Bytes(bytes)))
    }
}

/// Waits until there is something to read from `at` on, or no more will come.
async fn ahead(progress: &mut watch::Receiver<Progress>, at: u64, end: u64) -> io::Result<Ahead> {
    let seen = progress.wait_for(|progress| match progress {
        Progress::Asking => false,
        Progress::Growing { written, .. } => unproven(*written, end) > at,
        Progress::Passing(_) | Progress::Proven(_) | Progress::Failed(_) => true,
    });
    let seen = seen.await.map_err(abandoned)?.clone();
    match seen {
        Progress::Growing { bytes, written, .. } => Ok(Ahead::Here(Reach { bytes, until: unproven(written, end) })),
        Progress::Passing(handover) => Ok(Ahead::Alone(handover)),
        Progress::Proven(stored) => Ok(Ahead::Here(proven(&stored, end))),
        Progress::Failed(error) => Err(error.to_io()),
        Progress::Asking => Err(io::ErrorKind::Interrupted.into()),
    }
}

/// How much of `left` bytes to hand over at once.
fn piece(left: u64) -> usize {
    usize::try_from(left).map_or(PIECE, |left| left.min(PIECE))
}

fn proven(stored: &Stored, end: u64) -> Reach {
    Reach { bytes: Arc::clone(&stored.bytes), until: stored.size.min(end) }
}

/// Up to where unproven bytes may be read: neither the last that has arrived, which may be the last there is, nor the
/// last that was asked for.
fn unproven(written: u64, end: u64) -> u64 {
    written.min(end).saturating_sub(1)
}

/// The task that fetched is gone without a word: the program is shutting down, or it broke.
fn abandoned(_: watch::error::RecvError) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the fetch was abandoned")
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::os::unix::fs::FileExt;
    use std::pin::pin;

    use async_trait::async_trait;
    use futures_util::{FutureExt, TryStreamExt};

    use super::*;
    use crate::content::error::FlightError;
    use crate::piece::Window;

    #[derive(Debug)]
    struct Nothing;

    #[async_trait]
    impl ReadAt for Nothing {
        async fn read_at(&self, _: u64, _: usize) -> io::Result<Bytes> {
            Ok(Bytes::new())
        }
    }

    /// Content of which a part is in memory, a piece of which ends anywhere.
    #[derive(Debug)]
    struct Partly(Vec<u8>);

    #[async_trait]
    impl ReadAt for Partly {
        fn read_at_once(&self, offset: u64, most: usize) -> Option<Bytes> {
            let offset = usize::try_from(offset).unwrap();
            let length = 1 + (offset * 7919) % most;
            (offset % 3 > 0).then(|| Bytes::copy_from_slice(&self.0[offset..offset + length]))
        }

        async fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
            let offset = usize::try_from(offset).unwrap();
            Ok(Bytes::copy_from_slice(&self.0[offset..offset + length]))
        }
    }

    #[test]
    fn what_is_in_memory_and_what_is_not_make_the_whole() {
        let content: Vec<u8> = (0..=250).cycle().take(5 * PIECE + 17).collect();
        let size = content.len() as u64;
        let stored = Stored { size, bytes: Arc::new(Partly(content.clone())) };
        for range in [0..size, 1..size - 1, 7..8, 65_537..200_000] {
            let pieces = Reader::committed(stored.clone()).stream(range.clone()).try_collect::<Vec<_>>();
            let read = pieces.now_or_never().unwrap().unwrap().concat();
            let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            assert!(read == content[range]);
        }
    }

    /// Content that is a file in memory.
    #[derive(Debug)]
    struct Windows(Arc<File>);

    #[async_trait]
    impl ReadAt for Windows {
        fn window(&self, offset: u64, most: u64) -> Option<Window> {
            // All but the beginning is there.
            let length = usize::try_from(most).unwrap().min(1000);
            if offset < 10 { None } else { Window::new(Arc::clone(&self.0), offset, length) }
        }

        async fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
            let mut bytes = vec![0; length.min(10)];
            self.0.read_exact_at(&mut bytes, offset)?;
            Ok(bytes.into())
        }
    }

    fn windows() -> (Vec<u8>, Arc<dyn ReadAt>) {
        let content: Vec<u8> = (0..=250).cycle().take(3456).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&content).unwrap();
        (content, Arc::new(Windows(Arc::new(file))))
    }

    /// The bytes of `pieces`, and how many are windows.
    fn read(pieces: Vec<Piece>) -> (Vec<u8>, usize) {
        let (mut read, mut windows) = (Vec::new(), 0);
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => read.extend_from_slice(&bytes),
                Piece::Window(window) => {
                    let mut bytes = vec![0; window.length()];
                    window.file().read_exact_at(&mut bytes, window.offset()).unwrap();
                    read.extend(bytes);
                    windows += 1;
                }
            }
        }
        (read, windows)
    }

    #[test]
    fn windows_and_bytes_make_the_whole() {
        let (content, bytes) = windows();
        let stored = Stored { size: content.len() as u64, bytes };
        for (takes, windows) in [(Takes::Windows, 3), (Takes::Bytes, 0)] {
            let pieces = Reader::committed(stored.clone()).pieces(3..2500, takes).try_collect();
            let pieces = pieces.now_or_never().unwrap().unwrap();
            assert!(read(pieces) == (content[3..2500].to_vec(), windows), "{takes:?}");
        }
    }

    #[test]
    fn a_window_has_no_byte_that_must_be_withheld() {
        let (content, bytes) = windows();
        for (written, end, until) in [(1000, 3456, 999), (2000, 1500, 1499)] {
            let growing = Progress::Growing { bytes: Arc::clone(&bytes), total: Some(3456), written };
            let (progress, receiver) = watch::channel(growing);
            let mut pieces = pin!(Reader::arriving(receiver).pieces(10..end, Takes::Windows));
            let mut before = Vec::new();
            while let Some(piece) = pieces.next().now_or_never() {
                before.push(piece.unwrap().unwrap());
            }
            let (before, windows) = read(before);
            assert!(before == content[10..until], "{} bytes", before.len());
            assert!(windows > 0);
            progress.send_replace(Progress::Proven(Stored { size: 3456, bytes: Arc::clone(&bytes) }));
            let rest = pieces.try_collect().now_or_never().unwrap().unwrap();
            let end = usize::try_from(end).unwrap();
            assert!(read(rest).0 == content[until..end]);
        }
    }

    #[test]
    fn an_empty_content_is_announced_only_once_it_is_proven() {
        let bytes = Arc::new(Nothing);
        let (progress, receiver) = watch::channel(Progress::Growing { bytes, total: Some(0), written: 0 });
        let mut reader = Reader::arriving(receiver);
        assert!(reader.size().now_or_never().is_none());
        progress.send_replace(Progress::Failed(FlightError::new(io::ErrorKind::InvalidData.into())));
        assert!(reader.size().now_or_never().unwrap().is_err());
    }
}
