//! The streams of one HTTP/2 connection: answered by the task that has the connection.
//!
//! All requests that came in one packet are answered before anything is written, and leave in one packet again. As tasks of
//! their own, each would wake the connection for itself: as many writes as answers, and a hop between tasks for each.

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::rt::Executor;
use hyper_util::server::graceful::GracefulConnection;

/// One request, until its response is handed over.
type Stream = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes the streams that clients open, for whoever runs the connection.
#[derive(Clone, Default)]
pub(in crate::listen) struct Opened(Arc<Mutex<Vec<Stream>>>);

/// A connection with its streams. Those that are left when it ends are dropped where they stand.
pub(in crate::listen) struct WithStreams<C> {
    connection: Pin<Box<C>>,
    opened: Opened,
    streams: FuturesUnordered<Stream>,
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

impl<C> WithStreams<C> {
    /// `connection`, which leaves its streams in `opened`.
    pub(in crate::listen) fn new(connection: C, opened: Opened) -> Self {
        Self { connection: Box::pin(connection), opened, streams: FuturesUnordered::new() }
    }
}

impl<C: GracefulConnection> WithStreams<C> {
    /// Lets what is asked for be answered, and nothing be asked for any more.
    pub(in crate::listen) fn graceful_shutdown(&mut self) {
        self.connection.as_mut().graceful_shutdown();
    }
}

impl<C: Future> Future for WithStreams<C> {
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
            if opened.is_empty() {
                return Poll::Pending;
            }
            this.streams.extend(opened);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;

    use super::*;

    /// A connection on which `come` come at once, and that ends at its next turn: with how many of them were `done` then.
    fn connection(opened: &Opened, come: Vec<Stream>, done: &Arc<AtomicUsize>) -> impl Future<Output = usize> + use<> {
        let (opened, done, mut come) = (opened.clone(), Arc::clone(done), Some(come));
        poll_fn(move |_| match come.take() {
            Some(come) => {
                for stream in come {
                    opened.execute(stream);
                }
                Poll::Pending
            }
            None => Poll::Ready(done.load(Ordering::Relaxed)),
        })
    }

    fn counted(done: &Arc<AtomicUsize>) -> Stream {
        let done = Arc::clone(done);
        Box::pin(async move {
            done.fetch_add(1, Ordering::Relaxed);
        })
    }

    #[test]
    fn all_that_came_at_once_is_answered_before_anything_is_written() {
        let (opened, done) = (Opened::default(), Arc::default());
        let come = vec![counted(&done), counted(&done), counted(&done)];
        let connection = connection(&opened, come, &done);
        assert_eq!(WithStreams::new(connection, opened).now_or_never(), Some(3));
    }

    #[test]
    fn who_waits_keeps_nobody_from_being_answered() {
        let (opened, done) = (Opened::default(), Arc::default());
        let come = vec![counted(&done), Box::pin(pending()) as Stream, counted(&done)];
        let connection = connection(&opened, come, &done);
        assert_eq!(WithStreams::new(connection, opened).now_or_never(), Some(2));
    }
}
