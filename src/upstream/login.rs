//! Answers to challenges: Basic, and Bearer tokens (distribution's token authentication), each scope fetched once.
//!
//! Credentials go to the upstream itself and to the token realm that it names, to nobody else; and a realm must be
//! reached by TLS, so that nobody on the way reads them. The one exception: an upstream that is itself configured with
//! plain HTTP may name a plain realm on its own host, since credentials to that host are in the open already.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use jiff::Timestamp;
use moka::future::Cache;
use serde::Deserialize;

use crate::clock::Clock;
use crate::upstream::UnavailableKind;
use crate::upstream::address::Origin;
use crate::upstream::challenge::{Challenge, challenges};
use crate::upstream::credentials::Credentials;
use crate::upstream::transport::{Transport, unwanted};
use crate::upstream::trouble::{Retry, Trouble};
use crate::upstream::weather::{Purpose, Weather};

/// Most tokens remembered for one upstream: one for each repository in use.
const TOKENS: u64 = 10_000;
/// Largest answer of a token realm; tokens that list many grants reach some 10 KB.
const TOKEN_BYTES: u64 = 256 * 1024;
/// How long a token lives that does not say (`expires_in`, distribution's token specification).
const TOKEN_LIFE: u64 = 60;
/// Longest that a token is used, whatever it says.
const LONGEST_TOKEN_LIFE: u64 = 24 * 3600;
/// How long before its end a token is no longer used: clocks differ, and requests take time.
const SKEW: u64 = 10;

/// How one upstream is logged in to.
#[derive(Debug)]
pub(super) struct Login {
    home: Origin,
    credentials: Option<Credentials>,
    /// Whether the upstream has asked for Basic before; then it need not ask again.
    basic: AtomicBool,
    tokens: Cache<String, Result<Token, Trouble>>,
    transport: Transport,
    /// How the token service is doing.
    weather: Weather,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Clone)]
