//! What a registry says of the quota that it counts us by: `ratelimit-limit`, `ratelimit-remaining` and
//! `docker-ratelimit-source`, as Docker Hub does (draft-ietf-httpapi-ratelimit-headers-02).

use std::sync::{Mutex, PoisonError};

use http::HeaderMap;

use crate::upstream::metrics::QuotaMetrics;
use crate::upstream::transport::text_of;

/// Longest name of whom it counts that is logged: an address or an account.
const SOURCE: usize = 64;

/// The quota at one address.
#[derive(Debug)]
pub(super) struct Quota {
    metrics: QuotaMetrics,
    /// Whom it counts, as it said last.
    source: Mutex<Option<String>>,
}

impl Quota {
    pub(super) const fn new(metrics: QuotaMetrics) -> Self {
        Self { metrics, source: Mutex::new(None) }
    }

    /// Shows what the headers of an answer say; nothing where they do not.
    pub(super) fn heard(&self, headers: &HeaderMap) {
        let Some((remaining, _)) = text_of(headers, "ratelimit-remaining").and_then(amount) else { return };
        self.metrics.remaining().set(remaining);
        if let Some((limit, window)) = text_of(headers, "ratelimit-limit").and_then(amount) {
            self.metrics.limit().set(limit);
            self.metrics.window().set(window.unwrap_or_default());
        }
        if let Some(source) = text_of(headers, "docker-ratelimit-source") {
            self.note(source);
        }
    }

    /// Whom it counts is nothing for a label, and worth knowing: one log line when it changes.
    fn note(&self, source: &str) {
        let source: String = source.chars().take(SOURCE).collect();
        let mut known = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_deref() != Some(&source) {
            tracing::info!(upstream = self.metrics.upstream, source, "the upstream counts requests by a quota");
            *known = Some(source);
        }
    }
}

/// Whether the headers of an answer say that nothing is left.
pub(super) fn is_used_up(headers: &HeaderMap) -> bool {
    text_of(headers, "ratelimit-remaining").and_then(amount).is_some_and(|(remaining, _)| remaining <= 0)
}

/// `100;w=21600`: an amount, and the seconds that it is for.
fn amount(text: &str) -> Option<(i64, Option<i64>)> {
    let mut parts = text.split(';').map(str::trim);
    let amount = parts.next()?.parse().ok()?;
    let window = parts.find_map(|part| part.strip_prefix("w=")?.parse().ok());
    Some((amount, window))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_may_say_the_seconds_that_it_is_for() {
        assert_eq!(amount("100;w=21600"), Some((100, Some(21600))));
        assert_eq!(amount("98; comment=\"x\"; w=60"), Some((98, Some(60))));
        assert_eq!(amount("7"), Some((7, None)));
        for junk in ["", "many", ";w=5", "1e3", "99999999999999999999"] {
            assert_eq!(amount(junk), None, "{junk}");
        }
    }
}
