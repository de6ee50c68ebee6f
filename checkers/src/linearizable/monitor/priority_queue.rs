//! The monitor for priority queues.
//!
//! A take of `x` finds no smaller element: for the elements below `x`, it is like an operation that found the queue empty, at some gap
//! after the call of the put of `x`. So a history has a linearization if no element is taken twice or before its put was called, and the
//! interval of each take of `x`, from the call of its put on, contains a gap that no presence of a smaller element covers; likewise for
//! operations that found the queue empty, for which all elements count as smaller (Bouajjani et al., *Checking linearizability of
//! concurrent priority queues*, 2017).
//!
//! The gaps may be chosen independently: go from the greatest element down, splitting the history at the gap of each. If a split lies
//! between the return of the put of `x` and the gap chosen for `x`, the take of `x` was called before the split, because `x` does not cover
//! it; neither do smaller elements; so the first such split can be the gap of `x`, which then lies on one side of all of them.
//!
//! With takes of unknown elements the monitor is not exact. An element `x` without a known take must have been taken by one of them before
//! the return of any take of a greater element that can have taken effect only after the put of `x` returned. The monitor rejects a history
//! if these deadlines cannot be met (see [`match_takes`]), or if it is not linearizable even without the elements that have no known take.
//! It accepts a history that is linearizable with the deadlines met in that way.

use super::cover::{Cover, chain, check_empties};
use super::lifetimes::{Element, Interval, Lifetime, Lifetimes, Transfers};
use super::segment_tree::MaxTree;
use super::unknown_takes::{Obligation, assign, first_empty_after, match_takes};
use super::{Approximation, BadPattern, Monitor, NEVER, NONE};

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

    /// The indices of the lifetimes, from the least element to the greatest.
    fn in_order(&self, lifetimes: &Lifetimes) -> impl DoubleEndedIterator<Item = u32> + Clone {
        let places: Vec<u32> =
            self.elements.iter().map(|&element| lifetimes.lifetime_of[element as usize]).filter(|&place| place != NONE).collect();
        places.into_iter()
    }

    /// Finds a take of an element while a smaller one was certainly present; of several, the one that returned first.
    fn check_take_order(&self, lifetimes: &Lifetimes, counts: impl Fn(&Lifetime) -> bool) -> Result<(), BadPattern> {
        let mut cover = Cover::new(lifetimes.until);
        let in_order = self.in_order(lifetimes);
        let mut first: Option<(usize, &Lifetime)> = None;
        for (rank, lifetime) in in_order.clone().map(|place| &lifetimes.all[place as usize]).enumerate() {
            let is_earlier = lifetime.take.ret != NEVER && first.is_none_or(|(_, first)| lifetime.take.ret < first.take.ret);
            if is_earlier && !cover.admits(taking(lifetime)) {
                first = Some((rank, lifetime));
            }
            if let Some(presence) = lifetime.presence().filter(|_| counts(lifetime)) {
                cover.fill(presence);
            }
        }
        let Some((rank, lifetime)) = first else { return Ok(()) };
        let smaller = in_order.take(rank).map(|place| &lifetimes.all[place as usize]).filter(|lifetime| counts(lifetime));
        let links = chain(smaller, (taking(lifetime).call + 1, lifetime.take.ret)).unwrap_or_default();
        Err(BadPattern::at(
            lifetime.take.ret,
            links.into_iter().chain([lifetime]).flat_map(|lifetime| self.transfers.put_and_take(lifetime)),
        ))
    }

    /// The elements without a known take although a greater one was taken after they were put, or the queue was found empty.
    fn obligations(&self, lifetimes: &Lifetimes) -> Vec<Obligation> {
        let emptied_at = first_empty_after(lifetimes);
        // By the first moment at which a greater element can have been taken: the complement of the return of its take.
        let mut taken = MaxTree::new(lifetimes.until as usize + 1);
        let mut taken_at = vec![NONE; lifetimes.until as usize + 1];
        let mut obligations = Vec::new();
        for place in self.in_order(lifetimes).rev() {
            let lifetime = &lifetimes.all[place as usize];
            if lifetime.take.ret != NEVER {
                let from = taking(lifetime).call;
                // Only operations on this element begin or end there, so each moment belongs to one element.
                taken.set(from as usize, !lifetime.take.ret);
                taken_at[from as usize] = place;
            } else if lifetime.has_no_take() {
                let (at, greatest) = taken.maximum(lifetime.put.ret as usize, lifetimes.until as usize + 1);
                let (by_take, by_empty) = (!greatest, emptied_at[lifetime.put.ret as usize]);
                let witness = Some(taken_at[at]).filter(|_| by_take <= by_empty && greatest > 0);
                obligations.push(Obligation { place, deadline: by_take.min(by_empty), witness });
            }
        }
        obligations
    }
}

/// The interval in which the take of an element, which has returned, may have taken effect.
fn taking(lifetime: &Lifetime) -> Interval {
    Interval { call: lifetime.put.call.max(lifetime.take.call), ret: lifetime.take.ret }
}

impl Monitor for PriorityQueue<'_> {
    fn algorithm(&self) -> &'static str {
        "unique-priority-queue"
    }

    fn check(&self, until: u32, approximation: Approximation) -> Result<(), BadPattern> {
        let mut lifetimes = self.transfers.lifetimes(until, approximation)?;
        if !lifetimes.unknown.is_empty() {
            let matched = match_takes(&self.transfers, &lifetimes, self.obligations(&lifetimes))?;
            if approximation == Approximation::Under {
                assign(matched, &mut lifetimes);
            }
        }
        self.check_take_order(&lifetimes, |lifetime| lifetimes.unknown.is_empty() || !lifetime.has_no_take())?;
        check_empties(&self.transfers, &lifetimes)
    }

    fn is_exact(&self) -> bool {
        !self.transfers.has_unknown
    }

    fn is_prefix_stable(&self) -> bool {
        !self.transfers.has_unknown && !self.transfers.has_rival_takes
    }
}
