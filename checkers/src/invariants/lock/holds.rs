//! The intervals during which a process certainly holds a lock.

use elenchus_core::{EventIndex, Kind, Operation, Process};
use rustc_hash::FxHashMap;

use super::super::report::short;
use super::super::{Evidence, Part, Report};
use super::lease;

/// A certain hold: from one event to another, both exclusive.
#[derive(Clone, Copy)]
struct Hold {
    from: EventIndex,
    until: EventIndex,
    /// The position of the operation that acquired it.
    at: usize,
    process: Process,
}

/// A hold that has not ended yet.
struct Open {
    hold: Hold,
    /// The time in nanoseconds from which the lease has certainly expired; `None` without a lease.
    over: Option<u64>,
    length: Option<u64>,
}

/// Reports processes that hold the lock at the same time, and leases that were renewed after they had expired. `events` are those of the lock's
/// operations, in order; `slack` is in nanoseconds.
pub(super) fn judge(part: &Part<'_>, events: &[EventIndex], slack: u64, report: &mut Report) {
    let mut holds = certain(part, events, slack, report);
    holds.sort_unstable_by_key(|hold| hold.from);
    // Of the earlier holds: the one that lasts longest, and the longest of any other process.
    let (mut longest, mut other): (Option<Hold>, Option<Hold>) = (None, None);
    for hold in holds {
        let lasts = |before: &Hold| before.process != hold.process && before.until > hold.from;
        if let Some(before) = longest.filter(lasts).or(other.filter(lasts)) {
            report.found("two-holders", || {
                let (first, second) = (&part.operations[before.at], &part.operations[hold.at]);
                let description =
                    format!("Process {} acquired the lock while process {} certainly held it.", second.process, first.process);
                Evidence::new(description, [first, second]).because(match before.until {
                    EventIndex(u32::MAX) => format!("Process {} never invoked a release.", first.process),
                    until => format!(
                        "Process {} held it at least until {until}, when it invoked a release or a crashed operation, or its lease may have expired.",
                        first.process
                    ),
                })
            });
        }
        match longest {
            Some(best) if best.process == hold.process => longest = Some(if hold.until > best.until { hold } else { best }),
            Some(best) if hold.until > best.until => (longest, other) = (Some(hold), Some(best)),
            Some(_) if other.is_none_or(|other| hold.until > other.until) => other = Some(hold),
            Some(_) => {}
            None => longest = Some(hold),
        }
    }
}

/// Returns all certain holds; reports renewals of expired leases.
fn certain(part: &Part<'_>, events: &[EventIndex], slack: u64, report: &mut Report) -> Vec<Hold> {
    let mut holds: Vec<Hold> = Vec::new();
    let mut open: FxHashMap<Process, Open> = FxHashMap::default();
    let close = |open: Open, at: EventIndex| Hold { until: open.hold.until.min(at), ..open.hold };
    for (at, operation) in part.operations.iter().enumerate() {
        let ends = operation.f == "release" || operation.kind == Kind::Info;
        if ends && let Some(hold) = open.remove(&operation.process) {
            holds.push(close(hold, operation.invoked));
        }
        let (Kind::Ok, Some(completed)) = (operation.kind, operation.completed) else {
            continue;
        };
        match operation.f.as_str() {
            "acquire" => {
                let length = lease(operation);
                let hold =
                    Hold { from: completed, until: least_end(part, events, operation, length, slack), at, process: operation.process };
                let over = length.map(|length| part.time(completed).saturating_add(length).saturating_add(slack));
                if let Some(before) = open.insert(operation.process, Open { hold, over, length }) {
                    holds.push(close(before, operation.invoked));
                }
            }
            "renew" => {
                if let Some(open) = open.get_mut(&operation.process) {
                    if open.over.is_some_and(|over| part.time(operation.invoked) > over) {
                        report.found("lease-outlived", || {
                            let acquired = &part.operations[open.hold.at];
                            Evidence::new(format!("{} succeeded, although the lease had expired.", short(operation)), [acquired, operation])
                        });
                    }
                    open.length = lease(operation).or(open.length);
                    open.over = open.length.map(|length| part.time(completed).saturating_add(length).saturating_add(slack));
                    // Whether the lease expired before the renewal took effect is uncertain, so a new hold begins.
                    holds.push(Hold { until: open.hold.until.min(completed), ..open.hold });
                    open.hold.from = completed;
                    open.hold.until = least_end(part, events, operation, open.length, slack);
                }
            }
            _ => {}
        }
    }
    holds.extend(open.into_values().map(|open| open.hold));
    holds.retain(|hold| hold.from < hold.until);
    holds
}

/// Returns the first event at which a lease may have expired: if it was granted right at the invocation, by the fastest clock.
fn least_end(part: &Part<'_>, events: &[EventIndex], operation: &Operation<'_>, length: Option<u64>, slack: u64) -> EventIndex {
    let Some(length) = length else {
        return EventIndex(u32::MAX);
    };
    let end = part.time(operation.invoked).saturating_add(length.saturating_sub(slack));
    let first = events.partition_point(|event| part.time(*event) < end);
    events.get(first).copied().unwrap_or(EventIndex(u32::MAX))
}
