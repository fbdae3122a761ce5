//! JSON read one way only: what two parsers could read differently is refused.
//!
//! A key given twice is the classic: one parser takes the first value, another the last, and what was signed is not
//! what is judged. Evidence goes through here before any of it is looked at.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::de::{DeserializeOwned, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::evidence::Malformed;
use crate::evidence::quoted::check_quoted;
use crate::limits;

/// In how many levels of objects a text may be as large as a bill of materials: the payload of an envelope in a bundle, a
/// document in a predicate that cosign 1 wrapped. It is checked where it stands; a parser would build it first.
const LEVELS: usize = 2;

/// Reads a JSON document.
///
/// # Errors
/// [`Malformed::Json`] if it is not one JSON text (RFC 8259) from the first byte to the last, has a key twice in one
/// object anywhere, nests deeper than [`limits::JSON_DEPTH`] (where `serde_json` stops by itself), has more than
/// [`limits::JSON_MEMBERS`] members in an object, or is not the `T` that it should be.
pub fn read_strictly<T: DeserializeOwned>(json: &[u8]) -> Result<T, Malformed> {
    check_strictly(json)?;
    read_checked(json)
}

/// The part of [`read_strictly`] that needs no type.
pub(in crate::evidence) fn check_strictly(json: &[u8]) -> Result<(), Malformed> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    Value { keys: &mut Vec::new(), levels: LEVELS }
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(|error| Malformed::json(&error))
}

/// Reads a `T` out of JSON that [`check_strictly`] has seen.
pub(in crate::evidence) fn read_checked<'de, T: serde::Deserialize<'de>>(json: &'de [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(json).map_err(|error| Malformed::json(&error))
}

/// A time, unless it is the one that Go writes where there is none: the first second of year 1.
pub(in crate::evidence) fn told(time: Option<Timestamp>) -> Option<Timestamp> {
    const NEVER: i64 = -62_135_596_800;
    time.filter(|time| time.as_second() > NEVER)
}

/// Any JSON value, of which nothing is kept but the keys of the objects that are still open.
struct Value<'a, 'de> {
    keys: &'a mut Vec<Cow<'de, str>>,
    /// In how many more levels of objects texts are checked where they stand.
    levels: usize,
}

impl<'de> DeserializeSeed<'de> for Value<'_, 'de> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Value<'_, 'de> {
    /// Checks a value as it is written.
    fn check(self, written: &'de RawValue) -> Result<(), Malformed> {
        if written.get().starts_with('"') {
            return check_quoted(written.get());
        }
        let mut deserializer = serde_json::Deserializer::from_str(written.get());
        self.deserialize(&mut deserializer).map_err(|error| Malformed::json(&error))
    }

    fn has_duplicates(&mut self, start: usize) -> bool {
        let Some(keys) = self.keys.get_mut(start..) else { return false };
        keys.sort_unstable();
        keys.windows(2).any(|pair| matches!(pair, [one, other] if one == other))
    }
}

impl<'de> Visitor<'de> for Value<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Value { keys: self.keys, levels: 0 })?.is_some() {}
        Ok(())
    }

    /// Keys are compared once the object ends, sorted: no table to be flooded with collisions.
    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let start = self.keys.len();
        while let Some(key) = members.next_key_seed(Key)? {
            if self.keys.len() - start == limits::JSON_MEMBERS {
                return Err(A::Error::custom("an object with too many members"));
            }
            self.keys.push(key);
            match self.levels.checked_sub(1) {
                Some(levels) => {
                    let value = Value { keys: self.keys, levels };
                    members.next_value().and_then(|written| value.check(written).map_err(A::Error::custom))?;
                }
                None => members.next_value_seed(Value { keys: self.keys, levels: 0 })?,
            }
        }
        if self.has_duplicates(start) {
            return Err(A::Error::custom("a key twice in one object"));
        }
        self.keys.truncate(start);
        Ok(())
    }
}

/// A key, borrowed where it is written without escapes.
pub(in crate::evidence) struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::*;

    fn read(json: &str) -> Result<Json, Malformed> {
        read_strictly(json.as_bytes())
    }

    #[test]
    fn a_key_given_twice_is_refused_at_any_depth() {
        for json in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"a":3}"#,
            r#"[{"x":{"a":1,"a":2}}]"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":{"b":1},"a":{"c":1}}"#,
        ] {
            assert!(read(json).unwrap_err().to_string().contains("a key twice"), "{json}");
        }
    }

    #[test]
    fn the_same_key_in_two_objects_is_fine() {
        assert!(read(r#"{"a":{"a":1},"b":{"a":1,"b":[{"a":1},{"a":2}]}}"#).is_ok());
    }

    #[test]
    fn trailing_bytes_are_refused() {
        for json in ["{} {}", "{}x", "1 2", "{}\0"] {
            assert!(check_strictly(json.as_bytes()).is_err(), "{json}");
            assert!(read(json).is_err(), "{json}");
        }
        assert!(read(" {} \n").is_ok());
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for json in ["", "{", "{a:1}", "{'a':1}", "[1,]", "{\"a\":1,}", "nul", "\u{feff}{}", "NaN", "01"] {
            assert!(read(json).is_err(), "{json:?}");
        }
        assert!(read_strictly::<Json>(b"\"\xff\"").is_err(), "not UTF-8");
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(limits::JSON_DEPTH - 1)).is_ok());
        assert!(read(&nested(limits::JSON_DEPTH + 1)).is_err());
        assert!(read(&"[{\"a\":".repeat(100_000)).is_err());
    }

    #[test]
    fn members_are_bounded() {
        let members = |count: usize| {
            let members: Vec<_> = (0..count).map(|number| format!("\"{number}\":0")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(read(&members(limits::JSON_MEMBERS)).is_ok());
        assert!(read(&members(limits::JSON_MEMBERS + 1)).is_err());
    }

    #[test]
    fn an_error_quotes_only_a_little() {
        let long = format!("\"{}\"", "x".repeat(10_000));
        let error = read_strictly::<u8>(long.as_bytes()).unwrap_err().to_string();
        assert!(error.len() < 300, "{} bytes", error.len());
    }

    fn json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            ".*".prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Json::from),
                prop::collection::btree_map(".*", inner, 0..8)
                    .prop_map(|members| Json::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_document_reads_back_as_it_is(value in json()) {
            prop_assert_eq!(read(&value.to_string()).unwrap(), value);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            drop(read_strictly::<Json>(&bytes));
        }

        #[test]
        fn a_repeated_member_is_refused_wherever_it_stands(value in json(), key in ".*") {
            let (key, value) = (Json::from(key), value.to_string());
            let text = format!("[{value},{{{key}:{value},{key}:{value}}}]");
            prop_assert!(read(&text).is_err());
        }
    }
}
