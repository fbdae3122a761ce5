//! Sets of versions: what a deny line or a record of a feed says of a package.

use std::cmp::Ordering;

use crate::policy::scheme::Scheme;

/// Most events in one range, and bounds in one text: real ones have a dozen.
const EVENTS: usize = 256;

/// Versions, of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Versions {
    scheme: Option<Scheme>,
    every: bool,
    listed: Box<[Box<str>]>,
    except: Box<[Box<str>]>,
    intervals: Box<[Interval]>,
}

/// From a version to another one; what is missing has no bound.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Interval {
    from: Option<Bound>,
    to: Option<Bound>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    version: Box<str>,
    included: bool,
}

/// Whether a version is one of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    No,
    Yes,
    /// It cannot be compared with their bounds.
    Unknown,
}

/// A step of a range in OSV: from there on, the package is affected or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    Introduced(String),
    Fixed(String),
    LastAffected(String),
}

/// Why a text is no range of versions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Versions of that type have no order that is known.
    #[error("versions of the type {0} cannot be compared: name the versions one by one, as in pkg:{0}/name@1.2.3")]
    Type(String),
    /// A range for another type of package.
    #[error("the range is for the type {0:?}, not for the one of the package: leave vers:{0}/ out")]
    OtherType(String),
    /// Not a version of that type.
    #[error("{0:?} is no version of that type that could be compared with others")]
    Version(String),
    /// Out of order, or nothing at all.
    #[error("bounds are written from the lowest to the highest, as in >=1.2.0|<1.2.7|>=1.3.0|<1.3.2")]
    Order,
    /// More of them than are looked at.
    #[error("at most {EVENTS} bounds are looked at: write several package URLs")]
    TooMany,
    /// Only what is not meant.
    #[error("it says only which versions are not meant: say which are, as in >=1.2.0|!=1.2.3")]
    Empty,
}

impl Versions {
    /// Every version.
    pub(super) fn every(kind: &str) -> Self {
        Self { every: true, ..Self::listed(kind, []) }
    }

    /// These versions, and those that are the same by the order of their type.
    pub(super) fn listed(kind: &str, versions: impl IntoIterator<Item = String>) -> Self {
        Self {
            scheme: Scheme::of(kind),
            every: false,
            listed: versions.into_iter().map(String::into_boxed_str).collect(),
            except: Box::default(),
            intervals: Box::default(),
        }
    }

    /// A range in the notation of VERS, with or without `vers:<type>/` before it: bounds with `>`, `>=`, `<`, `<=`, single
    /// versions with `=`, `!=` or nothing before them, `|` between.
    pub(super) fn range(kind: &str, text: &str) -> Result<Self, RangeError> {
        let constraints = match text.strip_prefix("vers:").and_then(|rest| rest.split_once('/')) {
            Some((other, _)) if other != kind => return Err(RangeError::OtherType(other.to_owned())),
            Some((_, constraints)) => constraints,
            None => text,
        };
        if constraints == "*" {
            return Ok(Self::every(kind));
        }
        let scheme = Scheme::of(kind).ok_or_else(|| RangeError::Type(kind.to_owned()))?;
        let mut range = Constraints { scheme, listed: Vec::new(), except: Vec::new(), intervals: Vec::new() };
        if constraints.split('|').count() > EVENTS {
            return Err(RangeError::TooMany);
        }
        for constraint in constraints.split('|').map(str::trim) {
            range.take(constraint)?;
        }
        if range.listed.is_empty() && range.intervals.is_empty() {
            return Err(RangeError::Empty);
        }
        Ok(Self {
            intervals: range.intervals.into(),
            except: range.except.into(),
            listed: range.listed.into(),
            ..Self::listed(kind, [])
        })
    }

    /// Adds a range of OSV ("Evaluation" of its schema). One that cannot be put in order stands for every version.
    pub(super) fn add_events(&mut self, events: Vec<Event>) {
        match self.scheme.and_then(|scheme| intervals(scheme, events)) {
            Some(more) => self.intervals = self.intervals.iter().cloned().chain(more).collect(),
            None => self.every = true,
        }
    }

    /// Whether `version` is one of them. One that is not known may be any.
    pub(super) fn contain(&self, version: Option<&str>) -> Membership {
        if self.every {
            return Membership::Yes;
        }
        let Some(version) = version else { return Membership::Unknown };
        if self.listed.iter().any(|listed| self.is_same(listed, version)) {
            return Membership::Yes;
        }
        if self.except.iter().any(|except| self.is_same(except, version)) {
            return Membership::No;
        }
        let within = self.intervals.iter().map(|interval| self.is_within(interval, version));
        within.fold(Membership::No, Membership::or)
    }

