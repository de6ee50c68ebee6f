//! The monitor for queues.
//!
//! A history has a linearization if no element is taken twice or before its put began, all that found the queue empty can have done so
//! (see [`empties`]), and no two elements are put in in one order and taken in the other: `put a` before `put b`, yet `take b` before
//! `take a` (Henzinger, Sezgin & Vafeiadis, VOrd; Bouajjani et al. §5). Cutting at the gaps of an empty queue creates no such pair, for of two
//! elements on different sides the earlier is put and taken first.
//!
//! An element `a` that nobody is known to take is overtaken when the take of the first `b` put in after it returns: an unknown taker
//! must have begun by then (see [`settle`]). The deadlines rise with the returns of the puts, so what an empty queue demands of the
//! unknown takers adds nothing to that but its own condition: the elements that it concerns are those with the first deadlines. It is exact but
//! for elements whose known taker has not returned yet: those may have been taken by an unknown one before.

use super::cover::empties;
use super::lives::{Deed, Life, Lives, Transfers};
use super::unknown::{Debt, settle};
use super::{Breach, Monitor, NEVER, Stance};
use crate::linearizable::problem::Moment;

pub(super) struct Queue<'v>(pub(super) Transfers<'v>);

impl Monitor for Queue<'_> {
    fn algorithm(&self) -> &'static str {
        "unique-queue"
    }

    fn check(&self, until: u32, stance: Stance) -> Result<(), Breach> {
        let lives = self.0.lives(until, stance)?;
        self.overtaken(&lives)?;
        if !lives.unknown.is_empty() {
            settle(&self.0, &lives, self.debts(&lives))?;
        }
        empties(&self.0, &lives)
    }

    fn is_exact(&self) -> bool {
        !self.0.has_unknown
    }

    fn is_steady(&self) -> bool {
        !self.0.has_unknown && !self.0.has_rivals
    }
}

impl Queue<'_> {
    fn life<'l>(&self, lives: &'l Lives, position: u32) -> Option<&'l Life> {
        match self.0.deeds[position as usize] {
            Deed::Put(element) => lives.lives.get(lives.life_of[element as usize] as usize),
            _ => None,
        }
    }

    /// Two elements put in in one order and taken in the other.
    fn overtaken(&self, lives: &Lives) -> Result<(), Breach> {
        let mut last: Option<&Life> = None;
        for &moment in &self.0.moments[..lives.until as usize] {
            match moment {
                Moment::Return(position) => {
                    let known = self.life(lives, position).filter(|life| lives.unknown.is_empty() || !life.lasts());
                    if let Some(life) = known.filter(|life| last.is_none_or(|last| last.take.call < life.take.call)) {
                        last = Some(life);
                    }
                }
                Moment::Call(position) => {
                    if let (Some(first), Some(second)) = (last, self.life(lives, position))
                        && second.take.ret < first.take.call
                    {
                        return Err(Breach::at(second.take.ret, self.0.handlers(first).chain(self.0.handlers(second))));
                    }
                }
            }
        }
        Ok(())
    }

    /// The elements overtaken that nobody is known to take.
    fn debts(&self, lives: &Lives) -> Vec<Debt> {
        let mut debts = Vec::new();
        // Of those put in later, the one taken first.
        let mut first: (u32, Option<u32>) = (NEVER, None);
        for &moment in self.0.moments[..lives.until as usize].iter().rev() {
            let (Moment::Call(position) | Moment::Return(position)) = moment;
            let Some(life) = self.life(lives, position) else { continue };
            let place = lives.life_of[life.element as usize];
            match moment {
                Moment::Call(_) if life.take.ret < first.0 => first = (life.take.ret, Some(place)),
                Moment::Return(_) if life.lasts() => debts.push(Debt { place, deadline: first.0, witness: first.1 }),
                Moment::Call(_) | Moment::Return(_) => {}
            }
        }
        debts
    }
}
