//! The writes of a register that a read may have read from.

use elenchus_core::{EventIndex, Kind, Operation, Value};
use rustc_hash::FxHashMap;

use super::real_time::end;

/// Finds which of the operations invoked after an event completed first.
pub(super) struct FirstAfter {
    /// By invocation: the invocation, and the earliest completion among that operation and later ones, with its position.
    invoked: Vec<(EventIndex, EventIndex, u32)>,
}

impl FirstAfter {
    /// Builds the index from operations with their positions, in order of invocation; only successful ones count. O(n).
    pub(super) fn new<'a, 'h: 'a>(operations: impl IntoIterator<Item = (usize, &'a Operation<'h>)>) -> FirstAfter {
        let succeeded = operations.into_iter().filter(|(_, operation)| operation.kind == Kind::Ok);
        let mut invoked: Vec<(EventIndex, EventIndex, u32)> = succeeded.map(|(at, it)| (it.invoked, end(it), at as u32)).collect();
        for at in (1..invoked.len()).rev() {
            if invoked[at].1 < invoked[at - 1].1 {
                invoked[at - 1] = (invoked[at - 1].0, invoked[at].1, invoked[at].2);
            }
        }
        FirstAfter { invoked }
    }

    /// Returns the position of the operation, if it completed before `by`; with `after` as `None`, considers all operations. O(log n).
    pub(super) fn find(&self, after: Option<EventIndex>, by: EventIndex) -> Option<usize> {
        let from = self.invoked.partition_point(|(invoked, ..)| Some(*invoked) <= after);
        self.invoked.get(from).filter(|(_, succeeded, _)| *succeeded < by).map(|(.., at)| *at as usize)
    }
}

/// The writes of each value, to find by which event the source of a read had certainly taken effect. A delete writes nil.
#[derive(Default)]
pub(super) struct Sources<'h> {
    /// By value, in order of invocation: the invocation of a write, and the latest completion among it and earlier writes, with its position.
    writes: FxHashMap<&'h Value, Vec<(EventIndex, EventIndex, u32)>>,
    /// By value: a write that failed.
    failed: FxHashMap<&'h Value, u32>,
}

/// The source of a value that was read.
pub(super) enum Source {
    /// Successful writes: every write that may be the source had taken effect by this event. The position is that of the last one.
    Settled(EventIndex, usize),
    /// Possibly a write that is still open or crashed, which may take effect at any time.
    Open,
    /// No write was invoked by then; the position of a later one, if there is any.
    NotWritten(Option<usize>),
    /// Only a failed write.
    Failed(usize),
}

impl<'h> Sources<'h> {
    /// Adds a write of a value, with its position. Writes must be added in order of invocation.
    pub(super) fn add(&mut self, at: usize, value: &'h Value, write: &Operation<'h>) {
        if write.kind == Kind::Fail {
            self.failed.entry(value).or_insert(at as u32);
            return;
        }
        let writes = self.writes.entry(value).or_default();
        let (mut last, mut by) = (end(write), at as u32);
        if let Some((_, before, before_by)) = writes.last().filter(|(_, before, _)| *before > last) {
            (last, by) = (*before, *before_by);
        }
        writes.push((write.invoked, last, by));
    }

    /// Returns the source of a value that was read by an event. O(log n).
    pub(super) fn find(&self, value: &Value, by: EventIndex) -> Source {
        let writes = self.writes.get(value).map(Vec::as_slice).unwrap_or_default();
        let candidates = writes.partition_point(|(invoked, ..)| *invoked < by);
        match (candidates.checked_sub(1).map(|last| writes[last]), writes.first(), self.failed.get(value)) {
            (Some((_, ended, _)), ..) if ended > by => Source::Open,
            (Some((_, ended, at)), ..) => Source::Settled(ended, at as usize),
            (None, Some((.., at)), _) => Source::NotWritten(Some(*at as usize)),
            (None, None, Some(at)) => Source::Failed(*at as usize),
            (None, None, None) => Source::NotWritten(None),
        }
    }
}
