use proptest::prelude::*;

use super::*;

const ALL: [Scheme; 10] = [
    Scheme::Semver,
    Scheme::Pep440,
    Scheme::Maven,
    Scheme::Gem,
    Scheme::Nuget,
    Scheme::Php,
    Scheme::Deb,
    Scheme::Rpm,
    Scheme::Apk,
    Scheme::Numbers,
];

/// Each is earlier than the next, and so than all that come after it.
fn assert_order(scheme: Scheme, versions: &[&str]) {
    for (index, one) in versions.iter().enumerate() {
        assert_eq!(scheme.compare(one, one), Some(Ordering::Equal), "{scheme:?} {one}");
        for later in &versions[index + 1..] {
            assert_eq!(scheme.compare(one, later), Some(Ordering::Less), "{scheme:?} {one} {later}");
            assert_eq!(scheme.compare(later, one), Some(Ordering::Greater), "{scheme:?} {later} {one}");
        }
    }
}

fn assert_same(scheme: Scheme, versions: &[&str]) {
    for (one, other) in versions.iter().flat_map(|one| versions.iter().map(move |other| (one, other))) {
        assert_eq!(scheme.compare(one, other), Some(Ordering::Equal), "{scheme:?} {one} {other}");
    }
}

fn assert_none(scheme: Scheme, texts: &[&str]) {
    for text in texts {
        assert!(!scheme.reads(text), "{scheme:?} {text}");
    }
}

#[test]
fn semantic_versions_are_in_the_order_of_their_specification() {
    assert_order(
        Scheme::Semver,
        &[
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.9.0",
            "1.10.0",
            "2.0.0",
        ],
    );
    assert_same(Scheme::Semver, &["1.2.0", "v1.2.0", "1.2", "1.2.0+build", "V1.2"]);
    assert_order(Scheme::Semver, &["v0.0.0-20190101000000-abcdef012345", "v0.1.0", "v2.0.0+incompatible"]);
    assert_none(Scheme::Semver, &["", "latest", "1.x", "1.2.3.4", "1..2", "^1.0.0", "99999999999999999999.0.0"]);
}

#[test]
fn versions_of_pypi_are_in_the_order_of_pep_440() {
    assert_order(
        Scheme::Pep440,
        &["1.0.dev1", "1.0a1", "1.0b2", "1.0rc1", "1.0", "1.0+local", "1.0.post1", "1.1", "1.10", "1!0.1"],
    );
    assert_same(Scheme::Pep440, &["1.0", "1.0.0", "v1.0", "1"]);
    assert_none(Scheme::Pep440, &["", "latest", "1.0-foo-bar"]);
}

#[test]
fn versions_of_maven_are_in_the_order_of_its_specification() {
    assert_order(
        Scheme::Maven,
        &[
            "1-alpha-1",
            "1-alpha2",
            "1-beta",
            "1-milestone",
            "1-rc",
            "1-snapshot",
            "1",
            "1-sp",
            "1-foo",
            "1-1",
            "1.1",
            "1.10",
        ],
    );
    assert_order(Scheme::Maven, &["1-foo2", "1-foo10"]);
    assert_order(Scheme::Maven, &["1.foo", "1-1", "1.1"]);
    assert_order(Scheme::Maven, &["2.0.1.Final-redhat-1", "2.0.1.Final-redhat-2", "2.0.2.Final"]);
    assert_same(Scheme::Maven, &["1", "1.0", "1.0.0", "1.ga", "1.final", "1-release", "1.", "1-", "1.0-0.0"]);
    assert_same(Scheme::Maven, &["1.0.RC2", "1.0-rc-2", "1.0-CR2", "1.0rc2"]);
    assert_same(Scheme::Maven, &["1-a1", "1-alpha-1"]);
    assert_order(Scheme::Maven, &["3.1.1-SNAPSHOT", "3.1.1", "3.1.1.1"]);
    assert_none(Scheme::Maven, &["", "1 2", "ü"]);
}

