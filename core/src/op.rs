//! One line of testimony, and the names of who gave it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::data::Request;
use crate::{Nanos, Symbol, Value};

/// A position in a history: events are numbered from 0 in real-time order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventIndex(pub u32);

impl fmt::Display for EventIndex {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "#{}", self.0)
    }
}

/// A node of the system under test: its position in the plan's list of nodes.
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

/// A logical, single-threaded client, or the nemesis. A process whose operation ended in `info` never speaks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Process {
    /// A client's process.
    Client(u32),
    /// The one that breaks things.
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

/// What an event says of its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Kind {
    /// The operation was asked for.
    Invoke,
    /// It happened.
    Ok,
    /// It certainly did not happen, and never will.
    Fail,
    /// Nobody knows: it may take effect now, later or never.
    Info,
}

impl Kind {
    /// The word used in histories.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Invoke => "invoke",
            Kind::Ok => "ok",
            Kind::Fail => "fail",
            Kind::Info => "info",
        }
    }

    /// The kind for a word, if it is one.
    pub fn parse(word: &str) -> Option<Kind> {
        [Kind::Invoke, Kind::Ok, Kind::Fail, Kind::Info].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What a generator asks a worker to do.
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

/// One recorded moment: an invocation or a completion.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When, on the control node's monotonic clock.
    pub time: Nanos,
    /// Who.
    pub process: Process,
    /// Whether it was asked for, or what became of it.
    pub kind: Kind,
    /// The function: `read`, `write`, `cas`, `txn` …
    pub f: Symbol,
    /// The independent object it concerns, where the workload has several.
    pub key: Option<Value>,
    /// The argument when invoked, the result when ok; the argument again when failed or unknown.
    pub value: Value,
    /// Why it failed or is unknown, in the system's words.
    pub error: Option<Box<str>>,
    /// The node it was sent to, where there is one.
    pub node: Option<NodeIndex>,
}

impl fmt::Display for Event {
    /// One line in the manner of Jepsen's logs: `3 ok read [5 2]`.
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
