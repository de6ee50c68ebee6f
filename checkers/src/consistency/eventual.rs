//! Eventual consistency: once writing stops, all readers come to find the same value (Vogels, Eventually Consistent, 2009).
//!
//! *Come to* has no end, so no finite history breaks this promise by itself. What can be decided, key by key: a value that nobody wrote was
//! found (broken); the last reads that all readers began after the last write had returned agree (held, as far as anyone looked); or they
//! differ, which is broken if, and only if, a bound was given (`within`) and both reads began later than that. A reader is a node, where
//! the history says which node was asked, otherwise a process. A write that crashed may take effect while the reads go on, and excuse them.

use elenchus_core::{Anomaly, EventIndex, History, Kind, Nanos, Operation, Value};
use rustc_hash::FxHashMap;
use serde_json::json;

use super::testimony::Testimony;
use super::words::{describe, of_key};

/// What became of one key.
#[derive(Clone, Debug)]
enum Fate<'h> {
    /// All readers agree in the end, this long after the last write had returned they first did for good.
    Converged(Nanos),
    /// Nobody read after the last write, or nobody wrote.
    Unread,
    /// These last reads differ, and may yet come to agree.
    Apart(Operation<'h>, Operation<'h>),
    /// These reads differ, and should agree by now.
    Broken(Operation<'h>, Operation<'h>),
}

/// What was found of all keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Convergence {
    pub(crate) anomalies: Vec<Anomaly>,
    /// Keys on which the last reads agree.
    pub(crate) converged: usize,
    /// Keys that nobody read after the last write.
    pub(crate) unread: usize,
    /// What is apart at the end without being broken, in words, for the first such key.
    pub(crate) apart: Vec<String>,
    /// The longest time from the last write to the first read from which on all agreed.
    pub(crate) slowest: Nanos,
}

impl Convergence {
    /// Figures for machines.
    pub(crate) fn details(&self) -> serde_json::Value {
        json!({
            "keys_converged": self.converged,
            "keys_not_read_after_last_write": self.unread,
            "keys_apart": self.apart.len(),
            "slowest_convergence_ns": self.slowest.0,
        })
    }
}

/// Looks at how every key ends. O(n).
pub(crate) fn convergence(history: &History, testimony: &Testimony<'_>, within: Option<Nanos>) -> Convergence {
    let mut by_key: Vec<Vec<u32>> = vec![Vec::new(); testimony.keys.len()];
    for position in 0..testimony.operations.len() as u32 {
        by_key[testimony.deeds[position as usize].key as usize].push(position);
    }
    let mut convergence = Convergence::default();
    for (key, positions) in by_key.iter().enumerate() {
        match fate(history, testimony, positions, within) {
            Fate::Converged(after) => {
                convergence.converged += 1;
                convergence.slowest = convergence.slowest.max(after);
            }
            Fate::Unread => convergence.unread += 1,
            Fate::Apart(one, other) => convergence.apart.push(format!(
                "the last reads{} differ: {} and {}",
                of_key(testimony.keys[key]),
                describe(&one),
                describe(&other)
            )),
            Fate::Broken(one, other) => convergence.anomalies.push(anomaly(testimony.keys[key], one, other, within.unwrap_or_default())),
        }
    }
    convergence
}

fn anomaly(key: Option<&Value>, one: Operation<'_>, other: Operation<'_>, within: Nanos) -> Anomaly {
    let mut operations = vec![one.invoked, other.invoked];
    operations.sort_unstable();
    Anomaly {
        name: "divergence".to_owned(),
        key: key.cloned(),
        description: "Long after the last write, readers still found different values.".to_owned(),
        operations,
        argument: vec![
            format!("Both {} and {} began more than {within} after the last write had returned.", describe(&one), describe(&other)),
            "By then all readers should have come to the same value.".to_owned(),
        ],
        ..Anomaly::default()
    }
}

fn fate<'h>(history: &History, testimony: &Testimony<'h>, positions: &[u32], within: Option<Nanos>) -> Fate<'h> {
    let operation = |position: u32| testimony.operations[position as usize];
    let time = |event: EventIndex| history.event(event).time;
    let writes = || positions.iter().copied().filter(|&position| testimony.is_putter(position));
    let last_write = writes().map(operation).filter(|write| write.kind == Kind::Ok).filter_map(|write| write.completed).max();
    // A crashed write may take effect long after; but it began before.
    let last_crashed = writes().map(operation).filter(|write| write.kind != Kind::Ok).map(|write| write.invoked).max();
    let Some(quiet) = last_write.max(last_crashed) else { return Fate::Unread };
    let reads: Vec<Operation<'h>> = positions
        .iter()
        .map(|&position| operation(position))
        .filter(|read| read.f == "read" && read.kind == Kind::Ok && read.invoked > quiet)
        .collect();
    let mut last: FxHashMap<(Option<u16>, Option<elenchus_core::Process>), Operation<'h>> = FxHashMap::default();
    for read in &reads {
        let process = read.node.is_none().then_some(read.process);
        last.insert((read.node.map(|node| node.0), process), *read);
    }
    let Some(&end) = reads.last() else { return Fate::Unread };
    let bound = within.map(|within| time(quiet).0.saturating_add(within.0));
    let is_late = |read: &&Operation<'h>| bound.is_some_and(|bound| time(read.invoked).0 > bound);
    let late: Vec<&Operation<'h>> = reads.iter().filter(is_late).collect();
    if let Some((one, other)) = late.iter().find_map(|read| Some((late.first()?, read)).filter(|(one, other)| one.output != other.output))
        && last_crashed.is_none()
    {
        return Fate::Broken(**one, **other);
    }
    let mut lasts: Vec<&Operation<'h>> = last.values().collect();
    lasts.sort_unstable_by_key(|read| read.invoked);
    match lasts.iter().find(|read| read.output != end.output) {
        Some(other) => Fate::Apart(**other, end),
        None => {
            let first = reads.iter().rposition(|read| read.output != end.output).map_or(reads.first(), |at| reads.get(at + 1));
            Fate::Converged(first.map_or(Nanos::ZERO, |read| time(read.invoked).since(time(quiet))))
        }
    }
}
