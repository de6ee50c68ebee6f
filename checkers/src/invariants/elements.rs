//! What became of the attempts to put a value into a collection.

use elenchus_core::{EventIndex, Kind, Operation, Value};

use super::intern::Interner;

/// The attempts to put one value in.
#[derive(Clone, Copy, Default)]
pub(super) struct Attempts {
    /// How many may have happened: those that did not fail.
    pub(super) possible: u32,
    /// How many succeeded.
    pub(super) acknowledged: u32,
    /// The position of the first that may have happened.
    pub(super) first: Option<u32>,
    /// The position of the one that was acknowledged first.
    pub(super) first_acknowledged: Option<u32>,
    /// The position of one that failed.
    pub(super) failed: Option<u32>,
}

/// Every value that was put in or taken out, numbered, with the attempts to put it in.
#[derive(Default)]
pub(super) struct Elements<'h> {
    /// The numbers.
    pub(super) interner: Interner<'h>,
    attempts: Vec<Attempts>,
}

/// Why a value cannot have come out.
pub(super) enum Unfounded<'a, 'h> {
    /// Nobody put it in.
    NeverPut,
    /// Whoever put it in did so later.
    PutLater(&'a Operation<'h>),
    /// Whoever put it in was told that it failed.
    PutFailed(&'a Operation<'h>),
}

impl<'h> Elements<'h> {
    /// Gathers the attempts with a function. O(n).
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

    /// The number of a value.
    pub(super) fn id(&mut self, value: &'h Value) -> usize {
        let id = self.interner.intern(value);
        if id == self.attempts.len() {
            self.attempts.push(Attempts::default());
        }
        id
    }

    /// The attempts to put a value in.
    pub(super) fn of(&self, id: usize) -> Attempts {
        self.attempts.get(id).copied().unwrap_or_default()
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.attempts.len()
    }

    /// Why a value cannot have been in before an event, if it cannot.
    pub(super) fn unfounded<'a>(&self, id: usize, by: EventIndex, operations: &'a [Operation<'h>]) -> Option<Unfounded<'a, 'h>> {
        let attempts = self.of(id);
        match (attempts.first, attempts.failed) {
            (Some(first), _) => {
                let first = &operations[first as usize];
                (first.invoked > by).then_some(Unfounded::PutLater(first))
            }
            (None, Some(failed)) => Some(Unfounded::PutFailed(&operations[failed as usize])),
            (None, None) => Some(Unfounded::NeverPut),
        }
    }
}
