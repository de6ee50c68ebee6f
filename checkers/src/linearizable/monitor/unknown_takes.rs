//! Matching takes of unknown elements with the elements that have no known take.

use super::lifetimes::{Lifetime, Lifetimes, Transfers, UNKNOWN_TAKER};
use super::{BadPattern, NEVER};

/// An element without a known take that must be taken before another operation returns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Obligation {
    /// Its index among the lifetimes.
    pub(super) place: u32,
    /// That return; [`NEVER`] if the element need not be taken.
    pub(super) deadline: u32,
    /// The index of the lifetime whose take returns then; none if the collection was found empty then.
    pub(super) witness: Option<u32>,
}

/// Assigns the takes of unknown elements to elements without a known take, in order of deadline. Returns the index of each such lifetime
/// with the call of its take.
///
/// Each of these takes can take any one element, at any time after its call. So if all deadlines can be met, the k-th of them can be met by
/// the k-th take to be called.
///
/// # Errors
/// When the deadlines cannot all be met.
pub(super) fn match_takes(
    transfers: &Transfers<'_>,
    lifetimes: &Lifetimes,
    mut obligations: Vec<Obligation>,
) -> Result<Vec<(u32, u32)>, BadPattern> {
    obligations.retain(|obligation| obligation.deadline != NEVER);
    obligations.sort_unstable_by_key(|obligation| (obligation.deadline, obligation.place));
    let taken = obligations.iter().enumerate().map(|(count, obligation)| {
        let call = lifetimes.unknown.get(count).copied().filter(|&call| call < obligation.deadline);
        call.map(|call| (obligation.place, call)).ok_or_else(|| unmet(transfers, lifetimes, &obligations[..=count]))
    });
    taken.collect()
}

/// Stores an assignment in the lifetimes; no take of an unknown element takes any other element.
pub(super) fn assign(matched: Vec<(u32, u32)>, lifetimes: &mut Lifetimes) {
    for (place, call) in matched {
        let lifetime = &mut lifetimes.all[place as usize];
        (lifetime.take.call, lifetime.taker) = (call, UNKNOWN_TAKER);
    }
    lifetimes.unknown.clear();
}

/// The bad pattern of more deadlines than takes that can meet them.
fn unmet(transfers: &Transfers<'_>, lifetimes: &Lifetimes, obligations: &[Obligation]) -> BadPattern {
    let deadline = obligations.last().map_or(0, |obligation| obligation.deadline);
    let places = obligations.iter().flat_map(|obligation| [Some(obligation.place), obligation.witness]).flatten();
    let known = places.map(|place| &lifetimes.all[place as usize]).flat_map(|lifetime: &Lifetime| transfers.put_and_take(lifetime));
    let empties = lifetimes.empties.iter().filter(|(_, interval)| interval.ret <= deadline).map(|&(position, _)| position);
    BadPattern::at(deadline, known.chain(transfers.unknown_before(deadline)).chain(empties))
}

/// By moment: the first return of an operation that was called after it and found the collection empty.
pub(super) fn first_empty_after(lifetimes: &Lifetimes) -> Vec<u32> {
    let mut returns = vec![NEVER; lifetimes.until as usize + 1];
    for (_, interval) in &lifetimes.empties {
        returns[interval.call as usize] = interval.ret;
    }
    for at in (1..returns.len()).rev() {
        returns[at - 1] = returns[at - 1].min(returns[at]);
    }
    returns
}
