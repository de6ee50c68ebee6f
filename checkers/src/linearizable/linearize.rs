//! Turns the path of a search into a linearization of all operations.

use elenchus_core::{Access, Kind, Model, Step};

use super::backpointers::LinearizationPoint;
use super::problem::{Moment, Problem};

/// The steps that led a search to a configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path {
    /// The linearization points, in order.
    pub(crate) steps: Vec<LinearizationPoint>,
    /// Whether writes without a step are placed just before the next write with a step, where no operation observes them.
    pub(crate) hides_writes: bool,
}

/// The positions, in linearization order, of all operations that returned in the first `end` moments and of those that a path names. The
/// steps of the path are taken in its order; every other operation is placed at the first moment at which it leaves the state unchanged.
///
/// None where the path does not fit the problem. O(moments · open operations).
pub(crate) fn linearize<M: Model>(model: &M, problem: &Problem<'_>, path: &Path, end: usize) -> Option<Vec<u32>> {
    let mut is_named = vec![false; problem.operations.len()];
    for step in &path.steps {
        is_named[step.position as usize] = true;
    }
    let mut ordering =
        Ordering { model, problem, hides_writes: path.hides_writes, waiting: Vec::new(), order: Vec::new(), state: model.initial() };
    let mut steps = path.steps.iter().peekable();
    for (at, &moment) in problem.moments.iter().enumerate().take(end) {
        match moment {
            Moment::Call(position) if problem.operation(position).kind != Kind::Ok || is_named[position as usize] => {}
            Moment::Call(position) => ordering.place_or_wait(position),
            Moment::Return(_) => {
                while let Some(step) = steps.next_if(|step| step.moment as usize == at) {
                    ordering.take(step.position)?;
                }
            }
        }
    }
    Some(ordering.order)
}

struct Ordering<'a, 'h, M: Model> {
    model: &'a M,
    problem: &'a Problem<'h>,
    hides_writes: bool,
    /// Operations that have been called, have no step and are not yet placed.
    waiting: Vec<u32>,
    order: Vec<u32>,
    state: M::State,
}

impl<M: Model> Ordering<'_, '_, M> {
    fn place_or_wait(&mut self, position: u32) {
        match self.fits(position) {
            true => self.order.push(position),
            false => self.waiting.push(position),
        }
    }

    fn take(&mut self, position: u32) -> Option<()> {
        if self.hides_writes && self.is_write(position) {
            let (hidden, rest): (Vec<u32>, Vec<u32>) =
                std::mem::take(&mut self.waiting).into_iter().partition(|&other| self.is_write(other));
            self.order.extend(hidden);
            self.waiting = rest;
        }
        match self.model.step(&self.state, self.problem.operation(position)) {
            Step::Impossible => return None,
            Step::Same => {}
            Step::To(next) => self.state = next,
        }
        self.order.push(position);
        self.place_waiting();
        Some(())
    }

    /// Places the waiting operations that now leave the state unchanged.
    fn place_waiting(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        for position in waiting {
            self.place_or_wait(position);
        }
    }

    fn fits(&self, position: u32) -> bool {
        self.model.step(&self.state, self.problem.operation(position)) == Step::Same
    }

    fn is_write(&self, position: u32) -> bool {
        let access = self.model.as_register().and_then(|register| register.access(self.problem.operation(position)));
        matches!(access, Some(Access::Write(_)))
    }
}
