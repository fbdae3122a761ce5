//! Versions of `RubyGems`, in the order of `Gem::Version`.

use std::cmp::Ordering;

use super::parts::{is_number, natural, runs};

/// Segments are compared one by one; words come before numbers, and what is missing is 0.
pub(super) fn compare(one: &str, other: &str) -> Option<Ordering> {
    let (one, other) = (segments(one)?, segments(other)?);
    for index in 0..one.len().max(other.len()) {
        let segment = |segments: &[String]| segments.get(index).cloned().unwrap_or_else(|| "0".to_owned());
        let (one, other) = (segment(&one), segment(&other));
        let order = match (is_number(&one), is_number(&other)) {
            (true, true) => natural(&one, &other),
            (false, true) => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, false) => one.cmp(&other),
        };
        if order.is_ne() {
            return Some(order);
        }
    }
    Some(Ordering::Equal)
}

/// `1.0.0-rc.1` is `1.0.0.pre.rc.1`. Zeros before the first word, and at the end, say nothing.
fn segments(text: &str) -> Option<Vec<String>> {
    let is_written_so = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    if !text.starts_with(|c: char| c.is_ascii_digit()) || !text.chars().all(is_written_so) {
        return None;
    }
    let text = text.replace('-', ".pre.");
    let all = runs(&text);
    let words = all.iter().position(|run| !is_number(run)).unwrap_or(all.len());
    let (numbers, labels) = all.split_at_checked(words)?;
    Some(trimmed(numbers).iter().chain(trimmed(labels)).map(|run| (*run).to_owned()).collect())
}

fn trimmed<'a, 'b>(segments: &'a [&'b str]) -> &'a [&'b str] {
    let is_zero = |segment: &&str| segment.bytes().all(|byte| byte == b'0');
    let end = segments.iter().rposition(|segment| !is_zero(segment)).map_or(0, |last| last + 1);
    segments.get(..end).unwrap_or_default()
}
