//! The attempts to add each element to a collection, and their outcomes.

use elenchus_core::{EventIndex, Kind, Operation, Value};

use super::interner::Interner;

/// The attempts to add one element.
#[derive(Clone, Copy, Default)]
pub(super) struct Attempts {
    /// The number of attempts that may have taken effect: those that did not fail.
    pub(super) possible: u32,
    /// The number of attempts that succeeded.
    pub(super) acknowledged: u32,
    /// The position of the first that may have taken effect.
    pub(super) first: Option<u32>,
    /// The position of the one that was acknowledged first.
    pub(super) first_acknowledged: Option<u32>,
    /// The position of one that failed.
    pub(super) failed: Option<u32>,
}

/// Every element that was added or read, numbered, with the attempts to add it.
#[derive(Default)]
pub(super) struct Elements<'h> {
    /// The numbers of elements.
    pub(super) interner: Interner<'h>,
    attempts: Vec<Attempts>,
}

/// Why a read element is a phantom.
pub(super) enum Phantom<'a, 'h> {
    /// No operation added it.
    NeverAdded,
    /// The first operation that added it was invoked later.
    AddedLater(&'a Operation<'h>),
    /// The operation that added it failed.
    AddFailed(&'a Operation<'h>),
}

impl<'h> Elements<'h> {
    /// Collects the attempts by the function `f`. O(n).
    pub(super) fn new(operations: &[Operation<'h>], f: &str) -> Elements<'h> {
        let mut elements = Elements::default();
        for (at, operation) in operations.iter().enumerate().filter(|(_, operation)| operation.f == f) {
            let id = elements.id(operation.input);
            let attempts = &mut elements.attempts[id];
            if operation.kind == Kind::Fail {
                attempts.failed.get_or_insert(at as u32);
                continue;
            }
            attempts.possible += 1;
            attempts.first.get_or_insert(at as u32);
            if operation.kind == Kind::Ok {
                attempts.acknowledged += 1;
                let earlier = attempts.first_acknowledged.is_none_or(|first| operation.completed < operations[first as usize].completed);
                if earlier {
                    attempts.first_acknowledged = Some(at as u32);
                }
            }
        }
        elements
    }

    /// Returns the number of an element.
    pub(super) fn id(&mut self, value: &'h Value) -> usize {
        let id = self.interner.intern(value);
        if id == self.attempts.len() {
            self.attempts.push(Attempts::default());
        }
        id
    }

    /// Returns the attempts to add an element.
    pub(super) fn of(&self, id: usize) -> Attempts {
        self.attempts.get(id).copied().unwrap_or_default()
    }

    /// Returns the number of distinct elements.
    pub(super) fn len(&self) -> usize {
        self.attempts.len()
    }

    /// Returns why an element cannot have been in the collection by an event, if it cannot.
    pub(super) fn phantom<'a>(&self, id: usize, by: EventIndex, operations: &'a [Operation<'h>]) -> Option<Phantom<'a, 'h>> {
        let attempts = self.of(id);
        match (attempts.first, attempts.failed) {
            (Some(first), _) => {
                let first = &operations[first as usize];
                (first.invoked > by).then_some(Phantom::AddedLater(first))
            }
            (None, Some(failed)) => Some(Phantom::AddFailed(&operations[failed as usize])),
            (None, None) => Some(Phantom::NeverAdded),
        }
    }
}
