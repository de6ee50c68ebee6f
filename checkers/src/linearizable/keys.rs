//! Partitions a history by key into independent objects (P-compositionality).

use std::sync::atomic::{AtomicBool, Ordering};

use elenchus_core::{History, Interval, Kind, Model, Operation, Value};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::CheckError;

/// From this number of operations on, they are scanned in parallel; the scan is limited by memory latency.
const PARALLEL_FROM: usize = 16_384;

/// The operations on one object.
pub(crate) struct SubHistory<'h> {
    history: &'h History,
    /// The object's key; none if the history has a single object without a key, or the model spans all keys.
    pub(crate) key: Option<&'h Value>,
    /// The object's operations, in order of invocation.
    intervals: Vec<Interval>,
    /// The object's rank by first appearance.
    pub(crate) order: usize,
}

impl<'h> SubHistory<'h> {
    /// The number of operations.
    pub(crate) fn len(&self) -> usize {
        self.intervals.len()
    }

    /// The operations, in order of invocation.
    pub(crate) fn operations(&self) -> Vec<Operation<'h>> {
        let operation = |&interval: &Interval| self.history.operation(interval);
        if self.len() < PARALLEL_FROM {
            self.intervals.iter().map(operation).collect()
        } else {
            self.intervals.par_iter().map(operation).collect()
        }
    }
}

/// Partitions a history by key if the model allows it. O(n).
///
/// # Errors
/// When the events do not form a history, or the history contains an operation that the model does not have.
pub(crate) fn partition<'h, M: Model>(model: &M, history: &'h History) -> Result<Vec<SubHistory<'h>>, CheckError> {
    let mut parts: Vec<SubHistory<'h>> = Vec::new();
    let mut known: FxHashMap<Option<&'h Value>, usize> = FxHashMap::default();
    let mut at = 0;
    let intervals = history.intervals()?;
    let has_keys = AtomicBool::new(false);
    let unknown = |&interval: &Interval| {
        let operation = history.operation(interval);
        if operation.key.is_some() && !has_keys.load(Ordering::Relaxed) {
            has_keys.store(true, Ordering::Relaxed);
        }
        let is_unknown = operation.kind != Kind::Fail && !model.admits(&operation);
        is_unknown.then_some(CheckError::UnknownOperation { event: operation.invoked, f: operation.f })
    };
    let first =
        if intervals.len() < PARALLEL_FROM { intervals.iter().find_map(unknown) } else { intervals.par_iter().find_map_first(unknown) };
    if let Some(unknown) = first {
        return Err(unknown);
    }
    if !model.splits_by_key() || !has_keys.into_inner() {
        let is_none = model.splits_by_key() && intervals.is_empty();
        return Ok(if is_none { parts } else { vec![SubHistory { history, key: None, intervals, order: 0 }] });
    }
    for interval in intervals {
        let key = history.event(interval.invoked).key.as_ref();
        // Usually there is one key, or the next operation has the same key.
        if parts.get(at).is_none_or(|part| part.key != key) {
            at = *known.entry(key).or_insert_with(|| {
                parts.push(SubHistory { history, key, intervals: Vec::new(), order: parts.len() });
                parts.len() - 1
            });
        }
        parts[at].intervals.push(interval);
    }
    Ok(parts)
}
