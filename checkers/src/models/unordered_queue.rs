//! A queue without order: a dequeue may return any element.

use elenchus_core::{CollectionModel, Model, Operation, Step, TakeOrder, Transfer, Value};

/// A bag: `enqueue v`, `dequeue → v` for any `v` in it, where nil means that it was empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnorderedQueue;

/// The elements that may be in a bag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bag {
    /// All elements that were put and are not known to have been taken, sorted.
    items: Vec<Value>,
    /// How many of these were taken by dequeues with an unknown result. Leaving open which ones keeps the model deterministic.
    taken: usize,
}

impl Model for UnorderedQueue {
    type State = Bag;

    fn initial(&self) -> Bag {
        Bag::default()
    }

    fn step(&self, bag: &Bag, operation: &Operation<'_>) -> Step<Bag> {
        let mut next = bag.clone();
        let left = bag.items.len() - bag.taken;
        match (operation.f.as_str(), operation.output) {
            ("enqueue", _) => next.items.insert(bag.items.partition_point(|other| other < operation.input), operation.input.clone()),
            (_, None) if left == 0 => return Step::Same,
            (_, None) => next.taken += 1,
            (_, Some(Value::Nil)) if left == 0 => next = Bag::default(),
            (_, Some(output)) if left > 0 => match bag.items.binary_search(output) {
                Ok(found) => drop(next.items.remove(found)),
                Err(_) => return Step::Impossible,
            },
            _ => return Step::Impossible,
        }
        if next == *bag { Step::Same } else { Step::To(next) }
    }

    fn describe(&self, bag: &Bag) -> String {
        match bag.taken {
            0 => format!("{:?}", bag.items),
            taken => format!("{:?}, {taken} of them taken", bag.items),
        }
    }

    fn admits(&self, operation: &Operation<'_>) -> bool {
        admits(operation, "enqueue", "dequeue")
    }

    fn affected_values(&self, operation: &Operation<'_>) -> Option<Vec<Value>> {
        affected_values(operation, "enqueue")
    }

    fn as_collection(&self) -> Option<&dyn CollectionModel> {
        Some(self)
    }
}

impl CollectionModel for UnorderedQueue {
    fn take_order(&self) -> TakeOrder {
        TakeOrder::Any
    }

    fn transfer<'v>(&self, operation: &Operation<'v>) -> Option<Transfer<'v>> {
        transfer(operation, "enqueue")
    }
}

/// Whether the operation is a put or a take. Nil cannot be put: it is the result of a take from an empty container.
pub(super) fn admits(operation: &Operation<'_>, put: &str, take: &str) -> bool {
    (operation.f == *put && !operation.input.is_nil()) || operation.f == *take
}

/// The element put or taken; none if it is unknown, and empty for a take that found the container empty.
pub(super) fn affected_values(operation: &Operation<'_>, put: &str) -> Option<Vec<Value>> {
    match operation.output {
        _ if operation.f == *put => Some(vec![operation.input.clone()]),
        Some(Value::Nil) => Some(Vec::new()),
        Some(output) => Some(vec![output.clone()]),
        None => None,
    }
}

/// The effect of an admitted operation.
pub(super) fn transfer<'v>(operation: &Operation<'v>, put: &str) -> Option<Transfer<'v>> {
    match operation.output {
        _ if operation.f == *put => Some(Transfer::Put(operation.input)),
        Some(Value::Nil) => Some(Transfer::Empty),
        output => Some(Transfer::Take(output)),
    }
}
