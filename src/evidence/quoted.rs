//! JSON strings as long as documents: read into no more memory than their text takes, where a parser builds them in a
//! buffer that doubles, and copies them out of it.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::evidence::Malformed;

/// The text of a JSON string, borrowed where it is written without escapes.
///
/// # Errors
/// [`Malformed::Json`] if `written` is another JSON value, or has an escape that is half of a character (RFC 8259, 8.2).
pub(crate) fn unquoted(written: &RawValue) -> Result<Cow<'_, str>, Malformed> {
    let quoted = written.get().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let mut rest = quoted.ok_or_else(|| wrong("no text"))?;
    if !rest.contains('\\') {
        return Ok(Cow::Borrowed(rest));
    }
    // What is written with escapes is longer than what it stands for.
    let mut text = String::with_capacity(rest.len());
    while let Some((before, escape)) = rest.split_once('\\') {
        text.push_str(before);
        let (character, after) = unescaped(escape)?;
        text.push(character);
        rest = after;
    }
    text.push_str(rest);
    Ok(Cow::Owned(text))
}

/// The character of an escape, of which `text` is what follows the backslash, and the rest of it.
fn unescaped(text: &str) -> Result<(char, &str), Malformed> {
    let mut characters = text.chars();
    let character = match characters.next() {
        Some(plain @ ('"' | '\\' | '/')) => plain,
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => return unicode(characters.as_str()),
        Some(_) | None => return Err(wrong("an unknown escape")),
    };
    Ok((character, characters.as_str()))
}

/// The character of one `\u` escape, or of two where the first is half of a pair (UTF-16).
fn unicode(text: &str) -> Result<(char, &str), Malformed> {
    let (first, after) = unit(text)?;
    let pair = || after.strip_prefix("\\u").and_then(|second| unit(second).ok());
    let (units, after) = match pair() {
        Some((second, after)) if (0xd800..0xdc00).contains(&first) => ([first, second], after),
        Some(_) | None => ([first, 0], after),
    };
    let character = char::decode_utf16(units).next().and_then(Result::ok);
    character.map(|character| (character, after)).ok_or_else(|| wrong("half of a pair of escapes"))
}

fn unit(text: &str) -> Result<(u16, &str), Malformed> {
    let (digits, after) = text.split_at_checked(4).ok_or_else(|| wrong("a short escape"))?;
    let digits = Some(digits).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
    unit.map(|unit| (unit, after)).ok_or_else(|| wrong("an escape that is not hexadecimal"))
}

fn wrong(what: &str) -> Malformed {
    Malformed::Json(what.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(literal: &str) -> Option<Cow<'_, str>> {
        unquoted(serde_json::from_str(literal).ok()?).ok()
    }

    /// What the parser of all other JSON says.
    fn agrees(literal: &str) -> bool {
        read(literal).map(Cow::into_owned) == serde_json::from_str::<String>(literal).ok()
    }

    #[test]
    fn a_text_without_escapes_is_borrowed() {
        assert!(matches!(read("\"abc\""), Some(Cow::Borrowed("abc"))));
    }

    #[test]
    fn a_text_with_escapes_takes_no_more_than_it_is_written_in() {
        let literal = serde_json::to_string(&"\n\"ä".repeat(1000)).unwrap();
        let Some(Cow::Owned(text)) = read(&literal) else { panic!("it is not borrowed") };
        assert_eq!(text, "\n\"ä".repeat(1000));
        assert!(text.capacity() <= literal.len());
    }

    #[test]
    fn every_escape_is_read_as_the_parser_reads_it() {
        for literal in [
            r#""\"\\\/\b\f\n\r\t""#,
            r#""\u00e4\u20AC\uD83D\uDE00x\u0000""#,
            r#""\uD83D""#,
            r#""\uDE00""#,
            r#""\uDE00\uD83D""#,
            r#""\uD83D\uD83D""#,
            r#""\uD83Dx""#,
            r#""\uD83D\n""#,
            r#""\u+0e4""#,
            r#""\u12""#,
            r#""\uäää""#,
            r#""\x""#,
            r#""\"#,
            r#""\""#,
            r#"""#,
            r#""a"b""#,
            "\"\n\"",
            "\"\u{7f}\u{2028}\"",
            "\"a",
            "a\"",
            "1",
            "",
        ] {
            assert!(agrees(literal), "{literal}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_it_was_written(text in ".*") {
            let literal = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(&*read(&literal).unwrap(), text.as_str());
        }

        #[test]
        fn any_literal_is_read_as_the_parser_reads_it(inside in r#"(\\|"|u|[dD][89a-fA-F]|[0-9a-f]{2}|n|ä|.)*"#) {
            prop_assert!(agrees(&format!("\"{inside}\"")), "{}", inside);
        }
    }
}
