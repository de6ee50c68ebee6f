//! Who may have taken the elements that nobody is known to take.

use super::lives::{Life, Lives, SOMEBODY, Transfers};
use super::{Breach, NEVER};

/// A lasting element that must have been taken before another operation returns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Debt {
    /// Its place among the lives.
    pub(super) place: u32,
    /// That return; [`NEVER`] if it may stay.
    pub(super) deadline: u32,
    /// The place of the life whose take returns then; none where the collection was found empty.
    pub(super) witness: Option<u32>,
}

/// Lets those that take nobody knows what take lasting elements, the most urgent first: the place of each such element, and when its taker began.
///
/// Each can take any one element, at any time after its call. So if there is a way to serve all deadlines, the k-th of them can be served by the
/// k-th to begin.
///
/// # Errors
/// When there is none.
pub(super) fn settle(transfers: &Transfers<'_>, lives: &Lives, mut debts: Vec<Debt>) -> Result<Vec<(u32, u32)>, Breach> {
    debts.retain(|debt| debt.deadline != NEVER);
    debts.sort_unstable_by_key(|debt| (debt.deadline, debt.place));
    let taken = debts.iter().enumerate().map(|(count, debt)| {
        let call = lives.unknown.get(count).copied().filter(|&call| call < debt.deadline);
        call.map(|call| (debt.place, call)).ok_or_else(|| unpaid(transfers, lives, &debts[..=count]))
    });
    taken.collect()
}

/// Notes what was settled, and that nobody unknown takes anything else.
pub(super) fn apply(settled: Vec<(u32, u32)>, lives: &mut Lives) {
    for (place, call) in settled {
        let life = &mut lives.lives[place as usize];
        (life.take.call, life.taker) = (call, SOMEBODY);
    }
    lives.unknown.clear();
}

/// These are more than there are to take them.
fn unpaid(transfers: &Transfers<'_>, lives: &Lives, debts: &[Debt]) -> Breach {
    let deadline = debts.last().map_or(0, |debt| debt.deadline);
    let places = debts.iter().flat_map(|debt| [Some(debt.place), debt.witness]).flatten();
    let known = places.map(|place| &lives.lives[place as usize]).flat_map(|life: &Life| transfers.handlers(life));
    let empties = lives.empties.iter().filter(|(_, interval)| interval.ret <= deadline).map(|&(position, _)| position);
    Breach::at(deadline, known.chain(transfers.unknown_before(deadline)).chain(empties))
}

/// When the collection was first found empty by one who asked after a moment: the return. By moment.
pub(super) fn emptied_after(lives: &Lives) -> Vec<u32> {
    let mut returns = vec![NEVER; lives.until as usize + 1];
    for (_, interval) in &lives.empties {
        returns[interval.call as usize] = interval.ret;
    }
    for at in (1..returns.len()).rev() {
        returns[at - 1] = returns[at - 1].min(returns[at]);
    }
    returns
}
