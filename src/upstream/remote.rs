//! An upstream registry over HTTP: each question of the port as the requests of the OCI distribution specification.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, LINK};
use http::{Method, StatusCode, Uri};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::limits::{EVIDENCE_PIECES, MANIFEST_BYTES, REFERRER_PAGES};
use crate::oci::{Descriptor, Digest, RepositoryName, Tag};
use crate::upstream::address::{Origin, next_link, resolve};
use crate::upstream::answers::Answers;
use crate::upstream::download::Download;
use crate::upstream::exchange::{Answer, Call, Exchange, Redirects};
use crate::upstream::patience::Patience;
use crate::upstream::transport::text_of;
use crate::upstream::trouble::{Retry, Trouble};
use crate::upstream::{BlobStream, RemoteManifest, TagPage, Unavailable, UnavailableKind, Upstream};

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

/// One upstream.
#[derive(Debug)]
pub(super) struct Remote {
    name: String,
    exchange: Arc<Exchange>,
    patience: Patience,
    digests: Answers<Digest>,
    manifests: Answers<Bytes>,
    referrers: Answers<Vec<Descriptor>>,
}

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

impl Remote {
    pub(super) fn new(name: String, exchange: Exchange, patience: Patience) -> Self {
        Self {
            name,
            exchange: Arc::new(exchange),
            patience,
            digests: Answers::new(),
            manifests: Answers::new(),
            referrers: Answers::new(),
        }
    }

    fn now(&self) -> Timestamp {
        self.exchange.clock.now()
    }

    /// What `call` names, whoever else asks for it.
    async fn manifest_by(&self, call: Call) -> Result<Option<Bytes>, Unavailable> {
        let asking = async {
            let bytes = self.patience.persist(|| self.fetch(&call)).await;
            bytes.map_err(|trouble| self.unavailable(trouble))
        };
        self.manifests.to(call.uri.path(), self.now(), asking).await
    }

    fn at(&self, path: fmt::Arguments<'_>) -> Result<Uri, Unavailable> {
        self.exchange.base.at(&format!("/v2/{path}")).map_err(|error| self.unavailable(unusable(&error.to_string())))
    }

    fn unavailable(&self, trouble: Trouble) -> Unavailable {
        trouble.of_upstream(&self.name)
    }

    /// A whole answer of at most [`MANIFEST_BYTES`].
    async fn fetch(&self, call: &Call) -> Result<Option<Bytes>, Trouble> {
        let Some(answer) = self.exchange.ask(call).await? else { return Ok(None) };
        self.body(call, answer).await.map(Some)
    }

    async fn body(&self, call: &Call, answer: Answer) -> Result<Bytes, Trouble> {
        let body = self.exchange.transport.whole(answer.response.into_body(), MANIFEST_BYTES).await;
        body.map_err(|trouble| trouble.at(&call.name()))
    }

    /// The digest that the upstream says in a header: `Some(None)` if it has the tag and does not say a usable one.
    async fn said(&self, call: &Call) -> Result<Option<Option<Digest>>, Trouble> {
        let answer = self.exchange.answer(call).await?;
        if answer.response.status() == StatusCode::METHOD_NOT_ALLOWED {
            return Ok(Some(None));
        }
        let answer = self.exchange.read_status(answer).map_err(|trouble| trouble.at(&call.name()))?;
        let said =
            |answer: Answer| text_of(answer.response.headers(), CONTENT_DIGEST).and_then(|text| text.parse().ok());
        Ok(answer.map(said))
    }

    /// One page of referrers and where the next one is; `None` if there is no such API.
    async fn referrers_page(&self, call: &Call) -> Result<Option<(Vec<Descriptor>, Option<Uri>)>, Trouble> {
        let answer = self.exchange.answer(call).await?;
        if says_no_referrers_api(&answer) {
            return Ok(None);
        }
        let Some(answer) = self.exchange.read_status(answer).map_err(|trouble| trouble.at(&call.name()))? else {
            return Ok(None);
        };
        let next = self.next_page(&answer).map_err(|trouble| trouble.at(&call.name()))?;
        let body = self.body(call, answer).await?;
        let page: ReferrersPage<'_> =
            serde_json::from_slice(&body).map_err(|_| unusable("no list of referrers").at(&call.name()))?;
        // An entry that is no descriptor names nothing that could be fetched, and must not hide the others.
        let entries = page.manifests.unwrap_or_default();
        let read = entries.into_iter().filter_map(|entry| serde_json::from_str(entry.get()).ok());
        Ok(Some((read.collect(), next)))
    }

    /// Where `Link` says that the list goes on; only the upstream itself may go on with its list.
    fn next_page(&self, answer: &Answer) -> Result<Option<Uri>, Trouble> {
        let headers = answer.response.headers().get_all(LINK).iter();
        let Some(next) = headers.filter_map(|link| link.to_str().ok()).find_map(next_link) else { return Ok(None) };
        let next = resolve(&answer.uri, next);
        match next {
            Some(next) if Origin::of(&next).as_ref() == Some(&self.exchange.base.origin) => Ok(Some(next)),
            Some(_) | None => Err(unusable("a list that goes on elsewhere")),
        }
    }

