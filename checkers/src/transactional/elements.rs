//! The elements that transactions wrote: each value of each key once, with its writer.

use super::atoms::{Atom, Numbering};

/// No transaction, or no element.
pub(crate) const NONE: u32 = u32::MAX;

/// The number of a value under a key: what an append or a write adds. See [`Elements`].
pub(crate) type Element = u32;

/// All elements in columns, and for each key a map from values to elements.
#[derive(Debug, Default)]
pub(crate) struct Elements {
    by_key: Vec<Numbering>,
    /// The value.
    atom: Vec<Atom>,
    /// The transaction that wrote it, or [`NONE`].
    writer: Vec<u32>,
    marks: Vec<u8>,
}

/// Its writer wrote the same key again later.
const INTERMEDIATE: u8 = 1;
/// A transaction that is known to have happened read it.
const OBSERVED: u8 = 2;
/// More than one write produced it, so its writer is ambiguous.
const REPEATED: u8 = 4;

impl Elements {
    /// Returns the element of a value under a key; creates it if it is new.
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

    /// Creates an element that no other write shares and no lookup by value returns.
    pub(crate) fn fresh(&mut self, atom: Atom) -> Element {
        self.atom.push(atom);
        self.writer.push(NONE);
        self.marks.push(0);
        self.atom.len() as Element - 1
    }

    /// The number of elements.
    pub(crate) fn len(&self) -> usize {
        self.atom.len()
    }

    /// The value of an element.
    pub(crate) fn atom(&self, element: Element) -> Atom {
        self.atom[element as usize]
    }

    /// The writer of an element, or [`NONE`] if it was never written.
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

    /// Returns whether the writer of an element wrote the same key again later.
    pub(crate) fn is_intermediate(&self, element: Element) -> bool {
        self.has(element, INTERMEDIATE)
    }

    pub(crate) fn set_observed(&mut self, element: Element) {
        self.mark(element, OBSERVED);
    }

    /// Returns whether a transaction that is known to have happened read an element.
    pub(crate) fn is_observed(&self, element: Element) -> bool {
        self.has(element, OBSERVED)
    }

    pub(crate) fn set_repeated(&mut self, element: Element) {
        self.mark(element, REPEATED);
    }

    /// Returns whether more than one write produced an element.
    pub(crate) fn is_repeated(&self, element: Element) -> bool {
        self.has(element, REPEATED)
    }

    /// Approximate heap size in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let tables: usize = self.by_key.iter().map(Numbering::bytes).sum();
        tables
            + self.by_key.capacity() * size_of::<Numbering>()
            + self.atom.capacity() * 8
            + self.writer.capacity() * 4
            + self.marks.capacity()
    }
}
