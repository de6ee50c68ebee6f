//! One line of testimony, and the names of who gave it.

use std::fmt;

use serde::{Deserialize, Serialize};

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

/// A seat at the table: it plays one process after another. Worker `w` speaks to node `w mod nodes`.
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
    /// Who is to do it.
    pub worker: Worker,
    /// The function: `read`, `write`, `cas`, `txn` …
    pub f: Symbol,
    /// The independent object it concerns, where the workload has several.
    pub key: Option<Value>,
    /// Its argument.
    pub value: Value,
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
