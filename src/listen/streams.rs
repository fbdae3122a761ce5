//! The streams of one HTTP/2 connection: answered by the task that has the connection.
//!
//! All requests that came in one packet are answered before anything is written, and leave in one packet again. As tasks of
//! their own, each would wake the connection for itself: as many writes as answers, and a hop between tasks for each.

use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::rt::{Executor, Write};
use hyper_util::server::graceful::GracefulConnection;

use crate::listen::cork::Cork;

/// One request, until its response is handed over.
type Stream = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes the streams that clients open, for whoever runs the connection.
#[derive(Clone, Default)]
pub(in crate::listen) struct Opened(Arc<Mutex<Vec<Stream>>>);

/// A connection with its streams. Those that are left when it ends are dropped where they stand.
pub(in crate::listen) struct WithStreams<C, S> {
    connection: Pin<Box<C>>,
    opened: Opened,
    streams: FuturesUnordered<Stream>,
    /// What the connection writes to, if it is held back there.
    cork: Option<Cork<S>>,
}

impl Opened {
    fn take(&self) -> Vec<Stream> {
        mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Stream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> Executor<F> for Opened
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let stream = Box::pin(async move {
            stream.await;
        });
        self.lock().push(stream);
    }
}

impl<C, S> WithStreams<C, S> {
    /// `connection`, which leaves its streams in `opened`, and writes to `cork`, if there is one.
    pub(in crate::listen) fn new(connection: C, opened: Opened, cork: Option<Cork<S>>) -> Self {
        Self { connection: Box::pin(connection), opened, streams: FuturesUnordered::new(), cork }
    }
}

impl<C: GracefulConnection, S> WithStreams<C, S> {
    /// Lets what is asked for be answered, and nothing be asked for any more.
    pub(in crate::listen) fn graceful_shutdown(&mut self) {
        self.connection.as_mut().graceful_shutdown();
    }
}

impl<C, E, S> Future for WithStreams<C, S>
where
    C: Future<Output = Result<(), E>>,
    E: From<io::Error>,
    S: Write + Unpin,
{
    type Output = C::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            // HTTP/1.1 has none, and would pay for the look at each of its requests.
            while !this.streams.is_empty()
                && let Poll::Ready(Some(())) = this.streams.poll_next_unpin(cx)
            {}
            // Reads what was asked, and writes what was answered.
            if let Poll::Ready(end) = this.connection.as_mut().poll(cx) {
                return Poll::Ready(end);
            }
            let opened = this.opened.take();
            if !opened.is_empty() {
                this.streams.extend(opened);
                continue;
            }
            return match this.cork.as_ref().map(|cork| cork.poll_let_go(cx)) {
                Some(Poll::Ready(Err(error))) => Poll::Ready(Err(error.into())),
                Some(Poll::Ready(Ok(())) | Poll::Pending) | None => Poll::Pending,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;

    /// What a connection writes to.
    type End = Cork<TokioIo<DuplexStream>>;

    /// A connection on which `come` come at once, and that ends at its next turn, when `done` of them must be.
    fn connection(
        opened: &Opened,
        come: Vec<Stream>,
        done: &Arc<AtomicUsize>,
        expected: usize,
    ) -> impl Future<Output = io::Result<()>> + use<> {
        let (opened, done, mut come) = (opened.clone(), Arc::clone(done), Some(come));
        poll_fn(move |_| {
            let Some(come) = come.take() else {
                assert_eq!(done.load(Ordering::Relaxed), expected);
                return Poll::Ready(Ok(()));
            };
            for stream in come {
                opened.execute(stream);
            }
            Poll::Pending
        })
    }

    fn counted(done: &Arc<AtomicUsize>) -> Stream {
        let done = Arc::clone(done);
        Box::pin(async move {
            done.fetch_add(1, Ordering::Relaxed);
        })
    }

    fn run(come: Vec<Stream>, done: &Arc<AtomicUsize>, expected: usize) {
        let opened = Opened::default();
        let connection = connection(&opened, come, done, expected);
        WithStreams::new(connection, opened, None::<End>).now_or_never().unwrap().unwrap();
    }

    #[test]
    fn all_that_came_at_once_is_answered_before_anything_is_written() {
        let done = Arc::default();
        run(vec![counted(&done), counted(&done), counted(&done)], &done, 3);
    }

    #[test]
    fn who_waits_keeps_nobody_from_being_answered() {
        let done = Arc::default();
        run(vec![counted(&done), Box::pin(pending()) as Stream, counted(&done)], &done, 2);
    }

    /// A connection that writes to `cork` and flushes, and does not end.
    fn writes(mut cork: End) -> impl Future<Output = io::Result<()>> {
        let mut left = Some(b"written");
        poll_fn(move |cx| {
            if let Some(bytes) = left.take() {
                assert!(Pin::new(&mut cork).poll_write(cx, bytes).is_ready());
                assert!(Pin::new(&mut cork).poll_flush(cx).is_ready());
            }
            Poll::Pending
        })
    }

    #[tokio::test]
    async fn what_a_connection_wrote_leaves_when_its_turn_is_over() {
        let (end, mut client) = duplex(64);
        let cork = Cork::new(TokioIo::new(end));
        let mut turn = WithStreams::new(writes(cork.clone()), Opened::default(), Some(cork));
        assert!(poll_fn(|cx| Poll::Ready(Pin::new(&mut turn).poll(cx))).await.is_pending());
        let mut seen = [0; 7];
        client.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"written");
    }

    #[tokio::test]
    async fn a_connection_that_cannot_be_written_to_ends() {
        let (end, client) = duplex(64);
        drop(client);
        let cork = Cork::new(TokioIo::new(end));
        let turn = WithStreams::new(writes(cork.clone()), Opened::default(), Some(cork));
        assert_eq!(turn.await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