    async fn all_referrers(&self, mut call: Call) -> Result<Option<Vec<Descriptor>>, Trouble> {
        let mut all = Vec::new();
        let mut seen = BTreeSet::new();
        for _ in 0..REFERRER_PAGES {
            if !seen.insert(call.uri.to_string()) {
                return Err(unusable("a list of referrers that goes in circles").at(&call.name()));
            }
            match self.patience.persist(|| self.referrers_page(&call)).await? {
                None if seen.len() == 1 => return Ok(None),
                None => return Err(unusable("a list of referrers that breaks off").at(&call.name())),
                Some((page, next)) => {
                    all.extend(page);
                    let Some(next) = next else { return Ok(Some(all)) };
                    call.uri = next;
                }
            }
        }
        // More than anybody looks at is as good as all; fewer, on so many pages, is a list made to hide something.
        if all.len() > EVIDENCE_PIECES {
            return Ok(Some(all));
        }
        Err(unusable("a list of referrers of too many pages").at(&call.name()))
    }

    async fn tag_page(&self, call: &Call, last: Option<&Tag>, limit: usize) -> Result<Option<TagPage>, Trouble> {
        let Some(answer) = self.exchange.ask(call).await? else { return Ok(None) };
        let goes_on = answer.response.headers().contains_key(LINK);
        let body = self.body(call, answer).await?;
        let listed: TagList =
            serde_json::from_slice(&body).map_err(|_| unusable("no list of tags").at(&call.name()))?;
        let tags = listed.tags.unwrap_or_default().into_iter().filter_map(|tag| tag.parse().ok());
        let mut tags: Vec<Tag> = tags.collect();
        // Some registries ignore `last` and `n`, and list everything each time, in no order.
        if !goes_on && last.is_none_or(|last| tags.contains(last)) {
            tags.sort_unstable();
            tags.retain(|tag| last.is_none_or(|last| tag > last));
        }
        let more = goes_on || tags.len() > limit;
        tags.truncate(limit);
        Ok(Some(TagPage { tags, more }))
    }
}

#[async_trait]
impl Upstream for Remote {
    async fn resolve(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<Digest>, Unavailable> {
        let uri = self.at(format_args!("{repository}/manifests/{tag}"))?;
        let head = Call { method: Method::HEAD, ..Call::get(uri, MANIFESTS, repository) };
        let asking = async {
            let said = self.patience.persist(|| self.said(&head)).await;
            match said.map_err(|trouble| self.unavailable(trouble))? {
                None => Ok(None),
                Some(Some(digest)) => Ok(Some(digest)),
                Some(None) => Ok(self.tagged(repository, tag).await?.map(|manifest| Digest::of(&manifest.bytes))),
            }
        };
        self.digests.to(head.uri.path(), self.now(), asking).await
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: Digest,
    ) -> Result<Option<RemoteManifest>, Unavailable> {
        let call = Call::get(self.at(format_args!("{repository}/manifests/{digest}"))?, MANIFESTS, repository);
        let name = call.name();
        let Some(bytes) = self.manifest_by(call).await? else { return Ok(None) };
        let got = Digest::of(&bytes);
        if got != digest {
            let trouble = Trouble::new(UnavailableKind::Digest, format!("got {got}"), Retry::Never);
            return Err(self.unavailable(trouble.at(&name)));
        }
        Ok(Some(RemoteManifest { bytes }))
    }

    async fn tagged(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<RemoteManifest>, Unavailable> {
        let call = Call::get(self.at(format_args!("{repository}/manifests/{tag}"))?, MANIFESTS, repository);
        Ok(self.manifest_by(call).await?.map(|bytes| RemoteManifest { bytes }))
    }

    async fn blob(
        &self,
        repository: &RepositoryName,
        digest: Digest,
        from: u64,
    ) -> Result<Option<BlobStream>, Unavailable> {
        let uri = self.at(format_args!("{repository}/blobs/{digest}"))?;
        let call = Call { from, ..Call::get(uri, ANYTHING, repository) };
        let (exchange, patience) = (Arc::clone(&self.exchange), self.patience.clone());
        let download = Download::start(exchange, patience, call, self.name.clone()).await;
        Ok(download.map_err(|trouble| self.unavailable(trouble))?.map(Download::into_stream))
    }

    async fn referrers(
        &self,
        repository: &RepositoryName,
        digest: Digest,
    ) -> Result<Option<Vec<Descriptor>>, Unavailable> {
        let uri = self.at(format_args!("{repository}/referrers/{digest}"))?;
        let call = Call { redirects: Redirects::FollowedUnlessOther, ..Call::get(uri, INDEX, repository) };
        let about = call.uri.path().to_owned();
        let asking = async { self.all_referrers(call).await.map_err(|trouble| self.unavailable(trouble)) };
        self.referrers.to(&about, self.now(), asking).await
    }

    async fn tags(
        &self,
        repository: &RepositoryName,
        last: Option<&Tag>,
        limit: u32,
    ) -> Result<Option<TagPage>, Unavailable> {
        let after = last.map(|last| format!("&last={last}")).unwrap_or_default();
        let call = Call::get(self.at(format_args!("{repository}/tags/list?n={limit}{after}"))?, JSON, repository);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let page = self.patience.persist(|| self.tag_page(&call, last, limit)).await;
        page.map_err(|trouble| self.unavailable(trouble))
    }
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

fn is_web_page(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("text/html")
}

fn unusable(text: &str) -> Trouble {
    Trouble::new(UnavailableKind::Body, text, Retry::Never)
}
