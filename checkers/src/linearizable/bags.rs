//! Which crashed operations a configuration has used: multisets of classes, interned.

use rustc_hash::FxHashMap;

/// The number of an interned multiset. The empty one is 0.
pub(crate) type BagId = u32;

/// The multiset with nothing in it.
pub(crate) const EMPTY: BagId = 0;

/// How many may pile up before those that no configuration has are dropped.
const CROWD: usize = if cfg!(test) { 8 } else { 1 << 14 };

/// Up to so many classes are searched one by one.
const FEW: usize = 64;

type Bag = Box<[(u32, u32)]>;

/// All multisets met so far. Each is a sorted list of (class, how many).
pub(crate) struct Bags {
    bags: Vec<Bag>,
    /// By number: how many a bag has in all.
    totals: Vec<u32>,
    ids: FxHashMap<Bag, BagId>,
    plus: FxHashMap<u64, BagId>,
    pairs: usize,
    /// How many there were after the last tidying.
    tidy: usize,
}

impl Bags {
    pub(crate) fn new() -> Bags {
        Bags {
            bags: vec![Bag::default()],
            totals: vec![0],
            ids: FxHashMap::from_iter([(Bag::default(), EMPTY)]),
            plus: FxHashMap::default(),
            pairs: 0,
            tidy: 0,
        }
    }

    /// The classes in a bag and how many of each, sorted by class.
    pub(crate) fn pairs(&self, bag: BagId) -> &[(u32, u32)] {
        &self.bags[bag as usize]
    }

    /// How many of a class a bag has.
    pub(crate) fn count(&self, bag: BagId, class: u32) -> u32 {
        let pairs = self.pairs(bag);
        if pairs.len() > FEW {
            return pairs.binary_search_by_key(&class, |pair| pair.0).map_or(0, |found| pairs[found].1);
        }
        // A class cannot stand later than at its own number, and where most classes are used it stands close to that.
        let upto = pairs.len().min(class as usize + 1);
        let found = pairs[..upto].iter().rev().find(|pair| pair.0 <= class);
        found.filter(|pair| pair.0 == class).map_or(0, |pair| pair.1)
    }

    /// How many a bag has in all.
    pub(crate) fn total(&self, bag: BagId) -> u32 {
        self.totals[bag as usize]
    }

    /// The bag with one more of a class.
    pub(crate) fn plus(&mut self, bag: BagId, class: u32) -> BagId {
        let key = u64::from(bag) << 32 | u64::from(class);
        if let Some(&sum) = self.plus.get(&key) {
            return sum;
        }
        let mut pairs = self.pairs(bag).to_vec();
        match pairs.binary_search_by_key(&class, |pair| pair.0) {
            Ok(found) => pairs[found].1 += 1,
            Err(place) => pairs.insert(place, (class, 1)),
        }
        let sum = self.intern(pairs);
        self.plus.insert(key, sum);
        sum
    }

    /// The bag of these pairs, which are sorted by class.
    pub(crate) fn intern(&mut self, pairs: Vec<(u32, u32)>) -> BagId {
        let pairs: Bag = pairs.into();
        if let Some(&id) = self.ids.get(&pairs) {
            return id;
        }
        let id = self.bags.len() as BagId;
        self.pairs += pairs.len();
        self.totals.push(pairs.iter().map(|pair| pair.1).sum());
        self.bags.push(pairs.clone());
        self.ids.insert(pairs, id);
        id
    }

    /// Whether one bag has no more of any class than another.
    pub(crate) fn within(&self, less: BagId, more: BagId) -> bool {
        if less == EMPTY || less == more {
            return true;
        }
        let mut more = self.pairs(more).iter();
        self.pairs(less)
            .iter()
            .all(|&(class, count)| more.find(|pair| pair.0 >= class).is_some_and(|pair| pair.0 == class && count <= pair.1))
    }

    /// Whether it is time to [`tidy`](Bags::tidy).
    pub(crate) fn is_crowded(&self) -> bool {
        self.bags.len() > 2 * self.tidy + CROWD
    }

    /// Drops all but these, which are renumbered, and the empty one.
    pub(crate) fn tidy<'t>(&mut self, wanted: impl Iterator<Item = &'t mut BagId>) {
        let mut kept = Bags::new();
        for bag in wanted {
            *bag = kept.intern(self.pairs(*bag).to_vec());
        }
        kept.tidy = kept.bags.len();
        *self = kept;
    }

    /// Roughly the bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.bags.len() * 72 + self.pairs * 16 + self.plus.len() * 24
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_compares() {
        let mut bags = Bags::new();
        let a = bags.plus(EMPTY, 3);
        let ab = bags.plus(a, 1);
        let aab = bags.plus(ab, 3);
        assert_eq!(bags.pairs(aab), [(1, 1), (3, 2)]);
        assert!(bags.within(a, aab) && bags.within(ab, aab) && !bags.within(aab, ab));
        assert!(!bags.within(ab, a));
        assert_eq!(bags.total(aab), 3);
    }
}
