//! A priority queue.

use elenchus_core::{CollectionModel, Model, Operation, Step, TakeOrder, Transfer, Value};

use super::unordered_queue::{admits, affected_values, transfer};

/// A priority queue: `insert v`, `delete-min → v`, where nil means that it was empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct PriorityQueue;

impl Model for PriorityQueue {
    /// The elements in descending order.
    type State = Vec<Value>;

    fn initial(&self) -> Self::State {
        Vec::new()
    }

    fn step(&self, queue: &Self::State, operation: &Operation<'_>) -> Step<Self::State> {
        if operation.f == "insert" {
            let mut queue = queue.clone();
            queue.insert(queue.partition_point(|other| other > operation.input), operation.input.clone());
            return Step::To(queue);
        }
        match (queue.split_last(), operation.output) {
            (None, None | Some(Value::Nil)) => Step::Same,
            (Some((least, rest)), output) if output.is_none_or(|output| output == least) => Step::To(rest.to_vec()),
            _ => Step::Impossible,
        }
    }

    fn admits(&self, operation: &Operation<'_>) -> bool {
        admits(operation, "insert", "delete-min")
    }

    fn observes(&self, operation: &Operation<'_>) -> bool {
        operation.output == Some(&Value::Nil) && operation.f == "delete-min"
    }

    fn affected_values(&self, operation: &Operation<'_>) -> Option<Vec<Value>> {
        affected_values(operation, "insert")
    }

    fn as_collection(&self) -> Option<&dyn CollectionModel> {
        Some(self)
    }
}

impl CollectionModel for PriorityQueue {
    fn take_order(&self) -> TakeOrder {
        TakeOrder::Least
    }

    fn transfer<'v>(&self, operation: &Operation<'v>) -> Option<Transfer<'v>> {
        transfer(operation, "insert")
    }
}
