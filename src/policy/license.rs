//! Licences that must not be there, found in what packages say of theirs.

use std::collections::BTreeSet;

use spdx::identifiers::LICENSES;
use spdx::{Expression, LicenseItem, LicenseReq, ParseMode};

use crate::policy::error::PolicyProblem;

/// Texts that are longer are no expressions but licences, and are looked through word by word.
const EXPRESSION_LENGTH: usize = 4096;
/// Most licences that are proposed for one that is not known.
const PROPOSALS: usize = 3;

/// Licences that must not be there: the names of single versions, in lower case, as SPDX writes them without `-only`.
#[derive(Debug, Clone, Default)]
pub(super) struct DeniedLicenses(BTreeSet<String>);

/// A licence of SPDX's list: a version of it, or that one and every later one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    name: String,
    or_later: bool,
}

impl DeniedLicenses {
    /// Adds a licence of SPDX's list, or a `LicenseRef-`.
    ///
    /// # Errors
    /// If it is neither, with those that may be meant.
    pub(super) fn insert(&mut self, text: &str) -> Result<(), PolicyProblem> {
        if text.starts_with("LicenseRef-") || text.starts_with("DocumentRef-") {
            self.0.insert(text.to_lowercase());
            return Ok(());
        }
        let known = listed(text).ok_or_else(|| PolicyProblem::License { text: text.to_owned(), meant: meant(text) })?;
        self.0.extend(Version::named(known).all());
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `text`, what a package says of its licence, leaves no choice without a denied one.
    pub(super) fn deny(&self, text: &str) -> bool {
        let mode = ParseMode::LAX;
        let expression = (text.len() <= EXPRESSION_LENGTH).then(|| Expression::parse_mode(&in_list_case(text), mode));
        match expression {
            Some(Ok(expression)) => !expression.evaluate(|license| !self.names(license)),
            // Nobody knows what it says; that it names a denied one is enough.
            Some(Err(_)) | None => words(text).any(|word| self.names_text(word)),
        }
    }

    fn names(&self, license: &LicenseReq) -> bool {
        match &license.license {
            LicenseItem::Spdx { id, or_later } => {
                let version = Version::named(id.name);
                self.cover(&Version { or_later: version.or_later || *or_later, ..version })
            }
            LicenseItem::Other(other) => self.0.contains(&other.to_string().to_lowercase()),
        }
    }

    fn names_text(&self, word: &str) -> bool {
        let version = listed(word).map(Version::named);
        self.0.contains(&word.to_lowercase()) || version.is_some_and(|version| self.cover(&version))
    }

    /// Whoever may take any later version has a choice, unless all of them are denied.
    fn cover(&self, version: &Version) -> bool {
        version.all().all(|name| self.0.contains(&name))
    }
}

impl Version {
    /// `GPL-2.0`, `GPL-2.0-only`, `GPL-2.0-with-GCC-exception` are one, `GPL-2.0+` and `GPL-2.0-or-later` another.
    fn named(name: &str) -> Self {
        let name = name.to_lowercase();
        let name = name.split_once("-with-").map_or(name.as_str(), |(name, _)| name);
        let later = name.strip_suffix("-or-later").or_else(|| name.strip_suffix('+'));
        let only = name.strip_suffix("-only").unwrap_or(name);
        Self { name: later.unwrap_or(only).to_owned(), or_later: later.is_some() }
    }

    /// The versions that it stands for.
    fn all(&self) -> impl Iterator<Item = String> {
        let mut all = BTreeSet::from([self.name.clone()]);
        if let Some((family, number)) = numbered(&self.name).filter(|_| self.or_later) {
            let others = LICENSES.iter().map(|license| Self::named(license.name).name);
            all.extend(
                others.filter(|other| numbered(other).is_some_and(|(other, later)| other == family && later >= number)),
            );
        }
        all.into_iter()
    }
}

/// `gpl`, 2.0
fn numbered(name: &str) -> Option<(&str, Vec<u32>)> {
    let (family, number) = name.rsplit_once('-')?;
    let number: Option<Vec<u32>> = number.split('.').map(|part| part.parse().ok()).collect();
    Some((family, number?))
}

/// The licence of SPDX's list that `text` names, without regard to case.
fn listed(text: &str) -> Option<&'static str> {
    let named = |name: &str| LICENSES.iter().find(|license| license.name.eq_ignore_ascii_case(name));
    let later = || named(&format!("{}-or-later", text.strip_suffix('+')?));
    named(text).or_else(later).map(|license| license.name)
}

/// The licences that `text` may have meant.
fn meant(text: &str) -> String {
    let imprecise = spdx::imprecise_license_id(text).map(|(license, _)| license);
    let imprecise = imprecise.map(|license| spdx::gnu_license_id(license.name, false).unwrap_or(license).name);
    let start = text.split(['-', ' ', '_']).next().unwrap_or(text).to_lowercase();
    let similar = LICENSES.iter().map(|license| license.name).filter(|name| {
        let outdated = spdx::license_id(name).is_none_or(spdx::LicenseId::is_deprecated);
        !outdated && !start.is_empty() && name.to_lowercase().split('-').next() == Some(&start)
    });
    let mut names: Vec<_> = imprecise.into_iter().chain(similar).collect();
    names.dedup();
    names.truncate(PROPOSALS);
    names.join(", ")
}

