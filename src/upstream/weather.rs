//! How one address of an upstream is doing, and what that means for the next request to it: it waits for room, waits as it
//! was asked to, or is not sent at all while the address rests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use jiff::Timestamp;
use prometheus::IntGauge;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::upstream::UnavailableKind;
use crate::upstream::breaker::{Breaker, Failure, Passage};
use crate::upstream::metrics::WeatherMetrics;
use crate::upstream::quota::{Quota, is_used_up};
use crate::upstream::room::{Place, Room};
use crate::upstream::trouble::{Retry, Trouble};

/// Longest that `Retry-After` counts for others than the one who was told: nobody can turn an upstream off for a day.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// What a request is for. A registry that wants us to wait for one of these may serve the others: Docker Hub limits the
/// manifests that are fetched, and neither checks of tags nor blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// What a tag means, by `HEAD`.
    Check,
    /// A manifest.
    Manifest,
    /// A blob, or a file of a site.
    Blob,
    /// A list of referrers or tags.
    List,
    /// A token, of a token service.
    Token,
}

const PURPOSES: usize = 5;

/// One address.
#[derive(Debug)]
pub(super) struct Weather {
    upstream: String,
    host: String,
    clock: Arc<dyn Clock>,
    room: Room,
    quota: Quota,
    resting: IntGauge,
    /// Longest that is waited for room.
    patience: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    started: u64,
    breaker: Breaker,
    /// Until when not to ask, as the upstream wants it, for each purpose.
    waits: [Option<(Timestamp, UnavailableKind)>; PURPOSES],
}

/// Leave to send one request. Tell it the outcome; one that is dropped untold says nothing of the address.
#[derive(Debug)]
struct Ticket<'a> {
    weather: &'a Weather,
    _place: Place<'a>,
    purpose: Purpose,
    number: u64,
    is_trial: bool,
}

impl Weather {
    pub(super) fn new(clock: Arc<dyn Clock>, patience: Duration, metrics: WeatherMetrics, breaker: Breaker) -> Self {
        let WeatherMetrics { upstream, host, concurrency, resting, quota } = metrics;
        let (room, quota) = (Room::new(concurrency), Quota::new(quota));
        let state = Mutex::new(State { started: 0, breaker, waits: [None; PURPOSES] });
        Self { upstream, host, clock, room, quota, resting, patience, state }
    }

    /// What `sending` comes to, as soon as there is room for it.
    ///
    /// # Errors
    /// Its own, and [`Trouble`] while the address rests, until the time that it asked for, or if there is no room in time.
    pub(super) async fn send(
        &self,
        purpose: Purpose,
        sending: impl Future<Output = Result<Response<Incoming>, Trouble>> + Send,
    ) -> Result<Response<Incoming>, Trouble> {
        let ticket = self.enter(purpose).await?;
        let outcome = sending.await;
        ticket.tell(&outcome);
        outcome
    }

    async fn enter(&self, purpose: Purpose) -> Result<Ticket<'_>, Trouble> {
        // Who may not ask in any case need not wait for room.
        self.check(purpose)?;
        let Ok(place) = timeout(self.patience, self.room.place()).await else {
            let text = format!("no room among {} requests within {:?}", self.room.size(), self.patience);
            return Err(Trouble::new(UnavailableKind::Busy, text, Retry::Never));
        };
        self.check(purpose)?;
        let now = self.clock.now();
        let mut state = self.lock();
        let is_trial = match state.breaker.pass(now) {
            Passage::Open => false,
            Passage::Trial => true,
            Passage::Resting(left) => return Err(self.rests(now, left)),
        };
        state.started += 1;
        let number = state.started;
        Ok(Ticket { weather: self, _place: place, purpose, number, is_trial })
    }

    /// Fails while nobody is to ask.
    fn check(&self, purpose: Purpose) -> Result<(), Trouble> {
        let now = self.clock.now();
        let mut state = self.lock();
        state.check_wait(purpose, now)?;
        state.breaker.rest(now).map_or(Ok(()), |left| Err(self.rests(now, left)))
    }

    fn rests(&self, now: Timestamp, left: Duration) -> Trouble {
        let until = now.checked_add(left).unwrap_or(now).strftime("%FT%TZ");
        let text = format!("{} is resting until {until}, since requests to it failed in a row", self.host);
        Trouble::new(UnavailableKind::Resting, text, Retry::Later(left))
    }

    fn failed(&self, state: &mut State, number: u64, how: Failure, why: &dyn std::fmt::Display) {
        let Some(rest) = state.breaker.failed(number, state.started, how, self.clock.now()) else { return };
        self.resting.set(1);
        tracing::warn!(upstream = self.upstream, host = self.host, ?rest, last = %why, "an upstream fails, and is left alone");
    }

    fn answered(&self, state: &mut State) {
        if state.breaker.succeeded() {
            self.resting.set(0);
            tracing::info!(upstream = self.upstream, host = self.host, "an upstream is back");
        }
    }

    /// Nothing that can panic runs under this lock, and it is never held across an await.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check_wait(&mut self, purpose: Purpose, now: Timestamp) -> Result<(), Trouble> {
        let Some(slot) = self.waits.get_mut(purpose as usize) else { return Ok(()) };
        let Some((until, kind)) = *slot else { return Ok(()) };
        let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        if left.is_zero() || left > LONGEST_WAIT {
            *slot = None;
            return Ok(());
        }
        let text = format!("it asked to be left alone until {}", until.strftime("%FT%TZ"));
        Err(Trouble::new(kind, text, Retry::After(left)))
    }

    fn wait(&mut self, purpose: Purpose, trouble: &Trouble, now: Timestamp) {
        let Retry::After(wait) = trouble.retry else { return };
        if let (Some(slot), Ok(until)) = (self.waits.get_mut(purpose as usize), now.checked_add(wait.min(LONGEST_WAIT)))
        {
            *slot = Some((until, trouble.kind));
        }
    }
}

