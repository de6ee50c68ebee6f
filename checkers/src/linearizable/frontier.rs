//! Sets of configurations without dominated ones.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// Up to this number of configurations, a linear search is used; beyond it, a hash table.
const LINEAR_SEARCH_MAX: usize = 12;

struct Link<E> {
    entry: E,
    next: u32,
}

const END: u32 = u32::MAX;

/// Configurations, none of which dominates another. A continuation of a dominated configuration is also one of its dominator.
///
/// A configuration is a key, which must be equal for one to dominate another, and an entry, which is compared.
pub(crate) struct Frontier<K, E> {
    /// All configurations while they are few; then empty.
    few: Vec<(K, E)>,
    /// By key, once there are more: the start of its chain of entries.
    chains: FxHashMap<K, u32>,
    links: Vec<Link<E>>,
    len: usize,
}

impl<K: Copy + Ord + Hash, E: Copy + Ord> Frontier<K, E> {
    pub(crate) fn new() -> Frontier<K, E> {
        Frontier { few: Vec::with_capacity(LINEAR_SEARCH_MAX + 1), chains: FxHashMap::default(), links: Vec::new(), len: 0 }
    }

    /// Removes all configurations. Keeps the memory, unless that is much more than was needed.
    pub(crate) fn clear(&mut self) {
        if self.chains.capacity() > 64 && self.chains.capacity() > 16 * self.chains.len() {
            self.chains = FxHashMap::default();
        } else {
            self.chains.clear();
        }
        self.few.clear();
        self.links.clear();
        self.len = 0;
    }

    /// The number of configurations.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds a configuration that is not dominated here, and removes those that it dominates. An entry must dominate itself.
    pub(crate) fn insert(&mut self, key: K, new: E, dominates: impl Fn(&E, &E) -> bool) {
        if !self.chains.is_empty() {
            return self.insert_chained(key, new, dominates);
        }
        self.few.retain(|(other, entry)| *other != key || !dominates(&new, entry));
        self.few.push((key, new));
        self.len = self.few.len();
        if self.len > LINEAR_SEARCH_MAX {
            self.len = 0;
            for at in 0..self.few.len() {
                let (key, entry) = self.few[at];
                self.insert_chained(key, entry, |_, _| false);
            }
            self.few.clear();
        }
    }

    fn insert_chained(&mut self, key: K, new: E, dominates: impl Fn(&E, &E) -> bool) {
        let chain = self.chains.entry(key).or_insert(END);
        let (mut before, mut at) = (END, *chain);
        while at != END {
            let next = self.links[at as usize].next;
            if dominates(&new, &self.links[at as usize].entry) {
                match before {
                    END => *chain = next,
                    _ => self.links[before as usize].next = next,
                }
                self.len -= 1;
            } else {
                before = at;
            }
            at = next;
        }
        let place = self.links.len() as u32;
        self.links.push(Link { entry: new, next: *chain });
        *chain = place;
        self.len += 1;
    }

    /// Whether a configuration here dominates this one.
    pub(crate) fn dominated(&self, key: K, entry: &E, dominates: impl Fn(&E, &E) -> bool) -> bool {
        self.has(key, |other| dominates(other, entry))
    }

    /// Whether exactly this configuration is here.
    pub(crate) fn holds(&self, key: K, entry: &E) -> bool {
        self.has(key, |other| other == entry)
    }

    fn has(&self, key: K, wanted: impl Fn(&E) -> bool) -> bool {
        self.few.iter().any(|(other, entry)| *other == key && wanted(entry)) || self.chained(key).any(wanted)
    }

    /// Copies the configurations to `out`, in an order that depends only on them.
    pub(crate) fn collect_into(&self, out: &mut Vec<(K, E)>) {
        out.clear();
        out.extend_from_slice(&self.few);
        for &key in self.chains.keys() {
            out.extend(self.chained(key).map(|&entry| (key, entry)));
        }
        out.sort_unstable();
    }

    /// The approximate number of bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.chains.capacity() * (size_of::<K>() + 8) + self.links.capacity() * size_of::<Link<E>>()
    }

    fn chained(&self, key: K) -> impl Iterator<Item = &E> {
        let mut at = if self.chains.is_empty() { END } else { self.chains.get(&key).copied().unwrap_or(END) };
        std::iter::from_fn(move || {
            let link = self.links.get(at as usize)?;
            at = link.next;
            Some(&link.entry)
        })
    }
}
