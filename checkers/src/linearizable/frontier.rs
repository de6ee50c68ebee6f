//! Sets of configurations from which those that others make superfluous are left out.

use rustc_hash::FxHashMap;

use super::bags::{BagId, Bags};
use super::bits::Bits;
use super::steps::StateId;

/// One way the object may have come so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Configuration<B> {
    /// The state it left.
    pub(crate) state: StateId,
    /// The crashed operations it used.
    pub(crate) used: BagId,
    /// The open operations that have taken effect.
    pub(crate) done: B,
}

#[derive(Clone, Copy)]
struct Entry<B> {
    observed: B,
    used: BagId,
    next: u32,
}

const END: u32 = u32::MAX;

/// Configurations, none of which dominates another.
///
/// One dominates another when it has the same state and the same effects done, has satisfied every observation that the other has, and has
/// used no crashed operation more often: whatever can still follow the other can follow it.
pub(crate) struct Frontier<B> {
    /// Per state and effects done: where its chain of entries begins.
    chains: FxHashMap<(StateId, B), u32>,
    entries: Vec<Entry<B>>,
    len: usize,
}

impl<B: Bits> Frontier<B> {
    pub(crate) fn new() -> Frontier<B> {
        Frontier { chains: FxHashMap::default(), entries: Vec::new(), len: 0 }
    }

    /// Empties it. Keeps its memory, unless that is far more than was needed.
    pub(crate) fn clear(&mut self) {
        if self.chains.capacity() > 64 && self.chains.capacity() > 16 * self.chains.len() {
            self.chains = FxHashMap::default();
        } else {
            self.chains.clear();
        }
        self.entries.clear();
        self.len = 0;
    }

    /// How many configurations it holds.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds a configuration and drops those it dominates; false if one already here dominates it.
    pub(crate) fn add(&mut self, new: Configuration<B>, observing: B, bags: &Bags) -> bool {
        let observed = new.done.and(observing);
        let chain = self.chains.entry((new.state, new.done.without(observing))).or_insert(END);
        let mut at = *chain;
        while at != END {
            let entry = self.entries[at as usize];
            if observed.within(entry.observed) && bags.within(entry.used, new.used) {
                return false;
            }
            at = entry.next;
        }
        let (mut before, mut at) = (END, *chain);
        while at != END {
            let entry = self.entries[at as usize];
            if entry.observed.within(observed) && bags.within(new.used, entry.used) {
                match before {
                    END => *chain = entry.next,
                    _ => self.entries[before as usize].next = entry.next,
                }
                self.len -= 1;
            } else {
                before = at;
            }
            at = entry.next;
        }
        let place = self.entries.len() as u32;
        self.entries.push(Entry { observed, used: new.used, next: *chain });
        *chain = place;
        self.len += 1;
        true
    }

    /// Whether this very configuration is still here.
    pub(crate) fn holds(&self, which: Configuration<B>, observing: B) -> bool {
        let observed = which.done.and(observing);
        let mut at = self.chains.get(&(which.state, which.done.without(observing))).copied().unwrap_or(END);
        while at != END {
            let entry = self.entries[at as usize];
            if entry.observed == observed && entry.used == which.used {
                return true;
            }
            at = entry.next;
        }
        false
    }

    /// Copies the configurations out, in an order that depends on nothing but them.
    pub(crate) fn collect_into(&self, out: &mut Vec<Configuration<B>>) {
        out.clear();
        for (&(state, effects), &first) in &self.chains {
            let mut at = first;
            while at != END {
                let entry = self.entries[at as usize];
                out.push(Configuration { state, used: entry.used, done: effects.or(entry.observed) });
                at = entry.next;
            }
        }
        out.sort_unstable_by_key(|configuration| (configuration.state, configuration.done, configuration.used));
    }

    /// Roughly the bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.chains.capacity() * (size_of::<(StateId, B)>() + 8) + self.entries.capacity() * size_of::<Entry<B>>()
    }
}
