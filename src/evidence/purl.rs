//! Package URLs in one spelling, so that equal packages are equal texts; and their parts.

use std::borrow::Cow;

use packageurl::PackageUrl;
use percent_encoding::percent_decode_str;

/// The canonical spelling of a package URL (ECMA-427), if `text` is one or is meant to be one: what the packages of SBOMs
/// are kept in.
///
/// What generators get slightly wrong is put right: a scheme in capitals, an unescaped scope, a namespace where the type
/// has none, a missing one, qualifiers that cannot be read. A text whose spelling reads back as that of another package is
/// none: it could stand for either, and whoever denies one of them must find it among what cannot be read.
pub fn canonical_purl(text: &str) -> Option<String> {
    if is_canonical(text) {
        return Some(text.to_owned());
    }
    let spelling = parse_purl(text)?.to_string();
    (is_plain(&spelling) || parse_purl(&spelling)?.to_string() == spelling).then_some(spelling)
}

/// Whether nothing in `spelling` could be read in two ways: `type/steps/name@version?key=value&..`, each of them of letters
/// that stand for themselves. So it is with nearly all there are, which need not be read again.
fn is_plain(spelling: &str) -> bool {
    let is_literal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_');
    let is_step = |step: &str| !matches!(step, "" | "." | "..") && step.bytes().all(is_literal);
    let (rest, qualifiers) = cut(spelling.strip_prefix("pkg:").unwrap_or_default(), b'?');
    let (path, version) = cut(rest, b'@');
    let (kind, path) = cut(path, b'/');
    // The scope of npm is the one escape that is everywhere.
    let path = if kind == "npm" { path.strip_prefix("%40").unwrap_or(path) } else { path };
    let mut pairs = qualifiers.split('&').filter(|_| !qualifiers.is_empty());
    kind.bytes().all(|c| c.is_ascii_alphanumeric())
        && path.split('/').all(is_step)
        && version.bytes().all(is_literal)
        && pairs.all(|pair| pair.split('=').count() == 2 && pair.split('=').all(is_step))
}

/// Whether `text` is sure to be its own canonical spelling, by its letters and by what the usual types say of theirs. So
/// nearly all are, and need not be taken apart and put together.
fn is_canonical(text: &str) -> bool {
    let (rest, qualifiers) = cut(text.strip_prefix("pkg:").unwrap_or_default(), b'?');
    let (kind, path) = cut(cut(rest, b'@').0, b'/');
    let is_lower = || !path.bytes().any(|c| c.is_ascii_uppercase());
    let is_one_step = || !path.contains('/');
    let is_of_type = match kind {
        "maven" => true,
        "cargo" | "gem" | "nuget" => is_one_step(),
        "pypi" => is_one_step() && is_lower() && !path.contains('_'),
        "npm" | "golang" | "deb" | "rpm" | "apk" => is_lower(),
        _ => false,
    };
    is_of_type && !text.ends_with('?') && are_in_order(qualifiers) && is_plain(text)
}

/// Whether qualifiers have keys in lower case, and in their order.
fn are_in_order(qualifiers: &str) -> bool {
    let key = |pair| cut(pair, b'=').0;
    let is_key =
        |key: &str| !key.starts_with(|c: char| c.is_ascii_digit()) && !key.bytes().any(|c| c.is_ascii_uppercase());
    let keys = || qualifiers.split('&').map(key);
    keys().all(is_key) && keys().is_sorted_by(|one, next| one < next)
}

/// The parts of a package URL in canonical form, in which `@`, `?` and `#` are separators wherever they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purl<'a> {
    name: &'a str,
    version: Option<&'a str>,
    qualifiers: &'a str,
}

/// Names of types, or of the namespaces of a type, that mean the same as others: syft's first for Alpine Linux.
const SAME_TYPES: [(&str, &str); 1] = [("pkg:alpine/", "pkg:apk/alpine/")];

impl<'a> Purl<'a> {
    /// The parts of `canonical`, which [`canonical_purl`] wrote.
    pub fn of(canonical: &'a str) -> Self {
        let (rest, _) = cut(canonical, b'#');
        let (rest, qualifiers) = cut(rest, b'?');
        let (name, version) = cut(rest, b'@');
        Self { name, version: Some(version).filter(|version| !version.is_empty()), qualifiers }
    }