    fn is_same(&self, one: &str, other: &str) -> bool {
        one == other || self.compare(one, other) == Some(Ordering::Equal)
    }

    fn compare(&self, one: &str, other: &str) -> Option<Ordering> {
        self.scheme?.compare(one, other)
    }

    fn is_within(&self, interval: &Interval, version: &str) -> Membership {
        let reaches = |bound: &Option<Bound>, beyond: Ordering| {
            let Some(bound) = bound else { return Membership::Yes };
            match self.compare(version, &bound.version) {
                None => Membership::Unknown,
                Some(Ordering::Equal) if bound.included => Membership::Yes,
                Some(order) if order == beyond => Membership::Yes,
                Some(_) => Membership::No,
            }
        };
        reaches(&interval.from, Ordering::Greater).and(reaches(&interval.to, Ordering::Less))
    }
}

impl Membership {
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::No, Self::No) => Self::No,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }
}

/// A range, while its text is read.
struct Constraints {
    scheme: Scheme,
    listed: Vec<Box<str>>,
    except: Vec<Box<str>>,
    intervals: Vec<Interval>,
}

impl Constraints {
    fn take(&mut self, constraint: &str) -> Result<(), RangeError> {
        let end = constraint.find(|c| !matches!(c, '<' | '>' | '=' | '!')).unwrap_or(constraint.len());
        let (comparator, version) = constraint.split_at_checked(end).unwrap_or((constraint, ""));
        let version = version.trim();
        if !self.scheme.reads(version) {
            return Err(RangeError::Version(version.to_owned()));
        }
        let bound = |included| Bound { version: version.into(), included };
        match comparator {
            "" | "=" => self.listed.push(version.into()),
            "!=" => self.except.push(version.into()),
            ">" => self.open(bound(false))?,
            ">=" => self.open(bound(true))?,
            "<" => self.close(bound(false))?,
            "<=" => self.close(bound(true))?,
            _ => return Err(RangeError::Order),
        }
        Ok(())
    }

    fn open(&mut self, bound: Bound) -> Result<(), RangeError> {
        let is_after = match self.intervals.last() {
            None => true,
            Some(Interval { to: Some(to), .. }) => self.are_in_order(to, &bound),
            Some(Interval { to: None, .. }) => false,
        };
        self.intervals.push(Interval { from: Some(bound), to: None });
        if is_after { Ok(()) } else { Err(RangeError::Order) }
    }

    fn close(&mut self, bound: Bound) -> Result<(), RangeError> {
        match self.intervals.last() {
            None => self.intervals.push(Interval { from: None, to: Some(bound) }),
            Some(Interval { from: Some(from), to: None }) if self.are_in_order(from, &bound) => {
                self.intervals.last_mut().into_iter().for_each(|interval| interval.to = Some(bound.clone()));
            }
            Some(_) => return Err(RangeError::Order),
        }
        Ok(())
    }

    fn are_in_order(&self, one: &Bound, other: &Bound) -> bool {
        self.scheme.compare(&one.version, &other.version).is_some_and(Ordering::is_le)
    }
}

/// The intervals of the events; none if they cannot be put in order.
fn intervals(scheme: Scheme, events: Vec<Event>) -> Option<Vec<Interval>> {
    let mut ordered: Vec<Event> = Vec::new();
    if events.len() > EVENTS {
        return None;
    }
    for event in events {
        let mut at = ordered.len();
        for (index, other) in ordered.iter().enumerate() {
            if event.compare(other, scheme)?.is_lt() {
                at = index;
                break;
            }
        }
        ordered.insert(at, event);
    }
    let mut intervals = Vec::new();
    let mut open: Option<Interval> = None;
    for event in ordered {
        match (event, &mut open) {
            (Event::Introduced(version), None) => {
                let from = (version != "0").then(|| Bound { version: version.into(), included: true });
                open = Some(Interval { from, to: None });
            }
            (Event::Fixed(version), Some(interval)) => {
                interval.to = Some(Bound { version: version.into(), included: false });
                intervals.extend(open.take());
            }
            (Event::LastAffected(version), Some(interval)) => {
                interval.to = Some(Bound { version: version.into(), included: true });
                intervals.extend(open.take());
            }
            (Event::Introduced(_), Some(_)) | (Event::Fixed(_) | Event::LastAffected(_), None) => {}
        }
    }
    intervals.extend(open);
    Some(intervals)
}

