//! Globs: always anchored, linear in the text, with no way to fail at match time.

use std::fmt;

/// A glob: `*` stands for any characters but `/`, `**` for any characters; everything else for itself.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Glob {
    text: Box<str>,
    parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    /// `*`
    Component,
    /// `**`
    Any,
    /// `{tag}`, in templates only.
    Tag,
}

/// Why a text is no glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// It is empty, and would match nothing.
    #[error("the pattern is empty and would match nothing")]
    Empty,
    /// Three or more `*` in a row.
    #[error("{0:?} has three or more * in a row: * stands for one component, ** for any number")]
    Stars(String),
}

const TAG: &str = "{tag}";
/// Texts shorter than this are usual: names of images, identities, references.
const SHORT: usize = 256;

impl Glob {
    /// Reads a glob.
    pub(super) fn new(text: &str) -> Result<Self, GlobError> {
        let mut parts = Vec::new();
        wildcards(text, &mut parts)?;
        Self::of(text, parts)
    }

    /// Reads a glob in which `{tag}` stands for the tag asked for, to the letter.
    pub(super) fn template(text: &str) -> Result<Self, GlobError> {
        let mut parts = Vec::new();
        for (index, piece) in text.split(TAG).enumerate() {
            if index > 0 {
                parts.push(Part::Tag);
            }
            wildcards(piece, &mut parts)?;
        }
        Self::of(text, parts)
    }

    fn of(text: &str, parts: Vec<Part>) -> Result<Self, GlobError> {
        if parts.is_empty() { Err(GlobError::Empty) } else { Ok(Self { text: text.into(), parts }) }
    }

    /// Whether the whole of `text` fits.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.matches_tag(text, TAG)
    }

    /// Whether the whole of `text` fits, with `tag` for `{tag}`.
    pub(super) fn matches_tag(&self, text: &str, tag: &str) -> bool {
        let (mut parts, mut rest) = (&*self.parts, text);
        // Every request asks many globs: what is before the first wildcard tells most of them.
        while let [part @ (Part::Literal(_) | Part::Tag), others @ ..] = parts {
            let literal = if let Part::Literal(literal) = part { literal } else { tag };
            let Some(after) = rest.strip_prefix(literal) else { return false };
            (parts, rest) = (others, after);
        }
        match parts {
            [] => rest.is_empty(),
            [Part::Component] => !rest.contains('/'),
            [Part::Any] => true,
            _ => match_parts(parts, rest, tag),
        }
    }

    /// It as written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it depends on the tag asked for.
    pub(super) fn needs_tag(&self) -> bool {
        self.parts.contains(&Part::Tag)
    }

    /// Whether it says nothing: wildcards alone.
    pub(super) fn is_anything(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Component | Part::Any))
    }

    /// It as written, with `tag` for `{tag}`.
    pub(super) fn shown_with(&self, tag: Option<&str>) -> String {
        tag.map_or_else(|| self.to_string(), |tag| self.text.replace(TAG, tag))
    }
}

fn wildcards(text: &str, parts: &mut Vec<Part>) -> Result<(), GlobError> {
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once('*') {
        push_literal(literal, parts);
        let any = after.strip_prefix('*');
        parts.push(if any.is_some() { Part::Any } else { Part::Component });
        rest = any.unwrap_or(after);
    }
    push_literal(rest, parts);
    if text.contains("***") { Err(GlobError::Stars(text.to_owned())) } else { Ok(()) }
}

fn push_literal(literal: &str, parts: &mut Vec<Part>) {
    if !literal.is_empty() {
        parts.push(Part::Literal(literal.into()));
    }
}

