//! Images that an image was built from, out of what its provenance says went into the build, or its bill of materials says
//! that it descends from.

use serde::{Deserialize, Serialize};

use crate::evidence::Dependency;
use crate::evidence::purl::parse_purl;
use crate::oci::{Digest, Repository, Tag};

/// An image that went into a build: what the result is based on, a stage of the build, or a tool that ran in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BaseImage {
    /// What the builder calls it, as written.
    pub uri: String,
    /// Where it is; nothing if that cannot be told from the URI.
    pub repository: Option<Repository>,
    /// The tag that it had for the builder.
    pub tag: Option<Tag>,
    /// What it is; nothing if the builder does not say, or says two things.
    pub digest: Option<Digest>,
}

/// The images that a bill of materials says that others were built on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BaseImages {
    /// Each once: at most [`limits::BASE_IMAGES`](crate::limits::BASE_IMAGES).
    pub images: Box<[BaseImage]>,
    /// Whether there may be more, which were not looked at.
    pub more: bool,
}

impl BaseImages {
    /// Whether it is sure that it names none.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty() && !self.more
    }
}

/// What a URI says of an image.
#[derive(Debug, Default)]
struct Named {
    repository: Option<Repository>,
    tag: Option<Tag>,
    digests: Vec<Digest>,
}

/// Package URLs of images: BuildKit writes the first, and the second for layouts; bills of materials have the second
/// (ECMA-427, type definitions).
const PURL: &str = "pkg:";
const PURL_TYPES: [&str; 2] = ["docker/", "oci/"];
/// The type of those that do not say in their path where the image is.
const OCI: &str = "oci";
/// References with a scheme: BuildKit, Tekton and containerd's tools.
const SCHEMES: [&str; 3] = ["docker-image://", "docker://", "oci://"];
/// The qualifier of package URLs that names the registry, or the whole repository.
const REPOSITORY_URL: &str = "repository_url";

impl BaseImage {
    /// The image at a package URL, if it is of one.
    pub(in crate::evidence) fn at(url: &str) -> Option<Self> {
        let dependency = Dependency { uri: url.to_owned(), digests: Vec::new() };
        Some(dependency).filter(|_| is_image_url(url)).and_then(|dependency| Self::of(&dependency))
    }

    /// The image that `dependency` is, if it is one.
    pub(in crate::evidence) fn of(dependency: &Dependency) -> Option<Self> {
        let named = named(&dependency.uri)?;
        let listed = dependency.digests.iter().filter_map(|digest| digest.parse().ok());
        let mut digests: Vec<Digest> = named.digests.into_iter().chain(listed).collect();
        digests.dedup();
        let digest = match digests.as_slice() {
            [only] => Some(*only),
            [] | [_, ..] => None,
        };
        Some(Self { uri: dependency.uri.clone(), repository: named.repository, tag: named.tag, digest })
    }
}

fn named(uri: &str) -> Option<Named> {
    if is_image_url(uri) {
        return Some(by_purl(uri).unwrap_or_default());
    }
    SCHEMES.iter().find_map(|scheme| uri.strip_prefix(scheme)).map(by_reference)
}

/// Whether `text` is meant to be the package URL of an image, however its scheme and type are written.
pub(in crate::evidence) fn is_image_url(text: &str) -> bool {
    let begins = |text: &str, with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    let rest = text.get(PURL.len()..).filter(|_| begins(text, PURL)).map(|rest| rest.trim_start_matches('/'));
    rest.is_some_and(|rest| PURL_TYPES.iter().any(|kind| begins(rest, kind)))
}

/// `pkg:docker/name@tag-or-digest?digest=..&tag=..&repository_url=..`, and `pkg:oci/name@digest?..`, where the qualifier is
/// the whole repository.
fn by_purl(uri: &str) -> Option<Named> {
    let purl = parse_purl(uri)?;
    let qualifier = |name: &str| purl.qualifiers().get(name).map(AsRef::as_ref);
    let path: Vec<&str> = purl.namespace().into_iter().chain([purl.name()]).collect();
    let path = path.join("/");
    let repository = match (purl.ty() == OCI, qualifier(REPOSITORY_URL)) {
        (true, whole) => whole.map(str::to_owned),
        (false, Some(registry)) => Some(format!("{registry}/{path}")),
        (false, None) => Some(path),
    };
    let said = [purl.version(), qualifier("tag"), qualifier("digest")].into_iter().flatten();
    let mut named = Named { repository: repository.and_then(|text| text.parse().ok()), ..Named::default() };
    for text in said {
        match text.parse() {
            Ok(digest) => named.digests.push(digest),
            Err(_) => named.tag = named.tag.or_else(|| text.parse().ok()),
        }
    }
    Some(named)
}

