//! Which writes of a register a read may have seen.

use elenchus_core::{EventIndex, Kind, Operation, Value};
use rustc_hash::FxHashMap;

use super::order::end;

/// Answers which of some operations, all asked after an event, was the first to succeed.
pub(super) struct FirstAfter {
    /// By invocation: when it was asked, and the first to succeed of it and those asked later.
    asked: Vec<(EventIndex, EventIndex, u32)>,
}

impl FirstAfter {
    /// Prepares the answers. The operations come with their positions, in order of invocation; those that did not succeed are left out. O(n).
    pub(super) fn new<'a, 'h: 'a>(operations: impl IntoIterator<Item = (usize, &'a Operation<'h>)>) -> FirstAfter {
        let succeeded = operations.into_iter().filter(|(_, operation)| operation.kind == Kind::Ok);
        let mut asked: Vec<(EventIndex, EventIndex, u32)> = succeeded.map(|(at, it)| (it.invoked, end(it), at as u32)).collect();
        for at in (1..asked.len()).rev() {
            if asked[at].1 < asked[at - 1].1 {
                asked[at - 1] = (asked[at - 1].0, asked[at].1, asked[at].2);
            }
        }
        FirstAfter { asked }
    }

    /// The position of the operation, if it succeeded before `by`; of all operations where there is no `after`. O(log n).
    pub(super) fn find(&self, after: Option<EventIndex>, by: EventIndex) -> Option<usize> {
        let from = self.asked.partition_point(|(asked, ..)| Some(*asked) <= after);
        self.asked.get(from).filter(|(_, succeeded, _)| *succeeded < by).map(|(.., at)| *at as usize)
    }
}

/// The writes of each value, to tell where the last that a read may have seen had certainly taken effect. A delete writes nil.
#[derive(Default)]
pub(super) struct Sources<'h> {
    /// By value, in order of invocation: when a write was asked, and when the last of it and those before had ended.
    writes: FxHashMap<&'h Value, Vec<(EventIndex, EventIndex, u32)>>,
    /// One write of a value that failed.
    failed: FxHashMap<&'h Value, u32>,
}

/// Where a value that was read came from.
pub(super) enum Source {
    /// From a write that succeeded; every write it may be from had taken effect by this event. The position is the last one's.
    Settled(EventIndex, usize),
    /// Perhaps from a write that is still open or crashed, which may take effect at any time.
    Open,
    /// Nobody had written it by then; the position of who did so later, if anybody.
    Nowhere(Option<usize>),
    /// Only a write that failed wrote it.
    Failed(usize),
}

impl<'h> Sources<'h> {
    /// Adds a write of a value, with its position; in order of invocation.
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

    /// Where a value that was read by an event came from. O(log n).
    pub(super) fn find(&self, value: &Value, by: EventIndex) -> Source {
        let writes = self.writes.get(value).map(Vec::as_slice).unwrap_or_default();
        let candidates = writes.partition_point(|(asked, ..)| *asked < by);
        match (candidates.checked_sub(1).map(|last| writes[last]), writes.first(), self.failed.get(value)) {
            (Some((_, ended, _)), ..) if ended > by => Source::Open,
            (Some((_, ended, at)), ..) => Source::Settled(ended, at as usize),
            (None, Some((.., at)), _) => Source::Nowhere(Some(*at as usize)),
            (None, None, Some(at)) => Source::Failed(*at as usize),
            (None, None, None) => Source::Nowhere(None),
        }
    }
}
