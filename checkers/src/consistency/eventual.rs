//! Eventual consistency: after the last write all readers converge to the same value (Vogels, Eventually Consistent, 2009).
//!
//! Convergence is a liveness property, so a finite history alone cannot violate it. What can be decided for each key: a read of a value that no
//! operation wrote (violated); the last reads of all readers, begun after the last write had returned, agree (holds as far as was observed); or
//! they differ, which is a violation if and only if a bound is given (`within`) and both reads began later than that. A reader is a node where
//! the history records nodes, otherwise a process. A crashed write may take effect during the reads and explains any difference.

use elenchus_core::{Anomaly, EventIndex, History, Kind, Nanos, Operation, Value};
use rustc_hash::FxHashMap;
use serde_json::json;

use super::observations::Observations;
use super::wording::{describe, on_key};

/// The outcome for one key.
#[derive(Clone, Debug)]
enum KeyOutcome<'h> {
    /// All readers agree at the end, and have done so since this long after the last write returned.
    Converged(Nanos),
    /// There was no read after the last write, or no write.
    Unread,
    /// These last reads differ; the readers may still converge.
    Differing(Operation<'h>, Operation<'h>),
    /// These reads differ although the bound has passed.
    Violated(Operation<'h>, Operation<'h>),
}

/// The outcome for all keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Convergence {
    pub(crate) anomalies: Vec<Anomaly>,
    /// The number of keys on which the last reads agree.
    pub(crate) converged: usize,
    /// The number of keys that were not read after the last write.
    pub(crate) unread: usize,
    /// A description of each key on which the last reads differ without violating the bound.
    pub(crate) differing: Vec<String>,
    /// The longest time from a key's last write to the first read from which on all agreed.
    pub(crate) slowest: Nanos,
}

impl Convergence {
    /// Returns the statistics for the finding's details.
    pub(crate) fn details(&self) -> serde_json::Value {
        json!({
            "keys_converged": self.converged,
            "keys_not_read_after_last_write": self.unread,
            "keys_apart": self.differing.len(),
            "slowest_convergence_ns": self.slowest.0,
        })
    }
}

/// Judges the last reads of every key. O(n).
pub(crate) fn convergence(history: &History, observations: &Observations<'_>, within: Option<Nanos>) -> Convergence {
    let mut by_key: Vec<Vec<u32>> = vec![Vec::new(); observations.keys.len()];
    for position in 0..observations.operations.len() as u32 {
        by_key[observations.effects[position as usize].key as usize].push(position);
    }
    let mut convergence = Convergence::default();
    for (key, positions) in by_key.iter().enumerate() {
        match judge_key(history, observations, positions, within) {
            KeyOutcome::Converged(after) => {
                convergence.converged += 1;
                convergence.slowest = convergence.slowest.max(after);
            }
            KeyOutcome::Unread => convergence.unread += 1,
            KeyOutcome::Differing(one, other) => convergence.differing.push(format!(
                "the last reads{} differ: {} and {}",
                on_key(observations.keys[key]),
                describe(&one),
                describe(&other)
            )),
            KeyOutcome::Violated(one, other) => {
                convergence.anomalies.push(anomaly(observations.keys[key], one, other, within.unwrap_or_default()))
            }
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
        description: "Long after the last write, readers still read different values.".to_owned(),
        operations,
        argument: vec![
            format!("Both {} and {} began more than {within} after the last write had returned.", describe(&one), describe(&other)),
            "By then all readers should have converged.".to_owned(),
        ],
        ..Anomaly::default()
    }
}

fn judge_key<'h>(history: &History, observations: &Observations<'h>, positions: &[u32], within: Option<Nanos>) -> KeyOutcome<'h> {
    let operation = |position: u32| observations.operations[position as usize];
    let time = |event: EventIndex| history.event(event).time;
    let writes = || positions.iter().copied().filter(|&position| observations.writes_value(position));
    let last_write = writes().map(operation).filter(|write| write.kind == Kind::Ok).filter_map(|write| write.completed).max();
    // A crashed write may take effect at any time after its invocation.
    let last_crashed = writes().map(operation).filter(|write| write.kind != Kind::Ok).map(|write| write.invoked).max();
    let Some(quiet) = last_write.max(last_crashed) else { return KeyOutcome::Unread };
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
    let Some(&end) = reads.last() else { return KeyOutcome::Unread };
    let bound = within.map(|within| time(quiet).0.saturating_add(within.0));
    let is_late = |read: &&Operation<'h>| bound.is_some_and(|bound| time(read.invoked).0 > bound);
    let late: Vec<&Operation<'h>> = reads.iter().filter(is_late).collect();
    if let Some((one, other)) = late.iter().find_map(|read| Some((late.first()?, read)).filter(|(one, other)| one.output != other.output))
        && last_crashed.is_none()
    {
        return KeyOutcome::Violated(**one, **other);
    }
    let mut lasts: Vec<&Operation<'h>> = last.values().collect();
    lasts.sort_unstable_by_key(|read| read.invoked);
    match lasts.iter().find(|read| read.output != end.output) {
        Some(other) => KeyOutcome::Differing(**other, end),
        None => {
            let first = reads.iter().rposition(|read| read.output != end.output).map_or(reads.first(), |at| reads.get(at + 1));
            KeyOutcome::Converged(first.map_or(Nanos::ZERO, |read| time(read.invoked).since(time(quiet))))
        }
    }
}
