//! A first-in, first-out queue.

use std::collections::VecDeque;

use elenchus_core::{CollectionModel, Model, Operation, Step, TakeOrder, Transfer, Value};

use super::unordered_queue::{admits, affected_values, transfer};

/// A queue: `enqueue v`, `dequeue → v`, where nil means that it was empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct FifoQueue;

impl Model for FifoQueue {
    type State = VecDeque<Value>;

    fn initial(&self) -> Self::State {
        VecDeque::new()
    }

    fn step(&self, queue: &Self::State, operation: &Operation<'_>) -> Step<Self::State> {
        if operation.f == "enqueue" {
            let mut queue = queue.clone();
            queue.push_back(operation.input.clone());
            return Step::To(queue);
        }
        match (queue.front(), operation.output) {
            (None, None | Some(Value::Nil)) => Step::Same,
            (Some(head), output) if output.is_none_or(|output| output == head) => Step::To(queue.iter().skip(1).cloned().collect()),
            _ => Step::Impossible,
        }
    }

    fn admits(&self, operation: &Operation<'_>) -> bool {
        admits(operation, "enqueue", "dequeue")
    }

    fn observes(&self, operation: &Operation<'_>) -> bool {
        operation.output == Some(&Value::Nil) && operation.f == "dequeue"
    }

    fn affected_values(&self, operation: &Operation<'_>) -> Option<Vec<Value>> {
        affected_values(operation, "enqueue")
    }

    fn as_collection(&self) -> Option<&dyn CollectionModel> {
        Some(self)
    }
}

impl CollectionModel for FifoQueue {
    fn take_order(&self) -> TakeOrder {
        TakeOrder::First
    }

    fn transfer<'v>(&self, operation: &Operation<'v>) -> Option<Transfer<'v>> {
        transfer(operation, "enqueue")
    }
}
