//! What several orders have in common: numbers of any length, and words between them.

use std::cmp::Ordering;

/// Compares numbers written in digits, however long. Nothing is 0.
pub(super) fn natural(one: &str, other: &str) -> Ordering {
    let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Labels of pre-releases (Semantic Versioning 2.0.0, 11): none is the latest, numbers come before words.
pub(super) fn prerelease(one: &str, other: &str) -> Ordering {
    match (one.is_empty(), other.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    loop {
        let order = match (ones.next(), others.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) => match (is_number(one), is_number(other)) {
                (true, true) => natural(one, other),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) => one.cmp(other),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Runs of digits and runs of letters; everything else separates them.
pub(super) fn runs(text: &str) -> Vec<&str> {
    let mut runs = Vec::new();
    for piece in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|piece| !piece.is_empty()) {
        let mut rest = piece;
        while let Some(first) = rest.chars().next() {
            let end = rest.find(|c: char| c.is_ascii_digit() != first.is_ascii_digit()).unwrap_or(rest.len());
            let (run, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            runs.push(run);
            rest = after;
        }
    }
    runs
}

/// `version_compare` of PHP, which Composer's order follows: words it does not know, `dev`, `alpha`, `beta`, `RC`, the end,
/// numbers, `patch`.
pub(super) fn php(one: &str, other: &str) -> Option<Ordering> {
    let read = |text: &str| {
        let text = text.trim_start_matches(['v', 'V']).split('+').next().unwrap_or_default().to_lowercase();
        text.starts_with(|c: char| c.is_ascii_digit()).then_some(text)
    };
    let (one, other) = (read(one)?, read(other)?);
    let (one, other) = (runs(&one), runs(&other));
    for index in 0..one.len().max(other.len()) {
        let (one, other) = (one.get(index).copied(), other.get(index).copied());
        let order = match (one.filter(|run| is_number(run)), other.filter(|run| is_number(run))) {
            (Some(one), Some(other)) => natural(one, other),
            // Composer fills up with zeros.
            (Some(number), None) if other.is_none() => natural(number, ""),
            (None, Some(number)) if one.is_none() => natural("", number),
            (Some(_) | None, Some(_) | None) => stability(one).cmp(&stability(other)),
        };
        if order.is_ne() {
            return Some(order);
        }
    }
    Some(Ordering::Equal)
}

fn stability(run: Option<&str>) -> u8 {
    match run {
        Some("dev") => 1,
        Some("alpha" | "a") => 2,
        Some("beta" | "b") => 3,
        Some("rc") => 4,
        None => 5,
        Some(number) if is_number(number) => 6,
        Some("patch" | "pl" | "p") => 7,
        Some(_) => 0,
    }
}
