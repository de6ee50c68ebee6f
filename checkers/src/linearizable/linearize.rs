//! From the steps of a search to an order of all operations.

use elenchus_core::{Access, Kind, Model, Step};

use super::problem::{Moment, Problem};
use super::trail::Taken;

/// The steps that led a search to a configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path {
    /// In order.
    pub(crate) steps: Vec<Taken>,
    /// Whether writes that no step names stand just before the next write that one names, where nobody sees them.
    pub(crate) hides_writes: bool,
}

/// The positions of all operations that returned by `end`, a number of moments, and of those that a path names, in its order: a step
/// at a time, and every operation that no step names at the first moment at which it leaves the state as it is.
///
/// None where the path does not fit the problem. Linear in the moments, times the operations open at once.
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
            Moment::Call(position) => ordering.begin(position),
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
    /// Those begun that no step names and that have no place yet.
    waiting: Vec<u32>,
    order: Vec<u32>,
    state: M::State,
}

impl<M: Model> Ordering<'_, '_, M> {
    fn begin(&mut self, position: u32) {
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
        self.settle();
        Some(())
    }

    /// Gives a place to those that now change nothing.
    fn settle(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        for position in waiting {
            self.begin(position);
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
