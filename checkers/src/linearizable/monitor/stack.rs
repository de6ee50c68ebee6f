//! The monitor for stacks, by peeling (Lee & Mathur §5; the splits are those of Abdulla et al. §4).
//!
//! Three rules decompose a history without changing whether it has a linearization:
//! 1. An element whose put and take overlap can be put and taken at one moment: it can be removed.
//! 2. At a gap that no presence covers, the history splits: no constraint crosses it (see [`check_empties`]).
//! 3. Between two splits lies a run of covered gaps: the stack is never empty there, so one element is at the bottom throughout. Its put
//!    was called before the run, before any put returned, and its take returns after the run, after all takes were called. Any such element
//!    may be the bottom, because all others fit between its put and its take; it can be removed. If there is none, no linearization exists.
//!
//! Removing an element shortens or splits the run, so that other elements qualify; an element never ceases to qualify. Each element is
//! removed once, found in a tree over the returns of the puts: O(n log n).
//!
//! With takes of unknown elements the monitor is not exact. An element without a known take must have been taken by one of them before an
//! element is taken that was put before it and was certainly below it. The monitor rejects a history if these deadlines cannot be met (see
//! [`match_takes`]), or if it is not linearizable even without the elements that have no known take. It accepts a history that is
//! linearizable with the deadlines met in that way.

use super::cover::{Cover, chain, check_empties};
use super::lifetimes::{Lifetime, Lifetimes, Transfers};
use super::segment_tree::{CountTree, MaxTree};
use super::unknown_takes::{Obligation, assign, first_empty_after, match_takes};
use super::{Approximation, BadPattern, Monitor, NEVER, NONE};

pub(super) struct Stack<'v>(pub(super) Transfers<'v>);

impl Monitor for Stack<'_> {
    fn algorithm(&self) -> &'static str {
        "unique-stack"
    }

    fn check(&self, until: u32, approximation: Approximation) -> Result<(), BadPattern> {
        let mut lifetimes = self.0.lifetimes(until, approximation)?;
        if !lifetimes.unknown.is_empty() {
            let matched = match_takes(&self.0, &lifetimes, obligations(&lifetimes))?;
            if approximation == Approximation::Under {
                assign(matched, &mut lifetimes);
            }
        }
        check_empties(&self.0, &lifetimes)?;
        Peeling::new(&lifetimes).peel().map_err(|(links, end)| {
            let (links, end) = crossed_pair(&lifetimes).unwrap_or((links, end));
            BadPattern::at(end, links.into_iter().flat_map(|lifetime| self.0.put_and_take(lifetime)))
        })
    }

    fn is_exact(&self) -> bool {
        !self.0.has_unknown
    }

    fn is_prefix_stable(&self) -> bool {
        !self.0.has_unknown && !self.0.has_rival_takes
    }
}

/// The elements without a known take although an element certainly below them was taken, or the stack was found empty.
fn obligations(lifetimes: &Lifetimes) -> Vec<Obligation> {
    let emptied_at = first_empty_after(lifetimes);
    let mut taken_at = vec![NONE; lifetimes.until as usize + 1];
    let mut put_at = vec![NONE; lifetimes.until as usize + 1];
    for (lifetime, place) in lifetimes.all.iter().zip(0..).filter(|(lifetime, _)| lifetime.put.ret != NEVER) {
        put_at[lifetime.put.ret as usize] = place;
        if lifetime.take.ret != NEVER {
            taken_at[lifetime.take.call as usize] = place;
        }
    }
    // By the return of the put of elements whose take was called later: the complement of the return of the take.
    let mut taken = MaxTree::new(lifetimes.until as usize + 1);
    let mut obligations = Vec::new();
    for at in (0..lifetimes.until as usize).rev() {
        if let Some(lifetime) = lifetimes.all.get(taken_at[at] as usize) {
            taken.set(lifetime.put.ret as usize, !lifetime.take.ret);
        }
        let place = put_at[at];
        if let Some(lifetime) = lifetimes.all.get(place as usize).filter(|lifetime| lifetime.has_no_take()) {
            let (below, greatest) = taken.maximum(0, lifetime.put.call as usize);
            let (by_take, by_empty) = (!greatest, emptied_at[at]);
            let witness = Some(put_at[below]).filter(|_| by_take <= by_empty && greatest > 0);
            obligations.push(Obligation { place, deadline: by_take.min(by_empty), witness });
        }
    }
    obligations
}

/// Two elements of which the lower was certainly taken before the upper, with the return of that take; of several, the first to return.
fn crossed_pair(lifetimes: &Lifetimes) -> Option<(Vec<&Lifetime>, u32)> {
    let counts = |lifetime: &&Lifetime| lifetime.presence().is_some() && (lifetimes.unknown.is_empty() || !lifetime.has_no_take());
    let mut put_at = vec![NONE; lifetimes.until as usize + 1];
    let mut by_call = vec![NONE; lifetimes.until as usize + 1];
    let mut taken_at = vec![NONE; lifetimes.until as usize + 1];
    for (lifetime, place) in lifetimes.all.iter().zip(0..).filter(|(lifetime, _)| counts(lifetime)) {
        put_at[lifetime.put.ret as usize] = place;
        by_call[lifetime.put.call as usize] = place;
        taken_at[lifetime.take.call as usize] = place;
    }
    // By the call of the put of elements whose put has returned: the call of the take.
    let mut presence = MaxTree::new(lifetimes.until as usize + 1);
    let mut first: Option<(&Lifetime, &Lifetime)> = None;
    for at in 0..lifetimes.until as usize {
        if let Some(lifetime) = lifetimes.all.get(put_at[at] as usize) {
            presence.set(lifetime.put.call as usize, lifetime.take.call);
        }
        let Some(lower) = lifetimes.all.get(taken_at[at] as usize) else { continue };
        if first.is_none_or(|(first, _)| lower.take.ret < first.take.ret)
            && let Some(call) = presence.above(lower.put.ret as usize, at, lower.take.ret)
            && let Some(upper) = lifetimes.all.get(by_call[call] as usize)
        {
            first = Some((lower, upper));
        }
    }
    first.map(|(lower, upper)| (vec![lower, upper], lower.take.ret))
}

