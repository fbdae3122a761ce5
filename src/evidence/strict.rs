//! JSON read one way only: what two parsers could read differently is refused.
//!
//! A key given twice is the classic: one parser takes the first value, another the last, and what was signed is not
//! what is judged. All evidence is read through here, what is asked for and what is passed over alike, in one pass.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::evidence::Malformed;
use crate::evidence::text::Word;
use crate::limits;

/// Reads a JSON document. What of it is taken as a [`RawValue`](serde_json::value::RawValue) is JSON, and no more is known
/// of it: whoever takes one reads it through here in turn.
///
/// # Errors
/// [`Malformed::Json`] if it is not one JSON text (RFC 8259) from the first byte to the last, has a key twice in one
/// object anywhere, nests deeper than [`limits::JSON_DEPTH`] (where `serde_json` stops by itself), has more than
/// [`limits::JSON_MEMBERS`] members in an object, or is not the `T` that it should be. [`Malformed::TooMuch`] for more than
/// [`limits::JSON_OBJECTS`] or [`limits::JSON_VALUES`].
pub fn read_strictly<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T, Malformed> {
    let text = std::str::from_utf8(json).map_err(|error| Malformed::Json(error.to_string()))?;
    read_text_strictly(text)
}

/// [`read_strictly`] of what is known to be UTF-8, of which no part is held against that again.
pub(in crate::evidence) fn read_text_strictly<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, Malformed> {
    let (mut deserializer, mut seen) = (serde_json::Deserializer::from_str(json), Seen::default());
    let strict = Strict { inner: &mut deserializer, seen: &mut seen };
    let read = T::deserialize(strict).and_then(|read| deserializer.end().map(|()| read));
    read.map_err(|error| seen.too_much().err().unwrap_or_else(|| Malformed::json(&error)))
}

/// The part of [`read_text_strictly`] that needs no type.
pub(in crate::evidence) fn check_strictly(json: &str) -> Result<(), Malformed> {
    read_text_strictly::<IgnoredAny>(json).map(drop)
}

/// Reads a `T` out of JSON that [`check_strictly`] has seen.
pub(in crate::evidence) fn read_checked<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(json).map_err(|error| Malformed::json(&error))
}

/// A time, unless it is the one that Go writes where there is none: the first second of year 1.
pub(in crate::evidence) fn told(time: Option<Timestamp>) -> Option<Timestamp> {
    const NEVER: i64 = -62_135_596_800;
    time.filter(|time| time.as_second() > NEVER)
}

/// A part of the machinery of `serde`, and every part that it hands out: a deserializer, what it reads into, a list or an
/// object that it is in the middle of.
struct Strict<'a, 'de, T> {
    inner: T,
    seen: &'a mut Seen<'de>,
}

/// What was seen of a document so far.
#[derive(Default)]
struct Seen<'de> {
    /// The keys of all objects that are open.
    keys: Vec<Cow<'de, str>>,
    objects: usize,
    /// All but the first members of objects.
    values: usize,
}

impl Seen<'_> {
    /// Whoever keeps a document as a tree of values takes a hundred times its size for `[{"a":0},{"a":0},..]`: a piece of
    /// junk of 64 MiB, which anybody can attach to an image, would take gigabytes.
    fn too_much(&self) -> Result<(), Malformed> {
        let at_most = |limit: usize, count: usize, what| {
            if count > limit { Err(Malformed::TooMuch { what, limit: limit as u64 }) } else { Ok(()) }
        };
        at_most(limits::JSON_OBJECTS, self.objects, "objects of JSON")?;
        at_most(limits::JSON_VALUES, self.values, "values of JSON")
    }
}

/// What a deserializer is asked for, asked of the one within.
macro_rules! ask {
    ($($method:ident($($argument:ident: $kind:ty),*))*) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $kind,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($argument,)* Strict { inner: visitor, seen: self.seen })
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<'_, 'de, D> {
    type Error = D::Error;

    ask! {
        deserialize_any() deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_f32() deserialize_f64()
        deserialize_char() deserialize_str() deserialize_string() deserialize_bytes() deserialize_byte_buf()
        deserialize_option() deserialize_unit() deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str) deserialize_seq() deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize) deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) deserialize_identifier()
    }

    /// What is passed over is looked through all the same.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_any(visitor)
    }

    /// Variants are names, and have no content that could be read in two ways.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        visitor.visit_enum(StrDeserializer::new(&Word::deserialize(self.inner)?.0))
    }
}

