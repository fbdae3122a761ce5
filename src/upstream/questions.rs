//! Each question of the port as one try at one address: which requests it takes, and how their answers are read.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LINK};
use http::{Method, StatusCode, Uri};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::limits::MANIFEST_BYTES;
use crate::oci::{Descriptor, Digest, RepositoryName, Tag};
use crate::upstream::address::{Origin, next_link, resolve};
use crate::upstream::exchange::{Answer, Call, Exchange, Redirects};
use crate::upstream::transport::text_of;
use crate::upstream::trouble::{Retry, Trouble};
use crate::upstream::weather::Purpose;
use crate::upstream::{TagPage, UnavailableKind};

/// Every kind of manifest there is to have, whatever the client named: a registry that is asked for less may convert the
/// manifest, and what it converts has another digest.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, */*;q=0.1";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const JSON: &str = "application/json";
const ANYTHING: &str = "*/*";
const CONTENT_DIGEST: &str = "docker-content-digest";

#[derive(Deserialize)]
struct ReferrersPage<'a> {
    /// Must be there, though it may be null: some registries write an empty list so.
    #[serde(borrow, deserialize_with = "Option::deserialize")]
    manifests: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct TagList {
    tags: Option<Vec<String>>,
}

/// One page of referrers.
pub(super) struct Page {
    pub(super) referrers: Vec<Descriptor>,
    /// What asks for the next one.
    pub(super) next: Option<Call>,
}

