//! Sequential specifications.

use std::fmt::Debug;
use std::hash::Hash;

use crate::Operation;

/// What an operation did to a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<S> {
    /// It may happen in this state, which it leaves as it was.
    Same,
    /// It may happen in this state and leads to another.
    To(S),
    /// It cannot happen in this state with the result it had.
    Impossible,
}

/// How an object behaves when nothing is concurrent.
///
/// ```
/// use elenchus_core::{Model, Operation, Step, Value};
///
/// /// A register that starts empty.
/// struct Register;
///
/// impl Model for Register {
///     type State = Value;
///
///     fn initial(&self) -> Value {
///         Value::Nil
///     }
///
///     fn step(&self, state: &Value, operation: &Operation<'_>) -> Step<Value> {
///         match (operation.f.as_str(), operation.output) {
///             ("write", _) => Step::To(operation.input.clone()),
///             ("read", None) => Step::Same,
///             ("read", Some(told)) if told == state => Step::Same,
///             _ => Step::Impossible,
///         }
///     }
/// }
/// ```
pub trait Model: Send + Sync {
    /// Everything the object remembers.
    type State: Clone + Eq + Hash + Debug + Send + Sync;

    /// The state before anything happened.
    fn initial(&self) -> Self::State;

    /// What `operation` does in `state`. Its `output` is none where nobody was told the result: then any result fits.
    fn step(&self, state: &Self::State, operation: &Operation<'_>) -> Step<Self::State>;

    /// The state in words, for counterexamples.
    fn describe(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }

    /// Whether keys are independent objects, each with a state of its own (the default), or one state spans them all.
    fn splits_by_key(&self) -> bool {
        true
    }
}
