//! The crashed operations that a configuration has used: interned multisets of classes.

use rustc_hash::FxHashMap;

/// The number of an interned multiset. The empty one is 0.
pub(crate) type MultisetId = u32;

/// The empty multiset.
pub(crate) const EMPTY: MultisetId = 0;

/// The number of multisets that may accumulate before unreferenced ones are dropped.
const COMPACTION_SLACK: usize = if cfg!(test) { 8 } else { 1 << 14 };

/// Up to this number of classes, a linear search is used.
const LINEAR_SEARCH_MAX: usize = 64;

type Multiset = Box<[(u32, u32)]>;

/// All multisets seen so far. Each is a sorted list of (class, count).
pub(crate) struct Multisets {
    multisets: Vec<Multiset>,
    /// By number: the size of the multiset.
    totals: Vec<u32>,
    ids: FxHashMap<Multiset, MultisetId>,
    plus: FxHashMap<u64, MultisetId>,
    pairs: usize,
    /// The number of multisets after the last compaction.
    len_after_compaction: usize,
}

impl Multisets {
    pub(crate) fn new() -> Multisets {
        Multisets {
            multisets: vec![Multiset::default()],
            totals: vec![0],
            ids: FxHashMap::from_iter([(Multiset::default(), EMPTY)]),
            plus: FxHashMap::default(),
            pairs: 0,
            len_after_compaction: 0,
        }
    }

    /// The classes in a multiset with their counts, sorted by class.
    pub(crate) fn pairs(&self, multiset: MultisetId) -> &[(u32, u32)] {
        &self.multisets[multiset as usize]
    }

    /// The count of a class in a multiset.
    pub(crate) fn count(&self, multiset: MultisetId, class: u32) -> u32 {
        let pairs = self.pairs(multiset);
        if pairs.len() > LINEAR_SEARCH_MAX {
            return pairs.binary_search_by_key(&class, |pair| pair.0).map_or(0, |found| pairs[found].1);
        }
        // A class cannot be at an index above its own number, and where most classes are used it is close to that index.
        let end = pairs.len().min(class as usize + 1);
        let found = pairs[..end].iter().rev().find(|pair| pair.0 <= class);
        found.filter(|pair| pair.0 == class).map_or(0, |pair| pair.1)
    }

    /// The size of a multiset.
    pub(crate) fn total(&self, multiset: MultisetId) -> u32 {
        self.totals[multiset as usize]
    }

    /// The multiset with one more of a class.
    pub(crate) fn plus(&mut self, multiset: MultisetId, class: u32) -> MultisetId {
        let key = u64::from(multiset) << 32 | u64::from(class);
        if let Some(&sum) = self.plus.get(&key) {
            return sum;
        }
        let mut pairs = self.pairs(multiset).to_vec();
        match pairs.binary_search_by_key(&class, |pair| pair.0) {
            Ok(found) => pairs[found].1 += 1,
            Err(place) => pairs.insert(place, (class, 1)),
        }
        let sum = self.intern(pairs);
        self.plus.insert(key, sum);
        sum
    }

    /// The number of the multiset of these pairs, which are sorted by class.
    pub(crate) fn intern(&mut self, pairs: Vec<(u32, u32)>) -> MultisetId {
        let pairs: Multiset = pairs.into();
        if let Some(&id) = self.ids.get(&pairs) {
            return id;
        }
        let id = self.multisets.len() as MultisetId;
        self.pairs += pairs.len();
        self.totals.push(pairs.iter().map(|pair| pair.1).sum());
        self.multisets.push(pairs.clone());
        self.ids.insert(pairs, id);
        id
    }

    /// Whether one multiset is a subset of another.
    pub(crate) fn is_subset(&self, less: MultisetId, more: MultisetId) -> bool {
        if less == EMPTY || less == more {
            return true;
        }
        let mut more = self.pairs(more).iter();
        self.pairs(less)
            .iter()
            .all(|&(class, count)| more.find(|pair| pair.0 >= class).is_some_and(|pair| pair.0 == class && count <= pair.1))
    }

    /// Whether [`compact`](Multisets::compact) is due.
    pub(crate) fn needs_compaction(&self) -> bool {
        self.multisets.len() > 2 * self.len_after_compaction + COMPACTION_SLACK
    }

    /// Drops all multisets but these, which are renumbered, and the empty one.
    pub(crate) fn compact<'t>(&mut self, wanted: impl Iterator<Item = &'t mut MultisetId>) {
        let mut kept = Multisets::new();
        for multiset in wanted {
            *multiset = kept.intern(self.pairs(*multiset).to_vec());
        }
        kept.len_after_compaction = kept.multisets.len();
        *self = kept;
    }

    /// The approximate number of bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.multisets.len() * 72 + self.pairs * 16 + self.plus.len() * 24
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_compares() {
        let mut multisets = Multisets::new();
        let a = multisets.plus(EMPTY, 3);
        let ab = multisets.plus(a, 1);
        let aab = multisets.plus(ab, 3);
        assert_eq!(multisets.pairs(aab), [(1, 1), (3, 2)]);
        assert!(multisets.is_subset(a, aab) && multisets.is_subset(ab, aab) && !multisets.is_subset(aab, ab));
        assert!(!multisets.is_subset(ab, a));
        assert_eq!(multisets.total(aab), 3);
    }
}
