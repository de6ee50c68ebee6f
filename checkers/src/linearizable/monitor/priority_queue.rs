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
//! With takers of nobody knows what it is not exact. An element that nobody is known to take must have been taken by one of them before a
//! greater one is taken that was asked for after its put returned; if these deadlines cannot be met (see [`settle`]), or the history is not
//! linearizable even without the elements that nobody is known to take, it is rejected. If it is linearizable with the deadlines met in that
//! way, it is accepted.

use super::cover::{Cover, chain, empties};
use super::lives::{Element, Interval, Life, Lives, Transfers};
use super::tree::Greatest;
use super::unknown::{Debt, apply, emptied_after, settle};
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

    /// The lives from the least element to the greatest, by place.
    fn in_order(&self, lives: &Lives) -> impl DoubleEndedIterator<Item = u32> + Clone {
        let places: Vec<u32> =
            self.elements.iter().map(|&element| lives.life_of[element as usize]).filter(|&place| place != NONE).collect();
        places.into_iter()
    }

    /// Of those who took an element while a smaller one was certainly in, the one who returned first.
    fn overtaken(&self, lives: &Lives, counts: impl Fn(&Life) -> bool) -> Result<(), Breach> {
        let mut cover = Cover::new(lives.until);
        let in_order = self.in_order(lives);
        let mut first: Option<(usize, &Life)> = None;
        for (rank, life) in in_order.clone().map(|place| &lives.lives[place as usize]).enumerate() {
            let is_earlier = life.take.ret != NEVER && first.is_none_or(|(_, first)| life.take.ret < first.take.ret);
            if is_earlier && !cover.admits(taking(life)) {
                first = Some((rank, life));
            }
            if let Some(stay) = life.stay().filter(|_| counts(life)) {
                cover.fill(stay);
            }
        }
        let Some((rank, life)) = first else { return Ok(()) };
        let smaller = in_order.take(rank).map(|place| &lives.lives[place as usize]).filter(|life| counts(life));
        let links = chain(smaller, (taking(life).call + 1, life.take.ret)).unwrap_or_default();
        Err(Breach::at(life.take.ret, links.into_iter().chain([life]).flat_map(|life| self.transfers.handlers(life))))
    }

    /// The elements that nobody is known to take although a greater one was taken after them, or the queue was found empty.
    fn debts(&self, lives: &Lives) -> Vec<Debt> {
        let emptied = emptied_after(lives);
        // By the moment from which a greater element can have been taken: the complement of the return of its take.
        let mut taken = Greatest::new(lives.until as usize + 1);
        let mut taken_at = vec![NONE; lives.until as usize + 1];
        let mut debts = Vec::new();
        for place in self.in_order(lives).rev() {
            let life = &lives.lives[place as usize];
            if life.take.ret != NEVER {
                let from = taking(life).call;
                // Its own operations alone begin or end there, so each moment belongs to one element.
                taken.set(from as usize, !life.take.ret);
                taken_at[from as usize] = place;
            } else if life.lasts() {
                let (at, greatest) = taken.greatest(life.put.ret as usize, lives.until as usize + 1);
                let (by_take, by_empty) = (!greatest, emptied[life.put.ret as usize]);
                let witness = Some(taken_at[at]).filter(|_| by_take <= by_empty && greatest > 0);
                debts.push(Debt { place, deadline: by_take.min(by_empty), witness });
            }
        }
        debts
    }
}

/// When the take of an element, which has returned, may have taken effect.
fn taking(life: &Life) -> Interval {
    Interval { call: life.put.call.max(life.take.call), ret: life.take.ret }
}

impl Monitor for PriorityQueue<'_> {
    fn algorithm(&self) -> &'static str {
        "unique-priority-queue"
    }

    fn check(&self, until: u32, stance: Stance) -> Result<(), Breach> {
        let mut lives = self.transfers.lives(until, stance)?;
        if !lives.unknown.is_empty() {
            let settled = settle(&self.transfers, &lives, self.debts(&lives))?;
            if stance == Stance::Cautious {
                apply(settled, &mut lives);
            }
        }
        self.overtaken(&lives, |life| lives.unknown.is_empty() || !life.lasts())?;
        empties(&self.transfers, &lives)
    }

    fn is_exact(&self) -> bool {
        !self.transfers.has_unknown
    }

    fn is_steady(&self) -> bool {
        !self.transfers.has_unknown && !self.transfers.has_rivals
    }
}
