//! The transitions of a model, memoised.

use elenchus_core::{Change, Growth, Model, Operation, Process, Step, Symbol, Value};
use rustc_hash::FxHashMap;

/// The number of an interned state. The initial one is 0.
pub(crate) type StateId = u32;

/// The number of a class of operations with equal functions, arguments and results.
pub(crate) type ClassId = u32;

/// Not a state: the transition is impossible.
pub(crate) const IMPOSSIBLE: StateId = u32::MAX;

/// Any state that is replaced before an operation observes it or what grew from it.
pub(crate) const UNOBSERVED: StateId = u32::MAX - 1;

/// The effect of a class on any state, for models whose states grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Grows,
    Replaces(StateId),
    Alters,
}

type ClassKey<'h> = (Symbol, &'h Value, Option<&'h Value>, Option<Process>);

/// A model's states as small integers and its transitions as a table that is filled on demand.
pub(crate) struct Transitions<'a, M: Model> {
    model: &'a M,
    states: Vec<M::State>,
    ids: FxHashMap<M::State, StateId>,
    table: FxHashMap<u64, StateId>,
    /// Memoised results of [`Transitions::leads_to`].
    memoised_leads_to: FxHashMap<u64, bool>,
    /// By position of the operation.
    classes: Vec<ClassId>,
    /// By class: one operation of it.
    examples: Vec<Operation<'a>>,
    /// By class: whether it never changes a state.
    observes: Vec<bool>,
    /// By class; empty if states do not grow.
    effects: Vec<Effect>,
}

impl<'a, M: Model> Transitions<'a, M> {
    pub(crate) fn new(model: &'a M, operations: &[Operation<'a>]) -> Transitions<'a, M> {
        let mut known: FxHashMap<ClassKey<'a>, ClassId> = FxHashMap::default();
        let (mut classes, mut examples, mut observes) = (Vec::with_capacity(operations.len()), Vec::new(), Vec::new());
        for operation in operations {
            let process = model.depends_on_process().then_some(operation.process);
            let class = *known.entry((operation.f, operation.input, operation.output, process)).or_insert_with(|| {
                examples.push(*operation);
                observes.push(model.observes(operation));
                examples.len() as ClassId - 1
            });
            classes.push(class);
        }
        let initial = model.initial();
        let ids = FxHashMap::from_iter([(initial.clone(), 0)]);
        let (table, memoised_leads_to, effects) = (FxHashMap::default(), FxHashMap::default(), Vec::new());
        let mut steps = Transitions { model, states: vec![initial], ids, table, memoised_leads_to, classes, examples, observes, effects };
        if let Some(growth) = model.growth() {
            steps.effects = (0..steps.examples.len()).map(|class| steps.effect_of(growth, class)).collect();
        }
        steps
    }

    /// The class of the operation at a position.
    pub(crate) fn class(&self, position: u32) -> ClassId {
        self.classes[position as usize]
    }

    /// Whether operations of a class never change a state.
    pub(crate) fn observes(&self, class: ClassId) -> bool {
        self.observes[class as usize]
    }

    /// The effect of a class on any state, if states grow.
    pub(crate) fn effect(&self, class: ClassId) -> Effect {
        self.effects[class as usize]
    }

    fn effect_of(&mut self, growth: &dyn Growth<M::State>, class: usize) -> Effect {
        if self.observes[class] {
            return Effect::Grows;
        }
        match growth.change(&self.examples[class]) {
            Change::Grows => Effect::Grows,
            Change::Replaces(state) => Effect::Replaces(self.intern(state)),
            Change::Alters => Effect::Alters,
        }
    }

    /// The state after an operation of a class, or [`IMPOSSIBLE`].
    pub(crate) fn next(&mut self, state: StateId, class: ClassId) -> StateId {
        if state == UNOBSERVED {
            return match self.effect(class) {
                Effect::Grows if self.observes(class) => IMPOSSIBLE,
                Effect::Grows => UNOBSERVED,
                Effect::Replaces(state) => state,
                Effect::Alters => unreachable!("states that an operation may alter are never unobserved"),
            };
        }
        let key = pair(state, class);
        if let Some(&next) = self.table.get(&key) {
            return next;
        }
        let next = match self.model.step(&self.states[state as usize], &self.examples[class as usize]) {
            Step::Same => state,
            Step::Impossible => IMPOSSIBLE,
            Step::To(next) => self.intern(next),
        };
        self.table.insert(key, next);
        next
    }

    /// Whether a state is, or may grow into, one that an observation of this class fits.
    pub(crate) fn leads_to(&mut self, state: StateId, class: ClassId) -> bool {
        if state == UNOBSERVED {
            return false;
        }
        let (model, states, examples) = (self.model, &self.states, &self.examples);
        *self
            .memoised_leads_to
            .entry(pair(state, class))
            .or_insert_with(|| model.growth().is_none_or(|growth| growth.leads_to(&states[state as usize], &examples[class as usize])))
    }

    /// The state in words.
    pub(crate) fn describe(&self, state: StateId) -> String {
        match self.states.get(state as usize) {
            Some(state) => self.model.describe(state),
            None => "(overwritten before any read)".to_owned(),
        }
    }

    /// The approximate number of bytes held. The heap memory of a state is estimated at 64 bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.states.len() * (2 * size_of::<M::State>() + 64) + (self.table.len() + self.memoised_leads_to.len()) * 24
    }

    /// The state with this number, which is not one of the special ones.
    pub(crate) fn state(&self, state: StateId) -> &M::State {
        &self.states[state as usize]
    }

    /// The number of a state.
    pub(crate) fn intern(&mut self, state: M::State) -> StateId {
        if let Some(&id) = self.ids.get(&state) {
            return id;
        }
        let id = self.states.len() as StateId;
        self.states.push(state.clone());
        self.ids.insert(state, id);
        id
    }
}

fn pair(state: StateId, class: ClassId) -> u64 {
    u64::from(state) << 32 | u64::from(class)
}
