//! The one wall clock. Whatever depends on time asks it, so that tests move time by hand.

use std::fmt;
use std::fmt::Debug;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{ClockId, Timespec, clock_gettime};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Tells the time of day.
pub trait Clock: Debug + Send + Sync {
    /// The current time, UTC.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock, to some milliseconds: as precise as the times of its files, and read several times for each
/// request, at a sixth of what its finest time costs.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

#[cfg(target_os = "linux")]
const WALL_CLOCK: ClockId = ClockId::RealtimeCoarse;
#[cfg(not(target_os = "linux"))]
const WALL_CLOCK: ClockId = ClockId::Realtime;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let Timespec { tv_sec, tv_nsec } = clock_gettime(WALL_CLOCK);
        // Nanoseconds are fewer than a second's, by POSIX; what lies beyond the year 9999 is its end.
        Timestamp::new(tv_sec, i32::try_from(tv_nsec).unwrap_or_default()).unwrap_or(Timestamp::MAX)
    }
}

/// Between half of `pause` and all of it, so that those who start or fail together do not come back together.
pub fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8) % 1000;
    pause / 2 + pause.saturating_mul(u32::try_from(random).unwrap_or(0)) / 2000
}

/// Reads a time with an offset, for `#[serde(deserialize_with)]`: a text, or a TOML date-time (which reaches serde as a
/// map of one private key to a text).
///
/// # Errors
/// Those of the deserializer, and one for a text that is no RFC 3339 time with an offset.
pub fn read_timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    deserializer.deserialize_any(TimestampVisitor)
}

const DURATION: &str = "a duration is a number with ms, s, m, h or d, such as \"60s\"";

/// Reads a duration such as `60s`, digits and one unit, for `#[serde(deserialize_with)]`.
///
/// # Errors
/// Those of the deserializer, and one for a text that is no duration.
pub fn read_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration(&text).ok_or_else(|| D::Error::custom(format!("{text:?}: {DURATION}")))
}

/// What [`read_duration`] reads, for `#[schemars(schema_with)]`.
pub fn duration_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" })
}

/// The duration that [`read_duration`] reads from `text`.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let number: u64 = number.parse().ok()?;
    let seconds = match unit {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_the_operating_systems_to_some_milliseconds() {
        let finest = clock_gettime(ClockId::Realtime);
        let finest = Timestamp::new(finest.tv_sec, i32::try_from(finest.tv_nsec).unwrap()).unwrap();
        let apart = SystemClock.now().duration_since(finest).unsigned_abs();
        // A busy machine may look elsewhere between the two.
        assert!(apart < Duration::from_secs(10), "{apart:?}");
    }

    #[test]
    fn durations_are_texts_with_a_unit() {
        let all = [("250ms", 250), ("1s", 1000), ("2m", 120_000), ("1h", 3_600_000), ("1d", 86_400_000)];
        for (text, milliseconds) in all {
            assert_eq!(duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "60", "s", "1 s", "-1s", "1.5s", "1w", "18446744073709551615d"] {
            assert_eq!(duration(text), None, "{text}");
        }
        let error = read_duration(serde_json::json!("60")).unwrap_err().to_string();
        assert!(error.contains("such as \"60s\""), "{error}");
    }
}
