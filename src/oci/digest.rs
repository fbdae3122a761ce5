//! The digest of content: computed from bytes, never believed from a header.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256, digest};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const PREFIX: &str = "sha256:";
const BYTES: usize = 32;

/// A SHA-256 digest, written `sha256:<64 lowercase hexadecimal digits>`.
///
/// SHA-256 is the only algorithm served: every evidence format that can be checked names its subject by it. Other
/// registered algorithms (OCI image specification, "Digests") are refused by name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema)]
pub struct Digest(#[schemars(with = "String", regex(pattern = "^sha256:[0-9a-f]{64}$"))] [u8; BYTES]);

/// Why a text is no digest that can be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// The text names another algorithm than SHA-256.
    #[error("digest algorithm {algorithm:?} is not supported, only sha256 is")]
    Algorithm {
        /// The algorithm as written, cut to 32 characters.
        algorithm: String,
    },
    /// The text is not `algorithm:hex`, or the hexadecimal part is not 64 lowercase digits.
    #[error("a digest is written sha256:<64 lowercase hexadecimal digits>")]
    Malformed,
}

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_output(digest(&SHA256, bytes).as_ref())
    }

    /// The 32 bytes themselves.
    pub const fn as_bytes(&self) -> &[u8; BYTES] {
        &self.0
    }

    /// The digest whose 32 bytes are `bytes`.
    pub const fn from_bytes(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }

    /// The hexadecimal part, without the algorithm.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The digest whose hexadecimal part is `hex`.
    ///
    /// # Errors
    /// [`DigestError::Malformed`] unless `hex` is 64 lowercase hexadecimal digits.
    pub fn from_hex(hex: &str) -> Result<Self, DigestError> {
        let digits: [u8; 2 * BYTES] = hex.as_bytes().try_into().map_err(|_| DigestError::Malformed)?;
        let values = digits.map(value);
        // All are looked at before any is refused, so that many are read at a time: every request names a digest.
        if values.iter().fold(0, |all, value| all | value) > 0xf {
            return Err(DigestError::Malformed);
        }
        let mut bytes = [0; BYTES];
        for (byte, pair) in bytes.iter_mut().zip(values.as_chunks().0) {
            let [high, low] = *pair;
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }

    fn from_output(output: &[u8]) -> Self {
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(output);
        Self(bytes)
    }
}

/// What a lowercase hexadecimal digit stands for; more than 15 for anything else.
const fn value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => u8::MAX,
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        if let Some(hex) = text.strip_prefix(PREFIX) {
            return Self::from_hex(hex);
        }
        match text.split_once(':') {
            Some((algorithm, _)) => Err(DigestError::Algorithm { algorithm: algorithm.chars().take(32).collect() }),
            None => Err(DigestError::Malformed),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut hex = [0; 2 * BYTES];
        hex::encode_to_slice(self.0, &mut hex).map_err(|_| fmt::Error)?;
        f.write_str(PREFIX)?;
        f.write_str(std::str::from_utf8(&hex).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A digest in the making, for bytes that arrive in pieces.
#[derive(Clone)]
pub struct Hasher(Context);

impl Hasher {
    /// A hasher that has seen no byte yet.
    pub fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes taken in.
    pub fn finish(self) -> Digest {
        Digest::from_output(self.0.finish().as_ref())
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_digest_reads_back_as_written() {
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
        assert_eq!(EMPTY.parse(), Ok(Digest::of(b"")));
    }

    #[test]
    fn pieces_hash_as_the_whole() {
        let mut hasher = Hasher::new();
        hasher.update(b"ab");
        hasher.update(b"c");
        assert_eq!(hasher.finish(), Digest::of(b"abc"));
    }

    #[test]
    fn upper_case_short_and_long_hexadecimals_are_refused() {
        for text in [EMPTY.to_uppercase(), EMPTY[..70].to_owned(), format!("{EMPTY}0"), EMPTY.replace("e3b0", "E3B0")] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }

    #[test]
    fn each_of_64_characters_is_a_lowercase_digit() {
        // The neighbours of the digits in ASCII, a prefix that some decoders know, and what is no ASCII at all.
        for wrong in ["/", ":", "`", "g", "A", "F", "G", " ", "0x", "+f", "é"] {
            for at in [7, 38, 71 - wrong.len()] {
                let mut text = EMPTY.to_owned();
                text.replace_range(at..at + wrong.len(), wrong);
                assert_eq!((text.len(), text.parse::<Digest>()), (71, Err(DigestError::Malformed)), "{text}");
            }
        }
        assert!(format!("sha256:0x{}", &EMPTY[7..]).parse::<Digest>().is_err());
    }

    #[test]
    fn another_algorithm_is_named_in_the_error() {
        let error = format!("sha512:{}", "0".repeat(128)).parse::<Digest>().unwrap_err();
        assert_eq!(error, DigestError::Algorithm { algorithm: "sha512".into() });
    }
}
