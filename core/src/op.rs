//! History events, processes and workers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Nanos, Symbol, Value};

/// A position in a history. Events are numbered from 0, in real-time order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventIndex(pub u32);

impl fmt::Display for EventIndex {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "#{}", self.0)
    }
}

/// A node of the system: its position in the plan's list of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeIndex(pub u16);

/// A worker slot, which runs one process at a time. Worker `w` connects to node `w mod nodes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Worker(pub u16);

/// A logical, single-threaded client, or the nemesis. A process whose operation crashed (`info`) invokes no further operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Process {
    /// A client's process.
    Client(u32),
    /// The process that injects faults.
    Nemesis,
}

impl fmt::Display for Process {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Process::Client(id) => write!(out, "{id}"),
            Process::Nemesis => out.write_str("nemesis"),
        }
    }
}

/// The type of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Kind {
    /// An invocation.
    Invoke,
    /// A completion: the operation took effect.
    Ok,
    /// A completion: the operation certainly did not take effect and never will.
    Fail,
    /// A crash: the outcome is unknown; the operation may take effect now, later or never.
    Info,
}

impl Kind {
    /// Returns the word used in histories.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Invoke => "invoke",
            Kind::Ok => "ok",
            Kind::Fail => "fail",
            Kind::Info => "info",
        }
    }

    /// Parses the word used in histories.
    pub fn parse(word: &str) -> Option<Kind> {
        [Kind::Invoke, Kind::Ok, Kind::Fail, Kind::Info].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// An operation that a generator assigns to a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// The worker.
    pub worker: Worker,
    /// The function: `read`, `write`, `cas`, `txn` …
    pub f: Symbol,
    /// The key of the object, where the workload has several independent objects.
    pub key: Option<Value>,
    /// The argument.
    pub value: Value,
}

/// A recorded event: an invocation or a completion.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The time, on the control node's monotonic clock.
    pub time: Nanos,
    /// The process.
    pub process: Process,
    /// Invocation, or type of completion.
    pub kind: Kind,
    /// The function: `read`, `write`, `cas`, `txn` …
    pub f: Symbol,
    /// The key of the object, where the workload has several independent objects.
    pub key: Option<Value>,
    /// The argument of an invocation, the result if `ok`; again the argument if `fail` or `info`.
    pub value: Value,
    /// The error message of a `fail` or `info`, from the client or the system.
    pub error: Option<Box<str>>,
    /// The node that the operation was sent to, if any.
    pub node: Option<NodeIndex>,
}

impl fmt::Display for Event {
    /// One line in the style of Jepsen's logs: `3 ok read [5 2]`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} {}", self.process, self.kind.as_str(), self.f)?;
        if let Some(key) = &self.key {
            write!(out, " {key}")?;
        }
        write!(out, " {}", self.value)?;
        match &self.error {
            Some(error) => write!(out, " ({error})"),
            None => Ok(()),
        }
    }
}
