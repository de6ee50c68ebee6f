//! The monitor for queues.
//!
//! A history has a linearization if no element is taken twice or before its put began, all that found the queue empty can have done so
//! (see [`empties`]), and no two elements are put in in one order and taken in the other: `put a` before `put b`, yet `take b` before
//! `take a` (Henzinger, Sezgin & Vafeiadis, VOrd; Bouajjani et al. §5). Cutting at the gaps of an empty queue creates no such pair, for of two
//! elements on different sides the earlier is put and taken first.
//!
//! An element `a` that nobody is known to take is overtaken when the take of the first `b` put in after it returns: an unknown taker
//! must have begun by then. The deadlines rise with the returns of the puts, so the unknown takers suffice if for every k the k-th deadline
//! comes after the call of the k-th of them (Hall); and what an empty queue demands of them adds nothing to that but its own condition, because
//! the elements that it concerns are those with the first deadlines.

use super::cover::empties;
use super::lives::{Deed, Life, Lives, Transfers};
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
            self.lost(&lives)?;
        }
        empties(&self.0, &lives)
    }

    fn is_exact(&self) -> bool {
        !self.0.has_unknown
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
                        return Err(Breach(self.0.handlers(first).chain(self.0.handlers(second)).collect()));
                    }
                }
            }
        }
        Ok(())
    }

    /// More elements overtaken that nobody is known to take than unknown takers.
    fn lost(&self, lives: &Lives) -> Result<(), Breach> {
        let mut deadlines: Vec<(u32, &Life, Option<&Life>)> = Vec::new();
        let mut first: Option<&Life> = None;
        for &moment in self.0.moments[..lives.until as usize].iter().rev() {
            match moment {
                Moment::Call(position) => {
                    if let Some(life) = self.life(lives, position).filter(|life| first.is_none_or(|first| life.take.ret < first.take.ret)) {
                        first = Some(life);
                    }
                }
                Moment::Return(position) => {
                    if let Some(life) = self.life(lives, position).filter(|life| life.lasts()) {
                        deadlines.push((first.map_or(NEVER, |first| first.take.ret), life, first));
                    }
                }
            }
        }
        deadlines.reverse();
        for (count, &(deadline, ..)) in deadlines.iter().enumerate() {
            if deadline != NEVER && lives.unknown.get(count).is_none_or(|&call| call > deadline) {
                let overtaken = deadlines[..=count].iter().flat_map(|&(_, life, first)| [Some(life), first]).flatten();
                let unknown = self.0.unknown_before(deadline);
                return Err(Breach(overtaken.flat_map(|life| self.0.handlers(life)).chain(unknown).collect()));
            }
        }
        Ok(())
    }
}
