//! Regular and safe registers (Lamport, On Interprocess Communication, 1986), one key at a time.
//!
//! With one writer, a read of a *regular* register finds the last value written before it began, or one of those being written while it
//! lasts. With several writers this is the weakest of the conditions of Shao, Welch, Pierce and Lee (Multiwriter Consistency Conditions
//! for Shared Memory Registers, 2011), MWRegWeak: for each read there is an order of all writes and that read, true to real time, in which it finds the last. So
//! it may not find a write that had been over before another began that was over before the read began, nor one that began after it ended.
//!
//! A read of a *safe* register that overlaps a write on its key may find anything at all, even a value that nobody wrote; any other finds
//! what a regular register would. A compare-and-set reads before it writes: its own write is not among those it overlaps.

use elenchus_core::{Anomaly, Kind, Operation};

use super::testimony::{Origin, Testimony};
use super::words::describe;

/// How many anomalies are told.
const MOST: usize = 16;

/// The reads that no regular register would have answered so. O(n log n).
pub(crate) fn irregular(testimony: &Testimony<'_>) -> Vec<Anomaly> {
    judge(testimony, false)
}

/// The reads that not even a safe register would have answered so. O(n log n).
pub(crate) fn unsafe_reads(testimony: &Testimony<'_>) -> Vec<Anomaly> {
    judge(testimony, true)
}

fn judge(testimony: &Testimony<'_>, only_quiet: bool) -> Vec<Anomaly> {
    let writes: Vec<Writes> = testimony.puts.iter().map(|puts| Writes::new(testimony, puts)).collect();
    let certain = |position: &u32| testimony.operations[*position as usize].kind == Kind::Ok && testimony.is_finder(*position);
    let reads = (0..testimony.operations.len() as u32).filter(certain);
    let broken = reads.filter_map(|read| {
        let writes = &writes[testimony.deeds[read as usize].key as usize];
        if only_quiet && writes.overlap(&testimony.operations[read as usize], testimony.is_putter(read)) {
            return None;
        }
        judge_read(testimony, writes, read)
    });
    broken.take(MOST).collect()
}

/// Why one read cannot be, if it cannot: no origin of the value is possible.
fn judge_read(testimony: &Testimony<'_>, writes: &Writes, read: u32) -> Option<Anomaly> {
    let operation = &testimony.operations[read as usize];
    let mut why = None;
    for origin in testimony.origins(read) {
        let (written, over) = match origin {
            Origin::Initial => (None, None),
            Origin::Operation(write) => (Some(write), end(&testimony.operations[write as usize])),
        };
        let begins_after =
            written.is_some_and(|write| operation.completed.is_some_and(|end| testimony.operations[write as usize].invoked > end));
        if begins_after {
            why = why.or(Some(Why::Future(written)));
            continue;
        }
        let is_over = written.is_none() || over.is_some();
        match writes.newest_before(operation.invoked.0).filter(|&(begun, _)| is_over && over.is_none_or(|over| begun > over)) {
            None => return None,
            Some((_, newer)) => why = Some(Why::Stale(written, newer)),
        }
    }
    Some(anomaly(testimony, read, why))
}

enum Why {
    /// It found what was written later.
    Future(Option<u32>),
    /// It found what another write had replaced.
    Stale(Option<u32>, u32),
}

fn anomaly(testimony: &Testimony<'_>, read: u32, why: Option<Why>) -> Anomaly {
    let operation = &testimony.operations[read as usize];
    let say = |position: u32| describe(&testimony.operations[position as usize]);
    let reader = describe(operation);
    let (name, description, others, argument) = match why {
        None => (
            "thin-air-read",
            "A read found a value that nobody wrote.",
            vec![],
            vec![format!("No operation that may have happened puts what {reader} found.")],
        ),
        Some(Why::Future(write)) => (
            "future-read",
            "A read found a value that was written only later.",
            write.into_iter().collect(),
            vec![format!("{reader} was over before {} began.", write.map(say).unwrap_or_default())],
        ),
        Some(Why::Stale(write, newer)) => {
            let newer_words = say(newer);
            let argument = match write.map(say) {
                Some(write) => format!("{write} was over before {newer_words} began, and that was over before {reader} began."),
                None => format!("{newer_words} was over before {reader} began, which still found the initial value."),
            };
            (
                "stale-read",
                "A read found a value that had been overwritten before it began.",
                write.into_iter().chain([newer]).collect(),
                vec![argument],
            )
        }
    };
    let mut operations: Vec<_> = others.into_iter().chain([read]).map(|position| testimony.operations[position as usize].invoked).collect();
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

/// Where an operation that certainly happened ends; none for others: they may take effect at any time.
fn end(operation: &Operation<'_>) -> Option<u32> {
    operation.completed.filter(|_| operation.kind == Kind::Ok).map(|end| end.0)
}

/// The writes of one key.
struct Writes {
    /// When each begins, crashed ones too, in order.
    begins: Vec<u32>,
    /// When each that returned ends, in order, and which of those up to it began last, and when.
    ends: Vec<(u32, u32, u32)>,
}

impl Writes {
    fn new(testimony: &Testimony<'_>, puts: &[u32]) -> Writes {
        let operation = |position: &u32| &testimony.operations[*position as usize];
        let begins = puts.iter().map(|position| operation(position).invoked.0).collect();
        let mut ends: Vec<(u32, u32, u32)> =
            puts.iter().filter_map(|position| Some((end(operation(position))?, operation(position).invoked.0, *position))).collect();
        ends.sort_unstable();
        let mut last = (0, 0);
        for (_, begun, position) in &mut ends {
            last = last.max((*begun, *position));
            (*begun, *position) = last;
        }
        Writes { begins, ends }
    }

    /// Of the writes that were over by a time, the one that began last: when, and which.
    fn newest_before(&self, time: u32) -> Option<(u32, u32)> {
        let over = self.ends.partition_point(|&(end, ..)| end < time);
        over.checked_sub(1).map(|at| (self.ends[at].1, self.ends[at].2))
    }

    /// Whether a write was going on while the operation was, or may have been.
    fn overlap(&self, operation: &Operation<'_>, writes_itself: bool) -> bool {
        let begun = operation.completed.map_or(self.begins.len(), |end| self.begins.partition_point(|&begin| begin < end.0));
        let over = self.ends.partition_point(|&(end, ..)| end < operation.invoked.0);
        begun > over + usize::from(writes_itself)
    }
}