impl Exchange {
    /// The digest that `tag` has by a header: `Some(None)` if the tag is there and no usable digest is said.
    pub(super) async fn digest_of(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Option<Option<Digest>>, Trouble> {
        let get = self.get(&format!("{repository}/manifests/{tag}"), MANIFESTS, repository, Purpose::Check)?;
        let call = Call { method: Method::HEAD, ..get };
        let answer = self.answer(&call).await?;
        if answer.response.status() == StatusCode::METHOD_NOT_ALLOWED {
            return Ok(Some(None));
        }
        let answer = self.read_status(answer).map_err(|trouble| trouble.at(&call.name()))?;
        let said =
            |answer: Answer| text_of(answer.response.headers(), CONTENT_DIGEST).and_then(|text| text.parse().ok());
        Ok(answer.map(said))
    }

    /// The bytes of the manifest `digest`, hashed: another address may have them where this one has others.
    pub(super) async fn manifest(&self, repository: &RepositoryName, digest: Digest) -> Result<Option<Bytes>, Trouble> {
        let path = format!("{repository}/manifests/{digest}");
        let call = self.get(&path, MANIFESTS, repository, Purpose::Manifest)?;
        let Some(bytes) = self.fetch(&call).await? else { return Ok(None) };
        let got = Digest::of(&bytes);
        if got != digest {
            let trouble = Trouble::new(UnavailableKind::Digest, format!("got {got}"), Retry::Never);
            return Err(trouble.at(&call.name()));
        }
        Ok(Some(bytes))
    }

    /// The bytes of the manifest that `tag` means now.
    pub(super) async fn tagged(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<Bytes>, Trouble> {
        let path = format!("{repository}/manifests/{tag}");
        self.fetch(&self.get(&path, MANIFESTS, repository, Purpose::Manifest)?).await
    }

    /// What asks for the bytes of the blob `digest` from offset `from` on.
    pub(super) fn blob(&self, repository: &RepositoryName, digest: Digest, from: u64) -> Result<Call, Trouble> {
        let call = self.get(&format!("{repository}/blobs/{digest}"), ANYTHING, repository, Purpose::Blob)?;
        Ok(Call { from, ..call })
    }

    /// What asks for the first page of the referrers of `digest`.
    pub(super) fn referrers(&self, repository: &RepositoryName, digest: Digest) -> Result<Call, Trouble> {
        let call = self.get(&format!("{repository}/referrers/{digest}"), INDEX, repository, Purpose::List)?;
        Ok(Call { redirects: Redirects::FollowedUnlessOther, ..call })
    }

    /// One page of referrers; `None` if there is no such API.
    pub(super) async fn referrers_page(&self, call: &Call) -> Result<Option<Page>, Trouble> {
        let answer = self.answer(call).await?;
        if says_no_referrers_api(&answer) {
            return Ok(None);
        }
        let Some(answer) = self.read_status(answer).map_err(|trouble| trouble.at(&call.name()))? else {
            return Ok(None);
        };
        let next = self.next_page(&answer).map_err(|trouble| trouble.at(&call.name()))?;
        let next = next.map(|uri| Call { uri, ..call.clone() });
        let body = self.body(call, answer).await?;
        let referrers = referrers(&body).ok_or_else(|| unusable("no list of referrers").at(&call.name()))?;
        Ok(Some(Page { referrers, next }))
    }

    /// Where `Link` says that the list goes on; only the upstream itself may go on with its list.
    fn next_page(&self, answer: &Answer) -> Result<Option<Uri>, Trouble> {
        let headers = answer.response.headers().get_all(LINK).iter();
        let Some(next) = headers.filter_map(|link| link.to_str().ok()).find_map(next_link) else { return Ok(None) };
        let next = resolve(&answer.uri, next);
        match next {
            Some(next) if Origin::of(&next).as_ref() == Some(&self.base.origin) => Ok(Some(next)),
            Some(_) | None => Err(unusable("a list that goes on elsewhere")),
        }
    }

    /// One page of tags after `last`, at most `limit`.
    pub(super) async fn tag_page(
        &self,
        repository: &RepositoryName,
        last: Option<&Tag>,
        limit: u32,
    ) -> Result<Option<TagPage>, Trouble> {
        let after = last.map(|last| format!("&last={last}")).unwrap_or_default();
        let path = format!("{repository}/tags/list?n={limit}{after}");
        let call = self.get(&path, JSON, repository, Purpose::List)?;
        let Some(answer) = self.ask(&call).await? else { return Ok(None) };
        let goes_on = answer.response.headers().contains_key(LINK);
        let body = self.body(&call, answer).await?;
        let tags = tags(&body).ok_or_else(|| unusable("no list of tags").at(&call.name()))?;
        Ok(Some(page(tags, goes_on, last, limit)))
    }

    fn get(
        &self,
        path: &str,
        accept: &'static str,
        repository: &RepositoryName,
        purpose: Purpose,
    ) -> Result<Call, Trouble> {
        let uri = self.base.at(&format!("/v2/{path}")).map_err(|error| unusable(&error.to_string()))?;
        Ok(Call::get(uri, accept, repository, purpose))
    }

    /// A whole answer of at most [`MANIFEST_BYTES`].
    async fn fetch(&self, call: &Call) -> Result<Option<Bytes>, Trouble> {
        let Some(answer) = self.ask(call).await? else { return Ok(None) };
        self.body(call, answer).await.map(Some)
    }

    /// A whole body of at most [`MANIFEST_BYTES`].
    async fn body(&self, call: &Call, answer: Answer) -> Result<Bytes, Trouble> {
        let body = self.transport.whole(answer.response.into_body(), MANIFEST_BYTES).await;
        body.map_err(|trouble| trouble.at(&call.name()))
    }
}

/// What a page of referrers lists; `None` if it is none.
pub(super) fn referrers(body: &[u8]) -> Option<Vec<Descriptor>> {
    let page: ReferrersPage<'_> = serde_json::from_slice(body).ok()?;
    // An entry that is no descriptor names nothing that could be fetched, and must not hide the others.
    let entries = page.manifests.unwrap_or_default();
    Some(entries.into_iter().filter_map(|entry| serde_json::from_str(entry.get()).ok()).collect())
}

/// What a list of tags names; `None` if it is none.
pub(super) fn tags(body: &[u8]) -> Option<Vec<Tag>> {
    let listed: TagList = serde_json::from_slice(body).ok()?;
    Some(listed.tags.unwrap_or_default().into_iter().filter_map(|tag| tag.parse().ok()).collect())
}

/// The page that `tags` are after `last`, at most `limit`.
pub(super) fn page(mut tags: Vec<Tag>, goes_on: bool, last: Option<&Tag>, limit: u32) -> TagPage {
    // Some registries ignore `last` and `n`, and list everything each time, in no order.
    if !goes_on && last.is_none_or(|last| tags.contains(last)) {
        tags.sort_unstable();
        tags.retain(|tag| last.is_none_or(|last| tag > last));
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = goes_on || tags.len() > limit;
    tags.truncate(limit);
    TagPage { tags, more }
}

/// Whether an answer says that the registry has no referrers API, in one of the ways in use besides 404: 405, 303 to a
/// web page (RFC 9110: an answer that is not the resource), or the web page itself. Every other answer that is no list
/// leaves it open whether there are referrers.
fn says_no_referrers_api(answer: &Answer) -> bool {
    match answer.response.status() {
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::SEE_OTHER => true,
        StatusCode::OK => text_of(answer.response.headers(), CONTENT_TYPE).is_some_and(is_web_page),
        _ => false,
    }
}

/// Whether a `Content-Type` is that of one.
pub(super) fn is_web_page(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("text/html")
}

fn unusable(text: &str) -> Trouble {
    Trouble::new(UnavailableKind::Body, text, Retry::Never)
}