    /// Up to the name, as written: `pkg:npm/axios`.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The type: `npm`.
    pub fn kind(&self) -> &'a str {
        let rest = self.name.strip_prefix("pkg:").unwrap_or(self.name);
        cut(rest, b'/').0
    }

    /// The version, decoded.
    pub fn version(&self) -> Option<Cow<'a, str>> {
        self.version.map(decoded)
    }

    /// Whether there is a version.
    pub fn has_version(&self) -> bool {
        self.version.is_some()
    }

    /// The qualifiers as written, `key=value`.
    pub fn qualifiers(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.qualifiers.split('&').filter(|qualifier| !qualifier.is_empty())
    }

    /// The value of a qualifier, decoded.
    pub fn qualifier(&self, key: &str) -> Option<Cow<'a, str>> {
        let mut pairs = self.qualifiers().filter_map(|pair| pair.split_once('='));
        pairs.find(|(other, _)| *other == key).map(|(_, value)| decoded(value))
    }

    /// What two URLs have in common if they are of one package: the type and the name, without regard to case, and for
    /// `PyPI` without regard to how `-`, `_` and `.` are written (PEP 503).
    pub fn key(&self) -> Cow<'a, str> {
        let mut key = Cow::Borrowed(self.name);
        // Some generators escape the slash between scope and name.
        if key.bytes().any(|c| c.is_ascii_uppercase() || !c.is_ascii()) || key.contains("%2f") {
            key = key.to_lowercase().replace("%2f", "/").into();
        }
        for (alias, kind) in SAME_TYPES {
            if let Some(rest) = key.strip_prefix(alias) {
                key = format!("{kind}{rest}").into();
            }
        }
        if key.starts_with("pkg:pypi/") { one_separator(&key).into() } else { key }
    }
}

fn one_separator(name: &str) -> String {
    let mut last = ' ';
    let mut kept = String::with_capacity(name.len());
    for c in name.chars().map(|c| if matches!(c, '_' | '.') { '-' } else { c }) {
        if !(c == '-' && last == '-') {
            kept.push(c);
        }
        last = c;
    }
    kept
}

/// The package URL that `text` is, or is meant to be.
pub(in crate::evidence) fn parse_purl(text: &str) -> Option<PackageUrl<'static>> {
    let text = text.trim();
    let mut purl: PackageUrl<'_> = text.parse().ok().or_else(|| repaired(text))?;
    let namespace = purl.namespace().map(|namespace| steps(namespace).collect::<Vec<_>>().join("/"));
    match namespace.filter(|namespace| !namespace.is_empty()) {
        Some(namespace) => drop(purl.with_namespace(namespace)),
        None => drop(purl.without_namespace()),
    }
    Some(purl)
}

/// Reads a URL that breaks a rule, such as one of its type: that must not keep a package from being found.
fn repaired(text: &str) -> Option<PackageUrl<'static>> {
    let (scheme, rest) = text.split_once(':')?;
    let rest = scheme.eq_ignore_ascii_case("pkg").then(|| rest.trim_start_matches('/'))?;
    let (rest, _) = cut(rest, b'#');
    let (rest, qualifiers) = cut(rest, b'?');
    let (path, version) = match rest.rsplit_once('@') {
        Some((path, version)) if !version.contains('/') && !path.ends_with('/') => (path, version),
        Some(_) | None => (rest, ""),
    };
    let (kind, path) = path.split_once('/')?;
    let mut names = steps(path).map(decoded);
    let name = names.next_back()?;
    let namespace = names.collect::<Vec<_>>().join("/");
    let mut purl = PackageUrl::new(kind.to_owned(), name.into_owned()).ok()?;
    if !namespace.is_empty() {
        // Where the type has no namespaces, the name alone says what it is.
        drop(purl.with_namespace(namespace));
    }
    if !version.is_empty() {
        purl.with_version(decoded(version).into_owned()).ok()?;
    }
    let pairs = qualifiers.split('&').filter_map(|pair| pair.split_once('='));
    for (key, value) in pairs.filter(|(_, value)| !value.is_empty()) {
        drop(purl.add_qualifier(key.to_owned(), decoded(value).into_owned()));
    }
    Some(purl)
}

/// The steps of a path that lead somewhere.
fn steps(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|step| !matches!(*step, "" | "." | ".."))
}

/// What stands before the first `separator`, and what after it. By bytes: for texts as short as these, the search for a
/// character takes longer to begin than to search.
fn cut(text: &str, separator: u8) -> (&str, &str) {
    let at = text.bytes().position(|byte| byte == separator).unwrap_or(text.len());
    (text.get(..at).unwrap_or(text), text.get(at + 1..).unwrap_or_default())
}

