//! The monitor for queues.
//!
//! A history has a linearization if no element is taken twice or before its put was called, every operation that found the queue empty can
//! have done so (see [`check_empties`]), and no two elements are put in one order and taken in the other: `put a` before `put b`, yet
//! `take b` before `take a` (Henzinger, Sezgin & Vafeiadis, VOrd; Bouajjani et al. §5). Splitting at the gaps of an empty queue creates no
//! such pair, because of two elements on different sides the earlier one is put and taken first.
//!
//! An element `a` without a known take is overtaken when the take of the first `b` put after it returns: a take of an unknown element must
//! have been called by then (see [`match_takes`]). The deadlines rise with the returns of the puts, so an empty queue demands nothing more
//! of these takes than its own condition: the elements that it concerns are those with the first deadlines. The monitor is exact except for
//! elements whose known take has not returned: a take of an unknown element may have taken them earlier.

use super::cover::check_empties;
use super::lifetimes::{Action, Lifetime, Lifetimes, Transfers};
use super::unknown_takes::{Obligation, match_takes};
use super::{Approximation, BadPattern, Monitor, NEVER};
use crate::linearizable::problem::Moment;

pub(super) struct Queue<'v>(pub(super) Transfers<'v>);

impl Monitor for Queue<'_> {
    fn algorithm(&self) -> &'static str {
        "unique-queue"
    }

    fn check(&self, until: u32, approximation: Approximation) -> Result<(), BadPattern> {
        let lifetimes = self.0.lifetimes(until, approximation)?;
        self.check_take_order(&lifetimes)?;
        if !lifetimes.unknown.is_empty() {
            match_takes(&self.0, &lifetimes, self.obligations(&lifetimes))?;
        }
        check_empties(&self.0, &lifetimes)
    }

    fn is_exact(&self) -> bool {
        !self.0.has_unknown
    }

    fn is_prefix_stable(&self) -> bool {
        !self.0.has_unknown && !self.0.has_rival_takes
    }
}

impl Queue<'_> {
    fn lifetime<'l>(&self, lifetimes: &'l Lifetimes, position: u32) -> Option<&'l Lifetime> {
        match self.0.actions[position as usize] {
            Action::Put(element) => lifetimes.all.get(lifetimes.lifetime_of[element as usize] as usize),
            _ => None,
        }
    }

    /// Finds two elements that are put in one order and taken in the other.
    fn check_take_order(&self, lifetimes: &Lifetimes) -> Result<(), BadPattern> {
        let mut last: Option<&Lifetime> = None;
        for &moment in &self.0.moments[..lifetimes.until as usize] {
            match moment {
                Moment::Return(position) => {
                    let known =
                        self.lifetime(lifetimes, position).filter(|lifetime| lifetimes.unknown.is_empty() || !lifetime.has_no_take());
                    if let Some(lifetime) = known.filter(|lifetime| last.is_none_or(|last| last.take.call < lifetime.take.call)) {
                        last = Some(lifetime);
                    }
                }
                Moment::Call(position) => {
                    if let (Some(first), Some(second)) = (last, self.lifetime(lifetimes, position))
                        && second.take.ret < first.take.call
                    {
                        return Err(BadPattern::at(second.take.ret, self.0.put_and_take(first).chain(self.0.put_and_take(second))));
                    }
                }
            }
        }
        Ok(())
    }

    /// The overtaken elements without a known take.
    fn obligations(&self, lifetimes: &Lifetimes) -> Vec<Obligation> {
        let mut obligations = Vec::new();
        // Of the elements put later, the return of the first take.
        let mut first: (u32, Option<u32>) = (NEVER, None);
        for &moment in self.0.moments[..lifetimes.until as usize].iter().rev() {
            let (Moment::Call(position) | Moment::Return(position)) = moment;
            let Some(lifetime) = self.lifetime(lifetimes, position) else { continue };
            let place = lifetimes.lifetime_of[lifetime.element as usize];
            match moment {
                Moment::Call(_) if lifetime.take.ret < first.0 => first = (lifetime.take.ret, Some(place)),
                Moment::Return(_) if lifetime.has_no_take() => obligations.push(Obligation { place, deadline: first.0, witness: first.1 }),
                Moment::Call(_) | Moment::Return(_) => {}
            }
        }
        obligations
    }
}
