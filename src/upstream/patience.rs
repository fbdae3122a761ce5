//! How often, and after which pauses, an upstream is asked again.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::jittered;
use crate::upstream::UnavailableKind;
use crate::upstream::trouble::{Retry, Trouble};

/// Most tries of one request: more would keep a client waiting for what it can ask again itself.
const TRIES: u32 = 3;
/// The pause after the first failed try; it doubles with each further one.
const PAUSE: Duration = Duration::from_millis(250);
/// The same where the upstream says that there are too many requests, and not for how long: what comes at once is too much as well.
const PAUSE_OF_THE_LIMITED: Duration = Duration::from_secs(3);
/// Longest that `Retry-After` is waited for here; what takes longer is passed on to the client.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Lets time pass. A port, so that tests need not wait.
#[async_trait]
pub trait Pause: Debug + Send + Sync {
    /// Returns after `duration`.
    async fn rest(&self, duration: Duration);
}

/// The timer of the runtime.
#[derive(Debug, Clone, Copy)]
pub struct RealPause;

#[async_trait]
impl Pause for RealPause {
    async fn rest(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Tries again, with pauses.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    pub(super) pause: Arc<dyn Pause>,
}

impl Patience {
    /// The first success of `attempt`, or the trouble of the last try.
    pub(super) async fn persist<T, F>(&self, attempt: impl Fn() -> F + Send) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Trouble>> + Send,
    {
        let mut tried = 0;
        loop {
            let trouble = match attempt().await {
                Ok(value) => return Ok(value),
                Err(trouble) => trouble,
            };
            tried += 1;
            if tried == TRIES {
                return Err(trouble);
            }
            self.rest_after(trouble, tried).await?;
        }
    }

    /// Pauses after the `tried`-th failure, or gives the trouble back if no try may help soon.
    pub(super) async fn rest_after(&self, trouble: Trouble, tried: u32) -> Result<(), Trouble> {
        let wait = match trouble.retry {
            Retry::Never | Retry::Later(_) => return Err(trouble),
            Retry::Soon => jittered(first_pause(&trouble).saturating_mul(1 << tried.saturating_sub(1).min(8))),
            Retry::After(wait) if wait > LONGEST_WAIT => return Err(trouble),
            Retry::After(wait) => wait,
        };
        self.pause.rest(wait).await;
        Ok(())
    }
}

fn first_pause(trouble: &Trouble) -> Duration {
    if trouble.kind == UnavailableKind::RateLimited { PAUSE_OF_THE_LIMITED } else { PAUSE }
}
