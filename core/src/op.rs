//! History events, processes and workers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::data::Request;
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

impl NodeIndex {
    /// The node of a worker where workers are spread over all nodes in turn, of at least one.
    pub fn round_robin(worker: Worker, nodes: usize) -> NodeIndex {
        NodeIndex((usize::from(worker.0) % nodes.max(1)) as u16)
    }
}

/// A worker slot: it runs one process at a time, one after another. Where it connects is decided by the plan's placement.
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
    /// The worker that is to do it.
    pub worker: Worker,
    /// The request.
    pub request: Request,
    /// The client that carries it out: a position among the workload's [needs](crate::Workload::needs).
    pub client: u8,
    /// The node to send it to; none for the node on which the plan places the worker.
    pub node: Option<NodeIndex>,
}

impl Invocation {
    /// A request to the workload's first client, on the worker's own node.
    pub fn new(worker: Worker, request: impl Into<Request>) -> Invocation {
        Invocation { worker, request: request.into(), client: 0, node: None }
    }
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
