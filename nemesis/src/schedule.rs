//! The schedule of injections: a pure function of the plan and the seed.

pub(crate) mod active;
pub mod line;
pub mod needs;
pub mod planned;
pub mod safety;
pub mod timetable;

use std::time::Duration;

use elenchus_core::Seed;

use crate::roster::Roster;
use line::Scheduled;
use safety::Safety;

/// The faults of one run.
#[derive(Clone, Copy, Debug)]
pub struct FaultSchedule<'a> {
    /// The lines of the plan.
    pub lines: &'a [Scheduled],
    /// The limits for all of them together.
    pub safety: &'a Safety,
    /// The source of every random choice.
    pub seed: Seed,
    /// How long clients are driven.
    pub duration: Duration,
}

impl FaultSchedule<'_> {
    /// When the quiet time before the end of the run begins; never when there is none.
    pub fn end(&self) -> Duration {
        if self.safety.quiet.0.is_zero() { Duration::MAX } else { self.duration.saturating_sub(self.safety.quiet.0) }
    }

    /// Checks every line and the limits against the nodes.
    ///
    /// # Errors
    /// The position of the line, if the error is in a line, and a message.
    pub fn check(&self, roster: &Roster) -> Result<(), (Option<usize>, String)> {
        for (line, scheduled) in self.lines.iter().enumerate() {
            scheduled.check(roster).map_err(|why| (Some(line), why))?;
        }
        self.safety.check(self.lines, roster, self.duration)
    }
}
