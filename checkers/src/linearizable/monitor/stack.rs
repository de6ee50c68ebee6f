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
//! With takers of nobody knows what it is not exact. An element that nobody is known to take must have been taken by one of them before one
//! is taken that was put in before it and certainly lay below it; if these deadlines cannot be met (see [`settle`]), or the history is
//! not linearizable even without the elements that nobody is known to take, it is rejected. If it is linearizable with the deadlines met in that
//! way, it is accepted.

use super::cover::{Cover, chain, empties};
use super::lives::{Life, Lives, Transfers};
use super::tree::{Counts, Greatest};
use super::unknown::{Debt, apply, emptied_after, settle};
use super::{Breach, Monitor, NEVER, NONE, Stance};

pub(super) struct Stack<'v>(pub(super) Transfers<'v>);

impl Monitor for Stack<'_> {
    fn algorithm(&self) -> &'static str {
        "unique-stack"
    }

    fn check(&self, until: u32, stance: Stance) -> Result<(), Breach> {
        let mut lives = self.0.lives(until, stance)?;
        if !lives.unknown.is_empty() {
            let settled = settle(&self.0, &lives, debts(&lives))?;
            if stance == Stance::Cautious {
                apply(settled, &mut lives);
            }
        }
        empties(&self.0, &lives)?;
        Peeling::new(&lives).peel().map_err(|(links, end)| {
            let (links, end) = crossed(&lives).unwrap_or((links, end));
            Breach::at(end, links.into_iter().flat_map(|life| self.0.handlers(life)))
        })
    }

    fn is_exact(&self) -> bool {
        !self.0.has_unknown
    }

    fn is_steady(&self) -> bool {
        !self.0.has_unknown && !self.0.has_rivals
    }
}

/// The elements that nobody is known to take although one certainly below them was taken, or the stack was found empty.
fn debts(lives: &Lives) -> Vec<Debt> {
    let emptied = emptied_after(lives);
    let mut taken_at = vec![NONE; lives.until as usize + 1];
    let mut put_at = vec![NONE; lives.until as usize + 1];
    for (life, place) in lives.lives.iter().zip(0..).filter(|(life, _)| life.put.ret != NEVER) {
        put_at[life.put.ret as usize] = place;
        if life.take.ret != NEVER {
            taken_at[life.take.call as usize] = place;
        }
    }
    // By the return of the put of those whose take was called later: the complement of the return of the take.
    let mut taken = Greatest::new(lives.until as usize + 1);
    let mut debts = Vec::new();
    for at in (0..lives.until as usize).rev() {
        if let Some(life) = lives.lives.get(taken_at[at] as usize) {
            taken.set(life.put.ret as usize, !life.take.ret);
        }
        let place = put_at[at];
        if let Some(life) = lives.lives.get(place as usize).filter(|life| life.lasts()) {
            let (below, greatest) = taken.greatest(0, life.put.call as usize);
            let (by_take, by_empty) = (!greatest, emptied[at]);
            let witness = Some(put_at[below]).filter(|_| by_take <= by_empty && greatest > 0);
            debts.push(Debt { place, deadline: by_take.min(by_empty), witness });
        }
    }
    debts
}

/// Two elements of which the lower was certainly taken before the upper, and when: the first such take to return.
fn crossed(lives: &Lives) -> Option<(Vec<&Life>, u32)> {
    let counts = |life: &&Life| life.stay().is_some() && (lives.unknown.is_empty() || !life.lasts());
    let mut put_at = vec![NONE; lives.until as usize + 1];
    let mut by_call = vec![NONE; lives.until as usize + 1];
    let mut taken_at = vec![NONE; lives.until as usize + 1];
    for (life, place) in lives.lives.iter().zip(0..).filter(|(life, _)| counts(life)) {
        put_at[life.put.ret as usize] = place;
        by_call[life.put.call as usize] = place;
        taken_at[life.take.call as usize] = place;
    }
    // By the call of the put of those whose put has returned: the call of the take.
    let mut stay = Greatest::new(lives.until as usize + 1);
    let mut first: Option<(&Life, &Life)> = None;
    for at in 0..lives.until as usize {
        if let Some(life) = lives.lives.get(put_at[at] as usize) {
            stay.set(life.put.call as usize, life.take.call);
        }
        let Some(lower) = lives.lives.get(taken_at[at] as usize) else { continue };
        if first.is_none_or(|(first, _)| lower.take.ret < first.take.ret)
            && let Some(call) = stay.above(lower.put.ret as usize, at, lower.take.ret)
            && let Some(upper) = lives.lives.get(by_call[call] as usize)
        {
            first = Some((lower, upper));
        }
    }
    first.map(|(lower, upper)| (vec![lower, upper], lower.take.ret))
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
    /// A few that fill a run at whose bottom none of them can lie, and its end.
    fn peel(mut self) -> Result<(), (Vec<&'l Life>, u32)> {
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
            let Some(bottom) = self.bottom(start, end) else { return Err((self.links(start, end), self.marks[end])) };
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
