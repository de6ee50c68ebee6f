//! The monitor for priority queues.
//!
//! Who takes `x` finds none smaller: for the elements below `x`, the take of `x` is as one that found the queue empty, at some gap after
//! the call of the put of `x`. So a history has a linearization if no element is taken twice or before its put began, and in the interval of
//! each take of `x`, from the call of its put on, there is a gap that no stay of a smaller element fills; likewise for those that found
//! the queue empty, to whom all elements are smaller (Bouajjani et al., *Checking linearizability of concurrent priority queues*, 2017).
//!
//! That the gaps may be chosen apart: go from the greatest element down, cutting the history at the gap of each. If a cut lies between the
//! return of the put of `x` and the gap chosen for `x`, the take of `x` began before the cut, for `x` does not fill it; neither do smaller
//! elements; so the first such cut can be the gap of `x`, which then lies on one side of all of them.
//!
//! With takers of nobody knows what it is not exact: it accepts what is linearizable without them, and rejects what is not
//! linearizable even without the elements that nobody is known to take.

use super::cover::{Cover, chain, empties};
use super::lives::{Element, Interval, Life, Lives, Transfers};
use super::{Breach, Monitor, NEVER, NONE, Stance};

pub(super) struct PriorityQueue<'v> {
    transfers: Transfers<'v>,
    /// From the least to the greatest.
    elements: Vec<Element>,
}

impl<'v> PriorityQueue<'v> {
    pub(super) fn new(transfers: Transfers<'v>) -> PriorityQueue<'v> {
        let mut elements: Vec<Element> = (0..transfers.values.len() as Element).collect();
        elements.sort_unstable_by_key(|&element| transfers.values[element as usize]);
        PriorityQueue { transfers, elements }
    }

    /// Someone who took an element while a smaller one was certainly in.
    fn overtaken(&self, lives: &Lives, counts: impl Fn(&Life) -> bool) -> Result<(), Breach> {
        let mut cover = Cover::new(lives.until);
        let in_order = self.elements.iter().map(|&element| lives.life_of[element as usize]).filter(|&place| place != NONE);
        for (rank, life) in in_order.clone().map(|place| &lives.lives[place as usize]).enumerate() {
            if life.take.ret != NEVER {
                let interval = Interval { call: life.put.call.max(life.take.call), ret: life.take.ret };
                if !cover.admits(interval) {
                    let smaller = in_order.take(rank).map(|place| &lives.lives[place as usize]).filter(|life| counts(life));
                    let links = chain(smaller, (interval.call + 1, interval.ret)).unwrap_or_default();
                    return Err(Breach(links.into_iter().chain([life]).flat_map(|life| self.transfers.handlers(life)).collect()));
                }
            }
            if let Some(stay) = life.stay().filter(|_| counts(life)) {
                cover.fill(stay);
            }
        }
        Ok(())
    }
}

impl Monitor for PriorityQueue<'_> {
    fn algorithm(&self) -> &'static str {
        "unique-priority-queue"
    }

    fn check(&self, until: u32, stance: Stance) -> Result<(), Breach> {
        let mut lives = self.transfers.lives(until, stance)?;
        if stance == Stance::Cautious {
            lives.unknown.clear();
        }
        self.overtaken(&lives, |life| lives.unknown.is_empty() || !life.lasts())?;
        empties(&self.transfers, &lives)
    }

    fn is_exact(&self) -> bool {
        !self.transfers.has_unknown
    }
}
