//! Lists that reads returned, with common prefixes stored once.
//!
//! In a correct system the reads of a key are prefixes of one another. The *chain* of a key is the longest read that extends the first
//! read; a read on the chain is stored as its length. Any other read is *divergent* and stored whole. The *agreed prefix* is the part of
//! the chain that no divergent read contradicts.

use elenchus_core::Value;

use super::atoms::{Atom, Atoms};
use super::elements::{Element, Elements};

/// The chain of one key.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    pub(crate) elements: Vec<Element>,
    atoms: Vec<Atom>,
    /// The length up to which no read contradicts it; `u32::MAX` for the whole chain.
    agreed: u32,
    /// The length up to which no element occurs twice; `u32::MAX` for the whole chain.
    unique: u32,
}

impl Chain {
    fn new() -> Chain {
        Chain { agreed: u32::MAX, unique: u32::MAX, ..Chain::default() }
    }

    fn agreed(&self) -> &[Element] {
        &self.elements[..self.elements.len().min(self.agreed.min(self.unique) as usize)]
    }
}

/// A reference to a list that a read returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListRef {
    /// The prefix of the chain of this length.
    Chain(u32),
    /// A divergent read, by number.
    Divergent(u32),
}

/// All lists that were read.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    chains: Vec<Chain>,
    divergent_elements: Vec<Element>,
    divergent_ends: Vec<u32>,
    /// The position of each element on its key's chain, from 1; 0 for elements that are not on it.
    places: Vec<u32>,
}

impl Lists {
    /// Stores the list that a read returned. O(length); elements on the chain need no hashing.
    pub(crate) fn observe(&mut self, key: u32, list: &[Value], atoms: &mut Atoms, elements: &mut Elements) -> ListRef {
        let at = key as usize;
        if at >= self.chains.len() {
            self.chains.resize_with(at + 1, Chain::new);
        }
        let chain = &mut self.chains[at];
        let mut agreed = 0;
        for (value, atom) in list.iter().zip(&chain.atoms) {
            let same = match value {
                Value::Int(number) => Atom::of_int(*number) == Some(*atom),
                other => atoms.of(other) == *atom,
            };
            if !same {
                break;
            }
            agreed += 1;
        }
        if agreed < list.len() && agreed < chain.elements.len() {
            chain.agreed = chain.agreed.min(agreed as u32);
            for value in list {
                let element = elements.of(key, atoms.of(value));
                elements.set_observed(element);
                self.divergent_elements.push(element);
            }
            self.divergent_ends.push(self.divergent_elements.len() as u32);
            return ListRef::Divergent(self.divergent_ends.len() as u32 - 1);
        }
        for value in &list[agreed..] {
            let atom = atoms.of(value);
            let element = elements.of(key, atom);
            elements.set_observed(element);
            if self.places.len() <= element as usize {
                self.places.resize(elements.len(), 0);
            }
            match self.places[element as usize] {
                0 => self.places[element as usize] = chain.elements.len() as u32 + 1,
                _ => chain.unique = chain.unique.min(chain.elements.len() as u32),
            }
            chain.elements.push(element);
            chain.atoms.push(atom);
        }
        ListRef::Chain(list.len() as u32)
    }

    /// Stores the set that a read returned, whose elements come in any order. The chain consists of the elements in the order in which
    /// they were first read, as long as each larger set contains the one before; a set that is not a prefix of the chain is divergent.
    /// O(size).
    pub(crate) fn observe_set(&mut self, key: u32, set: &[Value], atoms: &mut Atoms, elements: &mut Elements) -> ListRef {
        let mut observed: Vec<Element> = set.iter().map(|value| elements.of(key, atoms.of(value))).collect();
        observed.iter().for_each(|&element| elements.set_observed(element));
        if !observed.is_sorted_by(|one, next| one < next) {
            observed.sort_unstable();
            observed.dedup();
        }
        if key as usize >= self.chains.len() {
            self.chains.resize_with(key as usize + 1, Chain::new);
        }
        if self.places.len() < elements.len() {
            self.places.resize(elements.len(), 0);
        }
        let chain = &mut self.chains[key as usize];
        let is_known = |element: &&Element| self.places[**element as usize] != 0;
        let known = observed.iter().filter(is_known).count();
        if known == observed.len() && observed.iter().all(|&element| self.places[element as usize] as usize <= observed.len()) {
            return ListRef::Chain(observed.len() as u32);
        }
        if known == chain.elements.len() {
            for element in observed.iter().copied().filter(|&element| self.places[element as usize] == 0).collect::<Vec<_>>() {
                chain.elements.push(element);
                chain.atoms.push(elements.atom(element));
                self.places[element as usize] = chain.elements.len() as u32;
            }
            return ListRef::Chain(observed.len() as u32);
        }
        self.divergent_elements.append(&mut observed);
        self.divergent_ends.push(self.divergent_elements.len() as u32);
        ListRef::Divergent(self.divergent_ends.len() as u32 - 1)
    }

    /// The whole chain of a key.
    pub(crate) fn chain(&self, key: u32) -> &[Element] {
        self.chains.get(key as usize).map_or(&[], |chain| &chain.elements)
    }

    /// The agreed prefix of a key, up to the first element that occurs twice.
    pub(crate) fn agreed(&self, key: u32) -> &[Element] {
        self.chains.get(key as usize).map_or(&[], Chain::agreed)
    }

    /// The position of an element on its key's chain, from 0.
    pub(crate) fn place(&self, element: Element) -> Option<usize> {
        self.places.get(element as usize).copied().unwrap_or(0).checked_sub(1).map(|place| place as usize)
    }

    /// The position of an element in its key's agreed prefix, from 0.
    pub(crate) fn place_in_agreed(&self, key: u32, element: Element) -> Option<usize> {
        self.place(element).filter(|&place| place < self.agreed(key).len())
    }

    /// Returns whether a list that was read contains an element.
    pub(crate) fn holds(&self, key: u32, observed: ListRef, element: Element) -> bool {
        match observed {
            ListRef::Chain(length) => self.place(element).is_some_and(|place| place < length as usize),
            ListRef::Divergent(_) => self.list(key, observed).contains(&element),
        }
    }

    /// The elements that a list contains more than once. O(1) for a prefix of the chain without duplicates, otherwise O(n log n).
    pub(crate) fn repeated(&self, key: u32, observed: ListRef) -> Vec<Element> {
        if let ListRef::Chain(length) = observed
            && self.chains.get(key as usize).is_none_or(|chain| chain.unique >= length)
        {
            return Vec::new();
        }
        let mut list = self.list(key, observed).to_vec();
        list.sort_unstable();
        let mut repeated: Vec<Element> = list.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        repeated.dedup();
        repeated
    }

    /// The elements of a list that was read.
    pub(crate) fn list(&self, key: u32, observed: ListRef) -> &[Element] {
        match observed {
            ListRef::Chain(length) => self.chain(key).get(..length as usize).unwrap_or(&[]),
            ListRef::Divergent(divergent) => {
                let end = |at: Option<u32>| at.and_then(|at| self.divergent_ends.get(at as usize)).map_or(0, |&end| end as usize);
                self.divergent_elements.get(end(divergent.checked_sub(1))..end(Some(divergent))).unwrap_or(&[])
            }
        }
    }

    /// Approximate heap size in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let chains: usize = self.chains.iter().map(|chain| chain.elements.capacity() * 4 + chain.atoms.capacity() * 8).sum();
        chains
            + self.chains.capacity() * size_of::<Chain>()
            + (self.divergent_elements.capacity() + self.divergent_ends.capacity() + self.places.capacity()) * 4
    }
}
