//! What a registry asks for when it says 401: `WWW-Authenticate` (RFC 9110, section 11.6.1), read by its grammar.

use std::collections::BTreeMap;

/// One challenge: a scheme and its parameters, names in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) scheme: String,
    pub(super) parameters: BTreeMap<String, String>,
}

impl Challenge {
    pub(super) fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }
}

/// The challenges in one header value, up to the first place where it leaves the grammar.
///
/// A comma separates parameters as well as challenges, and may stand inside quotes (`scope="repository:a:pull,push"`):
/// splitting at commas would let a realm say more than its registry meant.
pub(super) fn challenges(header: &str) -> Vec<Challenge> {
    let mut reader = Reader { rest: header };
    let mut found: Vec<Challenge> = Vec::new();
    loop {
        reader.skip_separators();
        let Some(word) = reader.token() else { return found };
        if reader.take_equals() {
            // A parameter of the challenge before it.
            let (Some(value), Some(challenge)) = (reader.value(), found.last_mut()) else { return found };
            challenge.parameters.entry(word.to_ascii_lowercase()).or_insert(value);
        } else {
            found.push(Challenge { scheme: word.to_owned(), parameters: BTreeMap::new() });
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip_separators(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', ',']);
    }

    /// A token, or the base64 of schemes that have one; `None` if there is neither.
    fn token(&mut self) -> Option<&'a str> {
        let end = self.rest.find(|c: char| !is_token(c)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }

    fn take_equals(&mut self) -> bool {
        match self.rest.trim_start().strip_prefix('=') {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn value(&mut self) -> Option<String> {
        match self.rest.strip_prefix('"') {
            Some(quoted) => self.quoted(quoted),
            None => self.token().map(str::to_owned),
        }
    }

    fn quoted(&mut self, text: &'a str) -> Option<String> {
        let mut value = String::new();
        let mut characters = text.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = text.get(at + 1..)?;
                    return Some(value);
                }
                '\\' => value.push(characters.next()?.1),
                _ => value.push(character),
            }
        }
        None
    }
}

/// `tchar` of RFC 9110, and the slash of base64, which no token of a challenge needs but some schemes send.
const fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '!' | '#' | '$' | '%' | '&' | '\'' | '*' | '+' | '-' | '.' | '^' | '_' | '`' | '|' | '~' | '/')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn only(header: &str) -> Challenge {
        let [challenge] = challenges(header).try_into().unwrap();
        challenge
    }

    #[test]
    fn a_bearer_challenge_has_realm_service_and_scope() {
        let challenge = only(r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="a,b""#);
        assert!(challenge.is("bearer"));
        assert_eq!(challenge.parameters["realm"], "https://auth.docker.io/token");
        assert_eq!(challenge.parameters["service"], "registry.docker.io");
        assert_eq!(challenge.parameters["scope"], "a,b");
    }

    #[test]
    fn spaces_tokens_and_escapes_are_read_by_the_grammar() {
        let challenge = only(r#"bearer  Realm = "a\"b\\c" , service=plain"#);
        assert_eq!(challenge.parameters["realm"], r#"a"b\c"#);
        assert_eq!(challenge.parameters["service"], "plain");
    }

    #[test]
    fn several_challenges_keep_their_own_parameters() {
        let all = challenges(r#"Basic realm="x", Bearer realm="https://y",service="z", Negotiate"#);
        assert_eq!(all.iter().map(|one| one.scheme.as_str()).collect::<Vec<_>>(), ["Basic", "Bearer", "Negotiate"]);
        assert_eq!(all[0].parameters["realm"], "x");
        assert_eq!(all[1].parameters["realm"], "https://y");
    }

    #[test]
    fn a_realm_inside_quotes_or_said_twice_does_not_count() {
        let quoted = only(r#"Bearer service="x, realm=\"https://evil\"",realm="https://good""#);
        assert_eq!(quoted.parameters["realm"], "https://good");
        assert_eq!(only(r#"Bearer realm="https://good",realm="https://evil""#).parameters["realm"], "https://good");
    }

    #[test]
    fn what_leaves_the_grammar_ends_the_list() {
        for text in ["", ",", "=", "\"", "Bearer realm=\"open", "realm=\"x\""] {
            assert!(challenges(text).iter().all(|one| one.parameters.is_empty()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_an_end(text in "[a-zB =,\"\\\\é]{0,40}") {
            challenges(&text);
        }
    }
}
