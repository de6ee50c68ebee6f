//! Lookahead: which states can still lead to the observations to come.

use elenchus_core::Model;

use super::problem::{Moment, Problem};
use super::transitions::{ClassId, Effect, StateId, Transitions};

/// The number of upcoming observations that are examined.
const OBSERVATIONS: usize = 8;

/// Whether a state is worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prospect {
    /// An operation may still observe it.
    Observable,
    /// It is replaced before any operation observes it.
    Unobservable,
    /// It cannot lead to the result of an observation that returns at this moment.
    DeadEnd(u32),
}

/// An operation that has yet to take effect.
#[derive(Clone, Copy, Debug)]
struct Upcoming {
    /// The moment of its call or return.
    at: u32,
    position: u32,
}

/// Operations in order of their moments, with those that have passed.
#[derive(Clone, Debug, Default)]
struct Queue {
    upcoming: Vec<Upcoming>,
    passed: usize,
}

impl Queue {
    fn push(&mut self, at: u32, position: u32) {
        self.upcoming.push(Upcoming { at, position });
    }

    fn advance(&mut self, at: u32) {
        while self.upcoming.get(self.passed).is_some_and(|upcoming| upcoming.at < at) {
            self.passed += 1;
        }
    }

    fn rest(&self) -> impl Iterator<Item = Upcoming> + '_ {
        self.upcoming[self.passed..].iter().copied()
    }
}

/// The operations still to come at a moment of a history, for models whose states grow.
pub(crate) struct Lookahead {
    /// Observations, by return.
    returns: Queue,
    /// Observations, by call.
    calls: Queue,
    /// Operations that replace or alter the state and return, by call.
    replacements: Queue,
    /// The current moment.
    now: u32,
    /// By position: the moment of the operation's call.
    called: Vec<u32>,
}

/// The operations called so far that have not taken effect in some configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct PendingOperations {
    /// The classes of those that change the state, including crashed ones.
    pub(crate) changes: Vec<ClassId>,
    /// The positions of those that observe it.
    pub(crate) observations: Vec<u32>,
}

impl Lookahead {
    /// Indexes a problem; none if states do not grow.
    pub(crate) fn new<M: Model>(model: &M, problem: &Problem<'_>, transitions: &Transitions<'_, M>) -> Option<Lookahead> {
        model.growth()?;
        let (mut returns, mut calls, mut replacements) = (Queue::default(), Queue::default(), Queue::default());
        let mut called = vec![0; problem.operations.len()];
        for (at, &moment) in (0..).zip(&problem.moments) {
            match moment {
                Moment::Call(position) => {
                    called[position as usize] = at;
                    let class = transitions.class(position);
                    if transitions.observes(class) {
                        calls.push(at, position);
                    } else if transitions.effect(class) != Effect::Grows {
                        replacements.push(at, position);
                    }
                }
                Moment::Return(position) if transitions.observes(transitions.class(position)) => returns.push(at, position),
                Moment::Return(_) => {}
            }
        }
        Some(Lookahead { returns, calls, replacements, now: 0, called })
    }

    /// Returns to the first moment.
    pub(crate) fn reset(&mut self) {
        for queue in [&mut self.returns, &mut self.calls, &mut self.replacements] {
            queue.passed = 0;
        }
    }

    /// Moves to a moment that is no earlier than the current one.
    pub(crate) fn advance(&mut self, at: u32) {
        self.now = at;
        for queue in [&mut self.returns, &mut self.calls, &mut self.replacements] {
            queue.advance(at);
        }
    }

    /// Whether a state is worth keeping, judged by the observations that return up to the moment `until`.
    pub(crate) fn prospect<M: Model>(
        &self,
        transitions: &mut Transitions<'_, M>,
        state: StateId,
        pending: &PendingOperations,
        until: u32,
    ) -> Prospect {
        let is_pending = |position: u32| self.called[position as usize] >= self.now || pending.observations.contains(&position);
        for observation in self.returns.rest().take(OBSERVATIONS).take_while(|observation| observation.at <= until) {
            let class = transitions.class(observation.position);
            if !is_pending(observation.position) || transitions.leads_to(state, class) {
                continue;
            }
            // The state must be replaced before this observation takes effect.
            let upcoming = self.replacements.rest().take_while(|replacement| replacement.at < observation.at);
            let upcoming = upcoming.map(|replacement| transitions.class(replacement.position));
            let effects: Vec<Effect> = pending.changes.iter().copied().chain(upcoming).map(|class| transitions.effect(class)).collect();
            if effects.contains(&Effect::Alters) {
                return Prospect::Observable;
            }
            if !effects.iter().any(|effect| matches!(effect, Effect::Replaces(new) if transitions.leads_to(*new, class))) {
                return Prospect::DeadEnd(observation.at);
            }
            // Until then, only operations called before that return can observe the state.
            let upcoming = self.calls.rest().take_while(|call| call.at < observation.at).map(|call| call.position);
            let is_observed = pending
                .observations
                .iter()
                .copied()
                .chain(upcoming)
                .any(|position| transitions.leads_to(state, transitions.class(position)));
            return if is_observed { Prospect::Observable } else { Prospect::Unobservable };
        }
        Prospect::Observable
    }
}
