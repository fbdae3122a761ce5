//! What a request asks for, told from its method and URI alone, before any I/O.
//!
//! Paths are matched as they are, never decoded or normalised: a name that would need an escape is none of the
//! specification, and two ways to spell one path are one too many.

use http::{Method, Uri};

use crate::front::query::{Query, QueryError};
use crate::oci::{Digest, DigestError, Image, NameError, ReferenceError, Repository, Tag, UpstreamName};

/// Most tags of one page, and how many there are where the client does not say.
pub const TAGS_PER_PAGE: u32 = 1000;

/// The upstreams that clients may name.
#[derive(Debug, Clone)]
pub struct Upstreams {
    names: Vec<UpstreamName>,
    /// Other names, and what each stands for.
    aliases: Vec<(UpstreamName, UpstreamName)>,
    default: Option<UpstreamName>,
}

/// Everything that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Whether this is a registry at all.
    Base,
    /// A manifest.
    Manifest(Image),
    /// A blob.
    Blob {
        /// The repository through which it is asked for.
        repository: Repository,
        /// The blob.
        digest: Digest,
    },
    /// The manifests that are about another one.
    Referrers {
        /// The repository of both.
        repository: Repository,
        /// The other one.
        subject: Digest,
        /// Only those of this type.
        artifact_type: Option<String>,
    },
    /// The tags of a repository.
    Tags {
        /// The repository.
        repository: Repository,
        /// Only those after this one.
        last: Option<Tag>,
        /// At most so many.
        limit: u32,
    },
}

/// A request that is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What it asks for.
    pub route: Route,
    /// What `?ns=` says, if it is there: the answer must repeat it.
    pub namespace: Option<UpstreamName>,
    /// Whether the body is wanted as well.
    pub method: Reading,
}

/// The two methods of a mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The head of the answer.
    Head,
    /// The whole answer.
    Get,
}

/// Why a request is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misroute {
    /// A push, a deletion, or anything else that does not read.
    #[error("this is a mirror for pulling: only GET and HEAD are answered")]
    Method,
    /// A path that is none of the specification's.
    #[error("there is nothing at this path")]
    Path,
    /// The upstream is none of the configured ones.
    #[error("upstream {asked} is not configured; configured are: {configured}")]
    Upstream {
        /// What was asked for.
        asked: String,
        /// What could have been.
        configured: String,
    },
    /// No upstream is named, and none is the default.
    #[error(
        "no upstream is named by ?ns= or by the first path component, and none is the default; configured are: {0}"
    )]
    NoUpstream(String),
    /// The repository name is misspelt.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The tag or digest of a manifest is misspelt.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The digest of a blob or subject is misspelt.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// The query is misspelt, in words.
    #[error("{0}")]
    Query(String),
}

impl From<QueryError> for Misroute {
    fn from(error: QueryError) -> Self {
        Self::Query(error.to_string())
    }
}

