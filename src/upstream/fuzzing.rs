//! Ways in for the fuzz targets (`fuzz/`), compiled for nobody else: parsers of foreign bytes that only this module calls.

use std::sync::LazyLock;
use std::time::Duration;

use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Uri};
use jiff::Timestamp;
use prometheus::Registry;

use crate::oci::{Descriptor, Tag};
use crate::upstream::TagPage;
use crate::upstream::address::{Origin, next_link, resolve};
use crate::upstream::challenge::challenges;
use crate::upstream::download::content_range;
use crate::upstream::login;
use crate::upstream::metrics::Metrics;
use crate::upstream::questions;
use crate::upstream::quota::Quota;
use crate::upstream::transport::text_of;
use crate::upstream::trouble::retry_after;

static QUOTA: LazyLock<Option<Quota>> = LazyLock::new(|| {
    let metrics = Metrics::register(&Registry::new()).ok()?;
    Some(Quota::new(metrics.weather("fuzz", "registry.example").quota))
});

/// What the headers of an answer come to.
#[derive(Debug)]
pub struct Headers {
    /// How long it wants to be left alone.
    pub wait: Option<Duration>,
    /// The first byte of the part that it is, and how many there are in all.
    pub part: Option<(u64, Option<u64>)>,
    /// Whether it is a web page.
    pub is_web_page: bool,
    /// Where it leads, and whether that is at the same place as where it came from.
    pub target: Option<(Uri, bool)>,
}

/// The schemes and parameters of a `WWW-Authenticate` header.
pub fn challenge(header: &str) -> Vec<(String, Vec<(String, String)>)> {
    challenges(header).into_iter().map(|one| (one.scheme, one.parameters.into_iter().collect())).collect()
}

/// Where a `Link` header says that a list goes on.
pub fn link(header: &str) -> Option<&str> {
    next_link(header)
}

/// The value of `Authorization` that the answer of a token realm, asked at `asked`, comes to, and until when it is used.
pub fn token(body: &[u8], asked: Timestamp) -> Option<(HeaderValue, Timestamp)> {
    login::token(body, asked).map(|token| (token.header, token.ends))
}

/// What a page of referrers lists.
pub fn referrers(body: &[u8]) -> Option<Vec<Descriptor>> {
    questions::referrers(body)
}

/// The page of tags after `last`, at most `limit`, that an answer comes to which says that there are more, or does not.
pub fn tags(body: &[u8], goes_on: bool, last: Option<&Tag>, limit: u32) -> Option<TagPage> {
    questions::tags(body).map(|tags| questions::page(tags, goes_on, last, limit))
}

/// What is read of the `headers` of an answer from `from` that came at `now`, its quota too.
pub fn headers(headers: &HeaderMap, from: &Uri, now: Timestamp) -> Headers {
    if let Some(quota) = &*QUOTA {
        quota.heard(headers);
    }
    let target = text_of(headers, LOCATION).and_then(|location| resolve(from, location));
    Headers {
        wait: retry_after(headers, now),
        part: content_range(headers),
        is_web_page: text_of(headers, CONTENT_TYPE).is_some_and(questions::is_web_page),
        target: target.map(|target| (target.clone(), Origin::of(&target) == Origin::of(from))),
    }
}
