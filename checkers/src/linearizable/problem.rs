//! The operations on one object, prepared for the search.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use elenchus_core::{EventIndex, Kind, Model, Operation};

/// A call or a return, in real-time order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The call of the operation at this position: it may take effect from here on.
    Call(u32),
    /// The return of the operation at this position: it must have taken effect by here.
    Return(u32),
}

/// The operations on one object that may have taken effect, and the order of their calls and returns.
///
/// Failed operations did not happen and are left out, as are crashed observations, which constrain nothing.
/// A crashed operation has a [`Moment::Call`] and no [`Moment::Return`].
#[derive(Clone, Debug)]
pub(crate) struct Problem<'h> {
    pub(crate) operations: Vec<Operation<'h>>,
    pub(crate) moments: Vec<Moment>,
}

/// Whether an operation may have taken effect or has a result.
pub(crate) fn takes_part<M: Model + ?Sized>(model: &M, operation: &Operation<'_>) -> bool {
    match operation.kind {
        Kind::Ok => true,
        Kind::Fail => false,
        Kind::Info | Kind::Invoke => !model.observes(operation),
    }
}

impl<'h> Problem<'h> {
    /// Prepares operations that are in order of invocation. O(n log c), where c operations are open at once.
    pub(crate) fn new<M: Model + ?Sized>(model: &M, operations: impl IntoIterator<Item = Operation<'h>>) -> Problem<'h> {
        let operations: Vec<Operation<'h>> = operations.into_iter().filter(|operation| takes_part(model, operation)).collect();
        let mut calls: Vec<u32> = (0..operations.len() as u32).collect();
        calls.sort_by_key(|&position| operations[position as usize].invoked);
        let mut moments = Vec::with_capacity(operations.len() * 2);
        // A heap holds the pending returns: few at once, which is faster than sorting all of them.
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

    /// The peak number of open operations, without crashed ones.
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

    /// By position: the index in [`Problem::moments`] of the operation's return; `u32::MAX` for crashed operations.
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
