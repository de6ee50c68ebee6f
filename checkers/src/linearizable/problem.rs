//! One object's operations, as the search wants them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use elenchus_core::{EventIndex, Kind, Model, Operation};

/// What happens next in real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The operation with this position may take effect from here on.
    Call(u32),
    /// The operation with this position has taken effect before here.
    Return(u32),
}

/// The operations on one object that may have taken effect, and the order of their beginnings and ends.
///
/// Failed operations did not happen and are left out, as are observations that nobody was told: they constrain nothing.
/// A crashed operation has a [`Moment::Call`] and no [`Moment::Return`].
#[derive(Clone, Debug)]
pub(crate) struct Problem<'h> {
    pub(crate) operations: Vec<Operation<'h>>,
    pub(crate) moments: Vec<Moment>,
}

/// Whether an operation may have taken effect, or tells something.
pub(crate) fn takes_part<M: Model + ?Sized>(model: &M, operation: &Operation<'_>) -> bool {
    match operation.kind {
        Kind::Ok => true,
        Kind::Fail => false,
        Kind::Info | Kind::Invoke => !model.observes(operation),
    }
}

impl<'h> Problem<'h> {
    /// Lays out operations. O(n log c), c operations being open at once, where they stand in order of invocation.
    pub(crate) fn new<M: Model + ?Sized>(model: &M, operations: impl IntoIterator<Item = Operation<'h>>) -> Problem<'h> {
        let operations: Vec<Operation<'h>> = operations.into_iter().filter(|operation| takes_part(model, operation)).collect();
        let mut calls: Vec<u32> = (0..operations.len() as u32).collect();
        calls.sort_by_key(|&position| operations[position as usize].invoked);
        let mut moments = Vec::with_capacity(operations.len() * 2);
        // The returns to come of those that have begun: few at once, so a heap orders them faster than sorting them all.
        let mut returns: BinaryHeap<Reverse<(EventIndex, u32)>> = BinaryHeap::new();
        for position in calls {
            let operation = &operations[position as usize];
            while let Some(&Reverse((completed, returned))) = returns.peek()
                && completed < operation.invoked
            {
                returns.pop();
                moments.push(Moment::Return(returned));
            }
            moments.push(Moment::Call(position));
            if let (Kind::Ok, Some(completed)) = (operation.kind, operation.completed) {
                returns.push(Reverse((completed, position)));
            }
        }
        moments.extend(std::iter::from_fn(|| returns.pop()).map(|Reverse((_, returned))| Moment::Return(returned)));
        Problem { operations, moments }
    }

    /// The operation at a position.
    pub(crate) fn operation(&self, position: u32) -> &Operation<'h> {
        &self.operations[position as usize]
    }

    /// How many operations that returned were open at once, at most.
    pub(crate) fn concurrency(&self) -> usize {
        let (mut open, mut most) = (0_usize, 0);
        for &moment in &self.moments {
            match moment {
                Moment::Call(position) if self.operation(position).kind == Kind::Ok => {
                    open += 1;
                    most = most.max(open);
                }
                Moment::Call(_) => {}
                Moment::Return(_) => open -= 1,
            }
        }
        most
    }

    /// Where in [`Problem::moments`] each operation returns; `u32::MAX` for the crashed ones.
    pub(crate) fn returns(&self) -> Vec<u32> {
        let mut returns = vec![u32::MAX; self.operations.len()];
        for (at, &moment) in self.moments.iter().enumerate() {
            if let Moment::Return(position) = moment {
                returns[position as usize] = at as u32;
            }
        }
        returns
    }
}
