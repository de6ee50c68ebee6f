//! The monitor for stacks, by peeling (Lee & Mathur §5; the splits are those of Abdulla et al. §4).
//!
//! Three rules take a history apart without changing whether it has a linearization:
//! 1. An element whose put and take overlap can be put in and taken out at one moment: it can be left out.
//! 2. At a gap that no stay fills, the history splits: no constraint crosses it (see [`empties`]).
//! 3. What is left between two splits is a run of gaps, all filled: the stack is never empty there, so one element lies at the bottom
//!    throughout. Its put was called before the run, before any put returned, and its take returns after the run, after all takes were
//!    called. Any such element may be that one, for all others fit between its put and its take; it can be left out. If there is
//!    none, there is no linearization.
//!
//! Leaving an element out shortens the run or splits it, so that others qualify; they never cease to. Each element is left out once, found in
//! a tree over the returns of the puts: O(n log n).
//!
//! With takers of nobody knows what it is not exact: it accepts what is linearizable without them, and rejects what is not
//! linearizable even without the elements that nobody is known to take.

use super::cover::{Cover, chain, empties};
use super::lives::{Life, Lives, Transfers};
use super::tree::{Counts, Greatest};
use super::{Breach, Monitor, NONE, Stance};

pub(super) struct Stack<'v>(pub(super) Transfers<'v>);

impl Monitor for Stack<'_> {
    fn algorithm(&self) -> &'static str {
        "unique-stack"
    }

    fn check(&self, until: u32, stance: Stance) -> Result<(), Breach> {
        let mut lives = self.0.lives(until, stance)?;
        if stance == Stance::Cautious {
            lives.unknown.clear();
        }
        empties(&self.0, &lives)?;
        let peeling = Peeling::new(&lives);
        peeling.peel().map_err(|links| Breach(links.into_iter().flat_map(|life| self.0.handlers(life)).collect()))
    }

    fn is_exact(&self) -> bool {
        !self.0.has_unknown
    }
}

/// What is left of a history. Cell `c` is the run of gaps after mark `c`, up to the next one, in which the same elements stay.
struct Peeling<'l> {
    /// The moments at which stays begin and end, in order.
    marks: Vec<u32>,
    /// By mark at which a stay begins: whose, and the cell in which it has ended.
    stays: Vec<Option<(&'l Life, u32)>>,
    /// The marks at which no stay of what is left begins.
    gone: Cover,
    /// By cell: how many stay.
    counts: Counts,
    /// By mark at which a stay begins: the complement of the call of the put; 0 once that is before the run.
    unready: Greatest,
    /// By the same: the return of the take, once the put was called before the run.
    ready: Greatest,
}

impl<'l> Peeling<'l> {
    fn new(lives: &'l Lives) -> Peeling<'l> {
        let staying = || lives.lives.iter().filter(|life| lives.unknown.is_empty() || !life.lasts()).filter(|life| life.stay().is_some());
        // By moment, first whose stay begins there and then the number of the mark.
        let mut begins = vec![NONE; lives.until as usize + 1];
        let mut ends = vec![false; lives.until as usize + 1];
        for (place, life) in staying().enumerate() {
            begins[life.put.ret as usize] = place as u32;
            ends[life.take.call as usize] = true;
        }
        let placed: Vec<&Life> = staying().collect();
        let mut marks = Vec::with_capacity(2 * placed.len());
        let mut begun = Vec::with_capacity(2 * placed.len());
        let mut mark_of = vec![NONE; lives.until as usize + 1];
        for at in 0..=lives.until {
            let place = begins[at as usize];
            if place != NONE || ends[at as usize] {
                mark_of[at as usize] = marks.len() as u32;
                marks.push(at);
                begun.push(placed.get(place as usize).copied());
            }
        }
        let stays: Vec<_> = begun.into_iter().map(|life| life.map(|life| (life, mark_of[life.take.call as usize]))).collect();
        let mut changes = vec![0; marks.len() + 1];
        let mut gone = Cover::new(marks.len() as u32);
        for (mark, stay) in stays.iter().enumerate() {
            match stay {
                Some((_, end)) => {
                    changes[mark] += 1;
                    changes[*end as usize] -= 1;
                }
                None => gone.fill((mark as u32, mark as u32)),
            }
        }
        let mut count = 0;
        let counts = Counts::of(changes.iter().map(|change| {
            count += change;
            count
        }));
        let unready = Greatest::of(stays.iter().map(|stay| stay.map_or(0, |(life, _)| !life.put.call)));
        let ready = Greatest::new(marks.len());
        Peeling { marks, stays, gone, counts, unready, ready }
    }

    /// Leaves out one element after another.
    ///
    /// # Errors
    /// A few that fill a run at whose bottom none of them can lie.
    fn peel(mut self) -> Result<(), Vec<&'l Life>> {
        let mut parts = vec![(0, self.marks.len())];
        while let Some((from, to)) = parts.pop() {
            let start = self.gone.free(from as u32) as usize;
            if start >= to {
                continue;
            }
            // The last stay ends at a mark, so a run does too.
            let end = self.counts.zero(start).min(to);
            if end < to {
                parts.push((end, to));
            }
            let Some(bottom) = self.bottom(start, end) else { return Err(self.links(start, end)) };
            self.leave_out(bottom);
            parts.push((start, end));
        }
        Ok(())
    }

    /// The mark of an element that can lie at the bottom from one mark to another.
    fn bottom(&mut self, start: usize, end: usize) -> Option<usize> {
        while let Some(mark) = self.unready.above(start, end, !self.marks[start]) {
            self.unready.set(mark, 0);
            if let Some((life, _)) = self.stays[mark] {
                self.ready.set(mark, life.take.ret);
            }
        }
        self.ready.above(start, end, self.marks[end])
    }

    fn leave_out(&mut self, mark: usize) {
        if let Some((_, end)) = self.stays[mark].take() {
            self.counts.decrease(mark, end as usize);
            self.ready.set(mark, 0);
            self.gone.fill((mark as u32, mark as u32));
        }
    }

    fn links(&self, start: usize, end: usize) -> Vec<&'l Life> {
        let left = self.stays[start..end].iter().flatten().map(|&(life, _)| life);
        chain(left, (self.marks[start] + 1, self.marks[end])).unwrap_or_default()
    }
}
