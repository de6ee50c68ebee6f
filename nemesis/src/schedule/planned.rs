//! One injection of a timetable.

use std::time::Duration;

use crate::fault::{Decision, Fault};
use crate::schedule::line::Scheduled;

/// When an injection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// This long after the start of the run.
    At(Duration),
    /// When the clients have completed this many operations.
    AfterOperations(u64),
    /// Each time that a node is seen as primary that was not before.
    PrimaryChanges,
}

/// One injection, as planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The position of its line in the plan's list, from 0.
    pub line: usize,
    /// The position of its fault among the line's faults, from 0.
    pub choice: usize,
    /// The fault's name.
    pub fault: &'static str,
    /// When it is injected.
    pub start: Start,
    /// How long it lasts before it is healed.
    pub lasting: Duration,
    /// Its targets and details.
    pub decision: Decision,
}

impl Planned {
    /// Returns its fault.
    pub fn of<'a>(&self, lines: &'a [Scheduled]) -> Option<&'a dyn Fault> {
        lines.get(self.line)?.faults().get(self.choice).map(|(fault, _)| *fault)
    }

    pub(super) fn at(&self) -> Duration {
        match self.start {
            Start::At(at) => at,
            Start::AfterOperations(_) | Start::PrimaryChanges => Duration::ZERO,
        }
    }

    pub(super) fn until(&self) -> Duration {
        self.at().saturating_add(self.lasting)
    }
}
