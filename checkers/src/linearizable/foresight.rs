//! What is told later, and which states cannot come to it.

use elenchus_core::{Growth, Kind, Model};

use super::problem::{Moment, Problem};

/// How many of the observations to come are looked at.
const LOOK: usize = 8;

/// An observation that returns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    /// The moment at which it does.
    pub(crate) returns: u32,
    /// The operation.
    pub(crate) position: u32,
}

/// The observations to come, for models whose states grow ([`Growth`]).
pub(crate) struct Foresight<'a, S> {
    pub(crate) growth: &'a dyn Growth<S>,
    /// In order of return.
    sights: Vec<Sight>,
    next: usize,
    /// The moment at which each operation is called.
    calls: Vec<u32>,
    /// The calls of operations that replace the state, in order, and the next of them.
    replacements: Vec<u32>,
    next_replacement: usize,
    /// The call of the first such operation that crashed: from there on it may take effect at any time.
    crashed_replacement: u32,
}

impl<'a, S> Foresight<'a, S> {
    pub(crate) fn new<M: Model<State = S>>(model: &'a M, problem: &Problem<'_>) -> Option<Foresight<'a, S>> {
        let growth = model.growth()?;
        let mut calls = vec![0; problem.operations.len()];
        let (mut sights, mut replacements, mut crashed_replacement) = (Vec::new(), Vec::new(), u32::MAX);
        for (at, &moment) in problem.moments.iter().enumerate() {
            let at = at as u32;
            match moment {
                Moment::Call(position) => {
                    calls[position as usize] = at;
                    let operation = problem.operation(position);
                    if !model.observes(operation) && growth.replaces(operation) {
                        replacements.push(at);
                        if operation.kind != Kind::Ok {
                            crashed_replacement = crashed_replacement.min(at);
                        }
                    }
                }
                Moment::Return(position) if model.observes(problem.operation(position)) => sights.push(Sight { returns: at, position }),
                Moment::Return(_) => {}
            }
        }
        Some(Foresight { growth, sights, next: 0, calls, replacements, next_replacement: 0, crashed_replacement })
    }

    /// Begins again.
    pub(crate) fn reset(&mut self) {
        (self.next, self.next_replacement) = (0, 0);
    }

    /// Passes to a moment, which is no earlier than the last.
    pub(crate) fn advance(&mut self, at: u32) {
        while self.sights.get(self.next).is_some_and(|sight| sight.returns < at) {
            self.next += 1;
        }
        while self.replacements.get(self.next_replacement).is_some_and(|&call| call < at) {
            self.next_replacement += 1;
        }
    }

    /// The next observations to return, none after the moment `until` and none before which an operation yet to be called, or a crashed one,
    /// may replace the state.
    pub(crate) fn sights(&self, until: u32) -> impl Iterator<Item = Sight> + '_ {
        let replaced = self.replacements.get(self.next_replacement).copied().unwrap_or(u32::MAX).min(self.crashed_replacement);
        self.sights[self.next..].iter().copied().take(LOOK).take_while(move |sight| sight.returns <= until && sight.returns < replaced)
    }

    /// Whether an operation is called before a moment.
    pub(crate) fn is_called(&self, position: u32, before: u32) -> bool {
        self.calls[position as usize] < before
    }
}
