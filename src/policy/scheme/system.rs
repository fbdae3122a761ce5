//! Versions of Debian's and Red Hat's packages.

use std::cmp::Ordering;

use super::parts::{is_number, natural};

/// dpkg's order (deb-version(7)): epoch, upstream version, revision.
pub(super) fn deb(one: &str, other: &str) -> Option<Ordering> {
    let (one, other) = (Parts::read(one, true)?, Parts::read(other, true)?);
    let version = || deb_order(one.version, other.version);
    let release = || deb_order(one.release.unwrap_or("0"), other.release.unwrap_or("0"));
    Some(natural(one.epoch, other.epoch).then_with(version).then_with(release))
}

/// RPM's order (rpm-version(7)). Whether a version without a release is the same as one with is not known.
pub(super) fn rpm(one: &str, other: &str) -> Option<Ordering> {
    let (one, other) = (Parts::read(one, false)?, Parts::read(other, false)?);
    let order = natural(one.epoch, other.epoch).then_with(|| rpm_order(one.version, other.version));
    match (one.release, other.release) {
        (None, None) => Some(order),
        (Some(one), Some(other)) => Some(order.then_with(|| rpm_order(one, other))),
        (Some(_), None) | (None, Some(_)) => Some(order).filter(|order| order.is_ne()),
    }
}

struct Parts<'a> {
    epoch: &'a str,
    version: &'a str,
    release: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// `[epoch:]version[-release]`, in ASCII without spaces; Debian's versions begin with a digit.
    fn read(text: &'a str, digit_first: bool) -> Option<Self> {
        let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
        let (version, release) = match rest.rsplit_once('-') {
            Some((version, release)) => (version, Some(release)),
            None => (rest, None),
        };
        let starts = version.starts_with(|c: char| c.is_ascii_digit() || (!digit_first && c.is_ascii_alphabetic()));
        (starts && is_number(epoch) && text.chars().all(|c| c.is_ascii_graphic())).then_some(Self {
            epoch,
            version,
            release,
        })
    }
}

/// Words and numbers in turns. In words `~` comes before the end, and letters before everything else.
fn deb_order(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    while !(one.is_empty() && other.is_empty()) {
        let (word, other_word) = (take(&mut one, false), take(&mut other, false));
        let order = deb_words(word, other_word);
        if order.is_ne() {
            return order;
        }
        let order = natural(take(&mut one, true), take(&mut other, true));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// Takes all digits, or all that are none, off the front.
fn take<'a>(text: &mut &'a str, digits: bool) -> &'a str {
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    let (taken, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    *text = rest;
    taken
}

fn deb_words(one: &str, other: &str) -> Ordering {
    let place = |byte: Option<u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i16::from(byte),
        Some(byte) => i16::from(byte) + 256,
    };
    let at = |text: &str, index: usize| place(text.as_bytes().get(index).copied());
    let mut orders = (0..one.len().max(other.len())).map(|index| at(one, index).cmp(&at(other, index)));
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// `rpmvercmp`: `~` comes before the end, `^` after the end and before all else; numbers are later than words.
fn rpm_order(one: &str, other: &str) -> Ordering {
    let separates = |c: char| !c.is_ascii_alphanumeric() && c != '~' && c != '^';
    let (mut one, mut other) = (one, other);
    loop {
        (one, other) = (one.trim_start_matches(separates), other.trim_start_matches(separates));
        for mark in ['~', '^'] {
            let order = match (one.strip_prefix(mark), other.strip_prefix(mark)) {
                (None, None) => continue,
                (Some(_), None) if mark == '^' && other.is_empty() => Ordering::Greater,
                (None, Some(_)) if mark == '^' && one.is_empty() => Ordering::Less,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), Some(_)) => Ordering::Equal,
            };
            if order.is_ne() {
                return order;
            }
            (one, other) = (one.get(1..).unwrap_or_default(), other.get(1..).unwrap_or_default());
        }
        if one.is_empty() && other.is_empty() {
            return Ordering::Equal;
        }
        let order = rpm_segment(&mut one, &mut other);
        if order.is_ne() {
            return order;
        }
    }
}

fn rpm_segment(one: &mut &str, other: &mut &str) -> Ordering {
    let starts_with_digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    match (starts_with_digit(one), starts_with_digit(other)) {
        (true, true) => natural(take(one, true), take(other, true)),
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => take_letters(one).cmp(take_letters(other)),
    }
}

fn take_letters<'a>(text: &mut &'a str) -> &'a str {
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (taken, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    *text = rest;
    taken
}
