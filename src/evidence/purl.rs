//! Package URLs in one spelling, so that equal packages are equal texts.

use packageurl::PackageUrl;

/// The canonical spelling of a package URL (ECMA-427), if `text` is one: what the packages of SBOMs are compared in.
pub fn canonical_purl(text: &str) -> Option<String> {
    parse_purl(text).map(|purl| purl.to_string())
}

/// The package URL that `text` is.
pub(in crate::evidence) fn parse_purl(text: &str) -> Option<PackageUrl<'static>> {
    text.trim().parse().ok()
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
            ("pkg:NPM/axios@1.14.1", "pkg:npm/axios@1.14.1"),
            ("pkg:npm/@babel/core@7.0.0", "pkg:npm/%40babel/core@7.0.0"),
            ("pkg:npm/%40babel/core@7.0.0", "pkg:npm/%40babel/core@7.0.0"),
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
    fn what_is_no_package_url_has_no_spelling() {
        for text in ["", "axios", "pkg:", "pkg:npm", "pkg:npm/", "npm/axios@1", "https://example.com/axios"] {
            assert_eq!(canonical_purl(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*", tail in "[a-z%@/?#&=. ]*") {
            drop(canonical_purl(&text));
            drop(canonical_purl(&format!("pkg:{tail}")));
        }

        #[test]
        fn the_canonical_spelling_is_its_own(tail in "[a-z]{1,5}/[a-zA-Z%@._-]{1,9}(@[0-9.+]{1,5})?") {
            if let Some(once) = canonical_purl(&format!("pkg:{tail}")) {
                prop_assert_eq!(canonical_purl(&once), Some(once));
            }
        }
    }
}
