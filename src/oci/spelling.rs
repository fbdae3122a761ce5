//! JSON that every reader understands alike.
//!
//! Go's readers, and so containerd, docker and podman, match the names of members whatever their case, and of two that
//! match the last one counts. A manifest with `layers` and `Layers` would be one thing here and another one there
//! (compare CVE-2021-41190), so names that only nearly are those of the specification are refused.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The members of manifests, indexes and descriptors that decide what they are and what they reach.
const NAMES: [&str; 13] = [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "subject",
    "digest",
    "size",
    "urls",
    "data",
    "platform",
    ANNOTATIONS,
];
/// Free text: their names are nobody's business.
const ANNOTATIONS: &str = "annotations";

/// Any JSON in which no member is spelt nearly as one of [`NAMES`], and which is no deeper than `serde_json` reads.
#[derive(Debug)]
pub(in crate::oci) struct Spelt;

impl<'de> Deserialize<'de> for Spelt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Spelt;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Spelt, E> {
        Ok(Spelt)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Spelt, E> {
        Ok(Spelt)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Spelt, E> {
        Ok(Spelt)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Spelt, E> {
        Ok(Spelt)
    }

    fn visit_str<E>(self, _: &str) -> Result<Spelt, E> {
        Ok(Spelt)
    }

    fn visit_unit<E>(self) -> Result<Spelt, E> {
        Ok(Spelt)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Spelt, A::Error> {
        while list.next_element::<Spelt>()?.is_some() {}
        Ok(Spelt)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Spelt, A::Error> {
        while let Some(name) = object.next_key::<String>()? {
            if let Some(meant) = nearly(&name) {
                return Err(Error::custom(format_args!("the member {name:?}, which some take for {meant:?}")));
            }
            if name == ANNOTATIONS {
                object.next_value::<Option<HashMap<String, String>>>()?;
            } else {
                object.next_value::<Spelt>()?;
            }
        }
        Ok(Spelt)
    }
}

/// The name that `name` is taken for by who does not mind case, if it is not that name itself.
fn nearly(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|meant| *meant != name && folded(name).eq(folded(meant)))
}

/// As Go folds: besides ASCII, two signs of Unicode have an ASCII letter as their other case.
fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().map(|sign| match sign {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Spelt, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_name_that_only_nearly_is_one_of_the_specification_is_refused_at_any_depth() {
        for json in [
            r#"{"Layers":[]}"#,
            r#"{"LAYERS":[]}"#,
            r#"{"layer\u017f":[]}"#,
            r#"{"mediatype":""}"#,
            r#"{"layers":[{"Digest":""}]}"#,
            r#"{"x":{"y":[{"Annotations":{}}]}}"#,
        ] {
            assert!(read(json).unwrap_err().to_string().contains("some take for"), "{json}");
        }
    }

    #[test]
    fn other_names_are_free() {
        for json in [
            r#"{"layers":[{"digest":"","size":1.5}],"annotations":null,"x":-1,"y":[true,null]}"#,
            r#"{"annotations":{"Layers":"","DIGEST":""}}"#,
        ] {
            read(json).unwrap();
        }
    }

    #[test]
    fn depth_is_bounded() {
        for depth in [200, 1_000_000] {
            assert!(read(&format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth))).is_err());
        }
    }
}
