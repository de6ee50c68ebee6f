//! What was written: each value under each key once, with who wrote it.

use super::atoms::{Atom, Numbering};

/// No transaction, no element.
pub(crate) const NONE: u32 = u32::MAX;

/// A value under a key, by number: what an append or a write adds. Named by [`Elements`].
pub(crate) type Element = u32;

/// Columns over all elements, and for each key the way from values to elements.
#[derive(Debug, Default)]
pub(crate) struct Elements {
    by_key: Vec<Numbering>,
    /// The value.
    atom: Vec<Atom>,
    /// The transaction that wrote it, or [`NONE`].
    writer: Vec<u32>,
    marks: Vec<u8>,
}

/// Its writer wrote the same key again afterwards.
const INTERMEDIATE: u8 = 1;
/// A transaction that is known to have happened was told of it.
const OBSERVED: u8 = 2;
/// More than one write made it: nothing can be said about who was read.
const REPEATED: u8 = 4;

impl Elements {
    /// The element of a value under a key, which is made if it is new.
    pub(crate) fn of(&mut self, key: u32, atom: Atom) -> Element {
        let key = key as usize;
        if key >= self.by_key.len() {
            self.by_key.resize_with(key + 1, Numbering::default);
        }
        if let Some(element) = self.by_key[key].get(atom) {
            return element;
        }
        let element = self.fresh(atom);
        self.by_key[key].insert(atom, element);
        element
    }

    /// A new element of a value, which no other write shares and no value finds.
    pub(crate) fn fresh(&mut self, atom: Atom) -> Element {
        self.atom.push(atom);
        self.writer.push(NONE);
        self.marks.push(0);
        self.atom.len() as Element - 1
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.atom.len()
    }

    /// Its value.
    pub(crate) fn atom(&self, element: Element) -> Atom {
        self.atom[element as usize]
    }

    /// Who wrote it, or [`NONE`] where nobody did.
    pub(crate) fn writer(&self, element: Element) -> u32 {
        self.writer[element as usize]
    }

    pub(crate) fn set_writer(&mut self, element: Element, transaction: u32) {
        self.writer[element as usize] = transaction;
    }

    fn mark(&mut self, element: Element, mark: u8) {
        self.marks[element as usize] |= mark;
    }

    fn has(&self, element: Element, mark: u8) -> bool {
        self.marks[element as usize] & mark != 0
    }

    pub(crate) fn set_intermediate(&mut self, element: Element) {
        self.mark(element, INTERMEDIATE);
    }

    /// Whether its writer wrote the same key again afterwards.
    pub(crate) fn is_intermediate(&self, element: Element) -> bool {
        self.has(element, INTERMEDIATE)
    }

    pub(crate) fn set_observed(&mut self, element: Element) {
        self.mark(element, OBSERVED);
    }

    /// Whether a transaction that is known to have happened was told of it.
    pub(crate) fn is_observed(&self, element: Element) -> bool {
        self.has(element, OBSERVED)
    }

    pub(crate) fn set_repeated(&mut self, element: Element) {
        self.mark(element, REPEATED);
    }

    /// Whether more than one write made it.
    pub(crate) fn is_repeated(&self, element: Element) -> bool {
        self.has(element, REPEATED)
    }

    /// What it occupies on the heap, about.
    pub(crate) fn bytes(&self) -> usize {
        let tables: usize = self.by_key.iter().map(Numbering::bytes).sum();
        tables
            + self.by_key.capacity() * size_of::<Numbering>()
            + self.atom.capacity() * 8
            + self.writer.capacity() * 4
            + self.marks.capacity()
    }
}