/// What a value is, told to the visitor within.
macro_rules! tell {
    ($($method:ident($kind:ty))*) => {
        $(fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.inner.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Strict<'_, 'de, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    tell! { visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64) visit_str(&str) visit_borrowed_str(&'de str) }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Strict { inner, seen: self.seen })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Strict { inner, seen: self.seen })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Strict { inner, seen: self.seen })
    }

    /// Keys are compared once the object ends, sorted: no table to be flooded with collisions. Whatever else may be wrong, that
    /// is told.
    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let start = self.seen.keys.len();
        self.seen.objects += 1;
        self.seen.too_much().map_err(A::Error::custom)?;
        let value = self.inner.visit_map(Members { object: Strict { inner, seen: &mut *self.seen }, start });
        if has_duplicates(self.seen.keys.get_mut(start..).unwrap_or_default()) {
            return Err(A::Error::custom("a key twice in one object"));
        }
        self.seen.keys.truncate(start);
        value
    }
}

fn has_duplicates(keys: &mut [Cow<'_, str>]) -> bool {
    keys.sort_unstable();
    keys.windows(2).any(|pair| matches!(pair, [one, other] if one == other))
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<'_, 'de, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Strict { inner, seen: self.seen })
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Strict<'_, 'de, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, inner: S) -> Result<Option<S::Value>, A::Error> {
        self.seen.values += 1;
        self.seen.too_much().map_err(A::Error::custom)?;
        self.inner.next_element_seed(Strict { inner, seen: &mut *self.seen })
    }
}

/// The members of an object whose keys begin at `start`.
struct Members<'a, 'de, A> {
    object: Strict<'a, 'de, A>,
    start: usize,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<'_, 'de, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let Some(Word(key)) = self.object.inner.next_key()? else { return Ok(None) };
        let before = self.object.seen.keys.len() - self.start;
        if before == limits::JSON_MEMBERS {
            return Err(A::Error::custom("an object with too many members"));
        }
        self.object.seen.values += usize::from(before > 0);
        self.object.seen.too_much().map_err(A::Error::custom)?;
        let read = match key {
            Cow::Borrowed(key) => seed.deserialize(BorrowedStrDeserializer::new(key)),
            Cow::Owned(ref key) => seed.deserialize(StrDeserializer::new(key)),
        };
        self.object.seen.keys.push(key);
        read.map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, inner: S) -> Result<S::Value, A::Error> {
        self.object.inner.next_value_seed(Strict { inner, seen: &mut *self.object.seen })
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
            assert!(check_strictly(json).is_err(), "{json}");
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
        assert!(read(&format!("{{\"a\":{}}}", members(limits::JSON_MEMBERS))).is_ok(), "each object has its own");
        assert!(read(&members(limits::JSON_MEMBERS + 1)).is_err());
    }

    #[test]
    fn objects_and_values_are_bounded() {
        let list = |value: &str, count: usize| format!("[{}]", vec![value; count].join(","));
        let refused = |json: &str| match check_strictly(json) {
            Err(Malformed::TooMuch { what, .. }) => Some(what),
            Err(Malformed::Json(_) | Malformed::StatementType(_)) | Ok(()) => None,
        };
        assert!(check_strictly(&list("{}", limits::JSON_OBJECTS)).is_ok());
        assert_eq!(refused(&list("{}", limits::JSON_OBJECTS + 1)), Some("objects of JSON"));
        let within = format!("{{\"a\":{}}}", list("0", limits::JSON_VALUES - 1));
        assert!(check_strictly(&within).is_ok(), "the first member of an object counts as the object");
        assert_eq!(refused(&list("0", limits::JSON_VALUES + 1)), Some("values of JSON"));
        let members = list(r#"{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0}"#, limits::JSON_VALUES / 6 + 1);
        assert_eq!(refused(&members), Some("values of JSON"));
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
