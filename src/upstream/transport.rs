//! One request, one answer: sent, timed and counted. It knows nothing of credentials, redirects or tries.

use std::error::Error;
use std::io;
use std::iter;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::limits::{PROVING_TIME, RECEIVED_BYTES};
use crate::shortage::is_out_of_files;
use crate::upstream::UnavailableKind;
use crate::upstream::connector::{Connector, Proxy};
use crate::upstream::metrics::{Outcome, UpstreamMetrics};
use crate::upstream::pace::Pace;
use crate::upstream::resolver::Nameless;
use crate::upstream::settings::Deadlines;
use crate::upstream::trouble::{Retry, Trouble};

/// How long an unused connection is kept: shorter than the usual minute or more of servers and balancers, so that they
/// do not close it in our hands.
const KEPT: Duration = Duration::from_secs(50);
/// Most unused connections kept to one host.
const KEPT_PER_HOST: usize = 32;
/// How often a silent HTTP/2 connection is asked whether it still stands.
const PING: Duration = Duration::from_secs(20);

/// The way to one upstream, and to the hosts that it sends us to.
#[derive(Debug, Clone)]
pub(super) struct Transport {
    client: Client<Connector, Empty<Bytes>>,
    proxy: Proxy,
    answer_timeout: Duration,
    idle_timeout: Duration,
    metrics: UpstreamMetrics,
}

impl Transport {
    pub(super) fn new(connector: Connector, proxy: Proxy, deadlines: Deadlines, metrics: UpstreamMetrics) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT)
            .pool_max_idle_per_host(KEPT_PER_HOST)
            .http2_keep_alive_interval(PING)
            .http2_adaptive_window(true)
            .http1_max_buf_size(RECEIVED_BYTES as usize)
            .build(connector);
        let (answer_timeout, idle_timeout) = (deadlines.answer, deadlines.idle);
        Self { client, proxy, answer_timeout, idle_timeout, metrics }
    }

    /// Longest that an answer is waited for.
    pub(super) const fn answer_timeout(&self) -> Duration {
        self.answer_timeout
    }

    /// Sends `request` and waits for the headers of its answer, whatever its status.
    pub(super) async fn send(&self, mut request: Request<Empty<Bytes>>) -> Result<Response<Incoming>, Trouble> {
        if let Some(authorization) = self.proxy.authorization(request.uri()) {
            request.headers_mut().insert(http::header::PROXY_AUTHORIZATION, authorization);
        }
        let answered = match tokio::time::timeout(self.answer_timeout, self.client.request(request)).await {
            Ok(answered) => answered.map_err(|error| unanswered(&error)),
            Err(_) => Err(late(format!("no answer within {:?}", self.answer_timeout))),
        };
        self.metrics.count(match &answered {
            Ok(response) => Outcome::Answer(response.status()),
            Err((outcome, _)) => *outcome,
        });
        answered.map_err(|(_, trouble)| trouble)
    }

    /// The pieces of a body. An error ends them: it breaks, stands still, or trickles.
    pub(super) fn pieces(&self, body: Incoming) -> impl Stream<Item = Result<Bytes, Trouble>> + Send + use<> {
        let fetched = self.metrics.fetched.clone();
        let pieces = body.into_data_stream().map(|piece| piece.map_err(|error| broken(&error)));
        in_time(pieces, self.idle_timeout, Pace::new())
            .inspect_ok(move |piece| fetched.inc_by(u64::try_from(piece.len()).unwrap_or(u64::MAX)))
    }

    /// A whole body of at most `limit` bytes, whatever `Content-Length` says.
    pub(super) async fn whole(&self, body: Incoming, limit: u64) -> Result<Bytes, Trouble> {
        let late = |_| Trouble::new(UnavailableKind::Timeout, "the body takes too long", Retry::Never);
        tokio::time::timeout(PROVING_TIME, self.collect(body, limit)).await.map_err(late)?
    }

    async fn collect(&self, body: Incoming, limit: u64) -> Result<Bytes, Trouble> {
        let mut pieces = Box::pin(self.pieces(body));
        let mut whole = Vec::new();
        while let Some(piece) = pieces.next().await {
            whole.extend_from_slice(&piece?);
            if u64::try_from(whole.len()).is_ok_and(|length| length > limit) {
                let text = format!("the body has more than {limit} bytes");
                return Err(Trouble::new(UnavailableKind::Body, text, Retry::Never));
            }
        }
        Ok(whole.into())
    }
}