/// What a path asks for, the repository not looked at yet.
enum Kind<'a> {
    Manifest(&'a str),
    Blob(&'a str),
    Referrers(&'a str),
    Tags,
}

/// Reads a request.
///
/// # Errors
/// [`Misroute`] if it asks for nothing that a mirror answers.
pub fn route(method: &Method, uri: &Uri, upstreams: &Upstreams) -> Result<Asked, Misroute> {
    let method = match *method {
        Method::GET => Reading::Get,
        Method::HEAD => Reading::Head,
        _ => return Err(Misroute::Method),
    };
    let path = uri.path().strip_prefix("/v2").ok_or(Misroute::Path)?;
    if matches!(path, "" | "/") {
        return Ok(Asked { route: Route::Base, namespace: None, method });
    }
    let query = Query::new(uri.query().unwrap_or_default());
    let (name, kind) = split(path.strip_prefix('/').ok_or(Misroute::Path)?).ok_or(Misroute::Path)?;
    let namespace = query.one("ns")?.map(|text| upstreams.namespace(&text)).transpose()?;
    let (namespace, upstream) = namespace.unzip();
    let repository = upstreams.repository(name, upstream)?;
    Ok(Asked { route: kind.route(repository, query)?, namespace, method })
}

/// Splits `<name>/manifests/<reference>` and its like. The last keyword counts: names may contain the keywords too.
fn split(path: &str) -> Option<(&str, Kind<'_>)> {
    if let Some(name) = path.strip_suffix("/tags/list") {
        return Some((name, Kind::Tags));
    }
    let (rest, last) = path.rsplit_once('/')?;
    let (name, keyword) = rest.rsplit_once('/')?;
    let kind = match keyword {
        "manifests" => Kind::Manifest(last),
        "blobs" => Kind::Blob(last),
        "referrers" => Kind::Referrers(last),
        _ => return None,
    };
    Some((name, kind))
}

impl Kind<'_> {
    fn route(self, repository: Repository, query: Query<'_>) -> Result<Route, Misroute> {
        Ok(match self {
            Self::Manifest(text) => Route::Manifest(Image { repository, reference: text.parse()? }),
            Self::Blob(text) => Route::Blob { repository, digest: text.parse()? },
            Self::Referrers(text) => {
                Route::Referrers { repository, subject: text.parse()?, artifact_type: query.one("artifactType")? }
            }
            Self::Tags => {
                let limit = query.parse("n")?.map_or(TAGS_PER_PAGE, |limit: u32| limit.min(TAGS_PER_PAGE));
                Route::Tags { repository, last: query.parse("last")?, limit }
            }
        })
    }
}

impl Upstreams {
    /// The upstreams `names`, of which `default` serves requests that name none.
    pub const fn new(names: Vec<UpstreamName>, default: Option<UpstreamName>) -> Self {
        Self { names, aliases: Vec::new(), default }
    }

    /// The same, where clients may also say `alias` for `name`.
    #[must_use]
    pub fn with_alias(mut self, alias: UpstreamName, name: UpstreamName) -> Self {
        self.aliases.push((alias, name));
        self
    }

    /// The upstream that `?ns=` names, as said and as configured: a key among the configured ones, never a host to dial.
    fn namespace(&self, text: &str) -> Result<(UpstreamName, &UpstreamName), Misroute> {
        let named = self.named(text).ok_or_else(|| self.unknown(text))?;
        Ok((text.parse()?, named))
    }

    /// The repository `name` of the path: of `namespace`, else of the upstream that is its first component, else of
    /// the default one.
    fn repository(&self, name: &str, namespace: Option<&UpstreamName>) -> Result<Repository, Misroute> {
        let first = name.split_once('/').and_then(|(first, rest)| Some((self.named(first)?, rest)));
        let (upstream, name) = match (namespace, first) {
            // Some clients say it twice: `?ns=` and a path prefix for the mirror.
            (Some(namespace), Some((first, rest))) if namespace == first => (namespace, rest),
            (Some(namespace), _) => (namespace, name),
            (None, Some((first, rest))) => (first, rest),
            (None, None) => (self.otherwise(name)?, name),
        };
        Ok(Repository::new(upstream.clone(), name.parse()?))
    }

    fn otherwise(&self, name: &str) -> Result<&UpstreamName, Misroute> {
        match (name.split_once('/'), &self.default) {
            // A port makes it a host: no repository name has a colon.
            (Some((first, _)), _) if first.contains(':') => Err(self.unknown(first)),
            (_, Some(default)) => Ok(default),
            (_, None) => Err(Misroute::NoUpstream(self.list())),
        }
    }

    fn named(&self, text: &str) -> Option<&UpstreamName> {
        let alias = || self.aliases.iter().find(|(alias, _)| alias.as_str() == text).map(|(_, name)| name);
        self.names.iter().find(|name| name.as_str() == text).or_else(alias)
    }

    /// The error that names `asked` only where it could be a name: what is hostile is not repeated.
    fn unknown(&self, asked: &str) -> Misroute {
        let asked = asked.parse::<UpstreamName>().map_or_else(|_| "as named".to_owned(), |name| name.to_string());
        Misroute::Upstream { asked, configured: self.list() }
    }

    fn list(&self) -> String {
        self.names.iter().map(UpstreamName::as_str).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests;