/// The remaining elements. Cell `c` is the run of gaps after mark `c`, up to the next one, in which the same elements are present.
struct Peeling<'l> {
    /// The moments at which presences begin and end, in order.
    marks: Vec<u32>,
    /// By mark at which a presence begins: its element, and the cell in which it has ended.
    presences: Vec<Option<(&'l Lifetime, u32)>>,
    /// The marks at which no remaining presence begins.
    removed: Cover,
    /// By cell: the number of elements present.
    counts: CountTree,
    /// By mark at which a presence begins: the complement of the call of the put; 0 once that is before the run.
    unready: MaxTree,
    /// By the same: the return of the take, once the put was called before the run.
    ready: MaxTree,
}

impl<'l> Peeling<'l> {
    fn new(lifetimes: &'l Lifetimes) -> Peeling<'l> {
        let present = || {
            lifetimes
                .all
                .iter()
                .filter(|lifetime| lifetimes.unknown.is_empty() || !lifetime.has_no_take())
                .filter(|lifetime| lifetime.presence().is_some())
        };
        // By moment: the element whose presence begins there, and below the number of the mark.
        let mut begins = vec![NONE; lifetimes.until as usize + 1];
        let mut ends = vec![false; lifetimes.until as usize + 1];
        for (place, lifetime) in present().enumerate() {
            begins[lifetime.put.ret as usize] = place as u32;
            ends[lifetime.take.call as usize] = true;
        }
        let placed: Vec<&Lifetime> = present().collect();
        let mut marks = Vec::with_capacity(2 * placed.len());
        let mut begun = Vec::with_capacity(2 * placed.len());
        let mut mark_of = vec![NONE; lifetimes.until as usize + 1];
        for at in 0..=lifetimes.until {
            let place = begins[at as usize];
            if place != NONE || ends[at as usize] {
                mark_of[at as usize] = marks.len() as u32;
                marks.push(at);
                begun.push(placed.get(place as usize).copied());
            }
        }
        let presences: Vec<_> =
            begun.into_iter().map(|lifetime| lifetime.map(|lifetime| (lifetime, mark_of[lifetime.take.call as usize]))).collect();
        let mut changes = vec![0; marks.len() + 1];
        let mut removed = Cover::new(marks.len() as u32);
        for (mark, presence) in presences.iter().enumerate() {
            match presence {
                Some((_, end)) => {
                    changes[mark] += 1;
                    changes[*end as usize] -= 1;
                }
                None => removed.fill((mark as u32, mark as u32)),
            }
        }
        let mut count = 0;
        let counts = CountTree::of(changes.iter().map(|change| {
            count += change;
            count
        }));
        let unready = MaxTree::of(presences.iter().map(|presence| presence.map_or(0, |(lifetime, _)| !lifetime.put.call)));
        let ready = MaxTree::new(marks.len());
        Peeling { marks, presences, removed, counts, unready, ready }
    }

    /// Removes one element after another.
    ///
    /// # Errors
    /// A few elements that cover a run at whose bottom none of them can be, and the end of the run.
    fn peel(mut self) -> Result<(), (Vec<&'l Lifetime>, u32)> {
        let mut parts = vec![(0, self.marks.len())];
        while let Some((from, to)) = parts.pop() {
            let start = self.removed.free(from as u32) as usize;
            if start >= to {
                continue;
            }
            // The last presence ends at a mark, so a run does too.
            let end = self.counts.zero(start).min(to);
            if end < to {
                parts.push((end, to));
            }
            let Some(bottom) = self.bottom(start, end) else { return Err((self.links(start, end), self.marks[end])) };
            self.remove(bottom);
            parts.push((start, end));
        }
        Ok(())
    }

    /// The mark of an element that can be at the bottom from one mark to another.
    fn bottom(&mut self, start: usize, end: usize) -> Option<usize> {
        while let Some(mark) = self.unready.above(start, end, !self.marks[start]) {
            self.unready.set(mark, 0);
            if let Some((lifetime, _)) = self.presences[mark] {
                self.ready.set(mark, lifetime.take.ret);
            }
        }
        self.ready.above(start, end, self.marks[end])
    }

    fn remove(&mut self, mark: usize) {
        if let Some((_, end)) = self.presences[mark].take() {
            self.counts.decrease(mark, end as usize);
            self.ready.set(mark, 0);
            self.removed.fill((mark as u32, mark as u32));
        }
    }

    fn links(&self, start: usize, end: usize) -> Vec<&'l Lifetime> {
        let left = self.presences[start..end].iter().flatten().map(|&(lifetime, _)| lifetime);
        chain(left, (self.marks[start] + 1, self.marks[end])).unwrap_or_default()
    }
}
