//! The query of a request: the parameters that a route knows, each at most once, decoded.

use std::borrow::Cow;
use std::str::Utf8Error;

/// Why a query is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::front) enum QueryError {
    /// `%` without two hexadecimal digits after it.
    #[error("the query has a % that is not followed by two hexadecimal digits")]
    Escape,
    /// The escapes do not spell text.
    #[error("the query is not utf-8")]
    Utf8(#[from] Utf8Error),
    /// Twice the same parameter: two readers could each take another one.
    #[error("the query has {0} more than once")]
    Repeated(&'static str),
    /// The parameter has a value that it cannot have.
    #[error("the query has a value of {parameter} that is not understood: {text}")]
    Value {
        /// The parameter.
        parameter: &'static str,
        /// What is wrong with its value.
        text: String,
    },
}

/// A query string, not decoded.
#[derive(Debug, Clone, Copy)]
pub(in crate::front) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    pub(in crate::front) const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The value of `name`, decoded.
    pub(in crate::front) fn one(self, name: &'static str) -> Result<Option<String>, QueryError> {
        let pairs = self.0.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut found = None;
        for (key, value) in pairs {
            if decode(key)? == name && found.replace(value).is_some() {
                return Err(QueryError::Repeated(name));
            }
        }
        Ok(found.map(decode).transpose()?.map(Cow::into_owned))
    }

    /// The value of `name`, parsed.
    pub(in crate::front) fn parse<T>(self, name: &'static str) -> Result<Option<T>, QueryError>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let value = |error: T::Err| QueryError::Value { parameter: name, text: error.to_string() };
        self.one(name)?.map(|text| text.parse().map_err(value)).transpose()
    }
}

/// Undoes percent-encoding. `+` stays: no value here has a space, and media types do have a plus.
fn decode(text: &str) -> Result<Cow<'_, str>, QueryError> {
    if !text.contains('%') {
        return Ok(text.into());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' { escaped(&mut rest).ok_or(QueryError::Escape)? } else { byte });
    }
    Ok(std::str::from_utf8(&bytes)?.to_owned().into())
}

fn escaped(rest: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(rest.next()?)? * 16 + digit(rest.next()?)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded() {
        let query = Query::new("ns=127.0.0.1%3A25101&artifactType=application%2Fvnd.a%2Bjson&n=5&x");
        assert_eq!(query.one("ns").unwrap().as_deref(), Some("127.0.0.1:25101"));
        assert_eq!(query.one("artifactType").unwrap().as_deref(), Some("application/vnd.a+json"));
        assert_eq!(query.parse::<u32>("n"), Ok(Some(5)));
        assert_eq!(query.one("last"), Ok(None));
    }

    #[test]
    fn a_plus_is_a_plus() {
        assert_eq!(Query::new("a=b+c").one("a").unwrap().as_deref(), Some("b+c"));
    }

    #[test]
    fn a_parameter_given_twice_is_refused() {
        assert_eq!(Query::new("ns=a&ns=a").one("ns"), Err(QueryError::Repeated("ns")));
        assert_eq!(Query::new("ns=a&%6es=b").one("ns"), Err(QueryError::Repeated("ns")));
    }

    #[test]
    fn broken_escapes_are_refused() {
        for text in ["ns=%", "ns=%2", "ns=%zz", "ns=%+1"] {
            assert_eq!(Query::new(text).one("ns"), Err(QueryError::Escape), "{text}");
        }
        assert!(matches!(Query::new("ns=%ff").one("ns"), Err(QueryError::Utf8(_))));
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_refused() {
        assert!(matches!(Query::new("n=-1").parse::<u32>("n"), Err(QueryError::Value { parameter: "n", .. })));
    }
}