#[test]
fn versions_of_gems_are_in_the_order_of_rubygems() {
    assert_order(Scheme::Gem, &["1.0.a.2", "1.0.b1", "1.0.0-rc1", "1.0", "1.0.1", "1.2", "1.10"]);
    assert_same(Scheme::Gem, &["1.0", "1", "1.0.0"]);
    assert_same(Scheme::Gem, &["1.0.a", "1.a", "1.0.0.a"]);
    assert_none(Scheme::Gem, &["", "latest", "1.0_1"]);
}

#[test]
fn versions_of_nuget_have_four_numbers_and_labels_without_regard_to_case() {
    assert_order(Scheme::Nuget, &["1.0.0-alpha", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0", "1.0.0.1", "1.0.10"]);
    assert_same(Scheme::Nuget, &["1.0", "1.0.0.0", "1", "1.0.0+meta"]);
    assert_same(Scheme::Nuget, &["1.0.0-RC1", "1.0.0-rc1"]);
    assert_none(Scheme::Nuget, &["", "latest", "1..0"]);
}

#[test]
fn versions_of_composer_are_in_the_order_of_php() {
    assert_order(
        Scheme::Php,
        &[
            "1.0.0-dev",
            "1.0.0-alpha1",
            "1.0.0-beta2",
            "1.0.0-beta10",
            "1.0.0-RC1",
            "1.0.0",
            "1.0.0-p1",
            "1.0.1",
            "1.10.0",
        ],
    );
    assert_same(Scheme::Php, &["v1.0.0", "1.0", "1.0.0.0"]);
    assert_none(Scheme::Php, &["", "dev-main"]);
}

#[test]
fn versions_of_debian_are_in_the_order_of_dpkg() {
    assert_order(
        Scheme::Deb,
        &[
            "1.0~rc1-1",
            "1.0~rc1-2",
            "1.0-1",
            "1.0-1+b1",
            "1.0-1.1",
            "1.0a-1",
            "1.0+dfsg-1",
            "1.0.1-1",
            "1.10-1",
            "1:0.1-1",
        ],
    );
    assert_order(Scheme::Deb, &["2.36-9+deb12u4", "2.36-9+deb12u10"]);
    assert_order(Scheme::Deb, &["1.2.3~~", "1.2.3~~a", "1.2.3~", "1.2.3", "1.2.3a"]);
    assert_same(Scheme::Deb, &["1.0", "0:1.0", "1.00", "1.0-0"]);
    assert_none(Scheme::Deb, &["", "unknown", "a:1.0", "1.0 1", "1.0ü"]);
}

#[test]
fn versions_of_red_hat_are_in_the_order_of_rpm() {
    assert_order(
        Scheme::Rpm,
        &["1.0~rc1-1", "1.0-1", "1.0-1.el9", "1.0-2", "1.0^git1-1", "1.0a-1", "1.0.1-1", "1.10-1", "1:0.1-1"],
    );
    assert_order(Scheme::Rpm, &["2.0", "2.0.1", "2.0.1a"]);
    assert_order(Scheme::Rpm, &["1.0^20160101", "1.0^20160102", "1.0.1"]);
    assert_order(Scheme::Rpm, &["xyz", "8", "9"]);
    assert_same(Scheme::Rpm, &["1.0-1", "0:1.0-1", "1_0-1", "1.00-01"]);
    assert_eq!(Scheme::Rpm.compare("1.0", "1.0-1"), None, "one without a release may be either");
    assert_none(Scheme::Rpm, &["", "a:1.0", "1.0 1"]);
}

#[test]
fn versions_of_alpine_are_in_the_order_of_apk() {
    assert_order(
        Scheme::Apk,
        &[
            "1.0_alpha1-r0",
            "1.0_alpha2-r0",
            "1.0_beta-r0",
            "1.0_pre1-r0",
            "1.0_rc1-r0",
            "1.0-r0",
            "1.0-r1",
            "1.0-r10",
            "1.0_git20200101-r0",
            "1.0_p1-r0",
            "1.0a-r0",
            "1.0.1-r0",
            "1.1-r0",
            "1.10-r0",
            "2-r0",
        ],
    );
    assert_order(Scheme::Apk, &["1.0", "1.01", "1.1"]);
    assert_same(Scheme::Apk, &["1.0", "1.0-r0", "1.0~1a2b3c-r0"]);
    assert_none(Scheme::Apk, &["", "latest", "1.0_foo", "1.0-rx", "1..0"]);
}

#[test]
fn versions_of_numbers_are_compared_number_by_number() {
    assert_order(Scheme::Numbers, &["0.9", "1.0-1", "1.2", "1.10"]);
    assert_none(Scheme::Numbers, &["", "1.a"]);
}

#[test]
fn a_version_that_is_too_long_is_none() {
    assert_none(Scheme::Deb, &["1".repeat(LENGTH + 1).as_str()]);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_both_ways_agree(one in ".{0,12}", other in "[0-9a-z.~^+_:-]{0,12}") {
        for scheme in ALL {
            for (one, other) in [(&one, &other), (&other, &other), (&one, &one)] {
                let order = scheme.compare(one, other);
                prop_assert_eq!(order.map(Ordering::reverse), scheme.compare(other, one), "{:?}", scheme);
            }
        }
    }

    #[test]
    fn plain_numbers_are_in_the_order_of_numbers_everywhere(a: (u16, u16, u16), b: (u16, u16, u16)) {
        let write = |(major, minor, patch): (u16, u16, u16)| format!("{major}.{minor}.{patch}");
        for scheme in ALL {
            prop_assert_eq!(scheme.compare(&write(a), &write(b)), Some(a.cmp(&b)), "{:?}", scheme);
        }
    }

    #[test]
    fn the_order_is_transitive(texts in prop::collection::vec("[0-9]{1,2}([.~^+_-]?([0-9ab]{1,2}|rc|foo|final)){0,3}", 3)) {
        for scheme in ALL {
            let at_most = |a: usize, b: usize| scheme.compare(&texts[a], &texts[b]).is_some_and(Ordering::is_le);
            if at_most(0, 1) && at_most(1, 2) && scheme.compare(&texts[0], &texts[2]).is_some() {
                prop_assert!(at_most(0, 2), "{:?} {:?}", scheme, texts);
            }
        }
    }
}

#[test]
fn letters_of_maven_stand_for_words_only_before_a_number() {
    assert_same(Scheme::Maven, &["1-b1", "1-beta-1"]);
    assert_same(Scheme::Maven, &["1-m1", "1-milestone-1"]);
    assert_same(Scheme::Maven, &["1..1", "1.0.1"]);
    for letter in ["a", "b", "m"] {
        assert_order(Scheme::Maven, &["1-sp", &format!("1-{letter}")]);
        assert_order(Scheme::Maven, &["1-sp", &format!("1-{letter}.1")]);
    }
}

#[test]
fn a_word_of_maven_after_a_dot_has_no_place_beside_the_release() {
    for (one, other) in [("1.foo", "1"), ("12.4.1.jre11", "12.4.1"), ("1.0.0.sp", "1.0")] {
        assert_eq!(Scheme::Maven.compare(one, other), None);
        assert_eq!(Scheme::Maven.compare(other, one), None);
    }
    assert_order(Scheme::Maven, &["1.alpha", "1.rc", "1", "1-foo"]);
    assert_same(Scheme::Maven, &["1.foo", "1-foo"]);
    assert_order(Scheme::Maven, &["12.4.0.jre11", "12.4.1", "12.4.2.jre8"]);
}

#[test]
fn numbers_of_composer_stand_between_the_release_and_its_patches() {
    assert_order(Scheme::Php, &["1.0.0-foo", "1.0.0-dev", "1.0.0.1", "1.0.0-p1"]);
}

#[test]
fn the_first_number_of_alpine_is_one_whatever_it_begins_with() {
    assert_same(Scheme::Apk, &["01.2", "1.2"]);
}

#[test]
fn longer_versions_than_anybody_writes_are_none() {
    assert!(Scheme::Numbers.reads(&"1".repeat(LENGTH)));
    assert!(!Scheme::Numbers.reads(&"1".repeat(LENGTH + 1)));
}
