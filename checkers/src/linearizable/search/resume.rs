//! The search on a window of a history: from where an earlier search stood.

use elenchus_core::{EventIndex, Model};

use super::{Configuration, EMPTY, Search};
use crate::linearizable::bits::Bits;
use crate::linearizable::budget::{Budget, Spent};
use crate::linearizable::outcome::Outcome;
use crate::linearizable::problem::Problem;
use crate::linearizable::trail::BEGINNING;

/// One way an object may have come to a moment, in terms that outlive a search. Operations are named by their invocations.
#[derive(Clone, Debug)]
pub(crate) struct Standpoint<S> {
    /// The state it left.
    pub(crate) state: S,
    /// The open operations that have taken effect.
    pub(crate) done: Vec<EventIndex>,
    /// An operation of each class of crashed ones of which some were used, and how many.
    pub(crate) used: Vec<(EventIndex, u32)>,
}

/// How a search of a window ends.
pub(crate) struct Resumed<S> {
    pub(crate) outcome: Outcome,
    pub(crate) spent: Spent,
    /// At each of the stops that were passed: every way the object may have come there.
    pub(crate) standing: Vec<Vec<Standpoint<S>>>,
}

/// Decides a window whose concurrency fits the width of `B`. The first `begun` moments, all of them calls, were passed before; `from` is how
/// the object may have come there. The search drops nothing, and stands still before each of the moments `stops`, which rise from `begun`.
pub(crate) fn resume<M: Model, B: Bits>(
    model: &M,
    problem: &Problem<'_>,
    from: &[Standpoint<M::State>],
    begun: usize,
    stops: &[usize],
    budget: &Budget<'_>,
) -> Resumed<M::State> {
    let mut search = Search::<M, B>::new(model, problem, *budget, false);
    search.reset(usize::MAX);
    search.configurations.clear();
    for (at, &moment) in problem.moments.iter().enumerate().take(begun) {
        search.pass(at, moment);
    }
    search.configurations = from.iter().map(|standpoint| search.enter(standpoint)).collect();
    let mut standing = Vec::with_capacity(stops.len());
    let mut stops = stops.iter().peekable();
    for (at, &moment) in problem.moments.iter().enumerate().skip(begun) {
        if stops.next_if(|stop| **stop == at).is_some() {
            standing.push(search.leave());
        }
        if let Some(outcome) = search.pass(at, moment) {
            return Resumed { outcome, spent: search.spent, standing };
        }
    }
    if stops.next().is_some() {
        standing.push(search.leave());
    }
    Resumed { outcome: Outcome::Linearizable, spent: search.spent, standing }
}

impl<M: Model, B: Bits> Search<'_, '_, M, B> {
    fn enter(&mut self, standpoint: &Standpoint<M::State>) -> Configuration<B> {
        let problem = self.problem;
        let position = |invoked: &EventIndex| problem.operations.partition_point(|operation| operation.invoked < *invoked);
        let mut done = B::default();
        for invoked in &standpoint.done {
            done = done.or(B::one(usize::from(self.slot_of[position(invoked)])));
        }
        let mut used = EMPTY;
        for (invoked, count) in &standpoint.used {
            let class = self.steps.class(position(invoked) as u32);
            for _ in 0..*count {
                used = self.bags.plus(used, class);
            }
        }
        Configuration { state: self.steps.intern(standpoint.state.clone()), used, done, trail: BEGINNING }
    }

    fn leave(&self) -> Vec<Standpoint<M::State>> {
        let invoked = |position: u32| self.problem.operation(position).invoked;
        let standpoint = |configuration: &Configuration<B>| Standpoint {
            state: self.steps.state(configuration.state).clone(),
            done: configuration.done.each().map(|slot| invoked(self.slots[slot])).collect(),
            used: self.bags.pairs(configuration.used).iter().map(|&(class, count)| (self.crashed_of(class), count)).collect(),
        };
        self.configurations.iter().map(standpoint).collect()
    }

    /// The invocation of a crashed operation of a class.
    fn crashed_of(&self, class: u32) -> EventIndex {
        let mut positions = 0..self.problem.operations.len() as u32;
        let is_of_class = |position: &u32| self.steps.class(*position) == class && self.returns[*position as usize] == u32::MAX;
        positions.find(is_of_class).map_or(EventIndex(0), |position| self.problem.operation(position).invoked)
    }
}