impl Event {
    fn version(&self) -> &str {
        match self {
            Self::Introduced(version) | Self::Fixed(version) | Self::LastAffected(version) => version,
        }
    }

    /// Where a version is fixed and introduced again, it stays affected.
    fn place(&self) -> u8 {
        match self {
            Self::Fixed(_) => 0,
            Self::Introduced(_) => 1,
            Self::LastAffected(_) => 2,
        }
    }

    fn compare(&self, other: &Self, scheme: Scheme) -> Option<Ordering> {
        let order = match (self.is_beginning(), other.is_beginning()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => scheme.compare(self.version(), other.version())?,
        };
        Some(order.then_with(|| self.place().cmp(&other.place())))
    }

    /// "0" stands before every version, whatever the order.
    fn is_beginning(&self) -> bool {
        matches!(self, Self::Introduced(version) if version == "0")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(text: &str) -> Versions {
        Versions::range("npm", text).unwrap()
    }

    fn events(kind: &str, events: &[(&str, &str)]) -> Versions {
        let mut versions = Versions::listed(kind, []);
        let event = |(name, version): &(&str, &str)| match *name {
            "introduced" => Event::Introduced((*version).to_owned()),
            "fixed" => Event::Fixed((*version).to_owned()),
            _ => Event::LastAffected((*version).to_owned()),
        };
        versions.add_events(events.iter().map(event).collect());
        versions
    }

    fn assert_contains(versions: &Versions, inside: &[&str], outside: &[&str]) {
        for version in inside {
            assert_eq!(versions.contain(Some(version)), Membership::Yes, "{version}");
        }
        for version in outside {
            assert_eq!(versions.contain(Some(version)), Membership::No, "{version}");
        }
    }

    #[test]
    fn a_range_that_would_deny_less_than_it_says_is_refused() {
        assert!(matches!(Versions::range("npm", "!=1.2.3"), Err(RangeError::Empty)));
        let many = |count: usize| vec!["1.2.3"; count].join("|");
        assert!(Versions::range("npm", &many(EVENTS)).is_ok());
        assert!(matches!(Versions::range("npm", &many(EVENTS + 1)), Err(RangeError::TooMany)));
    }

    #[test]
    fn a_range_contains_what_is_between_its_bounds() {
        let versions = range(">=1.14.0|<1.14.2");
        assert_contains(&versions, &["1.14.0", "1.14.1", "v1.14.1"], &["1.13.9", "1.14.2", "1.14.10", "2.0.0"]);
        assert_contains(&range("<2.0.0"), &["0.0.1", "2.0.0-rc.1"], &["2.0.0"]);
        assert_contains(&range(">1.0.0"), &["1.0.1", "99.0.0"], &["1.0.0"]);
        assert_contains(&range("vers:npm/<=1.0.0|>=2.0.0|<3.0.0"), &["1.0.0", "2.9.9"], &["1.0.1", "3.0.0"]);
        assert_contains(&range("1.0.0|=2.0.0"), &["1.0.0", "2.0.0"], &["1.0.1"]);
        assert_contains(&range(">=1.0.0|!=1.5.0"), &["1.4.0"], &["1.5.0"]);
        assert_contains(&range("*"), &["1.0.0", "what"], &[]);
    }

    #[test]
    fn what_is_no_range_says_what_to_write() {
        for (kind, text, error) in [
            ("generic", ">=1.0", RangeError::Type("generic".into())),
            ("npm", "vers:pypi/>=1.0", RangeError::OtherType("pypi".into())),
            ("npm", ">=1.x", RangeError::Version("1.x".into())),
            ("npm", "", RangeError::Version(String::new())),
            ("npm", "<>1.0.0", RangeError::Order),
            ("npm", ">=2.0.0|<1.0.0", RangeError::Order),
            ("npm", ">=1.0.0|>=2.0.0", RangeError::Order),
            ("npm", "<1.0.0|<2.0.0", RangeError::Order),
        ] {
            assert_eq!(Versions::range(kind, text), Err(error), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_compared_is_not_known_to_be_outside() {
        let versions = range(">=1.14.0|<1.14.2");
        assert_eq!(versions.contain(Some("latest")), Membership::Unknown);
        assert_eq!(versions.contain(None), Membership::Unknown);
        assert_eq!(events("generic", &[("introduced", "1"), ("fixed", "2")]).contain(Some("3")), Membership::Yes);
    }

    #[test]
    fn listed_versions_are_no_prefixes_and_no_text() {
        let versions = Versions::listed("npm", ["5.6.1".to_owned()]);
        assert_contains(&versions, &["5.6.1", "v5.6.1", "5.6.1+build"], &["5.6.10", "5.6", "latest"]);
        assert_eq!(versions.contain(None), Membership::Unknown);
        assert_contains(&Versions::listed("generic", ["a".to_owned()]), &["a"], &["b"]);
    }

    #[test]
    fn events_of_osv_are_intervals_in_whatever_order() {
        let versions = events("npm", &[("fixed", "1.2.0"), ("introduced", "0")]);
        assert_contains(&versions, &["0.0.1", "1.2.0-rc.1"], &["1.2.0", "2.0.0"]);
        let versions = events(
            "npm",
            &[("introduced", "1.0.0"), ("last_affected", "1.5.0"), ("introduced", "2.0.0"), ("fixed", "2.1.0")],
        );
        assert_contains(&versions, &["1.0.0", "1.5.0", "2.0.9"], &["0.9.0", "1.5.1", "2.1.0"]);
        assert_contains(&events("npm", &[("introduced", "0")]), &["0.0.0", "99.0.0"], &[]);
        assert_contains(&events("npm", &[("fixed", "1.0.0")]), &[], &["0.9.0"]);
        let again = events("npm", &[("introduced", "1.0.0"), ("fixed", "2.0.0"), ("introduced", "2.0.0")]);
        assert_contains(&again, &["1.0.0", "2.0.0", "3.0.0"], &["0.9.0"]);
    }

    #[test]
    fn events_that_cannot_be_put_in_order_stand_for_every_version() {
        let versions = events("npm", &[("introduced", "1.x"), ("fixed", "2.0.0")]);
        assert_contains(&versions, &["1.0.0", "3.0.0"], &[]);
    }

    proptest! {
        #[test]
        fn a_version_is_in_a_range_if_it_is_between_its_ends(a: (u8, u8), b: (u8, u8), c: (u8, u8)) {
            let (low, high) = (a.min(b), a.max(b));
            let write = |(major, minor): (u8, u8)| format!("{major}.{minor}.0");
            for kind in ["npm", "pypi", "maven", "gem", "nuget", "composer", "deb", "rpm", "apk", "hackage"] {
                let versions = Versions::range(kind, &format!(">={}|<{}", write(low), write(high))).unwrap();
                let expected = if low <= c && c < high { Membership::Yes } else { Membership::No };
                prop_assert_eq!(versions.contain(Some(&write(c))), expected, "{}", kind);
                let feed = events(kind, &[("introduced", &write(low)), ("fixed", &write(high))]);
                let expected = if low == high { feed.contain(Some(&write(c))) } else { expected };
                prop_assert_eq!(feed.contain(Some(&write(c))), expected, "{}", kind);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,20}", rest in "[<>=!|0-9.]{0,20}", version in ".{0,8}") {
            for text in [text, rest] {
                if let Ok(versions) = Versions::range("npm", &text) {
                    let _membership = versions.contain(Some(&version));
                }
            }
        }
    }

    #[test]
    fn the_beginning_stands_before_every_version() {
        let versions = events("deb", &[("fixed", "0~rc2"), ("introduced", "0")]);
        assert_contains(&versions, &["0~rc1"], &["0~rc2", "0", "1.0"]);
    }

    #[test]
    fn events_at_one_version_count_in_their_own_order() {
        let again = events("npm", &[("introduced", "1.0.0"), ("introduced", "2.0.0"), ("fixed", "2.0.0")]);
        assert_contains(&again, &["1.0.0", "2.0.0", "3.0.0"], &["0.9.0"]);
        let once = events("npm", &[("last_affected", "2.0.0"), ("introduced", "2.0.0")]);
        assert_contains(&once, &["2.0.0"], &["1.9.9", "2.0.1"]);
    }

    #[test]
    fn more_events_than_are_put_in_order_are_about_every_version() {
        let many = |count| events("npm", &vec![("introduced", "1.0.0"); count]);
        assert_eq!(many(EVENTS).contain(Some("0.1.0")), Membership::No);
        assert_eq!(many(EVENTS + 1).contain(Some("0.1.0")), Membership::Yes);
    }
}
