//! Sequential specifications.

use std::fmt::Debug;
use std::hash::Hash;

use crate::{Operation, Value};

/// The effect of an operation on a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<S> {
    /// The operation may happen in this state, and leaves it as it is.
    Same,
    /// The operation may happen in this state, and leads to another.
    To(S),
    /// The operation cannot happen in this state with the result it had.
    Impossible,
}

/// A sequential specification: how an object behaves when operations happen one after another.
///
/// Two methods are enough: the state at first, and what an operation does to a state.
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
///             ("read", None) => Step::Same, // its result is unknown
///             ("read", Some(output)) if output == state => Step::Same,
///             _ => Step::Impossible,
///         }
///     }
/// }
/// ```
///
/// The other methods have sound defaults. [`describe`](Model::describe), [`splits_by_key`](Model::splits_by_key) and
/// [`admits`](Model::admits) say more about the object. Those from [`observes`](Model::observes) on only make checks faster: an answer
/// that is wrong there makes verdicts wrong, the default never does.
pub trait Model: Send + Sync {
    /// The state of the object.
    type State: Clone + Eq + Hash + Debug + Send + Sync + 'static;

    /// The state before any operation.
    fn initial(&self) -> Self::State;

    /// The effect of `operation` in `state`. If its `output` is none, its result is unknown: every result is allowed.
    ///
    /// Must be a function of `state` and of the operation's `f`, `input`, `output` and, if [`Model::depends_on_process`] says so, `process`.
    fn step(&self, state: &Self::State, operation: &Operation<'_>) -> Step<Self::State>;

    // Properties of the object.

    /// The state in words, for counterexamples. Default: its `Debug` form.
    fn describe(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }

    /// Whether each key is an object of its own, with its own state (the default), or one state spans all keys.
    fn splits_by_key(&self) -> bool {
        true
    }

    /// Whether the object has such an operation: a known function with a valid argument. A history with any other is not checked
    /// ([`Verdict::Unknown`](crate::Verdict::Unknown)). Default: every operation.
    fn admits(&self, operation: &Operation<'_>) -> bool {
        let _ = operation;
        true
    }

    // Hints that make the search faster.

    /// Whether `operation` is read-only: [`Model::step`] never returns [`Step::To`] for it, whatever its result. Default: false.
    fn observes(&self, operation: &Operation<'_>) -> bool {
        let _ = operation;
        false
    }

    /// Whether [`Model::step`] depends on the process. If not (the default), operations with the same function, argument and result are
    /// interchangeable.
    fn depends_on_process(&self) -> bool {
        false
    }

    /// The values that the operation is about, if in every possible sequence of operations all those about one value can be left out and
    /// the rest is still possible: the element of a queue, the values that a register takes. Default: none.
    fn affected_values(&self, operation: &Operation<'_>) -> Option<Vec<Value>> {
        let _ = operation;
        None
    }

    /// How states grow, which lets the search give up early on a state that no longer leads to what is read later.
    fn growth(&self) -> Option<&dyn Growth<Self::State>> {
        None
    }

    /// This model as a register, for which there is a faster search.
    fn as_register(&self) -> Option<&dyn RegisterModel> {
        None
    }

    /// This model as a collection, for which there is a linear or near-linear monitor where no element is put in twice.
    fn as_collection(&self) -> Option<&dyn CollectionModel> {
        None
    }

    /// This model as a set, for which there is a near-linear monitor where no element is added or removed twice.
    fn as_set(&self) -> Option<&dyn SetModel> {
        None
    }
}

/// The effect of an operation on every state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<S> {
    /// The state stays, or grows.
    Grows,
    /// This state replaces it.
    Replaces(S),
    /// Anything else. Always sound.
    Alters,
}

/// How the states of a [`Model`] grow: what was added stays until the whole state is replaced.
pub trait Growth<S> {
    /// The effect of `operation`, which is not read-only, on every state.
    fn change(&self, operation: &Operation<'_>) -> Change<S>;

    /// Whether the read-only operation `observation` is possible in `state` or in a state that grew out of it. `true` is always sound. If it is
    /// false for a state, it must be false for all states that grow out of it.
    fn leads_to(&self, state: &S, observation: &Operation<'_>) -> bool;
}

/// An operation on a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access<'v> {
    /// Reads this value; none if the result is unknown.
    Read(Option<&'v Value>),
    /// Overwrites the value.
    Write(&'v Value),
    /// Found the first value and replaced it by the second.
    Cas(&'v Value, &'v Value),
}

/// A [`Model`] whose state is one value that operations read, overwrite, or compare and set.
pub trait RegisterModel: Send + Sync {
    /// The value before any operation.
    fn initial_value(&self) -> Value;

    /// The operation as an access; none if it is not an operation of a register. Must agree with [`Model::step`].
    fn access<'v>(&self, operation: &Operation<'v>) -> Option<Access<'v>>;
}

/// Which element a collection gives out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeOrder {
    /// The oldest: a queue.
    First,
    /// The newest: a stack.
    Last,
    /// The least one, in the order of [`Value`]: a priority queue.
    Least,
    /// Any: a bag.
    Any,
}

/// An operation on a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer<'v> {
    /// Puts this element in.
    Put(&'v Value),
    /// Takes this element out. None if the result is unknown: it took the next element, or found the collection empty.
    Take(Option<&'v Value>),
    /// Found the collection empty.
    Empty,
}

/// A [`Model`] whose state is a collection, empty at first. Operations put elements in and take them out.
pub trait CollectionModel: Send + Sync {
    /// Which element it gives out.
    fn take_order(&self) -> TakeOrder;

    /// The operation as a transfer; none if it is not an operation of a collection. Must agree with [`Model::step`].
    fn transfer<'v>(&self, operation: &Operation<'v>) -> Option<Transfer<'v>>;
}

/// An operation on one element of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership<'v> {
    /// Makes this element a member, whether it was one or not.
    Add(&'v Value),
    /// Makes this element not a member, whether it was one or not.
    Remove(&'v Value),
    /// Returned whether this element is a member.
    Contains(&'v Value, bool),
}

/// A [`Model`] whose state is a set, empty at first, and whose operations each concern one element.
pub trait SetModel: Send + Sync {
    /// The operation as a membership; none if it concerns more than one element. Must agree with [`Model::step`].
    fn membership<'v>(&self, operation: &Operation<'v>) -> Option<Membership<'v>>;
}
