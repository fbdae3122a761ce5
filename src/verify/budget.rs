//! How much memory a JSON text may take once it is parsed: bounded before anything is.
//!
//! The verifier keeps bundles and statements as trees of values, whoever signed them. `[{"a":0},{"a":0},..]` grows a
//! hundredfold by that: a piece of junk of 64 MiB, which anybody can attach to an image, would take gigabytes.

use crate::limits;
use crate::verify::FlawKind;
use crate::verify::defect::Defect;

/// Checks that `json` has no more objects and values than are parsed. Need not be JSON.
///
/// # Errors
/// [`FlawKind::TooMuch`].
pub(in crate::verify) fn check(json: &[u8]) -> Result<(), Defect> {
    let Count { objects, values } = count(json);
    at_most(limits::JSON_OBJECTS, objects, "JSON objects")?;
    at_most(limits::JSON_VALUES, values, "JSON values")
}

struct Count {
    objects: usize,
    /// Arrays, and what follows a comma: all values but the first members of objects.
    values: usize,
}

fn count(json: &[u8]) -> Count {
    let mut count = Count { objects: 0, values: 0 };
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'{' => count.objects += 1,
            b',' | b'[' => count.values += 1,
            _ => {}
        }
    }
    count
}

fn skip_string<'a>(bytes: &mut impl Iterator<Item = &'a u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

fn at_most(limit: usize, count: usize, what: &str) -> Result<(), Defect> {
    if count <= limit {
        return Ok(());
    }
    Err(Defect::new(FlawKind::TooMuch, format!("it has {count} {what}, at most {limit} are looked at")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_strings_are_not() {
        let Count { objects, values } = count(br#"{"a{,":["}\"[,",{},1,2],"b":{}}"#);
        assert_eq!((objects, values), (3, 5));
    }

    #[test]
    fn an_open_string_ends_with_the_text() {
        assert_eq!(count(b"\"{{{{\\").objects, 0);
    }

    #[test]
    fn more_objects_or_values_than_are_parsed_are_refused() {
        let objects = |number: usize| vec!["{}"; number].join(" ");
        assert!(check(objects(limits::JSON_OBJECTS).as_bytes()).is_ok());
        assert_eq!(check(objects(limits::JSON_OBJECTS + 1).as_bytes()).unwrap_err().kind, FlawKind::TooMuch);
        assert!(check(&vec![b','; limits::JSON_VALUES]).is_ok());
        assert_eq!(check(&vec![b'['; limits::JSON_VALUES + 1]).unwrap_err().kind, FlawKind::TooMuch);
    }
}
