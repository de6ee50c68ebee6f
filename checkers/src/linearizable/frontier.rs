//! Sets of configurations from which those that others make superfluous are left out.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// Up to so many configurations are compared one by one; more are found by their key.
const FEW: usize = 12;

struct Link<E> {
    entry: E,
    next: u32,
}

const END: u32 = u32::MAX;

/// Configurations, none of which dominates another: whatever can still follow a dominated one can follow the one that dominates it.
///
/// A configuration is a key, which must be equal for one to dominate another, and an entry, which is compared.
pub(crate) struct Frontier<K, E> {
    /// All of them while they are few; then none.
    few: Vec<(K, E)>,
    /// Per key, once there are more: where its chain of entries begins.
    chains: FxHashMap<K, u32>,
    links: Vec<Link<E>>,
    len: usize,
}

impl<K: Copy + Ord + Hash, E: Copy + Ord> Frontier<K, E> {
    pub(crate) fn new() -> Frontier<K, E> {
        Frontier { few: Vec::with_capacity(FEW + 1), chains: FxHashMap::default(), links: Vec::new(), len: 0 }
    }

    /// Empties it. Keeps its memory, unless that is far more than was needed.
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

    /// How many configurations it holds.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds a configuration that none here dominates, and drops those it dominates. An entry must dominate itself.
    pub(crate) fn insert(&mut self, key: K, new: E, dominates: impl Fn(&E, &E) -> bool) {
        if !self.chains.is_empty() {
            return self.insert_chained(key, new, dominates);
        }
        self.few.retain(|(other, entry)| *other != key || !dominates(&new, entry));
        self.few.push((key, new));
        self.len = self.few.len();
        if self.len > FEW {
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

    /// Whether this very configuration is still here.
    pub(crate) fn holds(&self, key: K, entry: &E) -> bool {
        self.has(key, |other| other == entry)
    }

    fn has(&self, key: K, wanted: impl Fn(&E) -> bool) -> bool {
        self.few.iter().any(|(other, entry)| *other == key && wanted(entry)) || self.chained(key).any(wanted)
    }

    /// Copies the configurations out, in an order that depends on nothing but them.
    pub(crate) fn collect_into(&self, out: &mut Vec<(K, E)>) {
        out.clear();
        out.extend_from_slice(&self.few);
        for &key in self.chains.keys() {
            out.extend(self.chained(key).map(|&entry| (key, entry)));
        }
        out.sort_unstable();
    }

    /// Roughly the bytes held.
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
