//! The body of a response: nothing, bytes in memory, or a stream of a known length, parts of which may be windows of files.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Frame, SizeHint};
use prometheus::IntCounter;

use crate::listen::activity::Turn;
use crate::listen::limits::QUANTUM_BYTES;
use crate::listen::windows::Windows;
use crate::piece::{Piece, Takes};

/// Bytes that arrive in pieces.
pub type Pieces = Pin<Box<dyn Stream<Item = io::Result<Piece>> + Send>>;

/// The body of a response. Its length is always known, and a stream that does not keep it is an error: the connection
/// is cut then, so that no client takes a part for the whole.
pub struct Body {
    source: Source,
    /// Bytes left of the current turn of writing.
    quantum: usize,
    turn: Option<Turn>,
    count: Option<IntCounter>,
    /// Where windows are handed over, if the connection takes them.
    windows: Option<Windows>,
}

/// Begins a stream, once it is known what the connection takes.
type Begin = Box<dyn FnOnce(Takes) -> Pieces + Send>;

enum Source {
    Empty,
    Whole(Bytes),
    Announced { begin: Begin, length: u64 },
    Stream { pieces: Pieces, left: u64 },
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

    /// Exactly `length` bytes of the stream that `begin` gives when it is told what the connection takes.
    pub fn stream(begin: impl FnOnce(Takes) -> Pieces + Send + 'static, length: u64) -> Self {
        Self::new(if length == 0 { Source::Empty } else { Source::Announced { begin: Box::new(begin), length } })
    }

    const fn new(source: Source) -> Self {
        Self { source, quantum: QUANTUM_BYTES, turn: None, count: None, windows: None }
    }

    /// The same, adding to `count` the bytes that are handed over.
    #[must_use]
    pub fn counting(mut self, count: IntCounter) -> Self {
        self.count = Some(count);
        self
    }

    /// The same, reporting its progress to `turn`.
    pub(in crate::listen) fn reporting(mut self, turn: Turn) -> Self {
        self.turn = Some(turn);
        self
    }

    /// The same, to a connection that takes `windows`, if any.
    pub(in crate::listen) fn through(mut self, windows: Option<Windows>) -> Self {
        self.windows = windows;
        self
    }

    fn begin(&mut self) {
        self.source = match std::mem::replace(&mut self.source, Source::Empty) {
            Source::Announced { begin, length } => {
                let takes = if self.windows.is_some() { Takes::Windows } else { Takes::Bytes };
                Source::Stream { pieces: begin(takes), left: length }
            }
            begun @ (Source::Empty | Source::Whole(_) | Source::Stream { .. }) => begun,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.begin();
        let next = match &mut self.source {
            Source::Empty | Source::Announced { .. } => None,
            Source::Whole(bytes) => Some(Ok(std::mem::take(bytes))),
            Source::Stream { pieces, left } => match ready!(pieces.as_mut().poll_next(cx)) {
                Some(Ok(piece)) => Some(take(left, piece, self.windows.as_ref())),
                Some(Err(error)) => Some(Err(error)),
                None => Some(Err(io::ErrorKind::UnexpectedEof.into())),
            },
        };
        let is_over = match &self.source {
            Source::Empty | Source::Whole(_) | Source::Announced { .. } => true,
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
            count.inc_by(length as u64);
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
fn take(left: &mut u64, piece: Piece, windows: Option<&Windows>) -> io::Result<Bytes> {
    let length = match &piece {
        Piece::Bytes(bytes) => bytes.len(),
        Piece::Window(window) => window.length(),
    };
    *left = left.checked_sub(length as u64).ok_or_else(|| io::Error::other("more bytes than announced"))?;
    match (piece, windows) {
        (Piece::Bytes(bytes), _) => Ok(bytes),
        (Piece::Window(window), Some(windows)) => windows.hand_over(window),
        (Piece::Window(_), None) => Err(io::Error::other("a window, which this connection does not take")),
    }
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
            Source::Announced { length: left, .. } | Source::Stream { left, .. } => *left,
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
    use std::sync::{Arc, Mutex};

    use futures_util::stream::{iter, repeat};
    use futures_util::{FutureExt, StreamExt};
    use http_body_util::{BodyExt, Collected};

    use super::*;
    use crate::listen::activity::Activity;
    use crate::piece::Window;

    fn stream(pieces: &'static [&'static [u8]], length: u64) -> Body {
        let pieces = pieces.iter().map(|piece| Ok(Piece::Bytes(Bytes::from_static(piece))));
        Body::stream(|_| Box::pin(iter(pieces)), length)
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

    fn window_of(takes: &'static Mutex<Option<Takes>>) -> Body {
        let window = Window::new(Arc::new(tempfile::tempfile().unwrap()), 0, 3).unwrap();
        let begin = |told| {
            *takes.lock().unwrap() = Some(told);
            iter([Ok(Piece::Window(window))]).boxed()
        };
        Body::stream(begin, 3)
    }

    #[test]
    fn a_connection_that_takes_windows_is_handed_them_and_told_of_their_bytes() {
        static TAKES: Mutex<Option<Takes>> = Mutex::new(None);
        let windows = Windows::new(Activity::new());
        let count = IntCounter::new("bytes", "Bytes").unwrap();
        let stand_in = collect(window_of(&TAKES).through(Some(windows.clone())).counting(count.clone())).unwrap();
        assert_eq!(*TAKES.lock().unwrap(), Some(Takes::Windows));
        assert_eq!((stand_in.len(), count.get()), (3, 3));
        assert!(windows.due(&[]).is_err(), "it waits");
    }

    #[test]
    fn a_connection_that_takes_bytes_is_handed_no_window() {
        static TAKES: Mutex<Option<Takes>> = Mutex::new(None);
        assert!(collect(window_of(&TAKES)).is_err());
        assert_eq!(*TAKES.lock().unwrap(), Some(Takes::Bytes));
    }

    #[test]
    fn a_long_stream_lets_others_have_their_turn() {
        const PIECE: &[u8] = &[0; QUANTUM_BYTES / 2];
        let endless = repeat(()).map(|()| Ok(Piece::Bytes(Bytes::from_static(PIECE))));
        let mut body = Body::stream(|_| Box::pin(endless), u64::MAX);
        let mut turns = std::iter::repeat_with(|| body.frame().now_or_never().is_some());
        assert_eq!(turns.by_ref().take(6).collect::<Vec<_>>(), [true, true, false, true, true, false]);
    }
}
