//! What will be told, and which states can come to it.

use elenchus_core::Model;

use super::problem::{Moment, Problem};
use super::steps::{ClassId, Effect, StateId, Steps};

/// How many of the observations to come are looked at.
const LOOK: usize = 8;

/// What becomes of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prospect {
    /// It may be seen.
    Seen,
    /// It is replaced before anyone sees it.
    Unseen,
    /// It cannot come to what is told by an observation that returns at this moment.
    Hopeless(u32),
}

/// An operation that is still to take effect.
#[derive(Clone, Copy, Debug)]
struct Coming {
    /// The moment of its call, or of its return.
    at: u32,
    position: u32,
}

/// Those of a list, in order, that have not passed.
#[derive(Clone, Debug, Default)]
struct Queue {
    coming: Vec<Coming>,
    passed: usize,
}

impl Queue {
    fn push(&mut self, at: u32, position: u32) {
        self.coming.push(Coming { at, position });
    }

    fn advance(&mut self, at: u32) {
        while self.coming.get(self.passed).is_some_and(|coming| coming.at < at) {
            self.passed += 1;
        }
    }

    fn rest(&self) -> impl Iterator<Item = Coming> + '_ {
        self.coming[self.passed..].iter().copied()
    }
}

/// What is still to come at a moment of a history, for models whose states grow.
pub(crate) struct Foresight {
    /// Observations, by return.
    returns: Queue,
    /// Observations, by call.
    calls: Queue,
    /// Operations that replace or alter the state and return, by call.
    replacements: Queue,
    /// How many moments have passed.
    now: u32,
    /// When each operation is called.
    called: Vec<u32>,
}

/// The operations called so far that have not taken effect in some configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Undone {
    /// The classes of those that change the state, crashed ones among them.
    pub(crate) changes: Vec<ClassId>,
    /// The positions of those that observe it.
    pub(crate) observations: Vec<u32>,
}

impl Foresight {
    /// Looks ahead in a problem; none where states do not grow.
    pub(crate) fn new<M: Model>(model: &M, problem: &Problem<'_>, steps: &Steps<'_, M>) -> Option<Foresight> {
        model.growth()?;
        let (mut returns, mut calls, mut replacements) = (Queue::default(), Queue::default(), Queue::default());
        let mut called = vec![0; problem.operations.len()];
        for (at, &moment) in (0..).zip(&problem.moments) {
            match moment {
                Moment::Call(position) => {
                    called[position as usize] = at;
                    let class = steps.class(position);
                    if steps.observes(class) {
                        calls.push(at, position);
                    } else if steps.effect(class) != Effect::Grows {
                        replacements.push(at, position);
                    }
                }
                Moment::Return(position) if steps.observes(steps.class(position)) => returns.push(at, position),
                Moment::Return(_) => {}
            }
        }
        Some(Foresight { returns, calls, replacements, now: 0, called })
    }

    /// Begins again.
    pub(crate) fn reset(&mut self) {
        for queue in [&mut self.returns, &mut self.calls, &mut self.replacements] {
            queue.passed = 0;
        }
    }

    /// Passes to a moment, which is no earlier than the last.
    pub(crate) fn advance(&mut self, at: u32) {
        self.now = at;
        for queue in [&mut self.returns, &mut self.calls, &mut self.replacements] {
            queue.advance(at);
        }
    }

    /// What becomes of a state, as far as observations tell that return up to the moment `until`.
    pub(crate) fn prospect<M: Model>(&self, steps: &mut Steps<'_, M>, state: StateId, undone: &Undone, until: u32) -> Prospect {
        let is_undone = |position: u32| self.called[position as usize] >= self.now || undone.observations.contains(&position);
        for sight in self.returns.rest().take(LOOK).take_while(|sight| sight.at <= until) {
            let told = steps.class(sight.position);
            if !is_undone(sight.position) || steps.leads_to(state, told) {
                continue;
            }
            // Something must replace the state before this is told.
            let to_come = self.replacements.rest().take_while(|replacement| replacement.at < sight.at);
            let to_come = to_come.map(|replacement| steps.class(replacement.position));
            let effects: Vec<Effect> = undone.changes.iter().copied().chain(to_come).map(|class| steps.effect(class)).collect();
            if effects.contains(&Effect::Alters) {
                return Prospect::Seen;
            }
            if !effects.iter().any(|effect| matches!(effect, Effect::Replaces(new) if steps.leads_to(*new, told))) {
                return Prospect::Hopeless(sight.at);
            }
            // Until then, only what is called before it can see the state.
            let to_come = self.calls.rest().take_while(|call| call.at < sight.at).map(|call| call.position);
            let is_seen = undone.observations.iter().copied().chain(to_come).any(|position| steps.leads_to(state, steps.class(position)));
            return if is_seen { Prospect::Seen } else { Prospect::Unseen };
        }
        Prospect::Seen
    }
}
