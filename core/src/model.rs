//! Sequential specifications.

use std::fmt::Debug;
use std::hash::Hash;

use crate::{Operation, Value};

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
    type State: Clone + Eq + Hash + Debug + Send + Sync + 'static;

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

    /// Whether this is an operation of such an object at all: a function it knows with an argument it understands. A history with any other
    /// cannot be judged.
    fn admits(&self, operation: &Operation<'_>) -> bool {
        let _ = operation;
        true
    }

    /// Whether `operation` never changes any state, whatever it is told: a read. Engines place such operations wherever they first fit.
    /// `false` is always safe.
    fn observes(&self, operation: &Operation<'_>) -> bool {
        let _ = operation;
        false
    }

    /// Whether [`Model::step`] looks at who asked. Where it does not (the default), operations that ask and were told the same are
    /// interchangeable. Beyond `f`, `input`, `output` and, if this says so, `process`, a step must read nothing of the operation.
    fn minds_process(&self) -> bool {
        false
    }

    /// What the operation is about, for models where all operations about one thing can be erased from any possible sequence and leave
    /// it possible: the element of a queue, the values a register takes. None (always safe) where nothing can be erased.
    fn subjects(&self, operation: &Operation<'_>) -> Option<Vec<Value>> {
        let _ = operation;
        None
    }

    /// How states grow into what is read later, for models that can tell: the search then gives up early where they cannot.
    fn growth(&self) -> Option<&dyn Growth<Self::State>> {
        None
    }

    /// This model as a register, if it is one: there is a faster search for those.
    fn as_register(&self) -> Option<&dyn RegisterModel> {
        None
    }

    /// This model as a collection, if it is one: where no element is put in twice, there is a monitor for those.
    fn as_collection(&self) -> Option<&dyn CollectionModel> {
        None
    }

    /// This model as a set, if it is one: where no element is added or removed twice, there is a monitor for those.
    fn as_set(&self) -> Option<&dyn SetModel> {
        None
    }
}

/// What an operation makes of a state, whichever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<S> {
    /// It leaves it, or leads to one that grew out of it.
    Grows,
    /// It overwrites it with this one.
    Replaces(S),
    /// Anything else. Always safe.
    Alters,
}

/// How the states of a [`Model`] grow: what was added stays until everything is replaced.
pub trait Growth<S> {
    /// What `operation`, which is no observation, makes of any state.
    fn change(&self, operation: &Operation<'_>) -> Change<S>;

    /// Whether `observation` may be told in `state` or in one that grew out of it. `true` is always safe; what is false of a state must be
    /// false of all that grow out of it.
    fn leads_to(&self, state: &S, observation: &Operation<'_>) -> bool;
}

/// What an operation does to a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access<'v> {
    /// It was told this value; none where it was told nothing.
    Read(Option<&'v Value>),
    /// It overwrites whatever is there.
    Write(&'v Value),
    /// It found the first value and put the second in its place.
    Cas(&'v Value, &'v Value),
}

/// A [`Model`] whose state is one value that operations read, overwrite, or compare and set.
pub trait RegisterModel: Send + Sync {
    /// The value before anything happened.
    fn initial_value(&self) -> Value;

    /// What the operation does; none where it is no operation of a register. Must agree with [`Model::step`].
    fn access<'v>(&self, operation: &Operation<'v>) -> Option<Access<'v>>;
}

/// Which element of a collection is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeOrder {
    /// The one put in first: a queue.
    First,
    /// The one put in last: a stack.
    Last,
    /// The least one, in the order of [`Value`]: a priority queue.
    Least,
    /// Any: a bag.
    Any,
}

/// What an operation does to a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer<'v> {
    /// It puts this element in.
    Put(&'v Value),
    /// It takes this element out. None, where it was told nothing: it takes whichever is its turn, or finds the collection empty.
    Take(Option<&'v Value>),
    /// It found the collection empty.
    Empty,
}

/// A [`Model`] whose state is a collection, empty at first, that operations put elements in and take them out of again.
pub trait CollectionModel: Send + Sync {
    /// Which element is taken out.
    fn take_order(&self) -> TakeOrder;

    /// What the operation does; none where it is no operation of a collection. Must agree with [`Model::step`].
    fn transfer<'v>(&self, operation: &Operation<'v>) -> Option<Transfer<'v>>;
}

/// What an operation does to a set, or learns of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership<'v> {
    /// Afterwards this element is in, whether it was or not.
    Add(&'v Value),
    /// Afterwards this element is not in, whether it was or not.
    Remove(&'v Value),
    /// It was told whether this element is in.
    Contains(&'v Value, bool),
}

/// A [`Model`] whose state is a set, empty at first, and whose operations each concern one element.
pub trait SetModel: Send + Sync {
    /// What the operation does; none where it concerns more than one element. Must agree with [`Model::step`].
    fn membership<'v>(&self, operation: &Operation<'v>) -> Option<Membership<'v>>;
}
