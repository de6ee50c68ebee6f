//! Histories: all events of a run in real-time order.

use std::fmt;

use rustc_hash::FxHashMap;
use thiserror::Error;

use crate::{Event, EventIndex, Kind, NodeIndex, Process, Symbol, Value};

/// The record of a run: events in the order in which they happened.
///
/// The order of events is the evidence: if one operation's completion comes before another's invocation, the first happened before the second;
/// otherwise they are concurrent. Times are for people, plots and leases; checkers of order do not read them.
///
/// A history comes from a [`Recorder`](crate::Recorder), a file ([`exchange`](crate::exchange)), or, in tests, from text ([`History::parse`]).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The events; an [`EventIndex`] is a position here.
    pub events: Vec<Event>,
    /// Names of the nodes that [`Event::node`] points to.
    pub nodes: Vec<String>,
}

/// An invocation together with its completion.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'h> {
    /// The process that invoked it.
    pub process: Process,
    /// The function.
    pub f: Symbol,
    /// The object that it is about, where there are several.
    pub key: Option<&'h Value>,
    /// Its argument.
    pub input: &'h Value,
    /// Its result; none unless [`Operation::kind`] is `Ok`.
    pub output: Option<&'h Value>,
    /// `Ok`, `Fail` or `Info`. An operation without a completion is `Info`.
    pub kind: Kind,
    /// The event of its invocation.
    pub invoked: EventIndex,
    /// The event of its completion; none when it never completed.
    pub completed: Option<EventIndex>,
    /// The node that it was sent to.
    pub node: Option<NodeIndex>,
}

/// The events of an operation: its invocation and its completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The event of its invocation.
    pub invoked: EventIndex,
    /// [`Interval::NEVER`] when it never completed.
    completed: EventIndex,
}

impl Interval {
    const NEVER: EventIndex = EventIndex(u32::MAX);
}

/// Function, argument and result: `write 3`, `read → 2`, `cas 1 → 4`.
impl fmt::Display for Operation<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.f.as_str())?;
        match self.input.as_pair() {
            Some((old, new)) if self.f == "cas" => write!(out, " {old} → {new}")?,
            _ if self.input.is_nil() => {}
            _ => write!(out, " {}", self.input)?,
        }
        match self.output {
            Some(output) if output != self.input || self.input.is_nil() => write!(out, " → {output}"),
            _ => Ok(()),
        }
    }
}

/// A malformed history: one that no run could have recorded.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum HistoryError {
    /// A process, which does one thing at a time, invoked an operation before its previous one completed.
    #[error(
        "event {second}: process {process} invokes an operation while that of event {first} is pending; a process does one thing at a time"
    )]
    DoubleInvoke {
        /// The process.
        process: Process,
        /// Its pending invocation.
        first: EventIndex,
        /// The second invocation.
        second: EventIndex,
    },
    /// A completion without an invocation.
    #[error("event {event}: process {process} completes an operation that it did not invoke")]
    NotInvoked {
        /// The process.
        process: Process,
        /// The completion.
        event: EventIndex,
    },
    /// More events than an [`EventIndex`] can number.
    #[error("the history has {0} events; the limit is 2^32 - 1")]
    TooLong(usize),
}

impl History {
    /// A history of these events, without names of nodes.
    pub fn new(events: Vec<Event>) -> History {
        History { events, nodes: Vec::new() }
    }

    /// The event at an index.
    pub fn event(&self, index: EventIndex) -> &Event {
        &self.events[index.0 as usize]
    }