impl Ticket<'_> {
    /// Tells what came of the request.
    ///
    /// What could not be sent says nothing of the address. Of the answers only those of a gateway say that there is no
    /// service: a 500 is about one request, and nobody may turn an upstream off by asking for what it cannot answer.
    fn tell(mut self, outcome: &Result<Response<Incoming>, Trouble>) {
        if matches!(outcome, Err(trouble) if trouble.kind == UnavailableKind::ThisHost) {
            return;
        }
        self.is_trial = false;
        let (weather, purpose, number) = (self.weather, self.purpose, self.number);
        let mut state = weather.lock();
        let started = state.started;
        match outcome {
            Ok(response) => {
                let (status, now) = (response.status(), weather.clock.now());
                weather.quota.heard(response.headers());
                if is_too_much(response) {
                    weather.room.was_too_much(number, started);
                } else if !is_to_wait(status) {
                    weather.room.answered();
                }
                if is_to_wait(status) {
                    state.wait(purpose, &Trouble::of_status(status, response.headers(), now), now);
                }
                if is_no_service(status) {
                    weather.failed(&mut state, number, Failure::Refused, &status);
                } else {
                    weather.answered(&mut state);
                }
            }
            Err(trouble) if trouble.kind == UnavailableKind::Timeout => {
                weather.room.was_too_much(number, started);
                weather.failed(&mut state, number, Failure::Late, &trouble.text);
            }
            Err(trouble) => weather.failed(&mut state, number, Failure::Refused, &trouble.text),
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if self.is_trial {
            self.weather.lock().breaker.abandoned();
        }
    }
}

fn is_to_wait(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

/// Whether an answer says that it is asked too much at once. That a quota is used up, or until when to wait, says nothing of
/// that: one request after the other would have come to the same.
fn is_too_much(response: &Response<Incoming>) -> bool {
    let headers = response.headers();
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS => !headers.contains_key(RETRY_AFTER) && !is_used_up(headers),
        status => status == StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn is_no_service(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use prometheus::Registry;

    use super::*;
    use crate::clock::SystemClock;
    use crate::upstream::metrics::Metrics;

    fn weather() -> Weather {
        let metrics = Metrics::register(&Registry::new()).unwrap().weather("a.io", "a.io");
        Weather::new(Arc::new(SystemClock), Duration::from_secs(20), metrics, Breaker::of_registry())
    }

    /// Has the address rest from `now` on.
    fn rest(weather: &Weather, now: Timestamp) {
        let mut state = weather.lock();
        let numbers = state.started + 1..;
        let rests = numbers.take(2).map(|number| state.breaker.failed(number, number, Failure::Late, now));
        assert!(rests.last().flatten().is_some());
    }

    fn enter(weather: &Weather) -> Result<Ticket<'_>, UnavailableKind> {
        weather.enter(Purpose::Blob).now_or_never().expect("no waiting").map_err(|trouble| trouble.kind)
    }

    fn fail(weather: &Weather, kind: UnavailableKind) {
        enter(weather).unwrap().tell(&Err(Trouble::new(kind, "", Retry::Soon)));
    }

    #[tokio::test]
    async fn what_this_host_could_not_send_says_nothing_of_the_address() {
        let weather = weather();
        (0..100).for_each(|_| fail(&weather, UnavailableKind::ThisHost));
        assert!(enter(&weather).is_ok());
    }

    #[tokio::test]
    async fn a_trial_that_this_host_could_not_send_is_left_to_the_next() {
        let weather = weather();
        rest(&weather, Timestamp::UNIX_EPOCH);
        (0..2).for_each(|_| fail(&weather, UnavailableKind::ThisHost));
        assert!(enter(&weather).unwrap().is_trial);
    }

    #[tokio::test]
    async fn while_an_address_rests_nobody_waits_for_room() {
        let weather = weather();
        let held: Vec<_> = std::iter::from_fn(|| weather.enter(Purpose::Blob).now_or_never()).collect();
        assert!(!held.is_empty());
        rest(&weather, weather.clock.now());
        assert_eq!(enter(&weather).unwrap_err(), UnavailableKind::Resting);
    }
}
