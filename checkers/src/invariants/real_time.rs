//! Real-time order between operations.

use elenchus_core::{EventIndex, Kind, Operation};

/// Whether one operation certainly took effect before another: it had succeeded before the other was asked. A crashed one may take effect
/// long after its completion was recorded.
pub(super) fn precedes(first: &Operation<'_>, second: &Operation<'_>) -> bool {
    succeeded_by(first, second.invoked)
}

/// Whether an operation had certainly taken effect before an event.
pub(super) fn succeeded_by(operation: &Operation<'_>, event: EventIndex) -> bool {
    operation.kind == Kind::Ok && operation.completed.is_some_and(|completed| completed < event)
}

/// Where an operation that succeeded was answered; after everything for one that may take effect at any time.
pub(super) fn end(operation: &Operation<'_>) -> EventIndex {
    operation.completed.filter(|_| operation.kind == Kind::Ok).unwrap_or(EventIndex(u32::MAX))
}

/// The operations that succeeded with a function, in order of invocation.
pub(super) fn succeeded<'a, 'h: 'a>(operations: &'a [Operation<'h>], f: &'static str) -> impl Iterator<Item = &'a Operation<'h>> + Clone {
    operations.iter().filter(move |operation| operation.kind == Kind::Ok && operation.f == f)
}

/// One end of an operation, by its position among the operations.
#[derive(Clone, Copy)]
pub(super) enum Moment {
    /// It is asked.
    Asked(usize),
    /// It succeeded.
    Succeeded(usize),
}

/// The invocations of operations and the completions of those that succeeded, in the order of the history. O(n log n).
pub(super) fn moments<'a>(operations: &'a [Operation<'_>]) -> impl Iterator<Item = Moment> + 'a {
    let mut ends: Vec<(EventIndex, u32)> =
        (0_u32..).zip(operations).filter(|(_, it)| it.kind == Kind::Ok).map(|(at, it)| (end(it), at)).collect();
    ends.sort_unstable();
    let (mut asked, mut ended) = (0, 0);
    std::iter::from_fn(move || match (operations.get(asked), ends.get(ended)) {
        (Some(operation), next) if next.is_none_or(|(event, _)| operation.invoked < *event) => {
            asked += 1;
            Some(Moment::Asked(asked - 1))
        }
        (_, Some(&(_, at))) => {
            ended += 1;
            Some(Moment::Succeeded(at as usize))
        }
        (_, None) => None,
    })
}
