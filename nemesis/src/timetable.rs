//! What is injected when: a pure function of the plan and the seed.

use std::time::Duration;

use elenchus_core::{Rng, Seed};

use crate::{Aim, Interval, Scheduled};

/// One injection, as planned. Times count from the start of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Which line of the plan's list it is of, from 0.
    pub line: usize,
    /// The fault's name.
    pub fault: &'static str,
    /// When it is injected.
    pub at: Duration,
    /// When it is healed.
    pub until: Duration,
    /// What is done to whom.
    pub aim: Aim,
}

/// The injections of one line, without end.
pub(crate) struct Timetable<'a> {
    line: usize,
    scheduled: &'a Scheduled,
    nodes: &'a [String],
    rng: Rng,
    next: Duration,
}

impl<'a> Timetable<'a> {
    /// Every line has a random stream of its own, so that adding one does not change the others.
    pub(crate) fn new(line: usize, scheduled: &'a Scheduled, nodes: &'a [String], seed: Seed) -> Timetable<'a> {
        let mut timetable = Timetable { line, scheduled, nodes, rng: seed.stream(&format!("nemesis/{line}")), next: Duration::ZERO };
        let gap = timetable.gap();
        timetable.next = scheduled.after.map_or(gap, |after| after.0);
        timetable
    }

    fn gap(&mut self) -> Duration {
        let mean = self.scheduled.every.0.saturating_sub(self.scheduled.lasting.0);
        match self.scheduled.interval {
            Interval::Fixed => mean,
            Interval::Random => Duration::try_from_secs_f64(self.rng.exponential(mean.as_secs_f64())).unwrap_or(Duration::MAX),
        }
    }
}

impl Iterator for Timetable<'_> {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        let fault = self.scheduled.fault()?;
        let at = self.next;
        let until = at.saturating_add(self.scheduled.lasting.0);
        let aim = fault.aim(self.nodes, &mut self.rng);
        self.next = until.saturating_add(self.gap());
        Some(Planned { line: self.line, fault: fault.name(), at, until, aim })
    }
}

/// Everything that is to be injected before `limit`, in order of time. The lines have passed [`Scheduled::check`].
pub fn plan(lines: &[Scheduled], nodes: &[String], seed: Seed, limit: Duration) -> Vec<Planned> {
    let each = lines.iter().enumerate().map(|(line, scheduled)| Timetable::new(line, scheduled, nodes, seed));
    let mut planned: Vec<Planned> = each.flat_map(|timetable| timetable.take_while(|planned| planned.at < limit)).collect();
    planned.sort_by_key(|planned| (planned.at, planned.line));
    planned
}

#[cfg(test)]
mod tests {
    use elenchus_core::Span;
    use proptest::prelude::*;

    use super::*;
    use crate::partition::{Partition, Shape};

    fn nodes() -> Vec<String> {
        (1..=5).map(|number| format!("n{number}")).collect()
    }

    fn line(every: u64, lasting: u64, interval: Interval) -> Scheduled {
        let partition = Some(Partition { shape: Shape::MajorityMinority, ..Partition::default() });
        Scheduled { partition, kill: None, pause: None, every: Span::millis(every), lasting: Span::millis(lasting), after: None, interval }
    }

    proptest! {
        #[test]
        fn the_seed_decides_everything(seed: u64, every in 200u64..60_000, share in 0.01f64..0.99) {
            let random = line(every, ((every as f64 * share) as u64).max(1), Interval::Random);
            let limit = Duration::from_millis(every * 40);
            let planned = plan(std::slice::from_ref(&random), &nodes(), Seed(seed), limit);
            prop_assert_eq!(&planned, &plan(std::slice::from_ref(&random), &nodes(), Seed(seed), limit));
            prop_assert!(planned.windows(2).all(|pair| pair[0].until <= pair[1].at), "a line does not overlap itself");
            prop_assert!(planned.iter().all(|one| one.until - one.at == random.lasting.0 && one.at < limit));
            // Another line before the limit's end changes nothing of the first.
            let both = plan(&[random.clone(), line(every, 1, Interval::Fixed)], &nodes(), Seed(seed), limit);
            prop_assert_eq!(planned, both.into_iter().filter(|one| one.line == 0).collect::<Vec<_>>());
        }
    }

    #[test]
    fn fixed_intervals_are_fixed() {
        let mut fixed = line(15_000, 8_000, Interval::Fixed);
        let starts = |line: &Scheduled| {
            plan(std::slice::from_ref(line), &nodes(), Seed(1), Duration::from_secs(60))
                .iter()
                .map(|one| one.at.as_secs())
                .collect::<Vec<_>>()
        };
        assert_eq!(starts(&fixed), [7, 22, 37, 52]);
        fixed.after = Some(Span::secs(0));
        assert_eq!(starts(&fixed), [0, 15, 30, 45]);
    }

    #[test]
    fn endless_spans_do_not_overflow() {
        let mut endless = line(1, 1, Interval::Random);
        endless.every = Span(Duration::MAX);
        endless.lasting = Span(Duration::MAX - Duration::from_secs(1));
        endless.after = Some(Span(Duration::ZERO));
        assert_eq!(plan(&[endless], &nodes(), Seed(1), Duration::from_secs(60)).len(), 1);
    }
}
