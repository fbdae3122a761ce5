//! What was found in a bill of materials, so that a hundred thousand packages are gone through once and not on every
//! request. Nothing but time depends on it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::evidence::Package;
use crate::policy::Reason;
use crate::policy::osv::Feed;

/// Most bills that are remembered for one rule: each is an entry of some hundred bytes.
const BILLS: usize = 4096;

/// Findings by the packages, and the feed that they were held against. Both are held weakly: as long as the entry is there,
/// nothing else can take their place in memory.
#[derive(Debug, Default)]
pub(super) struct Memo(Mutex<HashMap<usize, Found>>);

#[derive(Debug)]
struct Found {
    packages: Weak<[Package]>,
    feed: Option<Weak<Feed>>,
    reasons: Arc<[Reason]>,
}

impl Memo {
    /// What `find` finds in `packages`, or found before.
    pub(super) fn get(
        &self,
        packages: &Arc<[Package]>,
        feed: Option<&Arc<Feed>>,
        find: impl FnOnce() -> Vec<Reason>,
    ) -> Arc<[Reason]> {
        let place = Arc::as_ptr(packages).cast::<Package>().addr();
        if let Some(reasons) = self.lock().get(&place).and_then(|found| found.of(packages, feed)) {
            return reasons;
        }
        let reasons: Arc<[Reason]> = find().into();
        let found =
            Found { packages: Arc::downgrade(packages), feed: feed.map(Arc::downgrade), reasons: Arc::clone(&reasons) };
        let mut all = self.lock();
        if all.len() >= BILLS {
            all.retain(|_, found| found.packages.strong_count() > 0);
        }
        if all.len() >= BILLS {
            all.clear();
        }
        all.insert(place, found);
        reasons
    }

    /// Whether [`get`](Self::get) would find nothing anew.
    pub(super) fn knows(&self, packages: &Arc<[Package]>, feed: Option<&Arc<Feed>>) -> bool {
        let place = Arc::as_ptr(packages).cast::<Package>().addr();
        self.lock().get(&place).is_some_and(|found| found.of(packages, feed).is_some())
    }

    /// Nothing that can panic runs under this lock, and all that it guards can be found again.
    fn lock(&self) -> MutexGuard<'_, HashMap<usize, Found>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Found {
    fn of(&self, packages: &Arc<[Package]>, feed: Option<&Arc<Feed>>) -> Option<Arc<[Reason]>> {
        let same_packages = std::ptr::addr_eq(self.packages.as_ptr(), Arc::as_ptr(packages));
        let same_feed = match (&self.feed, feed) {
            (None, None) => true,
            (Some(one), Some(other)) => std::ptr::eq(one.as_ptr(), Arc::as_ptr(other)),
            (None, Some(_)) | (Some(_), None) => false,
        };
        // Empty slices may share a place with others; there is nothing in them to find.
        (same_packages && same_feed && !packages.is_empty()).then(|| Arc::clone(&self.reasons))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::ReasonCode;

    fn bill(name: &str) -> Arc<[Package]> {
        vec![Package { name: name.into(), ..Package::default() }].into()
    }

    fn reasons(text: &str) -> Vec<Reason> {
        vec![Reason { code: ReasonCode::DeniedPackage, text: text.to_owned() }]
    }

    #[test]
    fn a_bill_is_gone_through_once_for_each_feed() {
        let (memo, bill) = (Memo::default(), bill("a"));
        let (old, new) = (Arc::new(Feed::default()), Arc::new(Feed::default()));
        assert!(!memo.knows(&bill, Some(&old)));
        assert_eq!(memo.get(&bill, Some(&old), || reasons("old"))[0].text, "old");
        assert!(memo.knows(&bill, Some(&old)) && !memo.knows(&bill, Some(&new)) && !memo.knows(&bill, None));
        assert_eq!(memo.get(&bill, Some(&old), || panic!("again"))[0].text, "old");
        assert_eq!(memo.get(&bill, Some(&new), || reasons("new"))[0].text, "new");
        assert_eq!(memo.get(&bill, None, || reasons("none"))[0].text, "none");
    }

    #[test]
    fn another_bill_is_never_taken_for_one_that_is_gone() {
        let memo = Memo::default();
        for number in 0..1000 {
            let (bill, text) = (bill("a"), number.to_string());
            assert_eq!(memo.get(&bill, None, || reasons(&text))[0].text, text);
        }
    }

    #[test]
    fn the_memory_is_bounded() {
        let memo = Memo::default();
        let bills: Vec<_> = (0..=BILLS).map(|_| bill("a")).collect();
        for bill in &bills {
            memo.get(bill, None, Vec::new);
        }
        assert!(memo.lock().len() <= BILLS);
    }

    #[test]
    fn what_is_gone_makes_room_before_what_is_there() {
        let memo = Memo::default();
        let kept = bill("kept");
        memo.get(&kept, None, || reasons("kept"));
        let gone: Vec<_> = (1..BILLS).map(|_| bill("gone")).collect();
        for bill in &gone {
            memo.get(bill, None, Vec::new);
        }
        drop(gone);
        assert_eq!(memo.lock().len(), BILLS);
        memo.get(&bill("new"), None, Vec::new);
        assert_eq!(memo.lock().len(), 2);
        assert_eq!(memo.get(&kept, None, || panic!("again"))[0].text, "kept");
    }
}
