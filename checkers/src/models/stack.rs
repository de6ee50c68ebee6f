//! A last-in, first-out stack.

use elenchus_core::{CollectionModel, Model, Operation, Step, TakeOrder, Transfer, Value};

use super::unordered_queue::{admits, affected_values, transfer};

/// A stack: `push v`, `pop → v`, where nil means that it was empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stack;

impl Model for Stack {
    type State = Vec<Value>;

    fn initial(&self) -> Self::State {
        Vec::new()
    }

    fn step(&self, stack: &Self::State, operation: &Operation<'_>) -> Step<Self::State> {
        if operation.f == "push" {
            let mut stack = stack.clone();
            stack.push(operation.input.clone());
            return Step::To(stack);
        }
        match (stack.split_last(), operation.output) {
            (None, None | Some(Value::Nil)) => Step::Same,
            (Some((top, rest)), output) if output.is_none_or(|output| output == top) => Step::To(rest.to_vec()),
            _ => Step::Impossible,
        }
    }

    fn admits(&self, operation: &Operation<'_>) -> bool {
        admits(operation, "push", "pop")
    }

    fn observes(&self, operation: &Operation<'_>) -> bool {
        operation.output == Some(&Value::Nil) && operation.f == "pop"
    }

    fn affected_values(&self, operation: &Operation<'_>) -> Option<Vec<Value>> {
        affected_values(operation, "push")
    }

    fn as_collection(&self) -> Option<&dyn CollectionModel> {
        Some(self)
    }
}

impl CollectionModel for Stack {
    fn take_order(&self) -> TakeOrder {
        TakeOrder::Last
    }

    fn transfer<'v>(&self, operation: &Operation<'v>) -> Option<Transfer<'v>> {
        transfer(operation, "push")
    }
}
