//! All the testimony, in real-time order.

use std::fmt;

use rustc_hash::FxHashMap;
use thiserror::Error;

use crate::{Event, EventIndex, Kind, NodeIndex, Process, Symbol, Value};

/// What a run recorded: events in the order in which they happened.
///
/// Between two events the order is the evidence: if one operation's completion stands before another's invocation, it was over before
/// the other began. Times are for people and plots; no checker of order reads them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The events; an [`EventIndex`] is a position here.
    pub events: Vec<Event>,
    /// Names of the nodes that [`Event::node`] points to.
    pub nodes: Vec<String>,
}

/// An invocation together with what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'h> {
    /// Who asked.
    pub process: Process,
    /// The function.
    pub f: Symbol,
    /// The independent object, where there are several.
    pub key: Option<&'h Value>,
    /// What was asked.
    pub input: &'h Value,
    /// What was told, when [`Operation::kind`] is `ok`.
    pub output: Option<&'h Value>,
    /// `Ok`, `Fail` or `Info`; an operation that never returned is `Info`.
    pub kind: Kind,
    /// Where it begins.
    pub invoked: EventIndex,
    /// Where it ends; none when it never returned.
    pub completed: Option<EventIndex>,
    /// The node asked.
    pub node: Option<NodeIndex>,
}

/// Where an operation begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Where it begins.
    pub invoked: EventIndex,
    /// [`Interval::NEVER`] where it never returned.
    completed: EventIndex,
}

impl Interval {
    const NEVER: EventIndex = EventIndex(u32::MAX);
}

/// What was asked and told, in a few words: `write 3`, `read → 2`, `cas 1 → 4`.
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

/// A history that no run could have recorded.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum HistoryError {
    /// A process, which does one thing at a time, asked again before it was answered.
    #[error(
        "event {second}: process {process} invokes while its operation of event {first} is still open; a process does one thing at a time"
    )]
    DoubleInvoke {
        /// The process.
        process: Process,
        /// Its open invocation.
        first: EventIndex,
        /// The one too many.
        second: EventIndex,
    },
    /// An answer without a question.
    #[error("event {event}: process {process} completes an operation that it never invoked")]
    Unasked {
        /// The process.
        process: Process,
        /// The answer.
        event: EventIndex,
    },
    /// More events than can be numbered.
    #[error("the history has {0} events; at most 2^32 - 1 can be judged")]
    TooLong(usize),
}

impl History {
    /// A history of these events, on unnamed nodes.
    pub fn new(events: Vec<Event>) -> History {
        History { events, nodes: Vec::new() }
    }

    /// The event at an index.
    pub fn event(&self, index: EventIndex) -> &Event {
        &self.events[index.0 as usize]
    }

    /// The operations of clients, in order of invocation: each invocation paired with its completion. The nemesis' events are left out.
    /// O(n).
    ///
    /// # Errors
    /// When a process invokes twice without an answer, or is answered without asking.
    pub fn operations(&self) -> Result<Vec<Operation<'_>>, HistoryError> {
        Ok(self.intervals()?.into_iter().map(|interval| self.operation(interval)).collect())
    }

    /// Where the operations of clients begin and end, in order of invocation: [`History::operations`] in a tenth of the memory. O(n).
    ///
    /// # Errors
    /// When a process invokes twice without an answer, or is answered without asking.
    pub fn intervals(&self) -> Result<Vec<Interval>, HistoryError> {
        if self.events.len() >= u32::MAX as usize {
            return Err(HistoryError::TooLong(self.events.len()));
        }
        let mut intervals: Vec<Interval> = Vec::with_capacity(self.events.len() / 2);
        let mut open = Open::default();
        for (position, event) in self.events.iter().enumerate() {
            let Process::Client(id) = event.process else {
                continue;
            };
            let index = EventIndex(position as u32);
            if event.kind == Kind::Invoke {
                if let Some(first) = open.insert(id, intervals.len() as u32) {
                    return Err(HistoryError::DoubleInvoke {
                        process: event.process,
                        first: intervals[first as usize].invoked,
                        second: index,
                    });
                }
                intervals.push(Interval { invoked: index, completed: Interval::NEVER });
            } else {
                let asked = open.remove(id).ok_or(HistoryError::Unasked { process: event.process, event: index })?;
                intervals[asked as usize].completed = index;
            }
        }
        Ok(intervals)
    }

    /// The operation that begins and ends there.
    pub fn operation(&self, interval: Interval) -> Operation<'_> {
        let asked = self.event(interval.invoked);
        let completed = (interval.completed != Interval::NEVER).then_some(interval.completed);
        let kind = completed.map_or(Kind::Info, |completed| self.event(completed).kind);
        Operation {
            process: asked.process,
            f: asked.f,
            key: asked.key.as_ref(),
            input: &asked.value,
            output: completed.filter(|_| kind == Kind::Ok).map(|completed| &self.event(completed).value),
            kind,
            invoked: interval.invoked,
            completed,
            node: asked.node,
        }
    }

    /// The name of a node, or its number where the history has no names.
    pub fn node_name(&self, node: NodeIndex) -> String {
        self.nodes.get(usize::from(node.0)).cloned().unwrap_or_else(|| format!("node {}", node.0))
    }
}

/// How many processes have what they do looked up rather than hashed: most runs have no more.
const FEW: usize = 1 << 16;

/// No operation.
const NONE: u32 = u32::MAX;

/// By process: the place of the operation that is open.
#[derive(Default)]
struct Open {
    few: Vec<u32>,
    more: FxHashMap<u32, u32>,
}

impl Open {
    /// Notes that a process has begun an operation, and returns the one it had not ended.
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

    /// Takes the operation that a process ends.
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
    fn refuses_what_no_run_records() {
        let a = Process::Client(0);
        let twice = History::new(vec![event(a, Kind::Invoke), event(a, Kind::Invoke)]);
        assert!(matches!(twice.operations(), Err(HistoryError::DoubleInvoke { .. })));
        let unasked = History::new(vec![event(a, Kind::Ok)]);
        assert!(matches!(unasked.operations(), Err(HistoryError::Unasked { .. })));
    }
}
