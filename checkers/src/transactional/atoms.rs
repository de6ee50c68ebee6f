//! Values and keys in eight bytes, and numbers for them.

use elenchus_core::Value;
use rustc_hash::FxHashMap;

/// A value: a whole number in itself, anything else by its place in [`Atoms`]. Equal atoms of one [`Atoms`] are equal values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Atom(u64);

impl Atom {
    /// The atom of a whole number, unless it needs all 64 bits.
    pub(crate) fn of_int(number: i64) -> Option<Atom> {
        (number << 1 >> 1 == number).then_some(Atom((number as u64) << 1))
    }

    /// The number it is, if it is a small natural one: such numbers index tables.
    fn small(self) -> Option<usize> {
        (self.0 & 1 == 0 && self.0 >> 33 == 0).then_some((self.0 >> 1) as usize)
    }
}

/// The values that are no small whole numbers, each kept once.
#[derive(Debug, Default)]
pub(crate) struct Atoms {
    values: Vec<Value>,
    places: FxHashMap<Value, u32>,
}

impl Atoms {
    /// The atom of a value.
    pub(crate) fn of(&mut self, value: &Value) -> Atom {
        if let Some(atom) = value.as_int().and_then(Atom::of_int) {
            return atom;
        }
        let place = self.places.get(value).copied().unwrap_or_else(|| {
            let place = self.values.len() as u32;
            self.values.push(value.clone());
            self.places.insert(value.clone(), place);
            place
        });
        Atom(u64::from(place) << 1 | 1)
    }

    /// What they occupy on the heap beside the values themselves, about.
    pub(crate) fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<Value>() + self.places.capacity() * 32
    }

    /// The value of an atom made here.
    pub(crate) fn value(&self, atom: Atom) -> Value {
        if atom.0 & 1 == 0 {
            return Value::Int(atom.0 as i64 >> 1);
        }
        self.values.get((atom.0 >> 1) as usize).cloned().unwrap_or_default()
    }
}

const NONE: u32 = u32::MAX;

/// Numbers by atom: a table for small natural numbers as long as they are dense, a hash map for all others.
#[derive(Debug, Default)]
pub(crate) struct Numbering {
    dense: Vec<u32>,
    sparse: FxHashMap<Atom, u32>,
    len: usize,
}

impl Numbering {
    /// The number of an atom, if it has one. O(1).
    pub(crate) fn get(&self, atom: Atom) -> Option<u32> {
        let dense = atom.small().and_then(|at| self.dense.get(at)).copied().filter(|&number| number != NONE);
        if dense.is_some() || self.sparse.is_empty() { dense } else { self.sparse.get(&atom).copied() }
    }

    /// Gives an atom a number, which must not be `u32::MAX`. O(1), amortized.
    pub(crate) fn insert(&mut self, atom: Atom, number: u32) {
        self.len += 1;
        match atom.small().filter(|&at| at < self.len * 4 + 32) {
            Some(at) => {
                if at >= self.dense.len() {
                    self.dense.resize(at + 1, NONE);
                }
                self.dense[at] = number;
            }
            None => {
                self.sparse.insert(atom, number);
            }
        }
    }

    /// What it occupies on the heap, about.
    pub(crate) fn bytes(&self) -> usize {
        self.dense.capacity() * 4 + self.sparse.capacity() * 20
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn atoms_keep_their_values() {
        let mut atoms = Atoms::default();
        let values = [0.into(), (-1_i64).into(), i64::MAX.into(), i64::MIN.into(), Value::Nil, "a".into(), Value::pair(1_i64, "a")];
        let made: Vec<Atom> = values.iter().map(|value| atoms.of(value)).collect();
        for (value, atom) in values.iter().zip(&made) {
            assert_eq!(atoms.of(value), *atom);
            assert_eq!(atoms.value(*atom), *value);
        }
        assert!((1..made.len()).all(|at| !made[..at].contains(&made[at])));
    }

    #[test]
    fn numbers_are_found_wherever_they_are_kept() {
        let mut atoms = Atoms::default();
        let mut numbering = Numbering::default();
        let values: Vec<Value> = (0..200_i64).rev().map(Value::Int).chain([Value::Nil, (1_i64 << 40).into(), (-3_i64).into()]).collect();
        for (number, value) in values.iter().enumerate() {
            numbering.insert(atoms.of(value), number as u32);
        }
        for (number, value) in values.iter().enumerate() {
            assert_eq!(numbering.get(atoms.of(value)), Some(number as u32), "{value}");
        }
        assert_eq!(numbering.get(atoms.of(&Value::Int(777))), None);
    }
}
