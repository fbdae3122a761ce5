//! What counts at the moment: swapped as a whole, and read without waiting for whoever swaps it.

use std::sync::Arc;

use tokio::sync::watch;

/// Where to find the value of the moment. Cheap to clone; all clones find the same.
///
/// Whoever decides takes [`Self::snapshot`] once, and uses that to the end: a decision under two values would be one
/// under none.
#[derive(Debug)]
pub struct Current<T>(watch::Receiver<Arc<T>>);

impl<T> Current<T> {
    /// `value`, for good.
    pub fn fixed(value: T) -> Self {
        Self::swappable(value).1
    }

    /// `value`, until the sender sends another one.
    pub fn swappable(value: T) -> (watch::Sender<Arc<T>>, Self) {
        let (sender, receiver) = watch::channel(Arc::new(value));
        (sender, Self(receiver))
    }

    /// The value of the moment.
    pub fn snapshot(&self) -> Arc<T> {
        Arc::clone(&self.0.borrow())
    }

    /// The next value, once there is one; none once nobody can swap it any more.
    pub async fn next(&mut self) -> Option<Arc<T>> {
        self.0.changed().await.ok()?;
        Some(Arc::clone(&self.0.borrow_and_update()))
    }
}

impl<T> Clone for Current<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_snapshot_that_was_taken_stays_what_it_is() {
        let (sender, current) = Current::swappable("before");
        let before = current.snapshot();
        sender.send_replace(Arc::new("after"));
        assert_eq!((*before, *current.snapshot()), ("before", "after"));
    }

    #[test]
    fn who_waits_is_told_of_each_swap_and_of_the_end() {
        let (sender, mut current) = Current::swappable("before");
        assert!(current.next().now_or_never().is_none());
        sender.send_replace(Arc::new("after"));
        assert_eq!(current.next().now_or_never().flatten().as_deref(), Some(&"after"));
        drop(sender);
        assert!(current.next().now_or_never().unwrap().is_none());
    }
}
