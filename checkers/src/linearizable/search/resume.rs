//! The search on a window of a history, resumed from saved configurations.

use elenchus_core::{EventIndex, Model};

use super::{Configuration, EMPTY, Search};
use crate::linearizable::backpointers::ROOT;
use crate::linearizable::bits::Bits;
use crate::linearizable::budget::{Budget, Spent};
use crate::linearizable::outcome::Outcome;
use crate::linearizable::problem::Problem;

/// A configuration in a form that outlives a search: operations are identified by their invocations.
#[derive(Clone, Debug)]
pub(crate) struct SavedConfiguration<S> {
    /// The object's state.
    pub(crate) state: S,
    /// The open operations that have taken effect.
    pub(crate) done: Vec<EventIndex>,
    /// For each class of crashed operations of which some were used: one operation of it, and the number used.
    pub(crate) used: Vec<(EventIndex, u32)>,
}

/// The result of a search on a window.
pub(crate) struct Resumed<S> {
    pub(crate) outcome: Outcome,
    pub(crate) spent: Spent,
    /// For each stop that was reached: every configuration there.
    pub(crate) saved: Vec<Vec<SavedConfiguration<S>>>,
}

/// Decides a window whose concurrency fits the width of `B`. The first `begun` moments, all of them calls, precede the window; `from` holds
/// the configurations after them. The search drops no configuration and saves all before each moment of `stops`, which ascend from `begun`.
pub(crate) fn resume<M: Model, B: Bits>(
    model: &M,
    problem: &Problem<'_>,
    from: &[SavedConfiguration<M::State>],
    begun: usize,
    stops: &[usize],
    budget: &Budget<'_>,
) -> Resumed<M::State> {
    let mut search = Search::<M, B>::new(model, problem, *budget, false);
    search.reset(usize::MAX);
    search.configurations.clear();
    for (at, &moment) in problem.moments.iter().enumerate().take(begun) {
        search.advance(at, moment);
    }
    search.configurations = from.iter().map(|saved_configuration| search.restore(saved_configuration)).collect();
    let mut saved = Vec::with_capacity(stops.len());
    let mut stops = stops.iter().peekable();
    for (at, &moment) in problem.moments.iter().enumerate().skip(begun) {
        if stops.next_if(|stop| **stop == at).is_some() {
            saved.push(search.save());
        }
        if let Some(outcome) = search.advance(at, moment) {
            return Resumed { outcome, spent: search.spent, saved };
        }
    }
    if stops.next().is_some() {
        saved.push(search.save());
    }
    Resumed { outcome: Outcome::Linearizable, spent: search.spent, saved }
}

impl<M: Model, B: Bits> Search<'_, '_, M, B> {
    fn restore(&mut self, saved_configuration: &SavedConfiguration<M::State>) -> Configuration<B> {
        let problem = self.problem;
        let position = |invoked: &EventIndex| problem.operations.partition_point(|operation| operation.invoked < *invoked);
        let mut done = B::default();
        for invoked in &saved_configuration.done {
            done = done.or(B::one(usize::from(self.slot_of[position(invoked)])));
        }
        let mut used = EMPTY;
        for (invoked, count) in &saved_configuration.used {
            let class = self.transitions.class(position(invoked) as u32);
            for _ in 0..*count {
                used = self.multisets.plus(used, class);
            }
        }
        Configuration { state: self.transitions.intern(saved_configuration.state.clone()), used, done, backpointer: ROOT }
    }

    fn save(&self) -> Vec<SavedConfiguration<M::State>> {
        let invoked = |position: u32| self.problem.operation(position).invoked;
        let saved_configuration = |configuration: &Configuration<B>| SavedConfiguration {
            state: self.transitions.state(configuration.state).clone(),
            done: configuration.done.each().map(|slot| invoked(self.slots[slot])).collect(),
            used: self.multisets.pairs(configuration.used).iter().map(|&(class, count)| (self.crashed_of(class), count)).collect(),
        };
        self.configurations.iter().map(saved_configuration).collect()
    }

    /// The invocation of a crashed operation of a class.
    fn crashed_of(&self, class: u32) -> EventIndex {
        let mut positions = 0..self.problem.operations.len() as u32;
        let is_of_class = |position: &u32| self.transitions.class(*position) == class && self.returns[*position as usize] == u32::MAX;
        positions.find(is_of_class).map_or(EventIndex(0), |position| self.problem.operation(position).invoked)
    }
}
