//! Interning of values as small numbers.

use std::borrow::Cow;

use elenchus_core::Value;
use rustc_hash::FxHashMap;

/// Numbers distinct values from 0, in order of first appearance.
#[derive(Default)]
pub(super) struct Interner<'h> {
    known: FxHashMap<&'h Value, u32>,
    values: Vec<&'h Value>,
}

impl<'h> Interner<'h> {
    /// Returns the number of a value, adding it if it is new.
    pub(super) fn intern(&mut self, value: &'h Value) -> usize {
        let next = self.values.len() as u32;
        let id = *self.known.entry(value).or_insert(next);
        if id == next {
            self.values.push(value);
        }
        id as usize
    }

    /// Returns the number of a value, if it was interned.
    pub(super) fn find(&self, value: &Value) -> Option<usize> {
        self.known.get(value).map(|&id| id as usize)
    }

    /// Returns the value with a number.
    pub(super) fn value(&self, id: usize) -> &'h Value {
        const NIL: &Value = &Value::Nil;
        self.values.get(id).copied().unwrap_or(NIL)
    }

    /// Returns the number of distinct values.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}

/// Normalises a key: JSON maps have only text keys, so `"1"` and `1` are the same key.
pub(super) fn normalised_key(key: &Value) -> Cow<'_, Value> {
    match key.as_text().and_then(|text| text.parse().ok()) {
        Some(number) => Cow::Owned(Value::Int(number)),
        None => Cow::Borrowed(key),
    }
}
