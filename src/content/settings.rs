//! Where content is kept and how much of it, as the configuration says.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// Where content is kept and how much of it: the content's share of `[storage]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The folder of all that is stored; content is in its subfolder `content`. Made if it is not there.
    pub path: PathBuf,
    /// How much content may be kept.
    pub max_size: ByteSize,
    /// How many bytes a second are read in search of damage; none with `0B`.
    pub scrub_rate: ByteSize,
}

/// A number of bytes, written as `50GiB`, `500MB` or `1024`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
pub struct ByteSize(#[schemars(with = "String", regex(pattern = "^[0-9]+ *(|B|[kKMGT]B|[KMGT]iB)$"))] u64);

/// Why a text is no number of bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ByteSizeError {
    /// It does not start with digits, or has a sign or a fraction.
    #[error("{0:?} is not a size: write a whole number and a unit, such as 50GiB")]
    Number(String),
    /// What follows the digits is no unit.
    #[error("{0:?} is not a unit of size: write B, kB, MB, GB, TB, KiB, MiB, GiB or TiB")]
    Unit(String),
    /// More bytes than can be counted.
    #[error("{0:?} is more than can be stored")]
    TooLarge(String),
}

impl ByteSize {
    /// The size of `bytes` bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = ByteSizeError;

    fn from_str(text: &str) -> Result<Self, ByteSizeError> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(end);
        if digits.is_empty() || unit.starts_with(['.', ',']) {
            return Err(ByteSizeError::Number(text.into()));
        }
        let factor = factor(unit.trim_start()).ok_or_else(|| ByteSizeError::Unit(unit.trim().into()))?;
        let number = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
        number.map(Self).ok_or_else(|| ByteSizeError::TooLarge(text.into()))
    }
}

fn factor(unit: &str) -> Option<u64> {
    Some(match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1000 * 1000,
        "GB" => 1000 * 1000 * 1000,
        "TB" => 1000 * 1000 * 1000 * 1000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    })
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units: [(u64, _); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        let exact = units.into_iter().find(|(factor, _)| self.0 > 0 && self.0.is_multiple_of(*factor));
        match exact {
            Some((factor, unit)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_binary_and_decimal_units() {
        for (text, bytes) in
            [("50GiB", 50 << 30), ("500 MB", 500_000_000), ("1024", 1024), ("7B", 7), ("2TiB", 2 << 40)]
        {
            assert_eq!(text.parse(), Ok(ByteSize::new(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_what_to_write_instead() {
        assert_eq!("".parse::<ByteSize>(), Err(ByteSizeError::Number(String::new())));
        assert_eq!("-1GiB".parse::<ByteSize>(), Err(ByteSizeError::Number("-1GiB".into())));
        assert_eq!("1.5GiB".parse::<ByteSize>(), Err(ByteSizeError::Number("1.5GiB".into())));
        assert_eq!("50G".parse::<ByteSize>(), Err(ByteSizeError::Unit("G".into())));
        assert_eq!("99999999TiB".parse::<ByteSize>(), Err(ByteSizeError::TooLarge("99999999TiB".into())));
        assert!("50G".parse::<ByteSize>().unwrap_err().to_string().contains("GiB"));
    }

    #[test]
    fn a_size_reads_back_as_written() {
        for text in ["50GiB", "3MiB", "1025B", "0B"] {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_misspelt_setting_is_refused() {
        let json = r#"{"path":"/tmp","max_size":"1GiB","scrub_rate":"1MiB","maxsize":"2GiB"}"#;
        assert!(serde_json::from_str::<Settings>(json).unwrap_err().to_string().contains("maxsize"));
    }
}
