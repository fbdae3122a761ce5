//! The one wall clock. Whatever depends on time asks it, so that tests move time by hand.

use std::fmt;
use std::fmt::Debug;

use jiff::Timestamp;
use serde::Deserializer;
use serde::de::{Error, MapAccess, Visitor};

/// Tells the time of day.
pub trait Clock: Debug + Send + Sync {
    /// The current time, UTC.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the operating system")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Reads a time with an offset, for `#[serde(deserialize_with)]`: a text, or a TOML date-time (which reaches serde as a
/// map of one private key to a text).
///
/// # Errors
/// Those of the deserializer, and one for a text that is no RFC 3339 time with an offset.
pub fn read_timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    deserializer.deserialize_any(TimestampVisitor)
}

struct TimestampVisitor;

impl<'de> Visitor<'de> for TimestampVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time with an offset, such as 2027-01-01T00:00:00Z")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
        text.parse().map_err(|_| E::custom(format!("{text:?} is not a time such as 2027-01-01T00:00:00Z")))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Timestamp, A::Error> {
        let entry = map.next_entry::<String, String>()?;
        let (_, text) = entry.ok_or_else(|| A::Error::custom("an empty table is not a time"))?;
        self.visit_str(&text)
    }
}
