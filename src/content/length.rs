//! How long content may be, as far as whoever asks for it knows.

/// How many bytes content has, or may have. Bounds what is fetched: a body that goes on is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Length {
    /// Exactly so many: the descriptor that names it says so.
    Exactly(u64),
    /// At most so many.
    AtMost(u64),
}

impl Length {
    /// The most bytes that the content can have.
    pub const fn most(self) -> u64 {
        match self {
            Self::Exactly(length) | Self::AtMost(length) => length,
        }
    }

    /// Whether content of `size` bytes fits.
    pub const fn admits(self, size: u64) -> bool {
        match self {
            Self::Exactly(length) => size == length,
            Self::AtMost(length) => size <= length,
        }
    }

    /// The size, if it is known.
    pub(crate) const fn known(self) -> Option<u64> {
        match self {
            Self::Exactly(length) => Some(length),
            Self::AtMost(_) => None,
        }
    }
}

/// A plain number is a bound.
impl From<u64> for Length {
    fn from(limit: u64) -> Self {
        Self::AtMost(limit)
    }
}