pub(super) struct Token {
    /// The value of `Authorization`, which does not print itself.
    pub(super) header: HeaderValue,
    pub(super) ends: Timestamp,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Login {
    pub(super) fn new(
        home: Origin,
        credentials: Option<Credentials>,
        transport: Transport,
        weather: Weather,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let tokens = Cache::new(TOKENS);
        Self { home, credentials, basic: AtomicBool::new(false), tokens, transport, weather, clock }
    }

    /// What to send without being asked, since an earlier request in `scope` was asked for it.
    pub(super) async fn known(&self, scope: &str) -> Option<HeaderValue> {
        if self.basic.load(Ordering::Relaxed) {
            return self.basic_header();
        }
        let token = self.tokens.get(scope).await?.ok()?;
        self.is_fresh(&token).then_some(token.header)
    }

    /// What to send after a 401 with `headers` to a request in `scope` that carried `refused`. `None`: there is nothing
    /// further to try.
    pub(super) async fn renew(
        &self,
        scope: &str,
        headers: &HeaderMap,
        refused: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, Trouble> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter();
        let all: Vec<_> = values.filter_map(|value| value.to_str().ok()).flat_map(challenges).collect();
        if let Some(bearer) = all.iter().find(|challenge| challenge.is("bearer")) {
            return self.token(scope, bearer, refused).await.map(Some);
        }
        let header = if all.iter().any(|challenge| challenge.is("basic")) { self.basic_header() } else { None };
        if header.is_some() {
            self.basic.store(true, Ordering::Relaxed);
        }
        Ok(header.filter(|header| refused != Some(header)))
    }

    fn basic_header(&self) -> Option<HeaderValue> {
        self.credentials.as_ref().and_then(Credentials::basic)
    }

    fn is_fresh(&self, token: &Token) -> bool {
        token.ends > self.clock.now()
    }

    /// A token other than `refused`: one flight for each scope, and a failure is shared by those who waited for it.
    async fn token(
        &self,
        scope: &str,
        challenge: &Challenge,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, Trouble> {
        let is_of_no_use = |held: &Result<Token, Trouble>| match held {
            Ok(token) => refused == Some(&token.header) || !self.is_fresh(token),
            Err(_) => true,
        };
        let fetch = Box::pin(self.fetch(scope, challenge));
        let entry = self.tokens.entry_by_ref(scope).or_insert_with_if(fetch, is_of_no_use).await;
        entry.into_value().map(|token| token.header)
    }

    async fn fetch(&self, scope: &str, challenge: &Challenge) -> Result<Token, Trouble> {
        let uri = self.token_uri(scope, challenge)?;
        let place = format!("token realm {}", uri.host().unwrap_or_default());
        let asked = self.clock.now();
        let sending = self.transport.send(self.token_request(uri)?);
        let response = self.weather.send(Purpose::Token, sending).await.map_err(|trouble| trouble.at(&place))?;
        self.read(response, asked).await.map_err(|trouble| trouble.at(&place))
    }

    /// The realm with `service` and `scope`. The scope is ours: a registry that asks for more than pulling gets a token
    /// for pulling.
    fn token_uri(&self, scope: &str, challenge: &Challenge) -> Result<Uri, Trouble> {
        let refuse = |text: &str| Trouble::new(UnavailableKind::Unauthorized, text, Retry::Never);
        let realm = challenge.parameters.get("realm").ok_or_else(|| refuse("a bearer challenge without realm"))?;
        let uri: Uri = realm.parse().map_err(|_| refuse("the token realm is no address"))?;
        let origin = Origin::of(&uri).ok_or_else(|| refuse("the token realm is no address"))?;
        let is_in_the_open_anyway = !self.home.tls && origin.host == self.home.host;
        if !origin.tls && !is_in_the_open_anyway {
            return Err(refuse("the token realm is not reached by TLS"));
        }
        let mut text = uri.to_string();
        text.push(if uri.query().is_some() { '&' } else { '?' });
        if let Some(service) = challenge.parameters.get("service") {
            push_parameter(&mut text, "service", service);
            text.push('&');
        }
        push_parameter(&mut text, "scope", scope);
        text.parse().map_err(|_| refuse("the token realm is no address"))
    }

    fn token_request(&self, uri: Uri) -> Result<Request<Empty<Bytes>>, Trouble> {
        let mut request = Request::get(uri).header(ACCEPT, "application/json").header("user-agent", USER_AGENT);
        if let Some(basic) = self.basic_header() {
            request = request.header(AUTHORIZATION, basic);
        }
        let unsendable = |_| Trouble::new(UnavailableKind::Unauthorized, "the token realm is no address", Retry::Never);
        request.body(Empty::new()).map_err(unsendable)
    }

    async fn read(&self, response: Response<Incoming>, asked: Timestamp) -> Result<Token, Trouble> {
        // A redirect is refused like any other status: the credentials are for the realm alone.
        if response.status() != StatusCode::OK {
            return Err(unwanted(&response, asked));
        }
        let body = self.transport.whole(response.into_body(), TOKEN_BYTES).await?;
        token(&body, asked)
            .ok_or_else(|| Trouble::new(UnavailableKind::Unauthorized, "the answer holds no token", Retry::Never))
    }
}

/// Who asks.
pub(super) const USER_AGENT: &str = concat!("bonafide/", env!("CARGO_PKG_VERSION"));

/// The token in the answer of a realm that was asked at `asked`.
pub(super) fn token(body: &[u8], asked: Timestamp) -> Option<Token> {
    let answer: TokenAnswer = serde_json::from_slice(body).ok()?;
    let text = answer.token.filter(|token| !token.is_empty()).or(answer.access_token)?;
    let mut header = HeaderValue::from_str(&format!("Bearer {text}")).ok()?;
    header.set_sensitive(true);
    let life = answer.expires_in.unwrap_or(TOKEN_LIFE).min(LONGEST_TOKEN_LIFE);
    let used = life.saturating_sub(SKEW.min(life / 2));
    Some(Token { header, ends: asked.checked_add(Duration::from_secs(used)).ok()? })
}

/// `name=value`, with all but the unreserved characters of RFC 3986 encoded.
fn push_parameter(query: &mut String, name: &str, value: &str) {
    query.push_str(name);
    query.push('=');
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            query.push(char::from(byte));
        } else {
            query.push('%');
            query.push_str(&hex::encode_upper([byte]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lives(body: &str) -> i64 {
        token(body.as_bytes(), Timestamp::UNIX_EPOCH).unwrap().ends.as_second()
    }

    #[test]
    fn a_token_ends_a_little_before_it_says() {
        assert_eq!(lives(r#"{"token":"t","expires_in":300}"#), 290);
        assert_eq!(lives(r#"{"access_token":"t"}"#), 50);
        assert_eq!(lives(r#"{"token":"","access_token":"t","expires_in":4}"#), 2);
        assert_eq!(lives(r#"{"token":"t","expires_in":18446744073709551615}"#), 24 * 3600 - 10);
    }

    #[test]
    fn what_is_no_token_is_none() {
        for body in ["", "{}", "[]", r#"{"token":"a\nb"}"#, r#"{"token":"t","expires_in":-1}"#] {
            assert!(token(body.as_bytes(), Timestamp::UNIX_EPOCH).is_none(), "{body}");
        }
    }

    #[test]
    fn a_token_does_not_print_itself() {
        let token = token(br#"{"token":"hunter2"}"#, Timestamp::UNIX_EPOCH).unwrap();
        assert!(!format!("{token:?}").contains("hunter2"));
    }

    #[test]
    fn parameters_cannot_break_out_of_the_query() {
        let mut query = String::new();
        push_parameter(&mut query, "service", "a b&scope=x#é");
        assert_eq!(query, "service=a%20b%26scope%3Dx%23%C3%A9");
    }
}
