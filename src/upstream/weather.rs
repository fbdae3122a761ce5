//! How one address of an upstream is doing, and what that means for the next request to it: it waits for room, waits as it
//! was asked to, or is not sent at all while the address rests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Response, StatusCode};
use hyper::body::Incoming;
use jiff::Timestamp;
use prometheus::IntGauge;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::upstream::UnavailableKind;
use crate::upstream::breaker::{Breaker, Failure, Passage};
use crate::upstream::metrics::WeatherMetrics;
use crate::upstream::quota::Quota;
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
}

const PURPOSES: usize = 4;

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

#[derive(Debug, Default)]
struct State {
    started: u64,
    breaker: Breaker,
    /// Until when not to ask, as the upstream wants it, for each purpose.
    waits: [Option<(Timestamp, UnavailableKind)>; PURPOSES],
}

/// Leave to send one request. Tell it the outcome; one that is dropped untold says nothing of the address.
#[derive(Debug)]
pub(super) struct Ticket<'a> {
    weather: &'a Weather,
    _place: Place<'a>,
    purpose: Purpose,
    number: u64,
    is_trial: bool,
}

impl Weather {
    pub(super) fn new(clock: Arc<dyn Clock>, patience: Duration, metrics: WeatherMetrics) -> Self {
        let WeatherMetrics { upstream, host, concurrency, resting, quota } = metrics;
        let (room, quota) = (Room::new(concurrency), Quota::new(quota));
        Self { upstream, host, clock, room, quota, resting, patience, state: Mutex::default() }
    }

    /// Leave to send a request, as soon as there is room.
    ///
    /// # Errors
    /// [`Trouble`] while the address rests, until the time that it asked for, or if there is no room in time.
    pub(super) async fn enter(&self, purpose: Purpose) -> Result<Ticket<'_>, Trouble> {
        let Ok(place) = timeout(self.patience, self.room.place()).await else {
            let text = format!("no room among {} requests within {:?}", self.room.size(), self.patience);
            return Err(Trouble::new(UnavailableKind::Busy, text, Retry::Never));
        };
        let now = self.clock.now();
        let mut state = self.lock();
        state.check_wait(purpose, now)?;
        let is_trial = match state.breaker.pass(now) {
            Passage::Open => false,
            Passage::Trial => true,
            Passage::Resting(left) => return Err(self.rests(now, left)),
        };
        state.started += 1;
        let number = state.started;
        Ok(Ticket { weather: self, _place: place, purpose, number, is_trial })
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
    /// Of the answers only those of a gateway say that there is no service: a 500 is about one request, and nobody may turn
    /// an upstream off by asking for what it cannot answer.
    pub(super) fn tell(mut self, outcome: &Result<Response<Incoming>, Trouble>) {
        self.is_trial = false;
        let (weather, purpose, number) = (self.weather, self.purpose, self.number);
        let mut state = weather.lock();
        let started = state.started;
        match outcome {
            Ok(response) => {
                let (status, now) = (response.status(), weather.clock.now());
                weather.quota.heard(response.headers());
                if is_too_much(status) {
                    weather.room.was_too_much(number, started);
                    state.wait(purpose, &Trouble::of_status(status, response.headers(), now), now);
                } else {
                    weather.room.answered();
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

fn is_too_much(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

fn is_no_service(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}
