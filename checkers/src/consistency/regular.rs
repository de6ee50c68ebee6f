//! Regular and safe registers (Lamport, On Interprocess Communication, 1986), one key at a time.
//!
//! With one writer, a read of a *regular* register returns the last value written before the read began, or one written concurrently with it. With
//! several writers this is MWRegWeak, the weakest of the conditions of Shao, Welch, Pierce and Lee (Multiwriter Consistency Conditions for
//! Shared Memory Registers, 2011): for each read there is an order of all writes and that read which respects real time and in which it returns
//! the last write. So a read may not return a write that completed before another write began that completed before the read began, nor a write
//! that began after the read completed.
//!
//! A read of a *safe* register that overlaps a write on its key may return any value, even one that was never written; any other read behaves as on
//! a regular register. A compare-and-set reads before it writes: its own write is not among those that it overlaps.

use elenchus_core::{Anomaly, Kind, Operation};

use super::observations::{Observations, Origin};
use super::wording::describe;

/// The maximum number of anomalies in a finding.
const MAX_ANOMALIES: usize = 16;

/// Returns the reads that violate the regular register. O(n log n).
pub(crate) fn irregular(observations: &Observations<'_>) -> Vec<Anomaly> {
    judge(observations, false)
}

/// Returns the reads that violate the safe register. O(n log n).
pub(crate) fn unsafe_reads(observations: &Observations<'_>) -> Vec<Anomaly> {
    judge(observations, true)
}

fn judge(observations: &Observations<'_>, is_safe: bool) -> Vec<Anomaly> {
    let writes: Vec<Writes> = observations.writes.iter().map(|positions| Writes::new(observations, positions)).collect();
    let certain = |position: &u32| observations.operations[*position as usize].kind == Kind::Ok && observations.reads_value(*position);
    let reads = (0..observations.operations.len() as u32).filter(certain);
    let broken = reads.filter_map(|read| {
        let writes = &writes[observations.effects[read as usize].key as usize];
        if is_safe && writes.overlap(&observations.operations[read as usize], observations.writes_value(read)) {
            return None;
        }
        judge_read(observations, writes, read)
    });
    broken.take(MAX_ANOMALIES).collect()
}

/// Returns the violation of one read, if its value has no possible source.
fn judge_read(observations: &Observations<'_>, writes: &Writes, read: u32) -> Option<Anomaly> {
    let operation = &observations.operations[read as usize];
    let mut cause = None;
    for origin in observations.origins(read) {
        let (written, over) = match origin {
            Origin::Initial => (None, None),
            Origin::Operation(write) => (Some(write), end(&observations.operations[write as usize])),
        };
        let begins_after =
            written.is_some_and(|write| operation.completed.is_some_and(|end| observations.operations[write as usize].invoked > end));
        if begins_after {
            cause = cause.or(Some(Cause::Future(written)));
            continue;
        }
        let is_over = written.is_none() || over.is_some();
        match writes.newest_before(operation.invoked.0).filter(|&(begun, _)| is_over && over.is_none_or(|over| begun > over)) {
            None => return None,
            Some((_, newer)) => cause = Some(Cause::Stale(written, newer)),
        }
    }
    Some(anomaly(observations, read, cause))
}

enum Cause {
    /// It returned a value that was written later.
    Future(Option<u32>),
    /// It returned a value that another write had overwritten.
    Stale(Option<u32>, u32),
}

fn anomaly(observations: &Observations<'_>, read: u32, cause: Option<Cause>) -> Anomaly {
    let operation = &observations.operations[read as usize];
    let text = |position: u32| describe(&observations.operations[position as usize]);
    let reader = describe(operation);
    let (name, description, others, argument) = match cause {
        None => (
            "thin-air-read",
            "A read returned a value that no operation wrote.",
            vec![],
            vec![format!("No operation that may have taken effect wrote the value that {reader} returned.")],
        ),
        Some(Cause::Future(write)) => (
            "future-read",
            "A read returned a value that was written only later.",
            write.into_iter().collect(),
            vec![format!("{reader} completed before {} began.", write.map(text).unwrap_or_default())],
        ),
        Some(Cause::Stale(write, newer)) => {
            let newer_words = text(newer);
            let argument = match write.map(text) {
                Some(write) => format!("{write} completed before {newer_words} began, and that completed before {reader} began."),
                None => format!("{newer_words} completed before {reader} began, which still returned the initial value."),
            };
            (
                "stale-read",
                "A read returned a value that had been overwritten before the read began.",
                write.into_iter().chain([newer]).collect(),
                vec![argument],
            )
        }
    };
    let mut operations: Vec<_> =
        others.into_iter().chain([read]).map(|position| observations.operations[position as usize].invoked).collect();
    operations.sort_unstable();
    Anomaly {
        name: name.to_owned(),
        key: operation.key.cloned(),
        description: description.to_owned(),
        operations,
        argument,
        ..Anomaly::default()
    }
}

/// Returns the completion of an operation that certainly took effect; `None` for others, which may take effect at any time.
fn end(operation: &Operation<'_>) -> Option<u32> {
    operation.completed.filter(|_| operation.kind == Kind::Ok).map(|end| end.0)
}

/// The writes of one key.
struct Writes {
    /// The invocations, also of crashed writes, in order.
    begins: Vec<u32>,
    /// The completions in order, each with the invocation and position of the write that began last among those completed by then.
    ends: Vec<(u32, u32, u32)>,
}

impl Writes {
    fn new(observations: &Observations<'_>, positions: &[u32]) -> Writes {
        let operation = |position: &u32| &observations.operations[*position as usize];
        let begins = positions.iter().map(|position| operation(position).invoked.0).collect();
        let mut ends: Vec<(u32, u32, u32)> =
            positions.iter().filter_map(|position| Some((end(operation(position))?, operation(position).invoked.0, *position))).collect();
        ends.sort_unstable();
        let mut last = (0, 0);
        for (_, begun, position) in &mut ends {
            last = last.max((*begun, *position));
            (*begun, *position) = last;
        }
        Writes { begins, ends }
    }

    /// Returns the invocation and position of the write that began last among those that completed before an event.
    fn newest_before(&self, time: u32) -> Option<(u32, u32)> {
        let over = self.ends.partition_point(|&(end, ..)| end < time);
        over.checked_sub(1).map(|at| (self.ends[at].1, self.ends[at].2))
    }

    /// Returns whether a write was, or may have been, concurrent with the operation.
    fn overlap(&self, operation: &Operation<'_>, writes_itself: bool) -> bool {
        let begun = operation.completed.map_or(self.begins.len(), |end| self.begins.partition_point(|&begin| begin < end.0));
        let over = self.ends.partition_point(|&(end, ..)| end < operation.invoked.0);
        begun > over + usize::from(writes_itself)
    }
}
