//! Addresses: where an upstream is, what counts as the same place, and what a `Location` or `Link` means there.

use std::fmt;

use http::Uri;
use http::uri::{Authority, Scheme};

/// Why a text is no address of an upstream, or of another site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a url is https://host[:port][/prefix], or http:// where plain HTTP is meant")]
pub struct AddressError;

/// What stands before `/v2/` in every request to one upstream.
#[derive(Debug, Clone)]
pub(super) struct Base {
    scheme: Scheme,
    authority: Authority,
    prefix: String,
    pub(super) origin: Origin,
}

/// Scheme, host and port: to whom a request goes. Credentials for one origin are for no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) tls: bool,
    pub(super) host: String,
    port: u16,
}

/// Whether `url` is one that can be asked.
///
/// # Errors
/// [`AddressError`], which says what an address looks like.
pub fn check_address(url: &str) -> Result<(), AddressError> {
    Base::parse(url).map(drop)
}

impl Base {
    pub(super) fn parse(text: &str) -> Result<Self, AddressError> {
        let uri: Uri = text.parse().map_err(|_| AddressError)?;
        let origin = Origin::of(&uri).ok_or(AddressError)?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority), Some(path)) = (parts.scheme, parts.authority, parts.path_and_query) else {
            return Err(AddressError);
        };
        if path.query().is_some() {
            return Err(AddressError);
        }
        Ok(Self { scheme, authority, prefix: path.path().trim_end_matches('/').to_owned(), origin })
    }

    /// `host[:port]`, as written.
    pub(super) fn host_and_port(&self) -> &str {
        self.authority.as_str()
    }

    /// The address of `path`, which begins with a slash.
    pub(super) fn at(&self, path: &str) -> Result<Uri, http::Error> {
        let path = format!("{}{path}", self.prefix);
        Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone()).path_and_query(path).build()
    }
}

impl Origin {
    /// `None` without a host, with credentials in the address, or if it is neither `http` nor `https`.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() || authority.as_str().contains('@') {
            return None;
        }
        Some(Self { tls, host, port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }) })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", if self.tls { "https" } else { "http" }, self.host, self.port)
    }
}

/// What `reference` means on the page `base` (RFC 3986, section 5.2; `..` is left to the server).
pub(super) fn resolve(base: &Uri, reference: &str) -> Option<Uri> {
    let reference = reference.split('#').next()?;
    let scheme = base.scheme_str()?;
    let authority = base.authority()?;
    let has_scheme = reference.split(['/', '?']).next().is_some_and(|first| first.contains(':'));
    let absolute = if has_scheme {
        reference.to_owned()
    } else if reference.starts_with("//") {
        format!("{scheme}:{reference}")
    } else if reference.starts_with('/') {
        format!("{scheme}://{authority}{reference}")
    } else if reference.starts_with('?') {
        format!("{scheme}://{authority}{}{reference}", base.path())
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{reference}")
    };
    absolute.parse().ok()
}

/// The target of `rel="next"` in a `Link` header (RFC 8288): `</v2/..>; rel="next"`, several joined by commas.
pub(super) fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let (target, after) = after.split_once('>')?;
        let parameters = after.split_once('<').map_or(after, |(parameters, _)| parameters);
        if parameters.split([';', ',']).any(is_next) {
            return Some(target);
        }
        rest = after;
    }
    None
}

fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
    name.trim().eq_ignore_ascii_case("rel") && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_has_scheme_host_and_perhaps_a_prefix() {
        let at = |text: &str| Base::parse(text).unwrap().at("/v2/a/tags/list?n=1").unwrap().to_string();
        assert_eq!(at("https://a.io"), "https://a.io/v2/a/tags/list?n=1");
        assert_eq!(at("https://a.io/"), "https://a.io/v2/a/tags/list?n=1");
        assert_eq!(at("http://127.0.0.1:5000/hub/"), "http://127.0.0.1:5000/hub/v2/a/tags/list?n=1");
    }

    #[test]
    fn what_is_no_address_of_an_upstream_is_refused() {
        for text in ["", "a.io", "ftp://a.io", "https://", "https://u:p@a.io", "https://a.io/?x=1", "/v2", "https:a"] {
            assert!(Base::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn origins_differ_by_scheme_host_or_port_only() {
        let of = |text: &str| Origin::of(&text.parse().unwrap());
        assert_eq!(of("https://a.io/x"), of("https://A.IO:443/y?z"));
        for other in ["http://a.io/x", "https://b.io/x", "https://a.io:444/x", "https://a.io.b/x"] {
            assert_ne!(of("https://a.io/x"), of(other), "{other}");
        }
        assert_eq!(of("https://u@a.io/"), None);
    }

    #[test]
    fn references_are_resolved_against_the_page() {
        let base = "https://a.io/v2/x/list?n=1".parse().unwrap();
        let cases = [
            ("/v2/y", "https://a.io/v2/y"),
            ("//b.io/v2/y", "https://b.io/v2/y"),
            ("https://b.io/y?z#f", "https://b.io/y?z"),
            ("ftp://b.io/", "ftp://b.io/"),
            ("?n=2", "https://a.io/v2/x/list?n=2"),
            ("other", "https://a.io/v2/x/other"),
        ];
        for (reference, means) in cases {
            assert_eq!(resolve(&base, reference).unwrap().to_string(), means);
        }
        assert_eq!(resolve(&base, "/a b"), None);
    }

    #[test]
    fn only_the_link_to_the_next_page_counts() {
        assert_eq!(next_link(r#"</v2/x?n=1>; rel="next""#), Some("/v2/x?n=1"));
        assert_eq!(next_link(r#"</a>; rel="prev", </b?c=1,2>; title="x"; rel=next"#), Some("/b?c=1,2"));
        for none in ["", "</a>", r#"</a>; rel="prev""#, "<", "</a; rel=next", r#"</a>; rel="nextdoor""#] {
            assert_eq!(next_link(none), None, "{none}");
        }
    }
}
