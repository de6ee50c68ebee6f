//! A history as independent objects.

use elenchus_core::{Model, Operation, Value};
use rustc_hash::FxHashMap;

/// The operations on one object.
pub(crate) struct Part<'h> {
    /// Its key; none where the history has one object without a name, or the model spans all keys.
    pub(crate) key: Option<&'h Value>,
    /// Its operations, in order of invocation.
    pub(crate) operations: Vec<Operation<'h>>,
    /// Its rank by first appearance.
    pub(crate) order: usize,
}

/// Splits operations by key, if the model lets keys be independent.
pub(crate) fn parts<'h, M: Model>(model: &M, operations: Vec<Operation<'h>>) -> Vec<Part<'h>> {
    if !model.splits_by_key() {
        return vec![Part { key: None, operations, order: 0 }];
    }
    let mut parts: Vec<Part<'h>> = Vec::new();
    let mut known: FxHashMap<Option<&'h Value>, usize> = FxHashMap::default();
    for operation in operations {
        let at = *known.entry(operation.key).or_insert_with(|| {
            parts.push(Part { key: operation.key, operations: Vec::new(), order: parts.len() });
            parts.len() - 1
        });
        parts[at].operations.push(operation);
    }
    parts
}
