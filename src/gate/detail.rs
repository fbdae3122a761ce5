//! A verdict for a client that was refused, in bounded length: whoever publishes evidence decides how long the lists and
//! texts in it are, and every request for the image would be answered with all of them.

use serde_json::{Value, json};

/// Longest detail, in bytes of JSON. Ordinary ones have one or two thousand, and clients read answers of a few megabytes.
const BYTES: usize = 64 * 1024;
/// How far lists and texts are cut: as little as does.
const CUTS: [Cut; 3] =
    [Cut { items: 16, characters: 512 }, Cut { items: 4, characters: 128 }, Cut { items: 1, characters: 64 }];

/// Most members of an object that are told: those of a verdict have up to a dozen.
const MEMBERS: usize = 16;

/// How much of a detail is told.
#[derive(Clone, Copy)]
struct Cut {
    /// Most items of a list.
    items: usize,
    /// Most characters of a text.
    characters: usize,
}

/// `detail` within [`BYTES`]. What is left out is counted where it stood: `and 12 more`.
pub(in crate::gate) fn bounded(detail: Value) -> Value {
    if is_short(&detail) {
        return detail;
    }
    let shorter = CUTS.iter().map(|cut| cut.value(&detail)).find(is_short);
    shorter.unwrap_or_else(|| json!({ "decision": detail.get("decision"), "requirements": "too many to be told" }))
}

fn is_short(detail: &Value) -> bool {
    // What cannot be written is not sent either.
    serde_json::to_vec(detail).is_ok_and(|bytes| bytes.len() <= BYTES)
}

impl Cut {
    fn value(self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Array(items) => {
                let told = items.iter().take(self.items).map(|item| self.value(item));
                told.chain(more(items.len(), self.items).map(Value::from)).collect()
            }
            Value::Object(members) => {
                let told = members.iter().take(MEMBERS).map(|(key, member)| (self.text(key), self.value(member)));
                told.chain(more(members.len(), MEMBERS).map(|more| (more, Value::Null))).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn text(self, text: &str) -> String {
        match text.char_indices().nth(self.characters).and_then(|(end, _)| text.split_at_checked(end)) {
            Some((told, rest)) => format!("{told}.. and {} more", rest.chars().count()),
            None => text.to_owned(),
        }
    }
}

fn more(count: usize, told: usize) -> Option<String> {
    count.checked_sub(told).filter(|more| *more > 0).map(|more| format!("and {more} more"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn length(detail: &Value) -> usize {
        serde_json::to_vec(detail).unwrap().len()
    }

    #[test]
    fn an_ordinary_detail_is_told_whole() {
        let detail = json!({ "decision": "refuse", "requirements": vec![json!({ "text": "x".repeat(600) }); 40] });
        assert_eq!(bounded(detail.clone()), detail);
    }

    #[test]
    fn what_is_left_out_of_a_list_is_counted() {
        let detail = bounded(json!({ "decision": "refuse", "requirements": vec!["x".repeat(500); 1000] }));
        assert_eq!(detail["decision"], "refuse");
        let told = detail["requirements"].as_array().unwrap();
        assert_eq!((told.len(), told[0].as_str().unwrap().len(), &told[16]), (17, 500, &json!("and 984 more")));
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        let detail = bounded(json!({ "decision": "refuse", "requirements": ["ä€😀".repeat(30_000)] }));
        let told = detail["requirements"][0].as_str().unwrap();
        assert!(told.starts_with("ä€😀") && told.ends_with(".. and 89488 more"), "{told}");
    }

    #[test]
    fn a_detail_that_is_too_long_however_it_is_cut_says_what_was_decided() {
        let mut deep = json!("x".repeat(100));
        for _ in 0..12 {
            deep = json!({ "a": deep.clone(), "b": [deep] });
        }
        let detail = bounded(json!({ "decision": "refuse", "requirements": deep }));
        assert_eq!(detail, json!({ "decision": "refuse", "requirements": "too many to be told" }));
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf =
            prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), ".{0,2000}".prop_map(Value::from)];
        leaf.prop_recursive(4, 256, 64, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..64).prop_map(Value::from),
                proptest::collection::btree_map(".{0,100}", inner, 0..64).prop_map(|it| it.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_detail_is_longer_than_its_bound(detail in values()) {
            let detail = bounded(json!({ "decision": "refuse", "requirements": detail }));
            prop_assert!(length(&detail) <= BYTES);
        }
    }
}