/// With the identifiers of the list in its own case: SPDX does not mind it (3.0.1, annex B), parsers do.
fn in_list_case(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '/')) {
        let word = piece.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '/'));
        let rest = piece.get(word.len()..).unwrap_or_default();
        let exact = LICENSES.iter().find(|license| license.name.eq_ignore_ascii_case(word));
        written.push_str(exact.map_or(word, |license| license.name));
        written.push_str(rest);
    }
    written
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '+' | ':');
    text.split(move |c| !is_of_word(c)).map(|word| word.trim_matches(['.', ':'])).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn denied(licenses: &[&str]) -> DeniedLicenses {
        let mut denied = DeniedLicenses::default();
        for license in licenses {
            denied.insert(license).unwrap();
        }
        denied
    }

    fn assert_denies(licenses: &[&str], denying: &[&str], passing: &[&str]) {
        let denied = denied(licenses);
        for text in denying {
            assert!(denied.deny(text), "{licenses:?} should deny {text}");
        }
        for text in passing {
            assert!(!denied.deny(text), "{licenses:?} should not deny {text}");
        }
    }

    #[test]
    fn a_choice_without_the_denied_licence_is_none() {
        assert_denies(
            &["AGPL-3.0-only"],
            &["AGPL-3.0-only", "MIT AND AGPL-3.0-only", "(MIT OR Apache-2.0) AND AGPL-3.0-only", "AGPL-3.0"],
            &["MIT", "MIT OR AGPL-3.0-only", "AGPL-3.0-only OR MIT", "GPL-3.0-only", ""],
        );
        assert_denies(&["AGPL-3.0-only", "MIT"], &["MIT OR AGPL-3.0-only"], &["MIT OR ISC"]);
    }

    #[test]
    fn or_later_is_a_choice_among_the_versions_that_there_are() {
        assert_denies(
            &["GPL-2.0-only"],
            &["GPL-2.0", "GPL-2.0-only"],
            &["GPL-2.0-or-later", "GPL-2.0+", "GPL-3.0-only"],
        );
        assert_denies(
            &["GPL-2.0-or-later"],
            &["GPL-2.0", "GPL-2.0+", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0+"],
            &["GPL-1.0-only", "LGPL-2.1-only", "AGPL-3.0-only", "GPL-2.0-or-later OR MIT"],
        );
        assert_denies(&["GPL-3.0-only"], &["GPL-3.0-or-later"], &["GPL-2.0-or-later"]);
        assert_denies(&["GPL-2.0+"], &["GPL-3.0-only"], &[]);
        assert_denies(&["GPL-1.0-or-later"], &["GPL-1.0-only", "GPL-2.0-or-later"], &["LGPL-2.0-only"]);
    }

    #[test]
    fn an_exception_takes_nothing_away() {
        let with = "GPL-2.0-only WITH Classpath-exception-2.0";
        assert_denies(&["GPL-2.0-only"], &[with, "GPL-2.0-with-classpath-exception"], &[]);
        assert_denies(&["GPL-2.0-only"], &[], &["MIT OR GPL-2.0-only WITH Classpath-exception-2.0"]);
    }

    #[test]
    fn licences_of_documents_are_compared_by_their_name() {
        assert_denies(&["LicenseRef-Acme"], &["LicenseRef-Acme", "MIT AND LicenseRef-acme"], &["LicenseRef-Acme-2"]);
    }

    #[test]
    fn case_does_not_count() {
        assert_denies(&["agpl-3.0-only"], &["AGPL-3.0-ONLY", "mit and agpl-3.0-only"], &["mit OR agpl-3.0-only"]);
    }

    #[test]
    fn what_is_no_expression_is_looked_through_for_the_name() {
        assert_denies(
            &["AGPL-3.0-only"],
            &["MIT, AGPL-3.0-only", "see AGPL-3.0-only.", "AGPL-3.0-only AND", "public domain & agpl-3.0"],
            &["see COPYING", "My own licence", "MIT; BSD-3-Clause", "XAGPL-3.0-only;"],
        );
        let long = format!("{} AGPL-3.0-only", "x ".repeat(EXPRESSION_LENGTH));
        assert_denies(&["AGPL-3.0-only"], &[&long], &[]);
    }

    #[test]
    fn a_licence_that_is_not_known_is_refused_with_those_that_may_be_meant() {
        for (text, proposal) in
            [("AGPL", "AGPL-3.0-only"), ("apache 2", "Apache-2.0"), ("GPL-4.0-only", "GPL-1.0"), ("what", "")]
        {
            let Err(PolicyProblem::License { meant, .. }) = DeniedLicenses::default().insert(text) else {
                panic!("{text}")
            };
            assert!(meant.contains(proposal), "{text}: {meant}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}", rest in "(MIT|AGPL-3.0-only|GPL-2.0|AND|OR|WITH|[()+ /]|LicenseRef-a|x){0,9}") {
            let denied = denied(&["AGPL-3.0-only"]);
            let _denied = (denied.deny(&text), denied.deny(&rest));
        }

        #[test]
        fn a_choice_is_denied_if_all_are_and_a_conjunction_if_one_is(flags in prop::collection::vec(any::<bool>(), 1..6)) {
            let denied = denied(&["AGPL-3.0-only"]);
            let names: Vec<_> = flags.iter().map(|flag| if *flag { "AGPL-3.0-only" } else { "MIT" }).collect();
            prop_assert_eq!(denied.deny(&names.join(" OR ")), flags.iter().all(|flag| *flag));
            prop_assert_eq!(denied.deny(&names.join(" AND ")), flags.iter().any(|flag| *flag));
        }
    }

    #[test]
    fn a_plus_is_a_choice_of_later_versions_for_every_licence() {
        assert_denies(&["Apache-1.1"], &["Apache-1.1"], &["Apache-1.1+"]);
        assert_eq!(listed("AGPL-3.0+"), Some("AGPL-3.0-or-later"));
    }

    #[test]
    fn the_case_of_a_licence_does_not_matter_beside_a_bracket() {
        assert_denies(&["AGPL-3.0-only"], &["(agpl-3.0-only)"], &["(mit OR agpl-3.0-only)", "(agpl-3.0-only OR mit)"]);
    }
}
