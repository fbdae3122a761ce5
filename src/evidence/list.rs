//! Lists in untrusted documents, read element by element, so that an element costs no more memory than what is kept
//! of it: `[{},{},..]` is cheap to write.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use crate::evidence::Malformed;

/// Hands every element of a list to `take`. `null` is an empty list.
pub(in crate::evidence) fn each<'de, T, D, F>(deserializer: D, take: F) -> Result<(), D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
    F: FnMut(T),
{
    deserializer.deserialize_any(Each { take, element: PhantomData })
}

struct Each<T, F> {
    take: F,
    element: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> Visitor<'de> for Each<T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element()? {
            (self.take)(element);
        }
        Ok(())
    }
}

/// A list that keeps `N` elements, and one more to tell that there are too many.
#[derive(Debug)]
pub(in crate::evidence) struct AtMost<T, const N: usize>(Vec<T>);

impl<T, const N: usize> AtMost<T, N> {
    /// The elements.
    ///
    /// # Errors
    /// [`Malformed::TooMuch`] of `what` for more than `N`.
    pub(in crate::evidence) fn of(self, what: &'static str) -> Result<Vec<T>, Malformed> {
        if self.0.len() > N {
            return Err(Malformed::TooMuch { what, limit: N as u64 });
        }
        Ok(self.0)
    }
}

impl<T, const N: usize> Default for AtMost<T, N> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for AtMost<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut kept = Vec::new();
        each(deserializer, |element| {
            if kept.len() <= N {
                kept.push(element);
            }
        })?;
        Ok(Self(kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Vec<u8>, Malformed> {
        serde_json::from_str::<AtMost<u8, 2>>(json).unwrap().of("numbers")
    }

    #[test]
    fn a_list_may_have_as_many_elements_as_it_may() {
        assert_eq!(read("[1,2]"), Ok(vec![1, 2]));
        assert_eq!(read("null"), Ok(vec![]));
        for text in ["[1,2,3]", "[1,2,3,4,5]"] {
            assert_eq!(read(text), Err(Malformed::TooMuch { what: "numbers", limit: 2 }));
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["{}", "1", "\"\"", "[1,\"2\"]", "[1,2,3,null]"] {
            assert!(serde_json::from_str::<AtMost<u8, 2>>(text).is_err(), "{text}");
        }
    }
}
