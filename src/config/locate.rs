//! From a key to its line, and from the parser's words to those of a person.

use std::fmt::Display;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::ConfigError;
use crate::misspelt;

/// The text of a configuration, and what it is called.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    pub(super) origin: &'a str,
}

impl Source<'_> {
    /// `problem` at a key, such as `rule.0.signature.1.subject`; at the nearest table around it if it is not there.
    pub(super) fn at(&self, key: &str, problem: &dyn Display) -> ConfigError {
        let span = DeTable::parse(self.text).ok().map(|table| span_of(&table, key));
        self.invalid(span.map_or(0, |span| span.start), problem.to_string())
    }

    /// An error of the parser.
    pub(super) fn unreadable(&self, error: &toml::de::Error) -> ConfigError {
        self.invalid(error.span().map_or(0, |span| span.start), in_words(error.message()))
    }

    fn invalid(&self, offset: usize, problem: String) -> ConfigError {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        ConfigError::Invalid { origin: self.origin.to_owned(), line, problem }
    }
}

fn span_of(table: &Spanned<DeTable<'_>>, key: &str) -> Range<usize> {
    let mut steps = key.split('.');
    let Some((first, mut value)) = steps.next().and_then(|step| table.get_ref().get_key_value(step)) else {
        return table.span();
    };
    let mut span = first.span();
    for step in steps {
        match &value.get_ref() {
            DeValue::Table(table) => match table.get_key_value(step) {
                Some((key, next)) => (span, value) = (key.span(), next),
                None => return span,
            },
            DeValue::Array(array) => match step.parse().ok().and_then(|index: usize| array.get(index)) {
                Some(next) => (span, value) = (next.span(), next),
                None => return span,
            },
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => return span,
        }
    }
    span
}

/// What the parser says, with the key that was probably meant.
fn in_words(message: &str) -> String {
    if let Some(missing) = message.strip_prefix("missing field ") {
        return format!("the key {} is missing here", missing.trim_matches('`'));
    }
    let Some(unknown) = message.strip_prefix("unknown field ") else { return with_remedy(message.trim()) };
    let mut names = unknown.split('`').skip(1).step_by(2);
    let Some(key) = names.next() else { return message.to_owned() };
    let known: Vec<_> = names.collect();
    let hint = misspelt::hint(key, &known);
    format!("there is no key {key} here{hint} (known are {})", known.join(", "))
}

/// What the parser says of a value, with what to write instead where it does not say so.
fn with_remedy(message: &str) -> String {
    let remedy = if message.contains("socket address") {
        ": write an IP address and a port, such as \"127.0.0.1:5000\" or \"[::]:5000\""
    } else if message.ends_with("expected a string") {
        ": write it in quotation marks"
    } else {
        ""
    };
    format!("{message}{remedy}")
}
