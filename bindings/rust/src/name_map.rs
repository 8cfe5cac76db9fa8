//! Named values in the order of the file.

use std::collections::HashMap;
use std::fmt;
use std::ops::Index;
use std::sync::Arc;

// Up to this many names a linear search is faster than a hash, and takes no memory.
const SCANNED: usize = 8;

/// Named values in the order of the file, found by name in constant time. Names are unique.
#[derive(Clone)]
pub struct NameMap<T> {
    entries: Vec<(Arc<str>, T)>,
    // From SCANNED entries up. Boxed: most maps are short, and a file can have very many of them.
    #[allow(clippy::box_collection)]
    index: Option<Box<HashMap<Arc<str>, usize>>>,
}

impl<T> NameMap<T> {
    pub(crate) fn new() -> Self {
        NameMap {
            entries: Vec::new(),
            index: None,
        }
    }

    /// Appends an entry. The name must be new.
    pub(crate) fn push(&mut self, name: Arc<str>, value: T) {
        debug_assert!(!self.contains(&name));
        self.entries.push((name, value));
        if self.entries.len() > SCANNED {
            let index = self.index.get_or_insert_with(Box::default);
            for (i, (name, _)) in self.entries.iter().enumerate().skip(index.len()) {
                index.insert(Arc::clone(name), i);
            }
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the map has no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&T> {
        let position = match &self.index {
            Some(index) => index.get(name).copied(),
            None => self.entries.iter().position(|(known, _)| &**known == name),
        };
        position.map(|i| &self.entries[i].1)
    }

    /// Whether there is an entry of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Names and values in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &T)> + DoubleEndedIterator {
        self.entries.iter().map(|(name, value)| (&**name, value))
    }

    /// Names in the order of the file.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + DoubleEndedIterator {
        self.entries.iter().map(|(name, _)| &**name)
    }

    /// Values in the order of the file.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &T> + DoubleEndedIterator {
        self.entries.iter().map(|(_, value)| value)
    }
}

/// The value of that name. Panics if there is none; [`NameMap::get`] does not.
impl<T> Index<&str> for NameMap<T> {
    type Output = T;

    fn index(&self, name: &str) -> &T {
        match self.get(name) {
            Some(value) => value,
            None => panic!("there is no entry {}", crate::quote::quote(name)),
        }
    }
}

/// Equal if the same names have equal values in the same order.
impl<T: PartialEq> PartialEq for NameMap<T> {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl<T: fmt::Debug> fmt::Debug for NameMap<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_short_and_long_maps() {
        for count in [0, 1, SCANNED, SCANNED + 1, 100] {
            let mut map = NameMap::new();
            for i in 0..count {
                map.push(format!("n{i}").into(), i);
            }
            assert_eq!(map.len(), count);
            for i in 0..count {
                assert_eq!(map[&*format!("n{i}")], i);
            }
            assert!(!map.contains("n"));
            assert!(map.values().copied().eq(0..count));
        }
    }
}
