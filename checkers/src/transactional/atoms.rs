//! Interned values and keys of eight bytes, and dense numberings of them.

use elenchus_core::Value;
use rustc_hash::FxHashMap;

/// An interned value: an integer is stored inline, any other value as an index into [`Atoms`]. Within one [`Atoms`], equal atoms are
/// equal values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Atom(u64);

impl Atom {
    /// Returns the atom of an integer; `None` if it needs all 64 bits.
    pub(crate) fn of_int(number: i64) -> Option<Atom> {
        (number << 1 >> 1 == number).then_some(Atom((number as u64) << 1))
    }

    /// Returns the integer if it is small and not negative, so that it can index a table.
    fn small(self) -> Option<usize> {
        (self.0 & 1 == 0 && self.0 >> 33 == 0).then_some((self.0 >> 1) as usize)
    }
}

/// The interned values that are not stored inline.
#[derive(Debug, Default)]
pub(crate) struct Atoms {
    values: Vec<Value>,
    places: FxHashMap<Value, u32>,
}

impl Atoms {
    /// Returns the atom of a value.
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

    /// Approximate heap size in bytes, without the heap data of the values.
    pub(crate) fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<Value>() + self.places.capacity() * 32
    }

    /// Returns the value of an atom of this table.
    pub(crate) fn value(&self, atom: Atom) -> Value {
        if atom.0 & 1 == 0 {
            return Value::Int(atom.0 as i64 >> 1);
        }
        self.values.get((atom.0 >> 1) as usize).cloned().unwrap_or_default()
    }
}

const NONE: u32 = u32::MAX;

/// A map from atoms to numbers: a table for small non-negative integers while they are dense, a hash map for the rest.
#[derive(Debug, Default)]
pub(crate) struct Numbering {
    dense: Vec<u32>,
    sparse: FxHashMap<Atom, u32>,
    len: usize,
}

impl Numbering {
    /// Returns the number of an atom. O(1).
    pub(crate) fn get(&self, atom: Atom) -> Option<u32> {
        let dense = atom.small().and_then(|at| self.dense.get(at)).copied().filter(|&number| number != NONE);
        if dense.is_some() || self.sparse.is_empty() { dense } else { self.sparse.get(&atom).copied() }
    }

    /// Assigns a number, which must not be `u32::MAX`, to an atom. Amortized O(1).
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

    /// Approximate heap size in bytes.
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
    fn numbering_finds_dense_and_sparse_atoms() {
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
