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
pub(crate) struct Spine {
    pub(crate) elements: Vec<Element>,
    atoms: Vec<Atom>,
    /// The length up to which no read contradicts it; `u32::MAX` for the whole chain.
    agreed: u32,
    /// The length up to which no element occurs twice; `u32::MAX` for the whole chain.
    unique: u32,
}

impl Spine {
    fn new() -> Spine {
        Spine { agreed: u32::MAX, unique: u32::MAX, ..Spine::default() }
    }

    fn trunk(&self) -> &[Element] {
        &self.elements[..self.elements.len().min(self.agreed.min(self.unique) as usize)]
    }
}

/// A reference to a list that a read returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The prefix of the chain of this length.
    Spine(u32),
    /// A divergent read, by number.
    Branch(u32),
}

/// All lists that were read.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    spines: Vec<Spine>,
    branch_elements: Vec<Element>,
    branch_ends: Vec<u32>,
    /// The position of each element on its key's chain, from 1; 0 for elements that are not on it.
    places: Vec<u32>,
}

impl Lists {
    /// Stores the list that a read returned. O(length); elements on the chain need no hashing.
    pub(crate) fn observe(&mut self, key: u32, list: &[Value], atoms: &mut Atoms, elements: &mut Elements) -> Told {
        let at = key as usize;
        if at >= self.spines.len() {
            self.spines.resize_with(at + 1, Spine::new);
        }
        let spine = &mut self.spines[at];
        let mut agreed = 0;
        for (value, atom) in list.iter().zip(&spine.atoms) {
            let same = match value {
                Value::Int(number) => Atom::of_int(*number) == Some(*atom),
                other => atoms.of(other) == *atom,
            };
            if !same {
                break;
            }
            agreed += 1;
        }
        if agreed < list.len() && agreed < spine.elements.len() {
            spine.agreed = spine.agreed.min(agreed as u32);
            for value in list {
                let element = elements.of(key, atoms.of(value));
                elements.set_observed(element);
                self.branch_elements.push(element);
            }
            self.branch_ends.push(self.branch_elements.len() as u32);
            return Told::Branch(self.branch_ends.len() as u32 - 1);
        }
        for value in &list[agreed..] {
            let atom = atoms.of(value);
            let element = elements.of(key, atom);
            elements.set_observed(element);
            if self.places.len() <= element as usize {
                self.places.resize(elements.len(), 0);
            }
            match self.places[element as usize] {
                0 => self.places[element as usize] = spine.elements.len() as u32 + 1,
                _ => spine.unique = spine.unique.min(spine.elements.len() as u32),
            }
            spine.elements.push(element);
            spine.atoms.push(atom);
        }
        Told::Spine(list.len() as u32)
    }

    /// Stores the set that a read returned, whose elements come in any order. The chain consists of the elements in the order in which
    /// they were first read, as long as each larger set contains the one before; a set that is not a prefix of the chain is divergent.
    /// O(size).
    pub(crate) fn observe_set(&mut self, key: u32, set: &[Value], atoms: &mut Atoms, elements: &mut Elements) -> Told {
        let mut told: Vec<Element> = set.iter().map(|value| elements.of(key, atoms.of(value))).collect();
        told.iter().for_each(|&element| elements.set_observed(element));
        if !told.is_sorted_by(|one, next| one < next) {
            told.sort_unstable();
            told.dedup();
        }
        if key as usize >= self.spines.len() {
            self.spines.resize_with(key as usize + 1, Spine::new);
        }
        if self.places.len() < elements.len() {
            self.places.resize(elements.len(), 0);
        }
        let spine = &mut self.spines[key as usize];
        let is_known = |element: &&Element| self.places[**element as usize] != 0;
        let known = told.iter().filter(is_known).count();
        if known == told.len() && told.iter().all(|&element| self.places[element as usize] as usize <= told.len()) {
            return Told::Spine(told.len() as u32);
        }
        if known == spine.elements.len() {
            for element in told.iter().copied().filter(|&element| self.places[element as usize] == 0).collect::<Vec<_>>() {
                spine.elements.push(element);
                spine.atoms.push(elements.atom(element));
                self.places[element as usize] = spine.elements.len() as u32;
            }
            return Told::Spine(told.len() as u32);
        }
        self.branch_elements.append(&mut told);
        self.branch_ends.push(self.branch_elements.len() as u32);
        Told::Branch(self.branch_ends.len() as u32 - 1)
    }

    /// The whole chain of a key.
    pub(crate) fn spine(&self, key: u32) -> &[Element] {
        self.spines.get(key as usize).map_or(&[], |spine| &spine.elements)
    }

    /// The agreed prefix of a key, up to the first element that occurs twice.
    pub(crate) fn trunk(&self, key: u32) -> &[Element] {
        self.spines.get(key as usize).map_or(&[], Spine::trunk)
    }

    /// The position of an element on its key's chain, from 0.
    pub(crate) fn place(&self, element: Element) -> Option<usize> {
        self.places.get(element as usize).copied().unwrap_or(0).checked_sub(1).map(|place| place as usize)
    }

    /// The position of an element in its key's agreed prefix, from 0.
    pub(crate) fn place_in_trunk(&self, key: u32, element: Element) -> Option<usize> {
        self.place(element).filter(|&place| place < self.trunk(key).len())
    }

    /// Returns whether a list that was read contains an element.
    pub(crate) fn holds(&self, key: u32, told: Told, element: Element) -> bool {
        match told {
            Told::Spine(length) => self.place(element).is_some_and(|place| place < length as usize),
            Told::Branch(_) => self.list(key, told).contains(&element),
        }
    }

    /// The elements that a list contains more than once. O(1) for a prefix of the chain without duplicates, otherwise O(n log n).
    pub(crate) fn repeated(&self, key: u32, told: Told) -> Vec<Element> {
        if let Told::Spine(length) = told
            && self.spines.get(key as usize).is_none_or(|spine| spine.unique >= length)
        {
            return Vec::new();
        }
        let mut list = self.list(key, told).to_vec();
        list.sort_unstable();
        let mut repeated: Vec<Element> = list.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        repeated.dedup();
        repeated
    }

    /// The elements of a list that was read.
    pub(crate) fn list(&self, key: u32, told: Told) -> &[Element] {
        match told {
            Told::Spine(length) => self.spine(key).get(..length as usize).unwrap_or(&[]),
            Told::Branch(branch) => {
                let end = |at: Option<u32>| at.and_then(|at| self.branch_ends.get(at as usize)).map_or(0, |&end| end as usize);
                self.branch_elements.get(end(branch.checked_sub(1))..end(Some(branch))).unwrap_or(&[])
            }
        }
    }

    /// Approximate heap size in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let spines: usize = self.spines.iter().map(|spine| spine.elements.capacity() * 4 + spine.atoms.capacity() * 8).sum();
        spines
            + self.spines.capacity() * size_of::<Spine>()
            + (self.branch_elements.capacity() + self.branch_ends.capacity() + self.places.capacity()) * 4
    }
}