    /// The operations of clients, in order of invocation: each invocation paired with its completion. Events of the nemesis are left out.
    /// O(n).
    ///
    /// # Errors
    /// When a process invokes twice without a completion between, or completes what it did not invoke.
    pub fn operations(&self) -> Result<Vec<Operation<'_>>, HistoryError> {
        Ok(self.intervals()?.into_iter().map(|interval| self.operation(interval)).collect())
    }

    /// The events of the operations of clients, in order of invocation: as [`History::operations`], in a tenth of the memory. O(n).
    ///
    /// # Errors
    /// As [`History::operations`].
    pub fn intervals(&self) -> Result<Vec<Interval>, HistoryError> {
        if self.events.len() >= u32::MAX as usize {
            return Err(HistoryError::TooLong(self.events.len()));
        }
        let mut intervals: Vec<Interval> = Vec::with_capacity(self.events.len() / 2);
        let mut pending = Pending::default();
        for (position, event) in self.events.iter().enumerate() {
            let Process::Client(id) = event.process else {
                continue;
            };
            let index = EventIndex(position as u32);
            if event.kind == Kind::Invoke {
                if let Some(first) = pending.insert(id, intervals.len() as u32) {
                    return Err(HistoryError::DoubleInvoke {
                        process: event.process,
                        first: intervals[first as usize].invoked,
                        second: index,
                    });
                }
                intervals.push(Interval { invoked: index, completed: Interval::NEVER });
            } else {
                let operation = pending.remove(id).ok_or(HistoryError::NotInvoked { process: event.process, event: index })?;
                intervals[operation as usize].completed = index;
            }
        }
        Ok(intervals)
    }

    /// The operation of an interval.
    pub fn operation(&self, interval: Interval) -> Operation<'_> {
        let invocation = self.event(interval.invoked);
        let completed = (interval.completed != Interval::NEVER).then_some(interval.completed);
        let kind = completed.map_or(Kind::Info, |completed| self.event(completed).kind);
        Operation {
            process: invocation.process,
            f: invocation.f,
            key: invocation.key.as_ref(),
            input: &invocation.value,
            output: completed.filter(|_| kind == Kind::Ok).map(|completed| &self.event(completed).value),
            kind,
            invoked: interval.invoked,
            completed,
            node: invocation.node,
        }
    }

    /// The name of a node, or its number where the history has no names.
    pub fn node_name(&self, node: NodeIndex) -> String {
        self.nodes.get(usize::from(node.0)).cloned().unwrap_or_else(|| format!("node {}", node.0))
    }
}

/// Processes below this number are looked up in a vector, others in a hash map. Most runs have no others.
const FEW: usize = 1 << 16;

/// No operation.
const NONE: u32 = u32::MAX;

/// The pending operation of each process, as a position among the operations.
#[derive(Default)]
struct Pending {
    few: Vec<u32>,
    more: FxHashMap<u32, u32>,
}

impl Pending {
    /// Records that a process invoked an operation, and returns the one that was pending.
    fn insert(&mut self, process: u32, operation: u32) -> Option<u32> {
        let at = process as usize;
        if at >= FEW {
            return self.more.insert(process, operation);
        }
        if at >= self.few.len() {
            self.few.resize(at + 1, NONE);
        }
        Some(std::mem::replace(&mut self.few[at], operation)).filter(|&before| before != NONE)
    }

    /// Removes and returns the pending operation of a process.
    fn remove(&mut self, process: u32) -> Option<u32> {
        match self.few.get_mut(process as usize) {
            Some(operation) => Some(std::mem::replace(operation, NONE)).filter(|&before| before != NONE),
            None => self.more.remove(&process),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Nanos;

    fn event(process: Process, kind: Kind) -> Event {
        Event { time: Nanos::ZERO, process, kind, f: Symbol::of("read"), key: None, value: Value::Nil, error: None, node: None }
    }

    #[test]
    fn pairs_invocations_with_completions() {
        let (a, b) = (Process::Client(0), Process::Client(1));
        let history =
            History::new(vec![event(a, Kind::Invoke), event(Process::Nemesis, Kind::Info), event(b, Kind::Invoke), event(b, Kind::Ok)]);
        let operations = history.operations().unwrap();
        assert_eq!(operations.len(), 2);
        assert_eq!((operations[0].kind, operations[0].completed), (Kind::Info, None));
        assert_eq!((operations[1].kind, operations[1].completed), (Kind::Ok, Some(EventIndex(3))));
    }

    #[test]
    fn refuses_malformed_histories() {
        let a = Process::Client(0);
        let twice = History::new(vec![event(a, Kind::Invoke), event(a, Kind::Invoke)]);
        assert!(matches!(twice.operations(), Err(HistoryError::DoubleInvoke { .. })));
        let completed = History::new(vec![event(a, Kind::Ok)]);
        assert!(matches!(completed.operations(), Err(HistoryError::NotInvoked { .. })));
    }
}
