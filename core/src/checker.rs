//! Checkers, and what they report.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Event, EventIndex, History, Value};

/// Whether a history has a property. Ordered by gravity, so that the gravest of several is their maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It was proved that the history has the property.
    #[default]
    Valid,
    /// Neither was proved; the summary says why.
    Unknown,
    /// It was proved that the history does not have the property.
    Invalid,
}

impl Verdict {
    /// Its name: `valid`, `unknown` or `invalid`.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::Unknown => "unknown",
            Verdict::Invalid => "invalid",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A violation, with the operations that prove it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Its name in the literature: `nonlinearizable`, `G-single`, `lost-update` …
    pub name: String,
    /// The object that it is about, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Value>,
    /// One sentence that a person can check against the operations.
    pub description: String,
    /// The invocations of the operations that prove it, in order; as few as could be found.
    pub operations: Vec<EventIndex>,
    /// The proof step by step, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argument: Vec<String>,
    /// The proof as an SVG drawing in the text colour of the page around it; none where a drawing would add nothing. Not for machines.
    #[serde(skip)]
    pub picture: Option<String>,
    /// The proof drawn in text, for a terminal. Not for machines.
    #[serde(skip)]
    pub sketch: Option<String>,
}

impl fmt::Display for Anomaly {
    /// Name, key, description, drawing and argument, on several lines.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)?;
        if let Some(key) = &self.key {
            write!(out, " (key {key})")?;
        }
        write!(out, ": {}", self.description)?;
        if let Some(sketch) = &self.sketch {
            write!(out, "\n\n{}\n", sketch.trim_end())?;
        }
        self.argument.iter().try_for_each(|sentence| write!(out, "\n  - {sentence}"))
    }
}

/// The result of one checker for a history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The checker's name.
    pub checker: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// One sentence: what was proved, or why nothing could be.
    pub summary: String,
    /// The violations found. Empty unless the verdict is `Invalid`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anomalies: Vec<Anomaly>,
    /// Figures particular to the checker, for machines.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub details: serde_json::Value,
}

impl Finding {
    /// How many anomalies [`Finding`] displays.
    const DISPLAYED: usize = 3;

    /// Whether the verdict is [`Verdict::Valid`].
    pub fn is_valid(&self) -> bool {
        self.verdict == Verdict::Valid
    }

    /// Fails the test unless the verdict is [`Verdict::Valid`].
    ///
    /// # Panics
    /// When the verdict is `invalid`, with the counterexample, or `unknown`, with the reason.
    #[track_caller]
    pub fn assert_valid(&self) {
        assert!(self.is_valid(), "{self}");
    }
}

impl fmt::Display for Finding {
    /// Verdict and summary, and the first anomalies.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({}): {}", self.verdict, self.checker, self.summary)?;
        self.anomalies.iter().take(Finding::DISPLAYED).try_for_each(|anomaly| write!(out, "\n\n{anomaly}"))?;
        match self.anomalies.len().saturating_sub(Finding::DISPLAYED) {
            0 => Ok(()),
            1 => out.write_str("\n\nand 1 more anomaly"),
            more => write!(out, "\n\nand {more} more anomalies"),
        }
    }
}

/// Decides whether a history has a property.
///
/// Pure, total and deterministic: it reads nothing but the history, judges any history, and gives the same finding each time (a limit of time
/// excepted). `valid` means proved: a checker that cannot tell, or to which the history gives nothing to check, says `unknown`.
pub trait Checker: Send + Sync {
    /// Its name in plans and reports.
    fn name(&self) -> &'static str;

    /// Checks a history. A malformed history is [`Verdict::Unknown`], with the reason.
    fn check(&self, history: &History) -> Finding;

    /// Starts a check that takes the history event by event, without keeping it; none if the checker needs the whole history.
    fn reading(&self) -> Option<Box<dyn Reading + '_>> {
        None
    }

    /// Starts a watch for the first violation while the history is recorded; none if the checker needs the whole history.
    fn watch(&self) -> Option<Box<dyn Watch>> {
        None
    }
}

/// A check of a history that is still being read.
pub trait Reading {
    /// Takes the next event.
    fn take(&mut self, event: &Event);

    /// The finding for all events taken.
    fn finding(self: Box<Self>) -> Finding;
}

/// A watch for the first violation in a history that is being recorded.
pub trait Watch: Send {
    /// Takes the next event, and returns whether it is certain now that the property is violated. An event that cannot be checked is not a
    /// violation.
    fn violates(&mut self, event: &Event) -> bool;
}

/// A check as plans name it: a checker and its options. `elenchus_checkers::build` builds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckSpec {
    /// The checker's name.
    pub checker: String,
    /// Its options by name.
    #[serde(default)]
    pub options: serde_json::Map<String, serde_json::Value>,
}

impl CheckSpec {
    /// A check with default options.
    pub fn new(checker: &str) -> CheckSpec {
        CheckSpec { checker: checker.to_owned(), options: serde_json::Map::new() }
    }

    /// Sets one option.
    pub fn with(mut self, option: &str, value: impl Into<serde_json::Value>) -> CheckSpec {
        self.options.insert(option.to_owned(), value.into());
        self
    }
}
