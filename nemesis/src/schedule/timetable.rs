//! The timetable: which injection begins when.

use std::time::Duration;

use elenchus_core::{Rng, Seed};

use crate::fault::{Decision, Injection};
use crate::roster::Roster;
use crate::schedule::active::ActiveFault;
use crate::schedule::line::{Interval, Pick, Scheduled, When};
use crate::schedule::planned::{Planned, Start};
use crate::schedule::safety::Safety;

/// The injections of one line: endless, or until its times are used up.
struct Line<'a> {
    line: usize,
    scheduled: &'a Scheduled,
    roster: &'a Roster,
    rng: Rng,
    /// The start of the next injection, for a line with gaps.
    next: Duration,
    /// The number of injections so far.
    count: usize,
}

impl<'a> Line<'a> {
    /// Every line has its own random stream, so that adding a line does not change the others.
    fn new(line: usize, scheduled: &'a Scheduled, roster: &'a Roster, seed: Seed) -> Line<'a> {
        let rng = seed.stream(&format!("nemesis/{line}"));
        let mut made = Line { line, scheduled, roster, rng, next: Duration::ZERO, count: 0 };
        let gap = made.gap();
        made.next = scheduled.after.map_or(gap, |after| after.0);
        made
    }

    fn gap(&mut self) -> Duration {
        let Some(every) = self.scheduled.every else { return Duration::ZERO };
        let mean = every.0.saturating_sub(self.scheduled.lasting.0);
        match self.scheduled.interval {
            Interval::Fixed => self.jittered(mean),
            Interval::Random => Duration::try_from_secs_f64(self.rng.exponential(mean.as_secs_f64())).unwrap_or(Duration::MAX),
        }
    }

    /// Applies the line's jitter.
    fn jittered(&mut self, mean: Duration) -> Duration {
        let Some(jitter) = self.scheduled.jitter else { return mean };
        mean.saturating_sub(jitter.0).saturating_add(jitter.0.mul_f64(2.0 * self.rng.unit()))
    }

    /// Returns when the next injection begins and how long it lasts.
    fn time(&mut self) -> Option<(Start, Duration)> {
        let lasting = self.jittered(self.scheduled.lasting.0);
        self.count += 1;
        if let Some(operations) = self.scheduled.after_operations {
            return (self.count == 1).then_some((Start::AfterOperations(operations), lasting));
        }
        if let Some(When::PrimaryChanges) = self.scheduled.when {
            return Some((Start::PrimaryChanges, lasting));
        }
        if !self.scheduled.at.is_empty() {
            return self.scheduled.at.get(self.count - 1).map(|at| (Start::At(at.0), lasting));
        }
        let at = self.next;
        self.next = at.saturating_add(lasting).saturating_add(self.gap());
        Some((Start::At(at), lasting))
    }

    /// Chooses one of the line's faults, by weight.
    fn choice(&mut self, weights: &[u32]) -> usize {
        if weights.len() < 2 {
            return 0;
        }
        let all = weights.iter().copied().map(u64::from).sum();
        let mut left = match self.scheduled.pick {
            Pick::Random => self.rng.below(all),
            Pick::InTurn => (self.count as u64 - 1) % all,
        };
        weights.iter().position(|&weight| left.checked_sub(u64::from(weight)).map(|less| left = less).is_none()).unwrap_or(0)
    }

    /// Returns the next injection, and whether it is made: see [`Scheduled::chance`].
    fn decide(&mut self) -> Option<(Planned, bool)> {
        let (start, lasting) = self.time()?;
        let lasting = match (start, self.scheduled.until) {
            (Start::At(at), Some(until)) if at >= until.0 => return None,
            (Start::At(at), Some(until)) => lasting.min(until.0 - at),
            _ => lasting,
        };
        let faults = self.scheduled.faults();
        let choice = self.choice(&faults.iter().map(|(_, weight)| *weight).collect::<Vec<u32>>());
        let (fault, _) = faults.get(choice)?;
        let decision = fault.decide(self.roster, &mut self.rng);
        let is_made = self.scheduled.chance.is_none_or(|chance| self.rng.chance(chance));
        Some((Planned { line: self.line, choice, fault: fault.name(), start, lasting, decision }, is_made))
    }
}

impl Iterator for Line<'_> {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        loop {
            let (planned, is_made) = self.decide()?;
            // Without the second condition, a line of which nothing is ever made would loop forever.
            if is_made || planned.start == Start::At(Duration::MAX) {
                return Some(planned);
            }
        }
    }
}

/// Returns the injection of a line for each event that it waits for; `None` for one that is not made, by [`Scheduled::chance`].
pub(crate) fn at_each_event<'a>(
    lines: &'a [Scheduled],
    line: usize,
    roster: &'a Roster,
    seed: Seed,
) -> impl Iterator<Item = Option<Planned>> + use<'a> {
    let mut made = lines.get(line).map(|scheduled| Line::new(line, scheduled, roster, seed));
    std::iter::from_fn(move || made.as_mut()?.decide().map(|(planned, is_made)| is_made.then_some(planned)))
}

/// The injections of all lines, in order of time, without those that [`Safety`] or a group forbids.
pub(crate) struct Timetable<'a> {
    lines: Vec<(Line<'a>, Option<Planned>)>,
    scheduled: &'a [Scheduled],
    safety: &'a Safety,
    nodes: usize,
    /// The injections in force when the next begins, with their ends.
    active: Vec<(Duration, ActiveFault)>,
}

impl<'a> Timetable<'a> {
    /// The lines must have passed [`Scheduled::check`].
    pub(crate) fn new(lines: &'a [Scheduled], safety: &'a Safety, roster: &'a Roster, seed: Seed) -> Timetable<'a> {
        let with_first = lines.iter().enumerate().map(|(line, scheduled)| {
            let mut made = Line::new(line, scheduled, roster, seed);
            let first = made.next();
            (made, first)
        });
        Timetable { lines: with_first.collect(), scheduled: lines, safety, nodes: roster.count(), active: Vec::new() }
    }

    /// The earliest injection of all lines, allowed or not.
    fn earliest(&mut self) -> Option<Planned> {
        let waiting = self.lines.iter_mut().filter(|(_, next)| next.is_some());
        let (line, next) = waiting.min_by_key(|(_, next)| next.as_ref().map(Planned::at))?;
        // The injections of a line that waits for events are decided at the events.
        let following = if line.scheduled.when.is_some() { None } else { line.next() };
        std::mem::replace(next, following)
    }
}

impl Iterator for Timetable<'_> {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        loop {
            let planned = self.earliest()?;
            let Start::At(at) = planned.start else { return Some(planned) };
            self.active.retain(|(until, _)| *until > at);
            let unknown = Injection::default();
            let injection = match &planned.decision {
                Decision::Injection(injection) => injection,
                Decision::Primaries { .. } => &unknown,
            };
            let new = ActiveFault::new(self.scheduled, &planned, 0, injection)?;
            let is_allowed = self.safety.objection(self.active.iter().map(|(_, active)| active), &new, self.nodes).is_none();
            if is_allowed {
                self.active.push((planned.until(), new));
                return Some(planned);
            }
            if at == Duration::MAX {
                return None;
            }
        }
    }
}

/// Returns every injection that begins before `limit`, in order of time. The lines must have passed [`Scheduled::check`].
pub fn plan(lines: &[Scheduled], safety: &Safety, roster: &Roster, seed: Seed, limit: Duration) -> Vec<Planned> {
    Timetable::new(lines, safety, roster, seed).take_while(|planned| planned.at() < limit).collect()
}

#[cfg(test)]
mod tests;
