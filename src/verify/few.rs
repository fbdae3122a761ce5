//! Lists that are short nearly always, and take no more of memory than that.

use std::ops::{Deref, DerefMut};
use std::slice;

use serde::{Deserialize, Serialize};

/// A list that is as small as a pointer while nothing is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<T>", into = "Vec<T>", bound(serialize = "T: Serialize + Clone"))]
pub struct Few<T>(
    #[expect(clippy::box_collection, reason = "a vector alone is three times as large")] Option<Box<Vec<T>>>,
);

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

impl<T> DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.0.as_deref_mut().map_or(&mut [], Vec::as_mut_slice)
    }
}

impl<T> Extend<T> for Few<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, more: I) {
        let mut all = Vec::from(std::mem::take(self));
        all.extend(more);
        *self = all.into();
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        Vec::from_iter(all).into()
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(all: Vec<T>) -> Self {
        Self((!all.is_empty()).then(|| Box::new(all)))
    }
}

impl<T> From<Few<T>> for Vec<T> {
    fn from(few: Few<T>) -> Self {
        few.0.map(|all| *all).unwrap_or_default()
    }
}

/// A list that is as small as a vector, and allocates nothing for one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Vec<T>", into = "Vec<T>", bound(serialize = "T: Serialize + Clone"))]
pub struct Several<T>(Number<T>);

#[derive(Debug, Clone)]
enum Number<T> {
    One(T),
    Other(Vec<T>),
}

impl<T> Default for Several<T> {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl<T: PartialEq> PartialEq for Several<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T> Deref for Several<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Number::One(one) => slice::from_ref(one),
            Number::Other(all) => all,
        }
    }
}

impl<T> DerefMut for Several<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.0 {
            Number::One(one) => slice::from_mut(one),
            Number::Other(all) => all,
        }
    }
}

impl<T> Extend<T> for Several<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, more: I) {
        let mut all = Vec::from(std::mem::take(self));
        all.extend(more);
        *self = all.into();
    }
}

impl<T> FromIterator<T> for Several<T> {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        Vec::from_iter(all).into()
    }
}

impl<T> From<Vec<T>> for Several<T> {
    fn from(mut all: Vec<T>) -> Self {
        if all.len() == 1
            && let Some(one) = all.pop()
        {
            return Self(Number::One(one));
        }
        all.shrink_to_fit();
        Self(Number::Other(all))
    }
}

impl<T> From<Several<T>> for Vec<T> {
    fn from(several: Several<T>) -> Self {
        match several.0 {
            Number::One(one) => vec![one],
            Number::Other(all) => all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_short_takes_little() {
        assert_eq!(size_of::<Few<[u8; 64]>>(), size_of::<usize>());
        assert_eq!(size_of::<Several<Box<u8>>>(), size_of::<Vec<u8>>());
        assert!(matches!(Several::from(vec![1]).0, Number::One(1)));
    }

    #[test]
    fn a_list_has_what_was_put_into_it_in_order() {
        let (mut few, mut several) = (Few::default(), Several::default());
        for count in 0..4 {
            let all: Vec<_> = (0..count).collect();
            assert_eq!((&*few, &*several), (&*all, &*all));
            assert_eq!(serde_json::to_value((&few, &several)).unwrap(), serde_json::json!([all, all]));
            assert_eq!((Few::from(all.clone()), Several::from(all.clone())), (few.clone(), several.clone()));
            assert_eq!((Vec::from(few.clone()), Vec::from(several.clone())), (all.clone(), all));
            let before = (few.clone(), several.clone());
            few.extend([count]);
            several.extend([count]);
            assert!(few != before.0 && several != before.1);
        }
    }

    #[test]
    fn a_list_can_be_put_in_order() {
        let (mut few, mut several) = (Few::from(vec![2, 1]), Several::from(vec![2, 1]));
        few.sort_unstable();
        several.sort_unstable();
        assert_eq!((&*few, &*several), (&[1, 2][..], &[1, 2][..]));
    }
}
