//! One question at a time: whoever asks the same meanwhile waits for the same answer, and a plain no is remembered briefly.

use std::time::Duration;

use jiff::Timestamp;
use moka::future::Cache;

use crate::upstream::Unavailable;

/// How long the upstream is not asked again for what it does not have. A node asks several times for one pull, and many
/// nodes at once; whoever pushes an image and pulls it in the same breath waits no longer than this.
const ABSENT: Duration = Duration::from_secs(10);
/// Most questions remembered: strangers can ask for what is not there without end.
const QUESTIONS: u64 = 10_000;

/// Answers to questions of one kind, by what is asked for.
#[derive(Debug)]
pub(super) struct Answers<T: Clone + Send + Sync + 'static>(Cache<String, Held<T>>);

#[derive(Debug, Clone)]
struct Held<T> {
    answer: Result<Option<T>, Unavailable>,
    at: Timestamp,
}

impl<T: Clone + Send + Sync + 'static> Answers<T> {
    pub(super) fn new() -> Self {
        Self(Cache::new(QUESTIONS))
    }

    /// The answer to `question` about `about`, asked at `now` unless it is being asked already or was just answered by a no.
    /// If whoever asks goes away, somebody who waits asks in its place.
    pub(super) async fn to<F>(&self, about: &str, now: Timestamp, question: F) -> Result<Option<T>, Unavailable>
    where
        F: Future<Output = Result<Option<T>, Unavailable>> + Send,
    {
        let asking = Box::pin(async move { Held { answer: question.await, at: now } });
        let entry = self.0.entry_by_ref(about).or_insert_with_if(asking, |held| !held.is_a_recent_no(now)).await;
        let held = entry.into_value();
        if !matches!(held.answer, Ok(None)) {
            self.0.invalidate(about).await;
        }
        held.answer
    }
}

impl<T> Held<T> {
    fn is_a_recent_no(&self, now: Timestamp) -> bool {
        matches!(self.answer, Ok(None)) && now.duration_since(self.at).unsigned_abs() < ABSENT
    }
}
