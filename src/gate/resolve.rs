//! From what a client names to a digest, and from a name to its upstream.

use std::sync::Arc;

use crate::content::ContentError;
use crate::facts::{Facts, FactsError, GrantKind};
use crate::gate::Gate;
use crate::gate::admitted::{RETRY_AFTER, Refusal};
use crate::oci::{Digest, ErrorCode, Image, Reference, Repository, Tag, UpstreamName};
use crate::upstream::{Unavailable, Upstream};

impl Gate {
    /// The digest that `image` names now. A tag is asked for at most once per `tag_ttl`; while the upstream cannot be
    /// asked, what it said last stands for `max_stale`, since that is judged again all the same.
    pub(in crate::gate) async fn resolve(&self, image: &Image) -> Result<Digest, Refusal> {
        match &image.reference {
            Reference::Digest(digest) => Ok(*digest),
            Reference::Tag(tag) => self.resolve_tag(&image.repository, tag).await,
        }
    }

    async fn resolve_tag(&self, repository: &Repository, tag: &Tag) -> Result<Digest, Refusal> {
        let upstream = self.upstream(&repository.upstream)?;
        let ttl = self.upstreams.tag_ttl(&repository.upstream);
        let known = self.facts.resolution(repository, tag).await?;
        let age = known.map(|known| known.age(self.clock.now()));
        if let (Some(known), Some(age)) = (known, age)
            && age < ttl
        {
            return Ok(known.digest);
        }
        let (name, asked) = (repository.name.clone(), tag.clone());
        let asking = async move { Ok(upstream.resolve(&name, &asked).await?) };
        match self.facts.resolve(repository, tag, ttl, asking).await {
            Ok(Some(digest)) => Ok(digest),
            Ok(None) => Err(Refusal::not_found(ErrorCode::ManifestUnknown, format_args!("{repository}:{tag}"))),
            Err(Unresolved::Upstream(unavailable)) => {
                let known =
                    known.filter(|_| age.is_some_and(|age| age < self.upstreams.max_stale(&repository.upstream)));
                let stale = known.ok_or(unavailable)?;
                self.metrics.stale(&repository.upstream);
                Ok(stale.digest)
            }
            Err(Unresolved::Here(refusal)) => Err(refusal),
        }
    }

    /// Whether the repository has what was admitted without a look at evidence of this repository. It is asked for once: a
    /// tag of it or something that reaches it was seen there, or it is granted to itself.
    ///
    /// Without that, what is known from any repository could be had under the name of one that is allowed unproven.
    pub(in crate::gate) async fn check_presence(&self, repository: &Repository, digest: Digest) -> Result<(), Refusal> {
        if is_seen(&self.facts, repository, digest).await? {
            return Ok(());
        }
        let (facts, manifests, of) = (Arc::clone(&self.facts), self.manifests.clone(), repository.clone());
        let upstream = self.upstream(&repository.upstream)?;
        let looking = async move {
            // Somebody else may have seen it there since.
            if is_seen(&facts, &of, digest).await? {
                return Ok(());
            }
            let found = manifests.fetch(&*upstream, &of, digest).await?;
            let bytes = found.ok_or_else(|| Refusal::no_manifest(&of, digest))?;
            Ok(facts.grant(&of, digest, &[(digest, GrantKind::Manifest, bytes.len() as u64)]).await?)
        };
        self.presence.join(&(repository.clone(), digest), looking).await
    }

    /// The configured upstream `name`.
    pub(in crate::gate) fn upstream(&self, name: &UpstreamName) -> Result<Arc<dyn Upstream>, Refusal> {
        self.upstreams.get(name).ok_or_else(|| self.no_upstream(name))
    }

    pub(in crate::gate) fn no_upstream(&self, name: &UpstreamName) -> Refusal {
        let mut known: Vec<_> = self.upstreams.names().iter().map(UpstreamName::as_str).collect();
        known.sort_unstable();
        let text = format!("upstream {name} is not configured; configured are: {}", known.join(", "));
        Refusal::NotFound { code: ErrorCode::NameUnknown, text }
    }
}

/// Whether `digest`, or something that reaches it, was seen in `repository`.
async fn is_seen(facts: &Facts, repository: &Repository, digest: Digest) -> Result<bool, FactsError> {
    let grants = facts.grants(repository, digest).await?;
    let is_granted = grants.iter().any(|grant| grant.kind == GrantKind::Manifest);
    Ok(is_granted || !facts.tags_of(repository, digest).await?.is_empty())
}

/// Why it is not known what a tag means.
#[derive(Clone)]
enum Unresolved {
    /// The upstream could not be asked: what it said before may stand.
    Upstream(Unavailable),
    /// What it said cannot be remembered here.
    Here(Refusal),
}

impl From<Unavailable> for Unresolved {
    fn from(unavailable: Unavailable) -> Self {
        Self::Upstream(unavailable)
    }
}

impl From<FactsError> for Unresolved {
    fn from(error: FactsError) -> Self {
        Self::Here(error.into())
    }
}

impl From<Unavailable> for Refusal {
    fn from(unavailable: Unavailable) -> Self {
        Self::Undecided {
            retry_after: unavailable.retry_after.unwrap_or(RETRY_AFTER),
            text: unavailable.to_string(),
            judged: None,
        }
    }
}

impl From<FactsError> for Refusal {
    fn from(error: FactsError) -> Self {
        Self::undecided(error)
    }
}

impl From<ContentError> for Refusal {
    fn from(error: ContentError) -> Self {
        match error {
            ContentError::Length { .. } | ContentError::Mismatch { .. } => Self::Invalid { text: error.to_string() },
            ContentError::Folder { .. }
            | ContentError::Store { .. }
            | ContentError::List { .. }
            | ContentError::Several { .. }
            | ContentError::Busy(_)
            | ContentError::Metrics(_) => Self::undecided(error),
        }
    }
}