/// `[registry/]repository[:tag][@digest]`, with or without a query.
fn by_reference(text: &str) -> Named {
    let text = text.split(['?', '#']).next().unwrap_or(text);
    let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        Some(_) | None => (rest, None),
    };
    Named {
        repository: name.parse().ok(),
        tag: tag.and_then(|tag| tag.parse().ok()),
        digests: digest.and_then(|digest| digest.parse().ok()).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const OTHER: &str = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

    fn read(uri: &str, digests: &[&str]) -> Option<BaseImage> {
        let digests = digests.iter().map(|digest| (*digest).to_owned()).collect();
        BaseImage::of(&Dependency { uri: uri.replace("DIGEST", DIGEST), digests })
    }

    #[test]
    fn images_are_read_as_builders_write_them() {
        for (uri, digests, repository, tag) in [
            ("pkg:docker/alpine@3.20?platform=linux%2Famd64", &[DIGEST][..], "docker.io/library/alpine", Some("3.20")),
            (
                "pkg:docker/alpine@3.20?digest=DIGEST&platform=linux%2Famd64",
                &[],
                "docker.io/library/alpine",
                Some("3.20"),
            ),
            ("pkg:docker/alpine?digest=DIGEST", &[], "docker.io/library/alpine", None),
            ("pkg:docker/docker/dockerfile@1", &[DIGEST], "docker.io/docker/dockerfile", Some("1")),
            ("pkg:docker/ghcr.io/acme/base@v1", &[DIGEST], "ghcr.io/acme/base", Some("v1")),
            ("pkg:docker/acme/base@DIGEST?repository_url=gcr.io", &[], "gcr.io/acme/base", None),
            (
                "pkg:oci/static@DIGEST?repository_url=gcr.io/distroless/static&tag=v2",
                &[],
                "gcr.io/distroless/static",
                Some("v2"),
            ),
            ("docker-image://docker.io/library/alpine:3.20@DIGEST", &[], "docker.io/library/alpine", Some("3.20")),
            ("docker-image://alpine@DIGEST?platform=linux/arm64", &[], "docker.io/library/alpine", None),
            ("oci://ghcr.io/acme/task", &[DIGEST], "ghcr.io/acme/task", None),
            ("oci://localhost:5000/acme/task", &[DIGEST], "localhost:5000/acme/task", None),
        ] {
            let read = read(uri, digests).unwrap();
            assert_eq!(read.repository.map(|repository| repository.to_string()).as_deref(), Some(repository), "{uri}");
            assert_eq!(read.tag.as_ref().map(Tag::as_str), tag, "{uri}");
            assert_eq!(read.digest.map(|digest| digest.to_string()).as_deref(), Some(DIGEST), "{uri}");
        }
    }

    #[test]
    fn an_image_that_cannot_be_told_is_an_image_all_the_same() {
        for uri in ["pkg:docker/", "pkg:oci/static@DIGEST", "docker-image://NotAName@DIGEST", "oci://"] {
            assert_eq!(read(uri, &[]).unwrap().repository, None, "{uri}");
        }
        for (uri, digests) in [("pkg:docker/alpine@3.20", &[][..]), ("docker-image://alpine@DIGEST", &[OTHER])] {
            assert_eq!(read(uri, digests).unwrap().digest, None, "{uri}");
        }
    }

    #[test]
    fn what_is_no_image_is_none() {
        for uri in ["git+https://github.com/acme/app@refs/tags/v1", "pkg:npm/axios@1", "https://example.com/a.tar", ""]
        {
            assert_eq!(read(uri, &[DIGEST]), None, "{uri}");
        }
    }

    proptest! {
        #[test]
        fn no_uri_makes_it_panic(text in ".*", tail in "[a-z%@/?#&=:. ]*") {
            for scheme in ["", "pkg:docker/", "pkg:oci/", "docker-image://", "oci://"] {
                drop(BaseImage::at(&format!("{scheme}{text}")));
                drop(read(&format!("{scheme}{text}"), &[]));
                drop(read(&format!("{scheme}{tail}"), &[]));
            }
        }
    }
}
