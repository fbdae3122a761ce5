//! Versions of Alpine's packages, in the order of apk-tools.

use std::cmp::Ordering;

use super::parts::{is_number, natural};

/// Suffixes in order; the empty one stands for none.
const SUFFIXES: [&str; 10] = ["alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p"];

/// `1.2.3b_rc1_p2~1a2b-r4`
struct Version<'a> {
    numbers: Vec<&'a str>,
    letter: Option<char>,
    suffixes: Vec<(usize, &'a str)>,
    release: &'a str,
}

pub(super) fn compare(one: &str, other: &str) -> Option<Ordering> {
    let (one, other) = (Version::read(one)?, Version::read(other)?);
    let order = numbers(&one.numbers, &other.numbers)
        .then_with(|| one.letter.cmp(&other.letter))
        .then_with(|| suffixes(&one.suffixes, &other.suffixes));
    Some(order.then_with(|| natural(one.release, other.release)))
}

impl<'a> Version<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (text, release) = text.rsplit_once("-r").unwrap_or((text, "0"));
        // The commit after a tilde names a build, and orders nothing.
        let text = text.split('~').next()?;
        let mut parts = text.split('_');
        let head = parts.next()?;
        let letter = head.chars().next_back().filter(char::is_ascii_lowercase);
        let numbers: Vec<_> = head.strip_suffix(char::is_alphabetic).unwrap_or(head).split('.').collect();
        let suffixes = parts.map(suffix).collect::<Option<Vec<_>>>()?;
        (is_number(release) && numbers.iter().all(|number| is_number(number))).then_some(Self {
            numbers,
            letter,
            suffixes,
            release,
        })
    }
}

fn suffix(text: &str) -> Option<(usize, &str)> {
    let end = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let (name, number) = text.split_at_checked(end)?;
    let place = SUFFIXES.iter().position(|known| *known == name && !name.is_empty())?;
    (number.is_empty() || is_number(number)).then_some((place, number))
}

/// The first by its value, the others as decimals where one begins with 0 (as in Gentoo's order, which apk's is).
fn numbers(one: &[&str], other: &[&str]) -> Ordering {
    for index in 0..one.len().min(other.len()) {
        let (Some(one), Some(other)) = (one.get(index), other.get(index)) else { break };
        let decimals = index > 0 && (one.starts_with('0') || other.starts_with('0'));
        let order = if decimals { one.cmp(other) } else { natural(one, other) };
        if order.is_ne() {
            return order;
        }
    }
    one.len().cmp(&other.len())
}

fn suffixes(one: &[(usize, &str)], other: &[(usize, &str)]) -> Ordering {
    let none = (SUFFIXES.iter().position(|suffix| suffix.is_empty()).unwrap_or_default(), "");
    for index in 0..one.len().max(other.len()) {
        let (one, other) = (one.get(index).unwrap_or(&none), other.get(index).unwrap_or(&none));
        let order = one.0.cmp(&other.0).then_with(|| natural(one.1, other.1));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}