/// As written where it is no percent-encoded UTF-8.
fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8().unwrap_or(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_package_become_one() {
        for (text, canonical) in [
            ("pkg:npm/axios@1.14.1", "pkg:npm/axios@1.14.1"),
            ("pkg://npm/axios@1.14.1", "pkg:npm/axios@1.14.1"),
            ("PKG:NPM/axios@1.14.1", "pkg:npm/axios@1.14.1"),
            ("pkg:npm/@babel/core@7.0.0", "pkg:npm/%40babel/core@7.0.0"),
            ("pkg:npm/%40babel/core@7.0.0", "pkg:npm/%40babel/core@7.0.0"),
            ("pkg:npm/@babel/core", "pkg:npm/%40babel/core"),
            ("pkg:npm/axios@", "pkg:npm/axios@"),
            ("pkg:pypi/Foo_Bar@1.0", "pkg:pypi/foo-bar@1.0"),
            (
                "pkg:deb/debian/apt@2.2.4?distro=debian-11&arch=amd64",
                "pkg:deb/debian/apt@2.2.4?arch=amd64&distro=debian-11",
            ),
            (" pkg:cargo/serde@1.0.0\n", "pkg:cargo/serde@1.0.0"),
        ] {
            assert_eq!(canonical_purl(text).as_deref(), Some(canonical), "{text}");
        }
    }

    #[test]
    fn a_url_that_breaks_a_rule_of_its_type_is_read_nevertheless() {
        for (text, canonical) in [
            ("pkg:composer/monolog@1.0", "pkg:composer/monolog@1.0"),
            ("pkg:cargo/crates.io/serde@1.0", "pkg:cargo/serde@1.0"),
            ("pkg:swift/Alamofire@5.0.0", "pkg:swift/Alamofire@5.0.0"),
            ("pkg:npm/axios@1.14.1?bad key=1&a=b", "pkg:npm/axios@1.14.1?a=b"),
            ("pkg:npm/axios@1.14.1#../x", "pkg:npm/axios@1.14.1#x"),
            ("pkg:npm/%ff@1.0", "pkg:npm/%25ff@1.0"),
            ("pkg:npm/axios/@1.0", "pkg:npm/axios/%401.0"),
        ] {
            assert_eq!(canonical_purl(text).as_deref(), Some(canonical), "{text}");
        }
    }

    #[test]
    fn what_is_no_package_url_has_no_spelling() {
        for text in ["", "axios", "pkg:", "pkg:npm", "pkg:npm/", "npm/axios@1", "https://example.com/axios"] {
            assert_eq!(canonical_purl(text), None, "{text}");
        }
    }

    #[test]
    fn one_package_has_one_key_however_its_name_is_written() {
        for (text, key) in [
            ("pkg:npm/Chalk@5.6.1", "pkg:npm/chalk"),
            ("pkg:npm/@Babel/core?a=b", "pkg:npm/%40babel/core"),
            ("pkg:npm/%40babel%2Fcore", "pkg:npm/%40babel/core"),
            ("pkg:golang/github.com/Sirupsen/Logrus@v1#hooks", "pkg:golang/github.com/sirupsen/logrus"),
            ("pkg:nuget/Newtonsoft.Json@13", "pkg:nuget/newtonsoft.json"),
            ("pkg:pypi/zope.Interface@5", "pkg:pypi/zope-interface"),
            ("pkg:pypi/a-_.b", "pkg:pypi/a-b"),
            ("pkg:alpine/musl@1.2.3-r4", "pkg:apk/alpine/musl"),
            ("pkg:maven/org.acme/Core@1", "pkg:maven/org.acme/core"),
        ] {
            assert_eq!(Purl::of(&canonical_purl(text).unwrap()).key(), key, "{text}");
        }
    }

    #[test]
    fn a_key_that_is_part_of_the_url_is_not_copied() {
        assert!(matches!(Purl::of("pkg:npm/axios@1.14.1").key(), Cow::Borrowed("pkg:npm/axios")));
    }

    #[test]
    fn the_parts_of_a_url_are_decoded() {
        let purl = canonical_purl("pkg:deb/debian/libc6@2.36-9+deb12u4?distro=debian-12&upstream=glibc#x").unwrap();
        let purl = Purl::of(&purl);
        assert_eq!((purl.kind(), purl.version().as_deref()), ("deb", Some("2.36-9+deb12u4")));
        assert_eq!(purl.qualifier("upstream").as_deref(), Some("glibc"));
        assert_eq!(purl.qualifier("arch"), None);
        assert_eq!(Purl::of("pkg:npm/axios@").version(), None);
    }

    #[test]
    fn usual_spellings_are_plain() {
        for text in [
            "pkg:npm/axios@1.14.1",
            "pkg:npm/%40babel/core@7.0.0-rc.1",
            "pkg:deb/debian/apt@2.2.4?arch=amd64&distro=debian-11",
            "pkg:golang/github.com/sirupsen/logrus@v1.9.0",
            "pkg:maven/org.apache.logging.log4j/log4j-core@2.17.1",
            "pkg:cargo/serde@1.0.0",
            "pkg:gem/rails@7.1.0",
            "pkg:nuget/Newtonsoft.Json@13.0.3",
            "pkg:pypi/requests@2.31.0",
        ] {
            assert!(canonical_purl(text).as_deref() == Some(text) && is_canonical(text), "{text}");
        }
        for text in
            ["pkg:npm/a@1%2F2", "pkg:npm/a?b=c%26d", "pkg:npm/a/%401", "pkg:npm/a#b", "pkg:npm/../a", "pkg:npm/a@1@2"]
        {
            assert!(!is_plain(text), "{text}");
        }
    }

    #[test]
    fn what_is_not_canonical_is_not_taken_as_it_is() {
        for (text, canonical) in [
            ("pkg:swift/a", "pkg:swift/a"),
            ("pkg:npm/axios?", "pkg:npm/axios"),
            ("pkg:npm/axios?b=1&a=2", "pkg:npm/axios?a=2&b=1"),
            ("pkg:npm/axios?A=1", "pkg:npm/axios?a=1"),
            ("pkg:npm/axios?a=1&a=2", "pkg:npm/axios?a=2"),
            ("pkg:npm/@babel/core", "pkg:npm/%40babel/core"),
            ("pkg:deb/Debian/APT", "pkg:deb/debian/apt"),
            ("pkg:pypi/Zope", "pkg:pypi/zope"),
            ("pkg:pypi/a_b", "pkg:pypi/a-b"),
            ("pkg:cargo/crates.io/serde", "pkg:cargo/serde"),
        ] {
            assert!(!is_canonical(text), "{text}");
            assert_eq!(canonical_purl(text).as_deref(), Some(canonical), "{text}");
        }
    }

    #[test]
    fn a_text_that_reads_back_as_another_package_is_no_url() {
        assert_eq!(canonical_purl("pkg:./ct@3%2F1"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*", tail in "[a-z%@/?#&=. ]*") {
            for text in [text, format!("pkg:{tail}")] {
                if let Some(purl) = canonical_purl(&text) {
                    drop((Purl::of(&purl).key(), Purl::of(&purl).version(), Purl::of(&purl).qualifier("a")));
                }
            }
        }

        #[test]
        fn no_text_has_a_spelling_that_reads_back_as_another(text in "pkg:[a-z./]{1,4}/[a-z@/.%0-9]{1,12}") {
            if let Some(once) = canonical_purl(&text) {
                prop_assert_eq!(canonical_purl(&once), Some(once));
            }
        }

        #[test]
        fn what_is_plain_reads_back_as_itself(
            kind in "[a-z./]{1,6}|npm|pypi|deb|golang|maven|cargo|swift|composer|oci|huggingface|mlflow|hackage",
            tail in "[a-zA-Z@/._%0-9~+-]{1,14}(\\?[a-zA-Z=&._%-]{0,9})?(#[a-z/.]{0,4})?",
        ) {
            // A version, a name or a type in another spelling is made canonical first.
            if let Some(spelling) = parse_purl(&format!("pkg:{kind}/{tail}")).map(|purl| purl.to_string())
                && is_plain(&spelling)
            {
                prop_assert_eq!(parse_purl(&spelling).map(|purl| purl.to_string()), Some(spelling));
            }
        }

        #[test]
        fn what_is_taken_as_canonical_is_what_it_would_be_spelled_as(
            kind in "npm|pypi|deb|rpm|apk|golang|maven|cargo|gem|nuget|[a-zA-Z/]{1,4}",
            path in "(%40)?[a-zA-Z0-9._/-]{1,6}(/[a-z._]{0,3})?",
            version in "(@[a-zA-Z0-9._-]{0,4})?",
            qualifiers in "(\\?[a-cA0=&]{0,9})?",
        ) {
            let text = format!("pkg:{kind}/{path}{version}{qualifiers}");
            if is_canonical(&text) {
                prop_assert_eq!(parse_purl(&text).map(|purl| purl.to_string()), Some(text));
            }
        }

        #[test]
        fn the_canonical_spelling_is_its_own(tail in "[a-z]{1,5}/[a-zA-Z%@._/-]{1,9}(@[0-9.+]{1,5})?(\\?[a-z=&]{0,5})?") {
            if let Some(once) = canonical_purl(&format!("pkg:{tail}")) {
                prop_assert_eq!(canonical_purl(&once), Some(once));
            }
        }

        #[test]
        fn case_and_escapes_change_no_key(kind in "(npm|golang|maven|gem)", name in "[a-zA-Z@._-]{1,9}") {
            let key = |text: &str| canonical_purl(text).map(|purl| Purl::of(&purl).key().into_owned());
            let escaped = name.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
            let plain = key(&format!("pkg:{kind}/{}", name.replace('@', "%40")));
            prop_assert_eq!(&key(&format!("pkg:{kind}/{escaped}")), &plain);
            prop_assert_eq!(&key(&format!("pkg:{}/{}", kind.to_uppercase(), escaped.to_uppercase())), &plain);
        }
    }
}
