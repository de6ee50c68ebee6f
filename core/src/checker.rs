//! What the testimony proves.

use serde::{Deserialize, Serialize};

use crate::{Event, EventIndex, History, Value};

/// A judgement. Ordered by gravity, so that the gravest of several is their maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The promise was proved to hold for this history.
    #[default]
    Valid,
    /// Nothing was proved, for a stated reason.
    Unknown,
    /// The promise was proved broken.
    Invalid,
}

impl Verdict {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::Unknown => "unknown",
            Verdict::Invalid => "invalid",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A broken promise, with the operations that prove it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Its name in the field: `nonlinearizable`, `G-single`, `lost-update` …
    pub name: String,
    /// The object it concerns, where the workload has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Value>,
    /// One sentence that a person can check against the operations.
    pub description: String,
    /// The invocations of the operations that prove it, in order; as few as could be found.
    pub operations: Vec<EventIndex>,
    /// The argument step by step, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argument: Vec<String>,
    /// The proof drawn, as SVG that takes its ink from where it stands; none where the operations alone say it all. Not for machines.
    #[serde(skip)]
    pub picture: Option<String>,
    /// The proof drawn in text, for a terminal. Not for machines.
    #[serde(skip)]
    pub sketch: Option<String>,
}

/// What one checker found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The checker's name.
    pub checker: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// One sentence: what was proved, or why nothing could be.
    pub summary: String,
    /// What was found broken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anomalies: Vec<Anomaly>,
    /// Figures particular to the checker, for machines.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub details: serde_json::Value,
}

/// Decides whether a history keeps one promise. Pure, total and deterministic: it reads nothing but the history.
pub trait Checker: Send + Sync {
    /// Its name, as plans and reports have it.
    fn name(&self) -> &'static str;

    /// Judges the history. A malformed history is [`Verdict::Unknown`], with the reason.
    fn check(&self, history: &History) -> Finding;

    /// The same for a history that comes event by event and need not be held whole; none where the checker must see all of it.
    fn reading(&self) -> Option<Box<dyn Reading + '_>> {
        None
    }

    /// A look-out for the first violation, while the history is recorded; none where the checker must see all of it.
    fn watch(&self) -> Option<Box<dyn Watch>> {
        None
    }
}

/// Follows a history while it is recorded.
pub trait Watch: Send {
    /// Takes the next event; whether it is certain now that the promise is broken. What cannot be judged is not a violation.
    fn is_broken_by(&mut self, event: &Event) -> bool;
}

/// A check of a history that is still being read.
pub trait Reading {
    /// Takes the next event.
    fn take(&mut self, event: &Event);

    /// What was found in all that was taken.
    fn finding(self: Box<Self>) -> Finding;
}

/// A check as a workload asks for it: the checker's name and its options, resolved by whoever knows the checkers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckSpec {
    /// The checker's name.
    pub checker: String,
    /// Its options by name.
    #[serde(default)]
    pub options: serde_json::Map<String, serde_json::Value>,
}

impl CheckSpec {
    /// A check with the checker's own defaults.
    pub fn new(checker: &str) -> CheckSpec {
        CheckSpec { checker: checker.to_owned(), options: serde_json::Map::new() }
    }

    /// The same check with one option set.
    pub fn with(mut self, option: &str, value: impl Into<serde_json::Value>) -> CheckSpec {
        self.options.insert(option.to_owned(), value.into());
        self
    }
}
