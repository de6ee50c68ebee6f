//! Several registers that one operation reads and writes atomically.

use std::collections::BTreeMap;

use elenchus_core::{Model, Operation, Step, Value};

/// Registers under keys: `txn [[read k v] [write k v] …]`, or `read` and `write` of a map from keys to values.
#[derive(Clone, Debug, Default)]
pub struct MultiRegister {
    initial: Value,
}

impl MultiRegister {
    /// Creates registers that all hold the same initial value.
    pub fn new(initial: Value) -> MultiRegister {
        MultiRegister { initial }
    }
}

/// An access within an operation: the key, the value, and whether it is a write.
type Micro<'v> = (&'v Value, &'v Value, bool);

/// The accesses of an operation, with their results if these are known; none if the operation is malformed.
fn accesses<'v>(operation: &Operation<'v>) -> Option<Vec<Micro<'v>>> {
    let output = operation.output.unwrap_or(operation.input);
    match (operation.f.as_str(), output) {
        ("write", _) => match operation.input {
            Value::Map(pairs) => Some(pairs.iter().map(|(key, value)| (key, value, true)).collect()),
            _ => None,
        },
        ("read", Value::Map(pairs)) => Some(pairs.iter().map(|(key, value)| (key, value, false)).collect()),
        ("txn", Value::List(micros)) => micros
            .iter()
            .map(|micro| match micro.as_list()? {
                [f, key, value] => match f.as_text()? {
                    "read" | "r" => Some((key, value, false)),
                    "write" | "w" => Some((key, value, true)),
                    _ => None,
                },
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

impl Model for MultiRegister {
    /// The registers that do not hold the initial value.
    type State = BTreeMap<Value, Value>;

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn step(&self, state: &Self::State, operation: &Operation<'_>) -> Step<Self::State> {
        let Some(micros) = accesses(operation) else {
            return Step::Impossible;
        };
        let mut next = state.clone();
        for (key, value, is_write) in micros {
            if is_write {
                if *value == self.initial {
                    next.remove(key);
                } else {
                    next.insert(key.clone(), value.clone());
                }
            } else if operation.output.is_some() && next.get(key).unwrap_or(&self.initial) != value {
                return Step::Impossible;
            }
        }
        if next == *state { Step::Same } else { Step::To(next) }
    }

    fn splits_by_key(&self) -> bool {
        false
    }

    fn admits(&self, operation: &Operation<'_>) -> bool {
        accesses(operation).is_some()
    }

    fn observes(&self, operation: &Operation<'_>) -> bool {
        let micros = accesses(operation);
        micros.is_some_and(|micros| micros.iter().all(|&(_, _, is_write)| !is_write))
    }
}
