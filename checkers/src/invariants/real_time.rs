//! Real-time precedence between operations.

use elenchus_core::{EventIndex, Kind, Operation};

/// Returns whether one operation certainly took effect before another: it completed `ok` before the other was invoked. A crashed operation
/// may take effect at any time after its invocation.
pub(super) fn precedes(first: &Operation<'_>, second: &Operation<'_>) -> bool {
    succeeded_by(first, second.invoked)
}

/// Returns whether an operation had certainly taken effect before an event.
pub(super) fn succeeded_by(operation: &Operation<'_>, event: EventIndex) -> bool {
    operation.kind == Kind::Ok && operation.completed.is_some_and(|completed| completed < event)
}

/// Returns the completion of an operation that succeeded; the greatest index for one that may take effect at any time.
pub(super) fn end(operation: &Operation<'_>) -> EventIndex {
    operation.completed.filter(|_| operation.kind == Kind::Ok).unwrap_or(EventIndex(u32::MAX))
}

/// Returns the successful operations of a function, in order of invocation.
pub(super) fn succeeded<'a, 'h: 'a>(operations: &'a [Operation<'h>], f: &'static str) -> impl Iterator<Item = &'a Operation<'h>> + Clone {
    operations.iter().filter(move |operation| operation.kind == Kind::Ok && operation.f == f)
}

/// The invocation or the successful completion of an operation, by its position.
#[derive(Clone, Copy)]
pub(super) enum Moment {
    /// Its invocation.
    Invoked(usize),
    /// Its completion with `ok`.
    Completed(usize),
}

/// Returns the invocations of operations and the completions of those that succeeded, in history order. O(n log n).
pub(super) fn moments<'a>(operations: &'a [Operation<'_>]) -> impl Iterator<Item = Moment> + 'a {
    let mut ends: Vec<(EventIndex, u32)> =
        (0_u32..).zip(operations).filter(|(_, it)| it.kind == Kind::Ok).map(|(at, it)| (end(it), at)).collect();
    ends.sort_unstable();
    let (mut invoked, mut completed) = (0, 0);
    std::iter::from_fn(move || match (operations.get(invoked), ends.get(completed)) {
        (Some(operation), next) if next.is_none_or(|(event, _)| operation.invoked < *event) => {
            invoked += 1;
            Some(Moment::Invoked(invoked - 1))
        }
        (_, Some(&(_, at))) => {
            completed += 1;
            Some(Moment::Completed(at as usize))
        }
        (_, None) => None,
    })
}
