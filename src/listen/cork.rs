//! Writes of one turn of a connection, which leave together.
//!
//! h2 writes and flushes each frame that has content by itself. Over TLS each of them would be a record, a call of the
//! operating system, and a wake-up of the client: for small answers, half of all that they cost.

use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use hyper::rt::{Read, ReadBufCursor, Write};

/// Most bytes that are held back: what one TLS record has room for (RFC 8446, section 5.1).
const HELD_BYTES: usize = 16 * 1024;

/// A connection that holds small writes back until it is [let go](Cork::poll_let_go). What is larger than [`HELD_BYTES`] is
/// written at once, behind what was held. All handles are on the same connection.
#[derive(Debug)]
pub(in crate::listen) struct Cork<S>(Arc<Mutex<Held<S>>>);

#[derive(Debug)]
struct Held<S> {
    stream: S,
    /// Without memory of its own while nothing is held.
    bytes: BytesMut,
    /// What was held is written, and not flushed.
    owes_flush: bool,
}

impl<S> Cork<S> {
    pub(in crate::listen) fn new(stream: S) -> Self {
        Self(Arc::new(Mutex::new(Held { stream, bytes: BytesMut::new(), owes_flush: false })))
    }

    fn lock(&self) -> MutexGuard<'_, Held<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Write + Unpin> Cork<S> {
    /// Writes and flushes what is held. Whoever polls the connection has to call this at the end of each turn: the connection
    /// takes what is held for flushed.
    ///
    /// # Errors
    /// Those of the connection, of which nothing can be expected any more.
    pub(in crate::listen) fn poll_let_go(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().poll_let_go(cx)
    }
}

impl<S: Write + Unpin> Held<S> {
    fn poll_let_go(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.bytes.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.bytes))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.bytes.advance(written);
            self.owes_flush = true;
        }
        if self.owes_flush {
            mem::take(&mut self.bytes);
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.owes_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        if self.bytes.len().saturating_add(length) > HELD_BYTES {
            ready!(self.poll_let_go(cx))?;
        }
        if length > HELD_BYTES {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        }
        for slice in slices {
            self.bytes.extend_from_slice(slice);
        }
        Poll::Ready(Ok(length))
    }
}

impl<S> Clone for Cork<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Read + Unpin> Read for Cork<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.lock().stream).poll_read(cx, buffer)
    }
}

impl<S: Write + Unpin> Write for Cork<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.lock().poll_write(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.lock().poll_write(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What is held stays so. What was written past it is flushed, so that no more of it is buffered than without a cork.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut held = self.lock();
        if held.bytes.is_empty() { Pin::new(&mut held.stream).poll_flush(cx) } else { Poll::Ready(Ok(())) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut held = self.lock();
        ready!(held.poll_let_go(cx))?;
        Pin::new(&mut held.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::iter;
    use std::task::Waker;

    use super::*;

    /// A connection that takes so many bytes; what reached it, and how often it was written to and flushed.
    #[derive(Debug, Default)]
    struct Sink {
        room: usize,
        written: Vec<u8>,
        writes: usize,
        flushes: usize,
        is_shut: bool,
    }

    impl Write for Sink {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let taken = bytes.len().min(self.room);
            if taken == 0 {
                return Poll::Pending;
            }
            self.room -= taken;
            self.writes += 1;
            self.written.extend_from_slice(&bytes[..taken]);
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushes += 1;
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.is_shut = true;
            Poll::Ready(Ok(()))
        }
    }

    fn cork(room: usize) -> Cork<Sink> {
        Cork::new(Sink { room, ..Sink::default() })
    }

    fn write(cork: &Cork<Sink>, bytes: &[u8]) -> Option<usize> {
        let written = Pin::new(&mut cork.clone()).poll_write(&mut Context::from_waker(Waker::noop()), bytes);
        ready(written)
    }

    fn flush(cork: &Cork<Sink>) -> Option<()> {
        ready(Pin::new(&mut cork.clone()).poll_flush(&mut Context::from_waker(Waker::noop())))
    }

    fn let_go(cork: &Cork<Sink>) -> Option<()> {
        ready(cork.poll_let_go(&mut Context::from_waker(Waker::noop())))
    }

    fn ready<T>(poll: Poll<io::Result<T>>) -> Option<T> {
        match poll {
            Poll::Ready(outcome) => Some(outcome.unwrap()),
            Poll::Pending => None,
        }
    }

    /// What reached the connection, and in how many writes.
    fn seen(cork: &Cork<Sink>) -> (Vec<u8>, usize) {
        let held = cork.lock();
        (held.stream.written.clone(), held.stream.writes)
    }

    #[test]
    fn what_is_written_in_one_turn_leaves_in_one_write() {
        let cork = cork(usize::MAX);
        for bytes in [&b"head"[..], b"content", b"head", b"more"] {
            assert_eq!(write(&cork, bytes), Some(bytes.len()));
            assert_eq!(flush(&cork), Some(()));
        }
        assert_eq!(seen(&cork), (Vec::new(), 0), "it is held");
        assert_eq!(let_go(&cork), Some(()));
        assert_eq!(seen(&cork), (b"headcontentheadmore".to_vec(), 1));
        assert_eq!(cork.lock().stream.flushes, 1);
        assert_eq!(cork.lock().bytes.capacity(), 0, "an idle connection holds no memory for it");
    }

    #[test]
    fn what_does_not_fit_is_written_behind_what_was_held() {
        let cork = cork(usize::MAX);
        let (small, large) = (vec![1; HELD_BYTES - 10], vec![2; HELD_BYTES + 1]);
        write(&cork, &small);
        write(&cork, &[3; 11]);
        assert_eq!(seen(&cork), (small.clone(), 1), "there is no room for both");
        assert_eq!(write(&cork, &large), Some(large.len()));
        assert_eq!(seen(&cork), ([&small[..], &[3; 11], &large].concat(), 3));
    }

    #[test]
    fn what_was_written_past_it_is_flushed_at_once() {
        let cork = cork(usize::MAX);
        write(&cork, &vec![2; HELD_BYTES + 1]);
        flush(&cork);
        assert_eq!(cork.lock().stream.flushes, 1);
    }

    #[test]
    fn a_connection_that_takes_little_is_given_the_rest_later() {
        let cork = cork(3);
        write(&cork, b"abcde");
        assert_eq!(let_go(&cork), None);
        assert_eq!(write(&cork, b"fg"), Some(2));
        cork.lock().stream.room = usize::MAX;
        assert_eq!(let_go(&cork), Some(()));
        assert_eq!(seen(&cork).0, b"abcdefg");
    }

    #[test]
    fn nothing_is_taken_beyond_what_may_be_held() {
        let cork = cork(0);
        let taken = iter::repeat_with(|| write(&cork, &[7; 1000])).take_while(Option::is_some).count();
        assert_eq!(taken, HELD_BYTES / 1000);
    }

    #[test]
    fn what_is_held_leaves_before_the_connection_is_shut() {
        let cork = cork(4);
        write(&cork, b"bye now");
        let shut = |cork: &Cork<Sink>| {
            ready(Pin::new(&mut cork.clone()).poll_shutdown(&mut Context::from_waker(Waker::noop())))
        };
        assert_eq!(shut(&cork), None);
        assert!(!cork.lock().stream.is_shut);
        cork.lock().stream.room = usize::MAX;
        assert_eq!(shut(&cork), Some(()));
        assert!(cork.lock().stream.is_shut);
        assert_eq!(seen(&cork).0, b"bye now");
    }
}
