//! The body of a response: nothing, bytes in memory, or a stream of a known length.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Frame, SizeHint};

use crate::listen::activity::Turn;
use crate::listen::limits::QUANTUM_BYTES;

/// Bytes that arrive in pieces.
pub type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// The body of a response. Its length is always known, and a stream that does not keep it is an error: the connection
/// is cut then, so that no client takes a part for the whole.
pub struct Body {
    source: Source,
    /// Bytes left of the current turn of writing.
    quantum: usize,
    turn: Option<Turn>,
    count: Option<Count>,
}

/// Told how many bytes were handed over.
type Count = Box<dyn Fn(u64) + Send>;

enum Source {
    Empty,
    Whole(Bytes),
    Stream { bytes: ByteStream, left: u64 },
}

impl Body {
    /// No body.
    pub const fn empty() -> Self {
        Self::new(Source::Empty)
    }

    /// The bytes given.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::new(if bytes.is_empty() { Source::Empty } else { Source::Whole(bytes) })
    }

    /// Exactly `length` bytes of `bytes`.
    pub fn stream(bytes: ByteStream, length: u64) -> Self {
        Self::new(if length == 0 { Source::Empty } else { Source::Stream { bytes, left: length } })
    }

    const fn new(source: Source) -> Self {
        Self { source, quantum: QUANTUM_BYTES, turn: None, count: None }
    }

    /// The same, telling `count` of each piece how many bytes it has.
    #[must_use]
    pub fn counting(mut self, count: impl Fn(u64) + Send + 'static) -> Self {
        self.count = Some(Box::new(count));
        self
    }

    /// The same, reporting its progress to `turn`.
    pub(in crate::listen) fn reporting(mut self, turn: Turn) -> Self {
        self.turn = Some(turn);
        self
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let next = match &mut self.source {
            Source::Empty => None,
            Source::Whole(bytes) => Some(Ok(std::mem::take(bytes))),
            Source::Stream { bytes, left } => match ready!(bytes.as_mut().poll_next(cx)) {
                Some(Ok(piece)) => Some(take(left, piece)),
                Some(Err(error)) => Some(Err(error)),
                None => Some(Err(io::ErrorKind::UnexpectedEof.into())),
            },
        };
        let is_over = match &self.source {
            Source::Empty | Source::Whole(_) => true,
            Source::Stream { left, .. } => *left == 0 || !matches!(next, Some(Ok(_))),
        };
        if is_over {
            self.source = Source::Empty;
        }
        Poll::Ready(next)
    }

    fn handed_over(&mut self, length: usize) {
        self.quantum = self.quantum.saturating_sub(length);
        if let Some(count) = &self.count {
            count(length as u64);
        }
    }

    /// Whether it is the turn of others; takes `length` bytes of the quantum otherwise.
    fn must_yield(&mut self, cx: &Context<'_>) -> bool {
        if self.quantum > 0 {
            return false;
        }
        self.quantum = QUANTUM_BYTES;
        cx.waker().wake_by_ref();
        true
    }
}

/// Takes `piece` off what is `left`; more than that is as wrong as less.
fn take(left: &mut u64, piece: Bytes) -> io::Result<Bytes> {
    let length = u64::try_from(piece.len()).map_err(io::Error::other)?;
    *left = left.checked_sub(length).ok_or_else(|| io::Error::other("more bytes than announced"))?;
    Ok(piece)
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if let Some(turn) = &mut this.turn {
            turn.ours();
        }
        if this.must_yield(cx) {
            return Poll::Pending;
        }
        let next = ready!(this.poll_next(cx));
        if let Some(turn) = &mut this.turn {
            turn.theirs();
        }
        if let Some(Ok(bytes)) = &next {
            this.handed_over(bytes.len());
        }
        Poll::Ready(next.map(|result| result.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.source, Source::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.source {
            Source::Empty => 0,
            Source::Whole(bytes) => bytes.len() as u64,
            Source::Stream { left, .. } => *left,
        })
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("length", &http_body::Body::size_hint(self).exact()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream::{iter, repeat};
    use futures_util::{FutureExt, StreamExt};
    use http_body_util::{BodyExt, Collected};

    use super::*;

    fn stream(pieces: &'static [&'static [u8]], length: u64) -> Body {
        Body::stream(Box::pin(iter(pieces.iter().map(|piece| Ok(Bytes::from_static(piece))))), length)
    }

    fn collect(body: Body) -> io::Result<Bytes> {
        body.collect().now_or_never().expect("no waiting").map(Collected::to_bytes)
    }

    #[test]
    fn a_stream_of_the_announced_length_is_passed_on() {
        assert_eq!(collect(stream(&[b"ab", b"c"], 3)).unwrap(), "abc");
        assert_eq!(collect(Body::whole("abc")).unwrap(), "abc");
        assert_eq!(collect(Body::empty()).unwrap(), "");
    }

    #[test]
    fn a_stream_that_ends_early_is_an_error() {
        assert_eq!(collect(stream(&[b"ab"], 3)).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_stream_that_is_longer_than_announced_is_an_error() {
        assert!(collect(stream(&[b"ab", b"cd"], 3)).is_err());
    }

    #[test]
    fn nothing_follows_an_error() {
        let mut body = stream(&[b"abcd", b"e"], 3);
        assert!(body.frame().now_or_never().unwrap().unwrap().is_err());
        assert!(body.frame().now_or_never().unwrap().is_none());
    }

    #[test]
    fn a_long_stream_lets_others_have_their_turn() {
        const PIECE: &[u8] = &[0; QUANTUM_BYTES / 2];
        let endless = Box::pin(repeat(()).map(|()| Ok(Bytes::from_static(PIECE))));
        let mut body = Body::stream(endless, u64::MAX);
        let mut turns = std::iter::repeat_with(|| body.frame().now_or_never().is_some());
        assert_eq!(turns.by_ref().take(6).collect::<Vec<_>>(), [true, true, false, true, true, false]);
    }
}
