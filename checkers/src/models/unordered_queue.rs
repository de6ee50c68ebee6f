//! Whatever is in may come out.

use elenchus_core::{CollectionModel, Model, Operation, Step, TakeOrder, Transfer, Value};

/// A bag: `enqueue v`, `dequeue → v` for any `v` in it, where nil means that it was empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnorderedQueue;

/// What may be in a bag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bag {
    /// All that was put in and not seen to come out, sorted.
    items: Vec<Value>,
    /// How many of those some dequeue took without anybody being told which. Deciding that later keeps the model deterministic.
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
            (_, Some(told)) if left > 0 => match bag.items.binary_search(told) {
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
            taken => format!("{:?} less {taken} of them", bag.items),
        }
    }

    fn admits(&self, operation: &Operation<'_>) -> bool {
        admits(operation, "enqueue", "dequeue")
    }

    fn subjects(&self, operation: &Operation<'_>) -> Option<Vec<Value>> {
        subjects(operation, "enqueue")
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

/// Whether it puts something in, or takes something out. Nil cannot be put in: it is how an empty container answers.
pub(super) fn admits(operation: &Operation<'_>, put: &str, take: &str) -> bool {
    (operation.f == *put && !operation.input.is_nil()) || operation.f == *take
}

/// The element put in or taken out, none where it is unknown. Nothing, for one that found it empty.
pub(super) fn subjects(operation: &Operation<'_>, put: &str) -> Option<Vec<Value>> {
    match operation.output {
        _ if operation.f == *put => Some(vec![operation.input.clone()]),
        Some(Value::Nil) => Some(Vec::new()),
        Some(told) => Some(vec![told.clone()]),
        None => None,
    }
}

/// What an admitted operation does.
pub(super) fn transfer<'v>(operation: &Operation<'v>, put: &str) -> Option<Transfer<'v>> {
    match operation.output {
        _ if operation.f == *put => Some(Transfer::Put(operation.input)),
        Some(Value::Nil) => Some(Transfer::Empty),
        told => Some(Transfer::Take(told)),
    }
}
