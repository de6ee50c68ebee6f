//! A history as independent objects.

use std::sync::atomic::{AtomicBool, Ordering};

use elenchus_core::{History, Interval, Kind, Model, Operation, Value};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::CheckError;

/// From so many operations on, they are looked at in parallel: that mostly waits for the memory.
const LONG: usize = 16_384;

/// The operations on one object.
pub(crate) struct Part<'h> {
    history: &'h History,
    /// Its key; none where the history has one object without a name, or the model spans all keys.
    pub(crate) key: Option<&'h Value>,
    /// Its operations, in order of invocation.
    intervals: Vec<Interval>,
    /// Its rank by first appearance.
    pub(crate) order: usize,
}

impl<'h> Part<'h> {
    /// How many operations it has.
    pub(crate) fn len(&self) -> usize {
        self.intervals.len()
    }

    /// Its operations, in order of invocation.
    pub(crate) fn operations(&self) -> Vec<Operation<'h>> {
        let operation = |&interval: &Interval| self.history.operation(interval);
        if self.len() < LONG { self.intervals.iter().map(operation).collect() } else { self.intervals.par_iter().map(operation).collect() }
    }
}

/// Splits operations by key, if the model lets keys be independent. O(n).
///
/// # Errors
/// When no run could have recorded the history, or the model does not know an operation.
pub(crate) fn parts<'h, M: Model>(model: &M, history: &'h History) -> Result<Vec<Part<'h>>, CheckError> {
    let mut parts: Vec<Part<'h>> = Vec::new();
    let mut known: FxHashMap<Option<&'h Value>, usize> = FxHashMap::default();
    let mut at = 0;
    let intervals = history.intervals()?;
    let has_keys = AtomicBool::new(false);
    let foreign = |&interval: &Interval| {
        let operation = history.operation(interval);
        if operation.key.is_some() && !has_keys.load(Ordering::Relaxed) {
            has_keys.store(true, Ordering::Relaxed);
        }
        let is_foreign = operation.kind != Kind::Fail && !model.admits(&operation);
        is_foreign.then_some(CheckError::Foreign { event: operation.invoked, f: operation.f })
    };
    let first = if intervals.len() < LONG { intervals.iter().find_map(foreign) } else { intervals.par_iter().find_map_first(foreign) };
    if let Some(foreign) = first {
        return Err(foreign);
    }
    if !model.splits_by_key() || !has_keys.into_inner() {
        let is_none = model.splits_by_key() && intervals.is_empty();
        return Ok(if is_none { parts } else { vec![Part { history, key: None, intervals, order: 0 }] });
    }
    for interval in intervals {
        let key = history.event(interval.invoked).key.as_ref();
        // Mostly there is one key, or the same one follows.
        if parts.get(at).is_none_or(|part| part.key != key) {
            at = *known.entry(key).or_insert_with(|| {
                parts.push(Part { history, key, intervals: Vec::new(), order: parts.len() });
                parts.len() - 1
            });
        }
        parts[at].intervals.push(interval);
    }
    Ok(parts)
}
