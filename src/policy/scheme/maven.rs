//! Versions of Maven, by its "Version Order Specification" (POM reference).

use std::cmp::Ordering;

use super::parts::{is_number, natural};

/// Qualifiers that have a place of their own, in order; the empty one is the release.
const QUALIFIERS: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];

/// A token, and whether a hyphen (or a change between digits and letters) stood before it rather than a dot.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    hyphen: bool,
    text: String,
}

/// Compares token by token; the shorter one is filled up with nothing.
pub(super) fn compare(one: &str, other: &str) -> Option<Ordering> {
    let (one, other) = (tokens(one)?, tokens(other)?);
    for index in 0..one.len().max(other.len()) {
        let order = match (one.get(index), other.get(index)) {
            (Some(one), Some(other)) => order(one, other),
            (Some(one), None) => order_to_nothing(one)?,
            (None, Some(other)) => order_to_nothing(other)?.reverse(),
            (None, None) => Ordering::Equal,
        };
        if order.is_ne() {
            return Some(order);
        }
    }
    Some(Ordering::Equal)
}

/// How a token stands to nothing in its place, which is 0, or the release.
///
/// Of `1.foo` the specification says that it comes before `1`, and the same of no `1-foo`, which is as late as `1.foo`; for
/// Maven itself both come after it. There is no answer, where these differ.
fn order_to_nothing(token: &Token) -> Option<Ordering> {
    if is_number(&token.text) {
        return Some(natural(&token.text, "0"));
    }
    let order = place(&token.text).cmp(&place(""));
    (token.hyphen || order.is_le()).then_some(order)
}

/// `.qualifier` = `-qualifier` < `-number` < `.number`
fn order(one: &Token, other: &Token) -> Ordering {
    match (is_number(&one.text), is_number(&other.text)) {
        (true, true) if one.hyphen == other.hyphen => natural(&one.text, &other.text),
        (true, true) => other.hyphen.cmp(&one.hyphen),
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => place(&one.text).cmp(&place(&other.text)),
    }
}

/// Where a qualifier stands: those that are not known come after all that are, by the alphabet.
fn place(qualifier: &str) -> (usize, &str) {
    match QUALIFIERS.iter().position(|known| *known == qualifier) {
        Some(place) => (place, ""),
        None => (QUALIFIERS.len(), qualifier),
    }
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let text = text.to_lowercase();
    if text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic()) {
        return None;
    }
    let mut tokens = Vec::new();
    let mut current = Token { hyphen: false, text: String::new() };
    for c in text.chars() {
        let changes = current.text.chars().next_back().is_some_and(|last| last.is_ascii_digit() != c.is_ascii_digit());
        if matches!(c, '.' | '-' | '_') || changes {
            let next = Token { hyphen: c != '.', text: String::new() };
            tokens.push(std::mem::replace(&mut current, next));
        }
        if !matches!(c, '.' | '-' | '_') {
            current.text.push(c);
        }
    }
    tokens.push(current);
    let numbered: Vec<bool> = tokens.iter().skip(1).map(|next| next.hyphen && is_number(&next.text)).collect();
    for (index, token) in tokens.iter_mut().enumerate() {
        token.text = named(&token.text, numbered.get(index).copied().unwrap_or(false)).to_owned();
    }
    Some(trimmed(tokens))
}

/// The one name of a qualifier; an empty token is 0.
fn named(text: &str, number_follows: bool) -> &str {
    match text {
        "" => "0",
        "a" if number_follows => "alpha",
        "b" if number_follows => "beta",
        "m" if number_follows => "milestone",
        "cr" => "rc",
        "final" | "ga" | "release" => "",
        _ => text,
    }
}

/// Without the tokens that say nothing at the end, before each hyphen, and before each qualifier.
fn trimmed(tokens: Vec<Token>) -> Vec<Token> {
    let mut kept: Vec<Token> = Vec::new();
    for token in tokens {
        if token.hyphen || !is_number(&token.text) {
            drop_nothing(&mut kept);
        }
        kept.push(token);
    }
    drop_nothing(&mut kept);
    kept
}

fn drop_nothing(tokens: &mut Vec<Token>) {
    let says_nothing = |token: &Token| token.text.bytes().all(|byte| byte == b'0');
    while tokens.last().is_some_and(says_nothing) {
        tokens.pop();
    }
}
