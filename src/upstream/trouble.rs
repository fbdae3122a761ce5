//! What went wrong with one try, and whether another may help.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use crate::upstream::{Unavailable, UnavailableKind};

/// A failed try.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) kind: UnavailableKind,
    pub(super) text: String,
    pub(super) retry: Retry,
}

/// Whether another try may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// It would end the same.
    Never,
    /// After a short pause.
    Soon,
    /// Not before this time has passed, by `Retry-After`.
    After(Duration),
    /// Not before this time has passed, and nobody here waits for it.
    Later(Duration),
}

impl Trouble {
    pub(super) fn new(kind: UnavailableKind, text: impl Into<String>, retry: Retry) -> Self {
        Self { kind, text: text.into(), retry }
    }

    /// The trouble that an unwanted `status` is.
    pub(super) fn of_status(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Self {
        let wait = retry_after(headers, now).map_or(Retry::Soon, Retry::After);
        let (kind, retry) = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => (UnavailableKind::Unauthorized, Retry::Never),
            StatusCode::TOO_MANY_REQUESTS => (UnavailableKind::RateLimited, wait),
            status if status.is_server_error() => (UnavailableKind::Status, wait),
            _ => (UnavailableKind::Status, Retry::Never),
        };
        Self::new(kind, status.to_string(), retry)
    }

    /// The same, with the request that it happened to.
    pub(super) fn at(mut self, request: &str) -> Self {
        self.text = format!("{request}: {}", self.text);
        self
    }

    pub(super) fn of_upstream(self, name: &str) -> Unavailable {
        let retry_after = match self.retry {
            Retry::After(wait) | Retry::Later(wait) => Some(wait),
            Retry::Never | Retry::Soon => None,
        };
        Unavailable { upstream: name.to_owned(), kind: self.kind, text: self.text, retry_after }
    }
}

/// `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(now.duration_until(date)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, text.parse().unwrap());
        retry_after(&headers, "1994-11-06T08:49:30Z".parse().unwrap())
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(wait("120"), Some(Duration::from_mins(2)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:07 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let retry = |status| Trouble::of_status(status, &HeaderMap::new(), Timestamp::UNIX_EPOCH).retry;
        assert_eq!(retry(StatusCode::BAD_GATEWAY), Retry::Soon);
        assert_eq!(retry(StatusCode::TOO_MANY_REQUESTS), Retry::Soon);
        for status in [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::BAD_REQUEST, StatusCode::CONFLICT] {
            assert_eq!(retry(status), Retry::Never, "{status}");
        }
    }
}