/// `pieces`, none of which is waited for longer than `idle`, at no slower a pace than `pace` allows.
fn in_time<S>(pieces: S, idle: Duration, pace: Pace) -> impl Stream<Item = Result<Bytes, Trouble>> + Send
where
    S: Stream<Item = Result<Bytes, Trouble>> + Send + Unpin,
{
    stream::unfold(Some((pieces, pace)), move |rest| async move {
        let (mut pieces, mut pace) = rest?;
        let asked = Instant::now();
        let next = match tokio::time::timeout(idle, pieces.next()).await {
            Ok(next) => next?,
            Err(_) => Err(stalled(idle)),
        };
        let next = next.and_then(|piece| {
            pace.note(u64::try_from(piece.len()).unwrap_or(u64::MAX), asked.elapsed())?;
            Ok(piece)
        });
        let rest = next.is_ok().then_some((pieces, pace));
        Some((next, rest))
    })
}

/// What a request came to that ended without an answer.
fn unanswered(error: &(dyn Error + 'static)) -> (Outcome, Trouble) {
    let text = causes(error);
    let any = |is_so: fn(&io::Error) -> bool| chain(error).filter_map(|error| error.downcast_ref()).any(is_so);
    if any(is_out_of_files) || chain(error).find_map(<dyn Error>::downcast_ref::<Nameless>).is_some() {
        return (Outcome::Unsent, Trouble::new(UnavailableKind::ThisHost, text, Retry::Soon));
    }
    if any(|error| error.kind() == io::ErrorKind::TimedOut) {
        return late(text);
    }
    (Outcome::Broken, Trouble::new(UnavailableKind::Connect, text, Retry::Soon))
}

/// Whoever asks has waited long enough.
fn late(text: String) -> (Outcome, Trouble) {
    (Outcome::Late, Trouble::new(UnavailableKind::Timeout, text, Retry::Never))
}

fn broken(error: &hyper::Error) -> Trouble {
    Trouble::new(UnavailableKind::Body, format!("the body was cut: {}", causes(error)), Retry::Soon)
}

fn stalled(idle: Duration) -> Trouble {
    Trouble::new(UnavailableKind::Timeout, format!("the body stood still for {idle:?}"), Retry::Soon)
}

/// An error and what is behind it, in one line.
fn causes(error: &(dyn Error + 'static)) -> String {
    let texts: Vec<_> = chain(error).map(ToString::to_string).collect();
    texts.join(": ")
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}

/// The one value of header `name`, if it is text.
pub(super) fn text_of(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The trouble that an answer with an unwanted status is.
pub(super) fn unwanted(response: &Response<Incoming>, now: Timestamp) -> Trouble {
    Trouble::of_status(response.status(), response.headers(), now)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    /// A thousand pieces of `length` bytes that come one by one, each after a while.
    fn slow(length: usize) -> impl Stream<Item = Result<Bytes, Trouble>> + Send + Unpin {
        let pieces = stream::unfold((), move |()| async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Some((Ok(vec![0; length].into()), ()))
        });
        Box::pin(pieces.take(1000))
    }

    #[tokio::test]
    async fn a_body_that_trickles_ends_in_an_error_though_it_never_stands_still() {
        let (idle, pace) = (Duration::from_mins(1), Pace::at_least(1000, Duration::from_millis(50)));
        let mut pieces = pin!(in_time(slow(1), idle, pace));
        let trouble = loop {
            if let Err(trouble) = pieces.next().await.expect("an error before the end") {
                break trouble;
            }
        };
        assert_eq!((trouble.kind, trouble.retry), (UnavailableKind::Timeout, Retry::Soon));
        assert!(pieces.next().await.is_none());
    }

    #[tokio::test]
    async fn a_body_that_is_slow_and_brings_enough_goes_on() {
        let (idle, pace) = (Duration::from_mins(1), Pace::at_least(1000, Duration::from_millis(50)));
        let pieces: Vec<_> = in_time(slow(1000), idle, pace).take(30).collect().await;
        assert!(pieces.iter().all(Result::is_ok));
    }

    /// An error with a cause, as clients and connectors have them.
    #[derive(Debug, thiserror::Error)]
    #[error("it failed")]
    struct Failed(#[source] io::Error);

    fn kind(cause: io::Error) -> UnavailableKind {
        unanswered(&Failed(cause)).1.kind
    }

    #[test]
    fn that_this_host_has_no_file_left_is_no_fault_of_whom_it_asks() {
        for number in [23, 24] {
            assert_eq!(kind(io::Error::from_raw_os_error(number)), UnavailableKind::ThisHost, "{number}");
        }
        for cause in [io::ErrorKind::ConnectionRefused, io::ErrorKind::UnexpectedEof] {
            assert_eq!(kind(cause.into()), UnavailableKind::Connect, "{cause}");
        }
    }

    #[test]
    fn a_connection_that_does_not_stand_in_time_is_no_answer_in_time() {
        let (outcome, trouble) = unanswered(&Failed(io::ErrorKind::TimedOut.into()));
        assert!(matches!(outcome, Outcome::Late), "{outcome:?}");
        assert_eq!((trouble.kind, trouble.retry), (UnavailableKind::Timeout, Retry::Never));
    }
}
