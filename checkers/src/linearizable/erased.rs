//! Type erasure for models, so that the engine is compiled once rather than once per model.
//!
//! The engine numbers states and memoises transitions: it calls a model once per state and class of operations, so that the cost of dynamic
//! dispatch is negligible.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use elenchus_core::{Change, CollectionModel, Growth, Model, Operation, RegisterModel, SetModel, Step, Value};

/// A model of any type.
#[derive(Clone, Copy)]
pub(crate) struct AnyModel<'m>(&'m dyn ErasedModel);

impl<'m> AnyModel<'m> {
    pub(crate) fn new<M: Model>(model: &'m M) -> AnyModel<'m> {
        AnyModel(model)
    }
}

/// A state of an erased model. States of different models are never equal.
#[derive(Clone)]
pub(crate) struct AnyState(Arc<dyn ErasedState>);

impl AnyState {
    fn new<S: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static>(state: S) -> AnyState {
        AnyState(Arc::new(state))
    }

    fn get<S: 'static>(&self) -> &S {
        match self.0.as_any().downcast_ref() {
            Some(state) => state,
            None => unreachable!("a model is called with its own states only"),
        }
    }
}

trait ErasedState: Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn equals(&self, other: &dyn Any) -> bool;
    fn hash_into(&self, hasher: &mut dyn Hasher);
    fn debug(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl<S: Eq + Hash + fmt::Debug + Send + Sync + 'static> ErasedState for S {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref() == Some(self)
    }

    fn hash_into(&self, mut hasher: &mut dyn Hasher) {
        self.hash(&mut hasher);
    }

    fn debug(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, out)
    }
}

impl PartialEq for AnyState {
    fn eq(&self, other: &AnyState) -> bool {
        self.0.equals(other.0.as_any())
    }
}

impl Eq for AnyState {}

impl Hash for AnyState {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash_into(state);
    }
}

impl fmt::Debug for AnyState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug(out)
    }
}

/// [`Model`] with erased states.
trait ErasedModel: Send + Sync {
    fn initial(&self) -> AnyState;
    fn step(&self, state: &AnyState, operation: &Operation<'_>) -> Step<AnyState>;
    fn describe(&self, state: &AnyState) -> String;
    fn splits_by_key(&self) -> bool;
    fn admits(&self, operation: &Operation<'_>) -> bool;
    fn observes(&self, operation: &Operation<'_>) -> bool;
    fn depends_on_process(&self) -> bool;
    fn affected_values(&self, operation: &Operation<'_>) -> Option<Vec<Value>>;
    fn as_register(&self) -> Option<&dyn RegisterModel>;
    fn as_collection(&self) -> Option<&dyn CollectionModel>;
    fn as_set(&self) -> Option<&dyn SetModel>;
    fn grows(&self) -> bool;
    fn change(&self, operation: &Operation<'_>) -> Change<AnyState>;
    fn leads_to(&self, state: &AnyState, observation: &Operation<'_>) -> bool;
}

impl<M: Model> ErasedModel for M {
    fn initial(&self) -> AnyState {
        AnyState::new(Model::initial(self))
    }

    fn step(&self, state: &AnyState, operation: &Operation<'_>) -> Step<AnyState> {
        match Model::step(self, state.get(), operation) {
            Step::Same => Step::Same,
            Step::To(next) => Step::To(AnyState::new(next)),
            Step::Impossible => Step::Impossible,
        }
    }

    fn describe(&self, state: &AnyState) -> String {
        Model::describe(self, state.get())
    }

    fn splits_by_key(&self) -> bool {
        Model::splits_by_key(self)
    }

    fn admits(&self, operation: &Operation<'_>) -> bool {
        Model::admits(self, operation)
    }

    fn observes(&self, operation: &Operation<'_>) -> bool {
        Model::observes(self, operation)
    }

    fn depends_on_process(&self) -> bool {
        Model::depends_on_process(self)
    }

    fn affected_values(&self, operation: &Operation<'_>) -> Option<Vec<Value>> {
        Model::affected_values(self, operation)
    }

    fn as_register(&self) -> Option<&dyn RegisterModel> {
        Model::as_register(self)
    }

    fn as_collection(&self) -> Option<&dyn CollectionModel> {
        Model::as_collection(self)
    }

    fn as_set(&self) -> Option<&dyn SetModel> {
        Model::as_set(self)
    }

    fn grows(&self) -> bool {
        self.growth().is_some()
    }

    fn change(&self, operation: &Operation<'_>) -> Change<AnyState> {
        match self.growth().map(|growth| growth.change(operation)) {
            Some(Change::Grows) => Change::Grows,
            Some(Change::Replaces(state)) => Change::Replaces(AnyState::new(state)),
            Some(Change::Alters) | None => Change::Alters,
        }
    }

    fn leads_to(&self, state: &AnyState, observation: &Operation<'_>) -> bool {
        self.growth().is_none_or(|growth| growth.leads_to(state.get(), observation))
    }
}

impl Model for AnyModel<'_> {
    type State = AnyState;

    fn initial(&self) -> AnyState {
        self.0.initial()
    }

    fn step(&self, state: &AnyState, operation: &Operation<'_>) -> Step<AnyState> {
        self.0.step(state, operation)
    }

    fn describe(&self, state: &AnyState) -> String {
        self.0.describe(state)
    }

    fn splits_by_key(&self) -> bool {
        self.0.splits_by_key()
    }

    fn admits(&self, operation: &Operation<'_>) -> bool {
        self.0.admits(operation)
    }

    fn observes(&self, operation: &Operation<'_>) -> bool {
        self.0.observes(operation)
    }

    fn depends_on_process(&self) -> bool {
        self.0.depends_on_process()
    }

    fn affected_values(&self, operation: &Operation<'_>) -> Option<Vec<Value>> {
        self.0.affected_values(operation)
    }

    fn growth(&self) -> Option<&dyn Growth<AnyState>> {
        self.0.grows().then_some(self as &dyn Growth<AnyState>)
    }

    fn as_register(&self) -> Option<&dyn RegisterModel> {
        self.0.as_register()
    }

    fn as_collection(&self) -> Option<&dyn CollectionModel> {
        self.0.as_collection()
    }

    fn as_set(&self) -> Option<&dyn SetModel> {
        self.0.as_set()
    }
}

impl Growth<AnyState> for AnyModel<'_> {
    fn change(&self, operation: &Operation<'_>) -> Change<AnyState> {
        self.0.change(operation)
    }

    fn leads_to(&self, state: &AnyState, observation: &Operation<'_>) -> bool {
        self.0.leads_to(state, observation)
    }
}