/// Whether `parts` fit the whole of `text`. No backtracking, so no blow-up.
fn match_parts(parts: &[Part], text: &str, tag: &str) -> bool {
    // Whether the parts so far can match exactly so many bytes of the text.
    let (mut short, mut long) = ([false; SHORT], Vec::new());
    let ends = if let Some(ends) = short.get_mut(..=text.len()) {
        ends
    } else {
        long.resize(text.len() + 1, false);
        &mut *long
    };
    ends.iter_mut().take(1).for_each(|start| *start = true);
    for part in parts {
        match part {
            Part::Literal(literal) => after_literal(ends, text, literal),
            Part::Tag => after_literal(ends, text, tag),
            Part::Component => after_wildcard(ends, text, |byte| byte != b'/'),
            Part::Any => after_wildcard(ends, text, |_| true),
        }
    }
    ends.last().is_some_and(|end| *end)
}

fn after_literal(ends: &mut [bool], text: &str, literal: &str) {
    let (text, literal) = (text.as_bytes(), literal.as_bytes());
    // From the back: what an end depends on is before it, and still as it was.
    for end in (0..ends.len()).rev() {
        let start = end.checked_sub(literal.len()).filter(|start| ends.get(*start) == Some(&true));
        let fits = start.is_some_and(|start| text.get(start..end) == Some(literal));
        if let Some(slot) = ends.get_mut(end) {
            *slot = fits;
        }
    }
}

fn after_wildcard(ends: &mut [bool], text: &str, takes: impl Fn(u8) -> bool) {
    let mut open = false;
    let before = std::iter::once(None).chain(text.bytes().map(Some));
    for (end, byte) in ends.iter_mut().zip(before) {
        open = *end || (open && byte.is_some_and(&takes));
        *end = open;
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    fn matches(glob: &str, text: &str) -> bool {
        Glob::new(glob).unwrap().matches(text)
    }

    #[test]
    fn one_star_stays_within_a_component_and_two_do_not() {
        assert!(matches("docker.io/fystacklabs/*", "docker.io/fystacklabs/apex"));
        assert!(!matches("docker.io/fystacklabs/*", "docker.io/fystacklabs/apex/sub"));
        assert!(matches("docker.io/**", "docker.io/fystacklabs/apex/sub"));
        assert!(matches("https://*/x@refs/tags/v*", "https://h/x@refs/tags/v1.2"));
        assert!(!matches("https://*/x@refs/tags/v*", "https://h/x@refs/tags/v1/evil"));
    }

    #[test]
    fn a_glob_is_anchored_at_both_ends() {
        for text in ["xa.io/b", "a.io/bx", "a.io/b\n", "a.io", "A.io/b", "axio/b"] {
            assert!(!matches("a.io/b", text), "{text}");
        }
    }

    #[test]
    fn a_text_may_be_as_long_as_it_likes() {
        for length in [SHORT - 3, SHORT - 2, SHORT - 1, 10 * SHORT] {
            let text = format!("a{}b", "x".repeat(length));
            assert!(matches("a*b", &text) && !matches("a*c", &text) && !matches("a*b*c", &text), "{length}");
        }
    }

    #[test]
    fn a_tag_stands_for_itself_even_if_it_looks_like_a_pattern() {
        let glob = Glob::template("refs/tags/{tag}").unwrap();
        assert!(glob.matches_tag("refs/tags/v1", "v1"));
        assert!(!glob.matches_tag("refs/tags/v1", "v*"));
        assert!(glob.needs_tag());
    }

    #[test]
    fn what_is_no_glob_is_refused() {
        assert_eq!(Glob::new(""), Err(GlobError::Empty));
        assert_eq!(Glob::new("a***b"), Err(GlobError::Stars("a***b".into())));
    }

    proptest! {
        #[test]
        fn globs_mean_what_the_same_regular_expression_means(glob in "[ab/.]{0,3}(\\*{1,2}[ab/.]{1,3}){0,3}\\*{0,2}", text in "[ab/.\n]{0,10}") {
            prop_assume!(!glob.is_empty());
            let rule = regex::escape(&glob).replace(r"\*\*", ".*").replace(r"\*", "[^/]*");
            let rule = Regex::new(&format!(r"(?s)\A(?:{rule})\z")).unwrap();
            prop_assert_eq!(matches(&glob, &text), rule.is_match(&text));
        }
    }
}
